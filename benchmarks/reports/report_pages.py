"""Requests, overflow and accessibility of reports in a real Chromium: both languages, 360 to 1280 pixels, and A4.

Run ``python -m benchmarks.report_pages [FOLDER]``. Images are made up; a table is extracted with noise, charged to a
ledger, signed and attacked on paper; a gallery stores people. Everything else is what ``privis report`` writes. With a
folder, pages, pictures and PDF files are kept there.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from benchmarks.studio.page_times import chromium
from privis.cli.main import app
from privis.io.face_gallery import EnrolledPerson, FaceGallery

LANGUAGES, SCHEMES, WIDTHS = ("en", "zh"), ("light", "dark"), (360, 768, 1280)
A4_WIDTH = 672
"""Pixels between the margins of a printed page."""
SERIOUS = ("serious", "critical")
_PEOPLE = 1240
_SHAPE = (16, 16)
_TOO_WIDE = """() => [...document.querySelectorAll('main *')].filter(each => !each.closest('.wide')
  && !each.closest('svg') && !each.closest('.hidden')
  && each.getBoundingClientRect().right > document.documentElement.clientWidth + 1).length"""
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_DECLARED = """
site = "St. Anne Hospital, Ward 7"
controller = "St. Anne Hospital"
purpose = "Finding wounds that heal badly, from photographs of wounds."
necessity = "Nobody can look at every wound each day; photographs are taken anyway."
people = "Patients of ward 7 who agreed, about 40 a month."
recipients = "The research group, under contract 2026-114."
retention = "Photographs 30 days, features two years."
limits = ["For research only, not for treatment."]
[custody]
"release key" = "data protection officer"
[cost.predicted]
seconds = 40.0
[cost.measured]
seconds = 41.5
[utility.predicted]
accuracy = 0.85
[utility.measured]
accuracy = 0.83
"""
_ATTACKS = (
    ("ridge", "hog, no release", "re-identified", 0.41, (0.31, 0.51), 0.04, 100),
    ("ridge", "colour, release=laplace epsilon=2", "re-identified", 0.05, (0.016, 0.113), 0.04, 100),
    ("membership", "colour, release=laplace epsilon=2", "true positive rate at 0.1 % false positives", 0.0021,
     (0.0004, 0.006), 0.001, 5000),
    ("answers", "faces.gallery", "queries to 50 % acceptance", 21400.0, (None, None), None, 10),
)  # fmt: skip


@dataclass(frozen=True)
class PageFigures:
    """What a page does in a window.

    ``requests`` beyond the page itself, ``overflow`` in pixels, ``wide`` elements that leave the window, and violations
    that axe-core found, by impact.
    """

    language: str
    scheme: str
    width: int
    requests: int
    overflow: int
    wide: int
    serious: int
    lesser: int

    @property
    def holds(self) -> bool:
        """Whether it keeps its bars."""
        return not (self.requests or self.overflow or self.wide or self.serious)


def sample(folder: Path) -> dict[str, Path]:
    """Make what reports are about, and a report in each language, by the commands; gives the pages by language."""
    noise = np.random.default_rng(0).integers(0, 256, (3, *_SHAPE, 3), dtype=np.uint8)
    (folder / "in").mkdir()
    for number, values in enumerate(noise):
        Image.fromarray(values).save(folder / "in" / f"{number}.png")
    people = tuple(EnrolledPerson(f"p{number}", 2, "2026-11-01") for number in range(_PEOPLE))
    templates = np.random.default_rng(1).normal(size=(_PEOPLE, 8)).astype(np.float32)
    (folder / "faces.gallery").write_bytes(FaceGallery(bytes(32), "made up", people, templates).to_bytes())
    (folder / "declared.toml").write_text(_DECLARED, encoding="utf-8")
    (folder / "attack.json").write_text(json.dumps(_attack_document()), encoding="utf-8")
    ledger, answers, table = (str(folder / name) for name in ("budget", "answers", "ward7.npz"))
    _run("ledger", "init", ledger, "--epsilon", "8", "--delta", "1e-6")
    _run("answers", "init", answers)
    words = ("--release", "laplace", "--epsilon", "2", "--at", "feature", "--yes", "--workers", "1")
    _run("extract", str(folder / "in"), "-f", "colour", "-p", "bins=4", *words, "-o", table, "--ledger", ledger)
    _run("extract", str(folder / "in"), "-f", "lbp", "--workers", "1", "-o", str(folder / "exact.npz"))
    _run("keygen", str(folder / "card.key"), "--for", "card")
    _run("card", table, "--key", str(folder / "card.key"), "--ledger", ledger)
    public = re.search("[0-9a-f]{64}", _run("info", str(folder / "card.key")))
    assert public is not None
    return {
        language: reported(
            [table, str(folder / "exact.npz"), str(folder / "faces.gallery"), ledger, "--answers", answers, "--attack",
             str(folder / "attack.json"), "--declared", str(folder / "declared.toml"), "--public-key", public[0]],
            folder / f"report-{language}.html", language,
        )
        for language in LANGUAGES
    }  # fmt: skip


def reported(words: Sequence[str], path: Path, language: str) -> Path:
    """Run ``privis report``."""
    _run("report", *words, "-o", str(path), "--language", language)
    return path


def _run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    if done.exit_code:
        raise RuntimeError(f"privis {' '.join(words)}: {done.output}")
    return done.output


def _attack_document() -> dict[str, Any]:
    attacks = [
        {"attack": attack, "against": against, "knows": ["the mechanism", "public images"], "measure": measure,
         "value": value, "interval": list(interval), "chance": chance, "tries": tries, "processor_seconds": 2.0,
         "sentence": "", "guarantee": {}, "confidence": 0.95}
        for attack, against, measure, value, interval, chance, tries in _ATTACKS
    ]  # fmt: skip
    return {"format": "privis.attack/1", "against": "ward7.npz", "attacks": attacks}


def browsed(
    pages: dict[str, Path], schemes: Sequence[str] = SCHEMES, widths: Sequence[int] = WIDTHS, keep: Path | None = None
) -> Iterator[PageFigures]:
    """Open each page in each window; with ``keep``, pictures are kept there."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for language, path in pages.items():
            for scheme in schemes:
                for width in widths:
                    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
                    page, asked = context.new_page(), []
                    page.on("request", lambda request, asked=asked: asked.append(request.url))
                    page.goto(path.absolute().as_uri())
                    impacts = [each["impact"] for each in Axe().run(page).response["violations"]]
                    serious = sum(impact in SERIOUS for impact in impacts)
                    overflow, wide = page.evaluate(_OVERFLOW), page.evaluate(_TOO_WIDE)
                    if keep is not None:
                        page.screenshot(path=keep / f"{language}-{scheme}-{width}.png", full_page=True)
                    context.close()
                    yield PageFigures(language, scheme, width, len(asked) - 1, overflow, wide, serious,
                                      len(impacts) - serious)  # fmt: skip
        browser.close()


