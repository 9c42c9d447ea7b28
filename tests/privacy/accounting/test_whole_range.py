"""Every closed form over its whole range, against the same formula in as many digits as it takes (mpmath).

Answers for `privis.privacy.accounting.renyi`, too.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from mpmath import mp, mpf

from privis.privacy.accounting import gaussian_epsilon, gaussian_ratio
from privis.privacy.accounting.renyi import ORDERS, renyi_epsilon, replaced_divergences
from privis.privacy.learning.subsampling import Neighbours, NoisySums, epsilon_of
from privis.privacy.ledger.budget import Budget, NoiseDistribution, PrivacyCost
from privis.privacy.ledger.composition import Account
from privis.privacy.ledger.privacy_profiles import divergences, profile, shift
from privis.privacy.mechanisms.direction import PrivUnit, VonMisesFisher
from privis.privacy.mechanisms.randomised_response import distance_distribution, scaled_exponential

EPSILONS = (1e-6, 3e-6, 1e-5, 1e-3, 0.1, 1.0, 10.0, 500.0, 1e4)
DELTAS = (1e-305, 1e-300, 1e-200, 1e-100, 1e-20, 1e-6, 0.1, 0.99)


def exact(function):
    """Compute in 100 digits; the precision of others is theirs."""

    @functools.wraps(function)
    def within(*values):
        with mp.workdps(100):
            return function(*values)

    return within


@exact
def gaussian(ratio, epsilon):
    ratio, epsilon = mpf(ratio), mpf(epsilon)
    return mp.ncdf(ratio / 2 - epsilon / ratio) - mp.exp(epsilon) * mp.ncdf(-ratio / 2 - epsilon / ratio)


@pytest.mark.parametrize("delta", DELTAS)
def test_gaussian_noise_keeps_what_it_states_at_every_delta(delta):
    for epsilon in EPSILONS:
        ratio = gaussian_ratio(epsilon, delta)
        assert gaussian(ratio, epsilon) <= delta < gaussian(ratio * (1 + 1e-4), epsilon), epsilon
    for ratio in (1e-6, 1e-3, 1.0, 1e3):
        epsilon = gaussian_epsilon(ratio, delta)
        assert gaussian(ratio, epsilon) <= delta, ratio
        assert epsilon == 0 or gaussian(ratio, epsilon * (1 - 1e-4)) > delta, ratio


@exact
def sampled(multiplier, sampling, moved, epsilon):
    """Delta of (1 - q) N(0) + q N(1) against (1 - q) N(0) + q N(moved), moved at most 0; one side of it."""
    q, s = mpf(sampling), mpf(multiplier)

    def density(x, centre):
        return (1 - q) * mp.exp(-x * x / (2 * s * s)) + q * mp.exp(-((x - centre) ** 2) / (2 * s * s))

    def loss(x):
        return mp.log(density(x, 1) / density(x, moved)) - epsilon

    low, high = -200 * s, 200 * s * (1 + 1000 * s)
    if loss(high) <= 0:
        return mpf(0)
    for _ in range(160):
        middle = (low + high) / 2
        low, high = (low, middle) if loss(middle) > 0 else (middle, high)

    def beyond(centre):
        return (1 - q) * mp.ncdf(-high / s) + q * mp.ncdf((centre - high) / s)

    return beyond(1) - mp.exp(epsilon) * beyond(moved)


@pytest.mark.parametrize("neighbours", Neighbours)
@pytest.mark.parametrize(
    "delta, sampling",
    [
        *((1e-300, sampling) for sampling in (1.0, 0.1, 1e-4)),
        (1e-6, 0.1),
        *(pytest.param(1e-20, sampling, marks=pytest.mark.long) for sampling in (1.0, 0.1, 1e-4)),
        *(pytest.param(1e-6, sampling, marks=pytest.mark.long) for sampling in (1.0, 1e-4)),
    ],
)
def test_a_training_has_a_finite_epsilon_at_every_delta(sampling, delta, neighbours):
    """It was infinite below 1e-20: a privacy loss distribution cuts its tails off."""
    for multiplier in (0.5, 8.0):
        epsilon = epsilon_of((NoisySums(multiplier, sampling),), delta, neighbours)
        assert math.isfinite(epsilon)
        assert sampled(multiplier, sampling, 1 - neighbours.parts, epsilon) <= delta
    several = tuple(NoisySums(m, sampling, 2) for m in (3.0, 8.0))
    each = [epsilon_of((part,), delta, neighbours) for part in several]
    assert max(each) <= epsilon_of(several, delta, neighbours) * (1 + 1e-9) < math.inf


def test_renyi_divergences_of_replaced_members_bound_those_of_the_sums():
    for multiplier, sampling in ((1.0, 0.01), (3.0, 0.5), (1.0, 1.0)):
        bounds = replaced_divergences(multiplier, sampling)
        x = np.linspace(-60, 60, 400_001)
        drawn = np.log(sampling)
        rest = -np.inf if sampling == 1 else np.log1p(-sampling)
        p, q = (
            np.logaddexp(rest - (x / multiplier) ** 2 / 2, drawn - ((x - c) / multiplier) ** 2 / 2) for c in (1.0, -1.0)
        )
        p, q = p - np.log(np.exp(p).sum()), q - np.log(np.exp(q).sum())
        for place in (0, 10, 40):
            order = ORDERS[place]
            divergence = np.log(np.exp(order * p + (1 - order) * q).sum()) / (order - 1)
            assert divergence <= bounds[place] * (1 + 1e-9)
    assert renyi_epsilon(ORDERS / 2, 1e-300) < math.inf


@exact
def laplace_profile(scale, moved, epsilon):
    """Over all results z, the sum of what P(z) is above exp(epsilon) P(z - moved)."""
    rate = 1 / mpf(scale)
    grown = mp.exp(epsilon - moved * rate)
    total = max(mpf(0), 1 - grown) / (1 + mp.exp(-rate))
    for z in range(1, moved):
        more = mp.exp(-z * rate) - mp.exp(mpf(epsilon)) * mp.exp(-(moved - z) * rate)
        total += mp.tanh(rate / 2) * max(mpf(0), more)
    return total


@pytest.mark.parametrize("epsilon", [1e-3, 1.0, 100.0, 690.0, 750.0, 1500.0])
def test_profiles_of_large_and_small_losses(epsilon):
    points = np.array([0.0, 0.3, 0.5, 0.9, 0.999]) * epsilon
    other = PrivacyCost(epsilon, 0.0, NoiseDistribution.OTHER, 0.0)
    laplace = PrivacyCost(epsilon, 1e-20, NoiseDistribution.LAPLACE, 40 / epsilon)
    for cost in (other, laplace):
        for point, value in zip(points, profile(cost, points), strict=True):
            with mp.workdps(100):
                truth = (mp.exp(mpf(epsilon)) - mp.exp(mpf(point))) / (1 + mp.exp(mpf(epsilon)))
            if cost is laplace:
                truth = laplace_profile(cost.scale, shift(cost), point)
            assert value == pytest.approx(float(truth), rel=1e-9, abs=1e-12), (cost, point)


@pytest.mark.parametrize("epsilon", [1e-9, 1e-6, 1e-3, 1.0, 100.0, 5000.0])
def test_divergences_of_randomised_response(epsilon):
    found = divergences(PrivacyCost(epsilon, 0.0, NoiseDistribution.OTHER, 0.0))
    for order, value in zip(ORDERS[::9], found[::9], strict=True):
        with mp.workdps(100):
            a, e = mpf(float(order)), mpf(epsilon)
            truth = mp.log((mp.exp(a * e) + mp.exp((1 - a) * e)) / (1 + mp.exp(e))) / (a - 1)
        assert value == pytest.approx(float(truth), rel=1e-12, abs=0)


@pytest.mark.parametrize("budget", [Budget(2000.0, 1e-6), Budget(50.0, 1e-60), Budget(50.0, 1e-300)])
def test_a_ledger_adds_up_at_every_budget(budget):
    account = Account()
    costs = [
        PrivacyCost(0.4, 0.0, NoiseDistribution.OTHER, 0.0),
        PrivacyCost(0.2, 1e-310, NoiseDistribution.LAPLACE, 100.0),
        PrivacyCost(710.0, 0.0, NoiseDistribution.OTHER, 0.0),
    ]
    for cost in costs[: 3 if budget.epsilon > 1000 else 2]:
        for _ in range(1 if cost.epsilon > 700 else 40):
            assert account.fits(cost, budget)
            account.add(cost)
    assert 0 < account.spent(budget).epsilon < math.inf


@exact
def quotient(dimension, concentration):
    """I_(d/2)(k) / I_(d/2 - 1)(k) by Gauss's continued fraction: the mean of the von Mises-Fisher law."""
    value = mpf(0)
    for step in range(int(2 * concentration) + 60, -1, -1):
        value = 1 / (2 * (mpf(dimension) / 2 + step) / mpf(concentration) + value)
    return value


