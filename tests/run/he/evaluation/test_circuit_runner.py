"""Graphs of operations, shared out among processes that stay: the same results, nobody left behind.

Answers for `privis.run.he.circuit.circuit`, too: all it says of a program is run.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import Queue

import numpy as np
import pytest

pytest.importorskip("tenseal")

from privis.program import Input, ops, trace
from privis.run.he.circuit.chebyshev import multiplied
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.evaluation.circuit_runner import recorded
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.evaluation.forked_map import WorkerError
from privis.run.he.evaluation.graph_execution import GraphExecution
from privis.run.he.evaluation.graph_schedule import scheduled
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts
from privis.run.he.evaluation.operation_graph import GraphRecorder, Operation
from privis.run.he.owner.keys import SecretKeys
from tests.run.he.backends.clear_engine import ClearEngine, encrypted


def comparison(x):
    return (x >> ops.Compare(0.25, 0.5, exact=False)).sum(1, 2)


PROGRAM = trace(comparison, Input((3, 64, 128), -1.0, 1.0, None))
OPTIONS = Options(precision=1e-2, signs=2, processes=2)


@pytest.fixture(scope="module")
def made():
    return compile_program(PROGRAM, OPTIONS)


@pytest.fixture(scope="module")
def keys(made):
    return SecretKeys.generate(made.spec)


@pytest.fixture(scope="module")
def evaluation_keys(made, keys):
    shares = []
    message = keys.evaluation_keys(made.spec, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1
    return message


class Passed:
    """An exchange between threads."""

    def __init__(self, queues, rank):
        self.queues, self.rank, self.early = queues, rank, {}

    def send(self, receivers, number, x):
        for receiver in receivers:
            self.queues[receiver].put((number, replace(x, values=x.values.copy())))

    def receive(self, sender, number, meanwhile):
        meanwhile()
        while number not in self.early:
            other, x = self.queues[self.rank].get(timeout=20)
            self.early[other] = x
        return self.early.pop(number)


def graph_of(made):
    engine = ClearEngine(made.spec.parameters, made.spec.keys)
    return engine, recorded(CircuitInterpreter(made.choice, engine, Plaintexts(0), 2))


def test_sums_are_rescaled_and_relinearised_once_and_nothing_is_done_twice(made):
    engine, _ = graph_of(made)
    recorder = GraphRecorder(engine)
    x, y = (recorder.input(2, engine.primes[2]) for _ in range(2))
    products = [multiplied(recorder, recorder.rotate(x, 1), one) for one in (x, y, recorder.rotate(x, 1))]
    total = recorder.add(recorder.add(products[0], products[1]), products[2])
    counts = {operation: recorder.graph([total]).count(operation) for operation in Operation}
    assert counts[Operation.ROTATE] == counts[Operation.RESCALE] == counts[Operation.RELINEARISE] == 1
    assert counts[Operation.MULTIPLY] == 3 and counts[Operation.ADD] == 2
    kept = recorder.graph([total, products[0]])  # what others read stays as it is
    assert kept.count(Operation.RESCALE) == kept.count(Operation.RELINEARISE) == 3


def test_what_is_read_again_is_not_written_over(made):
    """Sums are written over a summand: never over one that is read later, nor over an output."""
    engine, _ = graph_of(made)
    recorder = GraphRecorder(engine)
    scale = float(engine.primes[2])
    x, y = (recorder.input(2, scale) for _ in range(2))
    one, other = recorder.negative(x), recorder.negative(y)
    total = recorder.add(one, other)
    graph = recorder.graph([total, one, recorder.add(total, recorder.add(other, one))])
    schedule = scheduled(graph, 1, lambda node: 1.0, lambda node: (1.0, 1.0))
    numbers = [engine.encrypt(np.full(engine.parameters.slots, value), 2, scale) for value in (3.0, 5.0)]
    found = played(graph, schedule, engine, numbers)
    assert [found[node].values[0] for node, _ in graph.outputs] == [-8.0, -3.0, -16.0]
    assert [number.values[0] for number in numbers] == [3.0, 5.0]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_a_shared_graph_gives_what_the_interpreter_gives(made, processes, rng):
    engine, graph = graph_of(made)
    inputs = encrypted(engine, made.spec, [[rng.uniform(-1, 1, (3, 64, 128))]])
    flat = [x for source in inputs for x in source]
    schedule = scheduled(graph, processes, lambda node: float(node.level + 1) ** 2, lambda node: (1.0, 0.5))
    done = sorted(number for order in schedule.orders for number in order)
    assert done == [n for n, node in enumerate(graph.nodes) if node.operation is not Operation.INPUT]
    assert all(order for order in schedule.orders) and schedule.busy > 0.8
    for order, rank in zip(schedule.orders, range(processes), strict=True):  # nothing before what it reads
        place = {number: k for k, number in enumerate(order)}
        for number in order:
            own = [o for o in graph.nodes[number].operands if schedule.owners[o] == rank]
            assert all(place[operand] < place[number] for operand in own)
    whole = CircuitInterpreter(made.choice, engine, Plaintexts(0)).run(inputs)
    found = played(graph, schedule, engine, flat)
    for (node, scale), expected in zip(graph.outputs, [x for output in whole for x in output], strict=True):
        x = engine.at_scale(found[node], scale)
        assert x.level == expected.level
        np.testing.assert_allclose(x.values, expected.values, atol=1e-9)


def played(graph, schedule, engine, inputs):
    """All processes' parts, in threads; the results by their nodes."""
    queues, found = [Queue() for _ in schedule.orders], {}

    def part(rank):
        execution = GraphExecution(graph, schedule, rank, engine, Plaintexts(0))
        found.update(execution.run(lambda number: engine.copy(inputs[number]), Passed(queues, rank)))

    with ThreadPoolExecutor(len(queues)) as pool:
        list(pool.map(part, range(len(queues))))
    return found


def test_two_processes_that_stay_give_the_polynomial_form(made, keys, evaluation_keys, rng):
    images = rng.uniform(-1, 1, (3, 3, 64, 128))
    evaluator, shares = Evaluator.open(made, evaluation_keys, at_once=2), []
    for own in (images[:1], images):  # one is shared; of three, each process does one, and the third is shared
        query = keys.encrypt(made.spec, [[image] for image in own])
        reply = keys.decrypt(made.spec, query, evaluator.run(query.message, shares.append))
        for image, (found,) in zip(own, reply, strict=True):
            expected = made.in_the_clear(image)[0]
            np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
        assert shares == sorted(shares) and shares[-1] == 1
        shares.clear()
    (worker,) = evaluator.workers
    assert evaluator.workers == (worker,) and worker in children()
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerError, match="ended before its work was done"):
        evaluator.run(query.message)
    assert worker not in children() and evaluator.workers == ()
    assert len(keys.decrypt(made.spec, query, evaluator.run(query.message))) == 3  # by a new one
    (worker,) = evaluator.workers
    del evaluator
    assert worker not in children()


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(number) for number in file.read().split()]
