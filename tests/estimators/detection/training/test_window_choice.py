"""The choice of a window: shapes of things, sizes, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.detection.training.window_choice import WindowChoice, choose_window
from privis.tasks.detection import DetectedBoxes


def boxes(width: float, height: float) -> list[np.ndarray]:
    return [np.array([[5.0, 5.0, width, height]] * 4)]


@pytest.mark.parametrize(("width", "height"), [(100, 250), (40, 40), (300, 60), (12, 12), (20, 400), (900, 30)])
def test_the_thing_lies_in_the_middle_in_its_shape(width: float, height: float) -> None:
    choice = choose_window(boxes(width, height))
    model = choice.model("thing")
    whole = DetectedBoxes([[0, 0, model.window[1], model.window[0]]], [1.0], "thing")
    x, y, w, h = model.margins.inside(whole).boxes[0]
    assert (w, h) == pytest.approx(choice.thing[::-1]) and (x * 2 + w, y * 2 + h) == pytest.approx(model.window[::-1])
    assert abs(np.log(w / h) - np.log(width / height)) < 0.35
    assert choice.heights[0] < height < choice.heights[1]


def test_small_things_get_a_small_window_and_enlarged_pictures() -> None:
    choice = choose_window(boxes(14, 14))
    assert choice.thing[0] <= 2 * choice.heights[0] + 1 and choice.model("thing").pyramid.largest > 1.5


def test_a_window_may_be_given() -> None:
    choice = choose_window(boxes(50, 100), (160, 96))
    assert choice.window == (160, 96) and choice.thing == pytest.approx((128.0, 64.0))


@pytest.mark.parametrize("window", [(100, 64), (8, 8), (1024, 64)])
def test_windows_that_do_not_fit_are_refused(window: tuple[int, int]) -> None:
    with pytest.raises(ParameterError):
        choose_window(boxes(50, 100), window)


def test_no_boxes_are_refused() -> None:
    with pytest.raises(ParameterError):
        choose_window([np.zeros((0, 4))])
    with pytest.raises(ParameterError):
        WindowChoice((64, 64), (80.0, 20.0), (1.0, 2.0))
