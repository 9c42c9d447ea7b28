"""Every executor says how far its results will be from the definition, and refuses beyond a stated limit.

Answers for `privis.readings.approximation.predicted_error` and `privis.run.mpc.accuracy`.
"""

from __future__ import annotations

import importlib.util
import json
import math

import numpy as np
import pytest

import privis
from privis.errors import ParameterError, UnsupportedError
from privis.program import Input, Kind, Program, Value, ops, trace
from privis.readings import PredictedError, cost, evaluate
from privis.readings.approximation.predicted_error import largest_error, made_up, typical
from privis.run.mpc.accuracy import predicted_error
from privis.run.mpc.fixed_point import FixedPoint

SHAPE = (3, 8, 8)
PICTURE = np.random.default_rng(4).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def hard_swish(x: Value) -> Value:
    centred = x * (1 / 25) - 5.0
    return centred * ((centred * (1 / 6)) + 0.5).clip(0.0, 1.0)


HARD_SWISH = trace(hard_swish, Input(SHAPE))
HALVED = trace(lambda x: x * 0.5, Input(SHAPE))
WHOLE = trace(lambda x: x.sum(0), Input(SHAPE))
EXECUTORS = [privis.Clear(), privis.CKKS(), privis.Paillier(bits=2048)]
if importlib.util.find_spec("spu"):
    EXECUTORS.append(privis.MPC())


def largest_share(program: Program, under: privis.Executor) -> float:
    return largest_error(program, lambda *x: [under.prepare(program)(*x)], [(PICTURE.transpose(2, 0, 1) * 1.0,)])


@pytest.mark.parametrize("under", EXECUTORS, ids=lambda under: type(under).__name__)
@pytest.mark.parametrize("program", [HARD_SWISH, HALVED, WHOLE], ids=["hard swish", "halved", "whole"])
def test_what_is_predicted_is_what_comes_out(program: Program, under: privis.Executor) -> None:
    if isinstance(under, privis.Paillier) and program is HARD_SWISH:  # sums cannot clip
        assert under.supports(program)
        return
    assert under.supports(program) == []
    predicted = under.error(program)
    assert predicted.relative is not None and predicted.basis
    assert largest_share(program, under) <= 2 * predicted.relative + 1e-7


def test_the_error_of_hard_swish_under_encryption_has_a_name() -> None:
    """Its kink is what no polynomial follows; nothing said so."""
    predicted = privis.CKKS().error(HARD_SWISH)
    assert 5e-3 < predicted.relative < 0.1
    assert any("Nonlinear" in cause for cause in predicted.causes)
    assert 0.2 * predicted.relative < largest_share(HARD_SWISH, privis.CKKS()) < 2 * predicted.relative


@pytest.mark.parametrize("make", [privis.CKKS, privis.MPC])
def test_a_limit_refuses_before_anything_is_encrypted(make: type) -> None:
    if make is privis.MPC and not importlib.util.find_spec("spu"):
        pytest.skip("SPU is not installed")
    assert make(most_error=0.5).supports(HARD_SWISH) == []
    (problem,) = make(most_error=1e-7).supports(HARD_SWISH)
    assert "predicted error" in problem.got and problem.expected == "at most 1e-07" and problem.remedy
    feature = privis.CNN(HARD_SWISH, divisor=1)
    with pytest.raises(UnsupportedError, match="predicted error"):
        privis.extract(feature, [PICTURE], under=make(most_error=1e-7))
    for wrong in (0.0, -1.0, math.inf, "much"):
        with pytest.raises(ParameterError, match="most_error"):
            make(most_error=wrong)


def test_a_limit_is_no_part_of_what_an_executor_is() -> None:
    import pickle

    from privis.identity import identity

    for make in (privis.CKKS, privis.MPC):
        assert identity(make()) == identity(make(most_error=0.1))
        assert "most_error" not in repr(make(most_error=0.1))
        assert pickle.loads(pickle.dumps(make(most_error=0.1))).most_error == 0.1


def test_the_card_and_the_explanation_name_it() -> None:
    feature = privis.CNN(HARD_SWISH, divisor=1)
    card = json.loads(privis.extract(feature, [PICTURE], under=privis.CKKS()).card.to_json())
    assert card["error"]["relative"] == pytest.approx(privis.CKKS().error(feature.program(SHAPE)).relative)
    assert "Nonlinear" in card["error"]["causes"][0]
    assert "error" not in json.loads(privis.extract(feature, [PICTURE]).card.to_json())
    told = privis.explain(feature, (8, 8, 3), under=privis.CKKS())
    assert any("Predicted error" in line and "Nonlinear" in line for line in told.lines)
    assert told.to_dict()["error"]["relative"] == told.error.relative
    assert "error" not in privis.explain(feature, (8, 8, 3)).to_dict()


def test_whole_numbers_are_exact_on_shares_and_roots_are_not() -> None:
    assert predicted_error(WHOLE, FixedPoint()).relative == 0
    for kind, least in ((Kind.SQRT, 1e-5), (Kind.SIGMOID, 1e-5)):
        program = trace(lambda x, kind=kind: (x * 0.01) >> ops.Nonlinear(kind), Input((64,)))
        assert least < predicted_error(program, FixedPoint()).relative < 1e-2


def test_fewer_binary_places_are_a_larger_error() -> None:
    fine, coarse = (predicted_error(HARD_SWISH, FixedPoint(64, bits)).relative for bits in (18, 14))
    assert fine * 4 < coarse


def test_inputs_are_made_up_on_their_grid_and_are_few_for_large_programs() -> None:
    program = trace(lambda x: x * 0.5, Input((4, 4), 0.0, 9.0, 3.0))
    samples = made_up(program, cost(program).operations or 0)
    assert len(samples) == len(typical(program.inputs[0])) == 6
    assert all((x % 3 == 0).all() and x.min() >= 0 and x.max() <= 9 for (x,) in samples)
    assert len(made_up(program, 2**40)) == 2


def test_an_error_that_is_not_known_passes_no_limit() -> None:
    unknown = PredictedError(None, "another machine")
    assert unknown.problems("x", 0.1) and not unknown.problems("x", None)
    assert largest_error(HALVED, lambda x: [x * math.nan], [(np.ones(SHAPE),)]) == math.inf
    assert largest_error(HALVED, lambda x: [evaluate(HALVED, x)], [(np.ones(SHAPE),)]) == 0
