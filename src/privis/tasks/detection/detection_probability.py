"""From a window's score and the size of its box to the probability that there is such a thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem

Floats = npt.NDArray[np.float64]
FURTHEST = 1.5
"""Of the logarithm of a size from the usual one: what lies beyond counts as if it were there."""


@dataclass(frozen=True)
class DetectionProbability:
    """A logistic function of the score and of the size: of a camera, people have sizes that are likelier than others.

    Its argument is ``bias + slope * score + size_slope * l + size_curve * l**2`` with ``l = log(height / size)``.
    Reference: Platt, "Probabilistic outputs for support vector machines", 1999, whose function of the score it extends.

    Args:
        slope: of the score, above 0: the surer, the likelier.
        bias: where score and ``l`` are 0.
        size: usual height of a box in pixels, above 0.
        size_slope: of the logarithm of the height.
        size_curve: of its square, 0 or below: sizes that are far off are less likely.

    Raises:
        ParameterError: a number is not finite or has a wrong sign.

    >>> DetectionProbability(1.0, 0.0, 100.0)(np.zeros(1), np.full(1, 100.0)).tolist()
    [0.5]
    """

    identifier: ClassVar[str] = "privis.detection-probability/1"

    slope: float
    bias: float
    size: float
    size_slope: float = 0.0
    size_curve: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.slope, self.bias, self.size, self.size_slope, self.size_curve)
        if not (np.isfinite(numbers).all() and self.slope > 0 and self.size > 0 and self.size_curve <= 0):
            expected = "finite numbers: slope and size above 0, size_curve not above 0"
            raise ParameterError(Problem("DetectionProbability", str(numbers), expected))

    def __call__(self, scores: npt.ArrayLike, heights: npt.ArrayLike) -> Floats:
        """Probabilities of boxes.

        Args:
            scores: of windows (n,).
            heights: of their boxes in pixels (n,).

        Returns:
            Float64 (n,), each in [0, 1].
        """
        far = relative_sizes(heights, self.size)
        argument = self.bias + self.slope * np.asarray(scores, np.float64)
        return 0.5 * (1 + np.tanh(0.5 * (argument + self.size_slope * far + self.size_curve * far**2)))


def relative_sizes(heights: npt.ArrayLike, size: float) -> Floats:
    """Logarithms of sizes in units of the usual one, as `DetectionProbability` takes them.

    Args:
        heights: of boxes in pixels (n,).
        size: the usual one, above 0.

    Returns:
        Float64 (n,), cut at what lies far off.
    """
    high = np.asarray(heights, np.float64).clip(1e-6)
    return np.log(high / size).clip(-FURTHEST, FURTHEST)
