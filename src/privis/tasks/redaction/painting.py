"""Regions painted over with one colour; nothing of what was there stays in the pixels.

Blurring and pixelation are no protection and not offered: networks recognise people in blurred, pixelated and
partly encrypted pictures (McPherson, Shokri and Shmatikov, "Defeating image obfuscation with deep learning",
2016, arXiv:1609.00408), and text under a mosaic is read back by trying all texts (Hill, Zhou, Saul and Shacham, "On the
(in)effectiveness of mosaicing and blurring as tools for document redaction", 2016, doi:10.1515/popets-2016-0047). One
colour is a constant of the pixels beneath. What remains is where and how large a region was, and what is beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.tasks.redaction.regions import ImageRegion

Mask = npt.NDArray[np.bool_]
_FAR = 1 << 20
"""Corners beyond it are moved there: OpenCV counts pixels in 32 bits with fractions."""


def painted_mask(shape: Sequence[int], regions: Iterable[ImageRegion]) -> Mask:
    """Say which pixels lie in regions; of an upright one every pixel that it touches.

    Args:
        shape: (height, width, …) of the picture in pixels.
        regions: in pixels of it.

    Returns:
        Bool (height, width).

    >>> from privis.tasks.redaction.regions import RegionKind
    >>> painted_mask((4, 6), [ImageRegion.of_box(RegionKind.TEXT, 1, 1, 2, 1)]).sum()
    2
    """
    mask = np.zeros(tuple(shape[:2]), np.uint8)
    for region in regions:
        low = np.clip(np.floor(region.corners + 1e-6), -_FAR, _FAR)
        high = np.clip(np.ceil(region.corners - 1e-6) - 1, -_FAR, _FAR)
        middle = region.corners.mean(axis=0)
        corners = np.where(region.corners <= middle, low, high).astype(np.int32)
        cv2.fillPoly(mask, [corners.reshape(-1, 1, 2)], (1,))
    return mask.astype(np.bool_)


def paint(pixels: npt.NDArray[Any], mask: Mask, colour: tuple[int, int, int] = (0, 0, 0)) -> npt.NDArray[Any]:
    """Give a copy in which all pixels of a mask have one colour.

    Args:
        pixels: uint8 or uint16, (height, width) or (height, width, 3) RGB.
        mask: bool (height, width).
        colour: red, green and blue, 0 to 255 each; grey pictures get its luma, those of 16 bits 257 times as much.

    Returns:
        The copy, of the same type and shape.

    Raises:
        ParameterError: types, shapes or the colour do not fit.

    >>> paint(np.full((1, 2), 9, np.uint8), np.array([[True, False]])).tolist()
    [[0, 9]]
    """
    problems = []
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        got = f"{pixels.dtype} {pixels.shape}"
        problems.append(Problem("paint.pixels", got, "uint8 or uint16 (height, width) or (height, width, 3)"))
    if mask.dtype != np.bool_ or mask.shape != pixels.shape[:2]:
        problems.append(Problem("paint.mask", f"{mask.dtype} {mask.shape}", f"bool {pixels.shape[:2]}"))
    if len(colour) != 3 or not all(isinstance(value, int) and 0 <= value <= 255 for value in colour):
        problems.append(Problem("paint.colour", repr(colour), "three integers of 0 to 255"))
    if problems:
        raise ParameterError(*problems)
    luma = round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])
    value = np.array(colour if pixels.ndim == 3 else luma, np.uint32) * (257 if pixels.dtype == np.uint16 else 1)
    copy = pixels.copy()
    copy[mask] = value.astype(pixels.dtype)
    return copy


def eight_bit_view(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Give detectors pixels of 8 bits: deeper ones are stretched from the darkest to the brightest per mille.

    The stretch depends on the picture, so this is for finding at its owner, and never for a feature.

    Args:
        pixels: uint8 or uint16, (height, width) or (height, width, 3).

    Returns:
        Uint8 of the same shape.

    >>> eight_bit_view(np.array([[100, 300]], np.uint16)).tolist()
    [[0, 255]]
    """
    if pixels.dtype == np.uint8:
        return pixels
    low, high = (float(value) for value in np.percentile(pixels, (0.1, 99.9)))
    low, high = (low, high) if high > low else (float(pixels.min()), float(pixels.max()))
    stretched = (pixels.astype(np.float32) - low) * (255 / max(high - low, 1.0))
    return np.clip(stretched, 0, 255).round().astype(np.uint8)


def covered(region: ImageRegion, mask: Mask) -> float:
    """Say which share of a region is painted already.

    Args:
        region: in pixels of the picture.
        mask: bool (height, width) of what is painted.

    Returns:
        0 to 1; 1 where nothing of it lies in the picture.
    """
    own = painted_mask(mask.shape, [region])
    count = int(own.sum())
    return float((own & mask).sum()) / count if count else 1.0
