"""Compiled loops of releases. Imported only when noise is drawn (numba is slow to import)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_LATE = 2
_OPEN = np.uint8(255)
_ONE = np.uint64(1)
_EACH_BYTE = np.uint64(0x0101010101010101)


@njit(cache=True, nogil=True)
def scattered_counters(coordinates: npt.NDArray[np.int64], stride: int, blocks: int) -> npt.NDArray[np.uint64]:
    """Give (2**63, lower) for the first ``blocks`` counters of each coordinate, of which each has ``stride``.

    As big-endian bytes, on machines that are little-endian.
    """
    counters = np.empty(2 * blocks * coordinates.size, np.uint64)
    at = 0
    for coordinate in coordinates:
        for block in range(blocks):
            counters[at] = np.uint64(0x80)
            counters[at + 1] = _reversed(np.uint64(coordinate * stride + block))
            at += 2
    return counters


@njit(cache=True, nogil=True)
def _reversed(word: np.uint64) -> np.uint64:
    """The bytes of a word in the opposite order."""
    word = (word >> np.uint64(32)) | (word << np.uint64(32))
    halves, bytes_ = np.uint64(0x0000FFFF0000FFFF), np.uint64(0x00FF00FF00FF00FF)
    word = ((word >> np.uint64(16)) & halves) | ((word & halves) << np.uint64(16))
    return ((word >> np.uint64(8)) & bytes_) | ((word & bytes_) << np.uint64(8))


@njit(cache=True, nogil=True)
def draw(
    words: npt.NDArray[Any],
    prefix_bits: int,
    direct: npt.NDArray[np.uint8],
    first: int,
    offset_bits: int,
    out: npt.NDArray[Any],
    left: npt.NDArray[np.int64],
) -> int:
    """Draw ``out``, signed integers as wide as ``words``, from the direct table of a `tables.NoiseTable`.

    The positions of values that it leaves open are listed in ``left``; returns how many. Three short loops, of which
    the second is vectorised, and no branch that depends on a single word: mispredicted ones would take most of the
    time. ``kind`` keeps the arithmetic as narrow as the words.
    """
    kind = out.dtype.type
    down = words.dtype.type(8 * words.itemsize - prefix_bits)
    cells = np.zeros((words.size + 7) // 8 * 8, np.uint8)
    for i in range(np.uint64(words.size)):
        cells[i] = direct[words[i] >> down]
    one, lowest, bits = kind(1), kind(first), kind(offset_bits)
    mask = kind(np.left_shift(one, bits) - one)
    for i in range(np.uint64(words.size)):
        word = kind(words[i])
        offset = kind(kind(word >> one) & mask)
        magnitude = kind(kind(np.left_shift(kind(cells[i]), bits) + offset) + lowest)
        sign = kind(-kind(word & one))
        out[i] = kind(kind(magnitude ^ sign) - sign)
    eights = cells.view(np.uint64)
    count = np.uint64(0)
    for block in range(np.uint64(eights.size)):
        inverse = ~eights[block]  # a byte of it is 0 where a cell is tables.OPEN
        if (inverse - _EACH_BYTE) & ~inverse & (_EACH_BYTE << np.uint64(7)):
            for i in range(np.uint64(8) * block, np.uint64(8) * block + np.uint64(8)):
                left[count] = i
                count += np.uint64(cells[i] == _OPEN)
    return int(count)


@njit(cache=True, nogil=True)
def settle(
    words: npt.NDArray[np.uint64],
    threshold: npt.NDArray[np.uint64],
    codes: npt.NDArray[np.int64],
    column_bits: int,
    threshold_bits: int,
    offset_bits: int,
    left: npt.NDArray[np.int64],
    out: npt.NDArray[Any],
    late: npt.NDArray[np.int64],
) -> int:
    """Draw the values at the positions ``left`` from the alias table, two words each.

    A value that is left over for ``refine`` is listed in ``late``: twice its position, plus 1 for a negative sign;
    returns how many.
    """
    column_at, threshold_at = np.uint64(64 - column_bits), np.uint64(offset_bits)
    offset_mask, threshold_mask = (_ONE << threshold_at) - _ONE, (_ONE << np.uint64(threshold_bits)) - _ONE
    count = 0
    for row in range(left.size):
        first, last = words[2 * row], words[2 * row + 1]
        column = last >> column_at
        code = codes[column, np.uint64((first >> threshold_at) & threshold_mask >= threshold[column])]
        offset, sign = last & offset_mask, -np.int64(first >> np.uint64(63))
        if code & _LATE:
            if code & 1:
                offset = min(offset, first & offset_mask)
            else:
                late[count] = 2 * left[row] - sign
                count += 1
        out[left[row]] = (((code >> 2) + (np.int64(offset) & -(code & 1))) ^ sign) - sign
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
    out: npt.NDArray[Any],
) -> None:
    """Finish the values listed in ``late``, as `settle` lists them, with 2 * blocks fresh words each.

    The first two words are those that `settle` has read. Two more choose the part (128 bits against the cumulative table), the others are the uniforms of its order
    statistic.
    """
    mask = (_ONE << np.uint64(offset_bits)) - _ONE
    width = 2 * blocks
    for row in range(late.size):
        at = row * width + 2
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
def norm_power(reals: npt.NDArray[Any], squared: bool) -> float:
    """Sum of sizes, or of squares, in an order that is the same on every machine and in any number of threads."""
    a = b = c = d = 0.0
    whole = reals.size - reals.size % 4
    for i in range(0, whole, 4):
        a += _power(np.float64(reals[i]), squared)
        b += _power(np.float64(reals[i + 1]), squared)
        c += _power(np.float64(reals[i + 2]), squared)
        d += _power(np.float64(reals[i + 3]), squared)
    for i in range(whole, reals.size):
        a += _power(np.float64(reals[i]), squared)
    return (a + b) + (c + d)


@njit(cache=True, nogil=True)
def _power(real: float, squared: bool) -> float:
    return real * real if squared else abs(real)


@njit(cache=True, nogil=True)
def cut(reals: npt.NDArray[Any], factor: float, squared: bool, steps: npt.NDArray[np.int32]) -> int:
    """Write ``reals`` * factor, below 2**31 and cut towards zero, to ``steps``; the sum of their sizes or squares."""
    total = np.int64(0)
    if squared:
        for i in range(np.uint64(reals.size)):
            step = np.int32(np.float64(reals[i]) * factor)
            steps[i] = step
            total += np.int64(step) * np.int64(step)
    else:
        for i in range(np.uint64(reals.size)):
            step = np.int32(np.float64(reals[i]) * factor)
            steps[i] = step
            total += abs(np.int64(step))
    return int(total)


@njit(cache=True, nogil=True)
def add_scaled(steps: npt.NDArray[np.int32], noise: npt.NDArray[Any], grid: float) -> npt.NDArray[np.float32]:
    """Give (steps + noise) * grid, one-dimensional, for a grid that is a power of two: rounded once."""
    kind, factor = noise.dtype.type, np.float32(grid)
    out = np.empty(steps.size, np.float32)
    for i in range(np.uint64(steps.size)):
        out[i] = np.float32(kind(steps[i] + noise[i])) * factor
    return out
