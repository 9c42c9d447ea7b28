"""The loops of SIFT, compiled: extrema, their refinement, orientations, upright patches and descriptors.

Imported only where they run, because this loads the compiler. Inner loops go along a row of pixels without a branch, so
that the compiler turns several pixels into one instruction; what rarely happens comes after, pixel by pixel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from privis.readings.direction_histograms import DIRECTIONS, clip_lengths, histograms

Floats = NDArray[np.float32]

MARGIN = 5  # pixels along the border without key points
STEPS = 5  # of the refinement before an extremum counts as unstable
BINS = 36  # of the orientation histogram
ORIENTATION_SIGMA = 1.5  # Gaussian window of the orientation histogram, in scales of the key point
PEAK = 0.8  # share of the highest peak from which another one makes a key point of its own
BANKS = 4  # histograms that take turns: neighbouring pixels often vote for the same bin, and would wait for each other
ARCTANGENT = (
    (0.999999336, -0.333298608, 0.199465661, -0.139086307),
    (0.0964219876, -0.0559123329, 0.0218629554, -0.00405456517),
)  # coefficients of the odd powers, least squares reweighted until the largest error on (0, 1) was 4e-8


@njit(cache=True, nogil=True)
def extrema(levels: Floats, least: float, edge: float) -> Floats:
    """Return the stable extrema of the differences of one octave ``(layers + 3, rows, columns)`` of a scale space.

    Rows of ``(x, y, s, |value|, column, row, layer)``: position in the octave's pixels and scale in layers, refined,
    the value there, and the sample next to it. ``least`` is the smallest value that counts, ``edge`` the largest
    ratio of principal curvatures.
    """
    count, rows, columns = levels.shape
    lines = np.zeros((3, count - 1, columns), np.float32)  # of three rows the differences
    marks = np.zeros((columns + 7) // 8 * 8, np.uint8)
    words = marks.view(np.uint64)
    found = []
    for row in range(MARGIN - 1, rows - MARGIN + 1):
        for layer in range(count - 1):
            _subtract(levels[layer + 1, row], levels[layer, row], lines[row % 3, layer])
        if row < MARGIN + 1:
            continue
        above, here, below = lines[(row - 2) % 3], lines[(row - 1) % 3], lines[row % 3]
        for layer in range(1, count - 2):
            _mark(above[layer], here[layer - 1], here[layer], here[layer + 1], below[layer], 0.5 * least, marks)
            for word in range(len(words)):
                if words[word] != 0:
                    for column in range(max(MARGIN, 8 * word), min(columns - MARGIN, 8 * word + 8)):
                        if marks[column] and _extreme(above, here, below, layer, column):
                            point = _refined(levels, layer, row - 1, column, least, edge)
                            if point[3] > 0.0:
                                found.append(point)
    result = np.empty((len(found), 7), np.float32)
    for index, point in enumerate(found):
        for field in range(7):
            result[index, field] = point[field]
    return result


@njit(cache=True, nogil=True)
def _subtract(wide: Any, narrow: Any, result: Any) -> None:
    for i in range(len(result)):
        result[i] = wide[i] - narrow[i]


@njit(cache=True, nogil=True)
def _mark(above: Any, finer: Any, here: Any, coarser: Any, below: Any, least: float, marks: Any) -> None:
    """Mark the pixels of a row that are at least as large, or as small, as their six nearest neighbours."""
    limit = np.float32(least)
    for i in range(1, len(here) - 1):
        value = here[i]
        high = max(max(max(here[i - 1], here[i + 1]), max(above[i], below[i])), max(finer[i], coarser[i]))
        low = min(min(min(here[i - 1], here[i + 1]), min(above[i], below[i])), min(finer[i], coarser[i]))
        marks[i] = ((value > limit) & (value >= high)) | ((value < -limit) & (value <= low))


@njit(cache=True, nogil=True)
def _extreme(above: Floats, here: Floats, below: Floats, layer: int, column: int) -> bool:
    """Whether none of the 26 neighbours is larger (or smaller, for a minimum)."""
    value = here[layer, column]
    sign = np.float32(1) if value > 0 else np.float32(-1)
    for u in range(layer - 1, layer + 2):
        for w in range(column - 1, column + 2):
            largest = max(sign * above[u, w], max(sign * here[u, w], sign * below[u, w]))
            if largest > sign * value:
                return False
    return True


@njit(cache=True, nogil=True)
def _refined(
    levels: Floats, layer: int, row: int, column: int, least: float, edge: float
) -> tuple[float, float, float, float, float, float, float]:
    """Move to the vertex of the quadratic through the 27 samples around; the value is 0 where that fails."""
    layers, rows, columns = levels.shape[0] - 1, levels.shape[1], levels.shape[2]
    d = np.empty((3, 3, 3), np.float32)
    for _ in range(STEPS):
        for u in range(3):
            for v in range(3):
                for w in range(3):
                    at = row + v - 1, column + w - 1
                    d[u, v, w] = levels[layer + u, at[0], at[1]] - levels[layer + u - 1, at[0], at[1]]
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
    longest = 2 * round(3.0 * ORIENTATION_SIGMA * scales.max()) + 1 if len(scales) else 1
    votes, bins = np.empty(longest, np.float32), np.empty(longest, np.int32)
    for index in range(len(points)):
        column, row, layer = int(points[index, 4]), int(points[index, 5]), int(points[index, 6])
        histogram = _orientation_histogram(levels[layer], row, column, scales[index], votes, bins)
        highest = histogram.max()
        for k in range(BINS):
            before, here, after = histogram[k - 1], histogram[k], histogram[(k + 1) % BINS]
            if here > before and here > after and here >= PEAK * highest:
                vertex = k + 0.5 * (before - after) / (before - 2.0 * here + after)
                found.append((float(index), vertex * (360.0 / BINS) % 360.0))
    result = np.empty((len(found), 2), np.float32)
    for index, point in enumerate(found):
        result[index, 0], result[index, 1] = point
    return result


@njit(cache=True, nogil=True)
def _orientation_histogram(
    image: Floats, row: int, column: int, scale: float, votes: Any, bins: Any
) -> NDArray[np.float64]:
    """Gradient magnitudes by direction around a pixel, Gaussian-weighted and smoothed by (1, 4, 6, 4, 1) / 16."""
    rows, columns = image.shape
    sigma = ORIENTATION_SIGMA * scale
    radius = round(3.0 * sigma)
    weights = np.empty(2 * radius + 1, np.float32)  # a Gaussian of two coordinates is a product
    for offset in range(2 * radius + 1):
        weights[offset] = math.exp(-((offset - radius) ** 2) / (2.0 * sigma**2))
    banks = np.zeros((BANKS, BINS))
    first, last = max(1, column - radius), min(columns - 1, column + radius + 1)
    across = weights[first - column + radius : last - column + radius]
    for v in range(max(1, row - radius), min(rows - 1, row + radius + 1)):
        middle = image[v, first - 1 : last + 1]
        _direction_row(image[v - 1, first:last], middle, image[v + 1, first:last], across, votes, bins)
        weight = weights[v - row + radius]
        for i in range(last - first):
            banks[i % BANKS, bins[i]] += weight * votes[i]
    raw = banks.sum(0)
    smooth = np.empty(BINS)
    for k in range(BINS):
        near = raw[k - 1] + raw[(k + 1) % BINS]
        far = raw[k - 2] + raw[(k + 2) % BINS]
        smooth[k] = (6.0 * raw[k] + 4.0 * near + far) / 16.0
    return smooth


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def _direction_row(above: Any, here: Any, below: Any, weights: Any, votes: Any, bins: Any) -> None:
    """Weighted magnitudes and bins of the gradients of a row; ``here`` has a pixel more on either side."""
    quarter, half = np.float32(BINS / 4), np.float32(BINS / 2)
    zero, unit = np.float32(0), np.float32(BINS / (2 * math.pi))
    (a, b, c, d), (e, f, g, h) = ARCTANGENT
    a, b, c, d = np.float32(a), np.float32(b), np.float32(c), np.float32(d)
    e, f, g, h = np.float32(e), np.float32(f), np.float32(g), np.float32(h)
    nearest, tiny = np.float32(BINS + 0.5), np.float32(1e-30)
    for i in range(len(weights)):
        gx, gy = here[i + 2] - here[i], below[i] - above[i]
        x, y = abs(gx), abs(gy)
        slope = min(x, y) / max(max(x, y), tiny)
        s = slope * slope
        angle = unit * slope * (a + s * (b + s * (c + s * (d + s * (e + s * (f + s * (g + s * h)))))))
        angle = quarter - angle if y > x else angle
        angle = half - angle if gx < zero else angle
        angle = -angle if gy < zero else angle
        direction = np.int32(angle + nearest)
        bins[i] = direction - np.int32(BINS) if direction >= BINS else direction
        votes[i] = weights[i] * np.sqrt(gx * gx + gy * gy)


@njit(cache=True, nogil=True)
def cut(levels: Floats, layers: Any, places: Any, patches: Floats) -> None:
    """Fill the square ``patches`` around key points of one octave.

    Args:
        levels: the octave, float32 (count, rows, columns).
        layers: which of its images, integers (N,).
        places: float64 (N, 4): x, y, angle in degrees and distance of samples, in the octave's pixels.
        patches: float32 (N, side, side).
    """
    for index in range(len(patches)):
        x, y, angle, spacing = places[index]
        upright(levels[layers[index]], x, y, angle, spacing, patches[index])


@njit(cache=True, nogil=True)
def describe(levels: Floats, layers: Any, places: Any, side: int, taps: Floats, guards: Any, result: Floats) -> None:
    """Fill ``result (N, cells * cells * 8)`` with descriptors of key points of one octave.

    Args:
        levels: the octave, float32 (count, rows, columns).
        layers: which of its images, integers (N,).
        places: float64 (N, 4), as for `cut`.
        side: of a patch.
        taps: what pixels count in cells, as in `histograms`.
        guards: float32 (3,): what `clip_lengths` adds first, its largest component, and what it adds then.
        result: float32, which is filled.
    """
    cells, inner = taps.shape
    patch = np.empty((side, side), np.float32)
    votes, sums = np.empty((DIRECTIONS, inner), np.float32), np.empty((cells, DIRECTIONS, inner), np.float32)
    for index in range(len(result)):
        x, y, angle, spacing = places[index]
        upright(levels[layers[index]], x, y, angle, spacing, patch)
        histograms(patch, taps, votes, sums, result[index])
        clip_lengths(result[index], guards[0], guards[1], guards[2])


@njit(cache=True, nogil=True)
def upright(image: Floats, x: float, y: float, angle: float, spacing: float, patch: Floats) -> None:
    """Fill the square ``patch`` with ``image`` around ``(x, y)``, turned so that ``angle`` (degrees) points right.

    Samples lie ``spacing`` pixels apart and are bilinear; outside the image its border continues.
    """
    rows, columns = image.shape
    along = spacing * math.cos(math.radians(angle))
    across = spacing * math.sin(math.radians(angle))
    half = (len(patch) - 1) / 2.0
    far = half * (abs(along) + abs(across)) + 1.0
    if x >= far and y >= far and x + far < columns and y + far < rows:
        _sample(image.reshape(-1), columns, x, y, along, across, patch)
        return
    for v in range(len(patch)):
        for u in range(len(patch)):
            px = min(max(x + (u - half) * along - (v - half) * across, 0.0), columns - 1.0)
            py = min(max(y + (u - half) * across + (v - half) * along, 0.0), rows - 1.0)
            left, top = min(int(px), max(columns - 2, 0)), min(int(py), max(rows - 2, 0))
            right, below = min(left + 1, columns - 1), min(top + 1, rows - 1)
            fx, fy = px - left, py - top
            upper = (1.0 - fx) * image[top, left] + fx * image[top, right]
            lower = (1.0 - fx) * image[below, left] + fx * image[below, right]
            patch[v, u] = (1.0 - fy) * upper + fy * lower


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"})
def _sample(image: Floats, columns: int, x: float, y: float, along: float, across: float, patch: Floats) -> None:
    """`upright` where the whole patch lies in the image, given row by row.

    Indices are unsigned: signed ones may count from the end, which would be asked for every sample.
    """
    side, one = len(patch), np.uint64(1)
    half, stride = (side - 1) / 2.0, np.uint64(columns)
    for v in range(side):
        left, top = x - (v - half) * across - half * along, y + (v - half) * along - half * across
        line = patch[v]
        for u in range(side):
            px, py = left + u * along, top + u * across
            column, row = np.uint64(np.int64(px)), np.uint64(np.int64(py))
            at = row * stride + column
            fx, fy = np.float32(px - np.int64(px)), np.float32(py - np.int64(py))
            a, b, c, d = image[at], image[at + one], image[at + stride], image[at + stride + one]
            upper, lower = a + fx * (b - a), c + fx * (d - c)
            line[u] = upper + fy * (lower - upper)
