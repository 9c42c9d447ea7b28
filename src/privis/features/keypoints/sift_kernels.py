"""The loops of SIFT's detector, compiled: extrema, their refinement, orientations and upright patches.

Imported only where they run, because this loads the compiler.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MARGIN = 5  # pixels along the border without key points
STEPS = 5  # of the refinement before an extremum counts as unstable
BINS = 36  # of the orientation histogram
ORIENTATION_SIGMA = 1.5  # Gaussian window of the orientation histogram, in scales of the key point
PEAK = 0.8  # share of the highest peak from which another one makes a key point of its own


@njit(cache=True, nogil=True)
def extrema(difference: Floats, least: float, edge: float) -> Floats:
    """Return the stable extrema of one octave ``(layers + 2, rows, columns)``.

    Rows of ``(x, y, s, |value|, column, row, layer)``: position in the octave's pixels and scale in layers, refined,
    the value there, and the sample next to it. ``least`` is the smallest value that counts, ``edge`` the largest
    ratio of principal curvatures.
    """
    layers = difference.shape[0] - 2
    found = []
    for layer in range(1, layers + 1):
        for row in range(MARGIN, difference.shape[1] - MARGIN):
            for column in range(MARGIN, difference.shape[2] - MARGIN):
                value = difference[layer, row, column]
                if abs(value) > 0.5 * least and _extreme(difference, layer, row, column, value):
                    point = _refined(difference, layer, row, column, least, edge)
                    if point[3] > 0.0:
                        found.append(point)
    result = np.empty((len(found), 7), np.float32)
    for index, point in enumerate(found):
        for field in range(7):
            result[index, field] = point[field]
    return result


@njit(cache=True, nogil=True)
def _extreme(difference: Floats, layer: int, row: int, column: int, value: float) -> bool:
    """Whether none of the 26 neighbours is larger (or smaller, for a minimum)."""
    sign = 1.0 if value > 0.0 else -1.0
    for u in range(layer - 1, layer + 2):
        for v in range(row - 1, row + 2):
            for w in range(column - 1, column + 2):
                if sign * difference[u, v, w] > sign * value:
                    return False
    return True


@njit(cache=True, nogil=True)
def _refined(
    difference: Floats, layer: int, row: int, column: int, least: float, edge: float
) -> tuple[float, float, float, float, float, float, float]:
    """Move to the vertex of the quadratic through the 27 samples around; the value is 0 where that fails."""
    layers, rows, columns = difference.shape
    for _ in range(STEPS):
        d = difference[layer - 1 : layer + 2, row - 1 : row + 2, column - 1 : column + 2]
        twice = 2.0 * d[1, 1, 1]
        gx, gy, gs = (
            0.5 * (d[1, 1, 2] - d[1, 1, 0]),
            0.5 * (d[1, 2, 1] - d[1, 0, 1]),
            0.5 * (d[2, 1, 1] - d[0, 1, 1]),
        )
        xx, yy, ss = (
            d[1, 1, 2] + d[1, 1, 0] - twice,
            d[1, 2, 1] + d[1, 0, 1] - twice,
            d[2, 1, 1] + d[0, 1, 1] - twice,
        )
        xy = 0.25 * (d[1, 2, 2] - d[1, 2, 0] - d[1, 0, 2] + d[1, 0, 0])
        xs = 0.25 * (d[2, 1, 2] - d[2, 1, 0] - d[0, 1, 2] + d[0, 1, 0])
        ys = 0.25 * (d[2, 2, 1] - d[2, 0, 1] - d[0, 2, 1] + d[0, 0, 1])
        a, b, c = (
            yy * ss - ys * ys,
            xs * ys - xy * ss,
            xy * ys - yy * xs,
        )  # first row of the adjugate
        determinant = xx * a + xy * b + xs * c
        if determinant == 0.0:
            break
        x = -(a * gx + b * gy + c * gs) / determinant
        y = -(b * gx + (xx * ss - xs * xs) * gy + (xy * xs - xx * ys) * gs) / determinant
        s = -(c * gx + (xy * xs - xx * ys) * gy + (xx * yy - xy * xy) * gs) / determinant
        if max(abs(x), abs(y), abs(s)) < 0.5:
            value = abs(d[1, 1, 1] + 0.5 * (gx * x + gy * y + gs * s))
            curved = xx * yy - xy * xy
            if value < least or curved <= 0.0 or (xx + yy) ** 2 * edge >= (edge + 1.0) ** 2 * curved:
                break
            return (
                column + x,
                row + y,
                layer + s,
                value,
                float(column),
                float(row),
                float(layer),
            )
        if max(abs(x), abs(y), abs(s)) > columns + rows:
            break
        column, row, layer = column + round(x), row + round(y), layer + round(s)
        inside = MARGIN <= column < columns - MARGIN and MARGIN <= row < rows - MARGIN
        if not (inside and 1 <= layer < layers - 1):
            break
    return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


@njit(cache=True, nogil=True)
def orientations(levels: Floats, points: Floats, scales: Floats) -> Floats:
    """Return ``(index of the extremum, angle in degrees)`` for every peak; ``scales`` are in the octave's pixels."""
    found = []
    for index in range(len(points)):
        column, row, layer = (
            int(points[index, 4]),
            int(points[index, 5]),
            int(points[index, 6]),
        )
        histogram = _orientation_histogram(levels[layer], row, column, scales[index])
        highest = histogram.max()
        for k in range(BINS):
            before, here, after = (
                histogram[k - 1],
                histogram[k],
                histogram[(k + 1) % BINS],
            )
            if here > before and here > after and here >= PEAK * highest:
                vertex = k + 0.5 * (before - after) / (before - 2.0 * here + after)
                found.append((float(index), vertex * (360.0 / BINS) % 360.0))
    result = np.empty((len(found), 2), np.float32)
    for index, point in enumerate(found):
        result[index, 0], result[index, 1] = point
    return result


