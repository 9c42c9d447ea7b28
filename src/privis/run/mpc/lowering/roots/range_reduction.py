"""Range reduction on shares: a secret is brought to one public interval by factors that comparisons choose.

SPU finds the leading bit of a number by turning it into bits, smearing the leading one, and turning it back: some 24
rounds, and as many again for an iteration. Here the number is compared with all thresholds of a geometric sequence in
one call, which takes the rounds of a single comparison. Whatever depends on the interval it lies in (a factor, its
root) is a public linear combination of these bits: all of them cost one conversion. On the interval itself a polynomial
of degree four is evaluated in two products (D. E. Knuth, The Art of Computer Programming 2, section 4.6.4).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from privis.run.mpc.lowering.shared_tensor import (
    COARSEST,
    LoweringContext,
    SharedTensor,
    Tensor,
    fixed,
    last_places,
    power_of_two,
)

Floats = NDArray[np.float64]
ACCURACY = MappingProxyType({0.5: 1.5e-4, -0.5: 1.5e-4, -1.0: 2.5e-5})  # of the polynomials of powers, relative
SLACK = 1.02  # by which an interval is wider than its ends say: factors are rounded
RATIOS = tuple(2.0 ** (quarters / 4) for quarters in range(12, 0, -1))


@dataclass(frozen=True)
class PowerPolynomial:
    """``sign * u**power`` for ``low <= u <= ratio * low``, and a little beyond, of leading coefficient 1.

    ``y = (u + a) * u + b`` and ``(y + u + c) * y + d``, where ``offsets`` are a, b, c, d.
    """

    low: float
    ratio: float
    sign: int
    offsets: tuple[float, float, float, float]

    def at(self, u: Tensor) -> Tensor:
        """Two products of fixed-point numbers."""
        a, b, c, d = np.asarray(self.offsets, u.dtype)
        y = (u + a) * u + b
        return (y + u + c) * y + d


@functools.cache
def power_polynomial(power: float) -> PowerPolynomial:
    """The widest interval on which degree four is as close to ``u**power`` as `ACCURACY` says.

    >>> found = power_polynomial(0.5)
    >>> abs(found.sign * found.at(np.float64(found.low)) / found.low**0.5 - 1) < ACCURACY[0.5]
    True
    """
    for ratio in RATIOS:
        found = _fitted(power, ratio)
        u = found.low * np.geomspace(1 / SLACK, ratio * SLACK, 400)
        if np.abs(found.sign * found.at(u) / u**power - 1).max() <= ACCURACY[power]:
            return found
    raise AssertionError(power)


def _fitted(power: float, ratio: float) -> PowerPolynomial:
    """Interpolated at Chebyshev's points of the interval, then stretched until the leading coefficient is 1 or -1."""
    ends = (1 / SLACK, ratio * SLACK)
    t = (sum(ends) - (ends[1] - ends[0]) * np.cos(np.pi * (np.arange(5) + 0.5) / 5)) / 2
    weights = t**-power  # equal relative errors
    coefficients = np.linalg.solve(t[:, None] ** np.arange(5) * weights[:, None], np.ones(5))
    low = abs(coefficients[4]) ** (1 / (4 - power))
    sign = int(np.sign(coefficients[4]))
    c0, c1, c2, c3 = sign * coefficients[:4] * low ** (power - np.arange(4))
    a = (c3 - 1) / 2
    rest = c2 - a * (a + 1)
    b = c1 - a * rest
    c = rest - 2 * b
    return PowerPolynomial(float(low), ratio, sign, (float(a), float(b), float(c), float(c0 - b * (b + c))))


def intervals(lowest: float, largest: float, ratio: float, factor: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """Cut the numbers from ``lowest`` to ``largest`` into intervals whose ends are about ``ratio`` apart.

    Args:
        lowest: at least 1.
        largest: the last that may occur.
        ratio: of the ends of an interval.
        factor: what takes each beginning of an interval to that of a polynomial, falling; its inverse is itself.

    Returns:
        Beginnings and factors, whole numbers: a factor is rounded, and the beginning is what suits it.
    """
    count = 1 + max(0, int(np.floor(np.log(max(largest, lowest) / lowest) / np.log(ratio))))
    factors = np.unique(np.maximum(np.round(factor(np.asarray(lowest * ratio ** np.arange(count), np.float64))), 1.0))[
        ::-1
    ]
    return np.maximum(np.round(factor(factors)), 1.0), factors


def chosen(x: Tensor, limits: Floats, tables: Sequence[Floats]) -> list[Tensor]:
    """From each of ``tables`` entry k where ``x`` reaches k of ``limits``, in shares.

    Args:
        x: ring integers of any shape.
        limits: ascending whole numbers.
        tables: whole numbers, one more than there are limits.

    Returns:
        Ring integers of the shape of ``x`` for each table.
    """
    import jax.numpy as jnp

    flat = jnp.broadcast_to(x.reshape(1, -1), (len(limits), x.size))
    reached = (flat >= limits.astype(np.int64)[:, None]).astype(jnp.int64)
    steps = np.stack([np.diff(table) for table in tables]).astype(np.int64)
    found = jnp.asarray(steps) @ reached + np.array([[table[0]] for table in tables], np.int64)
    return [found[k].reshape(x.shape) for k in range(len(tables))]


def as_places(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """Fixed point: integers whose scale allows it are read as last places, so that truncating them takes less room."""
    scale = x.scale * 2.0**context.fixed.fraction_bits
    if x.is_integer and power_of_two(x.scale) and scale <= COARSEST:
        return SharedTensor(last_places(context, x.array), scale, x.bound)
    return fixed(context, x)


def unit_of(x: SharedTensor, fraction_bits: int) -> float:
    """What one of `ring_integers` stands for."""
    return x.scale if x.is_integer else x.scale * 2.0**-fraction_bits
