"""Integer gradients: exact, bounded whatever comes in, and close to the textbook's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.privacy.learning import clipped_gradients as logistic
from privis.privacy.learning.clipped_gradients import (
    LEVELS,
    LOSS_MOST,
    IntegerRows,
    clipped_errors,
    clipped_sum,
    loss_steps,
    row_squared,
)


def made_up(rows=700, components=40, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(classes, components + 1)) * 3
    return IntegerRows.of(rng.normal(size=(rows, components))), rng.integers(0, classes, rows), weights


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**32), st.sampled_from([1.0, 1e-200, 1e200]), st.booleans())
def test_no_row_is_longer_than_announced(components, seed, size, spiky):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(20, components)) ** (9 if spiky else 1) * size
    vectors[0] = 0
    rows = IntegerRows.of(vectors).values.astype(np.int64)
    assert ((rows * rows).sum(1) <= row_squared(components)).all()
    assert np.abs(rows).max() <= 127


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(0, 2**32), st.floats(1e-6, 2.0), st.floats(0, 1e6), st.integers(1, 300))
def test_no_error_is_longer_than_its_share(classes, seed, clip, size, share):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(50, classes)) * size, rng.integers(0, classes, 50)
    errors, losses = clipped_errors(scores, labels, np.full(50, share), clip)
    steps = errors.astype(np.int64)
    assert (steps == errors).all() and np.isfinite(losses).all()
    assert ((steps * steps).sum(1) <= (LEVELS // share) ** 2).all()


def test_sums_are_exact_and_do_not_depend_on_the_order():
    rows, labels, weights = made_up()
    ones = np.ones(len(labels), np.int64)
    total, losses = clipped_sum(rows, np.arange(len(labels)), labels, ones, weights, 0.3)
    single = [clipped_sum(rows, np.array([row]), labels, ones, weights, 0.3) for row in range(len(labels))]
    assert (total == sum(each for each, _ in single)).all()
    assert losses == sum(loss for _, loss in single)
    shuffled = np.random.default_rng(1).permutation(len(labels))
    assert (clipped_sum(rows, shuffled, labels, ones, weights, 0.3)[0] == total).all()


def test_one_row_adds_no_more_than_the_sensitivity():
    rows, labels, weights = made_up(components=3)
    ones = np.ones(len(labels), np.int64)
    most = LEVELS**2 * row_squared(3) + loss_steps(3) ** 2
    sizes = []
    for row in range(len(labels)):
        total, loss = clipped_sum(rows, np.array([row]), labels, ones, 100 * weights, 1e-3)
        sizes.append(int((total * total).sum()) + loss * loss)
    assert max(sizes) <= most
    assert max(sizes) > 0.9 * most  # and the bound is no idle one


def test_gradients_are_those_of_the_textbook():
    rng = np.random.default_rng(2)
    vectors, labels = rng.normal(size=(400, 30)), rng.integers(0, 4, 400)
    weights = rng.normal(size=(4, 31))
    rows, ones, clip = IntegerRows.of(vectors), np.ones(400, np.int64), 0.5
    total, losses = clipped_sum(rows, np.arange(400), labels, ones, weights, clip)

    x = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    x = np.column_stack([x, np.full(400, logistic.bias_value(30))])
    scores = x @ weights.T
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    errors = p - np.eye(4)[labels]
    errors *= np.minimum(1, clip / np.linalg.norm(errors, axis=1))[:, None]
    expected = errors.T @ x / clip
    got = total / (LEVELS * rows.unit)
    assert np.abs(got - expected).max() < 0.02 * np.abs(expected).max()  # errors are cut towards zero
    loss = np.minimum(-np.log(p[np.arange(400), labels]), LOSS_MOST).sum()
    assert losses / loss_steps(30) * LOSS_MOST == pytest.approx(loss, rel=1e-2)


def test_rows_with_nan_are_named():
    vectors = np.ones((5, 3))
    vectors[3, 1] = np.nan
    with pytest.raises(ParameterError, match="NaN or infinity in 1 rows: 3"):
        IntegerRows.of(vectors)
    with pytest.raises(ParameterError, match="rows, components"):
        IntegerRows.of(np.ones(3))
