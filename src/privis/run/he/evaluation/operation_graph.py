"""What a run does on ciphertexts, operation by operation: written down once, simplified, shared out among processes.

`GraphRecorder` is an engine that computes nothing: whatever runs on it leaves a graph. Writing it down costs
milliseconds; then operations that engines take long for are made fewer:

- equal operations on equal operands are one, also where steps of the circuit do not know of each other;
- sums are rescaled once instead of each summand, which adds less noise, too;
- sums of products are relinearised once instead of each product (lazy relinearisation: Lee, Lee, Kim and No, 2018, and
  Blatt et al., 2020, doi:10.1186/s12920-020-0719-9).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.run.he.engine import Engine, Parameters, Plaintext

WeightKey = tuple[int, int, int, int]
_EQUAL = 1e-9  # relative difference of scales that is rounding


class Operation(Enum):
    """An operation of an `Engine`, or an input."""

    INPUT = "input"
    NEGATIVE = "negative"
    ADD = "add"
    ADD_PLAIN = "add_plain"
    MULTIPLY = "multiply"
    MULTIPLY_PLAIN = "multiply_plain"
    RELINEARISE = "relinearise"
    RESCALE = "rescale"
    LOWER = "lower"
    ROTATE = "rotate"
    CONJUGATE = "conjugate"


@dataclass(frozen=True, eq=False)
class Weight:
    """A plaintext that is encoded where and when it is used.

    Args:
        numbers: one number for each slot, or one for all, or what gives them.
        level: level of the ciphertext it meets.
        scale: factor by which its numbers are stored.
        key: name under which it is kept between runs; None: single numbers, which are encoded in no time.
        size: bytes when encoded.
    """

    numbers: NDArray[Any] | float | Callable[[], NDArray[Any]]
    level: int
    scale: float
    key: WeightKey | None = None
    size: int = 0

    def encoded(self, engine: Engine) -> Plaintext:
        """Encode the numbers with ``engine``, making them first where they are a function."""
        return engine.encode(self.numbers() if callable(self.numbers) else self.numbers, self.level, self.scale)

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for weights that are surely equal."""
        single = isinstance(self.numbers, float)
        return (self.numbers if single else self.key or id(self), self.level, self.scale)


@dataclass(frozen=True, eq=False)
class GraphNode:
    """An operation on the results of others.

    Args:
        operation: what is done.
        operands: numbers of the nodes that it reads.
        level: of the result.
        scales: at which its operands are taken to be; numbers in another unit are the same ciphertext at another scale.
        scale: of the result.
        step: slots of a rotation; which input.
        weight: plaintext operand.
    """

    operation: Operation
    operands: tuple[int, ...]
    level: int
    scales: tuple[float, ...]
    scale: float
    step: int = 0
    weight: Weight | None = None


@dataclass(frozen=True, eq=False)
class OperationGraph:
    """Operations in an order in which they can be done; ``outputs``: the node and the scale of each result."""

    nodes: tuple[GraphNode, ...]
    outputs: tuple[tuple[int, float], ...]

    def count(self, operation: Operation) -> int:
        """How often ``operation`` is done."""
        return sum(node.operation is operation for node in self.nodes)


@dataclass(frozen=True)
class Recorded:
    """A ciphertext while it is written down: which node makes it, at which scale it is taken to be."""

    node: int
    scale: float


