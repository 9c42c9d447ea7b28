"""The distribution behind a charge: its privacy profile, its Renyi divergences, what its sampling costs.

Rounded Gaussian noise is post-processing of the Gaussian; sensitivity / sigma is the largest for which the charged
(epsilon, delta) can be true.

Discrete Laplace noise of scale t on a vector with L1 sensitivity D is no worse than on one number that moves by
D = epsilon t. Moving coordinate by coordinate is a chain of neighbours, so the trade-off function of the vector is at
least that of the chain (Dong, Roth and Su, arXiv:1905.02383, lemma A.5). The chain's is that of the one long step, as
the noise is log-concave on integers: both are linear between the thresholds k, where both take P(Z >= k) to
P(Z < k - D).

Any other release counts as randomised response with its (epsilon, delta), which no (epsilon, delta)-DP mechanism
exceeds (Kairouz, Oh and Viswanath, arXiv:1311.0776).

Laplace and Gaussian noise are sampled within a total variation v of these distributions, so a composition is within the
sum V of all v, and its delta at epsilon is at most the exact one's plus (1 + exp(epsilon)) V. For Laplace v is at most
half the charged delta (see `privis.privacy.accounting.noise_calibration`); for Gaussian noise it is that of 2**40
sampled numbers, more than any memory holds.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from privis.privacy.accounting.noise_calibration import gaussian_delta
from privis.privacy.accounting.renyi import ORDERS
from privis.privacy.ledger.budget import NoiseDistribution, PrivacyCost
from privis.privacy.sampling.alias_table import TOTAL_VARIATION

Array = npt.NDArray[np.float64]

_LARGEST = 700.0  # exponents up to here do not overflow


def profile(cost: PrivacyCost, epsilons: Array) -> Array:
    """Smallest deltas of the distribution at ``epsilons``, which must increase.

    >>> half = PrivacyCost(math.log(3), 0.0, NoiseDistribution.OTHER, 0.0)  # says the truth in three of four cases
    >>> profile(half, np.array([0.0, math.log(2), math.log(3)])).round(6).tolist()
    [0.5, 0.25, 0.0]
    """
    if cost.distribution is NoiseDistribution.GAUSSIAN:
        return np.array([gaussian_delta(ratio(cost), epsilon) for epsilon in epsilons])
    below, above = epsilons < -cost.epsilon, epsilons > cost.epsilon
    epsilons = np.minimum(epsilons, cost.epsilon)  # above it nothing is left, and no exponential overflows
    if cost.distribution is NoiseDistribution.LAPLACE:
        rate, moved = 1 / cost.scale, float(shift(cost))
        last = np.ceil((moved - epsilons / rate) / 2) - 1.0  # largest result with a loss above epsilon
        with np.errstate(over="ignore", invalid="ignore"):
            other = np.exp(epsilons) * _laplace_below(last - moved, rate)
        # Where the exponential overflows, the probability of a result so far off is that of one tail.
        tail = np.exp(np.minimum(epsilons + rate * (last - moved), 0.0) - math.log1p(math.exp(-rate)))
        inside = _laplace_below(last, rate) - np.where(epsilons > _LARGEST, tail, other)
    elif cost.epsilon > _LARGEST:
        inside = -np.expm1(epsilons - cost.epsilon) / (1 + math.exp(-cost.epsilon))
    else:
        inside = (np.exp(cost.epsilon) - np.exp(epsilons)) / (1 + np.exp(cost.epsilon))
    values = np.where(above, 0.0, np.where(below, -np.expm1(np.minimum(epsilons, 0.0)), inside))
    values = np.minimum.accumulate(np.clip(values, 0.0, 1.0))
    return values if cost.distribution is NoiseDistribution.LAPLACE else cost.delta + (1 - cost.delta) * values


def least_delta(cost: PrivacyCost, epsilon: float) -> float:
    """Delta that any composition with ``cost`` has at ``epsilon``, from below."""
    if cost.distribution is not NoiseDistribution.GAUSSIAN and cost.epsilon <= epsilon:
        return 0.0
    if cost.distribution is not NoiseDistribution.GAUSSIAN and cost.epsilon > epsilon + 100:
        return 0.4
    return float(profile(cost, np.array([epsilon]))[0]) * (1 - 1e-6)


@lru_cache(maxsize=16384)
def divergences(cost: PrivacyCost) -> Array:
    """Renyi divergences of the distribution at `ORDERS`; of randomised response without its delta."""
    a = ORDERS
    if cost.distribution is NoiseDistribution.GAUSSIAN:
        return a * ratio(cost) ** 2 / 2
    if cost.distribution is NoiseDistribution.OTHER:
        # The quotient cosh((a - 1/2) epsilon) / cosh(epsilon / 2); not by sums near 1, which round a small one away.
        return (_log_cosh((a - 0.5) * cost.epsilon) - _log_cosh(np.array(cost.epsilon / 2))) / (a - 1)
    # Geometric series of P(z)^a Q(z)^(1-a) over the results up to 0, from the shift on, and between.
    rate, moved = 1 / cost.scale, shift(cost)
    epsilon, end = rate * moved, -math.log1p(math.exp(-rate))
    sums = np.logaddexp((a - 1) * epsilon + end, -a * epsilon + end)
    if moved > 1:
        falls = rate * (2 * a - 1)
        between = np.log(-np.expm1(-falls * (moved - 1))) - np.log(-np.expm1(-falls)) - falls
        sums = np.logaddexp(sums, math.log(math.tanh(rate / 2)) + (a - 1) * epsilon + between)
    return sums / (a - 1)


def sampling(cost: PrivacyCost) -> float:
    """Total variation between sampled noise and its distribution."""
    return {
        NoiseDistribution.LAPLACE: cost.delta / 2,
        NoiseDistribution.GAUSSIAN: 2.0**40 * TOTAL_VARIATION,
        NoiseDistribution.OTHER: 0.0,
    }[cost.distribution]


@lru_cache(maxsize=16384)
def ratio(cost: PrivacyCost) -> float:
    """Largest sensitivity / sigma of Gaussian noise for which the (epsilon, delta) of ``cost`` can be true."""
    low, high = 0.0, 1.0
    while gaussian_delta(high, cost.epsilon) <= cost.delta:
        low, high = high, 2 * high
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(middle, cost.epsilon) <= cost.delta else (low, middle)
    return high


def shift(cost: PrivacyCost) -> int:
    """Integer L1 sensitivity of Laplace noise, as epsilon is this divided by the scale."""
    product = cost.epsilon * cost.scale
    nearest = round(product)
    rounded = nearest < 2**30 and abs(product - nearest) < 1e-9 * max(1, nearest)  # not truly beyond the integer
    return nearest if rounded else math.ceil(product)


def _log_cosh(value: Array) -> Array:
    """Logarithm of the hyperbolic cosine of ``value``, at least 0, to double precision relative to itself."""
    small = np.log1p(2 * np.sinh(np.minimum(value, 1.0) / 2) ** 2)
    return np.where(value < 1, small, value - math.log(2) + np.log1p(np.exp(-2 * value)))


def _laplace_below(value: Array, rate: float) -> Array:
    """P(Z <= value) of discrete Laplace noise with P(z) proportional to exp(-rate |z|)."""
    one_side = np.exp(-rate * np.where(value >= 0, value + 1, -value)) / (1 + math.exp(-rate))
    return np.where(value >= 0, 1 - one_side, one_side)
