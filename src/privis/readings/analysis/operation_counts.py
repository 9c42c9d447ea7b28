"""Reading ``cost``: what a program takes, counted before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from privis.program import Program, ops
from privis.program.graph import Node
from privis.program.ops import Op
from privis.program.shapes import Shape


@dataclass(frozen=True)
class Cost:
    """Predicted or measured cost, the same type for both; None is "not known", never zero.

    ``operations``: multiply-adds and elementwise steps in the clear. ``memory``: bytes of all values alive at once in
    float32. ``products`` and ``comparisons``: elements of secret-by-secret products and of comparisons, the currency
    of secret sharing. ``depth``: CKKS levels of a polynomial program. ``rotations``: slot rotations of a plan.
    ``rounds`` and ``sent``: messages one after another, and bytes a party sends. ``seconds``: wall-clock time.
    """

    operations: int | None = None
    memory: int | None = None
    products: int | None = None
    comparisons: int | None = None
    depth: int | None = None
    rotations: int | None = None
    rounds: int | None = None
    sent: int | None = None
    seconds: float | None = None


def cost(program: Program) -> Cost:
    """Count what ``program`` takes; ``depth`` is None when it still holds non-polynomial nodes.

    >>> from privis.program import Input, trace
    >>> counted = cost(trace(lambda x: (x * x).sum(0), Input((8,))))
    >>> counted.operations, counted.memory, counted.products, counted.depth
    (16, 64, 8, 1)
    """
    shapes = program.shapes
    first = len(program.inputs)
    operations = products = comparisons = 0
    for index, node in enumerate(program.nodes):
        taken, made = [shapes[i] for i in node.operands], shapes[first + index]
        operations += _operations(node.op, taken, made)
        products += _products(node.op, taken, made)
        comparisons += _comparisons(node.op, taken, made)
    return Cost(operations, _memory(program, shapes), products, comparisons, depth(program))


def _operations(op: Op, taken: list[Shape], made: Shape) -> int:
    match op:
        case ops.Conv(kernel):
            return math.prod(made) * math.prod(kernel.shape[1:])
        case ops.Dense(matrix):
            return math.prod(made) * matrix.shape[1]
        case ops.MatMul():
            return math.prod(made) * taken[0][-1]
        case ops.Reshape() | ops.Transpose() | ops.Slice() | ops.Gather() | ops.Window() | ops.Pad() | ops.Concat():
            return 0
        case ops.Sum() | ops.Max() | ops.ArgMax() | ops.TopK():
            return math.prod(taken[0])
        case ops.Histogram(edges):
            return math.prod(taken[0]) * math.ceil(math.log2(1 + max(map(len, edges))))
        case ops.Poly(coefficients):
            return math.prod(made) * 2 * len(coefficients)
        case ops.Normalise():
            return math.prod(made) * 3
        case _:
            return math.prod(made)


def _products(op: Op, taken: list[Shape], made: Shape) -> int:
    match op:
        case ops.Mul():
            return math.prod(made)
        case ops.MatMul():
            return math.prod(made) * taken[0][-1]
        case ops.Normalise():
            return 2 * math.prod(made)
        case ops.Poly(coefficients):
            return math.prod(made) * (len(coefficients) - 1)
        case ops.Histogram(edges):
            bins = [len(digit) + 1 for digit in edges]
            return math.prod(taken[0][1:]) * sum(math.prod(bins[: k + 1]) for k in range(1, len(bins)))
        case _:
            return 0


def _comparisons(op: Op, taken: list[Shape], made: Shape) -> int:
    match op:
        case ops.Compare():
            return math.prod(made)
        case ops.Nonlinear(ops.Kind.ABS | ops.Kind.CLIP):
            return math.prod(made)
        case ops.Histogram(edges):
            return math.prod(taken[0][1:]) * sum(map(len, edges))
        case ops.Max() | ops.ArgMax() | ops.TopK():
            return math.prod(taken[0])
        case _:
            return 0


def _memory(program: Program, shapes: list[Shape]) -> int:
    """Largest sum of float32 values between their making and their last use."""
    last = {value: index for index, node in enumerate(program.nodes) for value in node.operands}
    last |= {output: len(program.nodes) for output in program.outputs}
    sizes = [4 * math.prod(shape) for shape in shapes]
    first = len(program.inputs)
    alive = peak = sum(sizes[:first])
    for index, node in enumerate(program.nodes):
        alive += sizes[first + index]
        peak = max(peak, alive)
        alive -= sum(sizes[value] for value in set(node.operands) if last[value] == index)
    return peak


def depth(program: Program) -> int | None:
    """CKKS levels without bootstrapping: a product costs one, a polynomial ``ceil(log2(degree + 1))``, adjacent linear
    ops by public weights one together; None when a node has no ciphertext form yet. One factor for all elements is
    free, for it changes what a stored 1 stands for and nothing else; so are sums of equal terms.
    """
    polynomial = (
        ops.Conv | ops.Dense | ops.Affine | ops.Add | ops.Sub | ops.Mul | ops.MatMul | ops.Sum | ops.Poly
        | ops.Reshape | ops.Transpose | ops.Slice | ops.Gather | ops.Window | ops.Pad | ops.Concat
    )  # fmt: skip
    if not all(isinstance(node.op, polynomial) for node in program.nodes):
        return None

    def rule(_: int, node: Node, operands: list[tuple[int, bool]]) -> tuple[int, bool]:
        level, linear = max(x[0] for x in operands), all(x[1] for x in operands)
        match node.op:
            case ops.Affine(scale) if np.ndim(scale) == 0:
                return level, linear
            case ops.Conv() | ops.Dense() | ops.Affine():
                return (level if linear else level + 1), True
            case ops.Mul() | ops.MatMul():
                return level + 1, False
            case ops.Poly(coefficients):
                return level + math.ceil(math.log2(len(coefficients))), False
            case _:
                return level, linear

    values = program.read(rule, [(0, False)] * len(program.inputs))
    return max((values[output][0] for output in program.outputs), default=0)
