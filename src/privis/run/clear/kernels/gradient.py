"""Histograms of oriented gradients: cells and interpolated blocks.

Of interpolated blocks, every pixel votes for two orientations, in up to nine cells of four blocks, with weights that
are products of one of its row and one of its column. So a tile, the square between two block corners, needs one
histogram for each pair of such weights, and a cell of a block is a sum of histograms of the block's tiles. Along a row
of pixels the weights of all columns' functions lie beside each other: a vote is two additions of four numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Program, Region, ops

LANES = 4
"""Weights that a vote is added with at once: those of two cells in the two tiles along a side of a block."""
Weights = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _only(program: Program, region: Region, kind: type) -> list[Any]:
    return [n.op for n in program.nodes[region.first : region.last + 1] if isinstance(n.op, kind)]


def oriented_cells(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``oriented_gradient_cells``: directions from its Conv, cell and scale from what follows."""
    convs, scales = _only(program, region, ops.Conv), _only(program, region, ops.Affine)
    count, down, across = program.shapes[len(program.inputs) + region.last]
    folded = [op.shape for op in _only(program, region, ops.Reshape) if len(op.shape) == 5]
    if len(convs) != 1 or convs[0].kernel.shape[1:] != (2, 1, 1) or len(folded) != 1:
        return None
    cell = folded[0][2]
    along = np.ascontiguousarray(convs[0].kernel[:, :, 0, 0], np.float32)
    scale = np.float32(scales[-1].scale)

    def kernel(image: np.ndarray) -> np.ndarray:
        result = np.empty((count, down, across), np.float32)
        _vote(np.ascontiguousarray(image, np.float32), along, cell, scale, result)
        return result

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
def _vote(image: Any, along: Any, cell: int, scale: Any, result: Any) -> None:
    """Magnitudes on the same side of a direction as of direction 0, added up; bins lie between two directions.

    Pixels of a column have sums of their own, without looking anything up: as many additions as bins, but of eight
    pixels at once. Where no gradient of a cell lies in a bin, the sums on both sides of it are equal to the last bit.
    """
    count, down, across = result.shape
    width = image.shape[1]
    gx, gy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    magnitudes, sums = np.empty(width, np.float32), np.empty((count, width), np.float32)
    for tile in range(down):
        sums[:] = 0
        for row in range(tile * cell, (tile + 1) * cell):
            _difference(image, row, gx, gy)
            _magnitudes(along[0], gx, gy, magnitudes, sums[0])
            k = 1
            while k + 4 <= count:
                _ahead_of_four(along[k : k + 4], gx, gy, magnitudes, sums[k], sums[k + 1], sums[k + 2], sums[k + 3])
                k += 4
            while k < count:
                _ahead(along[k], gx, gy, magnitudes, sums[k])
                k += 1
        for place in range(across):
            further = np.float32(0)
            for k in range(count - 1, -1, -1):
                total = np.float32(0)
                for column in range(place * cell, (place + 1) * cell):
                    total += sums[k, column]
                result[k, tile, place] = scale * (total - further)
                further = total


@njit(cache=True, nogil=True, fastmath={"contract"})
def _magnitudes(along: Any, gx: Any, gy: Any, magnitudes: Any, sums: Any) -> None:
    """Lengths of the gradients, and gradients on the far side of direction 0 turned by half a turn."""
    cosine, sine = along[0], along[1]
    for column in range(len(gx)):
        x, y = gx[column], gy[column]
        turn = np.float32(-1) if cosine * y + sine * x < 0 else np.float32(1)
        magnitude = np.sqrt(x * x + y * y)
        magnitudes[column] = magnitude
        sums[column] += magnitude
        gx[column], gy[column] = turn * x, turn * y


@njit(cache=True, nogil=True, fastmath={"contract"})
def _ahead(along: Any, gx: Any, gy: Any, magnitudes: Any, sums: Any) -> None:
    """Add the magnitudes of the gradients ahead of a direction."""
    cosine, sine, nothing = along[0], along[1], np.float32(0)
    for column in range(len(gx)):
        sums[column] += magnitudes[column] if cosine * gy[column] + sine * gx[column] >= 0 else nothing


