"""Polynomials for square roots, and those that bring vectors to length 1 and leave those shorter that are too short.

``x q(|x|**2)`` has the length ``p(|x|)`` with the odd polynomial ``p(u) = u q(u**2)``: what is best for signs
(``signs``) is best for lengths, and it cannot explode for a vector that is shorter than was promised.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from privis.readings.approximation.sign import closest_to_one

BISECTIONS = 32


@dataclass(frozen=True)
class InverseRoot:
    """Chebyshev coefficients on [0, 1] of a polynomial ``q`` in the squared length ``v``.

    ``sqrt(v) * q(v)`` is within ``error`` of 1 for ``shortest**2 <= v <= 1``, and between 0 and ``1 + error`` below.
    """

    coefficients: tuple[float, ...]
    shortest: float
    error: float


@functools.lru_cache(maxsize=256)
def inverse_root(shortest: float, degree: int, error: float | None = None) -> InverseRoot:
    """Return the best polynomial of ``degree`` for lengths from ``shortest`` to 1.

    Where its error would be above ``error``, the result is for as short lengths as keep it.

    >>> root = inverse_root(0.01, 15, 0.05)
    >>> round(1 / root.shortest, 1), round(root.error, 3)
    (13.9, 0.05)
    """
    shortest = max(shortest, 1e-6)
    odd, found = closest_to_one(shortest, 2 * degree + 1)
    if error is not None and found > error:
        low, high = shortest, 0.99
        for _ in range(BISECTIONS):
            middle = math.sqrt(low * high)
            odd, found = closest_to_one(middle, 2 * degree + 1)
            low, high = (low, middle) if found <= error else (middle, high)
        shortest = high
        odd, found = closest_to_one(shortest, 2 * degree + 1)
    return InverseRoot(tuple(map(float, _without_root(odd))), shortest, found)


def _without_root(odd: np.ndarray) -> np.ndarray:
    """``p(u) / u`` as a series in ``t = 2 u**2 - 1``: ``T_(2k+1)(u) / u = 2 T_k(t) - 2 T_(k-1)(t) + ... +- 1``."""
    factors = odd[1::2]
    alternating = np.cumsum((factors * (-1.0) ** np.arange(len(factors)))[::-1])[::-1]
    series = 2 * alternating * (-1.0) ** np.arange(len(factors))
    series[0] /= 2
    return series


@functools.lru_cache(maxsize=64)
def square_root(degree: int) -> tuple[tuple[float, ...], float]:
    """Return the polynomial of ``degree`` closest to the square root on [0, 1], and its distance, about 0.14 / degree.

    Chebyshev coefficients on [0, 1]. Interpolation errs three times as much, at 0. It is the even polynomial in ``u``
    closest to ``|u|``, found by Remez' exchange; S. Bernstein, 1914, doi:10.1007/BF02401828.

    >>> round(square_root(15)[1], 4)
    0.0093
    """
    even = 2 * np.arange(degree + 1)
    u = np.sin(np.pi * np.arange(degree + 2) / (2 * degree + 2))
    series = np.zeros(2 * degree + 1)
    for _ in range(100):
        system = np.cos(even * np.arccos(u)[:, None])
        series[even] = np.linalg.solve(np.column_stack([system, (-1.0) ** np.arange(degree + 2)]), u)[:-1]
        slope = chebyshev.chebsub(chebyshev.chebder(series), [1.0])
        turns = chebyshev.chebroots(slope)
        turns = np.sort(turns.real[(np.abs(turns.imag) < 1e-9) & (turns.real > 0) & (turns.real < 1)])
        moved = np.concatenate([[0.0], turns, [1.0]])
        if len(moved) != degree + 2 or np.abs(moved - u).max() < 1e-12:
            break
        u = moved
    grid = np.concatenate([np.linspace(0, 1, 2001), u])
    error = float(np.abs(chebyshev.chebval(grid, series) - grid).max())
    return tuple(map(float, series[even])), error


__all__ = ["InverseRoot", "inverse_root", "square_root"]
