"""Lower bounds of epsilon from what releases, or guesses about one of them, showed.

Every bound is wrong (above the true epsilon) with at most the probability ``level``, whatever the mechanism is. Who
compares many bounds with claims divides by their number: at `LEVEL`, a thousand bounds of sound mechanisms raise one
false alarm or more with a probability below 0.001.

- `two_point_bound`: for an event S, P(S) <= e**epsilon Q(S) + delta gives epsilon >= log((P(S) - delta) / Q(S)); both
  probabilities are replaced by the ends of Clopper and Pearson's intervals. The event is chosen on releases that are
  not counted. References: Jagielski, Ullman and Oprea, arXiv:2006.07709; Nasr et al., arXiv:2101.04535.
- `gaussian_bound`: the same for a mechanism that is said to add Gaussian noise. Its error rates then lie on the
  trade-off curve of some mu (Dong, Roth and Su, arXiv:1905.02383), and the largest mu that they prove gives epsilon at
  delta: a bound on epsilon under that statement, and a refutation of the claim where it is larger. Pure counting can
  say little at a delta that no number of tries reaches. Reference: Nasr et al., arXiv:2302.07956.
- `one_run_bound`: m canaries are in or out by a coin each, one training or release is made, and the auditor guesses
  some of the coins: Steinke, Nasr and Jagielski, arXiv:2305.08846, theorem 5.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.accounting.noise_calibration import gaussian_epsilon
from privis.validation import real_values

LEVEL = 1e-6
"""Probability of a bound above the true epsilon."""
TUNED = 0.2
"""Share of the tries on which the event is chosen; they do not count."""
GUESSED = (1.0, 0.5, 0.25, 0.125)
"""Shares of the canaries that are guessed; the bound is the best of them, at a fourth of the level each."""
_CANDIDATES = 97
_MOST = 60.0  # of an epsilon that tries can prove

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EpsilonBound:
    """What an audit proves.

    Args:
        epsilon: the true one is at least that, but for a probability of ``level``; at least 0.
        delta: that it is meant at.
        level: probability of a bound that is too large.
        tries: releases that counted, or canaries that were guessed.
        method: ``Clopper-Pearson``, ``Gaussian trade-off`` or ``one run``.
    """

    epsilon: float
    delta: float
    level: float
    tries: int
    method: str

    def refutes(self, claimed: float) -> bool:
        """Tell whether the claim is wrong, but for a probability of ``level``.

        Args:
            claimed: epsilon at the same delta.

        Returns:
            Whether the bound is above it.
        """
        return self.epsilon > claimed


def proportion_least(hits: int, tries: int, level: float) -> float:
    """Lower end of Clopper and Pearson's one-sided interval; reference: doi:10.1093/biomet/26.4.404."""
    from scipy.special import betaincinv

    return 0.0 if hits == 0 else float(betaincinv(hits, tries - hits + 1, level))


def proportion_most(hits: int, tries: int, level: float) -> float:
    """Upper end of Clopper and Pearson's one-sided interval; reference: doi:10.1093/biomet/26.4.404."""
    from scipy.special import betainccinv

    return 1.0 if hits == tries else float(betainccinv(hits + 1, tries - hits, level))


def two_point_bound(
    first: npt.ArrayLike, second: npt.ArrayLike, delta: float = 0.0, level: float = LEVEL
) -> EpsilonBound:
    """Bound epsilon from scores of releases of two neighbouring inputs.

    Args:
        first: score of every release of the first input, larger where it looks more like it; at least 10.
        second: of the second input.
        delta: of the claim.
        level: probability of a bound that is too large.

    Returns:
        The bound of the best threshold, in either direction.

    Raises:
        ParameterError: too few scores, scores that are not finite, or a level or delta that is none.

    >>> rng = np.random.default_rng(0)
    >>> bound = two_point_bound(rng.laplace(1, 1, 4000), rng.laplace(0, 1, 4000))  # epsilon is 1
    >>> 0.5 < bound.epsilon <= 1, bound.tries
    (True, 6400)
    """

    def proved(hits: tuple[int, int], alarms: tuple[int, int]) -> float:
        least = proportion_least(*hits, level / 2) - delta
        return math.log(least / proportion_most(*alarms, level / 2)) if least > 0 else 0.0

    best, tries = _best_event(first, second, delta, level, proved, _quantiles)
    return EpsilonBound(max(0.0, best), delta, level, tries, "Clopper-Pearson")