@pytest.mark.parametrize("dimension", [2, 3, 16, 4096, 65536])
def test_mean_directions(dimension):
    """What is released is divided by them: a relative error is a bias."""
    for concentration in (1e-12, 1e-9, 1e-6, 1e-3, 1.0, 300.0, 1e4):
        found = VonMisesFisher(concentration).distribution(dimension).mean
        assert found == pytest.approx(float(quotient(dimension, concentration)), rel=1e-7, abs=0), concentration
    for epsilon in (1e-12, 1e-6, 1.0, 16.0, 200.0):
        law = PrivUnit(epsilon).distribution(dimension)
        with mp.workdps(40):
            half, square = mpf(dimension - 1) / 2, mp.sin(mpf(law.cap)) ** 2
            share = mp.betainc(half, 0.5, 0, square, regularized=True) / 2
            inner = square**half / (dimension - 1) / mp.beta(half, 0.5)
            truth = mp.expm1(epsilon) * inner / (1 + mp.expm1(epsilon) * share)
        assert law.mean == pytest.approx(float(truth), rel=1e-7, abs=0), epsilon


def test_randomised_response_of_any_length():
    for epsilon in (1e-9, 1e-3, 1.0, 44.3, 710.0, 10_000.0):
        with mp.workdps(5000):
            assert 0 <= mp.exp(mpf(epsilon)) * 2**64 - scaled_exponential(epsilon) < 3
        for bits in (1, 2, 7, 64):
            best = max(_agreement(epsilon, bits, radius) for radius in range(bits))
            assert distance_distribution(epsilon, bits).agreement == pytest.approx(float(best), rel=1e-9)
        assert 0 < distance_distribution(epsilon, 16_384).agreement <= 1


@exact
def _agreement(epsilon, bits, radius):
    weights = [math.comb(bits, h) * (mp.exp(mpf(epsilon)) if h <= radius else 1) for h in range(bits + 1)]
    return sum(w * (bits - 2 * h) for h, w in enumerate(weights)) / sum(weights) / bits
