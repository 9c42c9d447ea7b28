"""Conversions at the image owner, shared by the features' ``before``."""

from __future__ import annotations

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.feature import Array, Image

Size = tuple[int, int]

LARGEST = 2**31 - 1
LONGEST_SIDE = 2**15 - 1  # pixels, which OpenCV resizes to


def grey(image: Image) -> Image:
    """Return luma ``(H, W)`` of an RGB or grey image: ITU-R BT.601 weights, rounded as OpenCV rounds."""
    import cv2

    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)


def colour(image: Image) -> Image:
    """Return RGB ``(H, W, 3)``; a grey image has three equal channels."""
    return np.repeat(image[:, :, None], 3, 2) if image.ndim == 2 else image


def planar(image: Array) -> Array:
    """Return ``(C, H, W)``, contiguous, of an interleaved ``(H, W, C)`` image."""
    import cv2

    return np.stack(cv2.split(image)) if image.dtype == np.uint8 else np.ascontiguousarray(image.transpose(2, 0, 1))


def resize(image: Image, size: Size | None) -> Image:
    """Resize to ``size`` (height, width) in pixels: area averaging down, bilinear up; None leaves it as it is."""
    import cv2

    if size is None or image.shape[:2] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)


def integer_problem(where: str, value: object, low: int, high: int | None = None) -> list[Problem]:
    """A problem unless ``value`` is an integer within ``[low, high]``; without ``high`` below 2**31.

    Of numpy's integers int64 alone: products of narrower ones overflow at once, and unsigned ones below 0.
    """
    bounds = f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    if isinstance(value, np.integer) and value.dtype != np.int64:
        return [Problem(where, f"numpy's {type(value).__name__} {value}", bounds, f"pass int({value})")]
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < low:
        return [Problem(where, repr(value), bounds)]
    number = int(value)
    if number > (LARGEST if high is None else high):
        got = repr(value) if number < 2**64 else f"an integer of {number.bit_length()} bits"
        return [Problem(where, got, bounds if high else f"an integer from {low} to {LARGEST}")]
    return []


def size_problem(where: str, size: object, least: int = 1) -> list[Problem]:
    """A problem unless ``size`` is None or a (height, width) of integers of at least ``least`` pixels."""
    if size is None:
        return []
    if isinstance(size, tuple) and len(size) == 2:
        return [p for length in size for p in integer_problem(where, length, least, LONGEST_SIDE)]
    return [Problem(where, repr(size), "(height, width) in pixels or None")]


def refuse_parameters(problems: list[Problem]) -> None:
    """Raise ParameterError with all ``problems``."""
    if problems:
        raise ParameterError(*problems)
