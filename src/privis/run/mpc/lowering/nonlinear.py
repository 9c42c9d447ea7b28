"""Rules of the functions that are no polynomials: each with the accuracy it reaches in fixed point."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from privis.program import Kind, ops
from privis.run.mpc.lowering.comparison import at_least
from privis.run.mpc.lowering.linear import affine, factors, selected
from privis.run.mpc.lowering.runtime_bounds import checked
from privis.run.mpc.lowering.shared_tensor import (
    CONSTANT_BITS,
    INTEGER_BITS,
    Held,
    Site,
    Tensor,
    aligned,
    exponent,
    fixed,
    integer,
    power_of_two,
    rescaled,
    times,
)

ROOT_BITS = 12  # of an operand of a root: the reciprocal root keeps 12 bits; from 2**17 on SPU returns 0 without a word
QUOTIENT_BITS = 16  # of a divisor; SPU's reciprocal is 0 from 2**18 on
ENERGY_BITS = 24  # of a sum of squares before its root
SHARE_UNIT = 2.0**-10  # scale of shares of a sum
SMALLEST = 2.0**-10  # units; what is smaller has too few bits to divide by


def nonlinear(site: Site, op: ops.Nonlinear, x: Held) -> Held:
    """The scalar functions."""
    match op.kind:
        case Kind.CLIP:
            return checked(site, op, clip(site, op, x))
        case Kind.ABS:
            return absolute(site, x)
        case Kind.SQRT:
            return square_root(site, x)
        case Kind.RSQRT:
            return reciprocal_root(site, op, x)
        case Kind.RECIPROCAL:
            return reciprocal(site, op, x)
        case Kind.EXP:
            return exponential(site, x)
        case Kind.SIGMOID:
            return sigmoid(site, x)
        case Kind.TANH:
            doubled = sigmoid(site, Held(x.array, x.scale * 2, x.bound * 2, x.offset * 2))
            return affine(site, ops.Affine(2.0, -1.0), doubled)


def clip(site: Site, op: ops.Nonlinear, x: Held) -> Held:
    """``a + max(x - a, 0) - max(x - b, 0)``, with a comparison only for a bound that the declared range can pass."""
    low, high = site.operands[0].bounds
    x = integer(x) if x.is_bit else x
    if high <= op.a or low >= op.b:
        value = op.a if high <= op.a else op.b
        return affine(site, ops.Affine(1.0, value), x.moved(x.array - x.array, 0.0))
    passed = [limit for limit, beyond in ((op.a, low < op.a), (op.b, high > op.b)) if beyond]
    if not passed:
        return x
    return _clipped(site, x, passed, op.a)


def _clipped(site: Site, x: Held, passed: Sequence[float], low: float) -> Held:
    """``x`` cut off at one or both of the limits ``passed``, of which the lower one is ``low``."""
    excess = _excess(site, x, np.array(passed).reshape(-1, *[1] * x.array.ndim))
    above = excess.moved(excess.array[0])
    if len(passed) == 2:
        above = above.moved(excess.array[0] - excess.array[1], passed[1] - passed[0])
    if passed[0] == low:
        return affine(site, ops.Affine(1.0, low), above)
    kept, above = aligned(site, [x, above])
    return kept.moved(kept.array - above.array, site.bound)


def _excess(site: Site, x: Held, limits: np.ndarray) -> Held:
    """``max(x - limit, 0)`` for each of ``limits``, along a new first axis.

    SPU makes of a maximum one comparison and one product with a bit, of a choice between two values twice the work.
    """
    import jax.numpy as jnp

    x = x.moved(x.array[None])
    over = site.bounded(x.bound + float(np.abs(limits).max()))
    beyond = affine(over, ops.Affine(1.0, -limits), x) if limits.any() else x
    site.need("a difference to a threshold", beyond.units, 1 if x.is_fixed else 0)
    return beyond.moved(jnp.maximum(beyond.array, beyond.array.dtype.type(0)))


def absolute(site: Site, x: Held) -> Held:
    """One comparison."""
    x = integer(x) if x.is_bit else x
    positive = Held(at_least(site, x, np.asarray(0.0)), 2.0, 1.0, -1.0)
    return selected(site.bounded(x.bound), positive, x)


# Roots and quotients


def _even(bits: int) -> int:
    return bits + bits % 2


def square_root(site: Site, x: Held) -> Held:
    """``x`` times its reciprocal root: exactly 0 at 0; within 3e-4 of the result, or 2**-14 of its range."""
    from jax import lax

    x = integer(x) if x.is_bit else x
    low, high = site.operands[0].bounds
    if low < 0:
        x = _clipped(site.bounded(x.bound), x, [0.0], 0.0)
    scale = 2.0 ** max(_even(exponent(high) - ROOT_BITS), -_even(ROOT_BITS))
    q = rescaled(site, fixed(site, x), scale)
    site.need("the operand of a square root", q.units, 1)
    root = lax.rsqrt(q.array)  # of 0: finite, as all is in fixed point
    inverse = Held(root, scale**-0.5, 2.0**9 * scale**-0.5)
    if x.is_integer and power_of_two(x.scale) and x.units < 2.0**20:
        return Held(x.array * inverse.array, x.scale * inverse.scale, site.bound)
    return Held(q.array * root, scale**0.5, site.bound)


def reciprocal_root(site: Site, op: ops.Nonlinear, x: Held) -> Held:
    """Within 2e-4 of the result."""
    from jax import lax

    low, high = _domain(site, op)
    x = affine(site.bounded(x.bound + abs(op.a)), ops.Affine(1.0, op.a), x)
    scale = _dividing_scale(site, low, high, 2)
    q = rescaled(site, fixed(site, x), scale)
    return Held(lax.rsqrt(q.array), scale**-0.5, site.bound)


def reciprocal(site: Site, op: ops.Nonlinear, x: Held) -> Held:
    """Within 1e-4 of the result."""
    low, high = _domain(site, op)
    if high < 0:
        low, high = -high, -low
    x = affine(site.bounded(x.bound + abs(op.a)), ops.Affine(1.0, op.a), x)
    scale = _dividing_scale(site, low, high, 1)
    q = rescaled(site, fixed(site, x), scale)
    return Held(np.float32(1.0) / q.array, 1 / scale, site.bound)


def _domain(site: Site, op: ops.Nonlinear) -> tuple[float, float]:
    """What is divided by: what is promised is relied on for the smallest value only."""
    low, high = site.operands[0].bounds
    if op.domain and low >= 0:
        low = max(low, op.domain[0])
    elif op.domain:
        low, high = max(low, op.domain[0]), min(high, op.domain[1])
    return low + op.a, high + op.a


def _dividing_scale(site: Site, low: float, high: float, even: int) -> float:
    """The scale that puts ``low`` and ``high`` as far from both ends of fixed point as they can be."""
    if low <= 0:
        site.need(f"1 / x with x as small as {low:g}", math.inf, 1)
        return 1.0
    middle = round((math.log2(low) + math.log2(high)) / 2 / even) * even
    scale = 2.0**middle
    if high / scale >= 2.0**QUOTIENT_BITS or low / scale < SMALLEST:
        site.need(f"1 / x with x from {low:g} to {high:g}", math.inf, 1)
    return scale


def normalise(site: Site, op: ops.Normalise, x: Held) -> Held:
    """Unit vectors within 1e-3 of a component; what is zero stays zero: nothing is infinite in fixed point."""
    x = integer(x) if x.is_bit else x
    low, _ = site.operands[0].bounds
    length = x.array.shape[-1]
    guard = max(op.inside, op.outside**2)
    largest = length * x.bound**2
    if low >= 0 and max(guard, op.domain[0]) < largest * 2.0**-ENERGY_BITS:
        x = _shares_of_sum(site, x, length)
        largest, inside, outside = 1.25, 0.0, 0.0
    else:
        inside, outside = op.inside, op.outside
    return _unit(site, x, largest, inside, outside)


def _shares_of_sum(site: Site, x: Held, length: int) -> Held:
    """``x`` over its sum: direction unchanged, whatever the contrast; needs no sign."""
    total = x.moved(x.array.sum(-1, keepdims=True, dtype=x.array.dtype), length * x.bound)
    scale = 2.0 ** (exponent(total.bound) - QUOTIENT_BITS)
    total = rescaled(site, fixed(site, total), max(scale, 2.0**-QUOTIENT_BITS))
    inverse = Held(np.float32(1.0) / total.array, 1 / total.scale, 2.0**17 / total.scale)
    x = fixed(site, x)
    x = rescaled(site, x, min(x.scale, SHARE_UNIT / inverse.scale))
    return _product(site, x, inverse, 1.1)


def _product(site: Site, x: Held, y: Held, bound: float) -> Held:
    """A product that is known to stay within ``bound``, however large its factors may be."""
    x, y = factors(site, x, y, bound)
    return Held(x.array * y.array, x.scale * y.scale, bound)


def _unit(site: Site, x: Held, largest: float, inside: float, outside: float) -> Held:
    """``x / (sqrt(sum x**2 + inside) + outside)`` with a sum of squares of at most ``largest``."""
    energy = _energy(site, x, largest)
    q, scale = energy.array, energy.scale
    if inside >= scale * smallest(site):
        q = q + np.float32(inside / scale)
    inverse = _inverse_norm(q, energy.units, outside / scale**0.5)
    return _product(site, fixed(site, x), Held(inverse.array, inverse.scale * scale**-0.5, 1.0), 1.1)


def _energy(site: Site, x: Held, largest: float) -> Held:
    """The sum of squares, in ``ENERGY_BITS`` bits: each square is as fine as the ring allows."""
    half = 2.0 ** (_even(exponent(largest) - ENERGY_BITS) // 2)
    if x.is_integer and largest / x.scale**2 < 2.0**INTEGER_BITS:
        squares = Held((x.array * x.array).sum(-1, keepdims=True, dtype=x.array.dtype), x.scale**2, largest)
        return rescaled(site, fixed(site, squares), half**2)
    x = rescaled(site, fixed(site, x), half)
    site.need("a sum of squares before truncation", largest / half**2, 2)
    return Held((x.array * x.array).sum(-1, keepdims=True), half**2, largest)


def _inverse_norm(q: Tensor, largest: float, outside: float) -> Held:
    """``1 / (sqrt(q) + outside)`` for q of up to ``largest`` units.

    Strong and weak vectors are brought to one range by a secret choice between two public factors.
    """
    from jax import lax

    spread = 2.0 ** _even(max(0, exponent(largest) - ROOT_BITS + 2 * (exponent(largest) > ROOT_BITS)))
    strong = (q >= np.float32(2.0**ROOT_BITS)).astype(np.int64) if spread > 1 else 0
    if spread > 1:
        q = q + strong * (times(q, 1 / spread) - q)
    root = lax.rsqrt(q)
    if outside:
        norm = q * root + np.float32(outside)
        norm = norm + strong * np.float32(outside / spread**0.5 - outside) if spread > 1 else norm
        root = np.float32(1.0) / norm
    if spread > 1:
        root = root + (1 - strong) * times(root, spread**0.5 - 1)
    return Held(root, spread**-0.5, 1.0)


def smallest(site: Site) -> float:
    """The smallest positive number that may be written as a constant."""
    return 2.0 ** (CONSTANT_BITS - site.fixed.fraction_bits)


# Exponentials


def exponential(site: Site, x: Held) -> Held:
    """A polynomial on a sixteenth (or less) of the range, squared back: within 1e-4 of ``exp(high)``."""
    low, high = site.operands[0].bounds
    return _exponential(site, x, low, high)


def _exponential(site: Site, x: Held, low: float, high: float) -> Held:
    floor = high - 14.0  # exp of less vanishes in 18 bits beside exp(high)
    x = integer(x) if x.is_bit else x
    if low < floor:
        x = _clipped(site.bounded(x.bound), x, [floor], floor)
        low = floor
    halvings = max(0, math.ceil(math.log2(max(high - low, 1e-9))))
    t = affine(site.bounded(1.0), ops.Affine(2.0**-halvings, -high * 2.0**-halvings), x)
    t = rescaled(site, fixed(site, Held(t.array, t.scale, 1.0)), 1.0)
    series = np.polynomial.Chebyshev.interpolate(np.exp, 7, (-1.0, 0.0)).convert(kind=np.polynomial.Polynomial)
    result = horner(t.array, series.coef)
    for _ in range(halvings):
        result = result * result
    grown = 2.0 ** exponent(math.exp(high))
    factor = math.exp(high) / grown
    return Held(result if factor == 1 else times(result, factor), grown, site.bound)


def horner(t: Tensor, coefficients: np.ndarray) -> Tensor:
    """A power series for ``|t| <= 1``."""
    value = t * np.float32(coefficients[-1]) + np.float32(coefficients[-2])
    for coefficient in coefficients[-3::-1]:
        value = value * t + np.float32(coefficient)
    return value


def sigmoid(site: Site, x: Held) -> Held:
    """``1 / (1 + exp(-|x|))`` by Newton's iteration from a line, mirrored for negative x: within 2e-4."""
    x = integer(x) if x.is_bit else x
    positive = Held(at_least(site, x, np.asarray(0.0)), 2.0, 1.0, -1.0)
    size = selected(site.bounded(x.bound), positive, x)
    small = _exponential(site.bounded(1.0), Held(-size.array, size.scale, size.bound), -size.bound, 0.0)
    whole = small.array + np.float32(1.0)
    y = np.float32(1.4571) - times(whole, 0.5)  # 1 / whole within 0.05 for whole in [1, 2]
    for _ in range(2):
        y = y * (np.float32(2.0) - whole * y)
    half = Held(y - np.float32(0.5), 1.0, 0.5)
    mirrored = selected(site.bounded(0.5), positive, half)
    return affine(site, ops.Affine(1.0, 0.5), mirrored)


def chebyshev(site: Site, op: ops.Poly, x: Held) -> Held:
    """Clenshaw's recurrence, truncated once a step."""
    low, high = op.domain
    t = affine(site.bounded(1.0), ops.Affine(2 / (high - low), -(low + high) / (high - low)), x)
    t = rescaled(site, fixed(site, Held(t.array, t.scale, 1.0)), 1.0)
    unit = 2.0 ** exponent(max(map(abs, op.coefficients)))
    site.need("a Chebyshev series", 4.0 * len(op.coefficients), 2)
    twice = t.array + t.array
    ahead = behind = t.array * np.float32(0.0)
    for coefficient in op.coefficients[:0:-1]:
        ahead, behind = twice * ahead - behind + np.float32(coefficient / unit), ahead
    return Held(t.array * ahead - behind + np.float32(op.coefficients[0] / unit), unit, site.bound)
