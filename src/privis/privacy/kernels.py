"""Compiled loops of releases. Imported only when noise is drawn (numba is slow to import)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

_LATE = 2
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def draw(
    words: npt.NDArray[np.uint64],
    each: int,
    threshold: npt.NDArray[np.uint64],
    codes: npt.NDArray[np.int64],
    column_bits: int,
    threshold_bits: int,
    offset_bits: int,
    out: npt.NDArray[np.int64],
    late: npt.NDArray[np.int64],
) -> int:
    """Draw ``out`` from the alias table, ``each`` random words per value; returns how many are left for ``refine``.

    `privis.privacy.tables.NoiseTable` says which bits mean what. A value left over is listed in ``late``: twice its
    position, plus 1 for a negative sign. Only a branch that few values take depends on the words, as mispredicted ones
    would take most of the time; so would the checks of signed indices.
    """
    step, column_at, second_at = np.uint64(each), np.uint64(64 - column_bits), np.uint64(offset_bits * (2 - each))
    threshold_at = second_at + np.uint64(offset_bits)
    sign_at = threshold_at + np.uint64(threshold_bits)
    offset_mask, threshold_mask = (_ONE << np.uint64(offset_bits)) - _ONE, (_ONE << np.uint64(threshold_bits)) - _ONE
    count = 0
    for i in range(out.size):
        at = np.uint64(i) * step
        first, last = words[at], words[at + step - _ONE]
        column = last >> column_at
        code = codes[column, np.uint64((first >> threshold_at) & threshold_mask >= threshold[column])]
        offset, sign = last & offset_mask, -np.int64(first >> sign_at & _ONE)
        if code & _LATE:
            if code & 1:
                offset = min(offset, first >> second_at & offset_mask)
            else:
                late[count] = 2 * i - sign
                count += 1
        out[i] = (((code >> 2) + (np.int64(offset) & -(code & 1))) ^ sign) - sign
    return count


@njit(cache=True, nogil=True)
def refine(
    words: npt.NDArray[np.uint64],
    blocks: int,
    high: npt.NDArray[np.uint64],
    low: npt.NDArray[np.uint64],
    base: npt.NDArray[np.int64],
    rank: npt.NDArray[np.int64],
    of: npt.NDArray[np.int64],
    offset_bits: int,
    late: npt.NDArray[np.int64],
    out: npt.NDArray[np.int64],
) -> None:
    """Finish the values listed in ``late``, as `draw` lists them, with 2 * blocks fresh words each.

    Two words choose the part (128 bits against the cumulative table), the others are the uniforms of its order
    statistic.
    """
    mask = (_ONE << np.uint64(offset_bits)) - _ONE
    width = 2 * blocks
    for row in range(late.size):
        at = row * width
        part = _part(words[at], words[at + 1], high, low)
        magnitude = base[part]
        if of[part] > 0:
            magnitude += _order_statistic(words[at + 2 : at + 2 + of[part]], mask, rank[part])
        out[late[row] >> 1] = -magnitude if late[row] & 1 else magnitude


@njit(cache=True, nogil=True)
def _part(top: np.uint64, bottom: np.uint64, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> int:
    """First row whose cumulative 128-bit probability exceeds (top, bottom); the last row catches the rest."""
    first, last = 0, high.size - 1
    while first < last:
        middle = (first + last) >> 1
        if high[middle] > top or (high[middle] == top and low[middle] > bottom):
            last = middle
        else:
            first = middle + 1
    return first


@njit(cache=True, nogil=True)
def _order_statistic(words: npt.NDArray[np.uint64], mask: np.uint64, rank: int) -> int:
    """The ``rank``-th smallest (from 0) of the words' low bits; the words are overwritten."""
    for i in range(words.size):
        value = words[i] & mask
        j = i
        while j > 0 and words[j - 1] > value:
            words[j] = words[j - 1]
            j -= 1
        words[j] = value
    return int(words[rank])


@njit(cache=True, nogil=True)
def norm_power(reals: npt.NDArray[np.float64], squared: bool) -> float:
    """Sum of sizes, or of squares, in an order that is the same on every machine and in any number of threads."""
    a = b = c = d = 0.0
    whole = reals.size - reals.size % 4
    for i in range(0, whole, 4):
        a += _power(reals[i], squared)
        b += _power(reals[i + 1], squared)
        c += _power(reals[i + 2], squared)
        d += _power(reals[i + 3], squared)
    for i in range(whole, reals.size):
        a += _power(reals[i], squared)
    return (a + b) + (c + d)


@njit(cache=True, nogil=True)
def _power(real: float, squared: bool) -> float:
    return real * real if squared else abs(real)


@njit(cache=True, nogil=True)
def cut(reals: npt.NDArray[np.float64], factor: float, scale: float, steps: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Write ``reals`` * factor * scale, cut towards zero, to ``steps``: sums of their sizes and of their squares."""
    total = squares = 0
    for i in range(reals.size):
        steps[i] = np.int64(reals[i] * factor * scale)
        total += abs(steps[i])
        squares += steps[i] * steps[i]
    return total, squares


@njit(cache=True, nogil=True)
def add_scaled(steps: npt.NDArray[np.int64], noise: npt.NDArray[np.int64], grid: float) -> npt.NDArray[np.float32]:
    """Give (steps + noise) * grid, one-dimensional, in one pass."""
    out = np.empty(steps.size, np.float32)
    for i in range(steps.size):
        out[i] = np.float32((steps[i] + noise[i]) * grid)
    return out
