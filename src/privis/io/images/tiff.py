"""TIFF layouts that Pillow does not know or misreads, decoded by tifffile (``pip install 'privis[tiff]'``).

TIFF 6.0 leaves depth, sign, byte order, planes and photometric interpretation free of each other; Pillow has a list
of combinations. Those outside it come here: separate planes of 16 bits, signed samples, 12 bits in colour, 16-bit
grey with an alpha channel, CMYK of 16 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.extras import EXTRAS
from privis.io.images.depth import top_bits

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK = 0, 1, 2, 3, 5
_SAMPLES = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4}
_UNSIGNED, _SIGNED = 1, 2
_ASSOCIATED, _UNASSOCIATED = 1, 2


def is_tiff(path: Path | str) -> bool:
    """Whether the file at ``path`` begins as a TIFF or a BigTIFF does."""
    with open(path, "rb") as file:
        return file.read(4) in _MAGIC


def shape(path: Path | str, number: int = 0) -> tuple[int, ...] | None:
    """Return the shape that `decode` gives for a page, read from the header, or None where it gives none."""
    try:
        import tifffile

        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[number]
            _check(page, str(path))
            size = page.imagelength, page.imagewidth
            return size if int(page.photometric) in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) else (*size, 3)
    except Exception:  # whatever a damaged header does to the decoder: this file gives no row and needs no guarantee
        return None


def decode(
    path: Path | str, max_pixels: int, depth: int | None = None, number: int = 0
) -> tuple[NDArray[np.uint8], int]:
    """Decode an image of a TIFF file.

    Args:
        path: The file.
        max_pixels: Bound on width x height, read before anything is decoded.
        depth: Bits of deeper samples that are used, where it is not those of their type.
        number: Of the page, from 0.

    Returns:
        (H, W) or (H, W, 3) bytes as they are stored, and the orientation (Exif 2.32, tag 0x0112) still to be undone.

    Raises:
        ImageError: a layout that has no meaning here (floats, Lab, raw sensors), too many pixels, or that the extra is
            absent, which costs this image and not the run.
    """
    try:
        import tifffile
    except ImportError:
        raise _missing(str(path), "a TIFF layout that Pillow does not read") from None
    where = str(path)
    with tifffile.TiffFile(path) as file:
        if number and number >= len(file.pages):
            raise ImageError(Problem(where, f"page {number + 1} of {len(file.pages)}", f"1 to {len(file.pages)}"))
        page: Any = file.pages[number]
        height, width = page.imagelength, page.imagewidth
        if not 0 < height * width <= max_pixels:
            raise ImageError(Problem(where, f"{width} x {height} pixels", f"1 to {max_pixels:,} pixels"))
        _check(page, where)
        try:
            stored = page.asarray()
        except Exception as error:  # tifffile has no type of its own for what needs imagecodecs
            if "imagecodecs" not in str(error):
                raise
            raise _missing(where, f"a TIFF of {page.bitspersample} bits, compression {page.compression.name}") from None
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            stored = np.moveaxis(stored, 0, -1)
        samples = stored.reshape(height, width, page.samplesperpixel)
        return _eight_bit(samples, page, depth), int(page.tags.valueof("Orientation", 1))


def _missing(where: str, got: str) -> ImageError:
    return ImageError(Problem(where, got, "tifffile and imagecodecs installed", EXTRAS["tiff"].remedy))


def _check(page: Any, where: str) -> None:
    photometric, format_ = int(page.photometric), int(page.sampleformat)
    got = f"a TIFF of {page.samplesperpixel} samples of {page.bitspersample} bits, {page.photometric.name}"
    expected = "integers, grey, RGB, CMYK or palette"
    remedy = "convert it to 8-bit grey or RGB, with a range that does not depend on the image"
    if photometric not in _SAMPLES or format_ not in (_UNSIGNED, _SIGNED) or page.imagedepth > 1:
        raise ImageError(Problem(where, f"{got}, sample format {format_}", expected, remedy))
    if page.samplesperpixel < _SAMPLES[photometric]:
        raise ImageError(Problem(where, got, f"at least {_SAMPLES[photometric]} samples", "export it again"))


def _eight_bit(samples: NDArray[Any], page: Any, depth: int | None) -> NDArray[np.uint8]:
    """Colour of each pixel in eight bits: the top ones of what the type can hold, over white."""
    photometric, bits = int(page.photometric), int(page.bitspersample)
    if photometric == _PALETTE:
        return (np.asarray(page.colormap)[:, samples[..., 0]] >> 8).astype(np.uint8).transpose(1, 2, 0)
    top = _top(samples, bits, int(page.sampleformat) == _SIGNED, depth)
    count = _SAMPLES[photometric]
    colour = top[..., :count]
    if photometric == _WHITE_IS_ZERO:
        colour = 255 - colour
    if photometric == _CMYK:
        from PIL import Image

        colour = np.asarray(Image.fromarray(np.ascontiguousarray(colour), "CMYK").convert("RGB"))
    extra = [int(kind) for kind in page.extrasamples][:1]
    if extra in ([_ASSOCIATED], [_UNASSOCIATED]):
        colour = _over_white(colour, top[..., count : count + 1], premultiplied=extra == [_ASSOCIATED])
    return colour[..., 0] if colour.shape[2] == 1 else colour


def _top(samples: NDArray[Any], bits: int, signed: bool, depth: int | None) -> NDArray[np.uint8]:
    lowest = -(1 << bits - 1) if signed else 0
    values = samples.astype(np.int64) - lowest
    if bits > 8:
        return top_bits(values, bits, lowest, depth)
    return (values * 255 // ((1 << bits) - 1)).astype(np.uint8)


def _over_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8], premultiplied: bool) -> NDArray[np.uint8]:
    """TIFF 6.0, section 18: associated alpha is already multiplied in."""
    white = 255 - alpha.astype(np.int64)
    weighted = colour if premultiplied else (colour.astype(np.int64) * alpha + 127) // 255
    return np.minimum(weighted + white, 255).astype(np.uint8)
