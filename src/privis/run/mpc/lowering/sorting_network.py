"""Sorting without looking: K. E. Batcher's odd-even mergesort (1968, doi:10.1145/1468075.1468121).

Which elements are compared is public and the same for all values, so rows are sorted side by side: n of them, filled up
to a power of two, take about n log2(n)**2 / 4 comparisons each, in log2(n) (log2(n) + 1) / 2 steps for all together.
"""

from __future__ import annotations

from typing import Any

from privis.run.mpc.lowering.movement import cut

Tensor = Any


def sorted_descending(least: float, values: Tensor, *carried: Tensor) -> tuple[Tensor, ...]:
    """Sort along the last axis.

    Args:
        least: public, less than all values: fills rows up.
        values: (..., n), all of a row different, as equal ones come in no particular order.
        carried: tensors of the same shape, which move with the values.

    Returns:
        The values, the largest first, and what was carried.
    """
    import jax.numpy as jnp

    length = values.shape[-1]
    size = 1 << max(0, length - 1).bit_length()
    missing = [(0, 0)] * (values.ndim - 1) + [(0, size - length)]
    columns = [jnp.pad(values, missing, constant_values=least), *(jnp.pad(each, missing) for each in carried)]
    merged = 1
    while merged < size:  # runs of so many are in order
        apart = merged
        while apart:
            columns = _step(columns, merged, apart)
            apart //= 2
        merged *= 2
    return tuple(cut(each, values.ndim - 1, 0, length) for each in columns)


def _step(columns: list[Tensor], merged: int, apart: int) -> list[Tensor]:
    """In each two runs that are merged, elements ``apart`` from each other meet: all of them, or, once the first half
    was compared with the second, those between the first and the last ``apart``.
    """
    import jax.numpy as jnp

    shape = columns[0].shape
    edge = 0 if apart == merged else apart
    last = len(shape)
    blocks = [each.reshape(*shape[:-1], -1, 2 * merged) for each in columns]
    inner = [cut(each, last, edge, 2 * merged - edge) for each in blocks]
    met = [each.reshape(*shape[:-1], shape[-1] // (2 * merged), -1, 2, apart) for each in inner]
    pairs = [(cut(each, last + 1, 0, 1), cut(each, last + 1, 1, 2)) for each in met]
    later = (pairs[0][1] > pairs[0][0]).astype(jnp.int64)
    made = []
    for block, between, (left, right) in zip(blocks, inner, pairs, strict=True):
        moved = later * (right - left)
        sides = jnp.concatenate([left + moved, right - moved], last + 1).reshape(between.shape)
        whole = [cut(block, last, 0, edge), sides, cut(block, last, 2 * merged - edge, 2 * merged)] if edge else [sides]
        made.append(jnp.concatenate(whole, last).reshape(shape))
    return made
