"""Laws that hold for every program.

Answers for `privis.program.shapes` and `privis.readings.transform.simplify`.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ProgramError
from privis.program import Input, Program, Region, digest, load, ops, region, save, trace
from privis.readings import alternative, batched, cost, evaluate, polynomialise, ranges
from tests.conformance.programs import programs


@settings(max_examples=80)
@given(programs())
def test_saving_and_loading_changes_nothing(made):
    import tempfile
    from pathlib import Path

    program, x = made
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.npz"
        save(program, path)
        again = load(path)
    assert digest(again) == digest(program)
    np.testing.assert_array_equal(evaluate(again, x), evaluate(program, x))


@settings(max_examples=150)
@given(programs())
def test_values_stay_in_their_ranges_and_on_their_grids(made):
    program, x = made
    known = ranges(program)
    values: list[np.ndarray] = []

    def rule(_, node, operands):
        from privis.readings.evaluate import evaluate_op

        values.append(evaluate_op(node.op, operands, np))
        return values[-1]

    program.read(rule, [x.astype(np.float64)])
    for value, interval in zip(values, known[1:], strict=True):
        slack = 1e-9 * max(1.0, np.abs(value).max(initial=0.0))
        assert (value >= interval.low - slack).all() and (value <= interval.high + slack).all()
        np.broadcast_to(interval.low, value.shape)
        if interval.step is not None:
            steps = value / interval.step
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


@settings(max_examples=80)
@given(programs(), st.integers(0, 3))
def test_composition_is_one_after_the_other(made, seed):
    program, x = made
    shape = program.output_shapes[0]
    weights = np.random.default_rng(seed).normal(size=(2, shape[-1]))
    then = trace(lambda v: v >> ops.Dense(weights), Input(shape, -1e9, 1e9, None))
    both = program >> then
    np.testing.assert_allclose(
        evaluate(both, x.astype(float)), evaluate(then, evaluate(program, x.astype(float))), rtol=1e-9, atol=1e-9
    )
    assert cost(both).operations == cost(program).operations + cost(then).operations


def test_linear_programs_are_linear():
    kernel = np.random.default_rng(0).normal(size=(2, 1, 3, 3))
    program = trace(lambda x: (x >> ops.Conv(kernel, pad=(1, 1, 1, 1))).sum(1), Input((1, 5, 6)))
    a, b = np.random.default_rng(1).normal(size=(2, 1, 5, 6))
    np.testing.assert_allclose(evaluate(program, a + 2 * b), evaluate(program, a) + 2 * evaluate(program, b))


def test_programs_cannot_be_changed_after_their_digest():
    kernel = np.ones((1, 1, 2, 2))
    program = trace(lambda x: x >> ops.Conv(kernel), Input((1, 4, 4)))
    before = digest(program)
    kernel[:] = 7
    assert digest(program) == before
    with pytest.raises(ValueError, match="read-only"):
        program.nodes[0].op.kernel[0, 0, 0, 0] = 2


def test_names_of_regions_are_hints_and_no_part_of_the_digest():
    program = trace(lambda x: x * 2.0, Input((3,)))
    hinted = Program(program.inputs, program.nodes, program.outputs, (Region("anything", 0, 0, (0,)),))
    assert digest(hinted) == digest(program)


def stated(x):
    """A region whose polynomial alternative says 3 x where the definition says 2 x."""
    return region("doubled", lambda v: v + v, x, polynomial=lambda v: v * 3.0)


def test_polynomial_alternatives_survive_files_and_composition_and_are_in_the_digest(tmp_path):
    plain = trace(lambda x: x + x, Input((3,)))
    program = trace(stated, Input((3,)))
    assert digest(program) != digest(plain)
    save(program >> program, tmp_path / "p.npz")
    again = load(tmp_path / "p.npz")
    assert digest(again) == digest(program >> program) != digest(plain >> plain)
    assert evaluate(again, np.ones(3)).tolist() == [4.0] * 3
    assert evaluate(alternative(again), np.ones(3)).tolist() == [9.0] * 3
    assert evaluate(polynomialise(again).program, np.ones(3)).tolist() == [9.0] * 3
    assert evaluate(polynomialise(again, alternatives=False).program, np.ones(3)).tolist() == [4.0] * 3
    assert evaluate(alternative(batched(again, 2)), np.ones((2, 3))).tolist() == [[4.0] * 3] * 2


def test_a_region_that_is_read_inside_keeps_its_definition():
    seen = []

    def build(x):
        def inner(v):
            seen.append(v * 2.0)
            return seen[0] + 1.0

        return region("twice", inner, x, polynomial=lambda v: v * 5.0) + seen[0]

    program = trace(build, Input((3,)))
    assert evaluate(alternative(program), np.ones(3)).tolist() == [5.0] * 3


def test_polynomial_alternatives_must_have_the_shape_of_their_region():
    with pytest.raises(ProgramError, match=r"alternative of shapes \(\(2,\),\)"):
        trace(lambda x: region("r", lambda v: v + v, x, polynomial=lambda v: v[:2]), Input((3,)))


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused_as_programs(content):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.npz"
        path.write_bytes(content)
        with pytest.raises(ProgramError):
            load(path)


@settings(max_examples=60)
@given(st.data())
def test_damaged_program_files_are_refused_or_load_as_some_program(data):
    import tempfile
    from pathlib import Path

    program = trace(lambda x: (x >> ops.Dense(np.eye(4))).compare(3.0), Input((4,)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.npz"
        save(program, path)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        try:
            assert load(path).output_shapes
        except ProgramError:
            pass


def test_misfits_name_the_op_and_the_shapes():
    with pytest.raises(ProgramError, match=r"Conv: got operands of shape \(2, 4, 4\).*kernel takes 1 channels"):
        trace(lambda x: x >> ops.Conv(np.ones((1, 1, 3, 3))), Input((2, 4, 4)))
    with pytest.raises(ProgramError, match="outputs"):
        trace(lambda x: x * 2.0, Input((3,))) >> trace(lambda x: x * 2.0, Input((4,)))
    with pytest.raises(ProgramError, match="shape"):
        evaluate(trace(lambda x: x * 2.0, Input((3,))), np.zeros(4))


def test_a_digest_covers_the_polynomial_alternatives_that_ckks_runs_and_no_names(tmp_path):
    def doubled(name, polynomial):
        return trace(lambda x: region(name, lambda v: v.abs() + v.abs(), x, polynomial=polynomial), Input((3,)))

    plain, twice, thrice = (doubled("a", rule) for rule in (None, lambda v: v * 2.0, lambda v: v * 3.0))
    assert len({digest(plain), digest(twice), digest(thrice)}) == 3
    assert digest(doubled("b", lambda v: v * 2.0)) == digest(twice) and digest(doubled("b", None)) == digest(plain)
    assert digest(plain) == digest(dataclasses.replace(plain, regions=())), "a hint without an alternative"
    save(twice, tmp_path / "twice")
    assert digest(load(tmp_path / "twice")) == digest(twice)


def test_a_digest_covers_what_a_polynomial_alternative_stands_for():
    def double(x):
        return region("double", lambda v: v.abs(), x, polynomial=lambda v: v * 2.0)

    first, last = (trace(rule, Input((3,))) for rule in (lambda x: double(x).abs(), lambda x: double(x.abs())))
    plain = [digest(dataclasses.replace(program, regions=())) for program in (first, last)]
    assert plain[0] == plain[1] and digest(first) != digest(last)
    assert evaluate(alternative(first), -np.ones(3)).tolist() == evaluate(alternative(last), np.ones(3)).tolist()
    assert evaluate(alternative(last), -np.ones(3)).tolist() == [2.0] * 3
