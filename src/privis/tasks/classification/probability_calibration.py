"""Calibrated probabilities: scores are scaled until a probability of 0.8 is right four times of five."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.decisions import Link, probabilities
from privis.tasks.linear_head import LinearHead
from privis.tasks.linear_stages import LinearMap

Floats = npt.NDArray[np.float64]
STEEPEST = 50.0
"""Largest factor of scores, and one over the smallest: scores that separate all images would want infinity."""


class CalibrationMethod(Enum):
    """How scores become probabilities."""

    TEMPERATURE = "temperature"  # one factor for all scores: what is decided stays
    PLATT = "platt"  # of one score for two classes a factor and a shift: decisions move
    NONE = "none"


@dataclass(frozen=True)
class ScoreScaling:
    """Calibrated scores: ``factor * score + shift``.

    Args:
        factor: above 0; one over the temperature.
        shift: 0 unless there is one score for two classes.

    Raises:
        ParameterError: a number is not finite, or the factor is not above 0.

    >>> ScoreScaling(0.5).scores(np.array([[2.0, 4.0]])).tolist()
    [[1.0, 2.0]]
    """

    factor: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        problems = []
        if not (np.isfinite(self.factor) and self.factor > 0):
            problems.append(Problem("ScoreScaling.factor", repr(self.factor), "a finite number above 0"))
        if not np.isfinite(self.shift):
            problems.append(Problem("ScoreScaling.shift", repr(self.shift), "a finite number"))
        refuse(ParameterError, problems)

    def scores(self, scores: npt.NDArray[np.floating]) -> Floats:
        """Multiply scores by the factor and add the shift.

        Args:
            scores: (images, scores).

        Returns:
            Float64 of the same shape.
        """
        return self.factor * np.asarray(scores, np.float64) + self.shift

    def head(self, head: LinearHead) -> LinearHead:
        """Put the scaling into the numbers of a head: it costs nothing, whoever computes.

        Args:
            head: whose scores are calibrated.

        Returns:
            A head whose probabilities are.
        """
        last = head.last
        scaled = LinearMap(last.matrix * self.factor, last.bias * self.factor + self.shift)
        return LinearHead(head.classes, (*head.stages[:-1], scaled), head.link)


def fit_scaling(
    scores: npt.NDArray[np.floating],
    labels: npt.ArrayLike,
    link: Link,
    method: CalibrationMethod = CalibrationMethod.TEMPERATURE,
) -> ScoreScaling:
    """Choose the scaling under which scores make the known classes likeliest.

    References: Guo et al., "On calibration of modern neural networks", 2017, section 4.2 (temperature); Platt,
    "Probabilistic outputs for support vector machines", 1999.

    Args:
        scores: (images, scores), of images that the classifier was not trained on.
        labels: number of the class of each image, (images,).
        link: how probabilities follow from scores.
        method: what is chosen.

    Returns:
        The scaling.

    Raises:
        ParameterError: shapes do not fit, the link gives no probabilities, or Platt's method is asked for several
            scores.

    >>> fit_scaling(np.array([[-8.0], [8.0], [8.0], [8.0]]), [0, 1, 1, 0], Link.LOGISTIC).factor < 0.5
    True
    """
    from scipy.optimize import minimize, minimize_scalar

    rows, true = np.asarray(scores, np.float64), np.asarray(labels)
    problems = []
    if rows.ndim != 2 or true.shape != (len(rows),) or not len(rows):
        problems.append(Problem("fit_scaling", f"{rows.shape} scores of {true.shape} images", "as many, and some"))
    if link not in (Link.SOFTMAX, Link.LOGISTIC):
        problems.append(Problem("fit_scaling.link", link.value, "softmax or logistic"))
    if method is CalibrationMethod.PLATT and rows.ndim == 2 and rows.shape[1] != 1:
        got, remedy = f"{rows.shape[1]} scores of an image", "take the temperature"
        problems.append(Problem("fit_scaling.method", got, "one score, of two classes", remedy))
    refuse(ParameterError, problems)
    if method is CalibrationMethod.NONE:
        return ScoreScaling()
    places = np.arange(len(rows))

    def loss(factor: float, shift: float = 0.0) -> float:
        found = probabilities(link, factor * rows + shift)
        assert found is not None
        return float(-np.log(np.maximum(found[places, true], 1e-300)).mean())

    end = float(np.log(STEEPEST))
    if method is CalibrationMethod.TEMPERATURE:
        best = minimize_scalar(lambda power: loss(float(np.exp(power))), bounds=(-end, end), method="bounded")
        return ScoreScaling(float(np.exp(best.x)))
    both = minimize(lambda x: loss(float(np.exp(x[0])), float(x[1])), np.zeros(2), bounds=((-end, end), (-50, 50)))
    return ScoreScaling(float(np.exp(both.x[0])), float(both.x[1]))
