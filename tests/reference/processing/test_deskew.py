"""Upright writing: what the shear takes away, what it leaves, and how it wraps a feature."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import privis
from privis import Deskewed
from privis.errors import ParameterError
from privis.features.image_ops import resize


def slanted(slant: float, size: int = 40) -> np.ndarray:
    """A blurred upright stroke with a short bar, sheared by ``slant`` columns per row."""
    image = np.zeros((size, size), np.uint8)
    image[8:32, 18:22] = 255
    image[18:21, 22:26] = 255
    shear = np.array([[1.0, -slant, slant * (size - 1) / 2], [0.0, 1.0, 0.0]])
    return cv2.warpAffine(cv2.GaussianBlur(image, (3, 3), 0), shear, (size, size))


def covariance(image: np.ndarray) -> float:
    """Of column and row, in square pixels, by numpy alone."""
    ink = image / image.sum(dtype=float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((ink * (rows - (ink * rows).sum()) * (columns - (ink * columns).sum())).sum())


@pytest.mark.parametrize("slant", [-0.6, -0.2, 0.0, 0.3, 0.7])
def test_no_slant_is_left_and_the_ink_is_in_the_middle(slant: float) -> None:
    upright = Deskewed(privis.HOG()).prepare(slanted(slant))
    rows, columns = np.mgrid[:40, :40]
    assert abs(covariance(upright)) < 0.3
    assert abs((upright * rows).sum() / upright.sum(dtype=float) - 19.5) < 0.1
    assert abs((upright * columns).sum() / upright.sum(dtype=float) - 19.5) < 0.1


def test_all_slants_of_one_character_become_the_same_image() -> None:
    straight = Deskewed(privis.HOG()).prepare(slanted(0.0)).astype(int)
    raw = max(np.abs(slanted(s).astype(int) - slanted(0.0)).mean() for s in (-0.5, 0.5))
    made = max(np.abs(Deskewed(privis.HOG()).prepare(slanted(s)) - straight).mean() for s in (-0.5, 0.5))
    assert made < raw / 5


def test_dark_ink_is_the_same_the_other_way_round() -> None:
    light = Deskewed(privis.HOG()).prepare(slanted(0.4))
    dark = Deskewed(privis.HOG(), dark_ink=True).prepare(255 - slanted(0.4))
    assert np.array_equal(255 - dark, light)


def test_empty_and_flat_images_come_through() -> None:
    for image in (np.zeros((16, 16), np.uint8), np.full((16, 16), 255, np.uint8), np.eye(1, 16, 3, dtype=np.uint8)):
        assert Deskewed(privis.HOG()).prepare(image).shape == image.shape
    line = np.zeros((28, 28), np.uint8)
    line[10] = 200  # a horizontal stroke has no slant to take away
    assert int(Deskewed(privis.HOG()).prepare(line).max()) >= 99


def test_it_wraps_a_feature_of_colour_images_of_any_size() -> None:
    feature = Deskewed(privis.HOG(size=(32, 32)))
    image = np.dstack([slanted(0.5)] * 3)
    vector = privis.extract(feature, [image]).features[0]
    assert vector.shape == privis.extract(feature.feature, [image]).features[0].shape
    assert feature.name == "hog"
    assert np.array_equal(
        vector, privis.extract(feature.feature, [feature.prepare(resize(image, (32, 32)))]).features[0]
    )


def test_what_is_no_feature_is_refused_with_all_problems() -> None:
    with pytest.raises(ParameterError, match=r"(?s)Deskewed\.feature.*Deskewed\.dark_ink"):
        Deskewed(privis.HOG, dark_ink=1)  # type: ignore[arg-type]
