"""Vectors of length 1 on shares, whatever the length before."""

from __future__ import annotations

import numpy as np

from privis.program import ops
from privis.run.mpc.lowering.linear import factors
from privis.run.mpc.lowering.roots.powers import RESULT_BITS, power_of
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
    Tensor,
    exponent,
    fixed,
    integer,
    last_places,
    narrow,
    rescaled,
    ring_integers,
    times,
)

ENERGY_BITS = 61  # of a sum of squares in a ring of 64: comparing it needs the others
SHORTEST = 2.0  # of a length, in units: shorter vectors consist of a single last place
NOISE = 2.0  # of a length, in roots of components: what truncation makes of zeros is shorter


def normalise(context: LoweringContext, op: ops.Normalise, x: SharedTensor) -> SharedTensor:
    """Unit vectors within 1e-3 of a component; what is zero stays zero: nothing is infinite in fixed point."""
    x = integer(x) if x.is_bit else x
    squared = _short_enough(context, x)
    x = x if squared is x else as_places(context, x)
    near, u, unit_length = _brought_near_one(context, x, squared, op.inside)
    root = power_polynomial(-0.5).at(u)
    if not op.outside:
        return SharedTensor(near * root, 2.0, 1.1)
    return _over_length(context, op.outside, x, unit_length.moved(u * root * unit_length.array))


def _short_enough(context: LoweringContext, x: SharedTensor) -> SharedTensor:
    """``x`` whose sum of squares fits the ring before truncation."""
    fraction, length = context.fixed.fraction_bits, x.array.shape[-1]
    if length * (x.bound / unit_of(x, fraction)) ** 2 <= 2.0**ENERGY_BITS:
        return x
    return narrow(context, as_places(context, x), (ENERGY_BITS - exponent(length)) // 2 - fraction)


def _brought_near_one(
    context: LoweringContext, x: SharedTensor, squared: SharedTensor, guard: float
) -> tuple[Tensor, Tensor, SharedTensor]:
    """``x`` times a factor that brings it near length 1, where its length is computed.

    The sum of squares, exact in ring integers, chooses the factor. So weak vectors keep all the bits that they have.

    Args:
        context: of the node.
        x: vectors along the last axis.
        squared: ``x``, or coarser if its squares did not fit.
        guard: what is added to sums of squares.

    Returns:
        Vectors of length 1 or less; four times their sums of squares, guard included; and the length of ``x`` where
        that is 1.
    """
    fraction, polynomial, length = context.fixed.fraction_bits, power_polynomial(-0.5), x.array.shape[-1]
    array, unit = ring_integers(context, squared), unit_of(squared, fraction)
    inside, coarser = guard / unit**2, squared.scale / x.scale
    largest = length * (x.bound / unit) ** 2 + inside
    context.need("a sum of squares", largest, 0)
    energy = (array * array).sum(-1, keepdims=True, dtype=np.int64)
    # Half a length: its square has then two bits more than one truncation takes off.
    reach = 0.5 * polynomial.low**0.5 * 2.0 ** (2 * fraction)
    noise = NOISE**2 * length if coarser > 1 else 0.0
    shortest = max(noise**0.5, SHORTEST, inside**0.5)
    lengths, scales = intervals(shortest, largest**0.5, polynomial.ratio**0.5, lambda at: reach / at)
    added = np.round(4 * (scales * 2.0 ** (-2 * fraction)) ** 2 * inside * 2.0**fraction)
    whole = 2.0 ** (exponent(largest**0.5 * unit) - RESULT_BITS)
    units = np.round(unit * 2.0 ** (3 * fraction - 1) / scales / whole)
    tables = [scales, added, units]
    if coarser > 1:
        tables = [np.concatenate([[0.0], table]) for table in (*tables, np.ones(len(scales)))]
    else:
        lengths = lengths[1:]
    found = chosen(energy, np.maximum(np.ceil(lengths**2 - inside), noise), tables)
    scale, shift, unit_length = (last_places(context, each) for each in found[:3])
    near = last_places(context, ring_integers(context, x)) * scale
    if coarser > 1:  # a truncation by few bits makes last places of some zeros
        near = rescaled(context, SharedTensor(near, 1 / coarser, 1.1), 1.0).array * found[3]
    u = _quadruple_square(context, near)
    return near, u + shift if added.any() else u, SharedTensor(unit_length, whole, largest**0.5 * unit)


def _quadruple_square(context: LoweringContext, x: Tensor) -> Tensor:
    """Four times the sum of squares of fixed-point vectors of length 1 or less, truncated once."""
    places = ring_integers(context, SharedTensor(x, 1.0, 1.0))
    squares = (places * places).sum(-1, keepdims=True, dtype=np.int64)
    return times(last_places(context, squares), 2.0 ** (2 - context.fixed.fraction_bits))


def _over_length(context: LoweringContext, outside: float, x: SharedTensor, length: SharedTensor) -> SharedTensor:
    """``x / (length + outside)``."""
    divisor = length.moved(length.array + np.float32(outside / length.scale), length.bound + outside)
    inverse = power_of(context.bounded(1 / outside), divisor, -1.0, outside, divisor.bound)
    x, inverse = factors(context, fixed(context, x), inverse, 1.1)
    return SharedTensor(x.array * inverse.array, x.scale * inverse.scale, 1.1)
