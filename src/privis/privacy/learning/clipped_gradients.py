"""Clipped gradients of multinomial logistic regression, summed exactly.

The gradient of one row x with label y is the outer product of its error p - y and x, so its Euclidean length is the
product of theirs and clipping needs no gradient to be formed (Goodfellow, arXiv:1510.01799). Everything between the
data and the sum that noise is added to is integer arithmetic, so that there is no rounding to argue about:

- a row is scaled to length `unit_steps` (20 times the root of its number of components, so that single steps are a
  twentieth of what components are on average) and rounded to integers of size at most 127; one constant component more
  is the bias. A row whose squares add up to more than `IntegerRows.squared` is shortened and cut towards zero;
- an error, whatever approximations it went through, becomes a vector of integers of length at most `LEVELS`, cut
  towards zero; what floating-point division may leave above that is removed exactly;
- one row adds the product of both to the sum: at most LEVELS * sqrt(squared) in length, a square root of an integer.

The matrix products run in single precision, where they are exact: the sums over `ROWS` rows of products of at most 127
* 255 stay below 2**24, and so do the parts of the forward pass, whose weights are rounded to `WEIGHT_LEVELS` and split
in two. So neither the number of threads nor the order of additions changes a sum by a bit, and a training that is
repeated with the same key is the same training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.privacy.learning.standardisation import squared_length, unit_length

LEVELS = 255
"""Length of a clipped error, in integer units."""
LARGEST = 127
"""Largest size of a component of a row."""
WEIGHT_LEVELS = 2047
"""Largest size of a rounded weight of the forward pass."""
ROWS = 512
"""Rows whose gradients add up in single precision: 512 * 127 * 255 < 2**24."""
LOSS_SHARE = 16
"""The loss is one coordinate more, of at most 1 / 16 of what a row may add: it costs a five-hundredth of the noise."""
LOSS_MOST = 8.0
"""Largest loss of a row that is counted, in nats."""
_HALF = 64  # weights are 64 * high + low with both at most 32 in size
_COLUMNS = 4096  # 4096 * 127 * 32 < 2**24

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def unit_steps(components: int) -> int:
    """Length of a row in integer steps.

    >>> unit_steps(3969), unit_steps(4)
    (1260, 127)
    """
    return max(LARGEST, round(20 * math.sqrt(components)))


@dataclass(frozen=True, eq=False)
class IntegerRows:
    """Vectors of Euclidean length 1 as integers: int8 (rows, components + 1), the last column the bias.

    As secret as the vectors.
    """

    values: npt.NDArray[np.int8] = field(repr=False)

    @classmethod
    def of(cls, vectors: npt.NDArray[np.floating]) -> IntegerRows:
        """Scale vectors (rows, components) to length 1 and round them; zero vectors stay zero.

        Raises ``ParameterError`` when they are no matrix or a row holds NaN or infinity.
        """
        check_vectors("vectors", vectors)
        count, components = vectors.shape
        unit, bias, squared = _scale(components)
        out = np.empty((count, components + 1), np.int8)
        out[:, -1] = bias
        for start in range(0, count, ROWS):
            part = unit_length(vectors[start : start + ROWS])
            steps = np.clip(np.rint(part * unit), -LARGEST, LARGEST)
            while (beyond := (size := squared_length(steps)) > squared - bias * bias).any():
                factor = np.sqrt((squared - bias * bias) / size[beyond]) * (1 - 1e-6)
                steps[beyond] = np.trunc(steps[beyond] * factor[:, None])
            out[start : start + len(part), :-1] = steps
        return cls(out)

    @property
    def components(self) -> int:
        """Components of a vector, without the bias."""
        return self.values.shape[1] - 1

    @cached_property
    def unit(self) -> int:
        """How many grid steps are a length of 1."""
        return unit_steps(self.components)

    @property
    def squared(self) -> int:
        """No row is longer than the root of this, bias included."""
        return _scale(self.components)[2]


def bias_value(components: int) -> float:
    """The constant component that stands for the bias, where a row has length 1."""
    unit, bias, _ = _scale(components)
    return bias / unit


def row_squared(components: int) -> int:
    """Largest squared length of a row of so many components, in integer steps, bias included."""
    return _scale(components)[2]


def _scale(components: int) -> tuple[int, int, int]:
    """Steps of length 1, of the bias, and the largest squared length of both together."""
    unit = unit_steps(components)
    bias = min(LARGEST, unit // 2)
    return unit, bias, math.ceil(1.004 * unit * unit) + bias * bias  # rounding makes rows a little longer


def loss_steps(components: int) -> int:
    """Largest integer loss of a row, as one more coordinate of its gradient."""
    return LEVELS * math.isqrt(row_squared(components)) // LOSS_SHARE


def clipped_sum(
    rows: IntegerRows, chosen: Integers, labels: Integers, shares: Integers, weights: Floats, clip: float
) -> tuple[Integers, int]:
    """Sum of the clipped gradients of the ``chosen`` rows, int64 (classes, components + 1), and of their losses.

    ``weights`` (classes, components + 1) are for vectors of length 1, of which the last component is `bias_value`;
    ``clip`` is the largest length of an error p - y; a row of whose owner ``shares`` rows count adds at most 1 /
    shares. Units: a gradient of `LEVELS` * `unit_steps` is that of a clipped error and a vector of length 1; a loss of
    `loss_steps` is `LOSS_MOST` nats.
    """
    classes, columns = weights.shape
    total = np.zeros((classes, columns), np.int64)
    losses, most = 0, loss_steps(rows.components)
    halves, worth = _rounded(weights, rows)
    block = np.empty((ROWS, columns), np.float32)
    for start in range(0, len(chosen), ROWS):
        part = chosen[start : start + ROWS]
        x = block[: len(part)]
        x[:] = rows.values[part]
        scores = _scores(x, halves) * worth
        errors, loss = clipped_errors(scores, labels[part], shares[part], clip)
        total += (errors.T @ x).astype(np.int64)
        steps = np.minimum(loss * (most / LOSS_MOST), most).astype(np.int64) // shares[part]
        losses += int(steps.sum())
    return total, losses


def clipped_errors(
    scores: Floats, labels: Integers, shares: Integers, clip: float
) -> tuple[npt.NDArray[np.float32], Floats]:
    """Errors p - y as integers of length at most `LEVELS` // shares, and the losses in nats."""
    scores = scores - scores.max(1, keepdims=True)
    exponentials = np.exp(scores)
    whole = exponentials.sum(1, keepdims=True)
    at = np.arange(len(labels))
    loss = np.log(whole[:, 0]) - scores[at, labels]
    errors = exponentials / whole
    errors[at, labels] -= 1.0
    length = np.sqrt((errors * errors).sum(1))
    most = LEVELS // shares
    factor = np.minimum(LEVELS / (clip * shares), most / np.maximum(length, 1e-30))
    steps = np.trunc(errors * factor[:, None])
    return shortened(steps, most).astype(np.float32), loss


