"""Compiled sampling loops: integers in, integers out. Imported only when noise is drawn (numba is slow to import)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

_LATE = 2
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def draw(
    words: npt.NDArray[np.uint64],
    threshold: npt.NDArray[np.uint64],
    own: npt.NDArray[np.int64],
    other: npt.NDArray[np.int64],
    column_bits: int,
    offset_bits: int,
    out: npt.NDArray[np.int64],
    late: npt.NDArray[np.int64],
) -> int:
    """Draw ``out`` from the alias table, two random words per value; returns how many are left for
    ``refine``.

    First word: sign (lowest bit) and 63 bits against the threshold. Second word: column (top) and offset
    (bottom). A value left over has its sign bit in ``out`` and its position in ``late``.
    """
    shift = np.uint64(64 - column_bits)
    mask = (_ONE << np.uint64(offset_bits)) - _ONE
    count = 0
    for i in range(out.size):
        first = words[2 * i]
        second = words[2 * i + 1]
        column = second >> shift
        code = own[column] if (first >> _ONE) < threshold[column] else other[column]
        sign = -np.int64(first & _ONE)
        magnitude = (code >> 2) + np.int64(second & mask) * (code & 1)
        out[i] = (magnitude ^ sign) - sign
        if code & _LATE:
            out[i] = sign
            late[count] = i
            count += 1
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
) -> int:
    """Finish the values listed in ``late`` with 2 * blocks fresh words each; returns how many need more
    words.

    Two words choose the part (128 bits against the cumulative table), the others are the uniforms of its
    order statistic. Those that need more words are moved to the front of ``late``.
    """
    mask = (_ONE << np.uint64(offset_bits)) - _ONE
    width = 2 * blocks
    left = 0
    for row in range(late.size):
        at = row * width
        part = _part(words[at], words[at + 1], high, low)
        uniforms = of[part]
        if uniforms > width - 2:
            late[left] = late[row]
            left += 1
            continue
        magnitude = base[part]
        if uniforms > 0:
            magnitude += _order_statistic(words[at + 2 : at + 2 + uniforms], mask, rank[part])
        sign = out[late[row]]
        out[late[row]] = (magnitude ^ sign) - sign
    return left


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