def printed(path: Path, pdf: Path) -> tuple[int, int]:
    """Print a page on A4; gives its sheets, and how many elements leave the paper."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": A4_WIDTH, "height": 990})
        page.goto(path.absolute().as_uri())
        page.emulate_media(media="print")
        wide = page.evaluate(_TOO_WIDE)
        page.pdf(path=pdf, prefer_css_page_size=True, print_background=True)
        browser.close()
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())), wide


def main(arguments: list[str]) -> None:
    """Print the figures beside their bars."""
    with tempfile.TemporaryDirectory() as scratch:
        pages = sample(Path(scratch))
        keep = Path(arguments[0]) if arguments else None
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            pages = {language: Path(shutil.copy(path, keep)) for language, path in pages.items()}
        print(f"{'page':24}{'requests':>10}{'overflow':>10}{'serious':>10}{'lesser':>10}")
        found = []
        for each in browsed(pages, keep=keep):
            found.append(each)
            name = f"{each.language} {each.scheme} {each.width}"
            print(f"{name:24}{each.requests:>10}{each.overflow + each.wide:>10}{each.serious:>10}{each.lesser:>10}")
        print(f"{'bar':24}{0:>10}{0:>10}{0:>10}")
        for language, path in pages.items():
            sheets, wide = printed(path, (keep or Path(scratch)) / f"report-{language}.pdf")
            print(f"{language} on A4: {sheets} sheets, {wide} elements leave the paper (bar 0)")
        print("all bars are kept" if all(each.holds for each in found) else "a bar is not kept")


if __name__ == "__main__":
    main(sys.argv[1:])
