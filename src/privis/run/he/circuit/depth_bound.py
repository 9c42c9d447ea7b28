"""Levels that a polynomial program takes at least, told from its nodes: no matrix is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from privis.program import Program, ops
from privis.program.graph import Node
from privis.program.shapes import Shape
from privis.readings.analysis.ranges import ranges
from privis.run.he.circuit.chebyshev import depth

PLAIN, WEIGHTED, MIXED = range(3)  # moved at most; times weights of different sizes, once; anything else
Taken = tuple[int, int]  # levels, and which of these; None: a constant
_BIJECTIONS = ops.Reshape | ops.Transpose


def least_levels(form: Program) -> int:
    """Count the products and polynomials one after the other, and the weights between them that no sum can hide.

    Args:
        form: a program in polynomial form.

    Returns:
        A lower bound on the levels of every layout of its circuit.

    >>> from privis.program import Input, trace
    >>> least_levels(trace(lambda x: (x * x) * x + 1.0, Input((4,))))
    2
    """
    known, shapes, first = ranges(form), form.shapes, len(form.inputs)
    fixed = [x.bounds[0] == x.bounds[1] for x in known]

    def rule(index: int, node: Node, operands: list[Taken | None]) -> Taken | None:
        varying = [own for own in operands if own is not None]
        cancels = isinstance(node.op, ops.Sub) and len(set(node.operands)) == 1
        if fixed[first + index] or cancels or not varying:
            return None
        levels = max(own for own, _ in varying)
        match node.op:
            case ops.Mul() | ops.MatMul():
                alone = len(varying) < len(operands)
                return (levels, MIXED) if alone else (max(_read(own) for own in varying) + 1, PLAIN)
            case ops.Poly(coefficients, _):
                return _read(varying[0]) + depth(coefficients), PLAIN
        return levels, _state(node.op, varying[0][1], shapes[node.operands[0]], len(operands))

    values = form.read(rule, [(0, PLAIN)] * first)
    return max((_read(own) for own in (values[output] for output in form.outputs) if own is not None), default=0)


def _read(value: Taken) -> int:
    """Levels up to here: weights take one before anything else is done."""
    levels, state = value
    return levels + (state == WEIGHTED)


def _state(op: Any, state: int, taken: Shape, count: int) -> int:
    """What a linear op makes of what it reads."""
    if count > 1 or state == MIXED:
        return MIXED
    if isinstance(op, _BIJECTIONS):
        return state
    if isinstance(op, ops.Affine) and np.size(op.scale) == 1:
        return state if np.all(op.scale) else MIXED
    if state == PLAIN and _differs(op, taken):
        return WEIGHTED
    return MIXED


def _differs(op: Any, taken: Shape) -> bool:
    """Whether the op multiplies by weights of different sizes, all of which reach a result."""
    match op:
        case ops.Affine(scale, _):
            return _sizes(scale) and np.size(scale) > 1
        case ops.Dense(matrix):
            return _sizes(matrix)
        case ops.Conv(kernel, stride, (top, left, *_), _, dilation):
            sides = zip(kernel.shape[2:], stride, (top, left), dilation, taken[-2:], strict=True)
            inside = [
                -(-pad // step) * step - pad + (size - 1) * gap < length for size, step, pad, gap, length in sides
            ]
            return _sizes(kernel) and all(inside)
    return False


def _sizes(weights: Any) -> bool:
    """Magnitudes beside zeros that differ, by more than rounding."""
    size = np.abs(np.asarray(weights, np.float64))
    size = size[size > 0]
    return bool(size.size and size.max() - size.min() > 1e-6 * size.max())


__all__ = ["least_levels"]
