"""Displacements sorted into directions and added up, along the middle of each, in cells of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Program, Region, ops
from privis.readings.evaluate import compare_threshold
from privis.run.clear.kernels.definition import definition
from privis.run.clear.kernels.map_cells import map_cells

BEYOND = [ops.Conv, ops.Compare, ops.Affine, ops.Concat, ops.Gather, ops.Conv, ops.Mul, ops.Sub, ops.Mul]
"""On which side of half the edges, and of the other half; those between two edges; projections, of these alone."""


def kernel(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``direction_sums``: float32 ``(2, H, W)`` to ``(directions, rows, columns)``."""
    nodes = program.nodes[region.first : region.last + 1]
    start, flow = len(program.inputs) + region.first, region.inputs[0]
    sides = [(flow,), (start,), (start + 1,), (start + 1, start + 2), (start + 3,), (flow,)]
    sides += [(start + 3, start + 4), (start + 3, start + 6), (start + 5, start + 7)]
    chain = [(start + place - 1,) for place in range(len(sides), len(nodes))]
    if [type(node.op) for node in nodes[: len(BEYOND)]] != BEYOND or [node.operands for node in nodes] != sides + chain:
        return None
    edges, compare, negated, _, following, along = (node.op for node in nodes[:6])
    assert isinstance(edges, ops.Conv) and isinstance(compare, ops.Compare) and isinstance(negated, ops.Affine)
    assert isinstance(following, ops.Gather) and isinstance(along, ops.Conv)
    count, threshold = len(along.kernel), compare_threshold(compare)
    turned = following.axis == 0 and np.array_equal(following.index, np.roll(np.arange(count), -1))
    if not turned or threshold.ndim or (negated.scale, negated.bias) != (-1.0, 1.0):
        return None
    if edges.kernel.shape != (count // 2, 2, 1, 1) or along.kernel.shape != (count, 2, 1, 1):
        return None
    grid = map_cells([node.op for node in nodes[len(BEYOND) :]], (count, *program.shapes[start][1:]))
    match grid and grid.rest:
        case (ops.Sum((3,), False),):
            pass
        case _:
            return None
    assert grid is not None
    shape = program.shapes[start + len(nodes) - 1]
    normals, middles = (np.ascontiguousarray(op.kernel[:, :, 0, 0], np.float32) for op in (edges, along))
    otherwise = definition(program, region)

    def run(x: np.ndarray) -> np.ndarray:
        if x.dtype != np.float32:
            return otherwise(x)
        sums = np.empty(shape, np.float32)
        _sum(np.ascontiguousarray(x), normals, middles, np.float32(threshold), grid.height, grid.width, sums)
        return sums

    return run


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def _sum(flow: Any, normals: Any, middles: Any, threshold: Any, height: int, width: int, sums: Any) -> None:
    directions, rows, columns = sums.shape
    half = directions // 2
    beyond = np.empty((directions + 1, width), np.float32)
    sums[:] = 0
    for row in range(rows * height):
        y = row // height
        for x in range(columns):
            right = flow[0, row, x * width : (x + 1) * width]
            down = flow[1, row, x * width : (x + 1) * width]
            for edge in range(half):
                here, opposite = beyond[edge], beyond[edge + half]
                a, b = normals[edge, 0], normals[edge, 1]
                for i in range(width):
                    ahead = np.float32(1) if a * right[i] + b * down[i] >= threshold else np.float32(0)
                    here[i] = ahead
                    opposite[i] = np.float32(1) - ahead
            beyond[directions] = beyond[0]
            for direction in range(directions):
                here, following = beyond[direction], beyond[direction + 1]
                a, b, total = middles[direction, 0], middles[direction, 1], np.float32(0)
                for i in range(width):
                    total += (a * right[i] + b * down[i]) * (here[i] - here[i] * following[i])
                sums[direction, y, x] += total
