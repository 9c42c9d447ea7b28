"""Speed of the ledger: milliseconds per charge when it already holds 10,000, fsync included.

Run ``python -m benchmarks.ledger [ENTRIES]``. Each case adds charges to a ledger that is nearly spent, so that the
cheap sum of epsilons no longer decides. "first" is what a new process waits once: it reads and checks the whole chain,
and where PLD is needed searches how many more charges fit. "fdatasync alone" is what the disk takes of it.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from privis.errors import BudgetError
from privis.privacy import FeatureRelease, Gaussian, Guarantee, Laplace
from privis.privacy.ledger.budget import Budget, Per, cost_of
from privis.privacy.ledger.entries import Books, Charge, charge_line, guarantee_digest
from privis.privacy.ledger.file import FileLedger

CHARGES = 100
BAR = 5.0
"""Milliseconds that a charge may take beside the disk, in the median."""
DISK = "fdatasync alone"


@dataclass(frozen=True)
class Times:
    """Milliseconds: of the first charge of a new process, and median and largest of the later ones."""

    first: float
    median: float
    largest: float


def run(entries: int = 10_000, charges: int = CHARGES) -> dict[str, Times]:
    """Measure ``charges`` charges behind ``entries`` others, by name of the case."""
    laplace, gaussian = _guarantee(Laplace(1e-3)), _guarantee(Gaussian(1e-2, 1e-12))
    sizes = [_guarantee(Laplace(1e-3 * (1 + index / 1000))) for index in range(300)]
    one_each, corpus = Budget(1.0, 1e-6), Budget(0.5, 1e-6, Per.CORPUS)
    cases: dict[str, tuple[Budget, Sequence[Guarantee], int]] = {
        "a record each, sums": (one_each, [laplace], entries),
        "one corpus, PLD": (Budget(0.402, 1e-6, Per.CORPUS), [laplace], 1),
        "one corpus, Gaussian": (Budget(4.0, 1e-6, Per.CORPUS), [gaussian], 1),
        "one corpus, 300 laws, Renyi": (Budget(1.0, 1e-6, Per.CORPUS), sizes, 1),
        "one corpus, refused": (corpus, [_guarantee(Laplace(0.6))], 1),
    }
    measured = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # /tmp may be memory, where fsync is free
        for index, (name, (budget, guarantees, records)) in enumerate(cases.items()):
            ledger = FileLedger.create(Path(folder) / str(index), budget)
            fill(ledger, laplace if name.endswith("refused") else None, guarantees, entries, records)
            measured[name] = _measured(FileLedger(ledger.path), guarantees, charges)
        measured[DISK] = _disk(Path(folder) / "disk", charges)
    return measured


def _guarantee(noise: Laplace | Gaussian) -> Guarantee:
    return FeatureRelease(noise, clip=1.0).guarantee((64,))


def fill(ledger: FileLedger, kind: Guarantee | None, kinds: Sequence[Guarantee], entries: int, records: int) -> None:
    """Write entries without waiting for the disk at each."""
    lines = [ledger.path.read_bytes()]
    books = Books.opened(lines[0])
    for index in range(entries):
        stated = kind or kinds[index % len(kinds)]
        cost = cost_of(stated, books.budget)
        words = (stated.unit, stated.mechanism, cost.scale, stated.epsilon, stated.delta, cost.epsilon, cost.delta)
        hashed = books.hashed(f"record {index % records}")
        charge = Charge("2026-01-01T00:00:00+00:00", hashed, f"before {index}", *words, guarantee_digest(stated))
        lines.append(charge_line(charge, books.head.digest))
        books.read(lines[-1])
    ledger.path.write_bytes(b"".join(lines))
    head = ledger.path.with_name(ledger.path.name + ".head")
    slots = bytearray(head.read_bytes())
    slots[books.head.slot : books.head.slot + len(books.head.packed())] = books.head.packed()
    head.write_bytes(slots)


def _measured(ledger: FileLedger, guarantees: Sequence[Guarantee], charges: int) -> Times:
    index = 0

    def once() -> None:
        nonlocal index
        index += 1
        with contextlib.suppress(BudgetError):
            ledger.charge(f"record {index}", guarantees[index % len(guarantees)], f"now {index}")

    return _times(once, charges)


def _disk(path: Path, charges: int) -> Times:
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    size = 0

    def once() -> None:
        nonlocal size
        os.pwrite(file, b"x" * 500, size)
        os.fdatasync(file)
        size += 500

    return _times(once, charges)


def _times(once: Callable[[], None], count: int) -> Times:
    milliseconds = []
    for _ in range(count + 1):
        start = time.perf_counter()
        once()
        milliseconds.append(1000 * (time.perf_counter() - start))
    first, *later = milliseconds
    return Times(first, statistics.median(later), max(later))


def report(measured: dict[str, Times]) -> None:
    for case, times in measured.items():
        bar = BAR + measured[DISK].median
        verdict = "" if case == DISK else f"  (at most {bar:.1f})  {'ok' if times.median < bar else 'TOO SLOW'}"
        print(f"{case:32} {times.first:9.1f} {times.median:9.2f} {times.largest:9.2f}{verdict}")


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"{f'{many:,} entries, ms':32} {'first':>9} {'median':>9} {'largest':>9}")
    report(run(many))
