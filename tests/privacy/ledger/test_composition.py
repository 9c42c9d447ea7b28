"""Bounds of composed releases: against exact results, against each other, and never below the truth."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import BudgetError, ParameterError
from privis.privacy import NO_GUARANTEE, FeatureRelease, Gaussian, Laplace, Person, PixelRelease, Pixels
from privis.privacy.accounting.noise_calibration import gaussian_delta
from privis.privacy.ledger.budget import Budget, BudgetUnit, NoiseDistribution, Per, PrivacyCost, cost_of
from privis.privacy.ledger.composition import Account, _composed, _most_that_fit, _pld_epsilon
from privis.privacy.ledger.privacy_profiles import ORDERS, divergences, profile, ratio
from privis.privacy.releases.corpus import SumRelease
from privis.privacy.units import Dataset

BUDGET = Budget(1.0, 1e-6)
ANY = {"allow_nan": False, "allow_infinity": False}


def account_of(counts):
    account = Account()
    for cost, count in counts.items():
        for _ in range(count):
            account.add(cost)
    return account


def response(epsilon, delta=0.0):
    return PrivacyCost(epsilon, delta, NoiseDistribution.OTHER, 0.0)


def laplace(moved, scale):
    return PrivacyCost(moved / scale, 1e-25, NoiseDistribution.LAPLACE, float(scale))


def gaussian(epsilon=0.2, delta=1e-8):
    return PrivacyCost(epsilon, delta, NoiseDistribution.GAUSSIAN, 0.0)


def delta_of_losses(masses, epsilon):
    """Exact hockey-stick divergence of (loss, probability) pairs."""
    return sum(p * -math.expm1(epsilon - loss) for loss, p in masses if loss > epsilon)


def repeated_response_delta(epsilon0, count, epsilon):
    """Exact delta of ``count`` randomised responses: a binomial number of them is true."""
    true = 1 / (1 + math.exp(-epsilon0))
    masses = [
        ((2 * k - count) * epsilon0, math.comb(count, k) * true**k * (1 - true) ** (count - k))
        for k in range(count + 1)
    ]
    return delta_of_losses(masses, epsilon)


def laplace_losses(moved, scale, reach=4000):
    z = np.arange(-reach, reach + moved + 1)
    mass = math.tanh(0.5 / scale) * np.exp(-np.abs(z) / scale)
    losses = (np.abs(z - moved) - np.abs(z)) / scale
    return losses, mass


# The laws


@pytest.mark.parametrize(("moved", "scale"), [(1, 2.0), (2, 3.0), (7, 20.0), (64, 30.0)])
def test_the_laplace_law_is_that_of_the_sum_over_all_results(moved, scale):
    losses, mass = laplace_losses(moved, scale)
    epsilons = np.linspace(-1.5 * moved / scale, 1.5 * moved / scale, 61)
    exact = [float((mass * -np.expm1(np.minimum(e - losses, 0.0))).sum()) for e in epsilons]
    np.testing.assert_allclose(profile(laplace(moved, scale), epsilons), exact, atol=1e-12)
    orders = ORDERS[ORDERS < 30]
    renyi = [math.log(float((mass * np.exp((a - 1) * losses)).sum())) / (a - 1) for a in orders]
    np.testing.assert_allclose(divergences(laplace(moved, scale))[: orders.size], renyi, rtol=1e-9)


@pytest.mark.parametrize("steps", [(1, 1), (2, 1), (3, 3), (1, 1, 1), (5, 1, 2)])
def test_noise_on_a_vector_is_no_worse_than_one_long_step(steps):
    """The claim that lets an L1 sensitivity stand for any vector: checked by brute force."""
    scale = 3.0
    parts = []
    for moved in steps:
        losses, mass = laplace_losses(moved, scale, reach=150)
        rounded = np.round(losses * scale).astype(int)
        parts.append([(loss, mass[rounded == loss].sum()) for loss in np.unique(rounded)])
    masses = [(sum(loss for loss, _ in c) / scale, math.prod(p for _, p in c)) for c in itertools.product(*parts)]
    whole = laplace(sum(steps), scale)
    for epsilon in np.linspace(-0.5, sum(steps) / scale, 23):
        exact = sum(p * max(0.0, -math.expm1(epsilon - loss)) for loss, p in masses)
        assert exact <= profile(whole, np.array([epsilon]))[0] + 1e-12


def test_the_gaussian_law_is_the_worst_that_the_figures_allow():
    guarantee = FeatureRelease(Gaussian(2.0, 1e-6), clip=1.0).guarantee((10,))
    cost = cost_of(guarantee, BUDGET)
    assert ratio(cost) == pytest.approx(guarantee.sensitivity / guarantee.scale, rel=1e-6)
    assert ratio(cost) >= guarantee.sensitivity / guarantee.scale


# The bounds


@pytest.mark.parametrize(("epsilon0", "count"), [(0.3, 12), (0.1, 40), (0.05, 200), (0.02, 500)])
def test_pld_is_tight_and_safe_for_randomised_response(epsilon0, count):
    budget = Budget(5.0, 1e-6)
    found = _pld_epsilon({response(epsilon0): count}, budget)
    exact = repeated_response_delta(epsilon0, count, found)
    assert exact <= budget.delta, "an epsilon that does not hold"
    assert repeated_response_delta(epsilon0, count, found * 0.995) > budget.delta, "far more than needed"


def test_pld_is_safe_for_composed_laplace_noise():
    losses, mass = laplace_losses(2, 10.0)
    rounded = np.round(losses * 10).astype(int)
    one = np.array([mass[rounded == loss].sum() for loss in range(-2, 3)])
    many = one
    for _ in range(29):
        many = np.convolve(many, one)
    epsilons = np.arange(-60, 61) / 10
    budget = Budget(6.0, 1e-6)
    found = _pld_epsilon({laplace(2, 10.0): 30}, budget)
    for epsilon, holds in ((found, True), (found * 0.99, False)):
        delta = float((many * np.maximum(0.0, -np.expm1(np.minimum(epsilon - epsilons, 50)))).sum())
        assert (delta <= budget.delta) is holds


def test_gaussian_pld_and_renyi_agree_with_the_exact_gaussian():
    counts = {gaussian(): 6, gaussian(0.1, 1e-9): 11}
    account = account_of(counts)
    exact = account.spent(BUDGET)
    assert exact.bound == "Gaussian"
    total = math.sqrt(sum(n * ratio(c) ** 2 for c, n in counts.items()))
    assert gaussian_delta(total, exact.epsilon) == pytest.approx(1e-6, rel=1e-4)
    by_pld = _composed(frozenset(counts.items()), BUDGET).get_epsilon_for_delta(1e-6)
    assert exact.epsilon <= by_pld * (1 + 1e-6) and by_pld == pytest.approx(exact.epsilon, rel=1e-3)


def test_the_gaussian_bound_is_dp_accountings():
    from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
    from dp_accounting.pld import PLDAccountant

    cost = gaussian()
    accountant = PLDAccountant()
    accountant.compose(SelfComposedDpEvent(GaussianDpEvent(1 / ratio(cost)), 20))
    assert account_of({cost: 20}).spent(BUDGET).epsilon == pytest.approx(accountant.get_epsilon(1e-6), rel=2e-3)


def test_the_renyi_bound_is_dp_accountings():
    from dp_accounting.rdp import compute_epsilon

    costs = {laplace(3, 200.0): 12, response(0.01): 30, gaussian(0.1): 2}
    account = account_of(costs)
    total = sum(count * divergences(cost) for cost, count in costs.items())
    rough = account.spent(Budget(2.0, 1e-6), precise=False)
    expected, _ = compute_epsilon(ORDERS, total, 1e-6)
    assert rough.bound == "Renyi" and rough.epsilon == pytest.approx(expected, rel=1e-6)


def test_a_mixture_uses_pld_and_beats_the_rest():
    account = account_of({laplace(5, 250.0): 40, response(0.02): 40, gaussian(0.1): 1})
    best, rough = account.spent(Budget(3.0, 1e-6)), account.spent(Budget(3.0, 1e-6), precise=False)
    assert best.bound == "PLD" and best.epsilon < rough.epsilon < 1.8


def test_basic_is_used_where_it_is_as_good():
    assert account_of({response(0.3): 3}).spent(BUDGET).bound == "basic"
    assert account_of({response(0.3): 3}).spent(BUDGET).epsilon == pytest.approx(0.9)


@pytest.mark.parametrize("count", [2, 3, 5, 6, 7, 9, 10, 11, 13, 17])
def test_equal_parts_of_a_budget_are_the_whole(count):
    account = Account()
    for part in range(count):
        assert account.fits(response(1 / count), Budget(1.0, 1e-12)), part
        account.add(response(1 / count))
    assert not account.fits(response(1 / count), Budget(1.0, 1e-12))


@pytest.mark.parametrize("noise", [Gaussian(2.0, 1e-6), Laplace(2.0)])
@pytest.mark.parametrize("images", [1, 2, 7, 30])
def test_what_hides_a_person_lasts_for_all_their_images(noise, images):
    guarantee = FeatureRelease(noise, clip=1.0, unit=Person(images)).guarantee((16,))
    budget = Budget(2.0, 1e-6, unit=BudgetUnit.PERSON)
    account = Account()
    for _ in range(images):
        cost = cost_of(guarantee, budget)
        assert account.fits(cost, budget)
        account.add(cost)
    if images < 10:
        assert not account.fits(cost_of(guarantee, budget), budget)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(1e-3, 0.6, **ANY), st.integers(1, 4)), min_size=1, max_size=3))
def test_no_bound_is_below_the_exact_composition(parts):
    """Randomised responses compose to a small discrete law, which can be computed exactly."""
    counts = {}
    for epsilon0, count in parts:
        counts[response(epsilon0)] = counts.get(response(epsilon0), 0) + count
    masses = [(0.0, 1.0)]
    for cost, count in counts.items():
        true = 1 / (1 + math.exp(-cost.epsilon))
        for _ in range(count):
            masses = [
                (loss + sign * cost.epsilon, p * (true if sign > 0 else 1 - true))
                for loss, p in masses
                for sign in (1, -1)
            ]
    budget = Budget(8.0, 1e-3)
    spent = account_of(counts).spent(budget)
    assert delta_of_losses(masses, spent.epsilon * (1 + 1e-11)) <= budget.delta


@settings(max_examples=20)
@given(st.integers(1, 60), st.sampled_from([response(0.04), laplace(4, 90.0), gaussian(0.25, 1e-8)]))
def test_charging_one_by_one_never_exceeds_the_budget(start, cost):
    account = account_of({response(0.01): start})
    while account.fits(cost, BUDGET) and account.counts.get(cost, 0) < 40:
        account.add(cost)
    assert account.spent(BUDGET).epsilon <= BUDGET.epsilon


def test_one_search_answers_for_all_charges_of_a_kind():
    cost = response(0.01)
    most = _most_that_fit(frozenset(), cost, BUDGET)
    assert repeated_response_delta(0.01, most, 1.0) <= 1e-6
    assert repeated_response_delta(0.01, round(most * 1.01), 1.0) > 1e-6
    account = account_of({cost: most - 1})
    assert account.fits(cost, BUDGET)
    account.add(cost)
    assert not account.fits(cost, BUDGET)


def test_deltas_of_sampling_are_paid():
    bad_sampler = PrivacyCost(
        0.01, 1e-7, NoiseDistribution.LAPLACE, 1000.0
    )  # half of delta, times 1 + e, for every release
    good_sampler = PrivacyCost(0.01, 1e-30, NoiseDistribution.LAPLACE, 1000.0)
    assert account_of({good_sampler: 150}).spent(BUDGET).epsilon < 1
    assert account_of({bad_sampler: 150}).spent(BUDGET).epsilon == math.inf


def test_without_room_for_delta_there_is_no_bound():
    assert not Account().fits(response(0.1, 2e-6), BUDGET)
    account = account_of({response(0.01, 3e-7): 3})
    assert not account.fits(response(0.01, 3e-7), BUDGET)


def test_many_different_laws_fall_back_to_renyi():
    account = account_of({response(0.01 + i * 1e-6): 4 for i in range(60)})
    assert account.spent(BUDGET).bound == "Renyi" and account.spent(BUDGET).epsilon < 0.85


# Units


def test_a_pixel_guarantee_costs_its_whole_image_figures():
    guarantee = PixelRelease(Laplace(4.0), Pixels(16)).guarantee((28, 28))
    for per in Per:
        cost = cost_of(guarantee, Budget(1.0, 1e-6, per))
        assert (cost.epsilon, cost.delta) == (guarantee.whole_image_epsilon, guarantee.whole_image_delta)
    assert cost.epsilon == 196 and guarantee.epsilon == 4


def test_an_aggregate_and_an_image_are_not_confused():
    image = FeatureRelease(Laplace(1.0), clip=1.0).guarantee((4,))
    corpus = SumRelease(Laplace(1.0), clip=1.0, unit=Dataset()).guarantee((4,))
    people = SumRelease(Laplace(1.0), clip=1.0, unit=Person(3)).guarantee((4,))
    person = FeatureRelease(Laplace(1.0), clip=1.0, unit=Person(3)).guarantee((4,))
    everything = Budget(1.0, 1e-6, Per.CORPUS, BudgetUnit.DATASET)
    anybody = Budget(1.0, 1e-6, Per.CORPUS, BudgetUnit.PERSON)
    one_person = Budget(1.0, 1e-6, Per.SUBJECT, BudgetUnit.PERSON)
    assert cost_of(corpus, everything).epsilon == 1.0
    assert cost_of(corpus, Budget(1.0, 1e-6, Per.CORPUS)).epsilon == 2.0  # replaced: out and in
    assert cost_of(people, anybody).epsilon == 1.0
    assert cost_of(person, one_person).epsilon == pytest.approx(1 / 3)
    assert cost_of(person, anybody).epsilon == 1.0
    whole = SumRelease(Laplace(1.0), clip=1.0).guarantee((4,))
    refused = [(image, everything), (image, anybody), (corpus, anybody), (whole, anybody)]
    touch_every_record = [(g, budget) for g in (corpus, people, whole) for budget in (one_person, BUDGET)]
    for guarantee, budget in refused + touch_every_record:
        with pytest.raises(BudgetError, match=f"of {guarantee.computed_from} whose unit is {guarantee.unit}"):
            cost_of(guarantee, budget)


def test_no_guarantee_cannot_be_paid_for():
    for budget in (BUDGET, Budget(1.0, 1e-6, Per.CORPUS)):
        with pytest.raises(BudgetError, match="no budget pays"):
            cost_of(NO_GUARANTEE, budget)


def test_a_budget_names_all_that_is_wrong():
    with pytest.raises(ParameterError) as caught:
        Budget(-1, 0.0, Per.SUBJECT, BudgetUnit.DATASET)
    assert [problem.where for problem in caught.value.problems] == ["Budget.epsilon", "Budget.delta", "Budget.unit"]
