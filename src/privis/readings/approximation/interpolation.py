"""Polynomials through values on a short grid: exact where a composition of signs would be deep and only close."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial import chebyshev

from privis.errors import ParameterError, Problem
from privis.program import ops
from privis.readings.approximation.sign import levels

MOST_POINTS = 17  # equispaced interpolation swings more the more points there are
SAMPLES = 2001


def through(
    points: Sequence[float] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    *,
    domain: tuple[float, float] | None = None,
    exact: bool = False,
) -> ops.Poly:
    """Return a polynomial with ``values`` at ``points``, on ``domain``, or from the first point to the last.

    The degree is the largest of as many CKKS levels as the points need, and what freedom is left makes the polynomial
    as level as possible at the points, so that small errors of the operand shrink. Where less freedom is left than half
    the points and the operand is not ``exact``, that is worth one level more. Raises ParameterError unless there are 2
    to 17 increasing points and as many values.

    >>> ones = through(range(9), [0, 0, 1, 0, 0, 0, 0, 0, 0])
    >>> len(ones.coefficients) - 1, ones.domain
    (15, (0.0, 8.0))
    """
    at, wanted = np.asarray(points, np.float64), np.asarray(values, np.float64)
    if not (2 <= len(at) <= MOST_POINTS and len(at) == len(wanted) and (np.diff(at) > 0).all()):
        got = f"{len(at)} points and {len(wanted)} values"
        raise ParameterError(Problem("through", got, f"2 to {MOST_POINTS} increasing points with a value each"))
    domain = domain or (float(at[0]), float(at[-1]))
    degree = len(at) - 1
    if degree > 1:
        degree = 2 ** levels(degree) - 1
    if degree > 3 and not exact and 2 * (degree + 1 - len(at)) < len(at):
        degree = 2 * degree + 1
    t = (at - (domain[0] + domain[1]) / 2) * (2 / (domain[1] - domain[0]))
    return ops.Poly(tuple(map(float, _flattest(t, wanted, degree))), domain)


def _flattest(t: np.ndarray, wanted: np.ndarray, degree: int) -> np.ndarray:
    """Least squares: of all series through the points, the one with the least slopes there and, weakly, between."""
    system = chebyshev.chebvander(t, degree)
    series = np.linalg.lstsq(system, wanted, rcond=None)[0]
    if degree + 1 == len(t):
        return series
    freedom = np.linalg.svd(system)[2][len(t) :].T
    differentiate = np.stack([np.append(chebyshev.chebder(unit), 0.0) for unit in np.eye(degree + 1)], 1)
    between = np.linspace(-1, 1, 8 * len(t))
    slopes = np.concatenate([chebyshev.chebvander(t, degree), 0.3 * chebyshev.chebvander(between, degree)])
    slopes = slopes @ differentiate
    least = np.linalg.lstsq(slopes @ freedom, slopes @ series, rcond=None)[0]
    return series - freedom @ least


__all__ = ["MOST_POINTS", "through"]