@njit(cache=True, nogil=True, fastmath={"contract"})
def _ahead_of_four(along: Any, gx: Any, gy: Any, magnitudes: Any, one: Any, two: Any, three: Any, four: Any) -> None:
    """`_ahead` of four directions, for which gradients are read once."""
    c1, c2, c3, c4 = along[0, 0], along[1, 0], along[2, 0], along[3, 0]
    s1, s2, s3, s4 = along[0, 1], along[1, 1], along[2, 1], along[3, 1]
    nothing = np.float32(0)
    for column in range(len(gx)):
        x, y, here = gx[column], gy[column], magnitudes[column]
        one[column] += here if c1 * y + s1 * x >= 0 else nothing
        two[column] += here if c2 * y + s2 * x >= 0 else nothing
        three[column] += here if c3 * y + s3 * x >= 0 else nothing
        four[column] += here if c4 * y + s4 * x >= 0 else nothing


def interpolated_blocks(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``interpolated_gradient_blocks``: bin directions from its Conv, pixel weights from its Dense."""
    convs, denses = _only(program, region, ops.Conv), _only(program, region, ops.Dense)
    windows = _only(program, region, ops.Window)
    if len(convs) != 2 or len(denses) != 1 or len(windows) != 1 or convs[0].kernel.shape[1:] != (2, 1, 1):
        return None
    merge = _two_bins(convs[1].kernel[:, :, 0, 0])
    along = np.ascontiguousarray(convs[0].kernel[:, :, 0, 0], np.float32)
    size, stride = windows[0].size[0], windows[0].stride[0]
    weights = _separate(denses[0].matrix.reshape(-1, size, size), stride)
    if weights is None or merge is None:
        return None
    rows, columns, cells, totals = weights
    count = len(convs[1].kernel)
    scale = np.float32(_only(program, region, ops.Affine)[-1].scale)
    shape = _only(program, region, ops.Reshape)[-1].shape
    across, down = shape[0], shape[1]

    def kernel(image: np.ndarray) -> np.ndarray:
        result = np.empty((across, down, len(cells), count), np.float32)
        _blocks(np.ascontiguousarray(image, np.float32), along, scale, *merge, rows, columns, cells, totals, result)
        return result.reshape(shape)

    return kernel


def _separate(weights: np.ndarray, stride: int) -> Weights | None:
    """Each ``(size, size)`` weight as an outer product of one of two row and one of two column functions, or None.

    ``rows`` and ``columns`` ``(stride, 4)``: for a pixel at that place of a tile its weights by function and by tile
    along the block (function major); ``cells (cells, 2)``: row and column function of each cell; ``totals (cells,)``:
    what their product is multiplied by.
    """
    size, totals = weights.shape[1], weights.sum((1, 2))
    rows, columns = (weights.sum(axis) / totals[:, None] for axis in (2, 1))
    separable = totals[:, None, None] * rows[:, :, None] * columns[:, None]
    if size != 2 * stride or np.abs(separable - weights).max() > 1e-12:
        return None
    kinds, tables = [], []
    for factors in (rows, columns):
        functions: list[np.ndarray] = []
        numbers = []
        for factor in factors:
            known = [i for i, other in enumerate(functions) if np.abs(other - factor).max() <= 1e-12]
            numbers.append(known[0] if known else len(functions))
            functions += [] if known else [factor]
        if len(functions) != 2:
            return None
        kinds.append(numbers)
        table = np.stack(functions).reshape(2, 2, stride).transpose(2, 0, 1)
        tables.append(np.ascontiguousarray(table.reshape(stride, LANES), np.float32))
    return tables[0], tables[1], np.array(kinds, np.int64).T.copy(), totals.astype(np.float32)


def _two_bins(merge: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Per direction: the two bins that it and the next vote for, and how; None where there are more.

    ``bins (directions, 2)``, times `LANES`, and ``shares (directions, 2, 2)``: share of bin i in a vote for this (0) or
    the next (1).
    """
    count = merge.shape[1]
    bins, shares = np.zeros((count, 2), np.uint64), np.zeros((count, 2, 2), np.float32)
    for d in range(count):
        pair = merge[:, [d, (d + 1) % count]]
        used = np.nonzero(pair.any(1))[0]
        if len(used) > 2:
            return None
        bins[d, : len(used)], shares[d, : len(used)] = used * LANES, pair[used]
    return bins, shares


@njit(cache=True, nogil=True)
def _blocks(
    image: Any,
    along: Any,
    scale: Any,
    bins: Any,
    shares: Any,
    rows: Any,
    columns: Any,
    cells: Any,
    totals: Any,
    result: Any,
) -> None:
    across, down, _, count = result.shape
    stride, tiles = len(rows), across + 1
    width = image.shape[1]
    gx, gy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    found = np.zeros(width, np.uint32)
    line = np.empty(2 * tiles * count * LANES, np.float32)  # two: a run of one orientation does not wait for itself
    half = len(line) // 2
    sums = np.zeros((2, LANES, half), np.float32)
    votes = _direction_votes(along, scale, bins, shares)
    for tile_row in range(down + 1):
        here = sums[tile_row & 1]
        here[:] = 0
        for r in range(stride):
            _difference(image, tile_row * stride + r, gx, gy)
            _directions(gx, gy, along, found)
            _row_votes(gx, gy, found, votes, bins, columns, count, line)
            for function in range(LANES):
                if rows[r, function] != 0:
                    _add(rows[r, function], line[:half], line[half:], here[function])
        if tile_row > 0:
            above = sums[1 - (tile_row & 1)].reshape(LANES, tiles, count, LANES)
            _assemble(above, here.reshape(LANES, tiles, count, LANES), cells, totals, tile_row - 1, result)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add(weight: Any, left: Any, right: Any, result: Any) -> None:
    for i in range(len(result)):
        result[i] += weight * (left[i] + right[i])


@njit(cache=True, nogil=True)
def _direction_votes(along: Any, scale: Any, bins: Any, shares: Any) -> Any:
    """``(directions, 4)``: the votes for both bins are linear in the gradient as long as it is between two directions.

    ``|side|`` of the direction ahead is minus the side, of the one below the side itself: the gradient lies between.
    Behind the last direction comes the first from its other end, whose sides have the other sign.
    """
    count = len(along)
    result = np.empty((count, 4), np.float32)
    for below in range(count):
        last = below == count - 1
        ahead, sign = (0, np.float32(1)) if last else (below + 1, np.float32(-1))
        for i in range(2):
            for axis in range(2):
                this = sign * along[ahead, axis] * shares[below, i, 0]
                following = along[below, axis] * shares[below, i, 1]
                result[below, 2 * i + axis] = scale * (this + following)
    return result


@njit(cache=True, nogil=True)
def _directions(gx: Any, gy: Any, along: Any, found: Any) -> None:
    """Between which two directions each gradient lies; one on the far side of direction 0 is turned by half a turn."""
    width = len(gx)
    cosine, sine = along[0, 0], along[0, 1]
    for column in range(width):
        turn = np.float32(-1) if cosine * gy[column] + sine * gx[column] < 0 else np.float32(1)
        gx[column] *= turn
        gy[column] *= turn
        found[column] = 0
    for k in range(1, len(along)):
        cosine, sine = along[k, 0], along[k, 1]
        for column in range(width):
            found[column] += np.uint32(1) if cosine * gy[column] + sine * gx[column] >= 0 else np.uint32(0)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _row_votes(gx: Any, gy: Any, found: Any, votes: Any, bins: Any, columns: Any, count: int, line: Any) -> None:
    """Histograms of one row of pixels: of each tile, of each bin, with the four weights of its columns.

    Indices are unsigned: with signed ones, which may count from the end, no four additions become one instruction.
    """
    stride = len(columns)
    half = len(line) // 2
    tiles = half // (count * LANES)
    line[:] = 0
    first, second, third = np.uint64(1), np.uint64(2), np.uint64(3)
    for tile in range(tiles):
        for q in range(stride):
            column = tile * stride + q
            direction = found[column]
            bank = np.uint64(tile * count * LANES + (q & 1) * half)
            w0, w1, w2, w3 = columns[q, 0], columns[q, 1], columns[q, 2], columns[q, 3]
            x, y = gx[column], gy[column]
            for i in range(2):
                vote = votes[direction, 2 * i] * y + votes[direction, 2 * i + 1] * x
                at = bank + bins[direction, i]
                a0, a1, a2, a3 = line[at], line[at + first], line[at + second], line[at + third]
                line[at], line[at + first] = a0 + vote * w0, a1 + vote * w1
                line[at + second], line[at + third] = a2 + vote * w2, a3 + vote * w3


@njit(cache=True, nogil=True)
def _assemble(above: Any, here: Any, cells: Any, totals: Any, row: int, result: Any) -> None:
    """Cells of a row of blocks from histograms of its two rows of tiles."""
    across, _, _, count = result.shape
    for block in range(across):
        for cell in range(len(cells)):
            down, along = 2 * cells[cell, 0], 2 * cells[cell, 1]
            into = result[block, row, cell]
            for k in range(count):
                left = above[down, block, k, along] + here[down + 1, block, k, along]
                right = above[down, block + 1, k, along + 1] + here[down + 1, block + 1, k, along + 1]
                into[k] = totals[cell] * (left + right)
