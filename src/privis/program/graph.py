"""``Program``: a graph of ops, and ``trace``, which writes one down by running a Python function on ``Value``s."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from privis.errors import Problem, ProgramError
from privis.program import ops
from privis.program.ops import Constant, Kind, Op
from privis.program.shapes import Shape, shape_of

T = TypeVar("T")


@dataclass(frozen=True)
class Input:
    """An input tensor: its shape, the closed interval its elements lie in, and their grid (None: any real number)."""

    shape: Shape
    low: float = 0.0
    high: float = 255.0
    step: float | None = 1.0


@dataclass(frozen=True, eq=False)
class Node:
    """An op and the values it reads: inputs come first, then the nodes in order."""

    op: Op
    operands: tuple[int, ...]


@dataclass(frozen=True)
class Region:
    """A run of nodes that computes one well-known thing, named by its standard term.

    A hint: an executor may own a faster way to compute ``name`` (its constants are read from the nodes themselves) and
    every other reading never looks. Of all this only ``polynomial``, and what it stands for, is part of the digest.

    ``polynomial`` is the same thing from the same inputs, written by the feature with few products one after another:
    what ``readings.polynomialise`` puts in the place of the nodes. It may differ from them by a small error of its own,
    which the feature states and tests; domains that it declares are the feature's to prove.
    """

    name: str
    first: int
    last: int
    inputs: tuple[int, ...]
    polynomial: Program | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """A directed acyclic graph of ops with static shapes.

    ``values`` counts from the inputs on: value ``len(inputs) + k`` is the result of node ``k``.

    >>> double = trace(lambda x: x * 2.0, Input((3,)))
    >>> (double >> double).shapes[-1]
    (3,)
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    regions: tuple[Region, ...] = ()

    def read(self, rule: Callable[[int, Node, list[T]], T], inputs: Sequence[T]) -> list[T]:
        """Walk the graph once: ``rule(node index, node, operand values)``; the loop that every reading shares."""
        values = list(inputs)
        for index, node in enumerate(self.nodes):
            values.append(rule(index, node, [values[operand] for operand in node.operands]))
        return values

    @cached_property
    def shapes(self) -> list[Shape]:
        """The shape of every value."""
        return self.read(lambda _, node, shapes: shape_of(node.op, *shapes), [x.shape for x in self.inputs])

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """The shapes of the outputs."""
        shapes = self.shapes
        return tuple(shapes[output] for output in self.outputs)

    def __rshift__(self, after: Program) -> Program:
        """Feed this program's outputs to the inputs of ``after``; ProgramError when the shapes differ.

        What ``after`` declares of the ranges of its inputs is not compared here: `privis.readings.composed` does.
        """
        if not isinstance(after, Program):  # a head, say, knows what a program is to it
            return NotImplemented
        got, expected = self.output_shapes, tuple(x.shape for x in after.inputs)
        if got != expected:
            remedy = "put a Reshape between them"
            raise ProgramError(Problem("Program >> Program", f"outputs {got}", f"inputs {expected}", remedy))
        offset = len(self.inputs) + len(self.nodes) - len(after.inputs)
        rename = [*self.outputs, *(range(len(after.inputs) + offset, len(after.inputs) + offset + len(after.nodes)))]
        nodes = tuple(Node(n.op, tuple(rename[i] for i in n.operands)) for n in after.nodes)
        regions = tuple(
            dataclasses.replace(
                r,
                first=r.first + len(self.nodes),
                last=r.last + len(self.nodes),
                inputs=tuple(rename[i] for i in r.inputs),
            )
            for r in after.regions
        )
        outputs = tuple(rename[i] for i in after.outputs)
        return Program(self.inputs, self.nodes + nodes, outputs, self.regions + regions)

    def where(self, index: int) -> str:
        """Name node ``index`` for a message."""
        return f"node {index} {type(self.nodes[index].op).__name__}"


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor while a program is written down; each operation on it appends one node."""

    nodes: list[Node]
    regions: list[Region]
    inputs: int
    index: int
    shape: Shape

    __array_ufunc__ = None  # numpy arrays on the left leave the operator to this class

    def __rshift__(self, op: Op) -> Value:
        return apply(op, self)

    def __add__(self, other: Value | Constant) -> Value:
        return apply(ops.Add(), self, other) if isinstance(other, Value) else self >> ops.Affine(1.0, other)

    def __sub__(self, other: Value | Constant) -> Value:
        if isinstance(other, Value):
            return apply(ops.Sub(), self, other)
        return self >> ops.Affine(1.0, -np.asarray(other) if np.ndim(other) else -float(other))

    def __rsub__(self, other: Constant) -> Value:
        return self >> ops.Affine(-1.0, other)

    def __mul__(self, other: Value | Constant) -> Value:
        return apply(ops.Mul(), self, other) if isinstance(other, Value) else self >> ops.Affine(other)

    def __matmul__(self, other: Value) -> Value:
        return apply(ops.MatMul(), self, other)

    __radd__, __rmul__ = __add__, __mul__

    def __getitem__(self, at: int | slice | tuple[int | slice, ...]) -> Value:
        """Basic indexing with integers and forward slices."""
        index = at if isinstance(at, tuple) else (at,)
        index = index + (slice(None),) * (len(self.shape) - len(index))
        ranges = [
            slice(i % n, i % n + 1).indices(n) if isinstance(i, int) else i.indices(n)
            for i, n in zip(index, self.shape, strict=True)
        ]
        whole = all(r == (0, n, 1) for r, n in zip(ranges, self.shape, strict=True))
        cut = self if whole else self >> ops.Slice(tuple(ranges))
        kept = tuple(n for i, n in zip(index, cut.shape, strict=True) if not isinstance(i, int))
        return cut if kept == cut.shape else cut.reshape(*kept)

    def reshape(self, *shape: int) -> Value:
        """Keep the elements and their C order, with another shape; one length may be -1."""
        if -1 in shape:
            known = -math.prod(shape)
            shape = tuple(math.prod(self.shape) // known if n == -1 else n for n in shape)
        return self if shape == self.shape else self >> ops.Reshape(shape)

    def transpose(self, *order: int) -> Value:
        """Axes in another order."""
        return self >> ops.Transpose(order)

    def sum(self, *axes: int, keep: bool = False) -> Value:
        """Sum over ``axes``, which may count from the end."""
        return self >> ops.Sum(tuple(axis % len(self.shape) for axis in axes), keep)

    def compare(self, threshold: Constant = 0.0, *, step: float = 1.0, exact: bool = True) -> Value:
        """1 where this is at least ``threshold``, else 0; see ``ops.Compare``."""
        return self >> ops.Compare(threshold, step, exact)

    def sqrt(self, domain: tuple[float, float] | None = None, *, degree: int = 15) -> Value:
        """Square root, of 0 where this is negative."""
        return self >> ops.Nonlinear(Kind.SQRT, domain, degree=degree)

    def abs(self, domain: tuple[float, float] | None = None) -> Value:
        """Absolute value of every element."""
        return self >> ops.Nonlinear(Kind.ABS, domain)

    def clip(self, low: float, high: float, domain: tuple[float, float] | None = None) -> Value:
        """No less than ``low``, no more than ``high``."""
        return self >> ops.Nonlinear(Kind.CLIP, domain, low, high)

    def relu(self) -> Value:
        """No less than 0."""
        return self.clip(0.0, math.inf)


def apply(op: Op, *operands: Value) -> Value:
    """Append ``op`` on ``operands`` to the program being traced."""
    first = operands[0]
    shape = shape_of(op, *(x.shape for x in operands))
    first.nodes.append(Node(op, tuple(x.index for x in operands)))
    return Value(first.nodes, first.regions, first.inputs, first.inputs + len(first.nodes) - 1, shape)


def concat(*values: Value, axis: int = 0) -> Value:
    """All ``values`` one after another along ``axis``."""
    return values[0] if len(values) == 1 else apply(ops.Concat(axis % len(values[0].shape)), *values)


def region(
    name: str, build: Callable[..., Value], *values: Value, polynomial: Callable[..., Value] | None = None
) -> Value:
    """Trace ``build(*values)`` and mark its nodes as the region ``name``; its last node must be its result.

    ``polynomial`` builds the alternative for polynomial forms from values of the same shapes; see ``Region``.
    """
    first = len(values[0].nodes)
    result = build(*values)
    last = len(result.nodes) - 1
    if result.index != result.inputs + last or last < first:
        raise ProgramError(Problem(f"region {name!r}", f"value {result.index} as result", "its last node"))
    alternative = None
    if polynomial is not None:
        alternative = trace(polynomial, *(Input(value.shape, -math.inf, math.inf, None) for value in values))
        if alternative.output_shapes != (result.shape,):
            got = f"a polynomial alternative of shapes {alternative.output_shapes}"
            raise ProgramError(Problem(f"region {name!r}", got, f"one output of shape {result.shape}"))
    result.regions.append(Region(name, first, last, tuple(value.index for value in values), alternative))
    return result


def trace(function: Callable[..., Value | tuple[Value, ...]], *inputs: Input) -> Program:
    """Write down the program that ``function`` computes from ``inputs``.

    >>> trace(lambda x, y: (x * y).sum(0), Input((4,)), Input((4,))).output_shapes
    ((),)
    """
    nodes: list[Node] = []
    regions: list[Region] = []
    values = [Value(nodes, regions, len(inputs), i, x.shape) for i, x in enumerate(inputs)]
    result = function(*values)
    results = result if isinstance(result, tuple) else (result,)
    return Program(inputs, tuple(nodes), tuple(value.index for value in results), tuple(regions))
