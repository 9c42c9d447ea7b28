"""Means and deviations of a private corpus's components, released once, for features that learn better with them.

Every vector is brought to length 1 first, which is public; then its components x become integers (`integer_rows`) and
both 16 x and x * x / 4, cut towards zero, are added up over the corpus, in one vector with noise. One row adds at most
the root of (16 R)**2 + S**2: R is the largest length of a row, and rows whose squares are together longer than S are
shortened (S is 16 times what their mean square alone would give, as for a kurtosis of 16).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.privacy.logistic import ROWS, Floats, IntegerRows, Integers, row_squared, unit_steps

_VALUES, _SQUARES = 16, 4  # multiplier of values, divisor of squares: about equal lengths


@dataclass(frozen=True, eq=False)
class Standardisation:
    """``(vector / length - mean) / deviation``: float64 (components,) each, released or public."""

    mean: Floats
    deviation: Floats

    def __call__(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Bring vectors (rows, components) to length 1 and standardise them; float32."""
        return ((unit_length(vectors) - self.mean) / self.deviation).astype(np.float32)


def unit_length(vectors: npt.NDArray[np.floating]) -> Floats:
    """Vectors over their Euclidean length; zero vectors stay zero."""
    reals = np.asarray(vectors, np.float64)
    peak = np.abs(reals).max(-1, keepdims=True, initial=0.0)
    reals = np.divide(reals, peak, out=np.zeros_like(reals), where=peak > 0)  # squares neither overflow nor vanish
    length = np.sqrt((reals * reals).sum(-1, keepdims=True))
    return np.divide(reals, length, out=reals, where=length > 0)


def squares_length(components: int) -> int:
    """Largest length of a row's squares, in units of four square steps."""
    return math.ceil(4 * unit_steps(components) ** 2 / math.sqrt(components) / _SQUARES)


def moments_squared(components: int) -> int:
    """Largest squared length of what one row adds to the sums.

    >>> moments_squared(100) < 2**53
    True
    """
    return _VALUES**2 * row_squared(components) + squares_length(components) ** 2


def moment_sums(rows: IntegerRows, shares: Integers) -> Integers:
    """Add up values and squares of all rows, int64 (2 * components,); a row counts one ``shares``-th."""
    total = np.zeros(2 * rows.components, np.int64)
    most = squares_length(rows.components)
    for start in range(0, len(rows.values), ROWS):
        part = rows.values[start : start + ROWS, :-1].astype(np.int64)
        share = shares[start : start + ROWS, None]
        squares = part * part // _SQUARES
        while (beyond := (size := (squares * squares).sum(1, keepdims=True)) > most * most).any():
            smaller = np.trunc(squares * (most / np.sqrt(np.maximum(size, 1))) * 0.9999).astype(np.int64)
            squares = np.where(beyond, smaller, squares)
        both = np.concatenate([_VALUES * part, squares], axis=1)
        total += np.trunc(both / share).astype(np.int64).sum(0)
    return total


def standardisation_of(noisy: npt.NDArray[np.int64], size: int, scale: float, components: int) -> Standardisation:
    """Means and deviations from noisy sums over about ``size`` members; ``scale`` is the noise's, in grid steps.

    A variance below what the noise leaves uncertain, or below a square step, counts as that.
    """
    unit = unit_steps(components)
    mean = noisy[:components] / (_VALUES * size)
    square = _SQUARES * noisy[components:] / size + 0.5  # a square is 0 or 1 above a multiple of 4
    floor = 1.0 + 2.0 * scale * _SQUARES / size
    deviation = np.sqrt(np.maximum(square - mean * mean, floor))
    return Standardisation(mean / unit, deviation / unit)
