"""SIFT: histograms of gradients around key points, turned and scaled with them, or on a grid.

D. G. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004,
doi:10.1023/B:VISI.0000029664.99615.94.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem
from privis.features.feature import Array, Image, numbered, unit_rows
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.keypoints.keypoints import Integers, KeyPoints
from privis.features.keypoints.scale_space import CAMERA_SIGMA, LAYERS, SHIFT, SIGMA, Levels, blur, scale_space
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

CELLS = 4  # along each side of a descriptor
DIRECTIONS = 8
LENGTH = CELLS * CELLS * DIRECTIONS
CELL_SCALES = 3.0  # side of a cell, in scales of the key point
CELL_PIXELS = 4  # side of a cell in an upright patch
CLIP = 0.2
ENERGIES = (0.0, 2.0**16)  # squared length of a descriptor before normalisation; key points have 40 to 20,000
FLAT = 32.0  # added to it, so that the polynomial form of the division holds down to flat patches
SHORT = 0.02  # the same for the second normalisation, whose squared lengths are 0.3 to 1 where nothing is flat
NOTHING = 0.1  # least length that ``unit`` divides by: below it, no pixel differs by a grey level


@dataclass(frozen=True)
class SIFT:
    """SIFT descriptors of the ``keypoints`` strongest key points, strongest first: ``keypoints * 128`` numbers.

    The owner finds the key points and cuts an upright patch of 21 x 21 samples around each, 3/4 of its scale apart.
    The core turns patches ``(N, 21, 21)`` into descriptors ``(N, 128)``: rows of cells from the top, cells from the
    left, eight directions counter-clockwise from the key point's own. Missing key points are zero patches; zero and
    flat patches have zero descriptors. All others get Euclidean length 1: the core stays 1 to 2 % below, so that its
    polynomial form holds down to flat patches, and ``after`` makes it exact. (OpenCV returns 512 times as much,
    rounded and cut off at 255.)

    ``contrast`` and ``edge`` are the detector's thresholds in OpenCV's units: three times the least difference of
    Gaussians, of a range of 1, and the largest ratio of principal curvatures. ``size`` (height, width) in pixels
    resizes images first.

    Deviations: a gradient's votes are its coordinates in the basis of the two directions around it, instead of
    linear in its angle (cosine to linear votes above 0.999), which takes four signs and no angle. Patches are sampled
    around the exact position, where OpenCV sums over the pixels around the rounded one; with its coarser grid the
    median cosine to OpenCV is 0.997. Where contrast is so weak that ``FLAT`` counts, less is clipped.

    Two domains are promised, not proved: ``ENERGIES``, which natural images keep (check others with
    ``broken_promises``), and the one of the second normalisation, which always holds because the first one precedes.

    Args:
        keypoints: how many at most; missing ones are zero.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.
        contrast: least difference of Gaussians, times three, of a range of 1.
        edge: largest ratio of principal curvatures.

    Raises:
        ParameterError: a value is out of its range.

    >>> from skimage.data import camera
    >>> sift = SIFT(keypoints=8)
    >>> patches = sift.before(camera())
    >>> sift.program(patches.shape).output_shapes
    ((8, 128),)
    """

    keypoints: int = 256
    size: Size | None = None
    contrast: float = 0.04
    edge: float = 10.0

    name: ClassVar[str] = "sift"
    identifier: ClassVar[str] = "privis.sift/1"
    luma_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("SIFT.keypoints", self.keypoints, 1) + size_problem("SIFT.size", self.size)
        problems += _above_problem("SIFT.contrast", self.contrast, 0.0)
        problems += _above_problem("SIFT.edge", self.edge, 1.0)
        refuse_parameters(problems)

    def detect(self, image: Image) -> KeyPoints:
        """Find all key points of an image.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            The key points, strongest first, in pixels of the image resized to ``size``.
        """
        return self._detect(scale_space(self._luma(image)))

    def describe(self, image: Image) -> tuple[KeyPoints, NDArray[np.float32]]:
        """Find all key points of an image and describe them.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            The key points, strongest first, and their descriptors, float32 (N, 128).
        """
        space = scale_space(self._luma(image))
        points = self._detect(space)
        return points, self._describe(space, points)

    def describe_at(self, image: Image, points: KeyPoints) -> NDArray[np.float32]:
        """Describe given key points of an image.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB.
            points: any key points, in pixels of the image resized to ``size``.

        Returns:
            Descriptors, float32 (N, 128).
        """
        return self._describe(scale_space(self._luma(image)), points)

    def before(self, image: Image) -> Array:
        """Upright patches ``(keypoints, 21, 21)`` around the strongest key points, then zeros."""
        space = scale_space(self._luma(image))
        points = self._detect(space).strongest(self.keypoints)
        patches = np.zeros((self.keypoints, PATCH, PATCH), np.float32)
        patches[: len(points)] = upright_patches(space, points)
        return patches

    def core_shape(self, image_shape: Shape) -> Shape:
        """``(keypoints, 21, 21)``, whatever the image."""
        return int(self.keypoints), PATCH, PATCH

    def program(self, shape: Shape) -> Program:
        """Return the core from patches (N, 21, 21) to descriptors (N, 128)."""
        count, rows, columns = shape

        def build(x: Value) -> Value:
            return descriptors(x.reshape(count, 1, rows, columns), CELL_PIXELS, step=1).reshape(count, LENGTH)

        return trace(build, Input(shape, step=None))

    def after(self, values: Array) -> Array:
        """Descriptors of length 1, one after another."""
        return unit_rows(values, NOTHING).reshape(-1)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every descriptor is of Euclidean length 1 at most."""
        return Norms.of_blocks(len(self.names(shape)) // LENGTH, LENGTH)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components ``sift_keypoint_row_column_direction``."""
        return numbered(self.name, (shape[0], CELLS, CELLS, DIRECTIONS))

    def _luma(self, image: Image) -> Image:
        return luma(image, self.size)

    def _detect(self, space: list[Levels]) -> KeyPoints:
        from privis.features.keypoints.sift_kernels import extrema, orientations

        found = []
        for octave, levels in enumerate(space):
            points = extrema(levels, self.contrast * 255 / LAYERS, self.edge)
            scales = np.float32(SIGMA) * 2 ** (points[:, 2] / LAYERS)
            peaks = orientations(levels, points, scales)
            which, pixel = peaks[:, 0].astype(int), 2.0 ** (octave - 1)
            x, y = points[which, :2].T * pixel - SHIFT
            found.append(np.stack([x, y, 2 * pixel * scales[which], peaks[:, 1], points[which, 3] / 255]))
        columns = _distinct(np.concatenate(found, 1).astype(np.float32))  # two samples may refine to one extremum
        return KeyPoints(*columns).strongest(columns.shape[1])

    def _describe(self, space: list[Levels], points: KeyPoints) -> NDArray[np.float32]:
        """The program of all key points: compiled, without patches in memory."""
        from privis.features.keypoints.sift_kernels import describe

        result = np.empty((len(points), LENGTH), np.float32)
        guards, taps = np.array([FLAT, CLIP, SHORT], np.float32), cell_taps(CELL_PIXELS).astype(np.float32)
        for levels, own, layers, places in _placed(space, points):
            described = np.empty((len(own), LENGTH), np.float32)
            describe(levels, layers, places, PATCH, taps, guards, described)
            result[own] = described
        return unit_rows(result, NOTHING)


@dataclass(frozen=True)
class DenseSIFT:
    """SIFT descriptors on a grid, upright and of one scale; the core's input is the whole image, nothing is chosen.

    Centres lie ``step`` pixels apart. Cells are ``width`` pixels wide, so that a descriptor describes the scale ``width
    / 3``, to which the core first blurs the image, in a window of ``5 * width + 1`` pixels (one more for odd widths).
    The vector has ``rows * columns * 128`` numbers and grows with the image unless ``size`` (height, width) in pixels
    resizes it first. An image smaller than a window is continued by its border. Lengths, order, deviations and promises
    are those of ``SIFT``.

    Args:
        step: distance of centres in pixels.
        width: side of a cell in pixels.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range.

    >>> DenseSIFT(step=8, width=4).program((64, 96)).output_shapes
    ((60, 128),)
    """

    step: int = 8
    width: int = 4
    size: Size | None = None

    name: ClassVar[str] = "dense_sift"
    identifier: ClassVar[str] = "privis.dense-sift/1"
    luma_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("DenseSIFT.step", self.step, 1)
        problems += integer_problem("DenseSIFT.width", self.width, 2)
        refuse_parameters(problems + size_problem("DenseSIFT.size", self.size))

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        pixels = luma(image, self.size)
        missing = [max(0, side(self.width) - length) for length in pixels.shape]
        return np.pad(pixels, [(count // 2, count - count // 2) for count in missing], "edge")

    def core_shape(self, image_shape: Shape) -> Shape:
        """``(H, W)``, each at least as long as a patch."""
        return tuple(int(max(side(self.width), length)) for length in luma_shape(image_shape, self.size))

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to ``(rows * columns, 128)``."""
        sigma = math.sqrt((self.width / CELL_SCALES) ** 2 - CAMERA_SIGMA**2)

        def build(x: Value) -> Value:
            grid = descriptors(blur(x.reshape(1, *shape), sigma), self.width, self.step)
            return grid.reshape(-1, LENGTH)

        return trace(build, Input(shape))

    def after(self, values: Array) -> Array:
        """Descriptors of length 1, one after another."""
        return unit_rows(values, NOTHING).reshape(-1)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every descriptor is of Euclidean length 1 at most."""
        return Norms.of_blocks(len(self.names(shape)) // LENGTH, LENGTH)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``dense_sift_gridrow_gridcolumn_row_column_direction``."""
        rows, columns = ((length - side(self.width)) // self.step + 1 for length in shape)
        return numbered(self.name, (rows, columns, CELLS, CELLS, DIRECTIONS))


def reach(width: int) -> int:
    """Pixels from a descriptor's centre to the last one that votes: votes reach half a cell beyond the cells."""
    return math.ceil(width * (CELLS + 1) / 2) - 1


def side(width: int) -> int:
    """Side of a descriptor's window in pixels: gradients need one more than what votes, on either side."""
    return 2 * (reach(width) + 1) + 1


PATCH = side(CELL_PIXELS)


def descriptors(x: Value, width: int, step: int) -> Value:
    """Descriptors ``(..., rows, columns, 128)`` of images ``(..., 1, H, W)``, one for every ``step``-th window."""

    def build(x: Value) -> Value:
        shares = cell_votes(sector_votes(x), width, step) >> ops.Normalise(ENERGIES, inside=FLAT)
        excess = (shares - CLIP).relu()  # one comparison, and its polynomial form errs near the kink only
        return (shares - excess) >> ops.Normalise((0.0, 1.0), inside=SHORT)

    return region("clipped_direction_histograms", build, x)


def sector_votes(x: Value) -> Value:
    """Votes ``(..., 8, H - 2, W - 2)`` of the gradients of ``(..., 1, H, W)``, counter-clockwise from "right".

    Each gradient is written in the basis of the two directions around it; which two follows from the signs of its
    cross products with four directions. The two votes add up to 1 to 1.08 times its length.
    """
    angles = 2 * np.pi * np.arange(DIRECTIONS // 2) / DIRECTIONS
    kernel = np.zeros((DIRECTIONS // 2, 1, 3, 3))
    kernel[:, 0, 0, 1], kernel[:, 0, 2, 1] = np.cos(angles), -np.cos(angles)  # up minus down
    kernel[:, 0, 1, 0], kernel[:, 0, 1, 2] = np.sin(angles), -np.sin(angles)  # left minus right
    cross = x >> ops.Conv(kernel)  # positive where the gradient lies counter-clockwise of the direction
    axis = len(x.shape) - 3
    ahead = cross.compare(0.0, step=0.5, exact=False)
    cross = concat(cross, -1.0 * cross, axis=axis)  # the four opposite directions
    ahead = concat(ahead, 1.0 - ahead, axis=axis)
    following = ops.Gather(np.roll(np.arange(DIRECTIONS), -1), axis)
    preceding = ops.Gather(np.roll(np.arange(DIRECTIONS), 1), axis)
    between = ahead * (1.0 - (ahead >> following))  # 1 for the sector from this direction to the following one
    scale = 1 / math.sin(2 * math.pi / DIRECTIONS)
    return between * ((cross >> following) * -scale) + ((between * (cross * scale)) >> preceding)


def cell_votes(votes: Value, width: int, step: int) -> Value:
    """Sum votes ``(..., 8, H, W)`` into ``(..., rows, columns, 128)``: linear between cells, Gaussian overall."""
    *lead, height, breadth = votes.shape
    taps = cell_taps(width)
    down = votes.reshape(*lead, 1, height, breadth) >> ops.Conv(taps[:, None, :, None], (step, 1))
    rows = down.shape[-2]
    both = down.reshape(*lead, CELLS, 1, rows, breadth) >> ops.Conv(taps[:, None, None, :], (1, step))
    axes = len(lead)  # both: lead and directions, cells down, cells across, rows, columns
    ordered = both.transpose(*range(axes - 1), axes + 2, axes + 3, axes, axes + 1, axes - 1)
    return ordered.reshape(*ordered.shape[:-3], LENGTH)


def cell_taps(width: int) -> NDArray[np.float64]:
    """What the pixels along a row or a column of a window count in each cell: ``(CELLS, 2 * reach(width) + 1)``."""
    offsets = np.arange(-reach(width), reach(width) + 1) / width  # in cells, from the descriptor's centre
    centres = np.arange(CELLS) - (CELLS - 1) / 2
    window = np.exp(-(offsets**2) / (2 * (CELLS / 2) ** 2))
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(offsets - centres[:, None])) * window / width)


def upright_patches(space: list[Levels], points: KeyPoints) -> NDArray[np.float32]:
    """Cut ``(N, 21, 21)`` out of a ``scale_space``: around ``points``, upright, in the image of their scale."""
    from privis.features.keypoints.sift_kernels import cut

    patches = np.empty((len(points), PATCH, PATCH), np.float32)
    for levels, own, layers, places in _placed(space, points):
        found = np.empty((len(own), PATCH, PATCH), np.float32)
        cut(levels, layers, places, found)
        patches[own] = found
    return patches


def _placed(space: list[Levels], points: KeyPoints) -> Iterator[tuple[Levels, Integers, Integers, Array]]:
    """Each octave that describes some: its images, which points, in which image, and where, as `cut` wants it."""
    ladder = np.rint(LAYERS * (np.log2(points.size / (2 * SIGMA)) + 1)).astype(int)  # layers of all octaves in a row
    found = np.clip((ladder - 1) // LAYERS, 0, len(space) - 1)
    layers = np.clip(ladder - LAYERS * found, 0, LAYERS + 2)
    pixels = 2.0 ** (found - 1)
    x, y = (points.positions.T + SHIFT) / pixels
    spacing = points.size / 2 * CELL_SCALES / CELL_PIXELS / pixels
    places = np.stack([x, y, points.angle, spacing], 1).astype(np.float64)
    for octave, levels in enumerate(space):
        own = np.flatnonzero(found == octave)
        if len(own):
            yield levels, own, layers[own], places[own]


def _distinct(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """The distinct columns, in the order of their first row, then of their second …"""
    ordered = columns[:, np.lexsort(columns[::-1])]
    new = np.ones(ordered.shape[1], bool)
    new[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(0)
    return ordered[:, new]


def _above_problem(where: str, value: float, low: float) -> list[Problem]:
    good = isinstance(value, int | float) and math.isfinite(value) and value > low
    return [] if good else [Problem(where, repr(value), f"a number above {low:g}")]
