"""The logarithm as a public step: components of very different sizes come closer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.features.feature import Array
from privis.features.norms import Norms
from privis.features.postprocessing.steps import finite


@dataclass(frozen=True)
class Logarithm:
    """``sign(x) log(1 + |x|)`` of every component, in the feature's own units; vectors with NaN become zero.

    For features whose components differ by orders of magnitude, such as `Scattering`.

    >>> Logarithm()(np.array([0.0, np.e - 1, 1 - np.e])).round(3).tolist()
    [0.0, 1.0, -1.0]
    """

    identifier: ClassVar[str] = "privis.logarithm/1"

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Take signed logarithms of ``values``, any shape: float32 of the same shape."""
        reals = finite(values)
        return (np.sign(reals) * np.log1p(np.abs(reals))).astype(np.float32)

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms | None:
        """Bound what comes out by what comes in: log(1 + x) is at most x."""
        return before

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Keep the names: components stay at their places."""
        return names
