"""Least squares on noisy moments: exact sums, bounded rows, a head that learns at a small epsilon.

Answers for `privis.privacy.learning.standardisation`.
"""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.privacy import AddOrRemovePerson, Dataset, Gaussian, Person, ReleaseKey
from privis.privacy.learning.clipped_gradients import IntegerRows, row_squared
from privis.privacy.learning.least_squares import LeastSquaresTraining, _sums
from privis.training.fitting import solve_head

CLASSES = ("cat", "dog", "eel")


def corpus(rows, seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 3, rows)
    vectors = rng.normal(size=(rows, 6))
    vectors[np.arange(rows), numbers] += 4
    return vectors, numbers


@pytest.mark.parametrize("unit", [Dataset(), Person(3), AddOrRemovePerson(3)], ids=repr)
def test_a_head_learns_at_epsilon_one_half(unit):
    vectors, numbers = corpus(9000)
    people = [str(row // 3) for row in range(9000)] if unit.needs_subjects else None
    size = 3000 if people else 9000
    plan = LeastSquaresTraining(3, 6, size, Gaussian(0.5, 1e-5), unit)
    words = {"corpus": "zoo", "key": ReleaseKey(bytes(32)), "subjects": people}
    labels = [CLASSES[number] for number in numbers]
    first, again = (solve_head(plan, vectors, labels, CLASSES, **words) for _ in range(2))
    assert (first.weights == again.weights).all() and first.guarantee.epsilon <= 0.5
    fresh, wanted = corpus(500, seed=1)
    assert np.mean([CLASSES.index(name) for name in first.predict(fresh)] == wanted) > 0.85


def test_sums_are_exact_and_one_row_adds_no_more_than_stated():
    vectors, numbers = corpus(1500)
    rows, ones = IntegerRows.of(vectors), np.ones(1500, np.int64)
    square, cross = _sums(rows, numbers, ones, 3, 100)
    x = rows.values.astype(np.int64)
    assert (square == x.T @ x).all() and (cross == 100 * x.T @ np.eye(3, dtype=np.int64)[numbers]).all()
    plan = LeastSquaresTraining(3, 6, 1500, Gaussian(0.5, 1e-5), Dataset())
    weight = int(np.sqrt(row_squared(6)))
    for row in range(50):
        one = IntegerRows(rows.values[row : row + 1])
        square, cross = _sums(one, numbers[row : row + 1], ones[:1], 3, weight)
        assert int((square[np.triu_indices(7)] ** 2).sum() + (cross**2).sum()) <= plan.squared


def test_bad_plans_name_everything():
    with pytest.raises(ParameterError) as caught:
        LeastSquaresTraining(1, 0, 0, None, None, ridge=-1.0)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 6
