"""What many releases add up to: the smallest of several valid bounds.

Releases may be chosen in view of earlier results (adaptive composition), and each bound holds for that:

- basic: epsilons add up, deltas add up. Figures are added as decimal numbers of twelve digits, so that ten charges of
  0.1 are 1, and three of a third are no more.
- Gaussian: releases with Gaussian noise alone are together one Gaussian release whose (sensitivity / sigma)^2 is the
  sum of theirs (Dong, Roth and Su, doi:10.1111/rssb.12454); its delta is exact.
- Renyi: Renyi divergences add up at every order (Mironov, doi:10.1109/CSF.2017.11); back to (epsilon, delta) by
  proposition 12 of Canonne, Kamath and Steinke, arXiv:2004.00010.
- PLD: privacy loss distributions are convolved by dp-accounting, rounded so that it never flatters (Doroshenko et al.,
  arXiv:2207.04380). For at most `MOST_LAWS` different laws and a delta of at least `SMALLEST_DELTA`, above what the
  rounding of Fourier transforms can hide.

The laws. Rounded Gaussian noise is post-processing of the Gaussian; sensitivity / sigma is the largest for which the
stated (epsilon, delta) can be true. Discrete Laplace noise of scale t on a vector with L1 sensitivity D is no worse
than on one number that moves by D = epsilon t: moving coordinate by coordinate is a chain of neighbours, so the
trade-off function of the vector is at least that of the chain (lemma A.5 of Dong, Roth and Su), and for log-concave
noise on integers the chain's is that of the one long step: both are linear between the thresholds k, where both take
P(Z >= k) to P(Z < k - D). Any other release counts as randomised response with its (epsilon, delta), which no other
(epsilon, delta)-DP mechanism exceeds (Kairouz, Oh and Viswanath, arXiv:1311.0776).

Sampled noise. Laplace and Gaussian noise are within a total variation v of their exact laws, so the composition is
within the sum V of all v, and its delta at epsilon is at most the exact one's plus (1 + exp(epsilon)) V. For Laplace v
is at most half the stated delta (see `privis.privacy.accounting`); for Gaussian noise it is bounded by 2**40 sampled
numbers, more than any memory holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from privis.privacy.accounting import gaussian_delta
from privis.privacy.budget import Budget, Cost, Law
from privis.privacy.tables import TOTAL_VARIATION

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

Array = npt.NDArray[np.float64]
Counts = Mapping[Cost, int]

MOST_LAWS = 16
SMALLEST_DELTA = 1e-10
_ORDERS = np.concatenate([1 + np.arange(1, 100) / 10, np.arange(11.0, 64.0), 2.0 ** np.arange(6, 15)])
_SAVING = 0.999  # a bound that is harder to explain must save more than a thousandth


@dataclass(frozen=True)
class Spent:
    """``charges`` releases together are ``epsilon``-DP at the budget's delta; ``bound`` says by which argument."""

    charges: int
    epsilon: float
    bound: str


@dataclass(eq=False)
class Account:
    """The charges of one record or corpus, ready to take another one."""

    counts: dict[Cost, int] = field(default_factory=dict)
    epsilon: Fraction = Fraction(0)
    delta: Fraction = Fraction(0)
    renyi: Array | None = None  # kept up to date once it was needed

    def add(self, cost: Cost) -> None:
        """Take ``cost`` into account."""
        epsilon, delta = _decimal(cost)
        self.counts[cost] = self.counts.get(cost, 0) + 1
        self.epsilon += epsilon
        self.delta += delta
        if self.renyi is not None:
            self.renyi += _renyi(cost)

    def fits(self, cost: Cost, budget: Budget) -> bool:
        """Say whether one more ``cost`` is within the budget by any bound; the cheap ones first."""
        epsilon, delta = _decimal(cost)
        target, most = _exactly(budget.epsilon), _exactly(budget.delta)
        if self.epsilon + epsilon <= target and self.delta + delta <= most:
            return True
        if _delta_alone(cost, budget.epsilon) > budget.delta:
            return False  # no company makes a release better
        counts = {**self.counts, cost: self.counts.get(cost, 0) + 1}
        if _gaussian_epsilon(counts, budget) <= budget.epsilon:
            return True
        if self.renyi is None:
            self.renyi = _renyi_sum(self.counts)
        if _renyi_epsilon(self.renyi + _renyi(cost), counts, budget) <= budget.epsilon:
            return True
        rest = frozenset((other, count) for other, count in self.counts.items() if other != cost)
        return counts[cost] <= _most_that_fit(rest, cost, budget)

    def overspent(self, budget: Budget) -> bool:
        """Say whether the charges exceed the budget by every bound."""
        return bool(self.counts) and self.spent(budget).epsilon > budget.epsilon

    def spent(self, budget: Budget, precise: bool = True) -> Spent:
        """Give the smallest bound of the charges; ``precise=False`` leaves out the slow one, PLD."""
        return spent(self.counts, budget, precise)


