"""Tissue on overviews. Answers for `privis.io.images.slides.tissue`."""

from __future__ import annotations

import numpy as np
import pytest

from privis.io.images.slides.tissue import LEAST_SATURATION, tissue_mask, tissue_shares


def test_otsu_separates_stain_from_tinted_glass() -> None:
    random = np.random.default_rng(1)
    picture = np.clip(random.normal((236, 232, 222), 3, (60, 60, 3)), 0, 255).astype(np.uint8)
    picture[20:40, 10:50] = np.clip(random.normal((190, 90, 150), 12, (20, 40, 3)), 0, 255).astype(np.uint8)
    mask = tissue_mask(picture)
    assert mask[20:40, 10:50].mean() > 0.99
    mask[20:40, 10:50] = False
    assert mask.mean() < 0.01


@pytest.mark.parametrize("colour", [(255, 255, 255), (240, 238, 236), (0, 0, 0), (9, 2, 1), (128, 128, 128)])
def test_glass_black_and_grey_are_no_tissue(colour: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 3, (32, 32, 3), np.uint8)
    assert not tissue_mask(np.clip(np.array(colour, np.int64) + noise, 0, 255).astype(np.uint8)).any()


def test_the_least_saturation_counts() -> None:
    pixels = np.full((2, 2, 3), 255, np.uint8)
    pixels[0, 0, 1:] = 255 - LEAST_SATURATION
    pixels[0, 1, 1:] = 256 - LEAST_SATURATION
    assert tissue_mask(pixels).tolist() in ([[True, False], [False, False]], [[False, False], [False, False]])
    pixels[1, 1, 1:] = 100
    assert tissue_mask(pixels)[1, 1]


def test_shares_are_those_of_pixel_centres() -> None:
    mask = np.zeros((10, 10), bool)
    mask[2:7, 3:8] = True
    boxes = np.array([[0.0, 0, 10, 10], [3, 2, 8, 7], [2.6, 1.6, 8.4, 7.4], [4.1, 4.1, 4.3, 4.3], [0, 0, 0.1, 0.1]])
    assert tissue_shares(mask, boxes) == pytest.approx([0.25, 1, 1, 1, 0])
    assert tissue_shares(mask, np.array([[8.0, 8, 12, 12]])) == pytest.approx([0])
