"""Bytes and messages are predicted exactly, seconds roughly, for whatever the lowering makes of a program."""

import dataclasses
import math

import numpy as np
import pytest

from privis.errors import ProgramError
from privis.features.colour import ColourHistogram
from privis.features.hog import HOG
from privis.features.lbp import LBP
from privis.program import Input, Kind, ops, trace
from privis.run.mpc.cost.calibration import calibrate, trial
from privis.run.mpc.cost.communication import traffic
from privis.run.mpc.cost.hlo import read
from privis.run.mpc.cost.predict import LOOPBACK, Load, MPCTimings, NetworkProfile, load, predicted
from privis.run.mpc.cost.protocol_steps import Kernel, ProtocolStep, steps
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.protocols import ABY3, CHEETAH, SEMI2K
from privis.run.mpc.runtime.local_parties import LocalParties

pytest.importorskip("spu")


REAL = Input((7, 33), 0.25, 4.0, None)
WHOLE = Input((7, 33), 0.0, 255.0)
IMAGE = Input((2, 12, 12), 0.0, 255.0)
MANY = Input((8, 2, 12, 12), -1.0, 1.0, None)
KERNEL = np.random.default_rng(0).standard_normal((3, 2, 3, 3))


def smooth(kind, a=0.0, b=0.0):
    return lambda x: x >> ops.Nonlinear(kind, (0.25, 4.0), a, b)


PROGRAMS = {
    "products": (lambda x: x * x * 0.3, REAL),
    "integer products": (lambda x: (x * x).sum(1), WHOLE),
    "compare and sum": (lambda x: x.compare(100.0).sum(0), WHOLE),
    "compare and multiply": (lambda x: x.compare(1.0, exact=False) * x, REAL),
    "clip": (lambda x: x.clip(0.5, 2.0), REAL),
    "absolute value": (lambda x: (x - 2.0).abs(), REAL),
    "square root": (lambda x: x.sqrt((0.25, 4.0)), REAL),
    "reciprocals": (lambda x: smooth(Kind.RSQRT)(x) + smooth(Kind.RECIPROCAL)(x), REAL),
    "tanh": (smooth(Kind.TANH), REAL),
    "normalise": (lambda x: x >> ops.Normalise((1.0, 600.0)), REAL),
    "convolution": (lambda x: (x >> ops.Conv(KERNEL, pad=(1, 1, 1, 1))).relu(), IMAGE),
    "convolution of many": (lambda x: x >> ops.Conv(KERNEL, stride=(2, 1), pad=(1, 1, 1, 1)), MANY),
    "dense": (lambda x: x >> ops.Dense(np.ones((5, 33)) / 33), REAL),
    "matrix product": (lambda x: x @ (x >> ops.Transpose((1, 0))), REAL),
    "histogram": (lambda x: x >> ops.Histogram(((64.0, 128.0),) * 7), Input((7, 33), 0.0, 255.0)),
    "largest": (lambda x: x >> ops.Max((1,)), REAL),
    "index of the largest": (lambda x: x >> ops.ArgMax(0), WHOLE),
}
FEATURES = {
    "hog": HOG(block=2).program((16, 16)),
    "lbp": LBP().program((12, 12)),
    "joint histogram": ColourHistogram(bins=3, joint=True).program((3, 8, 8)),
}


@pytest.fixture(scope="module")
def parties():
    with LocalParties(ABY3, FixedPoint()) as found:
        yield found


def arrays(program):
    generator = np.random.default_rng(1)
    for declared in program.inputs:
        values = generator.uniform(declared.low, declared.high, declared.shape)
        yield values if declared.step is None else np.round(values)


def assert_predicted(parties, program):
    seen = trial(parties, program, list(arrays(program)))
    expected = load(program, parties.preset, parties.fixed)
    assert expected is not None
    assert expected.sent == pytest.approx(seen.sent, rel=0.01, abs=2)
    assert expected.messages == pytest.approx(seen.messages, rel=0.01, abs=0.1)


