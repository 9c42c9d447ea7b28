"""`text_lines`: rows of text of any tone, size and turn; none where there is none."""

import cv2
import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.redaction import TextFinder, painted_mask


def written(size: float, light: bool, text: str = "NAME 12.04.1980") -> tuple[np.ndarray, np.ndarray]:
    strokes = np.zeros((240, 480), np.uint8)
    cv2.putText(strokes, text, (20, 140), cv2.FONT_HERSHEY_SIMPLEX, size, 255, 1 + round(size), cv2.LINE_AA)
    noise = np.random.default_rng(0).normal(0, 3, strokes.shape)
    ink, paper = (200.0, 50.0) if light else (40.0, 180.0)
    share = strokes / 255
    return np.clip(paper * (1 - share) + ink * share + noise, 0, 255).astype(np.uint8), strokes > 127


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("size", [0.4, 0.8, 1.5])
def test_text_dark_and_light_small_and_large(size, light):
    grey, strokes = written(size, light, "NAME 12.04.1980" if size < 1 else "ANN 1.4.80")
    mask = painted_mask(grey.shape, TextFinder().find(grey))
    assert mask[strokes].mean() > 0.99
    assert mask.mean() < 0.45


def test_text_on_its_side_and_a_little_tilted():
    grey, strokes = written(0.8, False)
    assert painted_mask(grey.T.shape, TextFinder().find(np.ascontiguousarray(grey.T)))[strokes.T].mean() > 0.99
    turn = cv2.getRotationMatrix2D((240, 120), 8, 1)
    tilted = cv2.warpAffine(grey, turn, (480, 240), borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(strokes.astype(np.uint8), turn, (480, 240)) > 0
    assert painted_mask(grey.shape, TextFinder().find(tilted))[there].mean() > 0.97


def test_no_text_where_there_is_none():
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (200, 1))
    noise = cv2.GaussianBlur(rng.integers(0, 256, (200, 300)).astype(np.uint8), (0, 0), 8)
    assert TextFinder().find(ramp) == () and TextFinder().find(noise) == ()
    assert (
        TextFinder().find(np.zeros((1, 1), np.uint8)) == () and TextFinder().find(np.zeros((3, 4000), np.uint8)) == ()
    )


def test_what_is_no_grey_picture_is_refused():
    for wrong in (np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8), [[1]]):
        with pytest.raises(ParameterError, match=r"TextFinder\.find"):
            TextFinder().find(wrong)
    with pytest.raises(ParameterError, match=r"contrast(.|\n)*least"):
        TextFinder(contrast=0, least=-1)
