"""Rules of the linear ops and of products: which of them need a truncation, and which none."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from privis.program import ops
from privis.run.mpc.fixed_point import SLACK_BITS
from privis.run.mpc.lowering.movement import bordered, cut, taps
from privis.run.mpc.lowering.shared_tensor import (
    COARSEST,
    CONSTANT_BITS,
    FACTOR_BITS,
    INTEGER_BITS,
    WEIGHT_BITS,
    LoweringContext,
    SharedTensor,
    Tensor,
    aligned,
    constant,
    exponent,
    fixed,
    integer,
    magnitude,
    narrow,
    natural_scale,
    power_of_two,
    times,
    widen,
)

FINER_BITS = 3  # that a weighted sum may have beyond those of its natural scale
JOINED_CHANNELS = 8  # of grouped convolutions
MANY_IMAGES = 8  # from here on SPU's own convolution is faster than a matrix product
FEW = 9  # elements that are summed up as slices: along an axis, SPU adds one element after another


def product_bits(context: LoweringContext) -> int:
    """Bits that the units of two fixed-point factors may have together before their product is truncated."""
    return context.fixed.field_bits - SLACK_BITS - 2 * context.fixed.fraction_bits - 1


def sum_bits(context: LoweringContext) -> int:
    """Bits that the units of a fixed-point value may have."""
    return context.fixed.field_bits - SLACK_BITS - context.fixed.fraction_bits - CONSTANT_BITS


# Public weights


def affine(context: LoweringContext, op: ops.Affine, x: SharedTensor) -> SharedTensor:
    """A public scale that is one number costs nothing; integers stay integers."""
    scale, bias = np.asarray(op.scale, np.float64), np.asarray(op.bias, np.float64)
    return _shifted(context, _scaled(context, x, scale), bias)


def _scaled(context: LoweringContext, x: SharedTensor, scale: np.ndarray) -> SharedTensor:
    import jax.numpy as jnp

    bound = (
        float(np.abs(scale).max()) * x.bound
        if scale.ndim == 0
        else magnitude(context.operands[0]) * float(np.abs(scale).max())
    )
    if scale.ndim == 0:
        factor = float(scale)
        if factor == 0:
            return SharedTensor(jnp.zeros(x.array.shape, jnp.int64), 1.0, 0.0)
        if x.is_bit:
            return SharedTensor(x.array, x.scale * factor, bound, x.offset * factor)
        if x.is_integer or power_of_two(abs(factor)):
            return SharedTensor(x.array if factor > 0 else -x.array, x.scale * abs(factor), bound)
    if not x.is_fixed:
        whole, (weights, unit) = integer(x), integer_weights(scale)
        if whole.units * np.abs(weights).max() < 2.0**INTEGER_BITS:
            return SharedTensor(whole.array * weights, whole.scale * unit, bound)
    x, weights, unit = _weighed(context, x, scale, bound)
    return SharedTensor(times(x.array, weights), x.scale * unit, bound)


def _shifted(context: LoweringContext, x: SharedTensor, bias: np.ndarray) -> SharedTensor:
    bound = max(context.bound, x.bound) if bias.ndim == 0 and bias == 0 else context.bound
    if not bias.any():
        return x.moved(x.array + np.zeros(bias.shape, x.array.dtype) if bias.ndim else x.array, bound)
    if x.is_bit and bias.ndim == 0:
        return SharedTensor(x.array, x.scale, bound, x.offset + float(bias))
    if not x.is_fixed:
        whole = _refined(integer(x), bias)
        if max(bound, float(np.abs(bias).max())) / whole.scale < 2.0**INTEGER_BITS:
            return SharedTensor(whole.array + constant(bias, whole), whole.scale, bound)
    x = fixed(context, x)
    shifted = SharedTensor(x.array + constant(bias, x), x.scale, bound)
    context.need("values in fixed point", shifted.units, 1)
    return shifted


def _refined(x: SharedTensor, bias: np.ndarray) -> SharedTensor:
    """Integers on a grid so fine that ``bias`` lies on it, or is rounded by less than ``2**-WEIGHT_BITS`` of a step."""
    for bits in range(WEIGHT_BITS):
        if (bias / x.scale * 2.0**bits % 1 == 0).all():
            break
    else:
        bits = WEIGHT_BITS
    return SharedTensor(x.array * 2**bits, x.scale * 2.0**-bits, x.bound) if bits else x


def integer_weights(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Public weights as integers times a unit: exact where they are dyadic, else with ``WEIGHT_BITS`` bits."""
    top = exponent(float(np.abs(weights).max(initial=0.0)))
    for bits in range(WEIGHT_BITS + 1):
        unit = 2.0 ** (min(top, 0) - bits)
        if (weights / unit % 1 == 0).all():
            break
    return np.round(weights / unit).astype(np.int64), unit