def spent(counts: Counts, budget: Budget, precise: bool = True) -> Spent:
    """Give the smallest bound of ``counts[cost]`` charges of every cost.

    >>> rounds = Cost(0.01, 0.0, Law.OTHER, 0.0)
    >>> spent({rounds: 3}, Budget(1.0, 1e-6))
    Spent(charges=3, epsilon=0.03, bound='basic')
    >>> result = spent({rounds: 300}, Budget(1.0, 1e-6))
    >>> round(result.epsilon, 3), result.bound
    (0.839, 'PLD')
    """
    charges = sum(counts.values())
    if not charges:
        return Spent(0, 0.0, "basic")
    best = Spent(charges, _basic_epsilon(counts, budget), "basic")
    others = [("Gaussian", _gaussian_epsilon), ("Renyi", lambda c, b: _renyi_epsilon(_renyi_sum(c), c, b))]
    if precise:
        others.append(("PLD", _pld_epsilon))
    for name, bound in others:
        epsilon = bound(counts, budget)
        if epsilon < best.epsilon * _SAVING or (math.isinf(best.epsilon) and epsilon < math.inf):
            best = Spent(charges, epsilon, name)
    return best


def _basic_epsilon(counts: Counts, budget: Budget) -> float:
    figures = [(count, *_decimal(cost)) for cost, count in counts.items()]
    if sum(count * delta for count, _, delta in figures) > _exactly(budget.delta):
        return math.inf
    return float(sum(count * epsilon for count, epsilon, _ in figures))


def _gaussian_epsilon(counts: Counts, budget: Budget) -> float:
    """Epsilon of Gaussian releases alone; infinite when there are others."""
    if any(cost.law is not Law.GAUSSIAN for cost in counts):
        return math.inf
    ratio, left = _gaussian_sum(counts), _delta_left(counts, budget)
    if left <= 0 or gaussian_delta(ratio, budget.epsilon) > left:
        return math.inf
    low, high = 0.0, budget.epsilon
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if gaussian_delta(ratio, middle) <= left else (middle, high)
    return high


def _renyi_epsilon(divergences: Array, counts: Counts, budget: Budget) -> float:
    left = _delta_left(counts, budget)
    if left <= 0:
        return math.inf
    epsilons = divergences + np.log1p(-1 / _ORDERS) - np.log(left * _ORDERS) / (_ORDERS - 1)
    return _within(max(0.0, float(epsilons.min())), budget)


def _pld_epsilon(counts: Counts, budget: Budget, within: bool = True) -> float:
    """Epsilon by PLD; what is beyond the budget's is roughly right, to search with, and given if not ``within``."""
    left = _delta_left(counts, budget, by_pld=True)
    if left <= 0 or len(counts) > MOST_LAWS or budget.delta < SMALLEST_DELTA:
        return math.inf
    if any(_delta_alone(cost, budget.epsilon) > budget.delta for cost in counts):
        return math.inf
    distribution = _composed(frozenset(counts.items()), budget)
    epsilon = float(distribution.get_epsilon_for_delta(left))
    return _within(epsilon, budget) if within else epsilon


def _within(epsilon: float, budget: Budget) -> float:
    """What was left of delta for sampling holds up to the budget's epsilon, and no further."""
    return epsilon if epsilon <= budget.epsilon else math.inf


