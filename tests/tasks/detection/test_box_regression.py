"""Box regression: what it learns, and how far a box may move."""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.detection import BoxRegression, fit_box_regression, moved, offsets_between

RNG = np.random.default_rng(5)


def test_offsets_lead_to_the_wanted_boxes() -> None:
    boxes = np.column_stack([RNG.uniform(0, 100, (20, 2)), RNG.uniform(20, 40, (20, 2))])
    wanted = boxes + RNG.uniform(-5, 5, (20, 4))
    assert np.allclose(moved(boxes, offsets_between(boxes, wanted)), wanted)


def test_no_box_moves_further_than_half_a_side_or_more_than_doubles() -> None:
    far = moved([[0, 0, 10, 20]], [[9.0, -9.0, 9.0, -9.0]])[0]
    assert np.allclose(far[:2] + far[2:] / 2, [10, 0])
    assert np.allclose(far[2:] / [10, 20], np.exp([0.7, -0.7]))


def test_a_linear_relation_is_learned_and_a_penalty_shrinks_it() -> None:
    vectors, slope = RNG.normal(size=(60, 8)), RNG.normal(size=(4, 8)) / 10
    offsets = vectors @ slope.T + 0.1
    close = fit_box_regression(vectors, offsets, np.ones(60), 1e-9)
    assert np.allclose(close.weights, slope, atol=1e-5) and np.allclose(close.offsets(vectors), offsets, atol=1e-5)
    stiff = fit_box_regression(vectors, offsets, np.ones(60), 1e6)
    assert np.abs(stiff.weights).max() < 1e-4 and np.allclose(stiff.bias, offsets.mean(0), atol=1e-4)


def test_a_window_that_counts_more_decides_more() -> None:
    vectors, offsets = np.zeros((2, 3)), np.array([[0.0] * 4, [1.0] * 4])
    assert np.allclose(fit_box_regression(vectors, offsets, [1, 3], 1.0).bias, 0.75)


@pytest.mark.parametrize(("weights", "bias"), [(np.zeros((3, 2)), np.zeros(4)), (np.full((4, 2), np.nan), np.zeros(4))])
def test_numbers_that_do_not_fit_are_refused(weights: np.ndarray, bias: np.ndarray) -> None:
    with pytest.raises(ParameterError):
        BoxRegression(weights, bias)
