"""Promised activations: a smaller ring, and no result where a promise is broken."""

import numpy as np
import pytest

pytest.importorskip("spu")

from privis.errors import DomainError, ProgramError
from privis.program import Input, trace
from privis.program import ops as o
from privis.readings import batched, evaluate, promised
from privis.run.mpc.executor import MPC
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.job import Job, Run, Share, Source
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.run.mpc.lowering.runtime_bounds import refuse_sentinel
from privis.run.mpc.protocols import ABY3
from tests.run.mpc.in_process import on_shares

RING = FixedPoint()
WEIGHTS = np.block([[np.eye(1), np.zeros((1, 5))], [np.zeros((5, 1)), np.full((5, 5), 100.0)]])
BIAS = np.array([0.0, *[-20.0] * 5])


def deep(x):
    """Eight layers: the first component stays, the others are cut off or grow five hundredfold each."""
    for _ in range(8):
        x = (x >> o.Dense(WEIGHTS) >> o.Affine(1.0, BIAS)).relu()
    return x


GROWING = trace(deep, Input((3, 6), 0.0, 50.0, None))


def broken(result):
    with pytest.raises(DomainError, match="activations beyond what the program promises"):
        refuse_sentinel(np.asarray(result, np.float32), RING)
    return True


def test_a_promise_spares_the_larger_ring_and_changes_no_result():
    program = promised(GROWING, 2.0**14)
    assert choose_fixed_point([GROWING]).field_bits == 128 and choose_fixed_point([program]).field_bits == 64
    x = np.zeros((3, 6))
    x[:, 0], x[1, 1:] = (0.5, 9.0, 50.0), 0.01  # the small ones are cut off
    assert evaluate(GROWING, x)[:, 0] == pytest.approx(x[:, 0])
    np.testing.assert_allclose(on_shares(program, x), evaluate(GROWING, x), atol=1e-3)


@pytest.mark.parametrize("value", [20.0, 50.0])
def test_a_broken_promise_gives_no_result_even_where_numbers_wrap(value):
    """Beyond the first promise sums grow past the ring: what comes out of them must not decide."""
    program = promised(GROWING, 2.0**14)
    x = np.zeros((3, 6))
    x[2, 3] = value  # one row is enough
    assert evaluate(GROWING, x).max() > RING.largest(0)
    assert broken(on_shares(program, x))


def test_totals_of_whole_numbers_are_compared_exactly():
    program = promised(trace(lambda x: x.relu(), Input((2, 3, 2, 2), -100.0, 100.0)), 30.0)
    x = np.zeros((2, 3, 2, 2))
    x[0, 0], x[1, 2], x[:, 1] = 7.0, 7.0, -50.0  # 28 an image; what is cut off does not count
    np.testing.assert_array_equal(on_shares(program, x), np.maximum(x, 0))
    x[1, 2, 0, 0] += 2.0
    np.testing.assert_array_equal(on_shares(program, x), np.maximum(x, 0))
    x[1, 2, 0, 0] += 1.0
    assert (on_shares(program, x) == 2.0**62).all()


def test_what_intervals_prove_is_not_checked():
    proved = promised(trace(lambda x: x.relu(), Input((4,), -1.0, 1.0, None)), 1.0)
    assert on_shares(proved, np.ones(4)) == pytest.approx(np.ones(4))


def test_batches_are_checked_image_by_image():
    program = batched(promised(trace(lambda x: (x * 1.5).relu(), Input((1, 4, 4), 0.0, 90.0, None)), 32.0), 2)
    x = np.ones((2, 1, 4, 4))  # 24 an image, 48 together
    np.testing.assert_allclose(on_shares(program, x), 1.5 * x, atol=1e-4)
    x[1] += 0.5
    assert broken(on_shares(program, x))


def test_the_executor_refuses_and_goes_on():
    program = promised(GROWING, 2.0**14)
    with MPC() as parties:
        run = parties.prepare(program)
        with pytest.raises(DomainError, match="promise a larger one"):
            run(np.full((3, 6), 50.0))
        good = np.eye(3, 6, -2) * 7.0
        np.testing.assert_allclose(run(good), evaluate(GROWING, good), atol=1e-3)


def test_nothing_is_computed_from_what_may_be_the_mark():
    program = promised(GROWING, 2.0**14)
    more = trace(lambda x: x.sum(0), Input((3, 6), 0.0, 2.0**14, None))
    steps = (Share("x"), Run("net", ("x",), ("y",)), Run("more", ("y",), ("z",)))
    with pytest.raises(ProgramError, match="values in"):
        Job(ABY3, ("a", "b", "c"), {"x": Source("a", program.inputs[0])}, {"net": program, "more": more}, steps)
