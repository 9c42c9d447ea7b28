"""Key points found inside the core: response maps, non-maximum suppression and the strongest ones, obliviously.

Nothing here looks at a value to decide what to do next, so the same program finds key points in the clear and on
shares: whoever computes learns neither the image nor where its key points are. Deviations from the detectors of the
owner's side (``SIFT.detect``, ``SURF.detect``): key points stay on the samples of the response maps instead of being
refined between them, and have no orientation. ``SIFT.describe_at`` describes them.

D. G. Lowe, IJCV 2004, doi:10.1023/B:VISI.0000029664.99615.94; H. Bay, A. Ess, T. Tuytelaars and L. Van Gool, "Speeded-
up robust features (SURF)", CVIU 2008, doi:10.1016/j.cviu.2007.09.014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.feature import Array, Image, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.keypoints.keypoints import KeyPoints
from privis.features.keypoints.scale_space import LAYERS, SHIFT, SIGMA, level_matrices
from privis.features.keypoints.surf import MIXED, filter_sides
from privis.program import Input, Program, Value, concat, ops, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

FIELDS = ("x", "y", "size", "response")
MARGIN = 5  # samples along the border of an octave without SIFT key points
CURVATURES = (
    np.array(  # second derivatives along x, along y and mixed
        [[[0, 0, 0], [1, -2, 1], [0, 0, 0]], [[0, 1, 0], [0, -2, 0], [0, 1, 0]], [[1, 0, -1], [0, 0, 0], [-1, 0, 1]]]
    )
    * np.array([1.0, 1.0, 0.25]).reshape(3, 1, 1)
    / 8
)  # the test compares a ratio: small numbers fit every ring


@dataclass(frozen=True)
class SIFTKeyPoints:
    """The ``keypoints`` strongest SIFT key points, found inside the core: x, y, size, response of each.

    Extrema of the differences of Gaussians among their 26 neighbours, in octaves of three layers. The strongest comes
    first; missing key points are zero. Positions and sizes are pixels of the resized image.

    Deviation beside those of this module: of two neighbouring samples with opposite signs only the larger counts.

    Args:
        keypoints: how many at most.
        octaves: how many, 1 to 8, of three layers each.
        doubled: begin with the doubled image, which finds smaller key points in four times as many samples.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.
        contrast: least difference of Gaussians, times three, of a range of 1, as of `SIFT`.
        edge: largest ratio of principal curvatures, as of `SIFT`.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image is too small for its octaves.

    >>> SIFTKeyPoints(keypoints=8).program((64, 64)).output_shapes
    ((8, 4),)
    """

    identifier: ClassVar[str] = "privis.sift-key-points/1"

    keypoints: int = 32
    octaves: int = 2
    doubled: bool = False
    size: Size | None = None
    contrast: float = 0.04
    edge: float = 10.0

    name: ClassVar[str] = "sift_keypoints"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("SIFTKeyPoints.keypoints", self.keypoints, 1)
        problems += integer_problem("SIFTKeyPoints.octaves", self.octaves, 1, 8)
        problems += _bool_problem("SIFTKeyPoints.doubled", self.doubled)
        problems += size_problem("SIFTKeyPoints.size", self.size)
        problems += _number_problem("SIFTKeyPoints.contrast", self.contrast, 0.0)
        problems += _number_problem("SIFTKeyPoints.edge", self.edge, 1.0)
        refuse_parameters(problems)

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def response_program(self, shape: Shape) -> Program:
        """The linear first part of the core, which has a polynomial form.

        Args:
            shape: (H, W) of the luma.

        Returns:
            ``(H, W)`` to the differences of Gaussians, ``(5, rows, columns)`` per octave.
        """
        return trace(lambda x: tuple(self._responses(x)), Input(shape))

    def program(self, shape: Shape) -> Program:
        """Return the core from luma (H, W) to key points (keypoints, 4)."""
        first = 0.5 if self.doubled else 1.0
        shift = SHIFT if self.doubled else 0.0
        scales = SIGMA * 2.0 ** (np.arange(1, LAYERS + 1) / LAYERS)
        within = MARGIN - 1  # neighbours and curvatures need one sample more
        shapes = [made[1:] for made in self.response_program(shape).output_shapes]
        _check_size(self.name, shape, [(rows - 2 * MARGIN, columns - 2 * MARGIN) for rows, columns in shapes])

        def build(x: Value) -> Value:
            maps = []
            for octave, response in enumerate(self._responses(x)):
                pixel = first * 2**octave
                inner = response[:, within : response.shape[1] - within, within : response.shape[2] - within]
                strength = suppressed(inner.abs(), blobs(inner[1:-1], self.edge))
                corner = MARGIN * pixel - shift
                maps.append(Samples(strength, corner, pixel, tuple(2 * pixel * scales)))
            points = strongest(maps, self.keypoints, self.contrast * 255 / LAYERS)
            return points * np.array([1, 1, 1, 1 / 255])

        return trace(build, Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten key points (keypoints, 4) to a float32 vector."""
        return vector(values)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components ``sift_keypoints_0_x`` and so on."""
        return _names(self.name, self.keypoints)

    def _responses(self, x: Value) -> list[Value]:
        return differences(x, self.octaves, doubled=self.doubled)


@dataclass(frozen=True)
class SURFKeyPoints:
    """The ``keypoints`` strongest SURF key points, found inside the core: x, y, size, response of each.

    Maxima of the determinant of the Hessian among their 26 neighbours. The strongest comes first; missing key points
    are zero. Positions and sizes are pixels of the resized image.

    Args:
        keypoints: how many at most.
        octaves: how many, 1 to 8, of four box filters each.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.
        threshold: least determinant of the Hessian, in squared grey levels.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image is too small for its octaves.

    >>> SURFKeyPoints(keypoints=8).program((64, 64)).output_shapes
    ((8, 4),)
    """

    identifier: ClassVar[str] = "privis.surf-key-points/1"

    keypoints: int = 32
    octaves: int = 1
    size: Size | None = None
    threshold: float = 10.0

    name: ClassVar[str] = "surf_keypoints"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("SURFKeyPoints.keypoints", self.keypoints, 1)
        problems += integer_problem("SURFKeyPoints.octaves", self.octaves, 1, 8)
        problems += size_problem("SURFKeyPoints.size", self.size)
        problems += _number_problem("SURFKeyPoints.threshold", self.threshold, 0.0)
        refuse_parameters(problems)

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def response_program(self, shape: Shape) -> Program:
        """The first part of the core: the determinants that maxima are taken of, a polynomial of degree two.

        The maps start at sample ``margin - 1`` of every octave.

        Args:
            shape: (H, W) of the luma.

        Returns:
            ``(H, W)`` to determinants, ``(4, rows, columns)`` per octave.
        """
        return trace(lambda x: tuple(self._responses(x)), Input(shape))

    def program(self, shape: Shape) -> Program:
        """Return the core from luma (H, W) to key points (keypoints, 4)."""
        _check_size(self.name, shape, [_inside(shape, octave) for octave in range(self.octaves)])

        def build(x: Value) -> Value:
            maps = []
            for octave, response in enumerate(self._responses(x)):
                sides, step = filter_sides(octave), 2.0**octave
                sizes = tuple(float(side) for side in sides[1:-1])
                maps.append(Samples(suppressed(response), hessian_margin(octave) * step, step, sizes))
            return strongest(maps, self.keypoints, self.threshold)

        return trace(build, Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten key points (keypoints, 4) to a float32 vector."""
        return vector(values)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components ``surf_keypoints_0_x`` and so on."""
        return _names(self.name, self.keypoints)

    def _responses(self, x: Value) -> list[Value]:
        return [determinants(x, octave) for octave in range(self.octaves)]


@dataclass(frozen=True, eq=False)
class Samples:
    """Strengths ``(layers, rows, columns)``, zero but at key points; where they lie and how large they are, in pixels.

    ``corner`` is the x and y of the first sample, ``pixel`` the distance between samples, ``sizes`` one per layer.
    """

    strength: Value
    corner: float
    pixel: float
    sizes: tuple[float, ...]

    @property
    def rows(self) -> np.ndarray:
        """For every row of samples: how many they are, y, size, distance between samples, and x of the first."""
        layers, rows, columns = self.strength.shape
        table = np.empty((layers, rows, 5))
        table[..., 0], table[..., 3], table[..., 4] = columns, self.pixel, self.corner
        table[..., 1] = self.corner + self.pixel * np.arange(rows)
        table[..., 2] = np.asarray(self.sizes)[:, None]
        return table.reshape(-1, 5)


def key_points(features: Array) -> KeyPoints:
    """Read the vector of ``SIFTKeyPoints`` or ``SURFKeyPoints`` as key points; the missing ones are left out.

    >>> key_points(np.array([3, 4, 8, 0.5, 0, 0, 0, 0])).x.tolist()
    [3.0]
    """
    rows = np.asarray(features, np.float32).reshape(-1, len(FIELDS))
    x, y, size, response = rows[rows[:, 2] > 0.5].T  # fixed point leaves a trace of what it multiplies by zero
    return KeyPoints(x, y, size, np.zeros_like(x), response)


def differences(x: Value, count: int, *, doubled: bool) -> list[Value]:
    """``(H, W)`` to the differences of Gaussians ``(LAYERS + 2, rows, columns)`` of ``count`` octaves.

    Every level is two products with public matrices, whatever its blur: few roundings, and nothing to communicate.
    """
    down, across = (level_matrices(length, count, doubled=doubled) for length in x.shape)
    result = []
    for rows, columns in zip(down, across, strict=True):
        levels = [between(x, row, column) for row, column in zip(rows, columns, strict=True)]
        stack = [level.reshape(1, *level.shape) for level in levels]
        result.append(concat(*(wide - narrow for narrow, wide in pairwise(stack))))
    return result


def between(x: Value, rows: np.ndarray, columns: np.ndarray) -> Value:
    """``rows @ x @ columns.T`` with public matrices."""
    return ((x >> ops.Dense(columns)).transpose(1, 0) >> ops.Dense(rows)).transpose(1, 0)


def suppressed(strength: Value, kept: Value | None = None) -> Value:
    """``(layers + 2, H, W)`` to ``(layers, H - 2, W - 2)``: the value where no neighbour is larger, else 0.

    ``kept`` is 1 where a key point may be at all. The largest of 27 values are three times the largest of three.
    """
    inner = strength[1:-1, 1:-1, 1:-1]
    largest = strength
    for axis in (2, 1, 0):
        largest = _largest_of_three(largest, axis)
    peak = (inner - largest).compare(0.0, exact=False)  # never above 0, and 0 at the largest itself
    return inner * (peak if kept is None else peak * kept)


def _largest_of_three(x: Value, axis: int) -> Value:
    length = x.shape[axis] - 2
    cuts = [x[(slice(None),) * axis + (slice(start, start + length),)] for start in range(3)]
    return concat(*(cut.reshape(1, *cut.shape) for cut in cuts)) >> ops.Max((0,))


def blobs(x: Value, edge: float) -> Value:
    """``(layers, H, W)`` to ``(layers, H - 2, W - 2)``: 1 where the ratio of curvatures is below ``edge``, else 0."""
    curved = x.reshape(x.shape[0], 1, *x.shape[1:]) >> ops.Conv(CURVATURES[:, None])
    across, down, mixed = (curved[:, i] for i in range(3))
    trace_, determinant = across + down, across * down - mixed * mixed
    return (determinant * ((edge + 1) ** 2 / edge) - trace_ * trace_).compare(0.0, exact=False)


def hessian_margin(octave: int) -> int:
    """Samples along the border of a SURF octave without key points: its largest filter does not fit there."""
    return filter_sides(octave)[-1] // 2 // 2**octave + 2


def determinants(x: Value, octave: int) -> Value:
    """``(H, W)`` to ``(4, rows, columns)``: determinants of the Hessian, grey levels squared, at every sample inside.

    Box filters are products of a column and a row, and matrices of integers along either axis: exact on integers.
    """
    result = []
    for side in filter_sides(octave):
        rows, columns = (_derivatives(length, octave, side) for length in x.shape)
        pairs = (rows[0], columns[1]), (rows[1], columns[0]), (rows[2], columns[2])
        across, down, mixed = (between(x, row, column) * (1 / side**2) for row, column in pairs)
        determinant = across * down - (MIXED**2) * (mixed * mixed)
        result.append(determinant.reshape(1, *determinant.shape))
    return concat(*result)


def _derivatives(length: int, octave: int, side: int) -> np.ndarray:
    """``(3, samples, length)``: a box, its second derivative and its slope at every sample inside and one around."""
    reach, lobe, step = side // 2, side // 3, 2**octave
    taps = np.zeros((3, side))
    taps[0, reach - lobe + 1 : reach + lobe] = 1.0
    taps[1] = np.repeat([1.0, -2.0, 1.0], lobe)
    taps[2, reach - lobe : reach], taps[2, reach + 1 : reach + 1 + lobe] = 1.0, -1.0
    margin = hessian_margin(octave)
    centres = np.arange(margin - 1, -(-length // step) - margin + 1) * step
    matrix = np.zeros((3, len(centres), length))
    matrix[:, np.arange(len(centres))[:, None], centres[:, None] + np.arange(-reach, reach + 1)] = taps[:, None]
    return matrix


def _inside(shape: Shape, octave: int) -> tuple[int, int]:
    """Rows and columns of samples of a SURF octave that key points may lie on."""
    rows, columns = (-(-length // 2**octave) - 2 * hessian_margin(octave) for length in shape)
    return rows, columns


def strongest(maps: Sequence[Samples], count: int, least: float) -> Value:
    """``(count, 4)``: x, y, size and strength of the strongest samples, zero where they are weaker than ``least``.

    A position is found from its index by comparing it with the first index of every row of samples: sums of those
    comparisons look the row up in a public table.
    """
    flat = concat(*(m.strength.reshape(-1) for m in maps))
    if flat.shape[0] < count:
        got, remedy = f"{flat.shape[0]} samples that could be key points", "choose fewer key points or a larger size"
        raise ParameterError(Problem("key points", got, f"at least keypoints={count}", remedy))
    top = flat >> ops.TopK(count)
    strength, index = (top[i].reshape(count, 1) for i in range(2))
    table = np.concatenate([m.rows for m in maps])
    table[:, 0] = np.cumsum(table[:, 0]) - table[:, 0]  # the first index of the row
    after = index.compare(table[1:, 0] - 0.5, exact=False)
    row = (after >> ops.Dense(np.diff(table, axis=0).T)) + table[0]
    start, y, size, pixel, corner = (row[:, i : i + 1] for i in range(5))
    points = concat(corner + pixel * (index - start), y, size, strength, axis=1)
    return points * strength.compare(least, exact=False)


def _check_size(name: str, shape: Shape, inside: Sequence[tuple[int, int]]) -> None:
    if any(length < 1 for sides in inside for length in sides):
        got, expected = f"an image of {shape[0]}x{shape[1]} pixels", "one with room for every octave inside its margin"
        raise ParameterError(Problem(name, got, expected, "choose fewer octaves or a larger size=(height, width)"))


def _names(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{point}_{field}" for point in range(count) for field in FIELDS)


def _number_problem(where: str, value: object, low: float) -> list[Problem]:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > low
    return [] if good else [Problem(where, repr(value), f"a number above {low:g}")]


def _bool_problem(where: str, value: object) -> list[Problem]:
    return [] if isinstance(value, bool) else [Problem(where, repr(value), "True or False")]