def _weighed(
    context: LoweringContext, x: SharedTensor, weights: np.ndarray, bound: float
) -> tuple[SharedTensor, np.ndarray, float]:
    """Fixed-point operand and weights whose product fits: small weights are scaled up so that they keep their bits.

    They keep fewer, down to ``FACTOR_BITS``, where the result would be finer than anybody needs, or where the operand
    would have to be truncated.
    """
    top = exponent(float(np.abs(weights).max(initial=0.0)))
    x = fixed(context, x)
    room = product_bits(context) - exponent(bound / x.bound if x.bound else 1.0)  # of the operand where the unit is 1
    finer = exponent(natural_scale(bound) / x.scale) - FINER_BITS - top
    dropped = min(max(0, finer, exponent(x.units) - room - top), context.fixed.fraction_bits - FACTOR_BITS)
    unit = 2.0 ** min(0, top + max(0, dropped))
    x = narrow(context, x, max(room + exponent(unit), 0))
    context.need("a weighted sum before truncation", bound / (x.scale * unit), 2)
    return x, np.asarray(weights / unit, np.float32), unit


def dense(context: LoweringContext, op: ops.Dense, x: SharedTensor) -> SharedTensor:
    """Integers and public weights multiply without any message; fixed point is truncated once."""
    if not x.is_fixed:
        whole, (weights, unit) = integer(x), integer_weights(np.asarray(op.matrix, np.float64))
        if context.bound / (whole.scale * unit) < 2.0**INTEGER_BITS:
            return SharedTensor(whole.array @ weights.T, whole.scale * unit, context.bound)
    x, weights, unit = _weighed(context, x, np.asarray(op.matrix, np.float64), context.bound)
    return SharedTensor(x.array @ weights.T, x.scale * unit, context.bound)


def conv(context: LoweringContext, op: ops.Conv, x: SharedTensor) -> SharedTensor:
    """Convolution with public weights: exact on ring integers, one truncation in fixed point.

    Bound: magnitudes of the result are at most ``context.bound``.
    """
    if not x.is_fixed:
        whole, (kernel, unit) = integer(x), integer_weights(np.asarray(op.kernel, np.float64))
        if context.bound / (whole.scale * unit) < 2.0**INTEGER_BITS:
            return SharedTensor(_correlated(op, whole.array, kernel), whole.scale * unit, context.bound)
    x, kernel, unit = _weighed(context, x, np.asarray(op.kernel, np.float64), context.bound)
    return SharedTensor(_correlated(op, x.array, kernel), x.scale * unit, context.bound)


