"""Counts of mixed-radix codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Program, Region, ops
from privis.readings.evaluate import histogram_edges

COMBINATIONS = 1 << 12
"""Of three channels, up to which their counts stay in the nearest cache."""


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
    """Region ``uniform_histogram``: equal bins of bytes, counted on the image as it lies in memory.

    Few combinations of three channels are counted once a pixel, also where each channel is asked for alone, whose
    counts are sums of them; many are counted by OpenCV.
    """
    nodes = program.nodes[region.first : region.last + 1]
    found = [(node.op, program.shapes[node.operands[0]]) for node in nodes if isinstance(node.op, ops.Histogram)]
    joint = len(found[0][0].edges) > 1
    edges = list(found[0][0].edges) if joint else [op.edges[0] for op, shape in found for _ in range(shape[1])]
    levels = [_levels(e) for e in edges]
    if None in levels or any(op.step != 1.0 for op, _ in found) or len(edges) != program.shapes[region.inputs[0]][0]:
        return None
    bins = [len(e) + 1 for e in edges]
    if len(bins) != 3 or math.prod(bins) > COMBINATIONS or (not joint and len(set(bins)) > 1):
        return _by_opencv(bins, [float(level or 0) for level in levels], joint)
    tables = _tables(ops.Histogram(tuple(edges))).astype(np.uint32)

    def kernel(image: np.ndarray) -> np.ndarray:
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0), np.uint8).reshape(-1)
        counts = np.zeros((2, math.prod(bins)), np.uint32)
        _count_triples(pixels, tables, counts)
        if joint:
            return counts.sum(0, dtype=np.uint32).astype(np.float32)
        alone = np.zeros((3, max(bins)), np.int64)
        _margins(counts.reshape(2, *bins), alone)
        return alone.astype(np.float32)

    return kernel


def _by_opencv(bins: list[int], levels: list[float], joint: bool) -> Callable[[np.ndarray], np.ndarray]:
    import cv2

    channels, limits = [*range(len(bins))], [bound for level in levels for bound in (0.0, level)]

    def kernel(image: np.ndarray) -> np.ndarray:
        source = [np.ascontiguousarray(image.transpose(1, 2, 0), np.uint8)]
        if joint:
            return cv2.calcHist(source, channels, None, bins, limits).ravel()
        return np.stack([cv2.calcHist(source, [i], None, [bins[i]], limits[2 * i : 2 * i + 2])[:, 0] for i in channels])

    return kernel


def pairs(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``pair_histogram``: pairs of bytes of two parts of an image, counted without copies of the parts."""
    nodes = program.nodes[region.first : region.last + 1]
    start = len(program.inputs) + region.first
    operands = [(region.inputs[0],), (region.inputs[0],), (start,), (start + 1,), (start + 2, start + 3), (start + 4,)]
    match [node.op for node in nodes]:
        case [ops.Slice(here), ops.Slice(there), ops.Reshape(), ops.Reshape(), ops.Concat(0), ops.Histogram() as op]:
            alike = program.shapes[start] == program.shapes[start + 1]
        case _:
            return None
    if [node.operands for node in nodes] != operands or not alike or len(op.edges) != 2 or len(here) != 2:
        return None
    if any(step != 1 for _, _, step in (*here, *there)):
        return None
    tables, bins = _tables(op).astype(np.uint32), math.prod(len(edges) + 1 for edges in op.edges)
    parts = [tuple(slice(a, b) for a, b, _ in index) for index in (here, there)]
    corners = np.array([[a for a, _, _ in index] for index in (here, there)])
    rows, columns = program.shapes[start]

    def kernel(image: np.ndarray) -> np.ndarray:
        if image.dtype != np.uint8:
            return histogram(op, np.stack([image[part].reshape(-1) for part in parts]))
        counts = np.zeros((2, bins), np.uint32)
        _count_pairs(np.ascontiguousarray(image), corners, rows, columns, tables, counts)
        return counts.sum(0, dtype=np.uint32).astype(np.float32)

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
def _count_triples(pixels: Any, tables: Any, counts: Any) -> None:
    """Indices without a sign are used as they are; others might count from the end, which takes as long again."""
    one, other = counts[0], counts[1]  # two counters: a run of one colour does not wait for itself
    first, second, third = tables[0], tables[1], tables[2]
    for pair in range(np.uint64(len(pixels) // 6)):
        n = pair * np.uint64(6)
        code = first[pixels[n]] + second[pixels[n + np.uint64(1)]] + third[pixels[n + np.uint64(2)]]
        n += np.uint64(3)
        after = first[pixels[n]] + second[pixels[n + np.uint64(1)]] + third[pixels[n + np.uint64(2)]]
        one[code] += np.uint32(1)
        other[after] += np.uint32(1)
    for n in range(len(pixels) // 6 * 6, len(pixels), 3):
        one[first[pixels[n]] + second[pixels[n + 1]] + third[pixels[n + 2]]] += np.uint32(1)


@njit(cache=True, nogil=True)
def _margins(counts: Any, alone: Any) -> None:
    _, first, second, third = counts.shape
    for a in range(first):
        for b in range(second):
            own, other, total = counts[0, a, b], counts[1, a, b], np.int64(0)
            for c in range(third):
                both = np.int64(own[c] + other[c])
                alone[2, c] += both
                total += both
            alone[0, a] += total
            alone[1, b] += total


@njit(cache=True, nogil=True)
def _count_pairs(image: Any, corners: Any, rows: int, columns: int, tables: Any, counts: Any) -> None:
    one, other = counts[0], counts[1]
    first, second = tables[0], tables[1]
    for row in range(rows):
        a, b = image[corners[0, 0] + row, corners[0, 1] :], image[corners[1, 0] + row, corners[1, 1] :]
        for pair in range(np.uint64(columns // 2)):
            n = pair * np.uint64(2)
            code, after = first[a[n]] + second[b[n]], first[a[n + np.uint64(1)]] + second[b[n + np.uint64(1)]]
            one[code] += np.uint32(1)
            other[after] += np.uint32(1)
        if columns & 1:
            one[first[a[columns - 1]] + second[b[columns - 1]]] += np.uint32(1)


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
