"""Normalisation of histograms: blocks of cells, and rows, over their lengths, cut off, and over their lengths again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from privis.program import Kind, Program, Region, ops

RUN = 32
"""Numbers that a loop takes at a time once the compiler has made four instructions of eight of them."""


def _only(program: Program, region: Region, kind: type) -> list[Any]:
    return [n.op for n in program.nodes[region.first : region.last + 1] if isinstance(n.op, kind)]


def block(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
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


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def _normalise_blocks(cells: Any, guards: Any, limit: Any, result: Any) -> None:
    """All blocks of a row at once: they lie beside each other in memory, the numbers of one block do not.

    Rows are continued by zeros to a whole number of runs. Nothing is sliced in the inner loops, as that would take as
    long as what they do.
    """
    down, across, size, _, count = result.shape
    _, rows, columns = cells.shape
    padded, length = -(-across // RUN) * RUN, size * size * count
    planes, squares = np.zeros((count, rows, padded + size), np.float32), np.zeros((rows, padded + size), np.float32)
    for k in range(count):
        for y in range(rows):
            for x in range(columns):
                planes[k, y, x] = cells[k, y, x]
                squares[y, x] += cells[k, y, x] * cells[k, y, x]
    shares, into = np.empty((length, padded), np.float32), result.reshape(down, across, length)
    energies, factors = np.empty(padded, np.float32), np.empty(padded, np.float32)
    for y in range(down):
        energies[:] = 0
        for r in range(size):
            for c in range(size):
                line = squares[y + r, c : c + padded]
                for x in range(padded):
                    energies[x] += line[x]
        for x in range(padded):
            factors[x] = np.float32(1) / (np.sqrt(energies[x] + guards[0, 0]) + guards[0, 1])
        energies[:], place = 0, 0
        for r in range(size):
            for c in range(size):
                for k in range(count):
                    line, own = planes[k, y + r, c : c + padded], shares[place]
                    for x in range(padded):
                        share = line[x] * factors[x]
                        share = share if share < limit else limit
                        own[x] = share
                        energies[x] += share * share
                    place += 1
        for x in range(padded):
            again = len(guards) > 1
            length_again = np.sqrt(energies[x] + guards[-1, 0]) + guards[-1, 1]
            factors[x] = np.float32(1) / length_again if again else np.float32(1)
        for x in range(across):
            whole, factor = into[y, x], factors[x]
            for place in range(length):
                whole[place] = shares[place, x] * factor


def clipped(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray] | None:
    """Region ``clipped_normalisation``: rows over their lengths, clipped, and over their lengths again."""
    match [node.op for node in program.nodes[region.first : region.last + 1]]:
        case [ops.Normalise() as first, ops.Nonlinear(Kind.CLIP, _, 0.0, limit), ops.Normalise() as second]:
            guards = np.array([[op.inside, op.outside] for op in (first, second)], np.float32)
        case _:
            return None

    def kernel(rows: np.ndarray) -> np.ndarray:
        flat = np.ascontiguousarray(rows, np.float32).reshape(-1, rows.shape[-1])
        result = np.empty_like(flat)
        _normalise_rows(flat, guards, np.float32(limit), result)
        return result.reshape(rows.shape)

    return kernel


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def _normalise_rows(rows: Any, guards: Any, limit: Any, result: Any) -> None:
    length = rows.shape[1]
    for number in range(len(rows)):
        row, into = rows[number], result[number]
        energy = np.float32(0)
        for i in range(length):
            energy += row[i] * row[i]
        factor = np.float32(1) / (np.sqrt(energy + guards[0, 0]) + guards[0, 1])
        energy = np.float32(0)
        for i in range(length):
            into[i] = max(np.float32(0), min(row[i] * factor, limit))
            energy += into[i] * into[i]
        factor = np.float32(1) / (np.sqrt(energy + guards[1, 0]) + guards[1, 1])
        for i in range(length):
            into[i] *= factor
