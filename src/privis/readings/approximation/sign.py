"""Signs by composition of minimax polynomials: the fewest levels that decide a margin, or the margin that levels buy.

E. Lee, J.-W. Lee, J.-S. No and Y.-S. Kim, "Minimax approximation of sign function by composite polynomial for
homomorphic comparison", IEEE TDSC 2022, doi:10.1109/TDSC.2021.3105111: each polynomial is the odd one closest to 1 on
what the one before it makes of the margin, which no other composition of the same degrees can beat.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from privis.errors import ParameterError, Problem

Coefficients = tuple[float, ...]
EXACT = 1e-11  # distance from 1 at which rounding to float64 hides any further polynomial
LEAST_MARGIN = 1e-9
BISECTIONS = 32  # halvings of the logarithm of the margin: 1e-8 of it is left


@dataclass(frozen=True)
class SignPlan:
    """Polynomials whose composition, first to last, is within ``error`` of the sign of ``x`` for
    ``margin <= |x| <= 1``, and within ``1 + error`` of 0 on all of [-1, 1].

    Chebyshev coefficients on [-1, 1]; every result but the last is scaled to stay in there.
    """

    polynomials: tuple[Coefficients, ...]
    margin: float
    error: float

    @property
    def levels(self) -> int:
        """CKKS levels that the composition takes."""
        return sum(levels(len(coefficients) - 1) for coefficients in self.polynomials)


def levels(degree: int) -> int:
    """CKKS levels of a polynomial of ``degree``: ``ceil(log2(degree + 1))``.

    >>> levels(7), levels(8)
    (3, 4)
    """
    return math.ceil(math.log2(degree + 1))


def sign_plan(
    margin: float, precision: float, *, stages: int | tuple[int, ...] | None = None, degree: int = 7
) -> SignPlan:
    """Return the shortest composition of polynomials of ``degree`` (the last one perhaps of less) that decides
    ``margin`` to within ``precision``.

    ``stages`` is the largest number of polynomials, or their degrees, first to last: where they cannot decide
    ``margin``, the plan's margin is the least that they can decide to ``precision``. Deterministic, and computed once
    per process. Raises ParameterError for a margin or precision outside (0, 1), an even degree, or no stages.

    >>> plan = sign_plan(1 / 512, 2.0**-8)
    >>> len(plan.polynomials), plan.levels, plan.error <= 2.0**-8
    (5, 14, True)
    >>> round(1 / sign_plan(1 / 512, 2.0**-8, stages=3).margin)
    49
    """
    problems = []
    if not LEAST_MARGIN <= margin < 1:
        problems.append(Problem("sign_plan.margin", f"{margin:g}", f"a number from {LEAST_MARGIN:g} to 1"))
    if not 0 < precision < 1:
        problems.append(Problem("sign_plan.precision", f"{precision:g}", "a number between 0 and 1"))
    degrees = stages if isinstance(stages, tuple) else (degree,)
    if any(d < 3 or d % 2 == 0 for d in degrees):
        problems.append(Problem("sign_plan.degree", str(degrees), "odd degrees of at least 3"))
    if stages is not None and (len(stages) if isinstance(stages, tuple) else stages) < 1:
        problems.append(Problem("sign_plan.stages", str(stages), "at least 1"))
    if problems:
        raise ParameterError(*problems)
    return _plan(float(margin), max(float(precision), EXACT), stages, degree)


@functools.lru_cache(maxsize=512)
def _plan(margin: float, precision: float, stages: int | tuple[int, ...] | None, degree: int) -> SignPlan:
    if isinstance(stages, tuple):
        plan = composition(margin, stages)
        return plan if plan.error <= precision else _widest(margin, precision, stages)
    last = [d for d in (3, 7, 15, 31) if d < degree] + [degree]
    for count in itertools.count() if stages is None else range(stages):
        for end in last:
            plan = composition(margin, (degree,) * count + (end,))
            if plan.error <= precision:
                return plan
    return _widest(margin, precision, (degree,) * (stages or 1))


def _widest(margin: float, precision: float, degrees: tuple[int, ...]) -> SignPlan:
    """The least margin that ``degrees`` decide: bisection, for the error falls as the margin grows."""
    low, high = margin, 0.999
    if composition(high, degrees).error > precision:
        return composition(high, degrees)
    for _ in range(BISECTIONS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if composition(middle, degrees).error <= precision else (middle, high)
    return composition(high, degrees)


def composition(margin: float, degrees: tuple[int, ...], slack: float = 0.0) -> SignPlan:
    """The best composition of odd polynomials of ``degrees``; fewer of them where fewer are exact.

    Every result but the last may be wrong by ``slack`` without leaving the domain or the guarantee of the next one.
    """
    low, error, parts = margin, 1 - margin, []
    for degree in degrees:
        coefficients, error = closest_to_one(low, degree)
        parts.append(coefficients)
        if error <= EXACT:
            break
        low = (1 - error - slack) / (1 + error + slack)
        parts[-1] = coefficients / (1 + error + slack)
    parts[-1] = coefficients
    return SignPlan(tuple(tuple(map(float, part)) for part in parts), margin, error)


def closest_to_one(low: float, degree: int) -> tuple[np.ndarray, float]:
    """The odd polynomial of ``degree`` closest to 1 on ``[low, 1]`` (its Chebyshev coefficients), and its distance.

    Remez' exchange: odd powers are a Chebyshev system on a positive interval, so that the distance is attained with
    alternating signs at both ends and at every positive zero of the derivative.
    """
    odd = np.arange(1, degree + 1, 2)
    count = len(odd)
    if (8 * (1 - low)) ** count <= EXACT:
        return _flattest(degree), 0.0  # too narrow for the exchange, and nothing is left to gain
    coefficients = np.zeros(degree + 1)
    points = low + (1 - low) * (1 - np.cos(np.pi * np.arange(count + 1) / count)) / 2
    for _ in range(100):
        system = np.cos(odd * np.arccos(points)[:, None])
        solved = np.linalg.solve(np.column_stack([system, (-1.0) ** np.arange(count + 1)]), np.ones(count + 1))
        coefficients[odd] = solved[:-1]
        if abs(solved[-1]) <= EXACT:
            break  # alternation drowns in rounding
        turns = chebyshev.chebroots(chebyshev.chebder(coefficients))
        turns = np.sort(turns.real[(np.abs(turns.imag) < 1e-9) & (turns.real > 0)])
        moved = np.concatenate([[low], turns, [1.0]])
        if len(moved) != count + 1 or np.abs(moved - points).max() < 1e-12:
            break
        points = moved
    grid = np.concatenate([np.linspace(low, 1.0, 513), points])
    return coefficients, float(np.abs(chebyshev.chebval(grid, coefficients) - 1).max())


def _flattest(degree: int) -> np.ndarray:
    """The odd polynomial that is 1 at 1 with as many derivatives zero as its degree allows."""
    square = np.polynomial.Polynomial([1, 0, -1])
    terms = [math.comb(2 * i, i) / 4**i * square**i for i in range((degree + 1) // 2)]
    return chebyshev.poly2cheb((np.polynomial.Polynomial([0, 1]) * sum(terms[1:], terms[0])).coef)


__all__ = ["SignPlan", "closest_to_one", "composition", "levels", "sign_plan"]
