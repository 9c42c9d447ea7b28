"""What several nodes of a network compute together, seen in the values they were translated to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from privis.program import Kind, Value, ops
from privis.program.ops import Op

ANY_LENGTH = (0.0, math.inf)  # domain of a normalisation whose operand may have any: readings derive it
TINY = 1e-9  # a floor of a norm that is only there to not divide by zero


@dataclass(frozen=True)
class Norm:
    """A divisor ``gain * sqrt(sum of squares over axes + inside)``, at least about ``outside``."""

    axes: tuple[int, ...]
    gain: float
    inside: float
    outside: float


def made_by(value: Value, index: int) -> Op | None:
    """The op that makes the value ``index`` of the program that is being traced; None for inputs."""
    return value.nodes[index - value.inputs].op if index >= value.inputs else None


def norm_of(numerator: Value, divisor: Value) -> Norm | None:
    """Recognise a divisor that is the length of what it divides; None where it is anything else."""
    index, repeated = divisor.index, set()
    gain, inside, outside = 1.0, 0.0, 0.0

    def step() -> Op | None:
        return made_by(divisor, index)

    def operands() -> tuple[int, ...]:
        return divisor.nodes[index - divisor.inputs].operands

    while isinstance(op := step(), ops.Gather) and not op.index.any() and op.index.ndim == 1:
        repeated.add(op.axis)
        (index,) = operands()
    match step():
        case ops.Nonlinear(Kind.CLIP, _, low, high) if 0 < low <= TINY and high == math.inf:
            outside = low
            (index,) = operands()
        case ops.Affine(scale, bias) if np.size(scale) == 1 and scale == 1 and np.size(bias) == 1 and 0 < bias < 1:
            outside = float(bias)
            (index,) = operands()
    match step():
        case ops.Nonlinear(Kind.SQRT):
            (index,) = operands()
        case _:
            return None
    while isinstance(op := step(), ops.Affine):
        if np.size(op.scale) != 1 or np.size(op.bias) != 1 or float(op.scale) <= 0 or float(op.bias) < 0:
            return None
        inside += float(op.bias) * gain
        gain *= float(op.scale)
        (index,) = operands()
    op = step()
    if not isinstance(op, ops.Sum) or not op.keep or not repeated <= set(op.axes):
        return None
    (index,) = operands()
    if not isinstance(step(), ops.Mul) or set(operands()) != {numerator.index}:
        return None
    return Norm(op.axes, math.sqrt(gain), inside / gain, outside / math.sqrt(gain))


def unit(x: Value, axes: tuple[int, ...], inside: float, outside: float = 0.0) -> Value:
    """``x / (sqrt(sum of squares over axes + inside) + outside)``."""
    rank = len(x.shape)
    kept = tuple(axis for axis in range(rank) if axis not in axes)
    order = (*kept, *axes)
    moved = x if order == tuple(range(rank)) else x.transpose(*order)
    flat = moved.reshape(*moved.shape[: len(kept)], math.prod(x.shape[axis] for axis in axes))
    result = (flat >> ops.Normalise(ANY_LENGTH, inside, outside)).reshape(*moved.shape)
    return result if order == tuple(range(rank)) else result.transpose(*map(int, np.argsort(order)))


def divided(a: Value, b: Value) -> Value | None:
    """``a / b`` where b is the length of a, as one normalisation: its range is known whatever the range of a."""
    found = norm_of(a, b)
    if found is None:
        return None
    result = unit(a, found.axes, found.inside, found.outside)
    return result if found.gain == 1 else result * (1.0 / found.gain)


def over_reciprocal(a: Value, b: Value) -> Value | None:
    """``a * b`` where b is one over the length of a."""
    match made_by(b, b.index):
        case ops.Nonlinear(Kind.RECIPROCAL, _, 0.0):
            (index,) = b.nodes[b.index - b.inputs].operands
            return divided(a, Value(b.nodes, b.regions, b.inputs, index, b.shape))
        case _:
            return None
