"""Histograms of oriented gradients: cells, interpolated blocks and block normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Kind, Program, Region, ops


def _only(program: Program, region: Region, kind: type) -> list[Any]:
    return [n.op for n in program.nodes[region.first : region.last + 1] if isinstance(n.op, kind)]


def oriented_cells(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``oriented_gradient_cells``: directions from its Conv, cell and scale from what follows."""
    convs, scales = _only(program, region, ops.Conv), _only(program, region, ops.Affine)
    height, width = program.shapes[region.inputs[0]]
    count, down, across = program.shapes[len(program.inputs) + region.last]
    folded = [op.shape for op in _only(program, region, ops.Reshape) if len(op.shape) == 5]
    if len(convs) != 1 or convs[0].kernel.shape[1:] != (2, 1, 1) or len(folded) != 1:
        return None
    cell = folded[0][2]
    along = np.ascontiguousarray(convs[0].kernel[:, :, 0, 0], np.float32)
    scale = np.float32(scales[-1].scale)

    def kernel(image: np.ndarray) -> np.ndarray:
        result = np.zeros((count, down, across), np.float32)
        _vote(image.astype(np.float32), along, cell, height, width, result)
        return result * scale

    return kernel


@njit(cache=True, nogil=True)
def _difference(image: Any, row: int, gx: Any, gy: Any) -> None:
    """Central differences of one row, zero on the border of the image."""
    height, width = image.shape
    gx[0] = gx[width - 1] = 0
    for column in range(1, width - 1):
        gx[column] = image[row, column + 1] - image[row, column - 1]
    gy[:] = 0
    if 0 < row < height - 1:
        for column in range(width):
            gy[column] = image[row + 1, column] - image[row - 1, column]


