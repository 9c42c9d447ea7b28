"""What many releases add up to: the smallest of several valid bounds.

Releases may be chosen in view of earlier results (adaptive composition), and each bound holds for that:

- basic: epsilons add up, deltas add up. Figures are cut to decimal numbers of twelve digits, so that ten charges of 0.1
  are 1, and three of a third are no more.
- Gaussian: releases with Gaussian noise alone are together one Gaussian release whose (sensitivity / sigma)^2 is the
  sum of theirs (Dong, Roth and Su, arXiv:1905.02383, corollary 3.3); its delta is exact.
- Renyi: Renyi divergences add up at every order (Mironov, arXiv:1702.07476); back to (epsilon, delta) by proposition 12
  of Canonne, Kamath and Steinke, arXiv:2004.00010.
- PLD: privacy loss distributions are convolved by dp-accounting, rounded so that it never flatters (Doroshenko et al.,
  arXiv:2207.04380). For at most `MOST_DISTRIBUTIONS` different ones and a delta of at least `SMALLEST_DELTA`, above
  what the rounding of Fourier transforms can hide.

Which distribution stands for a release, and what its sampling costs, is derived in
`privis.privacy.ledger.privacy_profiles`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Context
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from privis.privacy.accounting.noise_calibration import gaussian_delta
from privis.privacy.accounting.renyi import ORDERS, renyi_epsilon
from privis.privacy.ledger.budget import Budget, NoiseDistribution, PrivacyCost
from privis.privacy.ledger.privacy_profiles import Array, divergences, least_delta, profile, ratio, sampling

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

Counts = Mapping[PrivacyCost, int]

MOST_DISTRIBUTIONS = 16
SMALLEST_DELTA = 1e-10
_SAVING = 0.999  # a bound that is harder to explain must save more than a thousandth
_DIGITS = Context(prec=12, rounding=ROUND_DOWN)
_GAUSSIAN, _SAMPLING, _LOST, _OTHERS = range(4)  # of the terms of a cost; Renyi divergences follow


@dataclass(frozen=True)
class Spent:
    """``charges`` releases together are ``epsilon``-DP at the budget's delta; ``bound`` says by which argument."""

    charges: int
    epsilon: float
    bound: str


@dataclass(eq=False)
class Account:
    """The charges of one record or corpus, ready to take another one."""

    counts: dict[PrivacyCost, int] = field(default_factory=dict)
    epsilon: Fraction = Fraction(0)
    delta: Fraction = Fraction(0)
    terms: Array | None = None  # kept up to date once they were needed

    def add(self, cost: PrivacyCost) -> None:
        """Add ``cost`` to what the account has spent."""
        epsilon, delta = _figures(cost)
        self.counts[cost] = self.counts.get(cost, 0) + 1
        self.epsilon += epsilon
        self.delta += delta
        if self.terms is not None:
            self.terms = self.terms + _terms(cost)

    def fits(self, cost: PrivacyCost, budget: Budget) -> bool:
        """Say whether one more ``cost`` is within the budget by any bound; the cheap ones first."""
        epsilon, delta = _figures(cost)
        if self.epsilon + epsilon <= _exactly(budget.epsilon) and self.delta + delta <= _exactly(budget.delta):
            return True
        if least_delta(cost, budget.epsilon) > budget.delta:
            return False  # no company makes a release better
        terms = self._terms() + _terms(cost)
        if _gaussian_fits(terms, budget, budget.epsilon) or _renyi_epsilon(terms, budget) < math.inf:
            return True
        if len(self.counts) > MOST_DISTRIBUTIONS:
            return False
        rest = frozenset((other, count) for other, count in self.counts.items() if other != cost)
        return self.counts.get(cost, 0) < _most_that_fit(rest, cost, budget)

    def spent(self, budget: Budget, precise: bool = True) -> Spent:
        """Give the smallest bound of the charges; ``precise=False`` leaves out the slow one, PLD.

        >>> account = Account()
        >>> for _ in range(300):
        ...     account.add(PrivacyCost(0.01, 0.0, NoiseDistribution.OTHER, 0.0))
        >>> result = account.spent(Budget(1.0, 1e-6))
        >>> round(result.epsilon, 3), result.bound
        (0.712, 'PLD')
        """
        charges = sum(self.counts.values())
        basic = float(self.epsilon) if self.delta <= _exactly(budget.delta) else math.inf
        best = Spent(charges, basic, "basic")
        if charges < 2 and basic < math.inf:
            return best
        terms = self._terms()
        bounds = [("Gaussian", _gaussian_epsilon(terms, budget)), ("Renyi", _renyi_epsilon(terms, budget))]
        if precise:
            bounds.append(("PLD", _pld_epsilon(self.counts, budget)))
        for name, epsilon in bounds:
            if epsilon < best.epsilon * _SAVING:
                best = Spent(charges, epsilon, name)
        return best

    def _terms(self) -> Array:
        if self.terms is None:
            self.terms = np.zeros(_OTHERS + 1 + ORDERS.size)
            for cost, count in self.counts.items():
                self.terms += count * _terms(cost)
        return self.terms


