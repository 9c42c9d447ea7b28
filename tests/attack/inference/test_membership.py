"""Membership inference: an overfitted head gives its pictures away, another one does not, and rates are honest."""

import math

import numpy as np
import pytest
from scipy import stats

from privis.attack.inference.membership import (
    MembershipAttack,
    area_under_curve,
    membership_rates,
    membership_scores,
    rehearsed_attack,
)
from privis.attack.inference.reference_models import LabelledVectors, head_model, train_references
from privis.errors import ParameterError
from privis.estimators.classification.head_training import LinearTraining

CLASSES = ("a", "b")


def pictures(count: int, seed: int) -> LabelledVectors:
    """Some are typical of their class and called with confidence by everybody, others have to be learned by heart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    vectors = rng.normal(size=(count, 60))
    vectors[:, :2] += rng.exponential(1.5, count)[:, None] * np.eye(2)[labels]
    return LabelledVectors(vectors, labels, CLASSES)


def fitted(given: LabelledVectors, strength: float = 3.0):
    names = [CLASSES[each] for each in given.labels]
    return head_model(LinearTraining(strength).fit(given.vectors, names, CLASSES), CLASSES)


def both(members: LabelledVectors, others: LabelledVectors) -> LabelledVectors:
    return LabelledVectors(
        np.concatenate([members.vectors, others.vectors]), np.concatenate([members.labels, others.labels]), CLASSES
    )


def test_members_of_an_overfitted_head_are_found_and_of_another_head_are_not() -> None:
    members, others, public = pictures(80, 1), pictures(200, 2), pictures(160, 3)
    areas = {}
    for name, model in (("of them", fitted(members)), ("of others", fitted(pictures(80, 4)))):
        references = train_references(model, public)
        way, scores = membership_scores(model, both(members, others), references)
        assert way.rehearsed > 0.6  # in the rehearsal everybody is a member of something
        areas[name] = area_under_curve(scores[:80], scores[80:])
    assert areas["of them"][1][0] > 0.7
    low, high = areas["of others"][1]
    assert low < 0.5 < high


def test_reference_models_find_more_than_confidence() -> None:
    members, others, public = pictures(80, 1), pictures(200, 2), pictures(160, 3)
    model = fitted(members)
    found = {}
    for name, references in (("alone", None), ("references", train_references(model, public))):
        way, scores = membership_scores(model, both(members, others), references)
        found[name] = area_under_curve(scores[:80], scores[80:])[0]
        assert (way.name == "confidence") == (references is None)
    assert found["references"] > found["alone"] + 0.1


def test_the_rehearsal_uses_no_model_that_knows_the_answer() -> None:
    """Of two complements nothing is left to compare with: then nothing was rehearsed."""
    public = pictures(60, 3)
    two = train_references(fitted(pictures(60, 1)), public, count=2)
    assert math.isnan(rehearsed_attack(two).rehearsed) and rehearsed_attack(two).name == "logit difference"
    four = rehearsed_attack(train_references(fitted(pictures(60, 1)), public, count=4))
    assert 0.5 < four.rehearsed < 1


def test_scores_are_those_of_the_papers() -> None:
    attacked, references = np.array([1.0, -2.0]), np.array([[0.5, 0.0], [1.5, -1.0]])
    without = np.array([[True, True], [False, True]])
    assert MembershipAttack("confidence").scores(attacked, references, without).tolist() == [1.0, -2.0]
    assert MembershipAttack("logit difference").scores(attacked, references, without).tolist() == [0.5, -1.5]
    sure = 1 / (1 + np.exp(-attacked))
    outside = np.array([1 / (1 + np.exp(-0.5)), (0.5 + 1 / (1 + np.exp(1.0))) / 2])
    expected = np.log(sure / (0.5 * ((1 + 0.3) * outside + 1 - 0.3)))
    assert np.allclose(MembershipAttack("RMIA", 0.3).scores(attacked, references, without), expected)


def test_a_rate_that_cannot_be_measured_gives_way_to_the_smallest_that_can() -> None:
    members, rng = np.linspace(0, 1, 50), np.random.default_rng(0)
    (few,) = membership_rates(members, rng.random(40))
    assert (few.asked, few.false_positives) == (0.001, 1 / 40) and few.chance == pytest.approx(2 / 41)
    middling = membership_rates(members, rng.random(400))
    assert [(rate.asked, rate.false_positives) for rate in middling] == [(0.001, 1 / 400), (None, 0.01)]
    many = membership_rates(members, rng.random(1000))
    assert [(rate.asked, rate.false_positives) for rate in many] == [(None, 0.001), (None, 0.01)]
    assert many[1].hits / 50 == many[1].value and many[1].interval[0] <= many[1].value <= many[1].interval[1]


def test_chance_is_what_scores_that_say_nothing_reach_on_average() -> None:
    rng = np.random.default_rng(1)
    rates = [membership_rates(rng.random(20), rng.random(100), (0.01,))[0] for _ in range(2000)]
    assert np.mean([rate.value for rate in rates]) == pytest.approx(rates[0].chance, abs=0.002)
    assert rates[0].chance == pytest.approx(2 / 101)


def test_the_area_is_mann_and_whitneys_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(2)
    one, other = np.round(rng.normal(0.5, 1, 60), 1), np.round(rng.normal(0, 1, 80), 1)
    area, (low, high) = area_under_curve(one, other)
    assert area == pytest.approx(stats.mannwhitneyu(one, other).statistic / (60 * 80))
    assert low < area < high
    truth = stats.norm.cdf(0.5 / math.sqrt(2))
    held = 0
    for _ in range(300):
        low, high = area_under_curve(rng.normal(0.5, 1, 60), rng.normal(0, 1, 80))[1]
        held += low <= truth <= high
    assert 270 <= held <= 297


def test_an_area_without_overlap_has_an_interval_that_says_how_few_there_were() -> None:
    area, (low, high) = area_under_curve([2.0, 3.0, 4.0], [0.0, 1.0, 1.5])
    assert (area, high) == (1.0, 1.0) and low == pytest.approx(0.05 ** (1 / 3))
    assert area_under_curve([0.0, 1.0], [2.0, 3.0])[0] == 0.0
    with pytest.raises(ParameterError, match="two of each"):
        area_under_curve([1.0], [0.0, 2.0])