@njit(cache=True, nogil=True)
def _orientation_histogram(image: Floats, row: int, column: int, scale: float) -> NDArray[np.float64]:
    """Gradient magnitudes by direction around a pixel, Gaussian-weighted and smoothed by (1, 4, 6, 4, 1) / 16."""
    rows, columns = image.shape
    sigma = ORIENTATION_SIGMA * scale
    radius = round(3.0 * sigma)
    raw = np.zeros(BINS)
    for v in range(max(1, row - radius), min(rows - 1, row + radius + 1)):
        for u in range(max(1, column - radius), min(columns - 1, column + radius + 1)):
            gx, gy = (
                image[v, u + 1] - image[v, u - 1],
                image[v + 1, u] - image[v - 1, u],
            )
            weight = math.exp(-((v - row) ** 2 + (u - column) ** 2) / (2.0 * sigma**2))
            direction = round(math.atan2(gy, gx) * (BINS / (2.0 * math.pi))) % BINS
            raw[direction] += weight * math.sqrt(gx * gx + gy * gy)
    smooth = np.empty(BINS)
    for k in range(BINS):
        near = raw[k - 1] + raw[(k + 1) % BINS]
        far = raw[k - 2] + raw[(k + 2) % BINS]
        smooth[k] = (6.0 * raw[k] + 4.0 * near + far) / 16.0
    return smooth


@njit(cache=True, nogil=True)
def upright(image: Floats, x: float, y: float, angle: float, spacing: float, patch: Floats) -> None:
    """Fill the square ``patch`` with ``image`` around ``(x, y)``, turned so that ``angle`` (degrees) points right.

    Samples lie ``spacing`` pixels apart and are bilinear; outside the image its border continues.
    """
    rows, columns = image.shape
    along = spacing * math.cos(math.radians(angle))
    across = spacing * math.sin(math.radians(angle))
    half = (len(patch) - 1) / 2.0
    for v in range(len(patch)):
        for u in range(len(patch)):
            px = min(max(x + (u - half) * along - (v - half) * across, 0.0), columns - 1.0)
            py = min(max(y + (u - half) * across + (v - half) * along, 0.0), rows - 1.0)
            left, top = (
                min(int(px), max(columns - 2, 0)),
                min(int(py), max(rows - 2, 0)),
            )
            right, below = min(left + 1, columns - 1), min(top + 1, rows - 1)
            fx, fy = px - left, py - top
            upper = (1.0 - fx) * image[top, left] + fx * image[top, right]
            lower = (1.0 - fx) * image[below, left] + fx * image[below, right]
            patch[v, u] = (1.0 - fy) * upper + fy * lower
