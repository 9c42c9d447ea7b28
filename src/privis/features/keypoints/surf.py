"""SURF: sums of Haar responses around the blobs that a fast approximate Hessian finds.

H. Bay, A. Ess, T. Tuytelaars and L. Van Gool, "Speeded-up robust features (SURF)", CVIU 2008,
doi:10.1016/j.cviu.2007.09.014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.features.feature import Array, Image, numbered, unit_rows, vector
from privis.features.image_ops import Size, luma
from privis.features.keypoints.keypoints import KeyPoints
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

CELLS, SAMPLES = 4, 5  # cells along each side of a descriptor, Haar responses along each side of a cell
PATCH = CELLS * SAMPLES + 1  # samples along each side of a patch: a response lies between neighbours
LENGTH = CELLS * CELLS * 4
WINDOW_SIGMA = 3.3  # of the descriptor's Gaussian window, in scales
SCALE = 1.2 / 9  # scale (standard deviation of the Gaussian) per pixel of filter side
INTERVALS = 4  # filters per octave
MIXED = 0.9  # weight of the mixed derivative: box filters are no Gaussian derivatives
ENERGIES = (0.0, 2.0**14)  # squared length of a descriptor before normalisation; key points have 20 to 10,000
FLAT = 4.0  # added to it, so that the polynomial form of the division holds down to flat patches
NOTHING = 0.1  # least length that ``unit`` divides by: a descriptor this short tells a fifth of a grey level
BATCH = 512  # descriptors computed at once by ``describe``


@dataclass(frozen=True)
class SURF:
    """SURF descriptors of the ``keypoints`` strongest key points, strongest first: ``keypoints * 64`` numbers.

    The owner finds the key points: maxima above ``threshold`` (grey levels squared) of the determinant of the Hessian,
    over ``octaves`` of four box filters each. It cuts an upright patch of 21 x 21 samples, its scale apart, around
    each; with ``upright`` key points have no orientation. The core turns patches ``(N, 21, 21)`` into descriptors ``(N,
    64)``: rows of cells from the top, cells from the left, sums of dx, dy, abs(dx), abs(dy). Missing key points are
    zero patches; zero and flat patches have zero descriptors. All others get Euclidean length 1: the core stays up to
    10 % below, so that its polynomial form holds down to flat patches, and ``after`` makes it exact. ``size`` (height,
    width) in pixels resizes images first.

    Deviations: the means of a Haar response are taken over upright squares on the turned grid, where the paper turns
    the responses of upright filters; orientation weights are those of the paper of 2006, doi:10.1007/11744023_32.
    ``ENERGIES`` is promised, not proved: natural images keep it, check others with ``broken_promises``.

    Args:
        keypoints: how many at most; missing ones are zero.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.
        threshold: least determinant of the Hessian, in squared grey levels.
        octaves: scales in which blobs are looked for, four box filters each.
        upright: leave orientations away: key points are not turned.

    Raises:
        ParameterError: a value is out of its range.

    >>> from skimage.data import camera
    >>> surf = SURF(keypoints=8)
    >>> patches = surf.before(camera())
    >>> surf.program(patches.shape).output_shapes
    ((8, 64),)
    """

    keypoints: int = 256
    size: Size | None = None
    threshold: float = 10.0
    octaves: int = 4
    upright: bool = False

    name: ClassVar[str] = "surf"
    identifier: ClassVar[str] = "privis.surf/1"
    luma_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("SURF.keypoints", self.keypoints, 1) + size_problem("SURF.size", self.size)
        if not (isinstance(self.threshold, int | float) and 0 <= self.threshold < math.inf):
            problems.append(Problem("SURF.threshold", repr(self.threshold), "a number of at least 0"))
        problems += integer_problem("SURF.octaves", self.octaves, 1, 8)
        if not isinstance(self.upright, bool):
            problems.append(Problem("SURF.upright", repr(self.upright), "True or False"))
        refuse_parameters(problems)

    def detect(self, image: Image) -> KeyPoints:
        """Find all key points of an image.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            The key points, strongest first, in pixels of the image resized to ``size``.
        """
        return self._detect(integral_image(self._grey(image)))

    def describe(self, image: Image) -> tuple[KeyPoints, NDArray[np.float32]]:
        """Find all key points of an image and describe them.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            The key points, strongest first, and their descriptors, float32 (N, 64).
        """
        from privis.readings import evaluate

        integral = integral_image(self._grey(image))
        points = self._detect(integral)
        patches = upright_patches(integral, points)
        batches = [patches[at : at + BATCH] for at in range(0, len(patches), BATCH)]
        described = [unit_rows(evaluate(self.program(batch.shape), batch), NOTHING) for batch in batches]
        return points, np.concatenate(described) if described else np.zeros((0, LENGTH), np.float32)

    def before(self, image: Image) -> Array:
        """Patches ``(keypoints, 21, 21)``, float32 grey levels, zero from the last key point on."""
        integral = integral_image(self._grey(image))
        points = self._detect(integral, self.keypoints)
        patches = np.zeros((self.keypoints, PATCH, PATCH), np.float32)
        patches[: len(points)] = upright_patches(integral, points)
        return patches

    def core_shape(self, image_shape: Shape) -> Shape:
        """``(keypoints, 21, 21)``, whatever the image."""
        return int(self.keypoints), PATCH, PATCH

    def program(self, shape: Shape) -> Program:
        """Patches ``(N, 21, 21)`` to descriptors ``(N, 64)``."""
        return trace(descriptors, Input(shape, step=None))

    def after(self, values: Array) -> Array:
        """Every descriptor at length 1 or, where flat, near 0; flat."""
        return vector(unit_rows(values, NOTHING))

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every descriptor is of Euclidean length 1 at most."""
        return Norms.of_blocks(len(self.names(shape)) // LENGTH, LENGTH)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``surf_keypoint_row_column_sum``, the sums in the order dx, dy, |dx|, |dy|."""
        return numbered(self.name, (shape[0], CELLS, CELLS, 4))

    def _grey(self, image: Image) -> Image:
        return luma(image, self.size)

    def _detect(self, integral: NDArray[np.int64], count: int | None = None) -> KeyPoints:
        """The ``count`` strongest key points (None: all), strongest first."""
        from privis.features.keypoints.surf_kernels import determinants, maxima, orientation

        found = [np.zeros((4, 0))]
        for octave in range(self.octaves):
            sides, step = filter_sides(octave), 2**octave
            if sides[-1] > min(integral.shape) - 1:
                break  # no maximum fits
            maps = np.stack([determinants(integral, side, step, MIXED) for side in sides])
            x, y, interval, value = maxima(maps, self.threshold, sides[-1] // 2 // step + 2).T
            found.append(np.stack([x * step, y * step, sides[0] + interval * (sides[1] - sides[0]), value]))
        x, y, size, response = np.concatenate(found, 1)
        points = KeyPoints.of(x=x, y=y, size=size, angle=np.zeros(len(x)), response=response)
        points = points.strongest(len(points) if count is None else count)
        if self.upright:
            return points
        columns = zip(points.x, points.y, points.size * SCALE, strict=True)
        turned = [math.degrees(orientation(integral, x, y, scale)) % 360 for x, y, scale in columns]
        return KeyPoints.of(x=points.x, y=points.y, size=points.size, angle=turned, response=points.response)


def filter_sides(octave: int) -> tuple[int, ...]:
    """Sides in pixels of the filters of an octave.

    >>> filter_sides(0), filter_sides(1)
    ((9, 15, 21, 27), (15, 27, 39, 51))
    """
    return tuple(3 * (2 ** (octave + 1) * (interval + 1) + 1) for interval in range(INTERVALS))


def integral_image(image: Image) -> NDArray[np.int64]:
    """``(H + 1, W + 1)``: sums of all pixels above and to the left."""
    sums = np.zeros((image.shape[0] + 1, image.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(image, 0, np.int64), 1, out=sums[1:, 1:])
    return sums


def upright_patches(integral: NDArray[np.int64], points: KeyPoints) -> NDArray[np.float32]:
    """Cut ``(N, 21, 21)`` around ``points``, turned upright, in grey levels."""
    from privis.features.keypoints.surf_kernels import upright

    patches = np.empty((len(points), PATCH, PATCH), np.float32)
    columns = zip(points.x, points.y, np.radians(points.angle), points.size * SCALE, patches, strict=True)
    for x, y, angle, scale, patch in columns:
        upright(integral, x, y, angle, scale, patch)
    return patches


def descriptors(patches: Value) -> Value:
    """``(N, 21, 21)`` to ``(N, 64)``: Haar responses of two samples, weighted, averaged over cells, normalised."""
    count = patches.shape[0]
    haar = np.array([[[[-1, 1], [-1, 1]]], [[[-1, -1], [1, 1]]]]) / 2
    offsets = np.arange(CELLS * SAMPLES) - (CELLS * SAMPLES - 1) / 2
    window = np.exp(-(offsets**2) / (2 * WINDOW_SIGMA**2))
    responses = patches.reshape(count, 1, PATCH, PATCH) >> ops.Conv(haar)
    responses = responses * (window[:, None] * window / SAMPLES**2)
    both = concat(responses, responses.abs(), axis=1)
    sums = both.reshape(count, 4, CELLS, SAMPLES, CELLS, SAMPLES).sum(3, 5)
    return sums.transpose(0, 2, 3, 1).reshape(count, LENGTH) >> ops.Normalise(ENERGIES, inside=FLAT)


def hessian_program(shape: Shape, side: int) -> Program:
    """``(H, W)`` to the determinant of the Hessian, grey levels squared, wherever a filter of ``side`` pixels fits.

    What ``SURF.detect`` takes maxima of, as a program: ``(H - side + 1, W - side + 1)``, one correlation with box
    filters and two products. Raises ParameterError unless ``side`` is 9, 15, 21 … and fits.

    >>> hessian_program((64, 64), side=15).output_shapes
    ((50, 50),)
    """
    if side < 9 or side % 6 != 3 or side > min(shape):
        expected = f"9, 15, 21 … up to the image's {min(shape)} pixels"
        raise ParameterError(Problem("hessian_program.side", repr(side), expected))
    lobe = side // 3
    along = np.zeros((side, side))
    along[side // 2 - lobe + 1 : side // 2 + lobe] = np.repeat([1, -2, 1], lobe)
    ends = np.zeros(side)
    ends[side // 2 - lobe : side // 2], ends[side // 2 + 1 : side // 2 + 1 + lobe] = 1, -1
    kernels = np.stack([along, along.T, MIXED * np.outer(ends, ends)])[:, None] / side**2

    def determinant(x: Value) -> Value:
        second = x.reshape(1, *shape) >> ops.Conv(kernels)
        return second[0] * second[1] - second[2] * second[2]

    return trace(determinant, Input(shape))
