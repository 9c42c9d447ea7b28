"""Rules of the functions that are no polynomials: each with the accuracy it reaches in fixed point."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from privis.program import Kind, ops
from privis.run.mpc.lowering.comparison import at_least
from privis.run.mpc.lowering.linear import add, affine, selected
from privis.run.mpc.lowering.roots.powers import domain, reciprocal, reciprocal_root, square_root
from privis.run.mpc.lowering.runtime_bounds import checked
from privis.run.mpc.lowering.shared_tensor import (
    LoweringContext,
    SharedTensor,
    Tensor,
    aligned,
    exponent,
    fixed,
    integer,
    rescaled,
    times,
)

QUOTIENT_BITS = 16  # of what SPU takes a logarithm of
ERF_END = 4.0  # 1 - erf of it is 1.5e-8
SMALLEST = 2.0**-10  # units; what is smaller has too few bits for a logarithm


def scalar_function(context: LoweringContext, op: ops.Nonlinear, x: SharedTensor) -> SharedTensor:
    """Lower a scalar function of ``op.kind``, element by element."""
    match op.kind:
        case Kind.CLIP:
            return checked(context, op, clip(context, op, x))
        case Kind.ABS:
            return absolute(context, x)
        case Kind.SQRT:
            return square_root(context, x)
        case Kind.RSQRT:
            return reciprocal_root(context, op, x)
        case Kind.RECIPROCAL:
            return reciprocal(context, op, x)
        case Kind.EXP:
            return exponential(context, x)
        case Kind.SIGMOID:
            return sigmoid(context, x)
        case Kind.TANH:
            doubled = sigmoid(context, SharedTensor(x.array, x.scale * 2, x.bound * 2, x.offset * 2))
            return affine(context, ops.Affine(2.0, -1.0), doubled)
        case Kind.LOG:
            return logarithm(context, op, x)
        case Kind.ERF:
            return error_function(context, x)
        case Kind.SOFTPLUS:
            return softplus(context, x)
        case Kind.ROUND:
            return rounded(context, x)


def clip(context: LoweringContext, op: ops.Nonlinear, x: SharedTensor) -> SharedTensor:
    """``a + max(x - a, 0) - max(x - b, 0)``, with a comparison only for a bound that the declared range can pass."""
    low, high = context.operands[0].bounds
    x = integer(x) if x.is_bit else x
    if high <= op.a or low >= op.b:
        value = op.a if high <= op.a else op.b
        return affine(context, ops.Affine(1.0, value), x.moved(x.array - x.array, 0.0))
    passed = [limit for limit, beyond in ((op.a, low < op.a), (op.b, high > op.b)) if beyond]
    if not passed:
        return x
    return _clipped(context, x, passed, op.a)


def _clipped(context: LoweringContext, x: SharedTensor, passed: Sequence[float], low: float) -> SharedTensor:
    """``x`` cut off at one or both of the limits ``passed``, of which the lower one is ``low``."""
    excess = _excess(context, x, np.array(passed).reshape(-1, *[1] * x.array.ndim))
    above = excess.moved(excess.array[0])
    if len(passed) == 2:
        above = above.moved(excess.array[0] - excess.array[1], passed[1] - passed[0])
    if passed[0] == low:
        return affine(context, ops.Affine(1.0, low), above)
    kept, above = aligned(context, [x, above])
    return kept.moved(kept.array - above.array, context.bound)


def _excess(context: LoweringContext, x: SharedTensor, limits: np.ndarray) -> SharedTensor:
    """``max(x - limit, 0)`` for each of ``limits``, along a new first axis.

    SPU makes of a maximum one comparison and one product with a bit, of a choice between two values twice the work.
    """
    import jax.numpy as jnp

    x = x.moved(x.array[None])
    over = context.bounded(x.bound + float(np.abs(limits).max()))
    beyond = affine(over, ops.Affine(1.0, -limits), x) if limits.any() else x
    context.need("a difference to a threshold", beyond.units, 1 if x.is_fixed else 0)
    return beyond.moved(jnp.maximum(beyond.array, beyond.array.dtype.type(0)))


def absolute(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """|x|: one secure comparison and one product with a bit per element."""
    x = integer(x) if x.is_bit else x
    positive = SharedTensor(at_least(context, x, np.asarray(0.0)), 2.0, 1.0, -1.0)
    return selected(context.bounded(x.bound), positive, x)


# Exponentials


def exponential(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """A polynomial on a sixteenth (or less) of the range, squared back: within 1e-4 of ``exp(high)``."""
    low, high = context.operands[0].bounds
    return _exponential(context, x, low, high)


def _exponential(context: LoweringContext, x: SharedTensor, low: float, high: float) -> SharedTensor:
    floor = high - 14.0  # exp of less vanishes in 18 bits beside exp(high)
    x = integer(x) if x.is_bit else x
    if low < floor:
        x = _clipped(context.bounded(x.bound), x, [floor], floor)
        low = floor
    halvings = max(0, math.ceil(math.log2(max(high - low, 1e-9))))
    t = affine(context.bounded(1.0), ops.Affine(2.0**-halvings, -high * 2.0**-halvings), x)
    t = rescaled(context, fixed(context, SharedTensor(t.array, t.scale, 1.0)), 1.0)
    series = np.polynomial.Chebyshev.interpolate(np.exp, 7, (-1.0, 0.0)).convert(kind=np.polynomial.Polynomial)
    result = horner(t.array, series.coef)
    for _ in range(halvings):
        result = result * result
    grown = 2.0 ** exponent(math.exp(high))
    factor = math.exp(high) / grown
    return SharedTensor(result if factor == 1 else times(result, factor), grown, context.bound)


def logarithm(context: LoweringContext, op: ops.Nonlinear, x: SharedTensor) -> SharedTensor:
    """log(x + a) on the declared domain: within 4e-4 where x + a has 11 binary digits or more, else as they allow."""
    import jax.numpy as jnp

    low, high = domain(context, op)
    x = affine(context.bounded(x.bound + abs(op.a)), ops.Affine(1.0, op.a), x)
    scale = _middle_scale(context, low, high)
    q = rescaled(context, fixed(context, x), scale)
    found = SharedTensor(jnp.log(q.array), 1.0, context.bound)
    return affine(context, ops.Affine(1.0, math.log(scale)), found) if scale != 1 else found


def _middle_scale(context: LoweringContext, low: float, high: float) -> float:
    """The scale that puts ``low`` and ``high`` as far from both ends of fixed point as they can be."""
    if low <= 0:
        context.need(f"log(x) with x as small as {low:g}", math.inf, 1)
        return 1.0
    scale = 2.0 ** round((math.log2(low) + math.log2(high)) / 2)
    if high / scale >= 2.0**QUOTIENT_BITS or low / scale < SMALLEST:
        context.need(f"log(x) with x from {low:g} to {high:g}", math.inf, 1)
    return scale


def error_function(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """An odd polynomial up to ``ERF_END``, where nothing is left of the difference from 1: within 1e-4."""
    low, high = context.operands[0].bounds
    x = integer(x) if x.is_bit else x
    passed = [limit for limit, beyond in ((-ERF_END, low < -ERF_END), (ERF_END, high > ERF_END)) if beyond]
    if passed:
        x = _clipped(context.bounded(min(x.bound, ERF_END)), x, passed, -ERF_END)
    t = affine(context.bounded(1.0), ops.Affine(1 / ERF_END), SharedTensor(x.array, x.scale, ERF_END, x.offset))
    t = rescaled(context, fixed(context, SharedTensor(t.array, t.scale, 1.0)), 1.0)
    square = SharedTensor(t.array * t.array, 1.0, 1.0)
    even = chebyshev_series(context.bounded(4 * ERF_END), ops.Poly(_erf_series(), (0.0, 1.0)), square)
    return SharedTensor(t.array * even.array, even.scale, 1.0)


@functools.cache
def _erf_series() -> tuple[float, ...]:
    """Of ``erf(ERF_END t) / t`` as a function of ``t**2``, smooth at 0."""
    from scipy.special import erf  # half of the time that a small job takes to import

    def over_operand(square: np.ndarray) -> np.ndarray:
        t = np.sqrt(np.maximum(square, 1e-12))
        return erf(ERF_END * t) / t

    return tuple(map(float, np.polynomial.Chebyshev.interpolate(over_operand, 14, (0.0, 1.0)).coef))


def softplus(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """``max(x, 0) + log(1 + exp(-|x|))``, the logarithm a polynomial of its exponential: within 2e-4."""
    x = integer(x) if x.is_bit else x
    _, high = context.operands[0].bounds
    size = absolute(context.bounded(x.bound), x)
    small = _exponential(context.bounded(1.0), SharedTensor(-size.array, size.scale, size.bound), -size.bound, 0.0)
    fitted = np.polynomial.Chebyshev.interpolate(np.log1p, 8, (0.0, 1.0)).convert(kind=np.polynomial.Polynomial)
    excess = SharedTensor(horner(small.array, fitted.coef), 1.0, 1.0)
    above = clip(context.bounded(max(high, 0.0)), ops.Nonlinear(Kind.CLIP, None, 0.0, math.inf), x)
    return add(context, ops.Add(), above, excess)


def rounded(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """The nearest whole number, exact where the operand is not within 2e-4 of halfway between two."""
    x = integer(x) if x.is_bit else x
    if x.is_integer and x.scale % 1 == 0:
        return x
    return integer(rescaled(context, fixed(context, x), 1.0))


def horner(t: Tensor, coefficients: np.ndarray) -> Tensor:
    """A power series for ``|t| <= 1``."""
    value = t * np.float32(coefficients[-1]) + np.float32(coefficients[-2])
    for coefficient in coefficients[-3::-1]:
        value = value * t + np.float32(coefficient)
    return value


def sigmoid(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """``1 / (1 + exp(-|x|))`` by Newton's iteration from a line, mirrored for negative x: within 2e-4."""
    x = integer(x) if x.is_bit else x
    positive = SharedTensor(at_least(context, x, np.asarray(0.0)), 2.0, 1.0, -1.0)
    size = selected(context.bounded(x.bound), positive, x)
    small = _exponential(context.bounded(1.0), SharedTensor(-size.array, size.scale, size.bound), -size.bound, 0.0)
    whole = small.array + np.float32(1.0)
    y = np.float32(1.4571) - times(whole, 0.5)  # 1 / whole within 0.05 for whole in [1, 2]
    for _ in range(2):
        y = y * (np.float32(2.0) - whole * y)
    half = SharedTensor(y - np.float32(0.5), 1.0, 0.5)
    mirrored = selected(context.bounded(0.5), positive, half)
    return affine(context, ops.Affine(1.0, 0.5), mirrored)


def chebyshev_series(context: LoweringContext, op: ops.Poly, x: SharedTensor) -> SharedTensor:
    """Clenshaw's recurrence, truncated once a step."""
    low, high = op.domain
    t = affine(context.bounded(1.0), ops.Affine(2 / (high - low), -(low + high) / (high - low)), x)
    t = rescaled(context, fixed(context, SharedTensor(t.array, t.scale, 1.0)), 1.0)
    unit = 2.0 ** exponent(max(map(abs, op.coefficients)))
    context.need("a Chebyshev series", 4.0 * len(op.coefficients), 2)
    twice = t.array + t.array
    ahead = behind = t.array * np.float32(0.0)
    for coefficient in op.coefficients[:0:-1]:
        ahead, behind = twice * ahead - behind + np.float32(coefficient / unit), ahead
    return SharedTensor(t.array * ahead - behind + np.float32(op.coefficients[0] / unit), unit, context.bound)
