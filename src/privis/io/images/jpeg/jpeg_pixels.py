"""Pixels of a JPEG by the shortest way, and at 1/2, 1/4 or 1/8 of its size.

``simplejpeg`` (libjpeg-turbo) writes pixels where numpy reads them; Pillow, whose copy of the library gives the same
ones, keeps four bytes a pixel and copies twice. It is asked only for what it reads without a single warning: its way of
mending a damaged file is its own, so every file that is not perfect goes to Pillow, which decides as it always did.

At a fraction of the size the inverse DCT itself is smaller (libjpeg's scaled decoding: 4x4, 2x2 or 1x1 values of each
block of 8x8): the rest is neither computed nor stored. The picture is another one than the whole picture resized.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.io.images.jpeg.orientation import TURNED, orientation

if TYPE_CHECKING:
    from PIL import ImageFile

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

FRACTIONS = (8, 4, 2)
"""Parts of its sides at which a JPEG can be decoded, the smallest picture first."""

_CODING = {"L": "GRAY", "RGB": "RGB"}
_SMALLEST = 16  # pixels of a side: below, fractions of different names are of one size


def is_jpeg(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow opened a JPEG, or the first picture of several JPEGs in one file (MPO)."""
    return image.format in ("JPEG", "MPO") and len(image.tile) == 1 and image.tile[0][0] == "jpeg"


def fraction(stored: Size, at_least: Size | None, orientation: int = 1) -> int:
    """The part of its sides at which a JPEG is decoded: 8, 4, 2, or 1 for the whole picture.

    Args:
        stored: (height, width) in pixels, as the file has them.
        at_least: (height, width) in pixels that the upright picture still has; None: the whole one is wanted.
        orientation: by EXIF, 1 to 8.

    Returns:
        The largest part that leaves both sides at least as long as ``at_least``.

    >>> fraction((3000, 4000), (256, 256)), fraction((2000, 4000), (256, 256)), fraction((3000, 4000), None)
    (8, 4, 1)
    >>> fraction((3000, 4000), (750, 400), orientation=6)
    4
    """
    if at_least is None:
        return 1
    wanted = at_least[::-1] if orientation in TURNED else at_least
    most = min(side // least for side, least in zip(stored, wanted, strict=True))
    return next((part for part in FRACTIONS if part <= most), 1)


def jpeg_pixels(image: ImageFile.ImageFile, at_least: Size | None) -> Pixels | None:
    """Pixels of a JPEG that is open and not loaded.

    Args:
        image: of Pillow, opened here, as nobody else may have moved in its file or changed what it holds.
        at_least: (height, width) in pixels that the upright picture still has after scaled decoding; None: whole.

    Returns:
        Uint8 (H, W) or (H, W, 3), as stored, not upright; None where Pillow is to decode: ``image`` then is set to the
        fraction, and still not loaded.
    """
    width, height = image.size
    part = fraction((height, width), at_least, orientation(image) if at_least else 1)
    shape = -(-height // part), -(-width // part)
    pixels = _by_turbo(image, shape) if min(width, height) >= _SMALLEST else None
    if pixels is None and part > 1:
        image.draft(None, (width // part, height // part))  # Pillow rounds down what it compares
    return pixels


def _by_turbo(image: ImageFile.ImageFile, shape: Size) -> Pixels | None:
    if image.mode not in _CODING or image.fp is None:
        return None
    try:
        import simplejpeg
    except ImportError:  # a machine without a wheel for it
        return None
    image.fp.seek(0)
    try:
        found = simplejpeg.decode_jpeg(image.fp.read(), _CODING[image.mode], min_height=shape[0], min_width=shape[1])
    except (ValueError, RuntimeError):  # a warning or worse: Pillow decides
        return None
    pixels = np.asarray(found[:, :, 0] if image.mode == "L" else found, np.uint8)
    return pixels if pixels.shape[:2] == shape else None