@lru_cache(maxsize=4096)
def _most_that_fit(rest: frozenset[tuple[Cost, int]], cost: Cost, budget: Budget) -> int:
    """Largest number of equal charges beside ``rest`` for which PLD stays within the budget.

    Fewer charges fit then as well, so that one search answers for all charges of a kind that are still to come.
    Of more than 4096 a few may be missing, which only makes the bound stricter.
    Epsilon grows about as the root of the number: every other step trusts that, the rest halve what is open.
    """
    least, beyond, halve = 0, 0, False
    guess = max(1, math.floor(budget.epsilon / max(cost.epsilon, 1e-9 * budget.epsilon)))
    while not 0 < beyond - least <= 1 + (least >> 12):
        epsilon = _pld_epsilon({**dict(rest), cost: guess}, budget, within=False)
        least, beyond = (guess, beyond) if epsilon <= budget.epsilon else (least, guess)
        trusted = guess * (budget.epsilon / epsilon) ** 2 if 0 < epsilon < math.inf else math.inf
        if beyond and (halve or math.isinf(trusted)):
            guess = (least + beyond) // 2
        else:
            top = beyond - 1 if beyond else 2 * guess
            guess = round(min(top, max(least + 1, trusted)))
        halve = not halve
    return least


@lru_cache(maxsize=64)
def _composed(counts: frozenset[tuple[Cost, int]], budget: Budget) -> PrivacyLossDistribution:
    """Convolve the privacy losses; what is cut off their tails counts as lost."""
    from dp_accounting.pld import privacy_loss_distribution as pld
    from dp_accounting.pld.pld_pmf import create_pmf_pessimistic_connect_dots_fixed_gap as connected

    total = sum(count for _, count in counts)
    step = budget.epsilon / (200 * math.sqrt(total))  # rounding adds about total * step^2 / 8 to the mean loss
    tail = 1e-4 * budget.delta / (len(counts) + 1)
    parts = []
    gaussians = {cost: count for cost, count in counts if cost.law is Law.GAUSSIAN}
    if gaussians:
        deviation, cut = 1 / _gaussian_sum(gaussians), math.log(tail)
        parts.append(
            pld.from_gaussian_mechanism(deviation, value_discretization_interval=step, log_mass_truncation_bound=cut)
        )
    for cost, count in counts:
        if cost.law is not Law.GAUSSIAN:
            reach = max(1, math.ceil(cost.epsilon / step))
            deltas = _profile(cost, step * np.arange(-reach, reach + 1))
            one = pld.PrivacyLossDistribution(connected(step, -reach, reach, deltas))
            parts.append(one.self_compose(count, tail))
    composed = parts[0]
    for part in parts[1:]:
        composed = composed.compose(part, tail)
    return composed


def _profile(cost: Cost, epsilons: Array) -> Array:
    """Hockey-stick divergences of the exact law at ``epsilons``; 0 from the cost's epsilon on, but for its delta."""
    if cost.law is Law.LAPLACE:
        rate, moved = 1 / cost.scale, _moved(cost)
        last = np.ceil((moved - epsilons / rate) / 2) - 1.0  # largest result with a loss above epsilon
        inside = _laplace_below(last, rate) - np.exp(epsilons) * _laplace_below(last - float(moved), rate)
        outside = -np.expm1(np.minimum(epsilons, 0.0))
        values = np.where(epsilons < rate * moved, np.where(epsilons < -rate * moved, outside, inside), 0.0)
        return np.minimum.accumulate(np.clip(values, 0.0, 1.0))
    odds = math.exp(cost.epsilon)
    inside = (odds - np.exp(epsilons)) / (1 + odds)
    values = np.where(np.abs(epsilons) <= cost.epsilon, inside, np.where(epsilons > 0, 0.0, -np.expm1(epsilons)))
    return cost.delta + (1 - cost.delta) * np.clip(values, 0.0, 1.0)


def _laplace_below(value: Array, rate: float) -> Array:
    """P(Z <= value) of discrete Laplace noise with P(z) proportional to exp(-rate |z|)."""
    one_side = np.exp(-rate * np.where(value >= 0, value + 1, -value)) / (1 + math.exp(-rate))
    return np.where(value >= 0, 1 - one_side, one_side)


