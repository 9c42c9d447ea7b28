"""Rules that compare: thresholds, histograms, largest elements. What they find stays secret."""

from __future__ import annotations

import itertools
import math

import numpy as np

from privis.program import ops
from privis.readings.evaluate import compare_threshold, histogram_edges
from privis.run.mpc.lowering.movement import cut
from privis.run.mpc.lowering.shared_tensor import (
    CONSTANT_BITS,
    LoweringContext,
    SharedTensor,
    Tensor,
    fixed,
    integer,
    rescaled,
    widen,
)
from privis.run.mpc.lowering.sorting_network import sorted_descending

PAIRWISE = 32  # elements that are ordered by comparing all pairs at once
SORTED = 64  # elements from which their order comes from a sorting network: fewer comparisons in more steps


def at_least(context: LoweringContext, x: SharedTensor, threshold: np.ndarray) -> Tensor:
    """Bits of ``x >= threshold``; on integers exact, in fixed point to the last place."""
    thresholds = np.asarray(threshold, np.float64)
    if x.is_bit:
        above, below = x.offset + x.scale >= thresholds, x.offset >= thresholds
        return (x.array & (above ^ below)) ^ below
    if x.is_integer:
        least = np.clip(np.ceil(thresholds / x.scale), -(2.0**62), 2.0**62).astype(np.int64)
        context.need("a difference to a threshold", x.units + float(np.abs(least).max(initial=0)), 0)
        return x.array >= least
    limits = np.asarray(thresholds / x.scale, np.float32)
    context.need("a difference to a threshold", x.units + float(np.abs(limits).max(initial=0.0)), 1)
    return x.array >= limits


def compare(context: LoweringContext, op: ops.Compare, x: SharedTensor) -> SharedTensor:
    """Bits ``x >= threshold``: one secure comparison per element."""
    return SharedTensor(at_least(context, x, compare_threshold(op)), 1.0, 1.0)


# Histograms: cumulative counts of all digits at once, differenced at the end, where there are few


def histogram(context: LoweringContext, op: ops.Histogram, x: SharedTensor) -> SharedTensor:
    """One comparison for all edges; joint counts are products of "at least" bits, summed by matrix products."""
    import jax.numpy as jnp

    digits = _reached(context, op, x)
    lengths = [len(edges) + 1 for edges in op.edges]
    half = _balanced(lengths)
    counts = _joint(digits[:half], -2)
    if half < len(digits):
        # Turned before they are joined: SPU multiplies matrices that are stored row by row many times faster.
        turned = [jnp.swapaxes(digit, -1, -2) for digit in digits[half:]]
        counts = counts @ _joint(turned, -1)
    else:
        counts = counts.sum(-1, dtype=jnp.int64)
    lead = counts.shape[: len(x.array.shape) - 2]
    counts = counts.reshape(*lead, *lengths)
    for axis, length in enumerate(lengths, len(lead)):
        counts = _differences(counts, axis, length)
    return SharedTensor(counts.reshape(*lead, math.prod(lengths)), 1.0, context.bound)


def _reached(context: LoweringContext, op: ops.Histogram, x: SharedTensor) -> list[Tensor]:
    """For every digit ``(..., edges + 1, N)`` integers: 1, then whether each edge is reached."""
    import jax.numpy as jnp

    edges = histogram_edges(op)
    digits = [x.moved(x.array[i][..., None, :]) for i in range(len(edges))]
    shape = (*x.array.shape[1:-1], 1, x.array.shape[-1])
    thresholds = [np.broadcast_to(np.asarray(e)[:, None], (len(e), 1)) for e in edges]
    if x.is_bit:
        bits = [at_least(context, digit, limit) for digit, limit in zip(digits, thresholds, strict=True)]
    else:
        wide = [jnp.broadcast_to(d.array, (*shape[:-2], len(e), shape[-1])) for d, e in zip(digits, edges, strict=True)]
        together = at_least(context, x.moved(jnp.concatenate(wide, -2)), np.concatenate(thresholds))
        ends = np.cumsum([0, *(len(e) for e in edges)])
        bits = [together[..., a:b, :] for a, b in itertools.pairwise(ends)]
    ones = jnp.ones(shape, jnp.int64)
    return [jnp.concatenate([ones, b.astype(jnp.int64)], -2) for b in bits]


