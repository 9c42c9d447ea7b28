"""Lower bounds of epsilon: below the truth as often as they say, above a claim that is too small, and refusals."""

import math

import numpy as np
import pytest
from scipy import stats

from privis.attack.audits.epsilon_bounds import (
    EpsilonBound,
    gaussian_bound,
    one_run_bound,
    one_run_chance,
    proportion_least,
    proportion_most,
    two_point_bound,
)
from privis.errors import ParameterError
from privis.privacy.accounting import gaussian_epsilon

DELTA = 1e-5


def test_the_ends_of_proportions_are_those_of_clopper_and_pearson() -> None:
    for hits, tries, level in ((0, 10, 0.05), (3, 10, 1e-6), (10, 10, 1e-3), (700, 2000, 5e-7)):
        exact = stats.binomtest(hits, tries).proportion_ci(1 - 2 * level, "exact")
        assert proportion_least(hits, tries, level) == pytest.approx(exact.low, abs=1e-12)
        assert proportion_most(hits, tries, level) == pytest.approx(exact.high, rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_two_points_and_one_run_are_rarely_above_the_truth_and_often_near(epsilon: float) -> None:
    rng, level, runs = np.random.default_rng(1), 0.05, 60
    pairs, single = [], []
    for _ in range(runs):
        noise = rng.laplace(0, 1 / epsilon, (2, 2000))
        pairs.append(two_point_bound(noise[0] + 1, noise[1], level=level).epsilon)
        coins = rng.random(4000) < 0.5
        single.append(one_run_bound(coins, coins + noise.ravel(), level=level).epsilon)
    for found in (np.array(pairs), np.array(single)):
        # 60 runs at 5 % have more than 9 false alarms with a probability below 0.001
        assert (found > epsilon).sum() <= 9
        assert np.median(found) > 0.6 * epsilon


def test_gaussian_scores_are_bounded_by_their_trade_off() -> None:
    rng, level, runs = np.random.default_rng(2), 0.05, 60
    truth = gaussian_epsilon(0.9, DELTA)
    found = [
        gaussian_bound(rng.normal(0.9, 1, 2000), rng.normal(0, 1, 2000), DELTA, level).epsilon for _ in range(runs)
    ]
    assert sum(each > truth for each in found) <= 9
    assert np.median(found) > 0.8 * truth


def test_half_the_noise_is_above_the_claim() -> None:
    rng = np.random.default_rng(3)
    first, second = 1 + rng.laplace(0, 0.5, 2000), rng.laplace(0, 0.5, 2000)
    assert two_point_bound(first, second).refutes(1.0)
    coins = rng.random(2000) < 0.5
    assert one_run_bound(coins, coins + rng.laplace(0, 0.5, 2000)).refutes(1.0)
    mu = 0.92
    bound = gaussian_bound(rng.normal(2 * mu, 1, 2000), rng.normal(0, 1, 2000), DELTA)
    assert bound.refutes(gaussian_epsilon(mu, DELTA))


def test_an_event_that_is_certain_on_one_side_only_is_found_in_either_direction() -> None:
    rng = np.random.default_rng(4)
    never = np.zeros(3000)
    sometimes = (rng.random(3000) < 0.5).astype(float)
    for first, second in ((sometimes, never), (never, -sometimes)):
        bound = two_point_bound(first, second, level=1e-3)
        assert bound.epsilon > 3 and bound.tries == 4800  # and not only log(2), which the complement says
        assert two_point_bound(first, second, delta=0.6, level=1e-3).epsilon == 0


def test_equal_scores_prove_nothing() -> None:
    same = np.random.default_rng(5).normal(size=500)
    assert two_point_bound(same, same).epsilon == 0
    assert gaussian_bound(same, same, DELTA).epsilon == 0
    assert one_run_bound(np.arange(500) % 2 == 0, np.zeros(500)).epsilon == 0


def published(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """The p-value as the authors' text computes it, term by term (arXiv:2305.08846, appendix D)."""
    chance = 1 / (1 + math.exp(-epsilon))
    beta = stats.binom.sf(right - 1, guesses, chance)
    alpha, total = 0.0, 0.0
    for step in range(1, right + 1):
        total += stats.binom.pmf(right - step, guesses, chance)
        alpha = max(alpha, total / step)
    return min(1.0, beta + alpha * delta * 2 * canaries)


@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
def test_the_chance_of_right_guesses_is_the_published_one(delta: float) -> None:
    for guesses, right, epsilon in ((100, 75, 1.0), (1000, 900, 2.0), (50, 50, 0.1), (40, 0, 1.0)):
        ours = one_run_chance(1000, guesses, right, epsilon, delta)
        assert ours == pytest.approx(published(1000, guesses, right, epsilon, delta), rel=1e-6, abs=1e-12)


def test_a_delta_costs_the_one_run_bound() -> None:
    coins = np.random.default_rng(6).random(1000) < 0.5
    scores = coins + np.random.default_rng(7).laplace(0, 0.3, 1000)
    free, paid = (one_run_bound(coins, scores, delta, level=1e-2).epsilon for delta in (0.0, 1e-5))
    assert 0 < paid < free
    assert one_run_bound(coins, scores, DELTA).epsilon == 0  # 2 m delta is far above the level of 1e-6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_point_bound([1.0] * 9, [0.0] * 20), "first scores"),
        (lambda: two_point_bound([1.0] * 20, [math.nan] * 20), "second scores"),
        (lambda: two_point_bound([1.0] * 20, [0.0] * 20, delta=1.0), "delta"),
        (lambda: two_point_bound([1.0] * 20, [0.0] * 20, level=0.0), "level"),
        (lambda: gaussian_bound([1.0] * 20, [0.0] * 20, 0.0), "above 0"),
        (lambda: one_run_bound([True] * 7, [0.0] * 7), "at least 8"),
        (lambda: one_run_bound([True] * 9, [0.0] * 8), "canaries"),
    ],
)
def test_what_cannot_be_audited_is_refused(call, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        call()


def test_a_bound_refutes_what_is_below_it() -> None:
    bound = EpsilonBound(1.5, 0.0, 1e-6, 100, "one run")
    assert bound.refutes(1.4) and not bound.refutes(1.5)
