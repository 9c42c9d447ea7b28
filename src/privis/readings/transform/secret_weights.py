"""Reading ``secret_weights``: the same program with its weights as inputs, for models as secret as the images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from privis.program import Input, Program, Value, ops, trace
from privis.program.graph import Node, apply
from privis.program.shapes import window_count


@dataclass(frozen=True, eq=False)
class SecretModel:
    """``program`` computes outputs from the inputs it had before, then one input per array in ``weights``.

    What it shows to everybody: the architecture, the shapes of the weights, and for each array the power of two that
    bounds it. No weight is left inside the program, so its digest tells nothing about them.
    """

    program: Program
    weights: tuple[np.ndarray, ...]


def secret_weights(program: Program, *, public: Iterable[int] = ()) -> SecretModel:
    """Turn the kernels, matrices, scales, biases and thresholds of ``program`` into inputs.

    ``public`` are the indices of nodes that keep their constants, such as a fixed blur or the mean of a pooling
    layer; numbers that stand alone (a division by 255, a clip) always stay public. A convolution becomes windows
    times a matrix. For a batch, batch first: ``secret_weights(batched(program, 16))`` shares the weights once.

    >>> model = secret_weights(trace(lambda x: x >> ops.Dense(np.full((2, 3), 0.4)), Input((3,))))
    >>> [x.shape for x in model.program.inputs], model.program.inputs[1].high
    ([(3,), (3, 2)], 0.5)
    """
    kept = frozenset(public)
    constants: list[np.ndarray] = []
    for index, node in enumerate(program.nodes):
        constants += [] if index in kept else _constants(node.op)

    def build(*values: Value) -> tuple[Value, ...]:
        weights = _Weights(list(values[len(program.inputs) :]))

        def rule(index: int, node: Node, operands: list[Value]) -> Value:
            taken = [] if index in kept else [weights.following() for _ in _constants(node.op)]
            return _with_weights(node.op, operands, taken) if taken else apply(node.op, *operands)

        made = program.read(rule, list(values[: len(program.inputs)]))
        return tuple(made[output] for output in program.outputs)

    declared = [Input(array.shape, -bound, bound, None) for array in constants if (bound := _bound(array))]
    return SecretModel(trace(build, *program.inputs, *declared), tuple(constants))


def architecture(program: Program) -> Program:
    """Return ``program`` with every weight replaced by the power of two that bounds its array: all that is public.

    Its ``secret_weights`` have the same program, so those who compute need no more than this.

    >>> doubled = architecture(trace(lambda x: x >> ops.Dense(np.array([[0.3, -1.5]])), Input((2,))))
    >>> doubled.nodes[0].op.matrix.tolist()
    [[2.0, 2.0]]
    """
    nodes = tuple(Node(_bounded(node.op), node.operands) for node in program.nodes)
    return Program(program.inputs, nodes, program.outputs)


def _bounded(op: ops.Op) -> ops.Op:
    match op:
        case ops.Conv(kernel):
            return replace(op, kernel=np.full(kernel.shape, _bound(kernel)))
        case ops.Dense(matrix):
            return replace(op, matrix=np.full(matrix.shape, _bound(matrix)))
        case ops.Affine(scale, bias):
            return ops.Affine(_filled(scale), _filled(bias))
        case ops.Compare(threshold):
            return replace(op, threshold=_filled(threshold))
        case _:
            return op


def _filled(constant: ops.Constant) -> ops.Constant:
    return np.full(np.shape(constant), _bound(np.asarray(constant))) if np.size(constant) > 1 else constant


@dataclass(eq=False)
class _Weights:
    """The weight inputs, handed out in the order of the nodes."""

    values: list[Value]
    used: int = field(default=0)

    def following(self) -> Value:
        self.used += 1
        return self.values[self.used - 1]


def _bound(array: np.ndarray) -> float:
    """The power of two that no magnitude exceeds."""
    largest = float(np.abs(array).max(initial=0.0))
    return 2.0 ** math.ceil(math.log2(largest)) if largest > 0 else 1.0


def _constants(op: ops.Op) -> list[np.ndarray]:
    """The arrays of ``op``, in the layout that its secret form multiplies or adds."""
    match op:
        case ops.Conv(kernel, groups=groups):
            outputs = kernel.shape[0]
            return [kernel.reshape(groups, outputs // groups, -1).transpose(0, 2, 1)]  # (groups, taps, outputs)
        case ops.Dense(matrix):
            return [matrix.T]
        case ops.Affine(scale, bias):
            return [np.asarray(constant) for constant in (scale, bias) if np.size(constant) > 1]
        case ops.Compare(threshold) if np.size(threshold) > 1:
            return [np.asarray(threshold)]
        case _:
            return []


def _with_weights(op: ops.Op, operands: list[Value], weights: list[Value]) -> Value:
    x = operands[0]
    match op:
        case ops.Conv():
            return _convolution(op, x, weights[0])
        case ops.Dense():
            rows = x.reshape(-1, x.shape[-1]) @ weights[0]
            return rows.reshape(*x.shape[:-1], rows.shape[-1])
        case ops.Affine(scale, bias):
            remaining = iter(weights)
            scaled = x * (next(remaining) if np.size(scale) > 1 else scale)
            return scaled + (next(remaining) if np.size(bias) > 1 else bias)
        case ops.Compare():
            return (x - weights[0]) >> replace(op, threshold=0.0)
        case _:
            raise AssertionError(f"{type(op).__name__} has no weights")


def _convolution(op: ops.Conv, x: Value, weights: Value) -> Value:
    """Windows of all images and positions as the rows of one matrix per group."""
    *lead, channels, height, width = x.shape
    groups, taps, outputs = weights.shape
    rows, columns = op.kernel.shape[2:]
    x = x.reshape(math.prod(lead), channels, height, width)
    top, left, bottom, right = op.pad
    if any(op.pad):
        x = x >> ops.Pad(((0, 0), (0, 0), (top, bottom), (left, right)))
    below = window_count(x.shape[2], rows, op.stride[0], op.dilation[0])
    across = window_count(x.shape[3], columns, op.stride[1], op.dilation[1])
    if (rows, columns) == (1, 1):
        x = x[:, :, :: op.stride[0], :: op.stride[1]].reshape(-1, channels, below, across, 1, 1)
    else:
        size = ((rows - 1) * op.dilation[0] + 1, (columns - 1) * op.dilation[1] + 1)
        x = (x >> ops.Window(size, op.stride))[:, :, :, :, :: op.dilation[0], :: op.dilation[1]]
    images = x.shape[0]
    x = x.reshape(images, groups, channels // groups, below, across, rows, columns)
    patches = x.transpose(1, 0, 3, 4, 2, 5, 6).reshape(groups, images * below * across, taps)
    if groups == 1:
        made = (patches.reshape(-1, taps) @ weights.reshape(taps, outputs)).reshape(1, -1, outputs)
    else:
        made = patches @ weights
    ordered = made.reshape(groups, images, below, across, outputs).transpose(1, 0, 4, 2, 3)
    return ordered.reshape(*lead, groups * outputs, below, across)
