"""Histograms of gradient directions of many patches, normalised: descriptors of key points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Kind, Program, Region, ops
from privis.readings.direction_histograms import DIRECTIONS, clip_lengths, histograms


def kernel(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``clipped_direction_histograms``: patches ``(N, 1, side, side)``, each of which is one window."""
    nodes = [node.op for node in program.nodes[region.first : region.last + 1]]
    convs = [op for op in nodes if isinstance(op, ops.Conv)]
    norms = [op for op in nodes if isinstance(op, ops.Normalise)]
    shape, result_shape = program.shapes[region.inputs[0]], program.shapes[len(program.inputs) + region.last]
    limit = _limit(nodes)
    if len(shape) != 4 or shape[1] != 1 or shape[2] != shape[3] or len(convs) != 3 or len(norms) != 2 or limit is None:
        return None
    cross, down, across = (op.kernel for op in convs)
    taps = down[:, 0, :, 0]
    if cross.shape != _CROSS.shape or np.abs(cross - _CROSS).max() > 1e-12 or any(op.outside for op in norms):
        return None
    alone = taps.shape[1] == shape[2] - 2 and result_shape[-1] == len(taps) ** 2 * DIRECTIONS
    if not alone or across.shape[2:] != (1, taps.shape[1]) or not np.array_equal(across[:, 0, 0], taps):
        return None
    guards, side = np.array([norms[0].inside, limit, norms[1].inside], np.float32), shape[2]
    shares = np.ascontiguousarray(taps, np.float32)

    def run(patches: np.ndarray) -> np.ndarray:
        described = np.empty((len(patches), result_shape[-1]), np.float32)
        squares = np.ascontiguousarray(patches, np.float32).reshape(-1, side, side)
        _describe(squares, shares, guards, described)
        return described.reshape(result_shape)

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
