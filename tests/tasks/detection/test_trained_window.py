"""A trained window: what its program gives, what is decoded of it, and which levels are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.run.clear import Clear
from privis.tasks.detection import (
    BoxRegression,
    DetectionProbability,
    Pyramid,
    TrainedWindowModel,
    WindowMargins,
    WindowModel,
)

RNG = np.random.default_rng(11)
WINDOWS = WindowModel(RNG.normal(size=3 * 3 * 36), 0.5, "thing", (32, 32), Pyramid(1.5), WindowMargins(*[0.25] * 4))
PICTURE = RNG.integers(0, 256, (80, 96)).astype(np.uint8)


def model(least: float = 0.0, heights: tuple[float, float] = (10.0, 40.0), moves: float = 0.0) -> TrainedWindowModel:
    regression = BoxRegression(moves * RNG.normal(size=(4, 324)), np.array([0.0, 0.1, np.log(1.5), 0.0]))
    return TrainedWindowModel(WINDOWS, regression, DetectionProbability(1.0, 0.0, 20.0, 0.5, -1.0), heights, least)


def test_the_first_of_five_numbers_is_the_score_of_the_window() -> None:
    view = WINDOWS.views(PICTURE.shape)[0]
    pixels = WINDOWS.before(PICTURE, view)
    own, plain = model(moves=1.0), np.asarray(Clear().prepare(WINDOWS.program(view.shape))(pixels))
    numbers = np.asarray(Clear().prepare(own.program(view.shape))(pixels))
    assert numbers.shape == (5, *plain.shape) and np.allclose(numbers[0], plain, atol=1e-4)
    shift = WindowModel(own.regression.weights[1], own.regression.bias[1], "shift", (32, 32), Pyramid(1.5))
    assert np.allclose(numbers[2], np.asarray(Clear().prepare(shift.program(view.shape))(pixels)), atol=1e-4)


def test_boxes_are_moved_and_scores_are_probabilities() -> None:
    view = WINDOWS.views(PICTURE.shape)[0]
    places = WINDOWS.places((view.shape[0] // 8 - 3, view.shape[1] // 8 - 3), view)[0]
    numbers = np.full((5, view.shape[0] // 8 - 3, view.shape[1] // 8 - 3), -50.0)
    numbers[:, places.rows.start + 1, places.columns.start + 2] = 2.0, 0.0, 0.1, np.log(1.5), 0.0
    found = model(least=0.01).decode(numbers, view)
    base = np.array([16 - 32 + 8, 8 - 32 + 8, 16, 16])  # the window one row down, two columns on, without margins
    expected = [base[0] - 4, base[1] + 1.6, 24, 16]
    assert np.allclose(found.boxes, [expected]) and found.labels == ("thing",)
    far = np.log(16 / 20)
    assert found.scores == pytest.approx(1 / (1 + np.exp(-(2 + 0.5 * far - far**2))))


def test_levels_of_other_sizes_are_left_out() -> None:
    sizes = [16 * 80 / view.copies[0].height for view in model(heights=(10, 1e4)).views(PICTURE.shape)]
    few = [16 * 80 / view.copies[0].height for view in model(heights=(22, 38)).views(PICTURE.shape)]
    assert few == [size for size in sizes if 22 / 1.05 <= size <= 38 * 1.05] and 0 < len(few) < len(sizes)


@pytest.mark.parametrize(
    "values", [{"least": 2.0}, {"heights": (5.0, 4.0)}, {"regression": BoxRegression(np.zeros((4, 3)), np.zeros(4))}]
)
def test_what_does_not_fit_is_refused(values: dict[str, object]) -> None:
    given = {"windows": WINDOWS, "regression": model().regression, "probability": model().probability}
    with pytest.raises(ParameterError):
        TrainedWindowModel(**{**given, "heights": (10.0, 40.0), **values})  # type: ignore[arg-type]
