"""What a header says is the shape that decoding gives, up to the orientation: the guarantee of a table hangs on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from privis.io.images import image_headers
from privis.io.images.decode import load

GREY = np.random.default_rng(0).integers(0, 256, (7, 11), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (7, 11, 3), np.uint8)
ALPHA = np.dstack([COLOUR, GREY])


def palette(grey: bool = False) -> Image.Image:
    image = Image.fromarray(GREY).convert("P")
    image.putpalette([v for n in range(256) for v in ((n, n, n) if grey else (n, 255 - n, n // 2))])
    return image


PICTURES = {
    "1": Image.fromarray(GREY).convert("1"),
    "L": Image.fromarray(GREY),
    "LA": Image.fromarray(ALPHA, "RGBA").convert("LA"),
    "I;16": Image.fromarray(GREY.astype(np.uint16) * 257),
    "I": Image.fromarray(GREY.astype(np.int32) * 257),
    "P": palette(),
    "P grey": palette(grey=True),
    "PA": palette().convert("PA"),
    "RGB": Image.fromarray(COLOUR),
    "RGBA": Image.fromarray(ALPHA, "RGBA"),
    "CMYK": Image.fromarray(COLOUR).convert("CMYK"),
    "YCbCr": Image.fromarray(COLOUR).convert("YCbCr"),
    "LAB": Image.fromarray(COLOUR).convert("LAB"),
    "F": Image.fromarray(GREY.astype(np.float32)),
}
SUFFIXES = [s for s in "png gif bmp tif ppm jpg jp2 webp avif".split() if s != "avif" or features.check("avif")]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("orientation", [1, 6])
def test_headers_say_what_decoding_gives(tmp_path: Path, suffix: str, transparent: bool, orientation: int) -> None:
    stored = 0
    for name, picture in PICTURES.items():
        path = tmp_path / f"{name}.{suffix}"
        exif = Image.Exif()
        exif[274] = orientation
        options = {"transparency": 3} if transparent and picture.mode in ("P", "L", "1") else {}
        try:
            picture.save(path, exif=exif, **options)
            shape = load(path).shape
        except Exception:  # no such mode in this format, or refused: no row, no guarantee
            continue
        told = image_headers.shape(str(path))
        assert told is not None and (sorted(told[:2]), told[2:]) == (sorted(shape[:2]), shape[2:]), (name, told, shape)
        stored += 1
    assert stored


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_of_several_frames_the_first_counts(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frames.{suffix}"
    frames = [Image.fromarray(COLOUR), palette(grey=True)] if suffix != "gif" else [palette(grey=True), palette()]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert image_headers.shape(str(path)) == load(path).shape


def test_what_has_no_header_has_no_shape(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert image_headers.shape(str(tmp_path / "a.png")) is image_headers.shape(str(tmp_path / "none.png")) is None