def _balanced(lengths: list[int]) -> int:
    """How many of the digits to join on the left, so that both sides have about as many joint bins."""
    sizes = [math.prod(lengths[:k]) + math.prod(lengths[k:]) * (k < len(lengths)) for k in range(1, len(lengths) + 1)]
    return 1 + sizes.index(min(sizes))


def _joint(digits: list[Tensor], axis: int) -> Tensor:
    """Products of one entry of every digit along ``axis``, -2 or -1; entry 0 of each digit is 1."""
    import jax.numpy as jnp

    joint = digits[0]
    for digit in digits[1:]:
        first, second = jnp.expand_dims(joint, axis), jnp.expand_dims(digit, axis - 1)
        rest, more = (_after_first(first, axis - 1), _after_first(second, axis))
        lower = jnp.concatenate([rest, rest * more], axis)
        both = jnp.concatenate([second, lower], axis - 1)
        count = joint.shape[axis] * digit.shape[axis]
        joint = both.reshape(*joint.shape[:-2], *((count, joint.shape[-1]) if axis == -2 else (joint.shape[-2], count)))
    return joint


def _after_first(x: Tensor, axis: int) -> Tensor:
    return x[(..., slice(1, None), *[slice(None)] * (-1 - axis))]


def _differences(counts: Tensor, axis: int, length: int) -> Tensor:
    """From "at least i" to "exactly i" along ``axis``."""
    import jax.numpy as jnp

    following = [slice(None)] * counts.ndim
    following[axis] = slice(1, length)
    pad = [(0, 0)] * counts.ndim
    pad[axis] = (0, 1)
    return counts - jnp.pad(counts[tuple(following)], pad)


# Largest elements


def largest(context: LoweringContext, op: ops.Max, x: SharedTensor) -> SharedTensor:
    """A tournament: as many rounds as the number of elements has bits."""
    import jax.numpy as jnp

    x = integer(x) if x.is_bit else x
    context.need("a difference of two values", 2 * x.units, 1 if x.is_fixed else 0)
    array = x.array
    kept = [axis for axis in range(array.ndim) if axis not in op.axes]
    shape = [array.shape[axis] for axis in kept]
    line = jnp.transpose(array, (*kept, *op.axes)).reshape(*shape, -1)
    (winner,) = _tournament(line)
    if op.keep:
        winner = winner.reshape([1 if axis in op.axes else n for axis, n in enumerate(array.shape)])
    return x.moved(winner, context.bound)


def largest_of_windows(
    context: LoweringContext, x: SharedTensor, size: tuple[int, int], stride: tuple[int, int]
) -> SharedTensor:
    """Max-pooling along the rows of windows, then along their columns: windows share what they find in their rows.

    Of 3 x 3 windows two elements apart that are 6 comparisons each instead of 8, of 5 x 5 neighbours 8 instead of 24.
    """
    x = integer(x) if x.is_bit else x
    context.need("a difference of two values", 2 * x.units, 1 if x.is_fixed else 0)
    array = x.array
    for axis, count, step in zip((array.ndim - 2, array.ndim - 1), size, stride, strict=True):
        array = _largest_along(array, axis, count, step)
    return x.moved(array, context.bound)


def _largest_along(x: Tensor, axis: int, size: int, stride: int) -> Tensor:
    """The largest of each ``size`` neighbours along one axis, in as few rounds as ``size`` has bits."""
    import jax.numpy as jnp

    reach = x.shape[axis] - size + 1  # places where a window may begin
    left = [cut(x, axis, at, at + reach, stride) for at in range(size)]
    while len(left) > 1:
        half = len(left) // 2
        first, second = jnp.stack(left[:half]), jnp.stack(left[half : 2 * half])
        winners = first + jnp.maximum(second - first, x.dtype.type(0))  # SPU's choice between two takes longer
        left = [*(cut(winners, 0, k, k + 1).reshape(winners.shape[1:]) for k in range(half)), *left[2 * half :]]
    return left[0]


