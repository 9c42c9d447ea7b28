"""The sparse matrix of every linear op, between flat tensors in C order."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from privis.program import ops
from privis.program.ops import Op
from privis.program.shapes import Shape
from privis.readings.evaluate import evaluate_op
from privis.run.he.circuit.circuit import Matrix, Vector

MOVEMENT = ops.Reshape | ops.Transpose | ops.Slice | ops.Gather | ops.Window


def selection(index: NDArray[np.int64], size: int) -> Matrix:
    """Row ``r`` picks element ``index[r]`` of ``size``; nothing where it is negative."""
    flat = index.reshape(-1)
    rows = np.flatnonzero(flat >= 0)
    return sparse.csr_array((np.ones(len(rows)), (rows, flat[rows])), shape=(flat.size, size))


def broadcast(taken: Shape, made: Shape) -> Matrix:
    """Repeat a tensor of shape ``taken`` to ``made`` as numpy does."""
    return selection(np.broadcast_to(_numbered(taken), made), math.prod(taken))


def linear_map(op: Op, taken: Shape, made: Shape) -> tuple[Matrix, Vector]:
    """Matrix and bias of a linear op with one operand."""
    nothing = np.zeros(math.prod(made))
    match op:
        case ops.Affine(scale, bias):
            factors = np.broadcast_to(np.asarray(scale, np.float64), made).reshape(-1)
            repeat = broadcast(taken, made)
            return sparse.csr_array(repeat.multiply(factors[:, None])), np.broadcast_to(bias, made).reshape(
                -1
            ) + nothing
        case ops.Pad(widths, value):
            index = np.pad(_numbered(taken) + 1, widths) - 1
            return selection(index, math.prod(taken)), np.where(index.reshape(-1) < 0, value, 0.0)
        case ops.Sum():
            ones = [1 if axis in op.axes else n for axis, n in enumerate(taken)]
            rows = np.broadcast_to(_numbered(tuple(ones)), taken).reshape(-1)
            size = math.prod(taken)
            return sparse.csr_array((np.ones(size), (rows, np.arange(size))), shape=(math.prod(made), size)), nothing
        case ops.Dense(matrix):
            lead = sparse.eye_array(math.prod(taken[:-1]), format="csr")
            return sparse.csr_array(sparse.kron(lead, sparse.csr_array(matrix.astype(np.float64)))), nothing
        case ops.Conv():
            return _convolution(op, taken, made), nothing
        case _:
            return selection(evaluate_op(op, [_numbered(taken)], np), math.prod(taken)), nothing


def _numbered(shape: Shape) -> NDArray[np.int64]:
    return np.arange(math.prod(shape)).reshape(shape)


def _convolution(op: ops.Conv, taken: Shape, made: Shape) -> Matrix:
    """One entry for every tap of every output."""
    *lead, channels, height, width = taken
    images, (outputs, inputs, rows, columns) = math.prod(lead), op.kernel.shape
    top, left, bottom, right = op.pad
    index = _numbered((images, channels, height, width)) + 1
    index = np.pad(index, ((0, 0), (0, 0), (top, bottom), (left, right))) - 1
    reach = ((rows - 1) * op.dilation[0] + 1, (columns - 1) * op.dilation[1] + 1)
    seen = np.lib.stride_tricks.sliding_window_view(index, reach, axis=(2, 3))  # type: ignore[call-overload]
    seen = seen[:, :, :: op.stride[0], :: op.stride[1], :: op.dilation[0], :: op.dilation[1]]
    places = _numbered((images, outputs, *made[-2:]))
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for output in range(outputs):
        start = output * op.groups // outputs * inputs
        for channel, r, c in zip(*np.nonzero(op.kernel[output]), strict=True):
            read = seen[:, start + channel, :, :, r, c].reshape(-1)
            write = places[:, output].reshape(-1)
            inside = read >= 0
            weight = float(op.kernel[output, channel, r, c])
            parts.append((np.full(int(inside.sum()), weight), write[inside], read[inside]))
    if not parts:  # a layer of zeros
        return sparse.csr_array((math.prod(made), math.prod(taken)), dtype=np.float64)
    values, row, column = (np.concatenate(part) for part in zip(*parts, strict=True))
    return sparse.csr_array((values, (row, column)), shape=(math.prod(made), math.prod(taken)))
