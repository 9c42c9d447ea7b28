"""Compiled loops of releases. Imported only when noise is drawn (numba is slow to import)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_LATE = 2
_OPEN = np.uint8(255)
_ONE = np.uint64(1)
_CHAPTER = 1 << 12  # noise_table.CHAPTER
_EACH_BYTE = np.uint64(0x0101010101010101)

Second = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], int, int, int]
"""Of a `noise_table.NoiseTable`: threshold, codes, column_bits, threshold_bits, offset_bits."""

Integers = npt.NDArray[np.int64]
Third = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], Integers, Integers, Integers, int]
"""Of a `noise_table.NoiseTable`: high, low, base, rank, of, late_blocks."""


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
    stream: npt.NDArray[np.uint64],
    reserve: int,
    prefix_bits: int,
    direct: npt.NDArray[np.uint8],
    first: int,
    second: Second,
    third: Third,
    out: npt.NDArray[Any],
    left: npt.NDArray[np.int64],
) -> int:
    """Draw ``out``, signed integers as wide as ``words``, for the coordinates of whole chapters and a last one begun.

    ``words`` and ``stream`` are the same bytes, ``reserve`` blocks and then the words of the values for each chapter,
    as `noise_table.NoiseTable` says. Values that a reserve does not suffice for are listed in ``left``; returns how
    many. Short loops, without a branch that depends on a single word until few values are left: mispredicted ones would
    take most of the time.
    """
    cells, width = np.empty(_CHAPTER, np.uint8), words.itemsize
    begin, count = 0, 0
    for chapter in range(0, out.size, _CHAPTER):
        here = out[chapter : chapter + _CHAPTER]
        begun = (begin + reserve) * 16 // width
        cells[here.size :] = 0
        _place(words[begun : begun + here.size], prefix_bits, direct, first, second[4], cells, here)
        own = stream[2 * begin : 2 * (begin + reserve)]
        count += _settle(_open(cells), own, 0, second, third, here, chapter, left[count:])
        begin += reserve + _CHAPTER * width // 16
    return count


@njit(cache=True, nogil=True)
def _place(
    words: npt.NDArray[Any],
    prefix_bits: int,
    direct: npt.NDArray[np.uint8],
    first: int,
    offset_bits: int,
    cells: npt.NDArray[np.uint8],
    out: npt.NDArray[Any],
) -> None:
    """Write the cell that each word's prefix means, and the value that it then is."""
    kind = out.dtype.type  # keeps the arithmetic as narrow as the words
    down = words.dtype.type(8 * words.itemsize - prefix_bits)
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


@njit(cache=True, nogil=True)
def _open(cells: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Positions of cells that are noise_table.OPEN, found eight at a time: they are few."""
    found = np.empty(cells.size, np.int64)
    eights, eight, count = cells.view(np.uint64), np.uint64(8), np.uint64(0)
    for block in range(np.uint64(eights.size)):
        inverse = ~eights[block]
        if (inverse - _EACH_BYTE) & ~inverse & (_EACH_BYTE << np.uint64(7)):
            for i in range(eight * block, eight * block + eight):
                found[count] = i
                count += np.uint64(cells[i] == _OPEN)
    return found[:count]


@njit(cache=True, nogil=True)
def finish(
    words: npt.NDArray[np.uint64],
    second: Second,
    third: Third,
    left: npt.NDArray[np.int64],
    out: npt.NDArray[Any],
) -> None:
    """Draw the values at the positions ``left``, each from equally many words."""
    nobody = np.empty(1, np.int64)
    _settle(left, words, words.size // left.size, second, third, out, 0, nobody)


@njit(cache=True, nogil=True)
def _settle(
    positions: npt.NDArray[np.int64],
    words: npt.NDArray[np.uint64],
    each: int,
    second: Second,
    third: Third,
    out: npt.NDArray[Any],
    chapter: int,
    left: npt.NDArray[np.int64],
) -> int:
    """Draw values from the alias table or, where that says so, from the third.

    ``each`` words are for every value; 0 lets them take as many as they need, one after the other. Lists in ``left``,
    counted from ``chapter``, those that nothing is left for; returns how many.
    """
    threshold, codes, column_bits, threshold_bits, offset_bits = second
    column_at, threshold_at = np.uint64(64 - column_bits), np.uint64(offset_bits)
    offset_mask, threshold_mask = (_ONE << threshold_at) - _ONE, (_ONE << np.uint64(threshold_bits)) - _ONE
    at = count = 0
    for row in range(positions.size):
        at = row * each if each else at
        used = 2
        if at + used <= words.size:
            level, last = words[at], words[at + 1]
            column = last >> column_at
            code = codes[column, np.uint64((level >> threshold_at) & threshold_mask >= threshold[column])]
            offset, sign = last & offset_mask, -np.int64(level >> np.uint64(63))
            if code & _LATE:
                if code & 1:
                    offset = min(offset, level & offset_mask)
                else:
                    used += 2 * third[5]
        if at + used > words.size:
            left[count] = chapter + positions[row]
            count += 1
            continue
        magnitude = (code >> 2) + (np.int64(offset) & -(code & 1))
        if used > 2:
            magnitude = _late(words[at + 2 : at + used], third, offset_mask)
        out[positions[row]] = (magnitude ^ sign) - sign
        at += used
    return count


@njit(cache=True, nogil=True)
def _late(words: npt.NDArray[np.uint64], third: Third, mask: np.uint64) -> int:
    """A magnitude from the third table: two words choose the part, the others are uniforms of its order statistic."""
    high, low, base, rank, of, _ = third
    part = _part(words[0], words[1], high, low)
    if of[part] == 0:
        return int(base[part])
    return int(base[part] + _order_statistic(words[2 : 2 + of[part]], mask, rank[part]))


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
