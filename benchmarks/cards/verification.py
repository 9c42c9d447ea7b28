"""Seconds that a check takes of a signed card, its table of 10,000 rows and a ledger of as many charges.

Run ``python -m benchmarks.verification [ROWS]``. The table has the components of HOG of 128 x 64 pixels; all of its
bytes are hashed, the signature is checked, epsilon is recomputed and the ledger's chain is followed from its start.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.privacy.ledgers.ledger import fill
from privis.cards.card_check import Against, beside, checked_table
from privis.cards.card_key import CardKey
from privis.cards.ledger_chain import BUDGET, budget_link
from privis.cards.signed_card import SignedCard
from privis.cards.table_bytes import content_of
from privis.extraction.card import Card, described
from privis.io import tables
from privis.privacy import Budget, FeatureRelease, FileLedger, Gaussian, Guarantee

BAR = 2.0
"""Seconds that a check may take."""
COMPONENTS = 3780
FORMS = (".parquet", ".npz")
_ROWS_AT_A_TIME = 1000


@dataclass(frozen=True)
class Check:
    """Seconds, of the wall clock and of the processor, and whether all that was checked holds."""

    suffix: str
    wall: float
    processor: float
    holds: bool


def run(rows: int = 10_000, components: int = COMPONENTS, suffixes: Sequence[str] = FORMS) -> list[Check]:
    """Check a table of so many rows, once for each layout of tables."""
    release = FeatureRelease(Gaussian(2.0, 1e-6), clip=1.0)
    guarantee = release.guarantee((components,))
    with tempfile.TemporaryDirectory() as folder:
        ledger = FileLedger.create(Path(folder) / "budget", Budget(2.0, 1e-6))
        fill(ledger, None, [guarantee], rows, rows)
        found = []
        for suffix in suffixes:
            table = Path(folder) / f"table{suffix}"
            write_table(table, release, guarantee, rows, components)
            found.append(_measured(table, guarantee, ledger.path))
        return found


def write_table(path: Path, release: FeatureRelease, guarantee: Guarantee, rows: int, components: int) -> None:
    """Write a table of noise, with its card."""
    card = Card({"class": "HOG"}, {"class": "Clear"}, described(release), guarantee, (), rows, "0", "The machine sees.")
    metadata = {"privis.guarantee": json.dumps(guarantee.to_dict()), "privis.card": card.to_json()}
    random = np.random.default_rng(0)
    starts = range(0, rows, _ROWS_AT_A_TIME)
    blocks = (
        random.normal(size=(min(_ROWS_AT_A_TIME, rows - start), components)).astype(np.float32) for start in starts
    )
    names = [f"hog {number}" for number in range(components)]
    tables.write(path, [f"{number}.png" for number in range(rows)], blocks, names=names, metadata=metadata)


def _measured(table: Path, guarantee: Guarantee, ledger: Path) -> Check:
    key = CardKey.generate()
    chain = {BUDGET: budget_link(ledger, guarantee)}
    made = SignedCard.issued(content_of(table, whole=True), key, time="2026-01-01T00:00:00+00:00", chain=chain)
    beside(table).write_bytes(made.to_bytes())
    wall, processor = time.perf_counter(), time.process_time()
    found = checked_table(table, None, Against(key.public, {BUDGET: ledger}))
    return Check(table.suffix, time.perf_counter() - wall, time.process_time() - processor, found.findings.holds)


def report(found: Sequence[Check], rows: int) -> None:
    """Print a line per layout, beside the bar."""
    for check in found:
        verdict = "ok" if check.wall <= BAR and check.holds else "MISSED"
        print(
            f"{check.suffix[1:]:8} {rows:,} rows, {rows:,} charges: {check.wall:.2f} s, processor "
            f"{check.processor:.2f} s (bar {BAR:g} s) {verdict}"
        )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    report(run(count), count)
