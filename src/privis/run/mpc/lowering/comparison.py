"""Rules that compare: thresholds, histograms, largest elements. What they find stays secret."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

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
    last_places,
    rescaled,
    ring_integers,
    widen,
)
from privis.run.mpc.lowering.sorting_network import sorted_descending

PAIRWISE = 32  # elements that are ordered by comparing all pairs at once
EXTRA = 16  # part of all elements that may be compared in one step for the sake of fewer steps
FEWEST = 1024  # comparisons that take no more time than the messages of a step
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
    """A tournament: of each group of neighbours the largest, until one is left."""
    import jax.numpy as jnp

    x = integer(x) if x.is_bit else x
    context.need("a difference of two values", 2 * x.units, 1 if x.is_fixed else 0)
    array = x.array
    kept = [axis for axis in range(array.ndim) if axis not in op.axes]
    shape = [array.shape[axis] for axis in kept]
    line = jnp.transpose(array, (*kept, *op.axes)).reshape(*shape, -1)
    (winner,) = _tournament(ring_integers(context, x.moved(line)))
    winner = last_places(context, winner) if x.is_fixed else winner
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
    """``(..., N)`` ring integers to ``(...,)``: the largest, the first of equals, and what each of ``carried``, public
    numbers, has there.

    Neighbours meet, in groups whose members are all compared at once: pairs while there are many, then the larger the
    fewer are left, so that rounds are saved where comparisons are few.
    """
    rows = math.prod(values.shape[:-1])
    most = max(values.size // EXTRA, FEWEST)
    columns, carried_alone = [values, *carried], True
    while (count := columns[0].shape[-1]) > 1:
        columns = _winners(columns, _group_size(count, rows, most), carried_alone)
        carried_alone = False
    return tuple(x[..., 0] for x in columns)


def _group_size(count: int, rows: int, most: int) -> int:
    """The size of groups that leaves the fewest of ``count`` elements for at most ``most`` comparisons in all rows."""
    sizes = [size for size in range(3, count + 1) if rows * (count // size) * size * (size - 1) // 2 <= most]
    return min([2, *sizes], key=lambda size: (count // size + count % size, size))


def _winners(columns: Sequence[Tensor], size: int, alone: bool) -> list[Tensor]:
    """The largest of each group of ``size`` neighbours, then those left over; ``alone``: columns in products of their
    own, as nothing is sent for a public one.
    """
    import jax.numpy as jnp

    *lead, count = columns[0].shape
    last, whole = len(lead), count // size * size
    groups = [cut(x, last, 0, whole).reshape(*lead, whole // size, size) for x in columns]
    lost = _lost(groups[0]).astype(jnp.int64)
    won = 1 - lost  # a difference makes SPU share it once as a number: products with bits take twice the bytes
    stacks = [group[None] for group in groups] if alone else [jnp.stack(groups)]
    found = []
    for stack in stacks:
        others, ends = cut(stack, last + 2, 0, size - 1), cut(stack, last + 2, size - 1, size)
        found += list((won * (others - ends)).sum(-1, dtype=stack.dtype) + ends[..., 0])
    return [jnp.concatenate([w, cut(x, last, whole, count)], -1) for w, x in zip(found, columns, strict=True)]


def _lost(groups: Tensor) -> Tensor:
    """Of all but the last element of each group along the last axis: whether any is larger, or equal and earlier."""
    import jax.numpy as jnp

    size, last = groups.shape[-1], groups.ndim - 1
    lefts = [cut(groups, last, 0, size - apart) for apart in range(1, size)]
    rights = [cut(groups, last, apart, size) for apart in range(1, size)]
    later = jnp.concatenate(rights, -1) > jnp.concatenate(lefts, -1)
    ends = np.cumsum([0, *range(size - 1, 0, -1)])
    by_distance = [cut(later, last, int(a), int(b)) for a, b in itertools.pairwise(ends)]
    lost = [by_distance[0]]  # one of these for each other element: those that follow, then those before
    for apart in range(2, size):
        before = cut(by_distance[size - apart - 1], last, 0, apart - 1)
        lost.append(jnp.concatenate([by_distance[apart - 1], ~before], -1))
    while len(lost) > 1:
        half = len(lost) // 2
        either = jnp.stack(lost[:half]) | jnp.stack(lost[half : 2 * half])
        lost = [*(cut(either, 0, k, k + 1)[0] for k in range(half)), *lost[2 * half :]]
    return lost[0]


def index_of_largest(context: LoweringContext, op: ops.ArgMax, x: SharedTensor) -> SharedTensor:
    """The tournament carries every element's index along."""
    import jax.numpy as jnp

    x = integer(x) if x.is_bit else x
    context.need("a difference of two values", 2 * x.units, 1 if x.is_fixed else 0)
    line = ring_integers(context, x.moved(jnp.moveaxis(x.array, op.axis, -1)))
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
