"""The table of costs in the documents is what the compiler says."""

from pathlib import Path

import pytest

pytest.importorskip("tenseal")

from benchmarks.he_cases import SIZE, Case
from benchmarks.he_plans import TITLES, line, plan
from privis.features.colour import ColourHistogram

PAGES = [Path(__file__).resolve().parents[2] / "docs" / name for name in ("homomorphic.md", "homomorphic.zh-CN.md")]


def test_the_documents_print_what_the_compiler_plans():
    row = plan(Case("colour", ColourHistogram(bins=16).program((*SIZE, 3)), ()))
    assert len(row) == len(TITLES)
    for page in PAGES:
        assert line(row) in page.read_text(encoding="utf-8"), f"{page.name}: run python -m benchmarks.he_plans"


def test_every_row_of_the_table_is_complete():
    tables = []
    for page in PAGES:
        lines = page.read_text(encoding="utf-8").splitlines()
        rows = [words for words in lines if words.count("|") == len(TITLES) + 1 and "---" not in words]
        assert len(rows) > 8
        tables.append(rows[1:])
    assert tables[0] == tables[1]
