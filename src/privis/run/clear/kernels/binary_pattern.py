"""Codes of local binary patterns, and their histograms over cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Program, Region, ops
from privis.program.graph import Node
from privis.readings.evaluate import compare_threshold, evaluate_op

GRID_BITS = 12  # weights and thresholds are integers after multiplication by 2 ** GRID_BITS


def codes(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``binary_pattern_codes``: Conv, Compare, then anything that works on the bits of each pixel alone."""
    nodes = program.nodes[region.first : region.last + 1]
    found = _comparison(nodes)
    if found is None:
        return None
    taps, start, compare = found
    points = len(start) - 1
    bits = (np.arange(2**points) >> np.arange(points)[:, None] & 1).astype(np.float32)[:, :, None]
    tail = _rest(program, region, compare, bits)
    if tail is None or tail.shape != (2**points, 1):
        return None
    table = tail[:, 0]
    if not np.isin(table, np.arange(256)).all():
        return None

    def kernel(image: np.ndarray) -> np.ndarray:
        result = np.empty(image.shape, np.uint8)
        _map_codes(_padded(image, taps), taps, start, table.astype(np.uint8), result)
        return result

    return kernel


def histogram(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``binary_pattern_histogram``: bits, most significant last point first, counted in whole cells."""
    nodes = program.nodes[region.first : region.last + 1]
    found = _comparison(nodes)
    counting = nodes[-1].op
    if found is None or not isinstance(counting, ops.Histogram):
        return None
    taps, start, _ = found
    points = len(start) - 1
    order = [node.op.index.tolist() for node in nodes if isinstance(node.op, ops.Gather)]
    if counting.edges != ((1.0,),) * points or order != [list(range(points))[::-1]]:
        return None
    down, across, bins = program.shapes[len(program.inputs) + region.last]
    height, width = program.shapes[region.inputs[0]]
    table = np.arange(2**points, dtype=np.uint16)

    def kernel(image: np.ndarray) -> np.ndarray:
        codes = np.empty(image.shape, np.uint16)
        _map_codes(_padded(image, taps), taps, start, table, codes)
        counts = np.zeros((down, across, bins), np.float32)
        _count_cells(codes, height // down, width // across, counts)
        return counts

    return kernel


def _comparison(nodes: tuple[Node, ...]) -> tuple[np.ndarray, np.ndarray, int] | None:
    """The integer taps ``(row, column, weight)``, where each point's taps start, and the index of the Compare."""
    kinds = [type(node.op) for node in nodes]
    if ops.Conv not in kinds or ops.Compare not in kinds:
        return None
    conv, compare = nodes[kinds.index(ops.Conv)].op, nodes[kinds.index(ops.Compare)].op
    assert isinstance(conv, ops.Conv) and isinstance(compare, ops.Compare)
    whole = conv.kernel * 2**GRID_BITS
    threshold = compare_threshold(compare) * 2**GRID_BITS
    reach = conv.kernel.shape[-1] // 2
    if not (whole == np.round(whole)).all() or threshold.ndim or not -1 < threshold <= 0:
        return None
    if conv.pad != (reach,) * 4 or conv.stride != (1, 1) or conv.dilation != (1, 1):
        return None
    taps, start = [], [0]
    for kernel in whole[:, 0]:
        taps += [(r, c, int(kernel[r, c])) for r, c in zip(*np.nonzero(kernel), strict=True)]
        start.append(len(taps))
    return np.array(taps, np.int32), np.array(start, np.int32), kinds.index(ops.Compare)


def _rest(program: Program, region: Region, compare: int, bits: np.ndarray) -> np.ndarray | None:
    """Run the region's nodes after the comparison on all patterns at once; None if one looks at positions."""
    pixelwise = ops.Gather | ops.Add | ops.Sub | ops.Mul | ops.Sum | ops.Compare | ops.Affine
    first = len(program.inputs) + region.first
    values = {first + compare: bits}
    for offset in range(compare + 1, region.last - region.first + 1):
        node = program.nodes[region.first + offset]
        if not isinstance(node.op, pixelwise) or any(i not in values for i in node.operands):
            return None
        values[first + offset] = evaluate_op(node.op, [values[i] for i in node.operands], np)
    return values[first + region.last - region.first]


def _padded(image: np.ndarray, taps: np.ndarray) -> np.ndarray:
    reach = int(taps[:, :2].max()) // 2
    padded = np.zeros((image.shape[0] + 2 * reach, image.shape[1] + 2 * reach), np.int32)
    padded[reach : reach + image.shape[0], reach : reach + image.shape[1]] = image
    return padded


@njit(cache=True, nogil=True)
def _map_codes(image: Any, taps: Any, start: Any, table: Any, result: Any) -> None:
    height, width = result.shape
    code = np.empty(width, np.uint32)
    total = np.empty(width, np.int32)
    for row in range(height):
        code[:] = 0
        for point in range(len(start) - 1):
            total[:] = 0
            for tap in range(start[point], start[point + 1]):
                shift, weight = taps[tap, 1], taps[tap, 2]
                line = image[row + taps[tap, 0], shift : shift + width]
                for column in range(width):
                    total[column] += weight * line[column]
            bit = np.uint32(1 << point)
            for column in range(width):
                code[column] += bit if total[column] >= 0 else np.uint32(0)
        for column in range(width):
            result[row, column] = table[code[column]]


@njit(cache=True, nogil=True)
def _count_cells(codes: Any, height: int, width: int, counts: Any) -> None:
    down, across, bins = counts.shape
    lanes = np.zeros((2, bins), np.int32)  # two counters: a run of one code does not wait for itself
    for y in range(down):
        for x in range(across):
            lanes[:] = 0
            for row in range(y * height, (y + 1) * height):
                line = codes[row, x * width : (x + 1) * width]
                for column in range(0, width - 1, 2):
                    lanes[0, line[column]] += 1
                    lanes[1, line[column + 1]] += 1
                if width & 1:
                    lanes[0, line[width - 1]] += 1
            for b in range(bins):
                counts[y, x, b] = lanes[0, b] + lanes[1, b]
