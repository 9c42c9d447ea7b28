"""Correlations of many channels with large kernels, without copies of windows."""

from __future__ import annotations

import numpy as np

from privis.program import ops

FEW = 16
"""Taps below which windows of them are copied as fast."""
CHANNELS = 8
"""Channels from which a matrix product is worth its call."""
PRODUCTS = 1 << 20
"""Numbers of products held at a time: 4 MiB, which stay near the processor."""


def convolution(op: ops.Conv, x: np.ndarray) -> np.ndarray | None:
    """``ops.Conv`` of one float32 ``(C, H, W)`` by a matrix product for each tap, shifted and added; None otherwise.

    A window of 15 x 7 taps and 36 channels copied for every place is 105 times its image; this holds the products of a
    few taps at a time. The sums have another order than in the definition.
    """
    outputs, channels, rows, columns = op.kernel.shape
    plain = op.groups == 1 and op.stride == (1, 1) and op.dilation == (1, 1) and not any(op.pad)
    if not plain or x.ndim != 3 or channels < CHANNELS or rows * columns < FEW or x.dtype != np.float32:
        return None
    taps = op.kernel.astype(np.float32)
    lying = x.strides[1] < x.strides[2]  # columns one after another in memory: turned, nothing is copied
    if lying:
        x, taps = x.transpose(0, 2, 1), taps.transpose(0, 1, 3, 2)
    rows, columns = taps.shape[2:]
    height, width = x.shape[1:]
    below, across = height - rows + 1, width - columns + 1
    flat = x.reshape(channels, height * width)
    matrix = np.ascontiguousarray(taps.transpose(2, 3, 0, 1)).reshape(-1, channels)  # taps and outputs, by row
    result = np.zeros((outputs, below, across), np.float32)
    step = max(1, PRODUCTS // (outputs * height * width))
    for start in range(0, rows * columns, step):
        stop = min(start + step, rows * columns)
        products = (matrix[start * outputs : stop * outputs] @ flat).reshape(stop - start, outputs, height, width)
        for tap in range(start, stop):
            row, column = divmod(tap, columns)
            result += products[tap - start, :, row : row + below, column : column + across]
    return result.transpose(0, 2, 1) if lying else result
