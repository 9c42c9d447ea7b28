"""Outputs that keep the scale of their products: a level less, where the lowest prime holds them."""

import numpy as np
import pytest

from privis.program import Input, ops, trace
from privis.run.he.compiled import Options, compiled
from privis.run.he.evaluator import Evaluator
from privis.run.he.secret import SecretKeys

RNG = np.random.default_rng(10)
MATRIX = RNG.normal(size=(10, 64)) / 8


def scores(x):
    return (x * x >> ops.Dense(MATRIX)) + 0.5


PROGRAM = trace(scores, Input((64,), -1.0, 1.0, None))


@pytest.mark.parametrize(("precision", "depth"), [(1e-2, 1), (1e-7, 2)])
def test_a_level_less_where_precision_allows_it(precision, depth):
    made = compiled(PROGRAM, Options(precision))
    parameters = made.spec.parameters
    assert made.choice.arrangement.depth == parameters.levels == depth and (made.choice.last > 1) == (depth == 1)
    keys, x = SecretKeys.generate(made.spec), RNG.uniform(-1, 1, 64)
    evaluator = Evaluator.open(made, keys.evaluation_keys(made.spec))
    query = keys.encrypt(made.spec, [(x,)])
    for _ in range(2):  # the second time with weights that are encoded already
        ((ours,),) = keys.decrypt(made.spec, query, evaluator.run(query.message))
        largest = np.abs(MATRIX).sum(1).max()
        assert np.abs(ours - (MATRIX @ x**2 + 0.5)).max() <= precision * largest


def test_results_that_are_read_again_are_rescaled():
    squared = trace(lambda x: (y := x >> ops.Dense(MATRIX)) * y, Input((64,), -1.0, 1.0, None))
    made = compiled(squared, Options(1e-2))
    assert made.choice.arrangement.depth == 2 and made.choice.last == 1.0