def shortened(steps: Floats, most: Integers) -> Floats:
    """Bring rows of integers to a length of at most ``most``, exactly; few have anything to lose."""
    while (beyond := (steps * steps).sum(1) > most * most).any():
        steps[beyond] -= np.sign(steps[beyond])
    return steps


def _rounded(weights: Floats, rows: IntegerRows) -> tuple[npt.NDArray[np.float32], float]:
    """Weights as integers in two halves, (columns, 2 * classes), and what a unit of their product with a row is."""
    largest = float(np.abs(weights).max())
    if largest == 0.0:
        return np.zeros((weights.shape[1], 2 * len(weights)), np.float32), 0.0
    steps = np.rint(weights * (WEIGHT_LEVELS / largest))
    high = np.rint(steps / _HALF)
    halves = np.concatenate([high, steps - _HALF * high])
    return np.ascontiguousarray(halves.T, dtype=np.float32), largest / WEIGHT_LEVELS / rows.unit


def _scores(x: npt.NDArray[np.float32], halves: npt.NDArray[np.float32]) -> Floats:
    """Exact products of integer rows and integer weights."""
    both = np.zeros((len(x), halves.shape[1]))
    for start in range(0, x.shape[1], _COLUMNS):
        both += x[:, start : start + _COLUMNS] @ halves[start : start + _COLUMNS]
    classes = halves.shape[1] // 2
    return _HALF * both[:, :classes] + both[:, classes:]


def check_vectors(where: str, vectors: object) -> None:
    """Raise ``ParameterError`` unless ``vectors`` are real numbers (rows, components), all finite."""
    array = np.asarray(vectors)
    expected = "real numbers of shape (rows, components), one row per image"
    if array.ndim != 2 or array.shape[1] < 1 or array.dtype.kind not in "fiu":
        raise ParameterError(Problem(where, f"{array.dtype} values of shape {array.shape}", expected))
    if not len(array):
        raise ParameterError(Problem(where, "no row", "at least one image"))
    bad = [
        start + int(row)
        for start in range(0, len(array), ROWS)
        for row in np.flatnonzero(~np.isfinite(array[start : start + ROWS]).all(1))
    ]
    if bad:
        shown = ", ".join(map(str, bad[:5])) + (" …" if len(bad) > 5 else "")
        remedy = "leave those images out, or find out what is wrong with them"
        raise ParameterError(Problem(where, f"NaN or infinity in {len(bad)} rows: {shown}", "finite numbers", remedy))
