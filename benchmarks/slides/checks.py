"""Tiles of a whole slide beside an independent reading, tiles per second, and how much of them is tissue.

``python -m benchmarks.slides [DATA]``. Tiles are read by OpenSlide; the other reading is that of tifffile, which finds
levels and tiles by code of its own, and of imagecodecs, which brings a libjpeg-turbo of its own. Bar: equal in every
pixel.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.io.images.decode import load
from privis.io.images.file_parts import file_part
from privis.io.images.slides.opened_slide import opened_slide
from privis.io.images.slides.tiles import overview_of, tiles_of
from privis.io.images.slides.tiling import Tiling
from privis.io.images.slides.tissue import tissue_mask

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SLIDE = Path("medical") / "whole_slide" / "CMU-1-Small-Region.svs"


@dataclass(frozen=True)
class Measured:
    """What was seen of a slide.

    Args:
        tiles: of the whole grid.
        kept: of them with enough tissue.
        different: pixels of the grid's tiles that the other reading has otherwise.
        tissue: share of the slide that is tissue.
        listing: processor seconds for the tissue mask and the list of tiles.
        reading: processor seconds for all tiles of the grid.
    """

    tiles: int
    kept: int
    different: int
    tissue: float
    listing: float
    reading: float


def level_pixels(path: Path) -> NDArray[np.uint8]:
    """Level 0 as tifffile and imagecodecs decode it."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        return np.asarray(page.asarray())


def measured(path: Path, size: int, tissue: float) -> Measured:
    """Read all tiles of a slide at level 0 and compare each with the other reading.

    Args:
        path: of the slide.
        size: of tiles.
        tissue: least share.
    """
    expected = level_pixels(path)
    start = time.process_time()
    kept = tiles_of(str(path), Tiling(size, tissue=tissue))
    listing = time.process_time() - start
    names = tiles_of(str(path), Tiling(size))
    start = time.process_time()
    found = [load(name) for name in names]
    reading = time.process_time() - start
    different = 0
    for name, pixels in zip(names, found, strict=True):
        x, y = file_part(name).numbers[:2]
        different += int((pixels != expected[y : y + size, x : x + size]).any(axis=2).sum())
    mask = tissue_mask(overview_of(opened_slide(path), size / 16)[0])
    return Measured(len(names), len(kept), different, float(mask.mean()), listing, reading)


def main() -> None:
    path = (Path(sys.argv[1]) if len(sys.argv) > 1 else DATA) / SLIDE
    for size in (256, 512):
        start = time.perf_counter()
        seen = measured(path, size, 0.5)
        wall = time.perf_counter() - start
        print(
            f"{path.name}, tiles of {size}: {seen.different} pixels of {seen.tiles} tiles differ (bar: 0); "
            f"{seen.tissue:.1%} of the slide is tissue, {seen.kept} tiles have at least half; "
            f"mask and list {seen.listing:.2f} s, {seen.tiles / seen.reading:,.0f} tiles per processor second "
            f"({wall:.1f} s wall with the comparison)"
        )
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")
