"""Rows of the table of costs in the documents, and that both languages have the same."""

from pathlib import Path

import pytest

pytest.importorskip("tenseal")

from benchmarks.he.cases import SIZE, Case
from benchmarks.he.plans import TITLES, line, plan
from privis.features.colour import ColourHistogram
from privis.run.he.engine import DEGREES
from privis.run.he.security import SecurityStandard, largest_modulus

PAGES = [Path(__file__).resolve().parents[4] / "docs" / name for name in ("homomorphic.md", "homomorphic.zh-CN.md")]


def test_a_row_says_what_the_compiler_plans():
    row = plan(Case("colour", ColourHistogram(bins=16).program((3, *SIZE))))
    assert len(row) == len(TITLES)
    assert row[0] == "colour" and row[1] in DEGREES
    assert row[2] <= largest_modulus(SecurityStandard.STANDARD_2018)[row[1]]
    assert all(size > 0 for size in row[3:9])
    assert float(row[9]) < 1e-4
    assert line(row).count("|") == len(TITLES) + 1


def test_every_row_of_the_table_is_complete():
    tables = []
    for page in PAGES:
        lines = page.read_text(encoding="utf-8").splitlines()
        rows = [words for words in lines if words.count("|") == len(TITLES) + 1 and "---" not in words]
        assert len(rows) > 8
        tables.append(rows[1:])
    assert tables[0] == tables[1]
