"""Differences of frames that follow each other, squared and added up, or counted, in cells of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Program, Region, ops
from privis.readings.evaluate import histogram_edges
from privis.run.clear.kernels.definition import definition
from privis.run.clear.kernels.map_cells import MapCells, map_cells

Kernel = Callable[[np.ndarray], np.ndarray]
WIDEST = (2**31 - 1) // 255**2
"""Pixels of which squares of differences fit into 32 bits."""


def energy(program: Program, region: Region) -> Kernel | None:
    """Region ``frame_energy``: squares of differences of bytes, summed exactly, times a number."""
    grid = _differences(program, region, squared=True)
    match grid and grid.rest:
        case (ops.Sum((3,), False), ops.Affine(float(scale), float(0.0))):
            pass
        case _:
            return None
    assert grid is not None
    if grid.width > WIDEST:
        return None
    otherwise, shape = definition(program, region), program.shapes[len(program.inputs) + region.last]

    def kernel(x: np.ndarray) -> np.ndarray:
        if x.dtype != np.uint8:
            return otherwise(x)
        sums = np.zeros(shape, np.int64)
        _add_squares(_frames(x, len(sums) + 1), grid.height, grid.width, sums)
        return (sums * scale).astype(np.float32)

    return kernel


def histogram(program: Program, region: Region) -> Kernel | None:
    """Region ``frame_histogram``: differences of bytes, counted between ascending edges."""
    grid = _differences(program, region, squared=False)
    match grid and grid.rest:
        case (ops.Reshape((1, *_)), ops.Histogram((edges,)) as op) if list(edges) == sorted(edges):
            pass
        case _:
            return None
    assert grid is not None
    otherwise, shape = definition(program, region), program.shapes[len(program.inputs) + region.last]
    least = np.ceil(histogram_edges(op)[0]).astype(np.int32)

    def kernel(x: np.ndarray) -> np.ndarray:
        if x.dtype != np.uint8:
            return otherwise(x)
        counts = np.empty(shape, np.float32)
        _count(_frames(x, len(counts) + 1), grid.height, grid.width, least, counts)
        return counts

    return kernel


def _frames(x: np.ndarray, frames: int) -> np.ndarray:
    return np.ascontiguousarray(x).reshape(frames, -1, x.shape[1])


def _differences(program: Program, region: Region, squared: bool) -> MapCells | None:
    """The cells of every frame without the one before it; None where the region is anything else."""
    nodes = program.nodes[region.first : region.last + 1]
    start = len(program.inputs) + region.first  # the frames, apart
    operands = [(region.inputs[0],), (start,), (start,), (start + 1, start + 2)] + [(start + 3,) * 2] * squared
    operands += [(start + place - 1,) for place in range(len(operands), len(nodes))]
    match [node.op for node in nodes]:
        case [ops.Reshape((frames, high, wide)), ops.Slice(later), ops.Slice(earlier), ops.Sub(), *rest]:
            whole = ((0, high, 1), (0, wide, 1))
        case _:
            return None
    if later != ((1, frames, 1), *whole) or earlier != ((0, frames - 1, 1), *whole):
        return None
    if [node.operands for node in nodes] != operands or (squared and not isinstance(rest[0], ops.Mul)):
        return None
    return map_cells(rest[squared:], (frames - 1, high, wide))


@njit(cache=True, nogil=True)
def _add_squares(frames: Any, height: int, width: int, sums: Any) -> None:
    steps, rows, columns = sums.shape
    for step in range(steps):
        for y in range(rows):
            for row in range(y * height, (y + 1) * height):
                for x in range(columns):
                    earlier = frames[step, row, x * width : (x + 1) * width]
                    later = frames[step + 1, row, x * width : (x + 1) * width]
                    total = np.int32(0)  # of at most WIDEST pixels
                    for i in range(width):
                        difference = np.int32(later[i]) - np.int32(earlier[i])
                        total += difference * difference
                    sums[step, y, x] += total


@njit(cache=True, nogil=True)
def _count(frames: Any, height: int, width: int, least: Any, counts: Any) -> None:
    steps, rows, columns, bins = counts.shape
    reached = np.empty((columns, bins), np.int64)  # how many differences reach each edge
    for step in range(steps):
        for y in range(rows):
            reached[:] = 0
            for row in range(y * height, (y + 1) * height):
                for x in range(columns):
                    earlier = frames[step, row, x * width : (x + 1) * width]
                    later = frames[step + 1, row, x * width : (x + 1) * width]
                    for edge in range(bins - 1):
                        total, bound = np.int32(0), least[edge]
                        for i in range(width):
                            total += np.int32(np.int32(later[i]) - np.int32(earlier[i]) >= bound)
                        reached[x, edge] += total
            for x in range(columns):
                before = np.int64(height * width)
                for edge in range(bins - 1):
                    counts[step, y, x, edge] = before - reached[x, edge]
                    before = reached[x, edge]
                counts[step, y, x, bins - 1] = before
