"""Tiles and pages on the command line. Answers for `privis.cli.extraction.picture_parts`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.cli import main
from privis.cli.extraction.picture_parts import PartWords
from privis.errors import ParameterError


def ran(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["privis", *map(str, words)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def rows(path: Path) -> dict[str, list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return {row[0]: row[1:] for row in list(csv.reader(file))[1:]}


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("openslide")
    pixels = np.full((128, 192, 3), (243, 242, 244), np.uint8)
    pixels[:, :64] = (180, 70, 150)
    with tifffile.TiffWriter(tmp_path / "slide.tif") as file:
        file.write(pixels, tile=(64, 64), photometric="rgb", metadata=None)
    return tmp_path / "slide.tif"


def test_a_row_for_each_tile_and_bad_slides_cost_their_row(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.svs").write_bytes(b"II*\0 nothing")
    words = ["-f", "colour", "-p", "size=none", "--tiles", 64, "--tissue", 0.5, "--workers", 1]
    assert ran(monkeypatch, "extract", slide, tmp_path / "bad.svs", *words, "-o", tmp_path / "t.csv") == 1
    assert list(rows(tmp_path / "t.csv")) == [f"{slide}#tile=0,{y},0,64" for y in (0, 64)]
    said = capsys.readouterr().err
    assert "2 tiles of 1 slide;" in said and "bad.svs#tiles=64,tissue=0.5" in said and "no whole slide" in said
    again = ["extract", f"{slide}#tile=0,64,0,64", "-f", "colour", "-p", "size=none", "-o", tmp_path / "one.csv"]
    assert ran(monkeypatch, *again) == 0
    name = f"{slide}#tile=0,64,0,64"
    assert rows(tmp_path / "one.csv")[name] == rows(tmp_path / "t.csv")[name]


def test_a_row_for_each_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Image.new("RGB", (9 + number, 8), (60 * number, 9, 9)) for number in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    words = ["extract", tmp_path / "pages.tif", "-f", "colour", "--workers", 1, "-o"]
    assert ran(monkeypatch, *words, tmp_path / "all.csv", "--pages", "all") == 0
    assert list(rows(tmp_path / "all.csv")) == [f"{tmp_path / 'pages.tif'}#page={number}" for number in (1, 2, 3)]
    assert ran(monkeypatch, *words, tmp_path / "two.csv", "--pages", 2) == 0
    assert rows(tmp_path / "two.csv").items() <= rows(tmp_path / "all.csv").items()
    assert ran(monkeypatch, *words, tmp_path / "four.csv", "--pages", 4) != 0


def test_tiles_of_a_slide_are_one_subject_of_an_index(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "tiles.index"
    build = ["search", "build", slide, "--recipe", "colour", "--tiles", 64, "-o", index, "--workers", 1, "--json"]
    assert ran(monkeypatch, *build) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 6
    assert ran(monkeypatch, *build) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 6
    assert ran(monkeypatch, "search", "erase", "--index", index, "--subject", slide, "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 6


@pytest.mark.parametrize(
    "words",
    [
        lambda: PartWords(overlap=3), lambda: PartWords(tissue=0.5), lambda: PartWords(mpp=0.5),
        lambda: PartWords(downsample=2.0), lambda: PartWords(64, pages="all"), lambda: PartWords(64, overlap=64),
        lambda: PartWords(pages="some"),
    ],
)  # fmt: skip
def test_words_that_say_nothing_or_contradict_themselves(words: object) -> None:
    with pytest.raises(ParameterError):
        words()  # type: ignore[operator]


def test_noise_covers_no_choice_of_tiles(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = ["--release", "laplace", "--at", "feature", "--epsilon", 9, "--yes"]
    words = ["extract", slide, "-f", "colour", "--tiles", 64, "-o", tmp_path / "t.csv", *noise]
    for choice, got in (("--tissue", "chosen by what they show"), ("--overlap", "share pixels")):
        assert ran(monkeypatch, *words, choice, {"--tissue": 0.5, "--overlap": 8}[choice]) == 2
        assert got in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "t.csv").exists()
    PartWords(64).check(True)
    assert "hides a tile, not its whole file" in " ".join(capsys.readouterr().err.split())
    PartWords(64, tissue=0.5).check(False)


def test_tiles_have_no_subjects_of_headers() -> None:
    with pytest.raises(ParameterError, match="--subject-column"):
        PartWords(64).check(False, True)
    PartWords(pages="all").check(False, True)
