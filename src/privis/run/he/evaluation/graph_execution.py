"""One process's part of a graph of operations, on ciphertexts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from privis.run.he.compiler.circuit_cost import MOST_AHEAD
from privis.run.he.engine import Ciphertext, Engine, Plaintext
from privis.run.he.evaluation.graph_schedule import GraphSchedule
from privis.run.he.evaluation.interpreter import Plaintexts
from privis.run.he.evaluation.operation_graph import GraphNode, Operation, OperationGraph, Weight

Progress = Callable[[float], None]


class Exchange(Protocol):
    """How one process passes ciphertexts to others and takes theirs."""

    def send(self, receivers: Sequence[int], number: int, x: Ciphertext) -> None:
        """Pass the result of operation ``number`` on to processes."""
        ...

    def receive(self, sender: int, number: int, meanwhile: Callable[[], bool]) -> Ciphertext:
        """The result of operation ``number``, which another process passes on; does ``meanwhile`` until it comes."""
        ...


@dataclass(eq=False)
class _Ahead:
    """Weights that will be needed soon, encoded while there is nothing else to do."""

    weights: Sequence[tuple[int, Weight]]  # by place in the order
    make: Callable[[Weight], Plaintext]
    at: int = 0
    following: int = 0
    held: int = 0
    made: dict[int, Plaintext] = field(default_factory=dict)

    def one(self) -> bool:
        """Encode one more; False where enough are."""
        while self.following < len(self.weights) and self.weights[self.following][0] < self.at:
            self.following += 1
        if self.following == len(self.weights) or self.held >= MOST_AHEAD:
            return False
        place, weight = self.weights[self.following]
        self.following += 1
        self.made[place] = self.make(weight)
        self.held += weight.size
        return True

    def take(self, weight: Weight) -> Plaintext:
        """The weight of the operation that is being done."""
        if self.at in self.made:
            self.held -= weight.size
            return self.made.pop(self.at)
        return self.make(weight)


@dataclass(frozen=True, eq=False)
class GraphExecution:
    """What one process runs, any number of times.

    Args:
        graph: all operations.
        schedule: who does which.
        rank: number of this process.
        engine: with the keys.
        plaintexts: cache of encoded weights.
    """

    graph: OperationGraph
    schedule: GraphSchedule
    rank: int
    engine: Engine
    plaintexts: Plaintexts

    def run(
        self,
        load: Callable[[int], Ciphertext],
        exchange: Exchange | None = None,
        progress: Progress = lambda share: None,
    ) -> dict[int, Ciphertext]:
        """Do this process's operations.

        Args:
            load: gives an input by its number.
            exchange: to the other processes; None where there are none.
            progress: told the share that is done, in [0, 1].

        Returns:
            The outputs that are made here, by their nodes.
        """
        graph, order, engine = self.graph, self.schedule.orders[self.rank], self.engine.reusing()
        wanted = {node for node, _ in graph.outputs if max(self.schedule.owners[node], 0) == self.rank}
        left = Counter(operand for number in order for operand in graph.nodes[number].operands)
        left.update(wanted)
        values: dict[int, Ciphertext] = {}
        named = ((place, graph.nodes[number].weight) for place, number in enumerate(order))
        ahead = _Ahead([(place, weight) for place, weight in named if weight and weight.key], self._plain)

        def value(number: int) -> Ciphertext:
            if number not in values:
                node = graph.nodes[number]
                if node.operation is Operation.INPUT:
                    values[number] = load(node.step)
                else:
                    assert exchange is not None and self.schedule.owners[number] != self.rank, "out of order"
                    values[number] = exchange.receive(self.schedule.owners[number], number, ahead.one)
            return values[number]

        for place, number in enumerate(order):
            ahead.at = place
            node = graph.nodes[number]
            operands = [value(operand) for operand in node.operands]
            left.subtract(node.operands)
            own = [left[operand] == 0 for operand in node.operands]
            for operand in node.operands:
                if left[operand] == 0:
                    values.pop(operand, None)
            made = _performed(engine, node, operands, own, ahead)
            if receivers := self.schedule.receivers.get(number, ()):
                assert exchange is not None
                exchange.send(receivers, number, made)
            if left[number]:
                values[number] = made
            progress((place + 1) / len(order))
        return {number: value(number) for number in wanted}

    def _plain(self, weight: Weight) -> Plaintext:
        if weight.key is None:
            return weight.encoded(self.engine)
        return self.plaintexts.get(weight.key, weight.size, lambda: weight.encoded(self.engine))


def _performed(
    engine: Engine, node: GraphNode, operands: Sequence[Ciphertext], own: Sequence[bool], ahead: _Ahead
) -> Ciphertext:
    """``own``: nobody reads the operand afterwards, so that it may be written over."""
    xs = [engine.at_scale(x, scale) for x, scale in zip(operands, node.scales, strict=True)]
    match node.operation:
        case Operation.ADD_PLAIN:
            assert node.weight is not None
            made = engine.add_plain(xs[0], ahead.take(node.weight))
        case Operation.MULTIPLY_PLAIN:
            assert node.weight is not None
            made = engine.multiply_plain(xs[0], ahead.take(node.weight))
        case Operation.NEGATIVE:
            made = engine.negative(xs[0])
        case Operation.ADD:
            made = _sum(engine, xs, own)
        case Operation.MULTIPLY:
            made = engine.multiply(xs[0], xs[0] if node.operands[0] == node.operands[1] else xs[1])
        case Operation.RELINEARISE:
            made = engine.relinearise(xs[0] if own[0] else engine.copy(xs[0]))
        case Operation.RESCALE:
            made = engine.rescale(xs[0], node.scale)
        case Operation.LOWER:
            made = engine.lower(xs[0], node.level)
        case Operation.ROTATE:
            made = engine.rotate(xs[0], node.step)
        case Operation.CONJUGATE:
            made = engine.conjugate(xs[0])
        case _:
            raise AssertionError("inputs are given")
    for place, x in enumerate(xs):
        if own[place] and not any(x is kept for kept in (made, *xs[:place])):
            engine.discard(x)
    return engine.at_scale(made, node.scale)


def _sum(engine: Engine, xs: Sequence[Ciphertext], own: Sequence[bool]) -> Ciphertext:
    if own[0] and xs[0] is not xs[1]:
        return engine.accumulate(xs[0], xs[1])
    if own[1] and xs[0] is not xs[1]:
        return engine.accumulate(xs[1], xs[0])
    return engine.add(*xs)
