"""Reports in a real Chromium: nothing is fetched, nothing leaves the window, axe-core finds nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reports import report_pages
from benchmarks.studio import page_times


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if page_times.chromium() is None:
        pytest.skip("no Chromium here")
    pytest.importorskip("playwright", reason="needs playwright")
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    return report_pages.sample(tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize(("language", "scheme", "width"), [("en", "dark", 360), ("zh", "light", 768)])
def test_a_report_keeps_its_bars_in_chromium(pages: dict[str, Path], language: str, scheme: str, width: int) -> None:
    (found,) = report_pages.browsed({language: pages[language]}, (scheme,), (width,))
    assert found.holds and found.lesser == 0, found


@pytest.mark.long
def test_a_page_that_fetches_overflows_and_is_hard_to_read_is_found(pages: dict[str, Path], tmp_path: Path) -> None:
    """The control: what is measured can be measured."""
    text = pages["en"].read_text("utf-8").replace("default-src 'none'", "default-src *")
    worse = '<p style="width: 4000px; color: #eee; background: #fff">pale</p><img src="http://127.0.0.1:9/x.png">'
    (tmp_path / "worse.html").write_text(text.replace("<main>", f"<main>{worse}"), "utf-8")
    (found,) = report_pages.browsed({"en": tmp_path / "worse.html"}, ("light",), (768,))
    assert not found.holds and found.requests == 1 and found.overflow > 0 and found.wide > 0 and found.serious > 0


def test_a_report_prints_on_a4(pages: dict[str, Path], tmp_path: Path) -> None:
    sheets, wide = report_pages.printed(pages["zh"], tmp_path / "report.pdf")
    assert sheets > 5 and wide == 0


@pytest.mark.long
def test_all_windows_of_both_languages_keep_their_bars(pages: dict[str, Path]) -> None:
    assert all(found.holds for found in report_pages.browsed(pages))
