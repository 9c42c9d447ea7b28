"""Histograms of gradient directions of many patches, normalised: descriptors of key points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Kind, Program, Region, ops
from privis.readings.direction_histograms import DIRECTIONS, clip_lengths, direction_votes, histograms


def kernel(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``clipped_direction_histograms``: patches ``(N, 1, side, side)``, each of which is one window, or windows
    of one image ``(1, H, W)`` a few pixels apart.
    """
    nodes = [node.op for node in program.nodes[region.first : region.last + 1]]
    convs = [op for op in nodes if isinstance(op, ops.Conv)]
    norms = [op for op in nodes if isinstance(op, ops.Normalise)]
    shape, result_shape = program.shapes[region.inputs[0]], program.shapes[len(program.inputs) + region.last]
    limit = _limit(nodes)
    if len(convs) != 3 or len(norms) != 2 or limit is None or shape[-3] != 1:
        return None
    cross, down, across = (op.kernel for op in convs)
    taps = down[:, 0, :, 0]
    if cross.shape != _CROSS.shape or np.abs(cross - _CROSS).max() > 1e-12 or any(op.outside for op in norms):
        return None
    square = across.shape[2:] == (1, taps.shape[1]) and np.array_equal(across[:, 0, 0], taps)
    if not square or result_shape[-1] != len(taps) ** 2 * DIRECTIONS:
        return None
    guards, side = np.array([norms[0].inside, limit, norms[1].inside], np.float32), taps.shape[1] + 2
    shares = np.ascontiguousarray(taps, np.float32)
    if len(shape) == 3:
        return _windows(convs, shares, guards, result_shape)
    if len(shape) != 4 or shape[2:] != (side, side):
        return None

    def run(patches: np.ndarray) -> np.ndarray:
        described = np.empty((len(patches), result_shape[-1]), np.float32)
        squares = np.ascontiguousarray(patches, np.float32).reshape(-1, side, side)
        _describe(squares, shares, guards, described)
        return described.reshape(result_shape)

    return run


def _windows(
    convs: list[ops.Conv], taps: np.ndarray, guards: np.ndarray, shape: tuple[int, ...]
) -> Callable[[np.ndarray], np.ndarray] | None:
    """All windows of one image, ``step`` pixels apart along both axes, which share the votes of its pixels."""
    step = convs[1].stride[0]
    if convs[1].stride != (step, 1) or convs[2].stride != (1, step) or convs[0].stride != (1, 1) or len(shape) != 3:
        return None
    used = np.array([[line.nonzero()[0][0], line.nonzero()[0][-1] + 1] for line in taps])

    def run(image: np.ndarray) -> np.ndarray:
        described = np.empty(shape, np.float32)
        _describe_windows(np.ascontiguousarray(image[0], np.float32), taps, used, step, guards, described)
        return described

    return run


def _limit(nodes: list[ops.Op]) -> float | None:
    """The largest share ``c`` where shares are cut off as ``x - relu(x - c)``; None where they are not."""
    biases = [float(op.bias) for op in nodes if isinstance(op, ops.Affine) and np.ndim(op.bias) == 0 and op.bias < 0]
    clips = [op for op in nodes if isinstance(op, ops.Nonlinear)]
    relu = len(clips) == 1 and clips[0].kind is Kind.CLIP and clips[0].a == 0 and clips[0].b == np.inf
    return -biases[0] if relu and len(biases) == 1 else None


def _directions() -> np.ndarray:
    """Cross products with the first four of eight directions, from the four neighbours of a pixel."""
    angles = 2 * np.pi * np.arange(DIRECTIONS // 2) / DIRECTIONS
    result = np.zeros((DIRECTIONS // 2, 1, 3, 3))
    result[:, 0, 0, 1], result[:, 0, 2, 1] = np.cos(angles), -np.cos(angles)
    result[:, 0, 1, 0], result[:, 0, 1, 2] = np.sin(angles), -np.sin(angles)
    return result


_CROSS = _directions()


@njit(cache=True, nogil=True)
def _describe(patches: Any, taps: Any, guards: Any, result: Any) -> None:
    cells, inner = taps.shape
    votes, sums = np.empty((DIRECTIONS, inner), np.float32), np.empty((cells, DIRECTIONS, inner), np.float32)
    for index in range(len(patches)):
        histograms(patches[index], taps, votes, sums, result[index])
        clip_lengths(result[index], guards[0], guards[1], guards[2])


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def _describe_windows(image: Any, taps: Any, used: Any, step: int, guards: Any, result: Any) -> None:
    """Columns of votes are added up once for all windows of a row, and lie with their directions side by side."""
    down, across, _ = result.shape
    height, width = image.shape[0] - 2, image.shape[1] - 2
    cells = len(taps)
    votes, sums = np.empty((height, DIRECTIONS * width), np.float32), np.empty(DIRECTIONS * width, np.float32)
    for row in range(height):
        direction_votes(image[row], image[row + 1], image[row + 2], votes[row].reshape(DIRECTIONS, width))
    columns = np.empty((width, DIRECTIONS), np.float32)
    result[:] = 0
    for y in range(down):
        for cell in range(cells):
            sums[:] = 0
            for row in range(used[cell, 0], used[cell, 1]):
                weight, line = taps[cell, row], votes[y * step + row]
                for i in range(len(sums)):
                    sums[i] += weight * line[i]
            for direction in range(DIRECTIONS):
                for i in range(width):
                    columns[i, direction] = sums[direction * width + i]
            for x in range(across):
                into = result[y, x]
                for other in range(cells):
                    place = (cell * cells + other) * DIRECTIONS
                    for i in range(used[other, 0], used[other, 1]):
                        weight, column = taps[other, i], x * step + i
                        for direction in range(DIRECTIONS):
                            into[place + direction] += weight * columns[column, direction]
        for x in range(across):
            clip_lengths(result[y, x], guards[0], guards[1], guards[2])