@pytest.mark.parametrize("name", PROGRAMS)
def test_bytes_and_messages_of_every_op(parties, name):
    function, declared = PROGRAMS[name]
    assert_predicted(parties, trace(function, declared))


@pytest.mark.parametrize("name", FEATURES)
def test_bytes_and_messages_of_features(parties, name):
    assert_predicted(parties, FEATURES[name])


def test_bytes_and_messages_of_a_wide_ring():
    with LocalParties(ABY3, FixedPoint(128, 33)) as wide:
        for name in ("products", "clip", "reciprocals", "compare and sum"):
            function, declared = PROGRAMS[name]
            assert_predicted(wide, trace(function, declared))


def test_two_parties_are_estimated():
    """Cheetah makes its randomness in large lots, so only long runs come near the mean."""
    program = trace(lambda x: x.relu() * 0.5, Input((1 << 13,), -1.0, 1.0, None))
    with LocalParties(CHEETAH, FixedPoint()) as two:
        seen = trial(two, program, list(arrays(program)), repeats=2)
    expected = load(program, CHEETAH, FixedPoint())
    assert expected is not None and expected.sent == pytest.approx(seen.sent, rel=0.5)


def test_a_selection_is_predicted_in_the_mean(parties):
    program = trace(lambda x: x >> ops.TopK(3), Input((400,), 0.0, 255.0))
    seen = trial(parties, program, list(arrays(program)), repeats=8)
    expected = load(program, ABY3, FixedPoint())
    assert expected is not None
    assert expected.sent == pytest.approx(seen.sent, rel=0.35)
    assert expected.messages == pytest.approx(seen.messages, rel=0.35)


def test_calibrated_seconds_are_those_of_this_machine():
    machine = calibrate(ABY3, repeats=2)
    assert all(constant >= 0 for constant in dataclasses.astuple(machine)) and machine.message > 0
    assert 1e-5 < machine.seconds(Load(100, 1e5, 5e4, 100, 10_000, 0)) < 10


def test_the_network_adds_latencies_and_bytes():
    program = FEATURES["hog"]
    here, found = predicted(program, ABY3, FixedPoint()), load(program, ABY3, FixedPoint())
    there = predicted(program, ABY3, FixedPoint(), NetworkProfile(0.02, 100e6))
    assert found is not None and here.seconds and there.seconds and here.rounds == round(found.messages)
    assert there.seconds - here.seconds == pytest.approx(found.rounds * 0.02 + found.sent * 8 / 100e6)
    assert LOOPBACK.seconds(1000, 1e9) == 0
    machine, some = MPCTimings(0, 0, 0, 1, 1), Load(9, 9, 9, 9, 2, 3)
    assert machine.seconds(some, 128) == 3 * machine.seconds(some) == 15


def test_what_has_no_formula_is_not_known_rather_than_free():
    program = trace(lambda x: x * x, REAL)
    cost = predicted(program, SEMI2K, FixedPoint())
    assert (cost.rounds, cost.sent, cost.seconds) == (None, None, None) and cost.products == 7 * 33
    assert traffic([ProtocolStep(Kernel.UNKNOWN, 1)], ABY3, FixedPoint()) is None
    text = b"""func.func @main(%arg0: tensor<4x!pphlo.secret<f32>>) -> tensor<4x!pphlo.secret<f32>> {
      %0 = pphlo.something_new %arg0 : tensor<4x!pphlo.secret<f32>>
    }"""
    assert [step.kernel for step in steps(read(text), FixedPoint())] == [Kernel.UNKNOWN]
    with pytest.raises(ProgramError, match="no function main"):
        read(b"nothing")


def test_public_work_is_free():
    text = b"""func.func @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
      %0 = pphlo.something_new %arg0 : tensor<4xf32>
    }"""
    assert traffic(steps(read(text), FixedPoint()), ABY3, FixedPoint()).sent == 0
    assert math.isinf(LOOPBACK.bandwidth)
