"""Rules that move elements: local, but slow in SPU where they are not slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from privis.program import ops
from privis.program.ops import Op
from privis.readings.evaluate import evaluate_op
from privis.run.mpc.lowering.shared_tensor import LoweringContext, SharedTensor, Tensor, aligned, fixed, integer

MOST_RUNS = 64  # beyond, one gather is faster than as many slices


def move(context: LoweringContext, op: Op, x: SharedTensor) -> SharedTensor:
    """Apply the numpy semantics of ``op`` (see ``readings.evaluate``): data movement alone, no message."""
    import jax.numpy as jnp

    return x.moved(evaluate_op(op, [x.array], jnp))


def cut(x: Tensor, axis: int, start: int, stop: int, step: int = 1) -> Tensor:
    """A slice along one axis, as a view: what ``x[start:stop:step]`` traces to is a gather."""
    from jax import lax

    return lax.slice_in_dim(x, start, stop, step, axis)


def slices(context: LoweringContext, op: ops.Slice, x: SharedTensor) -> SharedTensor:
    """A strided view of each axis: no message."""
    from jax import lax

    starts, stops, steps = zip(*op.index, strict=True) if op.index else ((), (), ())
    shape = x.array.shape
    stops = [min(stop, length) for stop, length in zip(stops, shape, strict=True)]
    return x.moved(lax.slice(x.array, [min(a, b) for a, b in zip(starts, stops, strict=True)], stops, steps))


def window(context: LoweringContext, op: ops.Window, x: SharedTensor) -> SharedTensor:
    """Windows by two passes of slices, along columns and then along rows: no message."""
    return x.moved(windows(x.array, op.size, op.stride))


def windows(x: Tensor, size: tuple[int, int], stride: tuple[int, int] = (1, 1)) -> Tensor:
    """``(..., H, W)`` to ``(..., H', W', rows, columns)``: first along the columns, then along the rows."""
    import jax.numpy as jnp

    below, across = ((length - n) // s * s + 1 for length, n, s in zip(x.shape[-2:], size, stride, strict=True))
    x = jnp.stack([cut(x, x.ndim - 1, v, v + across, stride[1]) for v in range(size[1])], -1)
    return jnp.stack([cut(x, x.ndim - 3, u, u + below, stride[0]) for u in range(size[0])], -2)


def taps(x: Tensor, size: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Tensor:
    """``(C, N, H, W)`` to ``(C, rows * columns, N, H', W')``: for each tap of a kernel, what it meets.

    First for the rows, then for the columns: SPU reads its code anew in every run, so that few instructions count.
    """
    import jax.numpy as jnp

    (below, u), (across, v) = (
        ((length - 1 - (n - 1) * d) // s * s + 1, s)
        for length, n, s, d in zip(x.shape[-2:], size, stride, dilation, strict=True)
    )
    rows, columns = (range(0, (n - 1) * d + 1, d) for n, d in zip(size, dilation, strict=True))
    x = jnp.expand_dims(x, 1)
    x = jnp.expand_dims(jnp.concatenate([cut(x, 3, at, at + below, u) for at in rows], 1), 2)
    x = jnp.concatenate([cut(x, 5, at, at + across, v) for at in columns], 2)
    return x.reshape(x.shape[0], -1, *x.shape[3:])


def gather(context: LoweringContext, op: ops.Gather, x: SharedTensor) -> SharedTensor:
    """Slices where the index is a few arithmetic progressions, as it is for mirrored borders."""
    import jax.numpy as jnp

    found = _runs(op.index) if op.index.ndim == 1 else []
    if not 0 < len(found) <= MOST_RUNS:
        return move(context, op, x)
    pieces = [_run(x.array, op.axis, *run) for run in found]
    return x.moved(pieces[0] if len(pieces) == 1 else jnp.concatenate(pieces, op.axis))


def _runs(index: np.ndarray) -> list[tuple[int, int, int]]:
    """The index as (first, step, count) of arithmetic progressions."""
    found, at = [], 0
    while at < len(index):
        count, step = 1, int(index[at + 1] - index[at]) if at + 1 < len(index) else 1
        while at + count < len(index) and index[at + count] - index[at + count - 1] == step:
            count += 1
        found.append((int(index[at]), step, count))
        at += count
    return found


def _run(x: Tensor, axis: int, first: int, step: int, count: int) -> Tensor:
    import jax.numpy as jnp

    if step == 0:
        shape = list(x.shape)
        shape[axis] = count
        return jnp.broadcast_to(cut(x, axis, first, first + 1), shape)
    last = first + step * (count - 1)
    piece = cut(x, axis, min(first, last), max(first, last) + 1, abs(step))
    return piece if step > 0 else jnp.flip(piece, axis)


def pad(context: LoweringContext, op: ops.Pad, x: SharedTensor) -> SharedTensor:
    """A public border, held as the values are."""
    if x.is_bit and op.value in (x.offset, x.offset + x.scale):
        inside: Any = op.value != x.offset
    else:
        x = integer(x) if x.is_bit else x
        if op.value and x.is_integer and op.value % x.scale:
            x = fixed(context, x)
        inside = op.value / x.scale
    return x.moved(bordered(x.array, op.widths, inside), context.bound)


def bordered(x: Tensor, widths: Sequence[tuple[int, int]], value: Any) -> Tensor:
    """All borders at once: ``jnp.pad`` copies everything again for each side."""
    from jax import lax

    return lax.pad(x, x.dtype.type(value), [(before, after, 0) for before, after in widths])


def concat(context: LoweringContext, op: ops.Concat, *values: SharedTensor) -> SharedTensor:
    """All held alike, at no coarser scale than any of them."""
    import jax.numpy as jnp

    found = aligned(context, values)
    return found[0].moved(jnp.concatenate([x.array for x in found], op.axis), context.bound)
