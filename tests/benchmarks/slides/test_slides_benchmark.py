"""A pyramid made here, read beside tifffile. Answers for `benchmarks.slides.checks`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.slides.checks import measured


def test_tiles_of_a_pyramid_equal_another_reading(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    pytest.importorskip("openslide")
    pixels = np.full((320, 256, 3), (243, 242, 244), np.uint8)
    pixels[:128, :128] = (180, 70, 150)
    with tifffile.TiffWriter(tmp_path / "made.tif") as file:
        for level in range(2):
            options = {"tile": (64, 64), "photometric": "rgb", "compression": "jpeg", "subfiletype": level}
            file.write(pixels[:: 2**level, :: 2**level], metadata=None, **options)
    seen = measured(tmp_path / "made.tif", 64, 0.5)
    assert (seen.tiles, seen.kept, seen.different) == (20, 4, 0)
    assert seen.tissue == pytest.approx(0.2, abs=0.01)
