"""Programs in step: what each computes alone, with one costly node for all of them."""

import numpy as np
import pytest

import privis
from privis.errors import ProgramError
from privis.program import Input, Program, ops, trace
from privis.readings import evaluate
from privis.readings.transform.in_step import in_step

RNG = np.random.default_rng(0)


def count(program: Program, kind: type) -> int:
    return sum(isinstance(node.op, kind) for node in program.nodes)


def test_programs_in_step_compute_what_each_computes() -> None:
    hog = privis.HOG(block=2)
    programs = [hog.program(shape) for shape in ((24, 16), (16, 40), (16, 16))]
    made = in_step(programs)
    images = [RNG.integers(0, 256, program.inputs[0].shape) for program in programs]
    for found, program, image in zip(evaluate(made, *images), programs, images, strict=True):
        assert np.allclose(found, evaluate(program, image), atol=1e-6)
    for kind in (ops.Compare, ops.Normalise):
        assert count(made, kind) == count(programs[0], kind)
    assert in_step(programs[:1]).output_shapes == programs[0].output_shapes


def test_nodes_with_other_constants_stay_apart() -> None:
    def scaled(limit: float, matrix: float, shape: int) -> Program:
        return trace(lambda x: x.clip(0.0, limit) >> ops.Dense(np.full((2, shape), matrix)), Input((shape,)))

    same, other = [scaled(5.0, 1.0, 3), scaled(5.0, 1.0, 3)], [scaled(5.0, 1.0, 3), scaled(6.0, 2.0, 3)]
    assert (count(in_step(same), ops.Nonlinear), count(in_step(same), ops.Dense)) == (1, 1)
    assert (count(in_step(other), ops.Nonlinear), count(in_step(other), ops.Dense)) == (2, 2)
    given = [np.array([1.0, 5.5, 9.0])] * 2
    assert [each.tolist() for each in evaluate(in_step(other), *given)] == [[11.0, 11.0], [25.0, 25.0]]


def test_inputs_and_outputs_come_program_by_program() -> None:
    programs = [
        trace(lambda a, b: (a * b, a - b), Input((size,), -9.0, 9.0), Input((size,), -9.0, 9.0)) for size in (2, 3)
    ]
    given = [np.array(each, float) for each in ([1, 2], [3, 4], [5, 6, 7], [8, 9, 1])]
    found = evaluate(in_step(programs), *given)
    assert [each.tolist() for each in found] == [[3, 8], [-2, -2], [40, 54, 7], [-3, -3, 6]]


def test_broadcast_products_stay_apart() -> None:
    programs = [trace(lambda a: a * a.sum(0, keep=True), Input((size,))) for size in (2, 3)]
    found = evaluate(in_step(programs), np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert [each.tolist() for each in found] == [[3, 6], [6, 12, 18]]


def test_programs_that_differ_are_refused() -> None:
    one, other = trace(lambda x: x.relu(), Input((2,))), trace(lambda x: x * 2.0, Input((2,)))
    with pytest.raises(ProgramError, match=r"program 1.*the nodes of the first"):
        in_step([one, other])
    with pytest.raises(ProgramError, match="no program"):
        in_step([])
