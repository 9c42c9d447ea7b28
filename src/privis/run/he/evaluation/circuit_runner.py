"""One client's runs of a circuit whose images lie in ciphertexts of their own or side by side, in all processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from privis.errors import Problem, ProtocolError
from privis.run.he.circuit.circuit import CircuitInput
from privis.run.he.compiler.circuit_cost import LARGE, CKKSTimings
from privis.run.he.engine import Ciphertext, Engine
from privis.run.he.evaluation.graph_execution import GraphExecution
from privis.run.he.evaluation.graph_schedule import GraphSchedule, scheduled
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts, Progress, no_progress
from privis.run.he.evaluation.operation_graph import (
    GraphNode,
    GraphRecorder,
    Operation,
    OperationGraph,
    Weight,
    WeightKey,
)
from privis.run.he.evaluation.worker_group import GroupChannel, as_file, content
from privis.run.he.wire.ciphertext_messages import MessageKind, read

if TYPE_CHECKING:
    from privis.run.he.compiler.prepared_program import EvaluationSpec
    from privis.run.he.compiler.program_specification import Spec

_OUTPUT, _IMAGE = 1 << 32, 1 << 33  # what numbers of messages are made of, beside the number of an operation


@dataclass(eq=False)
class _WeightRecorder(Plaintexts):
    """Names weights as they are kept, and keeps none."""

    def get(self, key: WeightKey, size: int, make: Callable[[], Weight]) -> Weight:
        """What ``make`` returns without its numbers, which are made again where they are encoded."""
        return replace(make(), numbers=lambda: make().numbers, key=key, size=size)


def loading(
    spec: Spec | EvaluationSpec, engine: Engine, parts: Sequence[bytes]
) -> list[list[Callable[[], Ciphertext]]]:
    """For each source of an image its ciphertexts, from the message's ``parts``, loaded when they are asked for.

    Loading raises ProtocolError for ciphertexts of other parameters, level or scale.
    """

    def load(data: bytes, level: int) -> Ciphertext:
        x = engine.load(data)
        if engine.level(x) != level or abs(engine.scale(x) / spec.scale - 1) > 1e-9:
            got = f"a ciphertext at level {engine.level(x)} and scale 2^{engine.scale(x):.3g}"
            raise ProtocolError(Problem("query", got, f"level {level} and scale {spec.scale:.3g}"))
        return x

    own = iter(parts)
    return [[partial(load, next(own), slots.level) for _ in range(slots.layout.ciphertexts)] for slots in spec.sources]


def recorded(interpreter: CircuitInterpreter) -> OperationGraph:
    """All that ``interpreter`` does for one image, or for those that lie side by side."""
    arrangement, recorder = interpreter.choice.arrangement, GraphRecorder(interpreter.engine)
    circuit = arrangement.circuit
    inputs = [
        [recorder.input(arrangement.levels[index], interpreter.choice.scale) for _ in range(layout.ciphertexts)]
        for index, (step, layout) in enumerate(zip(circuit.steps, arrangement.layouts, strict=True))
        if isinstance(step, CircuitInput)
    ]
    outputs = replace(interpreter, engine=recorder, plaintexts=_WeightRecorder(0)).run(inputs)
    return recorder.graph([x for output in outputs for x in output])


@dataclass(frozen=True, eq=False)
class CircuitWork:
    """What every process does for a query: whole images of its own, and its part of those that all share."""

    interpreter: CircuitInterpreter
    spec: Spec | EvaluationSpec

    @property
    def processes(self) -> int:
        """How many share the work."""
        return self.interpreter.plaintexts.processes

    @cached_property
    def graph(self) -> OperationGraph:
        """The operations of one image."""
        return recorded(self.interpreter)

    def schedule(self, processes: int) -> GraphSchedule:
        """Who does which operation, by the timings of this machine."""
        machine, degree = CKKSTimings.of_this_machine(), self.interpreter.engine.parameters.degree
        keys = {node.weight.key: node.weight.size for node in self.graph.nodes if node.weight and node.weight.key}
        missing = max(0.0, 1 - self.interpreter.plaintexts.limit / max(sum(keys.values()), 1))

        def cost(node: GraphNode) -> float:
            primes = (node.level + 1 + (node.operation is Operation.RESCALE)) * degree / LARGE
            encoded = node.weight is not None and node.weight.key is not None
            match node.operation:
                case Operation.ROTATE | Operation.CONJUGATE | Operation.RELINEARISE:
                    return machine.switching(node.level, degree)
                case Operation.MULTIPLY:
                    return primes * machine.multiply
                case Operation.MULTIPLY_PLAIN:
                    return primes * (machine.plain + missing * machine.encode * encoded)
                case Operation.RESCALE:
                    return primes * machine.rescale
                case _:
                    return primes * machine.add

        def passing(node: GraphNode) -> tuple[float, float]:
            primes = (node.level + 1) * degree / LARGE
            return primes * machine.write, primes * machine.read

        return scheduled(self.graph, processes, cost, passing)

    @cached_property
    def alone(self) -> GraphSchedule:
        """Of one process."""
        return self.schedule(1)

    @cached_property
    def shared(self) -> GraphSchedule:
        """Of all processes."""
        return self.schedule(self.processes)

    def plan(self) -> None:
        """Write down and share out everything now, so that processes forked later have one plan."""
        if self.processes > 1:
            self.shared  # noqa: B018 - kept
        self.alone  # noqa: B018

    def __call__(self, channel: GroupChannel, query: bytes, progress: Progress = no_progress) -> list[list[bytes]]:
        """The results of each image of ``query``, in process 0; parts of them elsewhere."""
        parts, each = read(MessageKind.QUERY, self.spec.digest, query), self.spec.queried
        images = [parts[start : start + each] for start in range(0, len(parts), each)]
        whole = len(images) - len(images) % self.processes
        replies: list[dict[int, bytes]] = [{} for _ in images]
        mine = [*range(channel.rank, whole, self.processes), *range(whole, len(images))]
        for done, image in enumerate(mine):
            inputs = [load for source in loading(self.spec, self.interpreter.engine, images[image]) for load in source]
            alone = image < whole
            schedule = self.alone if alone else self.shared
            exchange = None if self.processes == 1 else _Exchange(channel, self.interpreter, image)
            execution = GraphExecution(
                self.graph, schedule, 0 if alone else channel.rank, self.interpreter.engine, self.interpreter.plaintexts
            )

            def told(share: float, done: int = done) -> None:
                progress((done + share) / len(mine))

            outputs = execution.run(lambda number, inputs=inputs: inputs[number](), exchange, told)
            for node, x in outputs.items():
                scale = next(scale for output, scale in self.graph.outputs if output == node)
                data = self.interpreter.engine.save(self.interpreter.engine.at_scale(x, scale))
                if channel.rank == 0:
                    replies[image][node] = data
                else:
                    with as_file(data) as file:
                        channel.send(0, image * _IMAGE + _OUTPUT + node, file)
        if channel.rank:
            return []
        for image, found in enumerate(replies):
            for node, _ in self.graph.outputs:
                if node not in found:
                    sender = image % self.processes if image < whole else self.shared.owners[node]
                    found[node] = content(channel.receive(sender, image * _IMAGE + _OUTPUT + node))
        return [[found[node] for node, _ in self.graph.outputs] for found in replies]


@dataclass(frozen=True, eq=False)
class _Exchange:
    """Ciphertexts of one image."""

    channel: GroupChannel
    interpreter: CircuitInterpreter
    image: int

    def send(self, receivers: Sequence[int], number: int, x: Ciphertext) -> None:
        """Pass the result of operation ``number`` on to processes."""
        with as_file() as file:
            self.interpreter.engine.write(x, file)
            for receiver in receivers:
                self.channel.send(receiver, self.image * _IMAGE + number, file)

    def receive(self, sender: int, number: int, meanwhile: Callable[[], bool]) -> Ciphertext:
        """The result of operation ``number``; does ``meanwhile`` until it comes."""
        file = self.channel.receive(sender, self.image * _IMAGE + number, meanwhile)
        try:
            return self.interpreter.engine.read(file)
        finally:
            os.close(file)
