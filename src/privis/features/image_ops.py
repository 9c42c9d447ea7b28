"""Conversions at the image owner, shared by the features' ``before``."""

from __future__ import annotations

import platform

import numpy as np

from privis.features.feature import Array, Feature, Image
from privis.program.shapes import Shape

Size = tuple[int, int]

_LARGE = 1 << 20  # pixels
_SEPARATE_ROUNDINGS = ("x86_64", "AMD64")
"""Processors for which OpenCV is built without fused multiplication and addition, which round once instead of twice."""


def grey(image: Image) -> Image:
    """Return luma ``(H, W)`` of an RGB or grey image: ITU-R BT.601 weights, rounded as OpenCV rounds.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB.

    Returns:
        Luma, uint8 (H, W).
    """
    import cv2

    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)


def colour(image: Image) -> Image:
    """Return RGB ``(H, W, 3)``; a grey image has three equal channels."""
    return np.repeat(image[:, :, None], 3, 2) if image.ndim == 2 else image


def planar(image: Array, backwards: bool = False) -> Array:
    """Return ``(C, H, W)``, contiguous, of an interleaved ``(H, W, C)`` image; ``backwards``: the last plane first."""
    import cv2

    if image.dtype != np.uint8:
        return np.ascontiguousarray(image.transpose(2, 0, 1)[:: -1 if backwards else 1])
    interleaved, count = np.ascontiguousarray(image), image.shape[2]
    planes = np.empty((count, *image.shape[:2]), np.uint8)
    for plane, channel in enumerate(reversed(range(count)) if backwards else range(count)):
        cv2.extractChannel(interleaved, channel, planes[plane])  # into it: a stack of split planes is copied twice
    return planes


def resize(image: Image, size: Size | None) -> Image:
    """Resize an image: area averaging down, bilinear up.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        size: (height, width) in pixels; None leaves it as it is.

    Returns:
        Uint8 (height, width) or (height, width, 3).
    """
    import cv2

    if size is None or image.shape[:2] == size:
        return image
    if _averages_soon(image, size):
        from privis.features.resizing.area_average import area_average

        return area_average(image, size)
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)


def _averages_soon(image: Image, size: Size) -> bool:
    """Whether our own kernel gives OpenCV's pixels, and is worth loading the compiler."""
    large = image.shape[0] * image.shape[1] >= _LARGE
    shorter = all(new <= old for new, old in zip(size, image.shape[:2], strict=True))
    whole = all(old % new == 0 for new, old in zip(size, image.shape[:2], strict=True))
    return large and shorter and not whole and platform.machine() in _SEPARATE_ROUNDINGS


def luma(image: Image, size: Size | None) -> Image:
    """Return luma ``(H, W)`` of an RGB or grey image at ``size``; an image that is so already comes back as it is."""
    return grey(resize(image, size))


def owner_image(feature: Feature, image: Image) -> Image:
    """What a feature reads of an image: at the feature's size, luma alone where that is all it reads.

    The one place that decides it. An extractor calls it once per image; ``before`` of a feature and of what wraps one
    then finds pixels that are ready, and resizes or converts only what it is given by others.

    >>> from privis.features.hog import HOG
    >>> owner_image(HOG(size=(8, 16)), np.zeros((40, 50, 3), np.uint8)).shape
    (8, 16)
    """
    return luma(image, feature.size) if feature.luma_only else resize(image, feature.size)


def owner_image_shape(feature: Feature, shape: Shape) -> Shape:
    """The shape that `owner_image` gives an image of ``shape``, (H, W) or (H, W, 3)."""
    size = feature.size or shape[:2]
    return (*size,) if feature.luma_only or len(shape) == 2 else (*size, 3)


def resized_shape(image_shape: Shape, size: Size | None) -> Shape:
    """The shape that `resize` gives an image of ``image_shape``."""
    return image_shape if size is None else (*map(int, size), *image_shape[2:])


def luma_shape(image_shape: Shape, size: Size | None) -> Shape:
    """The shape ``(H, W)`` of the luma of an image of ``image_shape`` at ``size``."""
    return resized_shape(image_shape, size)[:2]