def _correlated(op: ops.Conv, x: Tensor, kernel: np.ndarray) -> Tensor:
    """Kernel times windows as one matrix product: SPU's convolution spends its time on taking windows one by one.

    Of many images it takes each window once for all of them; then it is the faster.
    """
    lead, (channels, *_) = x.shape[:-3], x.shape[-3:]
    if op.groups == 1 and math.prod(lead) >= MANY_IMAGES:
        return _correlated_at_once(op, x, kernel)
    top, left, bottom, right = op.pad
    x = x.reshape(-1, *x.shape[-3:]).swapaxes(0, 1)  # channels first: products then come out in the order of memory
    if any(op.pad):
        x = bordered(x, ((0, 0), (0, 0), (top, bottom), (left, right)), 0)
    groups, kernel = _joined_groups(kernel, op.groups)
    taken = taps(x, (kernel.shape[2], kernel.shape[3]), op.stride, op.dilation)
    images, rows, columns = taken.shape[2:]
    taken = taken.reshape(groups, channels // groups * taken.shape[1], -1)
    weights = kernel.reshape(groups, len(kernel) // groups, -1)
    result = (weights[0] @ taken[0])[None] if groups == 1 else weights @ taken
    return result.reshape(len(kernel), images, rows, columns).swapaxes(0, 1).reshape(*lead, len(kernel), rows, columns)


def _correlated_at_once(op: ops.Conv, x: Tensor, kernel: np.ndarray) -> Tensor:
    """SPU's own convolution, in the order of axes that it works in."""
    from jax import lax

    top, left, bottom, right = op.pad
    result = lax.conv_general_dilated(
        x.reshape(-1, *x.shape[-3:]).transpose(0, 2, 3, 1),
        kernel.transpose(2, 3, 1, 0),
        op.stride,
        ((top, bottom), (left, right)),
        rhs_dilation=op.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return result.transpose(0, 3, 1, 2).reshape(*x.shape[:-3], len(kernel), *result.shape[1:3])


def _joined_groups(kernel: np.ndarray, groups: int) -> tuple[int, np.ndarray]:
    """Fewer groups, with zeros between those that are joined: a product for each channel alone would be a message."""
    outputs, inputs, rows, columns = kernel.shape
    joined = max(
        n for n in range(1, JOINED_CHANNELS + 1) if groups % n == 0 and (n == 1 or n * inputs <= JOINED_CHANNELS)
    )
    if joined == 1:
        return groups, kernel
    per = outputs // groups
    wide = np.zeros((groups // joined, joined, per, joined, inputs, rows, columns), kernel.dtype)
    for k in range(joined):
        wide[:, k, :, k] = kernel.reshape(groups // joined, joined, per, inputs, rows, columns)[:, k]
    return groups // joined, wide.reshape(outputs, joined * inputs, rows, columns)


# Secret by secret


def add(context: LoweringContext, op: ops.Add, x: SharedTensor, y: SharedTensor) -> SharedTensor:
    """Sum of two secret tensors, computed locally: no message once both have one scale."""
    x, y = _summands(context, x, y)
    return SharedTensor(x.array + y.array, x.scale, context.bound)


def sub(context: LoweringContext, op: ops.Sub, x: SharedTensor, y: SharedTensor) -> SharedTensor:
    """Difference of two secret tensors, computed locally: no message once both have one scale."""
    x, y = _summands(context, x, y)
    return SharedTensor(x.array - y.array, x.scale, context.bound)


def _summands(context: LoweringContext, x: SharedTensor, y: SharedTensor) -> list[SharedTensor]:
    x, y = (integer(v) if v.is_bit else v for v in (x, y))
    found = aligned(context, [x, y])
    if found[0].is_fixed:
        context.need("a sum", context.bound / found[0].scale, 1)
    return found


def mul(context: LoweringContext, op: ops.Mul, x: SharedTensor, y: SharedTensor) -> SharedTensor:
    """Bits times bits are "and" or "xor"; bits and integers times anything need no truncation."""
    if x.is_bit and y.is_bit:
        both = _bits(x, y, context.bound)
        if both is not None:
            return both
    if x.is_bit:
        return selected(context, x, y)
    if y.is_bit:
        return selected(context, y, x)
    x, y = factors(context, x, y, context.bound)
    return SharedTensor(x.array * y.array, x.scale * y.scale, context.bound)


def _bits(x: SharedTensor, y: SharedTensor, bound: float) -> SharedTensor | None:
    """The product of two bits where it takes two values only."""
    scale = x.scale * y.scale
    if x.offset == 0 == y.offset:
        return SharedTensor(x.array & y.array, scale, bound)
    if x.scale == -2 * x.offset and y.scale == -2 * y.offset:  # signs
        return SharedTensor(x.array ^ y.array, -scale / 2, bound, scale / 4)
    inverted = [SharedTensor(~v.array, -v.scale, v.bound, v.offset + v.scale) if v.offset else v for v in (x, y)]
    if all(v.offset == 0 for v in inverted):
        return SharedTensor(inverted[0].array & inverted[1].array, inverted[0].scale * inverted[1].scale, bound)
    return None


def selected(context: LoweringContext, bit: SharedTensor, y: SharedTensor) -> SharedTensor:
    """``bit`` times ``y``: one multiplication by a bit, no truncation."""
    import jax.numpy as jnp

    y = integer(y) if y.is_bit else y
    if y.is_fixed:  # SPU would make the bit fixed point too, and the product would wrap
        product = jnp.where(bit.array, y.array, jnp.zeros_like(y.array))
    else:
        product = bit.array.astype(jnp.int64) * y.array  # on where the bit is
    if bit.offset == 0:
        sign = 1 if bit.scale > 0 else -1
        return SharedTensor(product * sign if sign < 0 else product, abs(bit.scale) * y.scale, context.bound)
    on = SharedTensor(product, y.scale, y.bound)
    shares = [_scaled(context, v, np.asarray(weight)) for v, weight in ((on, bit.scale), (y, bit.offset))]
    first, second = aligned(context, shares)
    return SharedTensor(first.array + second.array, first.scale, context.bound)


def factors(
    context: LoweringContext, x: SharedTensor, y: SharedTensor, bound: float
) -> tuple[SharedTensor, SharedTensor]:
    """Two factors whose products, summed up to ``bound``, fit in the ring before truncation and keep bits after it."""
    if x.is_integer and y.is_integer and bound / (x.scale * y.scale) < 2.0**INTEGER_BITS:
        return x, y
    if x.is_integer != y.is_integer:
        whole, point = (x, y) if x.is_integer else (y, x)
        if power_of_two(whole.scale) and whole.units * point.units < context.fixed.largest(1):
            context.need("a product", bound / (whole.scale * point.scale), 1)
            return x, y
    x, y = fixed(context, x), fixed(context, y)
    while (excess := exponent(bound / (x.scale * y.scale)) - product_bits(context)) > 0 and max(
        x.scale, y.scale
    ) <= COARSEST:
        wide, other = (x, y) if x.units >= y.units else (y, x)
        cut = min(excess, max(1, exponent(wide.units) - exponent(other.units)))
        narrowed = narrow(context, wide, exponent(wide.units) - cut)
        x, y = (narrowed, y) if wide is x else (x, narrowed)
    coarse = exponent(x.scale * y.scale / natural_scale(bound))
    if 0 < coarse <= -excess:
        x = widen(x, x.scale * 2.0**-coarse)
    context.need("a product before truncation", bound / (x.scale * y.scale), 2)
    return x, y


def matmul(context: LoweringContext, op: ops.MatMul, x: SharedTensor, y: SharedTensor) -> SharedTensor:
    """One message per result, whatever the number of terms."""
    x, y = (integer(v) if v.is_bit else v for v in (x, y))
    terms = x.array.shape[-1]
    x, y = factors(context, x, y, min(context.bound, terms * x.bound * y.bound))
    return SharedTensor(x.array @ y.array, x.scale * y.scale, context.bound)


def add_up(context: LoweringContext, op: ops.Sum, x: SharedTensor) -> SharedTensor:
    """Sum over axes, computed locally; bits are converted to ring integers first."""
    x = integer(x) if x.is_bit else x
    if x.is_integer and context.bound / x.scale >= 2.0**INTEGER_BITS:
        x = fixed(context, x)
    if x.is_fixed:
        excess = exponent(context.bound / x.scale) - sum_bits(context)
        x = narrow(context, x, exponent(x.units) - max(0, excess))
        context.need("a sum", context.bound / x.scale, 1)
    return SharedTensor(_summed(op, x.array), x.scale, context.bound)


def _summed(op: ops.Sum, x: Tensor) -> Tensor:
    if math.prod(x.shape[axis] for axis in op.axes) > FEW:
        return x.sum(op.axes, keepdims=op.keep, dtype=x.dtype)
    kept = [1 if axis in op.axes else length for axis, length in enumerate(x.shape)]
    for axis in op.axes:
        x = functools.reduce(operator.add, [cut(x, axis, at, at + 1) for at in range(x.shape[axis])])
    return x if op.keep else x.reshape([length for axis, length in enumerate(kept) if axis not in op.axes])
