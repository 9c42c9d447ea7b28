"""Evaluate a Chebyshev series on a ciphertext in the fewest levels, landing on a scale exactly.

Paterson and Stockmeyer's division by Chebyshev polynomials of powers of two (Paterson and Stockmeyer, 1973,
doi:10.1137/0202007; Bossuat et al., 2021, doi:10.1007/978-3-030-77870-5_21): degree d takes ``ceil(log2(d + 1))``
levels. Scales never drift, because every constant is encoded at the scale that makes its product right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.polynomial import chebyshev

from privis.run.he.engine import Ciphertext, Engine

NEGLIGIBLE = 1e-12  # relative to the largest coefficient
SHARED = 3  # series of one ciphertext from which all its Chebyshev polynomials are made once


def trimmed(coefficients: Sequence[float]) -> tuple[float, ...]:
    """Without the highest coefficients that are zero but for rounding."""
    size = np.abs(coefficients)
    kept = np.flatnonzero(size > NEGLIGIBLE * size.max(initial=0.0))
    return tuple(float(c) for c in coefficients[: kept[-1] + 1]) if len(kept) else (0.0,)


def depth(coefficients: Sequence[float]) -> int:
    """Levels the series takes.

    >>> depth((0.0, 1.0)), depth((0.0,) * 7 + (1.0,)), depth((0.0,) * 8 + (1.0,))
    (1, 3, 4)
    """
    return max(1, (len(trimmed(coefficients)) - 1).bit_length())


def shared_depth(coefficients: Sequence[float]) -> int:
    """Levels the series takes when it is one of many of a ciphertext: all Chebyshev polynomials, then one sum."""
    degree = len(trimmed(coefficients)) - 1
    return max(1, (degree - 1).bit_length() + 1)


def products(coefficients: Sequence[float], series: int = 1) -> float:
    """Ciphertext products the series takes, for cost models; ``series``: number of series of the same ciphertext."""
    degree = len(trimmed(coefficients)) - 1
    if series >= SHARED:
        return max(degree - 1, 0) / series
    if degree <= 1:
        return 0
    if _is_odd_septic(trimmed(coefficients)):
        return 4
    return (degree.bit_length() - 1) + degree // 2


@dataclass(eq=False)
class _Evaluation:
    """The Chebyshev polynomials of one ciphertext made so far; ``shared``: several series will want all of them."""

    engine: Engine
    made: dict[int, Ciphertext] = field(default_factory=dict)
    shared: bool = False

    def power(self, index: int) -> Ciphertext:
        """``T_index``, by ``T_2k = 2 T_k^2 - 1`` and ``T_a+b = 2 T_a T_b - T_a-b``."""
        if index not in self.made:
            left, right = (index + 1) // 2, index // 2
            a, b = self.power(left), self.power(right)
            level = min(self.engine.level(a), self.engine.level(b))
            a, b = self.engine.lower(a, level), self.engine.lower(b, level)
            product = multiplied(self.engine, a, a if left == right else b)
            doubled = self.engine.add(product, product)
            if left == right:
                one = self.engine.encode(-1.0, level - 1, self.engine.scale(doubled))
                self.made[index] = self.engine.add_plain(doubled, one)
            else:
                base = self.scaled([(1, -1.0)], level - 1, self.engine.scale(doubled))
                self.made[index] = self.engine.add(doubled, base)
        return self.made[index]

    def scaled(self, terms: Sequence[tuple[int, float]], level: int, scale: float) -> Ciphertext:
        """``sum(c * T_index)`` at ``level`` and exactly ``scale``."""
        above, total = level + 1, None
        prime = self.engine.primes[above]
        for index, coefficient in terms:
            x = self.engine.lower(self.power(index), above)
            factor = self.engine.encode(coefficient, above, scale * prime / self.engine.scale(x))
            if self.engine.is_zero(factor):
                continue
            total = self.engine.accumulate(
                total, _at(self.engine, self.engine.multiply_plain(x, factor), scale * prime)
            )
        if total is None:  # nothing is left at this scale: the least multiple that is not nothing
            x = self.engine.lower(self.power(1), above)
            least = 1.0 / (scale * prime / self.engine.scale(x))
            factor = self.engine.encode(least, above, scale * prime / self.engine.scale(x))
            total = _at(self.engine, self.engine.multiply_plain(x, factor), scale * prime)
        return self.engine.rescale(total, scale)

    def series(self, coefficients: Sequence[float], level: int, scale: float) -> Ciphertext:
        """The series at ``level`` and exactly ``scale``; all but its constant may be zero."""
        degree = len(coefficients) - 1
        if self._is_leaf(degree, level):
            terms = [(k, c) for k, c in enumerate(coefficients) if k and abs(c) > 0]
            x = self.scaled(terms, level, scale)
            return self._plus(x, coefficients[0], level, scale)
        split = 1 << (degree.bit_length() - 1)
        quotient, rest = chebyshev.chebdiv(np.asarray(coefficients), np.eye(split + 1)[split])
        giant = self.engine.lower(self.power(split), level + 1)
        above = scale * self.engine.primes[level + 1] / self.engine.scale(giant)
        if len(quotient) == 1:  # a constant times the giant step needs no ciphertext product
            x = self.scaled([(split, float(quotient[0]))], level, scale)
        else:
            high = self.series(quotient, level + 1, above)
            x = _at(self.engine, multiplied(self.engine, high, giant), scale)
        rest = trimmed(rest)
        if len(rest) == 1:
            return self._plus(x, rest[0], level, scale)
        return self.engine.add(x, self.series(rest, level, scale))

    def _is_leaf(self, degree: int, level: int) -> bool:
        """All Chebyshev polynomials up to ``degree`` are there in time."""
        if degree <= 1:
            return True
        deepest = (degree - 1).bit_length()
        return (degree <= 3 or self.shared) and self.engine.level(self.power(1)) - deepest >= level + 1

    def _plus(self, x: Ciphertext, constant: float, level: int, scale: float) -> Ciphertext:
        return x if constant == 0 else self.engine.add_plain(x, self.engine.encode(constant, level, scale))


def evaluate_series(
    engine: Engine, x: Ciphertext, series: Sequence[tuple[Sequence[float], int]], scale: float
) -> list[Ciphertext]:
    """Chebyshev series of ``x`` in [-1, 1], each ``depth`` or more levels below ``x``, at exactly ``scale``.

    ``series`` are (coefficients, level of the result); several of them share the Chebyshev polynomials of ``x``.
    """
    known = _Evaluation(engine, {1: x}, shared=len(series) >= SHARED)
    made = []
    for coefficients, level in series:
        short = trimmed(coefficients)
        if _is_odd_septic(short) and not known.shared:
            lowered = engine.lower(x, level + depth(short))
            made.append(_odd_septic(engine, lowered, polynomial_of(short), scale))
        else:
            made.append(known.series(short, level, scale))
    return made


def multiplied(engine: Engine, x: Ciphertext, y: Ciphertext) -> Ciphertext:
    """Product of two ciphertexts of one level, relinearised and rescaled."""
    return relinearised(engine, engine.multiply(x, y))


def relinearised(engine: Engine, product: Ciphertext) -> Ciphertext:
    """A product, relinearised and rescaled."""
    made = engine.relinearise(product)
    return engine.rescale(made, engine.scale(made) / engine.primes[engine.level(made)])


def _at(engine: Engine, x: Ciphertext, scale: float) -> Ciphertext:
    """``x``, whose scale is ``scale`` but for rounding, with exactly that."""
    if abs(engine.scale(x) / scale - 1) > 1e-9:
        raise AssertionError(f"a scale of {engine.scale(x)} is not {scale}")
    return engine.at_scale(x, scale)


def polynomial_of(coefficients: Sequence[float]) -> np.ndarray:
    """Coefficients of a Chebyshev series in the monomial basis, lowest power first."""
    return chebyshev.cheb2poly(np.asarray(coefficients))


def _is_odd_septic(coefficients: Sequence[float]) -> bool:
    return len(coefficients) == 8 and not np.any(np.abs(coefficients[::2]) > NEGLIGIBLE)


def _odd_septic(engine: Engine, x: Ciphertext, powers: np.ndarray, scale: float) -> Ciphertext:
    """``a x + b x^3 + c x^5 + d x^7`` in three levels and four products.

    With ``h = d x^3 + c x`` it is ``h x^4 + (b/d) h + (a - b c / d) x``, where every sum can be rescaled as one. Signs
    are compositions of these, so one product less is worth a case of its own.
    """
    a, b, c, d = (float(p) for p in powers[1::2])
    top, primes = engine.level(x), engine.primes
    square = multiplied(engine, x, x)
    fourth = multiplied(engine, square, square)
    # the scale of d x^3, so that its product with x^4 lands on `scale`
    cube_scale = scale / engine.scale(fourth) * primes[top - 2]
    inner = cube_scale / engine.scale(square) * primes[top - 1]
    lifted = _constant_times(engine, x, d, top - 1, inner)
    cube = _at(engine, multiplied(engine, lifted, square), cube_scale)
    high = engine.add(cube, _constant_times(engine, x, c, top - 2, cube_scale))
    total = _at(engine, multiplied(engine, high, fourth), scale)
    low = engine.add(
        _constant_times(engine, high, b / d, top - 3, scale),
        _constant_times(engine, x, a - b * c / d, top - 3, scale),
    )
    return engine.add(total, low)


def _constant_times(engine: Engine, x: Ciphertext, constant: float, level: int, scale: float) -> Ciphertext:
    """``constant * x`` at ``level`` and exactly ``scale``."""
    x = engine.lower(x, level + 1)
    factor = engine.encode(constant, level + 1, scale * engine.primes[level + 1] / engine.scale(x))
    return engine.rescale(engine.multiply_plain(x, factor), scale)


__all__ = ["depth", "evaluate_series", "multiplied", "products", "relinearised", "trimmed"]
