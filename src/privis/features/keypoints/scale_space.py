"""Gaussian scale space and its differences: where SIFT looks for key points, natively and as a ``Program``.

D. G. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004,
doi:10.1023/B:VISI.0000029664.99615.94. An octave starts at scale ``SIGMA`` and holds ``LAYERS + 3`` images. The
first one lives on the image doubled, where pixel ``i`` is pixel ``i / 2 - 1 / 4`` of the image, and each next one
takes every second pixel of the one before. (If pixel ``i`` were ``i / 2``, every second pixel would be sharper.)
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from privis.features.feature import Image
from privis.program import Input, Program, Value, concat, ops, trace
from privis.program.shapes import Shape

SIGMA = 1.6  # of the first image of every octave, in its own pixels
CAMERA_SIGMA = 0.5  # pixels of blur that an image is taken to have
LAYERS = 3  # scales per octave
REACH = 4  # a Gaussian is cut off after this many standard deviations
SHIFT = 0.25  # pixels: the doubled image's first pixel centre lies that far before the image's
SMALLEST = 12  # pixels: no extremum with its margin fits in less
FIRST_BLUR = math.sqrt(SIGMA**2 - (2 * CAMERA_SIGMA) ** 2)  # the doubled image's blur is doubled too
BLURS = tuple(  # from one image of an octave to the next: variances add up
    SIGMA * math.sqrt(4 ** (layer / LAYERS) - 4 ** ((layer - 1) / LAYERS)) for layer in range(1, LAYERS + 3)
)

Levels = NDArray[np.float32]


def octaves(shape: Shape) -> int:
    """How many octaves an image of ``shape`` has, at least one.

    >>> octaves((640, 800))
    7
    """
    return max(1, 1 + math.floor(math.log2(2 * min(shape) / SMALLEST)))


def gaussian(sigma: float) -> NDArray[np.float64]:
    """Taps of a Gaussian filter of standard deviation ``sigma`` pixels; they add up to 1."""
    radius = round(REACH * sigma)
    taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    return taps / taps.sum()


def scale_space(image: Image) -> list[Levels]:
    """Return each octave of a grey image ``(H, W)`` as float32 ``(LAYERS + 3, rows, columns)``, 0 to 255.

    >>> [octave.shape for octave in scale_space(np.zeros((16, 24), np.uint8))]
    [(6, 32, 48), (6, 16, 24)]
    """
    base = _blurred(_doubled(image.astype(np.float32)), FIRST_BLUR)
    result = []
    for _ in range(octaves(image.shape)):
        levels = np.empty((len(BLURS) + 1, *base.shape), np.float32)
        levels[0] = base
        for layer, sigma in enumerate(BLURS):
            levels[layer + 1] = _blurred(levels[layer], sigma)
        result.append(levels)
        base = levels[LAYERS, ::2, ::2]
    return result


def _doubled(image: Levels) -> Levels:
    import cv2

    return np.asarray(cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.float32)


def _blurred(image: Levels, sigma: float) -> Levels:
    import cv2

    taps = gaussian(sigma).astype(np.float32)
    return np.asarray(cv2.sepFilter2D(image, -1, taps, taps, borderType=cv2.BORDER_REFLECT_101), np.float32)


def dog_program(shape: Shape) -> Program:
    """Return the differences of Gaussians of a grey image ``(H, W)`` as a program of public convolutions.

    One output ``(LAYERS + 2, rows, columns)`` per octave: neighbouring images of ``scale_space`` subtracted, equal to
    1e-3 grey levels in float32. All of it is linear (one CKKS level).

    >>> dog_program((16, 24)).output_shapes
    ((5, 32, 48), (5, 16, 24))
    """

    def build(x: Value) -> tuple[Value, ...]:
        base = blur(_double(x.reshape(1, *shape)), FIRST_BLUR)
        differences = []
        for _ in range(octaves(shape)):
            levels = [base]
            for sigma in BLURS:
                levels.append(blur(levels[-1], sigma))
            differences.append(concat(*(wide - narrow for narrow, wide in pairwise(levels))))
            base = levels[LAYERS][:, ::2, ::2]
        return tuple(differences)

    return trace(build, Input(shape))


def _double(x: Value) -> Value:
    """``_doubled`` of ``(1, H, W)``: every pixel twice, then the mean of neighbours with weights 1, 2, 1."""
    for axis in (1, 2):
        length = x.shape[axis]
        x = x >> ops.Gather(np.clip(np.arange(-1, 2 * length + 1) // 2, 0, length - 1), axis)
    return x >> ops.Conv(np.outer([1, 2, 1], [1, 2, 1]).reshape(1, 1, 3, 3) / 16)


def blur(x: Value, sigma: float) -> Value:
    """Gaussian blur of ``(1, H, W)``: the image mirrored at its border pixels, then columns, then rows."""
    _, height, width = x.shape
    taps = gaussian(sigma)
    radius = len(taps) // 2
    mirrored = x >> ops.Gather(_mirror(height, radius), 1) >> ops.Gather(_mirror(width, radius), 2)
    return mirrored >> ops.Conv(taps.reshape(1, 1, -1, 1)) >> ops.Conv(taps.reshape(1, 1, 1, -1))


def level_matrices(length: int, count: int, *, doubled: bool) -> list[list[NDArray[np.float64]]]:
    """Matrices from ``length`` pixels of an image to those of the images of ``count`` octaves, along either axis.

    All blurring, doubling and halving is linear and the same along both axes: a level is ``rows @ image @ columns.T``.
    Without ``doubled`` the first octave is the image's own.

    >>> [matrix.shape for matrix in level_matrices(16, 2, doubled=True)[1]]
    [(16, 16), (16, 16), (16, 16), (16, 16), (16, 16), (16, 16)]
    """
    base = blur_matrix(length, math.sqrt(SIGMA**2 - CAMERA_SIGMA**2))
    if doubled:
        twice = np.eye(length)[np.clip(np.arange(-1, 2 * length + 1) // 2, 0, length - 1)]
        base = blur_matrix(2 * length, FIRST_BLUR) @ (twice[:-2] + 2 * twice[1:-1] + twice[2:]) / 4
    result = []
    for _ in range(count):
        levels = [base]
        for sigma in BLURS:
            levels.append(blur_matrix(len(base), sigma) @ levels[-1])
        result.append(levels)
        base = levels[LAYERS][::2]
    return result


def blur_matrix(length: int, sigma: float) -> NDArray[np.float64]:
    """Return ``blur`` along one axis of ``length`` pixels as a square matrix."""
    taps = gaussian(sigma)
    sources = np.lib.stride_tricks.sliding_window_view(_mirror(length, len(taps) // 2), len(taps))
    matrix = np.zeros((length, length))
    np.add.at(matrix, (np.arange(length)[:, None], sources), taps)
    return matrix


def _mirror(length: int, radius: int) -> NDArray[np.integer]:
    return np.pad(np.arange(length), radius, mode="reflect")