def _tournament(values: Tensor, *carried: Tensor) -> tuple[Tensor, ...]:
    """``(..., N)`` to ``(...,)``: the largest, the first of equals, and what each tensor of ``carried`` has there.

    Neighbours meet, so that whoever stands on the left came first.
    """
    import jax.numpy as jnp

    columns = (values, *carried)
    last = values.ndim - 1
    while (count := columns[0].shape[-1]) > 1:
        even = count // 2 * 2
        pairs = [(cut(x, last, 0, even, 2), cut(x, last, 1, even, 2)) for x in columns]
        later = (pairs[0][1] > pairs[0][0]).astype(jnp.int64)
        winners = [left + later * (right - left) for left, right in pairs]
        odd = [[cut(x, last, even, count)] if even < count else [] for x in columns]
        columns = tuple(jnp.concatenate([w, *rest], -1) for w, rest in zip(winners, odd, strict=True))
    return tuple(x[..., 0] for x in columns)


def index_of_largest(context: LoweringContext, op: ops.ArgMax, x: SharedTensor) -> SharedTensor:
    """The tournament carries every element's index along."""
    import jax.numpy as jnp

    x = integer(x) if x.is_bit else x
    context.need("a difference of two values", 2 * x.units, 1 if x.is_fixed else 0)
    line = jnp.moveaxis(x.array, op.axis, -1)
    places = jnp.broadcast_to(jnp.arange(line.shape[-1], dtype=jnp.int64), line.shape)
    return SharedTensor(_tournament(line, places)[1], 1.0, context.bound)


def strongest(context: LoweringContext, op: ops.TopK, x: SharedTensor) -> SharedTensor:
    """SPU finds the right set in an order of its own: here it selects keys that all differ, which are then ordered.

    A key is the value with the element's place in bits below its last one, so that of equals the first is larger.
    The order comes from comparing all pairs of the few that were selected, or of many from a sorting network.
    """
    import jax.numpy as jnp

    x = integer(x) if x.is_bit else x
    doublings = (x.array.shape[-1] - 1).bit_length() + (0 if x.is_integer else CONSTANT_BITS)
    keys, indices = _candidates(context, op.count, _keys(context, x, doublings))
    if op.count > SORTED:
        least = -(x.units + 1) * 2.0**doublings
        columns = sorted_descending(int(least) if x.is_integer else least, keys, indices)
        ordered, places = (cut(each, keys.ndim - 1, 0, op.count) for each in columns)
        return _with_places(context, x, doublings, ordered, places)
    ranks = (keys[..., None, :] > keys[..., :, None]).astype(jnp.int64).sum(-1, dtype=jnp.int64)
    at_place = (ranks[..., None, :] == jnp.arange(op.count, dtype=jnp.int64)[:, None]).astype(jnp.int64)
    ordered = (at_place * keys[..., None, :]).sum(-1, dtype=keys.dtype)
    places = (at_place * indices[..., None, :]).sum(-1, dtype=jnp.int64)
    return _with_places(context, x, doublings, ordered, places)


def _with_places(
    context: LoweringContext, x: SharedTensor, doublings: int, ordered: Tensor, places: Tensor
) -> SharedTensor:
    """The values that keys stand for, and their places."""
    import jax.numpy as jnp

    found = SharedTensor(ordered + places * _place_unit(context, x), x.scale * 2.0**-doublings, x.bound)
    values = rescaled(context, fixed(context, found), 1.0)
    return SharedTensor(jnp.stack([values.array, places.astype(jnp.float32)]), 1.0, context.bound)


def _keys(context: LoweringContext, x: SharedTensor, doublings: int) -> Tensor:
    """``x * 2**doublings``, less the place of each element in units too small to change another order."""
    count = x.array.shape[-1]
    context.need("a value with its place", (x.units + 1) * 2.0**doublings, 0 if x.is_integer else 1)
    wide = widen(x, x.scale * 2.0**-doublings).array
    return wide - np.asarray(np.arange(count) * _place_unit(context, x), wide.dtype)


def _place_unit(context: LoweringContext, x: SharedTensor) -> np.ndarray:
    last = 2.0 ** (CONSTANT_BITS - context.fixed.fraction_bits)
    return np.asarray(1) if x.is_integer else np.asarray(last, np.float32)


def _candidates(context: LoweringContext, count: int, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and their indices, in no particular order: all of them, or the ``count`` largest."""
    import jax
    import jax.numpy as jnp

    length = keys.shape[-1]
    if length <= max(PAIRWISE, count):
        return keys, jnp.broadcast_to(jnp.arange(length, dtype=jnp.int64), keys.shape)
    found, indices = jax.lax.top_k(keys, count)
    return found, indices.astype(jnp.int64)
