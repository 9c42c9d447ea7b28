"""The page: well formed, self-contained, with every hostile name escaped and every number readable."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import OutputError
from privis.extraction.folder import extract_folder
from privis.extraction.images import extract
from privis.io.resumable.run import Failure
from privis.privacy import Gaussian, Laplace, Patch, PixelRelease, Pixels, no_release
from privis.report import Chart, Figure, FigureGroup, Level, Line, Report, Row, folder_report, in_words, render, write

HOSTILE = "<script>alert(1)</script>\"'><img src=http://evil.example/x onerror=alert(2)>&amp;\udcff.png"
VOID = {"meta", "img", "link", "br", "hr", "input"}
SHAPES = {"line", "circle", "polyline"}


class Page(HTMLParser):
    """Reads a page and notes every tag, failing where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def is_self_contained(page: Page) -> bool:
    known = {"html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "p", "section", "div"}
    known |= {"table", "thead", "tbody", "tr", "th", "td", "figure", "img", "figcaption", "details", "summary", "pre"}
    known |= {"ul", "li", "footer", "svg", "text", *SHAPES}
    for tag, attributes in page.tags:
        handlers = [name for name in attributes if name.startswith("on")]
        links = [attributes[name] for name in ("src", "href", "xlink:href", "data", "action") if name in attributes]
        if tag not in known or handlers or not all(link.startswith("data:image/") for link in links):
            return False
    return not re.search(r"url\(|@import", "".join(page.text))


def hostile_report() -> Report:
    image = np.full((4, 6, 3), (200, 30, 30), np.uint8)
    result = extract(privis.LBP(), [image], release=PixelRelease(Laplace(2.0), Patch(2)))
    row = Row(HOSTILE, HOSTILE, result.guarantee, 0.5, 0.25, -0.5, 1.25, result.card, HOSTILE)
    gallery = FigureGroup(HOSTILE, HOSTILE, (Figure(image, HOSTILE, HOSTILE), Figure(image[:, :, 0], "grey", "grey")))
    chart = Chart(
        HOSTILE, HOSTILE, HOSTILE, HOSTILE, (Line(HOSTILE, ((1.0, 0.2), (10.0, 0.7))),), (Level(HOSTILE, 0.5),)
    )
    return Report(HOSTILE, HOSTILE, (row,), (gallery, chart), (Failure(HOSTILE, HOSTILE),), (HOSTILE,))


def test_hostile_text_is_text(tmp_path) -> None:
    page = Page(render(hostile_report()))
    assert is_self_contained(page)
    assert "".join(page.text).count(HOSTILE) >= 12
    assert page.all("script") == []
    write(hostile_report(), tmp_path / "r.html")  # a file name that is no UTF-8 is written all the same
    assert is_self_contained(Page((tmp_path / "r.html").read_text(encoding="utf-8")))


def test_the_check_for_foreign_parts_can_fail() -> None:
    for part in (
        "<script></script>",
        "<p onclick='x'></p>",
        "<img src='http://a/b.png'>",
        "<style>a{b:url(c)}</style>",
    ):
        assert not is_self_contained(Page(part))
    with pytest.raises(AssertionError):
        Page("<p><div></p></div>")


def test_pages_can_be_read_without_seeing_them() -> None:
    page = Page(render(hostile_report()))
    assert page.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in page.all("img"))
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in page.all("svg"))
    assert "prefers-color-scheme: dark" in "".join(page.text)


def test_pictures_are_inside_the_page() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    flat = np.full((50, 70, 3), 7, np.uint8)
    gallery = FigureGroup("Pictures", "Two.", (Figure(noise, "noise", "noise"), Figure(flat, "flat", "flat")))
    sources = [image["src"] for image in Page(render(Report("t", "s", parts=(gallery,)))).all("img")]
    assert sources[1].startswith("data:image/png;base64,")
    for source, expected in zip(sources, (noise, flat), strict=True):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
        assert shown.shape == expected.shape
    assert (shown == flat).all()


def test_a_row_says_both_epsilons() -> None:
    release = PixelRelease(Laplace(4.0), Pixels(16), block=4)
    guarantee = release.guarantee((256, 256))
    row = Row("hog", "noise", guarantee, 0.0123, 0.5, 0.25, 1.5)
    page = "".join(Page(render(Report("t", "s", (row,)))).text)
    for expected in ("16,384", "hides changes of up to 16 pixels", "12.3", "0.50", "0.25", "1.50", guarantee.sentence):
        assert expected in page


