"""The loops of SURF's owner side, compiled: box sums, determinants of Hessians, maxima, orientations and patches.

Imported only where they run, because this loads the compiler. Boxes are sums of four corners of an integral image
``(H + 1, W + 1)``; in its coordinates pixel ``p`` covers ``p`` to ``p + 1``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integral = NDArray[np.int64]

ORIENTATION_RADIUS = 6  # of the circle that votes for the orientation, in scales
ORIENTATION_SIGMA = 2.5  # of its Gaussian weights, in scales: as in the paper of 2006; that of 2008 says 2
ORIENTATION_WINDOW = math.pi / 3  # of directions that are added up


@njit(cache=True, nogil=True)
def _box(integral: Integral, row: int, column: int, rows: int, columns: int) -> int:
    """Sum of ``rows`` by ``columns`` whole pixels from ``(row, column)`` on."""
    below, right = row + rows, column + columns
    return integral[below, right] - integral[row, right] - integral[below, column] + integral[row, column]


@njit(cache=True, nogil=True)
def determinants(integral: Integral, side: int, step: int, relative: float) -> Floats:
    """Determinant of the Hessian at every ``step``-th pixel, from box filters of ``side`` pixels.

    Second derivatives are per pixel of the filter; ``relative`` weighs the mixed one. Zero where the filter does not
    fit into the image.
    """
    height, width = integral.shape[0] - 1, integral.shape[1] - 1
    result = np.zeros(((height + step - 1) // step, (width + step - 1) // step), np.float32)
    lobe, half = side // 3, side // 2
    long, area = 2 * lobe - 1, float(side * side)
    first = (half + step - 1) // step * step
    for y in range(first, height - half, step):
        for x in range(first, width - half, step):
            top, left = y - lobe + 1, x - lobe + 1
            across = _box(integral, top, x - half, long, side) - 3 * _box(integral, top, x - lobe // 2, long, lobe)
            down = _box(integral, y - half, left, side, long) - 3 * _box(integral, y - lobe // 2, left, lobe, long)
            mixed = _box(integral, y - lobe, x - lobe, lobe, lobe) + _box(integral, y + 1, x + 1, lobe, lobe)
            mixed -= _box(integral, y - lobe, x + 1, lobe, lobe) + _box(integral, y + 1, x - lobe, lobe, lobe)
            slanted = relative * mixed / area
            result[y // step, x // step] = (across / area) * (down / area) - slanted * slanted
    return result


@njit(cache=True, nogil=True)
def maxima(maps: Floats, threshold: float, margin: int) -> Floats:
    """Return ``(x, y, interval, value)`` of the local maxima of ``(intervals, rows, columns)``, refined, in samples.

    A maximum exceeds ``threshold`` and its 26 neighbours and lies ``margin`` samples inside. Its place is the vertex
    of the quadratic through those; where that is more than a sample off, there is none and the point is dropped.
    """
    intervals, rows, columns = maps.shape
    found = []
    for k in range(1, intervals - 1):
        for row in range(margin, rows - margin):
            for column in range(margin, columns - margin):
                value = maps[k, row, column]
                if value > threshold and _largest(maps, k, row, column):
                    x, y, s = _vertex(maps[k - 1 : k + 2, row - 1 : row + 2, column - 1 : column + 2])
                    if max(abs(x), abs(y), abs(s)) <= 1.0:
                        found.append((column + x, row + y, k + s, value))
    result = np.empty((len(found), 4), np.float32)
    for index, point in enumerate(found):
        result[index, 0], result[index, 1], result[index, 2], result[index, 3] = point
    return result


@njit(cache=True, nogil=True)
def _largest(maps: Floats, k: int, row: int, column: int) -> bool:
    """Whether no neighbour is as large; of equal ones the last counts."""
    value = maps[k, row, column]
    for u in range(k - 1, k + 2):
        for v in range(row - 1, row + 2):
            for w in range(column - 1, column + 2):
                other = maps[u, v, w]
                later = (u, v, w) > (k, row, column)
                if other > value or (other == value and later):
                    return False
    return True


@njit(cache=True, nogil=True)
def _vertex(d: Floats) -> tuple[float, float, float]:
    """Offset of the extremum of the quadratic through 27 samples, by Cramer's rule; far away if there is none."""
    twice = 2.0 * d[1, 1, 1]
    gx, gy, gs = 0.5 * (d[1, 1, 2] - d[1, 1, 0]), 0.5 * (d[1, 2, 1] - d[1, 0, 1]), 0.5 * (d[2, 1, 1] - d[0, 1, 1])
    xx, yy, ss = d[1, 1, 2] + d[1, 1, 0] - twice, d[1, 2, 1] + d[1, 0, 1] - twice, d[2, 1, 1] + d[0, 1, 1] - twice
    xy = 0.25 * (d[1, 2, 2] - d[1, 2, 0] - d[1, 0, 2] + d[1, 0, 0])
    xs = 0.25 * (d[2, 1, 2] - d[2, 1, 0] - d[0, 1, 2] + d[0, 1, 0])
    ys = 0.25 * (d[2, 2, 1] - d[2, 0, 1] - d[0, 2, 1] + d[0, 0, 1])
    a, b, c = yy * ss - ys * ys, xs * ys - xy * ss, xy * ys - yy * xs  # first row of the adjugate
    e, f, g = xx * ss - xs * xs, xy * xs - xx * ys, xx * yy - xy * xy
    determinant = xx * a + xy * b + xs * c
    if determinant == 0.0:
        return math.inf, math.inf, math.inf
    x = -(a * gx + b * gy + c * gs) / determinant
    y = -(b * gx + e * gy + f * gs) / determinant
    return x, y, -(c * gx + f * gy + g * gs) / determinant