def sum_of(accounts: Sequence[Account]) -> Account:
    """The charges of all ``accounts`` as one account."""
    total = Account(epsilon=sum((one.epsilon for one in accounts), Fraction(0)))
    total.delta = sum((one.delta for one in accounts), Fraction(0))
    for one in accounts:
        for cost, count in one.counts.items():
            total.counts[cost] = total.counts.get(cost, 0) + count
    return total


@lru_cache(maxsize=16384)
def _terms(cost: PrivacyCost) -> Array:
    """What adds up over releases: squared ratio, sampling, delta of other noise, not Gaussian, Renyi divergences."""
    gaussian = cost.distribution is NoiseDistribution.GAUSSIAN
    lost = cost.delta if cost.distribution is NoiseDistribution.OTHER else 0.0
    squared = ratio(cost) ** 2 if gaussian else 0.0
    return np.concatenate([[squared, sampling(cost), lost, 0.0 if gaussian else 1.0], divergences(cost)])


def _delta_left(terms: Array, budget: Budget, lost: float) -> float:
    """What is left of delta for exact noise once sampling and ``lost`` are paid, for epsilon up to the budget's."""
    factor = 1 + math.exp(min(budget.epsilon, 700.0)) if budget.epsilon <= 700 else math.inf
    return budget.delta - factor * float(terms[_SAMPLING]) - lost if terms[_SAMPLING] else budget.delta - lost


def _gaussian_fits(terms: Array, budget: Budget, epsilon: float) -> bool:
    """Whether releases are Gaussian, all of them, and together within ``epsilon``."""
    left = _delta_left(terms, budget, 0.0)
    return not terms[_OTHERS] and left > 0 and gaussian_delta(math.sqrt(terms[_GAUSSIAN]), epsilon) <= left


def _gaussian_epsilon(terms: Array, budget: Budget) -> float:
    if not _gaussian_fits(terms, budget, budget.epsilon):
        return math.inf
    low, high = 0.0, budget.epsilon
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _gaussian_fits(terms, budget, middle) else (middle, high)
    return high


def _renyi_epsilon(terms: Array, budget: Budget) -> float:
    """Epsilon by Renyi divergences, infinite when it is not within the budget."""
    left = _delta_left(terms, budget, float(terms[_LOST]))
    if left <= 0:
        return math.inf
    epsilon = renyi_epsilon(terms[_OTHERS + 1 :], left)
    return epsilon if epsilon <= budget.epsilon else math.inf


def _pld_epsilon(counts: Counts, budget: Budget) -> float:
    """Epsilon by PLD, infinite when it is not within the budget."""
    epsilon = _pld_estimate(frozenset(counts.items()), budget)
    return epsilon if epsilon <= budget.epsilon else math.inf


