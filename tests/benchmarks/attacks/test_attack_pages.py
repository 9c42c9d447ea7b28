"""The pages on attacks say what was measured: figures, tables and bars come from one file, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from benchmarks.attacks.feature_table import page_words
from benchmarks.attacks.feature_table.figures import Figure, FigureFile, bars, processor_minutes
from benchmarks.attacks.feature_table.pages import MEASURED, PAGES, ROOT, _bar, line, written


@pytest.fixture(scope="module")
def measured() -> list[Figure]:
    return list(FigureFile(MEASURED).figures.values())


@pytest.mark.parametrize(("page", "chinese"), PAGES.items())
def test_pages_are_written_from_the_figures(page: str, chinese: bool, measured: list[Figure]) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text.count("<!-- attack_table end -->") == 5
    assert written(text, measured, chinese) == text, "run python -m benchmarks.attack_pages"


def test_a_changed_figure_changes_its_page(measured: list[Figure]) -> None:
    page = (ROOT / "docs/attacks.md").read_text(encoding="utf-8")
    place = next(p for p, f in enumerate(measured) if f.key == "faces / hog / privunit epsilon=4 / neighbour")
    other = [*measured[:place], replace(measured[place], hits=measured[place].tries), *measured[place + 1 :]]
    changed = written(page, other, False)
    assert changed != page
    assert "| nobody is told more often than epsilon allows | 1 of" in changed


def test_every_feature_is_there_under_every_protection_of_the_page(measured: list[Figure]) -> None:
    found = {(f.pictures, f.feature, f.protection) for f in measured}
    for name in page_words.FEATURES:
        for kind in ("faces", "kodak") if name != "template" else ("faces",):
            for part in page_words.PROTECTIONS:
                missing = [p for p in part if "HE" not in p and (kind, name, p) not in found]
                assert not missing, (kind, name)


def test_the_whole_table_fits_into_its_minutes(measured: list[Figure]) -> None:
    assert all(each.spent is not None and each.spent >= 0 for each in measured)
    assert 0 < processor_minutes(measured) <= 30


def test_bars_are_in_chinese_too(measured: list[Figure]) -> None:
    for bar in bars(measured):
        words, shown, hit = _bar(bar, True)
        assert re.search("[\u4e00-\u9fff]", words), bar.words
        assert not re.search(" of | by chance|told|epsilon|minutes", words + shown), (words, shown)
        assert ("未" in hit) == (not bar.kept)


def test_a_line_is_read_as_it_was_written(tmp_path) -> None:
    figure = Figure("faces", "hog", "clear", "ridge", 5, 131, 0.0401234, (1, 10), spent=1.5)
    (tmp_path / "figures.jsonl").write_text(line(figure) + "\n")
    assert list(FigureFile(tmp_path / "figures.jsonl").figures.values()) == [figure]
    assert FigureFile(tmp_path / "figures.jsonl").figures[figure.key].spent == 1.5
