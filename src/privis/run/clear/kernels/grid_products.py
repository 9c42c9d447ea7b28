"""Correlations of many channels with large kernels, without copies of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from privis.program import ops

FEW = 16
"""Taps below which windows of them are copied as fast."""
CHANNELS = 8
"""Channels from which it matters that they lie beside each other in memory."""


def convolution(op: ops.Conv, x: np.ndarray) -> np.ndarray | None:
    """``ops.Conv`` of one float32 ``(C, H, W)`` by long inner products where it lies in memory; None otherwise.

    A window of 15 x 7 taps and 36 channels copied for every place is 105 times its image. Where the channels of a place
    lie beside each other, and those of the next place in a column behind them, a column of a window is one run of
    numbers: its inner product with a column of taps needs no copy. The sums have another order than in the definition.
    """
    _, channels, rows, columns = op.kernel.shape
    plain = op.groups == 1 and op.stride == (1, 1) and op.dilation == (1, 1) and not any(op.pad)
    if not plain or x.ndim != 3 or channels < CHANNELS or rows * columns < FEW or x.dtype != np.float32:
        return None
    lying = x.strides[1] < x.strides[2]  # columns one after another
    order = (2, 1, 0) if lying else (1, 2, 0)
    grid = np.ascontiguousarray(x.transpose(order))
    taps = np.ascontiguousarray(op.kernel.transpose(0, *(1 + axis for axis in order)), np.float32)
    result = np.empty((len(taps), *(grid.shape[k] - taps.shape[k + 1] + 1 for k in range(2))), np.float32)
    _products(grid.reshape(len(grid), -1), taps.reshape(*taps.shape[:2], -1), channels, result)
    return result.transpose(0, 2, 1) if lying else result


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _products(lines: Any, taps: Any, channels: int, result: Any) -> None:
    """Four places at a time, so that a tap is read once for all."""
    outputs, across, length = taps.shape
    for output in range(outputs):
        for first in range(result.shape[1]):
            into = result[output, first]
            into[:] = 0
            for step in range(across):
                line, own = lines[first + step], taps[output, step]
                place = 0
                while place + 4 <= len(into):
                    at = place * channels
                    one = line[at : at + length]
                    two = line[at + channels : at + channels + length]
                    three = line[at + 2 * channels : at + 2 * channels + length]
                    four = line[at + 3 * channels : at + 3 * channels + length]
                    a = b = c = d = np.float32(0)
                    for k in range(length):
                        a += own[k] * one[k]
                        b += own[k] * two[k]
                        c += own[k] * three[k]
                        d += own[k] * four[k]
                    into[place] += a
                    into[place + 1] += b
                    into[place + 2] += c
                    into[place + 3] += d
                    place += 4
                while place < len(into):
                    one, a = line[place * channels : place * channels + length], np.float32(0)
                    for k in range(length):
                        a += own[k] * one[k]
                    into[place] += a
                    place += 1