@dataclass(eq=False)
class GraphRecorder:
    """An engine that writes down what it is asked for; ``ready`` encodes where it matters whether a weight is zero."""

    ready: Engine
    nodes: list[GraphNode] = field(default_factory=list)
    known: dict[tuple[Any, ...], int] = field(default_factory=dict)

    @property
    def parameters(self) -> Parameters:
        """Ring degree and bits of the primes."""
        return self.ready.parameters

    @property
    def primes(self) -> tuple[int, ...]:
        """``primes[l]`` divides the scale when a ciphertext of level ``l`` is rescaled."""
        return self.ready.primes

    def input(self, level: int, scale: float) -> Recorded:
        """The next input, encrypted at ``level`` and ``scale``."""
        number = sum(node.operation is Operation.INPUT for node in self.nodes)
        self.nodes.append(GraphNode(Operation.INPUT, (), level, (), scale, number))
        return Recorded(len(self.nodes) - 1, scale)

    def encode(self, values: NDArray[Any] | float, level: int, scale: float) -> Weight:
        """Numbers, at most one per slot (real or complex), or one for all slots: encoded later."""
        numbers = values if isinstance(values, np.ndarray) else float(values)
        return Weight(numbers, level, scale)

    def is_zero(self, x: Weight) -> bool:
        """Whether nothing is left of the numbers at the plaintext's scale."""
        if isinstance(x.numbers, float):
            return abs(x.numbers * x.scale) < 0.5
        numbers = x.numbers() if callable(x.numbers) else x.numbers
        energy = 2 * float((np.abs(numbers) ** 2).sum()) / self.parameters.degree**2  # mean square of the coefficients
        return x.scale**2 * energy < 1.0 and self.ready.is_zero(x.encoded(self.ready))

    def level(self, x: Recorded) -> int:
        """Number of rescalings that a ciphertext can still take."""
        return self.nodes[x.node].level

    def scale(self, x: Recorded) -> float:
        """Factor by which the numbers are stored."""
        return x.scale

    def at_scale(self, x: Recorded, scale: float) -> Recorded:
        """``x`` at ``scale``: another unit of its numbers, for free."""
        return replace(x, scale=scale)

    def copy(self, x: Recorded) -> Recorded:
        """``x`` itself, because what is written down never changes."""
        return x

    def reusing(self) -> GraphRecorder:
        """This recorder: what is written down never changes."""
        return self

    def discard(self, x: Recorded) -> None:
        """Nothing: whoever runs the graph sees what is read for the last time."""

    def negative(self, x: Recorded) -> Recorded:
        """Negate the numbers of all slots."""
        return self._made(Operation.NEGATIVE, (x,), self.level(x), x.scale)

    def add(self, x: Recorded, y: Recorded) -> Recorded:
        """Add slot by slot; same level, scales equal up to rounding."""
        if self.level(x) != self.level(y) or abs(x.scale / y.scale - 1) > _EQUAL:
            raise AssertionError(f"levels {self.level(x)} and {self.level(y)}, scales {x.scale} and {y.scale}")
        return self._made(Operation.ADD, (x, y), self.level(x), x.scale)

    def add_plain(self, x: Recorded, y: Weight) -> Recorded:
        """Add a plaintext slot by slot; same level and scale."""
        return self._made(Operation.ADD_PLAIN, (x,), self.level(x), x.scale, weight=y)

    def accumulate(self, total: Recorded | None, x: Recorded) -> Recorded:
        """``total + x``; None counts as zero."""
        return x if total is None else self.add(total, x)

    def multiply(self, x: Recorded, y: Recorded) -> Recorded:
        """Multiply slot by slot, same level."""
        return self._made(Operation.MULTIPLY, (x, y), self.level(x), x.scale * y.scale)

    def multiply_plain(self, x: Recorded, y: Weight) -> Recorded:
        """Multiply by a plaintext slot by slot; same level."""
        return self._made(Operation.MULTIPLY_PLAIN, (x,), self.level(x), x.scale * y.scale, weight=y)

    def relinearise(self, x: Recorded) -> Recorded:
        """Bring a product back to two polynomials; its numbers stay."""
        return self._made(Operation.RELINEARISE, (x,), self.level(x), x.scale)

    def rescale(self, x: Recorded, scale: float) -> Recorded:
        """One level lower; ``scale`` is the exact scale the caller knows it to have then."""
        return self._made(Operation.RESCALE, (x,), self.level(x) - 1, scale)

    def lower(self, x: Recorded, level: int) -> Recorded:
        """Drop to a lower level; numbers and scale stay."""
        return x if self.level(x) == level else self._made(Operation.LOWER, (x,), level, x.scale)

    def rotate(self, x: Recorded, step: int) -> Recorded:
        """By ``step`` slots."""
        step %= self.parameters.slots
        return x if step == 0 else self._made(Operation.ROTATE, (x,), self.level(x), x.scale, step)

    def conjugate(self, x: Recorded) -> Recorded:
        """The complex conjugate, slot by slot."""
        return self._made(Operation.CONJUGATE, (x,), self.level(x), x.scale)

    def save(self, x: Recorded) -> bytes:
        """Nothing that is written down can be saved."""
        raise NotImplementedError

    def load(self, data: bytes) -> Recorded:
        """Inputs are `input`."""
        raise NotImplementedError

    def write(self, x: Recorded, file: int) -> None:
        """Nothing that is written down can be passed on."""
        raise NotImplementedError

    def read(self, file: int) -> Recorded:
        """Inputs are `input`."""
        raise NotImplementedError

    def graph(self, outputs: Sequence[Recorded]) -> OperationGraph:
        """What was written down, simplified, as far as ``outputs`` need it."""
        made = OperationGraph(tuple(self.nodes), tuple((x.node, x.scale) for x in outputs))
        return _used(_relinearised_late(_rescaled_late(_used(made))))

    def _made(
        self,
        operation: Operation,
        operands: tuple[Recorded, ...],
        level: int,
        scale: float,
        step: int = 0,
        weight: Weight | None = None,
    ) -> Recorded:
        numbers, scales = tuple(x.node for x in operands), tuple(x.scale for x in operands)
        key = (operation, numbers, scales, level, scale, step, weight and weight.identity)
        if key not in self.known:
            self.known[key] = len(self.nodes)
            self.nodes.append(GraphNode(operation, numbers, level, scales, scale, step, weight))
        return Recorded(self.known[key], scale)


