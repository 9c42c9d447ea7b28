"""Counts of mixed-radix codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Program, Region, ops
from privis.readings.evaluate import histogram_edges


def histogram(op: ops.Histogram, x: np.ndarray) -> np.ndarray:
    """``ops.Histogram`` on ``(k, ..., N)``, uint8 or float: counts as float32 ``(..., bins)``."""
    bins = math.prod(len(edges) + 1 for edges in op.edges)
    lead = x.shape[1:-1]
    flat = np.ascontiguousarray(x).reshape(len(op.edges), math.prod(lead), x.shape[-1])
    counts = np.zeros((flat.shape[1], bins), np.int64)
    if x.dtype == np.uint8:
        _count_bytes(flat, _tables(op), counts)
    else:
        edges = histogram_edges(op)
        packed = np.full((len(edges), max(map(len, edges))), np.inf)
        for row, digit in zip(packed, edges, strict=True):
            row[: len(digit)] = digit
        radix = np.array([len(digit) + 1 for digit in edges])
        _count_reals(flat, packed.astype(x.dtype), radix, counts)
    return counts.reshape(*lead, bins).astype(np.float32)


def uniform(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``uniform_histogram``: equal bins of bytes, counted by OpenCV on the image as it lies in memory."""
    import cv2

    nodes = program.nodes[region.first : region.last + 1]
    found = [(node.op, program.shapes[node.operands[0]]) for node in nodes if isinstance(node.op, ops.Histogram)]
    joint = len(found[0][0].edges) > 1
    edges = list(found[0][0].edges) if joint else [op.edges[0] for op, shape in found for _ in range(shape[1])]
    channels = [*range(len(edges))]
    levels = [_levels(e) for e in edges]
    if None in levels or any(op.step != 1.0 for op, _ in found) or len(edges) != program.shapes[region.inputs[0]][0]:
        return None
    bins = [len(e) + 1 for e in edges]
    limits = [bound for level in levels for bound in (0.0, float(level or 0))]

    def kernel(image: np.ndarray) -> np.ndarray:
        source = [np.ascontiguousarray(image.transpose(1, 2, 0), np.uint8)]
        if joint:
            return cv2.calcHist(source, channels, None, bins, limits).ravel()
        return np.stack([cv2.calcHist(source, [i], None, [bins[i]], limits[2 * i : 2 * i + 2])[:, 0] for i in channels])

    return kernel


def _levels(edges: tuple[float, ...]) -> int | None:
    """How many values are cut into these bins, 256 or 180, or None when the bins are not equal."""
    bins = len(edges) + 1
    for levels in (256, 180):
        if edges == tuple(float(-(-levels * k // bins)) for k in range(1, bins)):
            return levels
    return None


def _tables(op: ops.Histogram) -> np.ndarray:
    """``(k, 256)``: what each byte adds to the code as digit ``i``."""
    levels = np.arange(256)
    digits = [np.searchsorted(edges, levels, side="right") for edges in histogram_edges(op)]
    weights = [math.prod(len(e) + 1 for e in op.edges[i + 1 :]) for i in range(len(op.edges))]
    return np.stack([digit * weight for digit, weight in zip(digits, weights, strict=True)]).astype(np.int32)


@njit(cache=True, nogil=True)
def _count_bytes(x: Any, tables: Any, counts: Any) -> None:
    digits, cells, length = x.shape
    bins = counts.shape[1]
    lanes = np.zeros((4, bins), np.int32)  # four counters: a run of one value does not wait for itself
    for cell in range(cells):
        lanes[:] = 0
        for n in range(length):
            code = tables[0, x[0, cell, n]]
            for digit in range(1, digits):
                code += tables[digit, x[digit, cell, n]]
            lanes[n & 3, code] += 1
        for b in range(bins):
            counts[cell, b] = lanes[0, b] + lanes[1, b] + lanes[2, b] + lanes[3, b]


@njit(cache=True, nogil=True)
def _count_reals(x: Any, edges: Any, radix: Any, counts: Any) -> None:
    digits, cells, length = x.shape
    for cell in range(cells):
        for n in range(length):
            code = 0
            for digit in range(digits):
                value, found = x[digit, cell, n], 0
                for edge in range(radix[digit] - 1):
                    found += value >= edges[digit, edge]
                code = code * radix[digit] + found
            counts[cell, code] += 1
