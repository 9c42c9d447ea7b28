"""Which side of a picture is up: EXIF's eight orientations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 274
TURNED = (5, 6, 7, 8)
"""Orientations of which the stored rows are columns of the upright picture."""
_UPSIDE_DOWN = (3, 4, 7, 8)
_MIRRORED = (2, 3, 6, 7)


def orientation(image: Image.Image) -> int:
    """The orientation that a picture's EXIF block states; 1, upright, where there is none or it is damaged.

    Args:
        image: of Pillow; it need not be loaded.

    Returns:
        1 to 8 (Exif 2.32, tag 0x0112), or what else is stated there.
    """
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block must not cost a sound image
        return 1


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo one of the eight EXIF orientations.

    OpenCV moves the pixels: numpy, which walks through a turned picture of three channels byte by byte, takes three to
    ten times as long.

    Args:
        pixels: as stored, (H, W) or (H, W, 3).
        orientation: 1 to 8; any other number counts as upright.

    Returns:
        The upright picture, contiguous: (W, H) or (W, H, 3) where the orientation turns it.

    >>> upright(np.array([[1, 2], [3, 4]], np.uint8), 6).tolist()
    [[3, 1], [4, 2]]
    """
    down, mirrored = orientation in _UPSIDE_DOWN, orientation in _MIRRORED
    if not (down or mirrored or orientation in TURNED):
        return np.ascontiguousarray(pixels)
    import cv2

    if orientation in TURNED:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    if down or mirrored:
        pixels = np.asarray(cv2.flip(pixels, -1 if down and mirrored else int(mirrored)), np.uint8)
    return pixels