def gaussian_bound(first: npt.ArrayLike, second: npt.ArrayLike, delta: float, level: float = LEVEL) -> EpsilonBound:
    """Bound epsilon of a mechanism that is said to add Gaussian noise.

    Args:
        first: score of every release of the first input, larger where it looks more like it; at least 10.
        second: of the second input.
        delta: of the claim, above 0.
        level: probability of a bound that is too large.

    Returns:
        The bound, which holds if the noise is Gaussian of whatever size.

    Raises:
        ParameterError: too few scores, scores that are not finite, or a level or delta that is none.

    >>> rng = np.random.default_rng(0)
    >>> bound = gaussian_bound(rng.normal(1, 1, 4000), rng.normal(0, 1, 4000), 1e-5)  # epsilon is 4.378
    >>> 2.5 < bound.epsilon <= 4.378
    True
    """
    from scipy.special import ndtri

    if delta <= 0:
        raise ParameterError(Problem("gaussian_bound.delta", repr(delta), "above 0, as Gaussian noise has one"))

    def proved(hits: tuple[int, int], alarms: tuple[int, int]) -> float:
        missed = (hits[1] - hits[0], hits[1])
        rates = (proportion_most(*missed, level / 2), proportion_most(*alarms, level / 2))
        return float(-ndtri(rates[0]) - ndtri(rates[1])) if max(rates) < 1 else 0.0

    mu, tries = _best_event(first, second, delta, level, proved, _middle)
    epsilon = gaussian_epsilon(mu, delta) if mu > 0 else 0.0
    return EpsilonBound(epsilon, delta, level, tries, "Gaussian trade-off")


def one_run_bound(included: Sequence[bool] | Booleans, scores: npt.ArrayLike, delta: float = 0.0,
                  level: float = LEVEL) -> EpsilonBound:  # fmt: skip
    """Bound epsilon from guesses about canaries of one training or release.

    The largest scores are guessed to be in, as many of the smallest to be out, and nothing is said of the rest.
    Shares that are guessed are those of `GUESSED`. With a delta above 0 a bound needs ``level`` well above 2 m delta
    over the number of guesses by which the auditor is better than the claim.

    Args:
        included: coin of every canary, thrown independently and fairly; at least 8.
        scores: of each, larger where the auditor takes it to be in.
        delta: of the claim.
        level: probability of a bound that is too large.

    Returns:
        The bound.

    Raises:
        ParameterError: too few canaries, other lengths, or scores that are not finite.

    >>> rng = np.random.default_rng(0)
    >>> coins = rng.random(4000) < 0.5
    >>> bound = one_run_bound(coins, coins + rng.laplace(0, 1, 4000))  # epsilon is 1
    >>> 0.6 < bound.epsilon <= 1
    True
    """
    values, coins = real_values("one_run_bound.scores", np.asarray(scores)), np.asarray(included, bool)
    problems = _level_problems("one_run_bound", delta, level)
    if values.ndim != 1 or values.shape != coins.shape or values.size < 8 or not np.isfinite(values).all():
        got = f"scores {values.shape} of {coins.shape} canaries"
        problems.append(Problem("one_run_bound", got, "a finite score for each of at least 8 canaries"))
    refuse(ParameterError, problems)
    order, canaries = np.argsort(values, kind="stable"), values.size
    best, guessed = 0.0, canaries
    for share in GUESSED:
        side = max(1, int(canaries * share / 2))
        right = int(coins[order[-side:]].sum() + (~coins[order[:side]]).sum())
        found = _one_run_epsilon(canaries, 2 * side, right, delta, level / len(GUESSED))
        best, guessed = max((best, guessed), (found, 2 * side), key=lambda each: each[0])
    return EpsilonBound(best, delta, level, guessed, "one run")