@njit(cache=True, nogil=True)
def _corner(integral: Integral, y: float, x: float) -> float:
    """The integral image between its samples: exact for boxes that cut through pixels."""
    top, left = min(int(y), integral.shape[0] - 2), min(int(x), integral.shape[1] - 2)
    v, u = y - top, x - left
    upper = (1.0 - u) * integral[top, left] + u * integral[top, left + 1]
    return (1.0 - v) * upper + v * ((1.0 - u) * integral[top + 1, left] + u * integral[top + 1, left + 1])


@njit(cache=True, nogil=True)
def _mean(integral: Integral, y: float, x: float, rows: float, columns: float) -> float:
    """Mean of the part of a box around ``(y, x)`` that lies in the image; beyond the border the border pixels."""
    height, width = integral.shape[0] - 1.0, integral.shape[1] - 1.0
    top, below = min(max(y - rows / 2, 0.0), height - 1.0), max(min(y + rows / 2, height), 1.0)
    left, right = min(max(x - columns / 2, 0.0), width - 1.0), max(min(x + columns / 2, width), 1.0)
    total = _corner(integral, below, right) - _corner(integral, top, right)
    total -= _corner(integral, below, left) - _corner(integral, top, left)
    return total / ((below - top) * (right - left))


@njit(cache=True, nogil=True)
def orientation(integral: Integral, x: float, y: float, scale: float) -> float:
    """Direction in radians of the Haar responses around a point: the longest sum within a window of 60 degrees."""
    count = (2 * ORIENTATION_RADIUS + 1) ** 2
    across, down, direction = np.zeros(count), np.zeros(count), np.zeros(count)
    used = 0
    for v in range(-ORIENTATION_RADIUS, ORIENTATION_RADIUS + 1):
        for u in range(-ORIENTATION_RADIUS, ORIENTATION_RADIUS + 1):
            if u * u + v * v < ORIENTATION_RADIUS**2:
                weight = math.exp(-(u * u + v * v) / (2 * ORIENTATION_SIGMA**2))
                px, py = x + 0.5 + u * scale, y + 0.5 + v * scale
                right = _mean(integral, py, px + scale, 4 * scale, 2 * scale)
                left = _mean(integral, py, px - scale, 4 * scale, 2 * scale)
                below = _mean(integral, py + scale, px, 2 * scale, 4 * scale)
                above = _mean(integral, py - scale, px, 2 * scale, 4 * scale)
                across[used], down[used] = weight * (right - left), weight * (below - above)
                direction[used] = math.atan2(down[used], across[used])
                used += 1
    return _longest(across[:used], down[:used], direction[:used])


@njit(cache=True, nogil=True)
def _longest(across: Doubles, down: Doubles, direction: Doubles) -> float:
    """Direction of the longest sum of the vectors whose directions lie within ``ORIENTATION_WINDOW``."""
    order, count = np.argsort(direction), len(direction)
    best, result, dx, dy = 0.0, 0.0, 0.0, 0.0
    end = 0  # the window holds the vectors from start up to here, counted around the circle
    for start in range(count):
        while end < start + count:
            following = order[end % count]
            turn = direction[following] - direction[order[start]]
            if (turn if end < count else turn + 2 * math.pi) >= ORIENTATION_WINDOW:
                break
            dx, dy, end = dx + across[following], dy + down[following], end + 1
        if dx * dx + dy * dy > best:
            best, result = dx * dx + dy * dy, math.atan2(dy, dx)
        dx, dy = dx - across[order[start]], dy - down[order[start]]
    return result


@njit(cache=True, nogil=True)
def upright(integral: Integral, x: float, y: float, angle: float, scale: float, patch: Floats) -> None:
    """Fill the square ``patch`` with means over ``scale`` pixels around ``(x, y)``, ``scale`` apart.

    It is turned so that ``angle`` (radians) points right.
    """
    along, across = scale * math.cos(angle), scale * math.sin(angle)
    half = (len(patch) - 1) / 2.0
    for v in range(len(patch)):
        for u in range(len(patch)):
            px = x + 0.5 + (u - half) * along - (v - half) * across
            py = y + 0.5 + (u - half) * across + (v - half) * along
            patch[v, u] = _mean(integral, py, px, scale, scale)
