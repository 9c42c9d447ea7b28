"""The shape of an op's result; every program is checked with it while it is written down and when it is loaded."""

from __future__ import annotations

import math

import numpy as np

from privis.errors import Problem, ProgramError
from privis.program import ops
from privis.program.ops import Op

Shape = tuple[int, ...]


def shape_of(op: Op, *shapes: Shape) -> Shape:
    """Return the shape ``op`` makes of operands of ``shapes``; ProgramError when they do not fit.

    >>> shape_of(ops.Conv(np.ones((4, 1, 3, 3)), pad=(1, 1, 1, 1)), (1, 32, 32))
    (4, 32, 32)
    """
    try:
        shape = tuple(int(length) for length in _shape_of(op, *shapes))
    except (ValueError, IndexError, TypeError, ZeroDivisionError) as error:
        raise _misfit(op, shapes, str(error)) from None
    if any(length < 0 for length in shape) or (isinstance(op, ops.Conv | ops.Window) and 0 in shape):
        raise _misfit(op, shapes, f"the result would have shape {shape}")
    return shape


def _misfit(op: Op, shapes: tuple[Shape, ...], reason: str) -> ProgramError:
    got = "operands of shape " + ", ".join(map(str, shapes))
    return ProgramError(Problem(type(op).__name__, got, "operands that fit the op", reason))


def _check(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


def window_count(length: int, size: int, stride: int, dilation: int = 1) -> int:
    """Positions of a window of ``size`` taps, ``dilation`` pixels apart, moved by ``stride`` over ``length`` pixels."""
    return max(0, (length - (size - 1) * dilation - 1) // stride + 1)


def _shape_of(op: Op, *shapes: Shape) -> Shape:
    first = shapes[0]
    match op:
        case ops.Conv(kernel, stride, pad, groups, dilation):
            *lead, channels, height, width = first
            outputs, inputs, rows, columns = kernel.shape
            _check(channels == inputs * groups, f"kernel takes {inputs * groups} channels, operand has {channels}")
            _check(outputs % groups == 0, f"{outputs} output channels do not split into {groups} groups")
            below = window_count(height + pad[0] + pad[2], rows, stride[0], dilation[0])
            across = window_count(width + pad[1] + pad[3], columns, stride[1], dilation[1])
            return (*lead, outputs, below, across)
        case ops.Dense(matrix):
            _check(matrix.shape[1] == first[-1], f"matrix takes {matrix.shape[1]} values, last axis has {first[-1]}")
            return (*first[:-1], matrix.shape[0])
        case ops.Affine(scale, bias):
            return np.broadcast_shapes(first, np.shape(scale), np.shape(bias))
        case ops.Compare(threshold):
            return np.broadcast_shapes(first, np.shape(threshold))
        case ops.Add() | ops.Sub() | ops.Mul():
            return np.broadcast_shapes(*shapes)
        case ops.Poly() | ops.Nonlinear() | ops.Normalise():
            return first
        case ops.Histogram(edges):
            _check(len(edges) == first[0], f"{len(edges)} digits of edges, first axis has {first[0]}")
            return (*first[1:-1], math.prod(len(digit) + 1 for digit in edges))
        case ops.Sum(axes, keep) | ops.Max(axes, keep):
            _check(all(0 <= axis < len(first) for axis in axes), f"no such axes {axes}")
            kept = [1 if axis in axes else length for axis, length in enumerate(first)]
            return tuple(kept) if keep else tuple(n for axis, n in enumerate(first) if axis not in axes)
        case ops.MatMul():
            _check(first[-1] == shapes[1][-2], "inner lengths differ")
            return (*np.broadcast_shapes(first[:-2], shapes[1][:-2]), first[-2], shapes[1][-1])
        case ops.ArgMax(axis):
            return (*first[:axis], *first[axis + 1 :])
        case ops.TopK(count):
            _check(1 <= count <= first[-1], f"the last axis has only {first[-1]} elements")
            return (2, *first[:-1], count)
        case _:
            return _moved(op, *shapes)


def _moved(op: Op, *shapes: Shape) -> Shape:
    first = shapes[0]
    match op:
        case ops.Reshape(shape):
            _check(math.prod(shape) == math.prod(first), f"{math.prod(first)} elements cannot take shape {shape}")
            return shape
        case ops.Transpose(order):
            _check(sorted(order) == list(range(len(first))), f"{order} is no order of {len(first)} axes")
            return tuple(first[axis] for axis in order)
        case ops.Slice(index):
            _check(len(index) == len(first), f"{len(index)} slices for {len(first)} axes")
            return tuple(len(range(*slice(*at).indices(n))) for at, n in zip(index, first, strict=True))
        case ops.Gather(index, axis):
            _check(index.size == 0 or (0 <= index.min() and index.max() < first[axis]), f"index outside axis {axis}")
            return (*first[:axis], *index.shape, *first[axis + 1 :])
        case ops.Window(size, stride):
            counts = (window_count(n, k, s) for n, k, s in zip(first[-2:], size, stride, strict=True))
            return (*first[:-2], *counts, *size)
        case ops.Pad(widths):
            _check(len(widths) == len(first), f"{len(widths)} widths for {len(first)} axes")
            return tuple(before + n + after for (before, after), n in zip(widths, first, strict=True))
        case ops.Concat(axis):
            trimmed = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
            _check(len(trimmed) == 1, "the other axes differ")
            return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
        case _:
            raise TypeError(f"{type(op).__name__} is no op of the vocabulary")