def test_who_saw_and_what_it_says_are_two_columns() -> None:
    """An image that nobody saw and a result that hides nothing are no contradiction."""
    row = Row("hog", "encrypted", no_release(), 1.0, 0.1, 1.0, 0.5, seen="its owner alone")
    page = Page(render(Report("t", "s", (row,))))
    labels = [cell["data-label"] for cell in page.all("td")]
    assert labels[:3] == ["Protection", "Who saw the image", "What the result may say"]
    assert len(labels) == 9, "every value has its head with it, for windows too narrow for columns"
    assert "its owner alone" in page.text and "everything: it is exact" in page.text
    assert "seen by its owner alone" in "".join(page.text)
    card = extract(privis.LBP(), [np.zeros((8, 8), np.uint8)]).card
    assert Row("lbp", "in the clear", no_release(), 1.0, card=card).saw == card.seen


def test_guarantees_in_words() -> None:
    assert in_words(no_release()) == "everything: it is exact"
    assert in_words(PixelRelease(Gaussian(4.0, 1e-6)).guarantee((8, 8))) == "hides the whole image: ε 4, δ 1e-6"
    patch = in_words(PixelRelease(Laplace(2.0), Patch(4)).guarantee((8, 8)))
    assert patch == "hides changes inside one aligned patch of 4 x 4 pixels: ε 2 · whole image: ε 8"


def test_the_chart_is_logarithmic_across_and_linear_up() -> None:
    line = Line("a", ((1.0, 0.0), (10.0, 0.5), (100.0, 1.0)))
    page = Page(render(Report("t", "s", parts=(Chart("c", "s", "x in units", "y in units", (line,)),))))
    dots = np.array([(float(dot["cx"]), float(dot["cy"])) for dot in page.all("circle")])
    assert np.allclose(np.diff(dots, axis=0)[0], np.diff(dots, axis=0)[1], atol=0.2)
    assert dots[0, 0] < dots[-1, 0]
    assert dots[0, 1] > dots[-1, 1]  # y points down
    assert {"1", "10", "100", "0 %", "50 %", "x in units", "y in units"} <= set(page.text)


def test_names_of_lines_do_not_cover_one_another() -> None:
    lines = tuple(Line(f"line {k} ends here", ((1.0, 0.1), (10.0 + k, 0.9))) for k in range(4))
    page = Page(render(Report("t", "s", parts=(Chart("c", "s", "x", "y", lines),))))
    names = [text for text in page.all("text") if text.get("class", "").startswith("name")]
    heights = sorted(float(name["y"]) for name in names)
    assert len(names) == 4
    assert min(np.diff(heights)) > 17


def test_negative_powers_are_written_out() -> None:
    line = Line("a", ((0.01, 0.0), (0.1, 0.5)))
    assert {"0.01", "0.1"} <= set(Page(render(Report("t", "s", parts=(Chart("c", "s", "x", "y", (line,)),)))).text)


def test_a_folder_run_is_reported(tmp_path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(3):
        Image.fromarray(np.full((20, 30), 60 * index, np.uint8)).save(photos / f"{index}.png")
    (photos / "<b>.png").write_bytes(b"no picture")
    sources = sorted(str(path) for path in photos.iterdir())
    release = PixelRelease(Laplace(4.0), Pixels(16), block=4)
    result = extract_folder(privis.LBP(), sources, tmp_path / "out.npz", release=release)
    write(folder_report(result), tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    text = "".join(page.text)
    assert is_self_contained(page)
    for expected in ("3 × 256 numbers", "1 of the files", f"{photos}/<b>.png", result.card.threat_model):
        assert expected in text
    card = json.loads(text[text.index('{\n  "format"') : text.rindex("}") + 1])
    assert card == result.card.to_dict()
    assert page.all("img") == []  # what the release protects is not shown


def test_long_lists_of_failures_are_cut(tmp_path) -> None:
    failures = tuple(Failure(f"file {k}", "damaged") for k in range(1000))
    text = "".join(Page(render(Report("t", "s", failures=failures))).text)
    assert "1,000 of the files" in text
    assert "The first 200" in text
    assert "file 199" in text
    assert "file 200" not in text


def test_a_report_that_cannot_be_written_is_refused(tmp_path) -> None:
    with pytest.raises(OutputError):
        write(Report("t", "s"), tmp_path / "missing" / "r.html")
    assert list(tmp_path.iterdir()) == []
