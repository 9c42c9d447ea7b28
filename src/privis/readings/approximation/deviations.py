"""How far values can move when the operands of an op do: first-order bounds, one number per tensor."""

from __future__ import annotations

import math

import numpy as np

from privis.program import ops
from privis.program.ops import Op
from privis.program.shapes import Shape
from privis.readings.analysis.ranges import Interval
from privis.readings.evaluate import evaluate_op

SAMPLES = 2049


def deviation(op: Op, moved: list[float], known: list[Interval], shapes: list[Shape]) -> float:
    """Bound the largest change of any element of the result when no element of operand ``i`` changes by more than
    ``moved[i]``; ``known`` are the intervals of the operands.

    Certain for linear ops, movement and products; for smooth functions the slope is sampled. Infinite for ops that
    jump.

    >>> deviation(ops.Affine(3.0), [0.5], [Interval(np.zeros(1), np.ones(1), None)], [(4,)])
    1.5
    """
    if not any(moved):
        return 0.0
    match op:
        case ops.Conv(kernel) | ops.Dense(kernel):
            return moved[0] * float(np.abs(kernel).reshape(len(kernel), -1).sum(1).max())
        case ops.Affine(scale):
            return moved[0] * float(np.abs(scale).max())
        case ops.Add() | ops.Sub():
            return sum(moved)
        case ops.Mul():
            return _product(moved, known)
        case ops.MatMul():
            return shapes[0][-1] * _product(moved, known)
        case ops.Sum(axes):
            return moved[0] * math.prod(shapes[0][axis] for axis in axes)
        case ops.Normalise(domain, inside, outside):
            length = math.sqrt(domain[0] + inside) + outside
            return 2 * math.sqrt(shapes[0][-1]) * moved[0] / length if length > 0 else math.inf
        case ops.Poly(_, domain):
            return moved[0] * _slope(op, domain)
        case ops.Nonlinear(ops.Kind.ROUND):
            return moved[0] + 1.0
        case ops.Nonlinear(_, domain):
            return moved[0] * _slope(op, domain or known[0].bounds)
        case ops.Max():
            return moved[0]
        case ops.Compare() | ops.Histogram() | ops.ArgMax() | ops.TopK():
            return math.inf
        case _:
            return max(moved)


Sides = tuple[float, float]  # how far below and above its interval a value may be


def excess(op: Op, moved: list[Sides], known: list[Interval], shapes: list[Shape], same: bool) -> Sides:
    """Bound how far a result may lie below and above its interval when operands lie that far outside of theirs.

    ``same``: both operands are one value, so that its square is never negative.
    """
    either = [max(sides) for sides in moved]
    match op:
        case ops.Sum(axes):
            count = math.prod(shapes[0][axis] for axis in axes)
            return moved[0][0] * count, moved[0][1] * count
        case ops.Add():
            return moved[0][0] + moved[1][0], moved[0][1] + moved[1][1]
        case ops.Sub():
            return moved[0][0] + moved[1][1], moved[0][1] + moved[1][0]
        case ops.Affine(scale) if np.min(scale) >= 0:
            return moved[0][0] * float(np.max(scale)), moved[0][1] * float(np.max(scale))
        case ops.Affine(scale) if np.max(scale) <= 0:
            return moved[0][1] * float(-np.min(scale)), moved[0][0] * float(-np.min(scale))
        case ops.Conv(weights) | ops.Dense(weights) if np.min(weights) >= 0:
            most = float(weights.reshape(len(weights), -1).sum(1).max())
            return moved[0][0] * most, moved[0][1] * most
        case ops.Mul() if same:
            grown = deviation(op, either, known, shapes)
            return 0.0 if known[0].low.min() <= 0 <= known[0].high.max() else grown, grown
        case ops.Reshape() | ops.Transpose() | ops.Slice() | ops.Gather() | ops.Window() | ops.Pad() | ops.Concat():
            return max(sides[0] for sides in moved), max(sides[1] for sides in moved)
        case _:
            both = deviation(op, either, known, shapes)
            return both, both


def largest(x: Interval) -> float:
    """The largest absolute value any element can take."""
    low, high = x.bounds
    return max(-low, high)


def _product(moved: list[float], known: list[Interval]) -> float:
    a, b = moved[0], moved[-1]
    return largest(known[0]) * b + largest(known[-1]) * a + a * b


def _slope(op: Op, domain: tuple[float, float]) -> float:
    x = np.linspace(*domain, SAMPLES)
    with np.errstate(all="ignore"):
        values = evaluate_op(op, [x], np)
        slopes = np.abs(np.diff(values) / np.diff(x))
    return float(slopes.max(initial=0.0)) if np.isfinite(slopes).all() else math.inf


__all__ = ["Sides", "deviation", "excess", "largest"]
