"""Poisson samples and what they cost: dp-accounting's figures, never too little noise, honest coins."""

import dp_accounting
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant
from scipy import stats

from privis.errors import ParameterError
from privis.privacy import AddOrRemovePerson, Dataset, Gaussian, Person, ReleaseKey, WholeImage
from privis.privacy.learning.logistic_regression import LogisticTraining
from privis.privacy.learning.subsampling import Neighbours, NoisySums, drawn, epsilon_of, least_multiplier, members_of

RELATIONS = {
    Neighbours.ADDED: dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE,
    Neighbours.REPLACED: dp_accounting.NeighboringRelation.REPLACE_ONE,
}


def theirs(parts, delta, neighbours):
    accountant = PLDAccountant(RELATIONS[neighbours])
    for part in parts:
        event = dp_accounting.GaussianDpEvent(part.noise_multiplier)
        if part.sampling < 1:
            event = dp_accounting.PoissonSampledDpEvent(part.sampling, event)
        accountant.compose(event, part.steps)
    return accountant.get_epsilon(delta)


@pytest.mark.parametrize("neighbours", Neighbours)
@pytest.mark.parametrize(
    "parts",
    [
        (NoisySums(6.6, 0.125, 200), NoisySums(20.0)),
        (NoisySums(2.0, 0.01, 300),),
        (NoisySums(15.0, 1.0, 40),),
    ],
)
def test_epsilon_is_that_of_dp_accounting(parts, neighbours):
    assert epsilon_of(parts, 1e-5, neighbours) == pytest.approx(theirs(parts, 1e-5, neighbours), abs=1e-6)


@pytest.mark.parametrize("unit", [Dataset(), WholeImage(), Person(4), AddOrRemovePerson(4)], ids=repr)
@pytest.mark.parametrize(("epsilon", "standardise"), [(0.2, 0.0), (0.7, 0.1)])
def test_a_plan_never_has_too_little_noise(unit, epsilon, standardise):
    plan = LogisticTraining(
        3, 10, 50_000, Gaussian(epsilon, 1e-5), unit, sampling=0.1, steps=50, standardise=standardise
    )
    spent = theirs(plan.parts, 1e-5, plan.neighbours)
    assert 0.999 * epsilon < spent <= epsilon
    assert plan.guarantee.epsilon == pytest.approx(spent, abs=1e-6)
    assert plan.guarantee.whole_image_epsilon == pytest.approx(theirs(plan.parts, 1e-5, Neighbours.REPLACED), abs=1e-6)
    assert plan.scale**2 >= plan.noise_multiplier**2 * plan.squared


def test_less_noise_than_calibrated_would_not_do():
    def make(multiplier):
        return (NoisySums(multiplier, 0.2, 30),)

    found = least_multiplier(make, 1.5, 1e-6, Neighbours.ADDED)
    assert epsilon_of(make(found), 1e-6, Neighbours.ADDED) <= 1.5
    assert epsilon_of(make(0.999 * found), 1e-6, Neighbours.ADDED) > 1.5


def test_members_are_drawn_independently_and_with_the_right_probability():
    stream = ReleaseKey(bytes(range(32))).stream("corpus", b"", b"")
    members, steps, sampling = 2000, 400, 0.3
    there = np.zeros((steps, members), bool)
    for step in range(steps):
        there[step, drawn(stream.narrowed(str(step).encode()), members, sampling)] = True
    sizes, times = there.sum(1), there.sum(0)
    assert stats.binomtest(int(there.sum()), there.size, sampling).pvalue > 1e-4
    for counts, n in ((sizes, members), (times, steps)):  # shuffled batches would have no variance at all
        ratio = counts.var() / (n * sampling * (1 - sampling))
        assert abs(ratio - 1) < 5 * np.sqrt(2 / len(counts))


def test_everybody_is_drawn_with_probability_one_and_subjects_are_members():
    stream = ReleaseKey(bytes(32)).stream("corpus", b"", b"")
    assert drawn(stream, 5, 1.0).tolist() == [0, 1, 2, 3, 4]
    owners, members = members_of(["b", "a", "b"], 3)
    assert owners.tolist() == [1, 0, 1] and members == 2


def test_bad_plans_are_refused_with_everything_that_is_wrong():
    with pytest.raises(ParameterError) as caught:
        LogisticTraining(1, 0, 0, Gaussian(1.0, 1e-5), Dataset(), sampling=0.0, steps=0, clip=-1.0, momentum=1.0)
    assert len(caught.value.problems) == 7
    with pytest.raises(ParameterError, match="say less than the noise of one number"):
        LogisticTraining(2, 10, 20, Gaussian(0.01, 1e-5), Dataset())
