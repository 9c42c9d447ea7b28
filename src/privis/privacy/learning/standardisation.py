"""Means and deviations of a private corpus's components, released once, for features that learn better with them.

Every vector is brought to length 1 first, which is public, and put on a grid of `STEPS` steps per length, cut towards
zero. The components x and their squares over b, cut towards zero, are added up over the corpus in one vector with
noise. Each half of it is at most `STEPS` long for one row: b is 4 / root(components) of that, which is enough for all
rows but those whose squares are concentrated on few components; these are shortened. A member's n rows count a share
of 1 / n each, cut towards zero again.

Deviations may be pooled over groups of components afterwards, which costs nothing: squares are far noisier than sums.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

STEPS = 2**15
"""Length of a row, in grid steps."""
ROWS = 512
"""Rows per turn: they stay in the cache."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Standardisation:
    """``(vector / length - mean) / deviation``: float64 (components,) each, released or public."""

    identifier: ClassVar[str] = "privis.standardisation/1"

    mean: Floats
    deviation: Floats

    def __call__(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Bring vectors (rows, components) to length 1 and standardise them; float32."""
        out = np.empty(vectors.shape, np.float32)
        mean, gain = self.mean.astype(np.float32), (1 / self.deviation).astype(np.float32)
        for start in range(0, len(vectors), ROWS):
            part = vectors[start : start + ROWS]
            out[start : start + ROWS] = (unit_length(part) - mean) * gain
        return out


def unit_length(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Vectors over their Euclidean length, float32 or float64 as they came; zero vectors stay zero."""
    reals = np.asarray(vectors)
    reals = reals if reals.dtype == np.float32 else reals.astype(np.float64)
    with np.errstate(over="ignore"):
        length = np.sqrt(squared_length(reals))
    if ((length > 1e-30) & (length < 1e30)).all():  # as a rule: squares neither overflow nor vanish
        return reals * (1.0 / length).astype(reals.dtype)[:, None]
    wide = reals.astype(np.float64)
    peak = np.abs(wide).max(1, keepdims=True)
    wide = np.divide(wide, peak, out=np.zeros_like(wide), where=peak > 0)
    length = np.sqrt(squared_length(wide))[:, None]
    return np.divide(wide, length, out=wide, where=length > 0).astype(reals.dtype)


def squared_length(rows: npt.NDArray[np.floating]) -> Floats:
    """Sums of squares, formed in double precision: exact for integers as long as they stay below 2**53."""
    return np.einsum("ij,ij->i", rows, rows, dtype=np.float64)


def square_steps(components: int) -> int:
    """What squares of grid steps are divided by."""
    return max(1, math.floor(4 * STEPS / math.sqrt(components)))


def moments_squared() -> int:
    """Largest squared length of what one member adds to the sums."""
    return 2 * STEPS**2


def moment_sums(vectors: npt.NDArray[np.floating], shares: Integers) -> Integers:
    """Add up values and squares of all rows, int64 (2 * components,); a row counts one ``shares``-th."""
    components = vectors.shape[1]
    total = np.zeros(2 * components, np.int64)
    for start in range(0, len(vectors), ROWS):
        part = _shortened(np.trunc(unit_length(vectors[start : start + ROWS]) * STEPS))
        squares = _shortened(np.floor(part * part * (1 / square_steps(components))))
        share = shares[start : start + ROWS, None]
        if (share > 1).any():
            part, squares = np.trunc(part / share), np.trunc(squares / share)
        total[:components] += part.sum(0, dtype=np.float64).astype(np.int64)
        total[components:] += squares.sum(0, dtype=np.float64).astype(np.int64)
    return total


def _shortened(steps: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Bring rows of integers to a length of at most `STEPS`, exactly."""
    while (beyond := (size := squared_length(steps)) > STEPS**2).any():
        steps[beyond] = np.trunc(steps[beyond] * (STEPS / np.sqrt(size[beyond]) * (1 - 1e-6))[:, None])
    return steps


def standardisation_of(noisy: Integers, size: int, scale: float, components: int, groups: int) -> Standardisation:
    """Means and deviations from noisy sums over about ``size`` members; ``scale`` is the noise's, in grid steps.

    Components in one of ``groups`` equal runs share a deviation. A variance below twice what the noise leaves uncertain
    counts as that.
    """
    step = square_steps(components)
    mean = noisy[:components] / size
    square = step * (noisy[components:] / size + 0.5)  # squares were cut by half a step on average
    each = components // groups
    variance = (square - mean * mean).reshape(groups, each).mean(1)
    uncertain = scale * step / size / math.sqrt(each)
    deviation = np.sqrt(np.maximum(variance, 2 * uncertain + 1.0)).repeat(each)
    return Standardisation(mean / STEPS, deviation / STEPS)