def _moved(cost: Cost) -> int:
    """Integer L1 sensitivity of Laplace noise; a scale that was rounded must not make it one too large or small."""
    product = cost.epsilon * cost.scale
    nearest = round(product)
    return nearest if nearest < 2**30 and abs(product - nearest) < 1e-9 * max(1, nearest) else math.ceil(product)


def _delta_alone(cost: Cost, epsilon: float) -> float:
    """Smallest delta of the exact law at ``epsilon``, from below: what every composition with it costs at least."""
    if cost.law is Law.GAUSSIAN:
        return gaussian_delta(_ratio(cost.epsilon, cost.delta), epsilon) * (1 - 1e-5)
    if cost.epsilon <= epsilon:
        return 0.0
    if cost.epsilon > epsilon + 100:
        return 0.5
    return float(_profile(cost, np.array([epsilon]))[0]) * (1 - 1e-9)


def _delta_left(counts: Counts, budget: Budget, by_pld: bool = False) -> float:
    """What of delta is left for exact laws when sampling, and what has no law, is paid.

    PLD carries the deltas of what has no law itself, but rounds.
    """
    sampling, lost = 0.0, 0.0
    for cost, count in counts.items():
        match cost.law:
            case Law.LAPLACE:
                sampling += count * cost.delta / 2
            case Law.GAUSSIAN:
                sampling += count * 2.0**40 * TOTAL_VARIATION
            case Law.OTHER:
                lost += count * cost.delta
    if by_pld:
        lost = 1e-15 * (1000 + sum(counts.values()))
    factor = 1 + math.exp(budget.epsilon) if budget.epsilon < 700 else math.inf
    paid = factor * sampling if sampling else 0.0
    return budget.delta - paid - lost


def _gaussian_sum(counts: Counts) -> float:
    return math.sqrt(sum(count * _ratio(cost.epsilon, cost.delta) ** 2 for cost, count in counts.items()))


@lru_cache(maxsize=4096)
def _ratio(epsilon: float, delta: float) -> float:
    """Largest sensitivity / sigma for which (epsilon, delta) can be true, from above."""
    low, high = 0.0, 1.0
    while gaussian_delta(high, epsilon) <= delta:
        low, high = high, 2 * high
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(middle, epsilon) <= delta else (low, middle)
    return high


@lru_cache(maxsize=16384)
def _renyi(cost: Cost) -> Array:
    """Renyi divergences at `_ORDERS`."""
    a = _ORDERS
    if cost.law is Law.GAUSSIAN:
        return a * _ratio(cost.epsilon, cost.delta) ** 2 / 2
    if cost.law is Law.OTHER:
        return (np.logaddexp(a * cost.epsilon, (1 - a) * cost.epsilon) - np.logaddexp(0, cost.epsilon)) / (a - 1)
    # Geometric series over the results below 0, from the shift on, and between, of P(z)^a Q(z)^(1-a).
    rate, moved = 1 / cost.scale, _moved(cost)
    epsilon, end = rate * moved, -math.log1p(math.exp(-rate))
    sums = np.logaddexp((a - 1) * epsilon + end, -a * epsilon + end)
    if moved > 1:
        falls = rate * (2 * a - 1)
        between = -falls + np.log(-np.expm1(-falls * (moved - 1))) - np.log(-np.expm1(-falls))
        sums = np.logaddexp(sums, math.log(math.tanh(rate / 2)) + (a - 1) * epsilon + between)
    return sums / (a - 1)


def _renyi_sum(counts: Counts) -> Array:
    total = np.zeros_like(_ORDERS)
    for cost, count in counts.items():
        total += count * _renyi(cost)
    return total


@lru_cache(maxsize=16384)
def _decimal(cost: Cost) -> tuple[Fraction, Fraction]:
    return _exactly(cost.epsilon), _exactly(cost.delta)


def _exactly(value: float) -> Fraction:
    """The decimal number of twelve digits that is written for ``value``."""
    return Fraction(Decimal(f"{value:.12g}"))
