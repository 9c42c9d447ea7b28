"""Compiled: histograms of eight gradient directions in cells of one patch, as ``evaluate`` gives them for a program.

For features that describe places of an image at their owner, and for executors that run their programs: both need the
same numbers, and neither knows the other. Imported only where it runs, because it loads the compiler.

With eight directions, 45 degrees apart, the coordinates of a gradient ``(gx, gy)`` in the basis of the two directions
around it need no angle: the one along an axis is ``max(0, |larger| - |smaller|)``, the diagonal one ``sqrt(2) *
min``, so that all eight are a few additions and comparisons, the same for every pixel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

DIRECTIONS = 8
DIAGONAL = np.float32(math.sqrt(2))


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def direction_votes(above: Any, here: Any, below: Any, votes: Any) -> None:
    """Votes ``(8, columns - 2)`` of the inner pixels of one row, counter-clockwise from "right".

    Args:
        above: the row before it, float32 (columns,).
        here: the row.
        below: the row after it.
        votes: float32 (8, columns - 2), which is filled.
    """
    zero = np.float32(0)
    east, northeast, north, northwest = votes[0], votes[1], votes[2], votes[3]
    west, southwest, south, southeast = votes[4], votes[5], votes[6], votes[7]
    for i in range(len(here) - 2):
        gx, gy = here[i + 2] - here[i], above[i + 1] - below[i + 1]
        across, up = abs(gx), abs(gy)
        east[i], west[i] = max(gx - up, zero), max(-gx - up, zero)
        north[i], south[i] = max(gy - across, zero), max(-gy - across, zero)
        right, left = DIAGONAL * max(gx, zero), DIAGONAL * max(-gx, zero)
        ahead, behind = DIAGONAL * max(gy, zero), DIAGONAL * max(-gy, zero)
        northeast[i], northwest[i] = min(right, ahead), min(left, ahead)
        southwest[i], southeast[i] = min(left, behind), min(right, behind)


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def _add(weight: Any, votes: Any, sums: Any) -> None:
    for i in range(len(sums)):
        sums[i] += weight * votes[i]


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"}, error_model="numpy")
def histograms(patch: Any, taps: Any, votes: Any, sums: Any, result: Any) -> None:
    """Histograms ``(cells, cells, 8)`` of one patch, cells from the top and then from the left.

    Args:
        patch: float32 (side, side).
        taps: float32 (cells, side - 2), what an inner pixel of a row or of a column counts in each cell.
        votes: float32 (8, side - 2), working memory.
        sums: float32 (cells, 8, side - 2), working memory.
        result: float32 (cells * cells * 8,), which is filled.
    """
    cells, inner = taps.shape
    sums[:] = 0
    flat = votes.reshape(-1)
    lines = sums.reshape(cells, -1)
    for row in range(inner):
        direction_votes(patch[row], patch[row + 1], patch[row + 2], votes)
        for cell in range(cells):
            if taps[cell, row] != 0:
                _add(taps[cell, row], flat, lines[cell])
    for cell in range(cells):
        for direction in range(DIRECTIONS):
            line = sums[cell, direction]
            for across in range(cells):
                total, own = np.float32(0), taps[across]
                for i in range(inner):
                    total += own[i] * line[i]
                result[(cell * cells + across) * DIRECTIONS + direction] = total


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"}, error_model="numpy")
def clip_lengths(vector: Any, first: Any, clip: Any, second: Any) -> None:
    """Divide by the length, cut off, divide by the length again, in place.

    Args:
        vector: float32 (n,).
        first: added to its squared length.
        clip: the largest component.
        second: added to the squared length of what is cut off.
    """
    energy = np.float32(0)
    for i in range(len(vector)):
        energy += vector[i] * vector[i]
    factor = np.float32(1) / np.sqrt(energy + first)
    energy = np.float32(0)
    for i in range(len(vector)):
        share = min(vector[i] * factor, clip)
        vector[i] = share
        energy += share * share
    factor = np.float32(1) / np.sqrt(energy + second)
    for i in range(len(vector)):
        vector[i] *= factor
