"""Square roots, reciprocal roots and reciprocals: ``x**power`` from the interval that ``x`` lies in."""

from __future__ import annotations

import math

import numpy as np

from privis.program import ops
from privis.run.mpc.lowering.linear import affine
from privis.run.mpc.lowering.roots.range_reduction import (
    as_places,
    chosen,
    intervals,
    power_polynomial,
    unit_of,
)
from privis.run.mpc.lowering.shared_tensor import (
    LoweringContext,
    SharedTensor,
    exponent,
    integer,
    last_places,
    rescaled,
    ring_integers,
)

SPAN_BITS = 26  # between the largest operand and the smallest, of which a reciprocal or its root keeps some bits
ROOT_SPAN_BITS = 28  # of square roots: below, the root is less than 2**-14 of the largest and becomes 0
FACTOR_BITS = 4  # that the smallest public factor keeps: `SLACK` covers what it is rounded by
ROOT_BITS = 12  # of the largest operand before its binary point
RESULT_BITS = 10  # of the largest result before its binary point: the smallest keep as many more


def square_root(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """Exactly 0 at 0 and below; within 3e-4 of the result, or 2**-14 of its range."""
    _, high = context.operands[0].bounds
    if high <= 0:
        return affine(context, ops.Affine(0.0), x)
    return power_of(context, x, 0.5, high * 2.0**-ROOT_SPAN_BITS, high)


def reciprocal_root(context: LoweringContext, op: ops.Nonlinear, x: SharedTensor) -> SharedTensor:
    """1 / sqrt(x + a) on the declared domain; relative error at most 2e-4."""
    low, high = domain(context, op)
    x = affine(context.bounded(x.bound + abs(op.a)), ops.Affine(1.0, op.a), x)
    return power_of(context, x, -0.5, low, high)


def reciprocal(context: LoweringContext, op: ops.Nonlinear, x: SharedTensor) -> SharedTensor:
    """1 / (x + a) on the declared domain; relative error at most 1e-4."""
    low, high = domain(context, op)
    sign = 1.0
    if high < 0:
        low, high, sign = -high, -low, -1.0
    x = affine(context.bounded(x.bound + abs(op.a)), ops.Affine(sign, sign * op.a), x)
    return affine(context, ops.Affine(sign), power_of(context, x, -1.0, low, high))


def domain(context: LoweringContext, op: ops.Nonlinear) -> tuple[float, float]:
    """What is divided by: what is promised is relied on for the smallest value only."""
    low, high = context.operands[0].bounds
    if op.domain and low >= 0:
        low = max(low, op.domain[0])
    elif op.domain:
        low, high = max(low, op.domain[0]), min(high, op.domain[1])
    return low + op.a, high + op.a


def power_of(context: LoweringContext, x: SharedTensor, power: float, low: float, high: float) -> SharedTensor:
    """``x**power`` for x from ``low`` to ``high``; of positive powers 0 below ``low``."""
    fraction = context.fixed.fraction_bits
    low = _divisible(context, low, high) if power < 0 else low
    x = _fine_enough(context, integer(x) if x.is_bit else x, high)
    unit, polynomial = unit_of(x, fraction), power_polynomial(power)
    limits, factors = intervals(
        max(1.0, low / unit), high / unit, polynomial.ratio, lambda at: polynomial.low * 2.0 ** (2 * fraction) / at
    )
    powers = polynomial.sign * (unit * 2.0 ** (2 * fraction) / factors) ** power
    scale = 2.0 ** (exponent(float(np.abs(powers).max())) - RESULT_BITS)
    tables = [factors, np.round(powers / scale * 2.0**fraction)]
    if power > 0:
        tables = [np.concatenate([[0.0], table]) for table in tables]
    else:
        limits = limits[1:]  # what is promised to reach the first need not be compared with it
    context.need("a difference to a threshold", 2 * high / unit, 0)
    context.need("a product before truncation", 2.0 ** (RESULT_BITS + 1), 2)
    array = ring_integers(context, x)
    factor, scaled = (last_places(context, each) for each in chosen(array, limits, tables))
    return SharedTensor(polynomial.at(last_places(context, array) * factor) * scaled, scale, context.bound)


def _divisible(context: LoweringContext, low: float, high: float) -> float:
    """``low`` where fixed point holds both ends."""
    if low <= 0:
        context.need(f"1 / x with x as small as {low:g}", math.inf, 1)
    elif high > low * 2.0**SPAN_BITS:
        context.need(f"1 / x with x from {low:g} to {high:g}", math.inf, 1)
    return max(low, high * 2.0**-SPAN_BITS)


def _fine_enough(context: LoweringContext, x: SharedTensor, high: float) -> SharedTensor:
    """Integers as they are where ``high`` leaves the smallest factor its bits, else fixed point of such a unit."""
    fraction = context.fixed.fraction_bits
    most = min(ROOT_BITS, fraction - FACTOR_BITS - 2)
    if x.is_integer and high / x.scale <= 2.0 ** (fraction + most):
        return x
    return rescaled(context, as_places(context, x), 2.0 ** (exponent(high) - most))