def _used(graph: OperationGraph) -> OperationGraph:
    """Without what no output needs; inputs stay."""
    needed = [node.operation is Operation.INPUT for node in graph.nodes]
    for output, _ in graph.outputs:
        needed[output] = True
    for number in reversed(range(len(graph.nodes))):
        if needed[number]:
            for operand in graph.nodes[number].operands:
                needed[operand] = True
    place, nodes = [0] * len(needed), []
    for number, node in enumerate(graph.nodes):
        if needed[number]:
            place[number] = len(nodes)
            nodes.append(replace(node, operands=tuple(place[operand] for operand in node.operands)))
    return OperationGraph(tuple(nodes), tuple((place[node], scale) for node, scale in graph.outputs))


def _rescaled_late(graph: OperationGraph) -> OperationGraph:
    """Sums of what was rescaled by the same prime, rescaled afterwards."""

    def merged(nodes: list[GraphNode], total: GraphNode) -> GraphNode | None:
        left, right = (nodes[operand] for operand in total.operands)
        if left.operation is not Operation.RESCALE or right.operation is not Operation.RESCALE:
            return None
        scale = left.scales[0] * total.scales[0] / left.scale
        operands = (*left.operands, *right.operands)
        nodes.append(GraphNode(Operation.ADD, operands, total.level + 1, (scale, scale), scale))
        return GraphNode(Operation.RESCALE, (len(nodes) - 1,), total.level, (scale,), total.scale)

    return _sums_replaced(graph, merged)


def _relinearised_late(graph: OperationGraph) -> OperationGraph:
    """Sums of products, relinearised afterwards."""

    def merged(nodes: list[GraphNode], total: GraphNode) -> GraphNode | None:
        is_product = [nodes[operand].operation is Operation.RELINEARISE for operand in total.operands]
        if not any(is_product):
            return None
        operands = tuple(
            nodes[operand].operands[0] if late else operand
            for operand, late in zip(total.operands, is_product, strict=True)
        )
        nodes.append(replace(total, operands=operands))
        return GraphNode(Operation.RELINEARISE, (len(nodes) - 1,), total.level, (total.scale,), total.scale)

    return _sums_replaced(graph, merged)


def _sums_replaced(
    graph: OperationGraph, merged: Callable[[list[GraphNode], GraphNode], GraphNode | None]
) -> OperationGraph:
    """``merged`` of every sum whose summands nothing else reads; it may append nodes and return the last one."""
    uses = Counter(operand for node in graph.nodes for operand in node.operands)
    uses.update(output for output, _ in graph.outputs)
    place: list[int] = []
    nodes: list[GraphNode] = []
    for node in graph.nodes:
        own = replace(node, operands=tuple(place[operand] for operand in node.operands))
        if node.operation is Operation.ADD and all(uses[o] == node.operands.count(o) for o in node.operands):
            own = merged(nodes, own) or own
        place.append(len(nodes))
        nodes.append(own)
    return _used(OperationGraph(tuple(nodes), tuple((place[output], scale) for output, scale in graph.outputs)))