@lru_cache(maxsize=4096)
def _pld_estimate(counts: frozenset[tuple[PrivacyCost, int]], budget: Budget) -> float:
    """Epsilon by PLD; valid within the budget, and beyond it good enough to search with."""
    if len(counts) > MOST_DISTRIBUTIONS or budget.delta < SMALLEST_DELTA:
        return math.inf
    if any(least_delta(cost, budget.epsilon) > budget.delta for cost, _ in counts):
        return math.inf
    terms = sum((count * _terms(cost) for cost, count in counts), np.zeros(1))
    rounding = 1e-15 * (1000 + sum(count for _, count in counts))  # of the Fourier transforms
    left = _delta_left(terms, budget, rounding)  # the distributions hold the deltas of other noise
    return float(_composed(counts, budget).get_epsilon_for_delta(left)) if left > 0 else math.inf


@lru_cache(maxsize=4096)
def _most_that_fit(rest: frozenset[tuple[PrivacyCost, int]], cost: PrivacyCost, budget: Budget) -> int:
    """Largest number of equal charges beside ``rest`` for which PLD stays within the budget.

    Fewer charges fit then as well, so that one search answers for all charges of a kind that are still to come.
    Of more than 4096 a few may be missing, which only makes the bound stricter.
    Epsilon grows about as the root of the number: every other step trusts that, the rest halve what is open.
    """
    least, beyond, halve = 0, 0, False
    guess = max(1, math.floor(budget.epsilon / max(cost.epsilon, 1e-9 * budget.epsilon)))
    while not 0 < beyond - least <= 1 + (least >> 12):
        epsilon = _pld_estimate(rest | {(cost, guess)}, budget)
        least, beyond = (guess, beyond) if epsilon <= budget.epsilon else (least, guess)
        trusted = guess * (budget.epsilon / epsilon) ** 2 if 0 < epsilon < math.inf else math.inf
        if beyond and (halve or math.isinf(trusted)):
            guess = (least + beyond) // 2
        else:
            top = beyond - 1 if beyond else 2 * guess
            guess = round(min(top, max(least + 1, trusted)))
        halve = not halve
    return least


def _composed(counts: frozenset[tuple[PrivacyCost, int]], budget: Budget) -> PrivacyLossDistribution:
    """Convolve the privacy losses; what is cut off their tails counts as lost."""
    from dp_accounting.pld import privacy_loss_distribution as pld
    from dp_accounting.pld.pld_pmf import create_pmf_pessimistic_connect_dots_fixed_gap as connected

    total = sum(count for _, count in counts)
    step = budget.epsilon / max(
        1000.0, 200 * math.sqrt(total)
    )  # rounding adds about total * step^2 / 8 to the mean loss
    tail = 1e-4 * budget.delta / (len(counts) + 1)
    parts = []
    squared = sum(count * ratio(cost) ** 2 for cost, count in counts if cost.distribution is NoiseDistribution.GAUSSIAN)
    if squared:
        cut, deviation = math.log(tail), 1 / math.sqrt(squared)
        parts.append(
            pld.from_gaussian_mechanism(deviation, value_discretization_interval=step, log_mass_truncation_bound=cut)
        )
    for cost, count in counts:
        if cost.distribution is not NoiseDistribution.GAUSSIAN:
            reach = math.ceil(cost.epsilon / step) + 1
            deltas = profile(cost, step * np.arange(-reach, reach + 1))
            one = pld.PrivacyLossDistribution(connected(step, -reach, reach, deltas))
            parts.append(one.self_compose(count, tail))
    composed = parts[0]
    for part in parts[1:]:
        composed = composed.compose(part, tail)
    return composed


@lru_cache(maxsize=16384)
def _figures(cost: PrivacyCost) -> tuple[Fraction, Fraction]:
    return _exactly(cost.epsilon), _exactly(cost.delta)


def _exactly(value: float) -> Fraction:
    """The decimal number that is written for ``value``, cut to twelve digits."""
    return Fraction(_DIGITS.create_decimal(repr(value)))
