"""Whole slides are no TIFFs of pages: their pages show the label. Answers for `privis.io.images.slides.slide_pages`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from privis.errors import ImageError
from privis.io.images.decode import load
from privis.io.images.pages import pages
from privis.io.images.slides.slide_pages import is_slide_page
from privis.io.images.tiff_pages import Pages

tifffile = pytest.importorskip("tifffile")


@pytest.fixture
def scanned(tmp_path: Path) -> str:
    path = tmp_path / "scanned.tif"
    with tifffile.TiffWriter(path) as file:
        for level in (64, 32, 16):
            picture = np.full((level, level, 3), level, np.uint8)
            file.write(picture, photometric="rgb", description="Aperio Image Library v11.2.1", metadata=None)
    return str(path)


def test_pages_of_a_slide_are_not_listed_read_or_copied(scanned: str) -> None:
    assert Pages(None).of(scanned) == [scanned]
    assert load(scanned).shape == (64, 64, 3)
    with pytest.raises(ImageError, match="label"):
        load(f"{scanned}#page=3")
    with pytest.raises(ImageError, match="label"):
        list(pages(scanned))


@pytest.mark.parametrize(
    "tags",
    [
        {270: ("Aperio Leica Biosystems",)}, {65420: 1}, {305: "Philips DP v1.0"},
        {270: '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'}, {700: b'<iScan ScanRes="0.25"'},
    ],
)  # fmt: skip
def test_scanners_are_known_by_their_tags(tags: dict[int, object]) -> None:
    assert is_slide_page(tags)


def test_other_tiffs_are_none() -> None:
    assert not is_slide_page({270: "a letter", 305: "ImageMagick", 700: b"<x/>"}) and not is_slide_page({})