@njit(cache=True, nogil=True)
def _vote(image: Any, along: Any, cell: int, height: int, width: int, result: Any) -> None:
    """A gradient's bin is the number of further directions that see it on the same side as direction 0."""
    count, down, across = result.shape
    gx, gy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    first, found = np.empty(width, np.bool_), np.empty(width, np.int32)
    for row in range(down * cell):
        _difference(image, row, gx, gy)
        for column in range(width):
            first[column] = along[0, 0] * gy[column] + along[0, 1] * gx[column] >= 0
            found[column] = 0
        for k in range(1, count):
            cosine, sine = along[k, 0], along[k, 1]
            for column in range(width):
                found[column] += (cosine * gy[column] + sine * gx[column] >= 0) == first[column]
        for column in range(across * cell):
            magnitude = np.sqrt(gx[column] * gx[column] + gy[column] * gy[column])
            result[found[column], row // cell, column // cell] += magnitude


def interpolated_blocks(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``interpolated_gradient_blocks``: bin directions from its Conv, pixel weights from its Dense."""
    convs, denses = _only(program, region, ops.Conv), _only(program, region, ops.Dense)
    windows = _only(program, region, ops.Window)
    if len(convs) != 2 or len(denses) != 1 or len(windows) != 1 or convs[0].kernel.shape[1:] != (2, 1, 1):
        return None
    merge = _two_bins(convs[1].kernel[:, :, 0, 0])
    along = np.ascontiguousarray(convs[0].kernel[:, :, 0, 0], np.float32)
    size, stride = windows[0].size[0], windows[0].stride[0]
    factors = _separate(denses[0].matrix.reshape(-1, size, size))
    if factors is None or merge is None:
        return None
    count = len(convs[1].kernel)
    scale = np.float32(_only(program, region, ops.Affine)[-1].scale)
    across, down, length = program.shapes[len(program.inputs) + region.last]

    def kernel(image: np.ndarray) -> np.ndarray:
        bins, votes = _two_votes(image.astype(np.float32), along, scale, *merge)
        result = np.zeros((across, down, len(factors[0]), count), np.float32)
        _gather_blocks(bins, votes, *factors, stride, result)
        return result.reshape(across, down, length)

    return kernel


def _separate(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Each ``(size, size)`` weight as an outer product of a row and a column factor, or None."""
    rows, columns = weights.sum(2), weights.sum(1) / weights.sum((1, 2))[:, None]
    if np.abs(rows[:, :, None] * columns[:, None] - weights).max() > 1e-12:
        return None
    return rows.astype(np.float32), columns.astype(np.float32)


def _two_bins(merge: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Per direction: the two bins that it and the next vote for, and how; None where there are more.

    ``bins (directions, 2)`` and ``shares (directions, 2, 2)``: share of bin i in a vote for this (0) or the next (1).
    """
    count = merge.shape[1]
    bins, shares = np.zeros((count, 2), np.uint8), np.zeros((count, 2, 2), np.float32)
    for d in range(count):
        pair = merge[:, [d, (d + 1) % count]]
        used = np.nonzero(pair.any(1))[0]
        if len(used) > 2:
            return None
        bins[d, : len(used)], shares[d, : len(used)] = used, pair[used]
    return bins, shares


@njit(cache=True, nogil=True)
def _two_votes(image: Any, along: Any, scale: Any, table: Any, shares: Any) -> Any:
    """The two bins each pixel votes for, and its votes."""
    height, width = image.shape
    count = len(along)
    bins, votes = np.empty((2, height, width), np.uint8), np.empty((2, height, width), np.float32)
    gx, gy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    found = np.empty(width, np.uint8)
    for row in range(height):
        _difference(image, row, gx, gy)
        for column in range(width):  # votes do not know which end of a gradient is which
            if along[0, 0] * gy[column] + along[0, 1] * gx[column] < 0:
                gy[column], gx[column] = -gy[column], -gx[column]
            found[column] = 0
        for k in range(1, count):
            cosine, sine = along[k, 0], along[k, 1]
            for column in range(width):
                found[column] += np.uint8(cosine * gy[column] + sine * gx[column] >= 0)
        for column in range(width):
            below = np.int64(found[column])
            ahead = below + 1 if below + 1 < count else 0
            this = scale * abs(along[ahead, 0] * gy[column] + along[ahead, 1] * gx[column])
            following = scale * abs(along[below, 0] * gy[column] + along[below, 1] * gx[column])
            for i in range(2):
                bins[i, row, column] = table[below, i]
                votes[i, row, column] = shares[below, i, 0] * this + shares[below, i, 1] * following
    return bins, votes


@njit(cache=True, nogil=True)
def _gather_blocks(bins: Any, votes: Any, rows: Any, columns: Any, stride: int, result: Any) -> None:
    """First along rows, for every pixel column, then along columns: the weights are separable."""
    across, down, cells, count = result.shape
    size, width = rows.shape[1], bins.shape[2]
    strip = np.empty((width, count), np.float32)
    for by in range(down):
        for cell in range(cells):
            if cell == 0 or (rows[cell] != rows[cell - 1]).any():
                strip[:] = 0
                for r in range(size):
                    weight, row = rows[cell, r], by * stride + r
                    if weight == 0:
                        continue
                    for column in range(width):
                        strip[column, bins[0, row, column]] += weight * votes[0, row, column]
                        strip[column, bins[1, row, column]] += weight * votes[1, row, column]
            for bx in range(across):
                into = result[bx, by, cell]
                for c in range(size):
                    weight = columns[cell, c]
                    if weight == 0:
                        continue
                    for k in range(count):
                        into[k] += weight * strip[bx * stride + c, k]


def block_normalisation(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``block_normalisation``: windows of cells, L2, optionally clipped and normalised again."""
    windows, norms = _only(program, region, ops.Window), _only(program, region, ops.Normalise)
    clips = [op for op in _only(program, region, ops.Nonlinear) if op.kind is Kind.CLIP]
    others = [op for op in _only(program, region, ops.Nonlinear) if op.kind is not Kind.CLIP]
    if len(windows) != 1 or len(norms) != 1 + len(clips) or len(clips) > 1 or others:
        return None
    if windows[0].stride != (1, 1):
        return None
    shape = program.shapes[len(program.inputs) + region.last]
    guards = np.array([[op.inside, op.outside] for op in norms], np.float32)
    limit = np.float32(clips[0].b if clips else np.inf)

    def kernel(cells: np.ndarray) -> np.ndarray:
        result = np.empty(shape, np.float32)
        _normalise_blocks(np.ascontiguousarray(cells, np.float32), guards, limit, result)
        return result

    return kernel


@njit(cache=True, nogil=True)
def _normalise_blocks(cells: Any, guards: Any, limit: Any, result: Any) -> None:
    down, across, size, _, count = result.shape
    for y in range(down):
        for x in range(across):
            block = result[y, x]
            for r in range(size):
                for c in range(size):
                    for k in range(count):
                        block[r, c, k] = cells[k, y + r, x + c]
            flat = block.reshape(size * size * count)
            for step in range(len(guards)):
                energy = np.float32(0)
                for value in flat:
                    energy += value * value
                factor = np.float32(1) / (np.sqrt(energy + guards[step, 0]) + guards[step, 1])
                for i in range(len(flat)):
                    flat[i] = min(flat[i] * factor, limit) if step == 0 else flat[i] * factor
