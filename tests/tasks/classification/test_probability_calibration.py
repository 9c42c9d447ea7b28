"""Scores are scaled as scikit-learn scales them, and a scaling in a head is the same scaling."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from privis.errors import ParameterError
from privis.tasks.classification import CalibrationMethod, ScoreScaling, fit_scaling
from privis.tasks.decisions import Link, probabilities
from privis.tasks.linear_head import LinearHead
from privis.tasks.linear_stages import LinearMap, Scaling


def _overconfident(images: int, classes: int, factor: float):
    """Scores whose true probabilities are softmax(scores / factor)."""
    rng = np.random.default_rng(0)
    scores = factor * rng.normal(size=(images, classes))
    shares = probabilities(Link.SOFTMAX, scores / factor)
    assert shares is not None
    return scores, (rng.random(images)[:, None] > shares.cumsum(1)).sum(1).clip(max=classes - 1)


@pytest.mark.parametrize("factor", [0.2, 1.0, 8.0])
def test_the_temperature_of_made_up_scores_is_found(factor):
    scores, labels = _overconfident(20_000, 4, factor)
    assert fit_scaling(scores, labels, Link.SOFTMAX).factor == pytest.approx(1 / factor, rel=0.05)


def test_platts_numbers_are_those_of_a_logistic_regression_of_the_score():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(3000, 1))
    labels = (rng.random(3000) < 1 / (1 + np.exp(-(3 * scores[:, 0] - 1)))).astype(int)
    found = fit_scaling(scores, labels, Link.LOGISTIC, CalibrationMethod.PLATT)
    known = LogisticRegression(C=1e9).fit(scores, labels)
    assert (found.factor, found.shift) == pytest.approx((known.coef_[0, 0], known.intercept_[0]), rel=1e-2)


def test_scores_that_separate_all_images_get_a_finite_factor():
    found = fit_scaling(np.array([[-1.0], [1.0]]), [0, 1], Link.LOGISTIC)
    assert 1 < found.factor <= 50.001


def test_a_head_holds_its_scaling():
    rng = np.random.default_rng(2)
    head = LinearHead(
        ("a", "b"),
        (Scaling(np.full(3, 2.0), np.ones(3)), LinearMap(rng.normal(size=(1, 3)), np.ones(1))),
        Link.LOGISTIC,
    )
    vectors, scaling = rng.normal(size=(5, 3)), ScoreScaling(0.25, -1.5)
    assert scaling.head(head).scores(vectors) == pytest.approx(scaling.scores(head.scores(vectors)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScoreScaling(0.0),
        lambda: ScoreScaling(1.0, float("nan")),
        lambda: fit_scaling(np.ones((2, 3)), [0, 1], Link.SOFTMAX, CalibrationMethod.PLATT),
        lambda: fit_scaling(np.ones((2, 3)), [0], Link.SOFTMAX),
        lambda: fit_scaling(np.ones((2, 3)), [0, 1], Link.LARGEST),
        lambda: fit_scaling(np.ones((0, 3)), [], Link.SOFTMAX),
    ],
)
def test_what_is_no_calibration_is_refused(make):
    with pytest.raises(ParameterError):
        make()


def test_none_leaves_scores_alone():
    assert fit_scaling(np.ones((2, 3)), [0, 1], Link.SOFTMAX, CalibrationMethod.NONE) == ScoreScaling()
