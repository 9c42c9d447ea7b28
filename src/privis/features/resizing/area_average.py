"""Area averages of large pictures: the pixels of OpenCV's ``INTER_AREA``, in less time.

OpenCV sums every row of the picture along itself, in single precision, before it adds rows to each other: a chain of
dependent additions, over every sample. Here whole rows are added first, which a processor does for many samples at
once, and what is left to sum along rows is a small part. Both orders round a little differently. So every mean that
comes within the sum of both errors of a half is computed once more in OpenCV's order; all others round to the same
integer.

The error of a sum of n products of single precision is at most n + 1 roundings (Higham, "Accuracy and Stability of
Numerical Algorithms", 2002, section 3.1), here of values up to 255 with weights that sum to 1.

Imported only where it runs, because this loads the compiler.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]

_LEAST = 1e-3  # of a sample: a smaller share of the next cell is left out, as OpenCV leaves it out
_ROUNDING = 2.0**-24


def area_average(image: Pixels, size: tuple[int, int]) -> Pixels:
    """Average the area of every new pixel, as ``cv2.resize(…, interpolation=cv2.INTER_AREA)`` does on x86-64.

    Args:
        image: (H, W) or (H, W, channels).
        size: (height, width) in pixels, neither longer than the image's, and not both whole parts of them: OpenCV
            computes those in another way.

    Returns:
        (height, width) or (height, width, channels).
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    rows = np.ascontiguousarray(image).reshape(image.shape[0], -1)
    down, along = _cells(image.shape[0], size[0]), _cells(image.shape[1], size[1])
    terms = max(int(np.diff(ends).max()) for _, ends, _ in (down, along))
    near = 1.1 * 2 * 255 * _ROUNDING * (2 * terms + 4)
    made = np.empty((size[0], size[1] * channels), np.uint8)
    _averages(rows, channels, *down, *along, np.float32(near), made)
    return made.reshape(*size, *image.shape[2:])


def _cells(samples: int, cells: int) -> tuple[Ints, Ints, Floats]:
    """For each cell its first sample, where its weights end, and the weights of all cells one after another.

    As OpenCV's ``computeResizeAreaTab`` cuts ``samples`` into ``cells``: in double precision, weights rounded once.
    """
    scale = 1.0 / (cells / samples)
    firsts, ends, weights = [], [0], []
    for cell in range(cells):
        low = cell * scale
        high, width = low + scale, min(scale, samples - low)
        last = min(math.floor(high), samples - 1)
        first = min(math.ceil(low), last)
        own = [1.0 / width] * (last - first)
        if first - low > _LEAST:
            own.insert(0, (first - low) / width)
        firsts.append(first - (first - low > _LEAST))
        if high - last > _LEAST:
            own.append(min(high - last, 1.0, width) / width)
        weights += own
        ends.append(len(weights))
    return np.array(firsts), np.array(ends), np.array(weights, np.float32)


@njit(cache=True, nogil=True)
def _averages(
    rows: Pixels,
    channels: int,
    tops: Ints,
    down_ends: Ints,
    down: Floats,
    lefts: Ints,
    along_ends: Ints,
    along: Floats,
    near: float,
    made: Pixels,
) -> None:
    """Fill ``made`` with means; one within ``near`` of a half by `_in_order`."""
    sums = np.empty(rows.shape[1], np.float32)
    for y in range(len(tops)):
        top, weights = tops[y], down[down_ends[y] : down_ends[y + 1]]
        _add_rows(rows[top : top + len(weights)], weights, sums)
        for x in range(len(lefts)):
            own = along[along_ends[x] : along_ends[x + 1]]
            for channel in range(channels):
                place = lefts[x] * channels + channel
                mean = np.float32(0)
                for weight in own:
                    mean += sums[place] * weight
                    place += channels
                if abs(mean - np.floor(mean) - np.float32(0.5)) <= near:
                    place = lefts[x] * channels + channel
                    mean = _in_order(rows[top : top + len(weights)], weights, place, channels, own)
                made[y, x * channels + channel] = np.uint8(np.rint(mean))


@njit(cache=True, nogil=True)
def _add_rows(rows: Pixels, weights: Floats, sums: Floats) -> None:
    for column in range(len(sums)):
        sums[column] = weights[0] * np.float32(rows[0, column])
    for row in range(1, len(weights)):
        weight = weights[row]
        for column in range(len(sums)):
            sums[column] += weight * np.float32(rows[row, column])


@njit(cache=True, nogil=True)
def _in_order(rows: Pixels, down: Floats, place: int, step: int, along: Floats) -> float:
    """The mean of one cell as OpenCV adds it: along each row, then rows."""
    mean = np.float32(0)
    for row in range(len(down)):
        total, column = np.float32(0), place
        for weight in along:
            total += np.float32(rows[row, column]) * weight
            column += step
        mean += down[row] * total
    return mean
