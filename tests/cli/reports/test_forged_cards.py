"""Cards whose keys hold what they should not: a report is made, and marks them.

Answers for `privis.cli.reports.report_files`.
"""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from privis.cards.card_key import CardKey
from privis.cards.signed_card import SignedCard
from privis.cards.table_bytes import TableContent
from privis.cli.reports.report_files import FileVerifier, checked_file, signed_attacks
from privis.errors import ParameterError
from privis.report.protection.given.report_declaration import ReportDeclaration
from privis.report.protection.given.report_evidence import ReportEvidence, Standing
from privis.report.protection.protection_report import rendered
from privis.report.protection.report_words import Language
from tests.report.protection.report_evidence_samples import files

JUNK: tuple[Any, ...] = (
    None,
    "x",
    [[1]],
    {"class": [], "relative": "much", "counts": 3, "predicted": {"seconds": "x"}},
)


def card() -> dict[str, Any]:
    return copy.deepcopy(dict(files()[0].card))


def report_of(path: Path) -> Standing | None:
    """How the file stands on a page; None where it is refused in a sentence."""
    try:
        found = checked_file(path, FileVerifier())
    except ParameterError:
        return None
    rendered(ReportEvidence((found,), signed_attacks(found), (), (), ReportDeclaration(), (), date.today()),
             Language.ENGLISH)  # fmt: skip
    return found.standing


@pytest.mark.parametrize("key", sorted(card()))
def test_junk_under_a_key_of_an_unsigned_card_breaks_nothing(tmp_path: Path, key: str) -> None:
    for junk in JUNK:
        (tmp_path / "card.json").write_text(json.dumps(card() | {key: junk}))
        standing = report_of(tmp_path / "card.json")
        if key in ("feature", "under", "version", "threat_model", "programs", "images", "format") or junk is None:
            continue  # no part of the arithmetic
        assert standing in (Standing.BROKEN, None), (key, junk)


@pytest.mark.parametrize("junk", JUNK)
def test_junk_in_a_signed_card_is_shown_as_broken(tmp_path: Path, junk: Any) -> None:
    table = TableContent("t.npz", "ab" * 32, "", 12, 12, card())
    document = SignedCard.issued(table, CardKey(bytes(32)), time="2026-11-30T00:00:00+00:00", chain={}).document
    for key in ("cost", "keys", "provenance", "seen", "limits", "attacks", "guarantee", "release", "under", "error"):
        (tmp_path / "t.card.json").write_bytes(SignedCard({**document, key: junk}).to_bytes())
        assert report_of(tmp_path / "t.card.json") in (Standing.BROKEN, None), key


def test_a_feature_that_is_nested_without_end_is_left_out(tmp_path: Path) -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"class": "X", "inner": deep}
    (tmp_path / "card.json").write_text(json.dumps(card() | {"feature": deep}))
    assert "feature" not in checked_file(tmp_path / "card.json", FileVerifier()).card
    assert report_of(tmp_path / "card.json") is not None
