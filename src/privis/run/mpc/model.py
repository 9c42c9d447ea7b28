"""Networks before they run on shares: layers folded into one, and weights that nobody but their owner may see."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, UnsupportedError, refuse
from privis.program import Input, Program, Value, apply, ops, trace
from privis.program.graph import Node

Array = NDArray[np.floating]


def folded(program: Program) -> Program:
    """Scale the kernels instead of what comes out of them, where an ``Affine`` alone follows a ``Conv``.

    It saves a truncation of every result. Nodes keep their numbers.
    """
    first = len(program.inputs)
    uses = [operand for node in program.nodes for operand in node.operands] + list(program.outputs)
    nodes = list(program.nodes)
    for index, node in enumerate(program.nodes):
        source = node.operands[0] - first
        before = nodes[source].op if source >= 0 else None
        if isinstance(node.op, ops.Affine) and isinstance(before, ops.Conv) and uses.count(source + first) == 1:
            scale = _per_channel(np.asarray(node.op.scale, np.float64), len(before.kernel))
            if scale is not None:
                kernel = before.kernel * scale[:, None, None, None]
                nodes[source] = Node(dataclasses.replace(before, kernel=kernel), nodes[source].operands)
                nodes[index] = Node(ops.Affine(1.0, node.op.bias), node.operands)
    return Program(program.inputs, tuple(nodes), program.outputs)


def _per_channel(scale: Array, channels: int) -> Array | None:
    """One factor per output channel, or None where ``scale`` is more or less than that."""
    fits = scale.shape[-3:] == (channels, 1, 1) and scale.size == channels
    return scale.reshape(channels) if fits else None


@dataclass(frozen=True, eq=False)
class PrivateModel:
    """A program whose weights are inputs, and the weights, which stay with their owner.

    ``program`` takes the inputs of the network and then one more for every element of ``arrays``. Public are the
    architecture, the shapes, single numbers, and for every array the bound that its input declares.
    """

    program: Program
    arrays: tuple[Array, ...]


def private_model(program: Program, bounds: Sequence[float] | None = None) -> PrivateModel:
    """Turn the arrays of ``Conv``, ``Dense`` and ``Affine`` into secret inputs.

    ``bounds``: the largest magnitude of each array that its owner makes public; None takes the next power of two,
    which says no more than one exponent per array. Raises UnsupportedError where a dilated convolution, whose windows
    have no form between secrets, is left.

    >>> from privis.program import Input, trace
    >>> made = private_model(trace(lambda x: x >> ops.Dense(np.ones((2, 3))), Input((3,))))
    >>> [x.shape for x in made.program.inputs], made.program.output_shapes
    ([(3,), (2, 3)], ((2,),))
    """
    program = folded(program)
    refuse(UnsupportedError, _problems(program))
    arrays = tuple(array for node in program.nodes for array in _arrays(node))
    largest = [2.0 ** math.ceil(math.log2(max(float(np.abs(a).max()), 2.0**-20))) for a in arrays]
    bounds = largest if bounds is None else bounds
    declared = [Input(a.shape, -bound, bound, None) for a, bound in zip(arrays, bounds, strict=True)]

    def network(*values: Value) -> tuple[Value, ...]:
        images, weights = values[: len(program.inputs)], iter(values[len(program.inputs) :])
        results = program.read(lambda _, node, operands: _secret(node, operands, weights), images)
        return tuple(results[output] for output in program.outputs)

    return PrivateModel(trace(network, *program.inputs, *declared), arrays)


def _problems(program: Program) -> list[Problem]:
    return [
        Problem(program.where(index), f"dilation {node.op.dilation}", "dilation (1, 1)", "keep this model public")
        for index, node in enumerate(program.nodes)
        if isinstance(node.op, ops.Conv) and node.op.dilation != (1, 1)
    ]


def _arrays(node: Node) -> list[Array]:
    match node.op:
        case ops.Conv(kernel):
            return [kernel]
        case ops.Dense(matrix):
            return [matrix]
        case ops.Affine(scale, bias):
            return [value for value in (scale, bias) if isinstance(value, np.ndarray) and value.ndim]
    return []


def _secret(node: Node, operands: list[Value], weights: Iterator[Value]) -> Value:
    """The same node with its arrays taken from ``weights``."""
    x = operands[0]
    match node.op:
        case ops.Conv():
            return _conv(node.op, x, next(weights))
        case ops.Dense():
            product = x.reshape(-1, x.shape[-1]) @ next(weights).transpose(1, 0)
            return product.reshape(*x.shape[:-1], product.shape[1])
        case ops.Affine(scale, bias):
            x = x * (next(weights) if np.ndim(scale) else float(scale))
            return x + (next(weights) if np.ndim(bias) else float(bias))
    return apply(node.op, *operands)


def _conv(op: ops.Conv, x: Value, kernel: Value) -> Value:
    """Windows times kernel, a product for each group."""
    outputs, inputs, rows, columns = kernel.shape
    lead, (channels, height, width) = x.shape[:-3], x.shape[-3:]
    top, left, bottom, right = op.pad
    x = x.reshape(-1, channels, height, width)
    if any(op.pad):
        x = x >> ops.Pad(((0, 0), (0, 0), (top, bottom), (left, right)))
    taken = x >> ops.Window((rows, columns), op.stride)
    images, _, below, across = taken.shape[:4]
    taken = taken.reshape(images, op.groups, inputs, below, across, rows * columns).transpose(1, 0, 3, 4, 2, 5)
    taken = taken.reshape(op.groups, images * below * across, inputs * rows * columns)
    weights = kernel.reshape(op.groups, outputs // op.groups, inputs * rows * columns).transpose(0, 2, 1)
    result = (taken @ weights).reshape(op.groups, images, below, across, outputs // op.groups)
    return result.transpose(1, 0, 4, 2, 3).reshape(*lead, outputs, below, across)
