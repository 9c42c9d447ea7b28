"""Probabilities of boxes by score and size."""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.detection import DetectionProbability


def test_surer_and_usual_boxes_are_likelier() -> None:
    chance = DetectionProbability(2.0, -1.0, 100.0, 0.0, -2.0)
    assert (np.diff(chance([-1.0, 0.0, 1.0], [100.0] * 3)) > 0).all()
    small, usual, large = chance([0.0] * 3, [50.0, 100.0, 200.0])
    assert small == pytest.approx(large) and small < usual


def test_extreme_scores_and_sizes_overflow_nothing() -> None:
    found = DetectionProbability(1e3, 0.0, 1.0, 5.0, -5.0)([-1e300, 1e300], [0.0, 1e300])
    assert found.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("numbers", [(0.0, 0.0, 1.0), (1.0, np.nan, 1.0), (1.0, 0.0, 0.0), (1.0, 0.0, 1.0, 0.0, 0.1)])
def test_numbers_that_mean_nothing_are_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ParameterError):
        DetectionProbability(*numbers)
