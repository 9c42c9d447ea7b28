"""Max-pooling with fewer comparisons is what it was: in the clear to the bit, on shares to the last place."""

import math

import numpy as np
import pytest

from privis.program import Input, Kind, concat, trace
from privis.program import ops as o
from privis.readings import evaluate, promised
from privis.run.mpc.lowering.pooling import MaxPooling, clipped_after_pooling, max_poolings


def pooled(x, size=(3, 3), stride=(2, 2)):
    return (x >> o.Window(size, stride)) >> o.Max((3, 4))


def network(read, shape=(2, 9, 9), low=-4.0, high=4.0):
    return trace(read, Input(shape, low, high, None))


def rounding_up(x):
    for axis in (1, 2):
        length = x.shape[axis]
        x = x >> o.Gather(np.minimum(np.arange(length + (length - 3) % 2), length - 1), axis)
    return x


def fire(x):
    return concat(x.relu(), (x * 2.0 - 1.0).relu())


MOVED = {
    "a ReLU": lambda x: pooled(x.relu()),
    "a clip": lambda x: pooled(x >> o.Nonlinear(Kind.CLIP, a=-1.0, b=2.0)),
    "two that are concatenated": lambda x: pooled(fire(x)) * 3.0,
    "behind a border": lambda x: pooled(rounding_up(fire(x[:, :8, :8]))) + 1.0,
    "twice": lambda x: pooled(pooled(x.relu()).relu()),
    "two poolings": lambda x: concat(pooled(x.relu()), pooled(fire(x))),
}


def clipped(program):
    """How many elements are compared with limits."""
    shapes = zip(program.nodes, program.shapes[len(program.inputs) :], strict=True)
    return sum(math.prod(shape) for node, shape in shapes if isinstance(node.op, o.Nonlinear))


@pytest.mark.parametrize("name", MOVED)
def test_clips_stand_behind_pooling_and_change_nothing(name):
    program = network(MOVED[name])
    changed = clipped_after_pooling(program)
    x = np.random.default_rng(1).uniform(-4, 4, (2, 9, 9))
    assert (evaluate(changed, x) == evaluate(program, x)).all()
    assert len(changed.nodes) == len(program.nodes) and changed.shapes[-1] == program.shapes[-1]
    assert clipped(changed) < clipped(program)


def read_twice(x):
    y = x.relu()
    return concat(pooled(y), y[:, :4, :4])


KEPT = {
    "read twice": read_twice,
    "unlike clips": lambda x: pooled(concat(x.relu(), x >> o.Nonlinear(Kind.CLIP, a=0.0, b=1.0))),
    "no clip": lambda x: pooled(concat(x.relu(), x)),
    "another function": lambda x: pooled(x.abs()),
    "as many results": lambda x: pooled(x.relu(), (1, 1), (1, 1)),
    "channels taken twice": lambda x: pooled(x.relu() >> o.Gather(np.array([0, 1, 1]), 0)),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_cannot_move_stays(name):
    program = network(KEPT[name])
    assert clipped_after_pooling(program) is program


def test_max_poolings_are_largest_elements_of_whole_windows():
    program = network(lambda x: pooled(x.relu(), (3, 2), (2, 1)))
    assert max_poolings(program) == {2: MaxPooling(1, (3, 2), (2, 1))}
    rows_alone = network(lambda x: (x >> o.Window((3, 3), (2, 2))) >> o.Max((3,)))
    whole_planes = network(lambda x: x >> o.Max((1, 2)))
    assert max_poolings(rows_alone) == max_poolings(whole_planes) == {}


def test_a_promise_grows_by_the_windows_that_may_hold_one_element():
    domains = {
        name: [node.op.domain for node in made.nodes if isinstance(node.op, o.Nonlinear)]
        for name in ("a ReLU", "two that are concatenated", "behind a border")
        for made in [clipped_after_pooling(promised(network(MOVED[name]), 10.0))]
    }
    assert domains == {"a ReLU": [(-10, 40)], "two that are concatenated": [(-10, 80)], "behind a border": [(-10, 80)]}


@pytest.mark.parametrize(("size", "stride"), [((3, 3), (2, 2)), ((2, 2), (2, 2)), ((5, 5), (1, 1)), ((1, 4), (3, 1))])
@pytest.mark.parametrize("step", [None, 1.0], ids=["real", "whole"])
def test_pooling_on_shares(size, stride, step):
    pytest.importorskip("spu")
    from tests.run.mpc.in_process import on_shares

    program = trace(lambda x: pooled(x.relu(), size, stride), Input((2, 9, 8), -50.0, 50.0, step))
    x = np.random.default_rng(2).integers(-50, 51, (2, 9, 8)) / (1 if step else 7)
    assert np.abs(on_shares(program, x) - evaluate(program, x)).max() <= (0 if step else 1e-3)


def test_a_promise_that_is_kept_before_pooling_is_not_called_broken_behind_it():
    pytest.importorskip("spu")
    from privis.errors import DomainError
    from privis.run.mpc.executor import MPC

    program = promised(network(lambda x: pooled((x * 1e4).relu()), (1, 5, 5), 0.0, 10.0), 1000.0)
    pixel = np.zeros((1, 5, 5))
    pixel[0, 2, 2] = 0.095  # 950 in each of all four windows
    with MPC() as parties:
        run = parties.prepare(program)
        assert np.abs(run(pixel) - 950.0).max() < 0.1
        with pytest.raises(DomainError, match="activations beyond"):
            run(pixel * 5)
