"""`privis.features.resizing.area_average` gives the pixels of OpenCV's area averages, which it stands in for."""

from __future__ import annotations

import platform

import cv2
import numpy as np
import pytest

from privis.features import image_ops
from privis.features.resizing.area_average import area_average

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="OpenCV rounds sums of products otherwise on this processor"
)


def _picture(generator: np.random.Generator, number: int) -> np.ndarray:
    """Noise, black and white (means at exactly a half), or a ramp, of one to four channels."""
    height, width = generator.integers(20, 500, 2)
    shape = (height, width, *[(), (3,), (4,), (1,)][number % 4])
    if number % 3 == 0:
        return generator.integers(0, 256, shape, np.uint8)
    if number % 3 == 1:
        return (255 * generator.integers(0, 2, shape)).astype(np.uint8)
    return np.broadcast_to(np.linspace(0, 255, width).reshape(1, width, *[1] * (len(shape) - 2)), shape).astype(
        np.uint8
    )


def test_pixels_are_those_of_opencv():
    generator = np.random.default_rng(20)
    for number in range(300):
        image = _picture(generator, number)
        size = tuple(int(generator.integers(1, side + 1)) for side in image.shape[:2])
        expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, *image.shape[2:])
        assert np.array_equal(area_average(image, size), expected), (image.shape, size)


@pytest.mark.parametrize("size", [(256, 256), (96, 1000), (1499, 1777)])
def test_a_large_picture_is_resized_by_it_to_the_same_pixels(size, monkeypatch):
    image = np.random.default_rng(21).integers(0, 256, (1500, 1999, 3), np.uint8)
    used = []
    monkeypatch.setattr(
        "privis.features.resizing.area_average.area_average",
        lambda *given: used.append(given[1]) or area_average(*given),
    )
    assert np.array_equal(image_ops.resize(image, size), cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA))
    assert used == [size]


@pytest.mark.parametrize("size", [(750, 1000), (2000, 100), (400, 2100), (3000, 4000)])
def test_whole_parts_and_longer_sides_stay_with_opencv(size, monkeypatch):
    monkeypatch.setattr(image_ops, "_SEPARATE_ROUNDINGS", ("x86_64", "AMD64"))
    image = np.random.default_rng(22).integers(0, 256, (1500, 2000), np.uint8)
    shrinks = size[0] * size[1] < image.size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    assert not image_ops._averages_soon(image, size)
    assert np.array_equal(image_ops.resize(image, size), cv2.resize(image, size[::-1], interpolation=how))