def one_run_chance(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """Bound the probability of so many right guesses about a mechanism of epsilon and delta.

    Reference: Steinke, Nasr and Jagielski, arXiv:2305.08846, theorem 5.2.

    Args:
        canaries: whose coins were thrown.
        guesses: coins that were guessed.
        right: guesses that are right.
        epsilon: of the claim.
        delta: of the claim.

    Returns:
        A probability, at most 1.
    """
    from scipy.special import bdtrc

    chance = 1 / (1 + math.exp(-epsilon))
    # probability of at least `right - i` right guesses, for i = 0 ... right
    at_least = np.ones(right + 1)
    at_least[:right] = bdtrc(np.arange(right - 1, -1, -1), guesses, chance)
    if delta == 0 or right == 0:
        return float(at_least[0])
    steps = np.arange(1, right + 1)
    slope = float(((at_least[1:] - at_least[0]) / steps).max())
    return min(1.0, float(at_least[0]) + 2 * canaries * delta * slope)


def _one_run_epsilon(canaries: int, guesses: int, right: int, delta: float, level: float) -> float:
    low, high = 0.0, 1.0
    if one_run_chance(canaries, guesses, right, 0.0, delta) >= level:
        return 0.0
    while high < _MOST and one_run_chance(canaries, guesses, right, high, delta) < level:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        below = one_run_chance(canaries, guesses, right, middle, delta) < level
        low, high = (middle, high) if below else (low, middle)
    return low


Proved = Callable[[tuple[int, int], tuple[int, int]], float]
"""What (hits, tries) of one input and (alarms, tries) of the other prove."""


def _quantiles(first: Floats, second: Floats) -> Floats:
    both = np.concatenate([first, second])
    return np.unique(np.quantile(both, np.linspace(0.01, 0.99, _CANDIDATES), method="lower"))


def _middle(first: Floats, second: Floats) -> Floats:
    """Where both error rates of Gaussian scores are equal: a threshold that was picked for its luck is worse."""
    return np.array([(first.mean() + second.mean()) / 2])


def _best_event(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    delta: float,
    level: float,
    proved: Proved,
    thresholds: Callable[[Floats, Floats], Floats],
) -> tuple[float, int]:
    """What the event proves that looked best on the releases that choose it, and how many releases counted."""
    sides = [
        real_values(f"{name} scores", np.asarray(scores)) for name, scores in (("first", first), ("second", second))
    ]
    problems = _level_problems("epsilon bound", delta, level)
    for name, side in zip(("first", "second"), sides, strict=True):
        if side.ndim != 1 or side.size < 10 or not np.isfinite(side).all():
            problems.append(Problem(f"{name} scores", f"shape {side.shape}", "at least 10 finite scores"))
    refuse(ParameterError, problems)
    chosen_on = [side[: math.ceil(side.size * TUNED)] for side in sides]
    counted = [side[len(tuned) :] for side, tuned in zip(sides, chosen_on, strict=True)]
    places = thresholds(*chosen_on)

    def shares(event: tuple[bool, float], scores: list[Floats]) -> list[float]:
        upwards, place = event
        found = [float((side >= place).mean()) for side in scores]
        return found if upwards else [1 - share for share in reversed(found)]

    def of(event: tuple[bool, float], found: list[float]) -> float:
        sizes = [side.size for side in (counted if event[0] else counted[::-1])]
        hits, alarms = (round(share * size) for share, size in zip(found, sizes, strict=True))
        return proved((hits, sizes[0]), (alarms, sizes[1]))

    def expected(event: tuple[bool, float]) -> float:
        """What it will prove if it was lucky by a standard error, so that rare events are not chosen for their luck."""
        sizes = [side.size for side in (chosen_on if event[0] else chosen_on[::-1])]
        hit, alarm = shares(event, chosen_on)
        hit -= math.sqrt(hit * (1 - hit) / sizes[0])
        alarm += math.sqrt(max(alarm * (1 - alarm), 1 / sizes[1]) / sizes[1])
        return of(event, [max(hit, 0.0), min(alarm, 1.0)])

    best = max(((upwards, float(place)) for upwards in (True, False) for place in places), key=expected)
    return of(best, shares(best, counted)), sum(side.size for side in counted)


def _level_problems(where: str, delta: float, level: float) -> list[Problem]:
    problems = [] if 0 <= delta < 1 else [Problem(f"{where}.delta", repr(delta), "from 0 to below 1")]
    return problems + ([] if 0 < level < 1 else [Problem(f"{where}.level", repr(level), "between 0 and 1")])
