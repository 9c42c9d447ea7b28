"""One image held in parts by several owners: by channels, tiles, exposures or time.

A split is a small program, the joining of the parts, in front of an unchanged feature program. What the feature does
to an image before its core (``before``) is done by each owner to its part where that gives the same, and inside the
core where it can (luma of three planes, with the 8-bit rounding); where it needs the whole image (resizing, choosing
key points) the split is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from typing import Protocol

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.feature import Array, Feature, Image
from privis.features.image_ops import grey, planar
from privis.program import Input, Program, Value, concat, trace
from privis.program.shapes import Shape
from privis.readings import batched

LUMA = (9798, 19235, 3735)  # ITU-R BT.601 in OpenCV's 15-bit integers
LUMA_ONE = 1 << 15
LEVELS = 256
PIXELS = Input((), 0.0, LEVELS - 1.0)


class Split(Protocol):
    """How the images of several owners belong together."""

    def part(self, feature: Feature, image: Image) -> Array:
        """Convert what an owner holds to what it shares, at the owner.

        Args:
            feature: what is extracted.
            image: the part that the owner holds, uint8.

        Returns:
            What the owner shares.
        """
        ...

    def program(self, feature: Feature, shapes: Sequence[Shape]) -> Program:
        """Put the parts together and extract, inside.

        Args:
            feature: what is extracted.
            shapes: of the shared parts, in the owners' order.

        Returns:
            From the parts to the output of the feature's core.

        Raises:
            ParameterError: the feature needs the whole image, or the shapes do not fit together.
        """
        ...

    def core_shape(self, feature: Feature, shapes: Sequence[Shape]) -> Shape:
        """The shape that the feature's core reads when the parts are put together.

        Args:
            feature: what is extracted.
            shapes: of the shared parts, in the owners' order.

        Returns:
            The shape.
        """
        ...


@dataclass(frozen=True)
class ByChannels:
    """Three owners hold the red, the green and the blue plane, uint8 ``(H, W)``, of an image.

    Equals extraction of the whole image exactly for features that read its RGB planes and for those that read luma,
    which is rounded to 8 bits inside as OpenCV rounds it (eight comparisons per pixel). Other colour spaces, resizing
    and key points need the whole image and are refused with ParameterError.
    """

    def part(self, feature: Feature, image: Image) -> Array:
        """Return the plane as it is: (H, W).

        Raises:
            ParameterError: it is not one plane, (H, W).
        """
        if image.ndim != 2:
            raise ParameterError(Problem("ByChannels", f"an image of shape {image.shape}", "one plane, (H, W)"))
        return image

    def program(self, feature: Feature, shapes: Sequence[Shape]) -> Program:
        """Three planes to the output of the feature's core."""
        _refuse_count("ByChannels", shapes, 3)
        plane = _same("ByChannels", shapes)
        join = {_Reads.RGB: _planes, _Reads.BGR: _reversed_planes, _Reads.LUMA: _luma}[_reads(feature, plane)]
        return _joined(join, shapes, feature)

    def core_shape(self, feature: Feature, shapes: Sequence[Shape]) -> Shape:
        """Shape of one plane for features of luma, else (3, H, W)."""
        return shapes[0] if _reads(feature, shapes[0]) is _Reads.LUMA else (3, *shapes[0])


@dataclass(frozen=True)
class ByTiles:
    """The owners hold tiles, row by row from the top left.

    Neighbouring tiles share no pixels and need no halo: gradients across a border are computed inside, and the
    feature is that of the whole image exactly. Features whose ``before`` resizes or chooses key points are refused.

    Args:
        rows: of tiles.
        columns: of tiles.
    """

    rows: int = 1
    columns: int = 2

    def cut(self, image: Image) -> tuple[Image, ...]:
        """Cut an image into tiles as equal in size as pixels allow.

        Args:
            image: uint8 (H, W) or (H, W, 3).

        Returns:
            The tiles, row by row.
        """
        return tuple(
            tile for row in np.array_split(image, self.rows, 0) for tile in np.array_split(row, self.columns, 1)
        )

    def part(self, feature: Feature, image: Image) -> Array:
        """The feature's conversion of a tile, pixel by pixel.

        Raises:
            ParameterError: it changes the tile's size.
        """
        core = feature.before(image)
        if core.shape[-2:] != image.shape[:2]:  # resized, cut into patches or padded
            raise ParameterError(_whole_problem("ByTiles", feature))
        return core

    def program(self, feature: Feature, shapes: Sequence[Shape]) -> Program:
        """Tiles, row by row, to the output of the feature's core.

        Raises:
            ParameterError: the tiles do not fit together, or the feature needs the whole image.
        """
        _refuse_count("ByTiles", shapes, self.rows * self.columns)
        grid = [shapes[row * self.columns : (row + 1) * self.columns] for row in range(self.rows)]
        heights, widths = [row[0][-2] for row in grid], [tile[-1] for tile in grid[0]]
        expected = [(*shapes[0][:-2], height, width) for height in heights for width in widths]
        if list(shapes) != expected:
            remedy = "tiles of a row are equally high, tiles of a column equally wide"
            raise ParameterError(Problem("ByTiles", f"tiles of shapes {list(shapes)}", f"{expected}", remedy))
        self._check_before(feature, heights, widths)

        def join(*tiles: Value) -> Value:
            starts = range(0, len(tiles), self.columns)
            return concat(*(concat(*tiles[at : at + self.columns], axis=-1) for at in starts), axis=-2)

        return _joined(join, shapes, feature)

    def core_shape(self, feature: Feature, shapes: Sequence[Shape]) -> Shape:
        """Shape of the whole image, put together from its tiles."""
        height = sum(shape[-2] for shape in shapes[:: self.columns])
        return (*shapes[0][:-2], height, sum(shape[-1] for shape in shapes[: self.columns]))

    def _check_before(self, feature: Feature, heights: list[int], widths: list[int]) -> None:
        """A random image shows whether converting tiles is the same as converting the whole."""
        image = _probe((sum(heights), sum(widths)))
        whole = feature.before(image)
        bottoms, rights = list(accumulate(heights)), list(accumulate(widths))
        for bottom, height in zip(bottoms, heights, strict=True):
            for right, width in zip(rights, widths, strict=True):
                at = (slice(bottom - height, bottom), slice(right - width, right))
                if not np.array_equal(feature.before(np.ascontiguousarray(image[at])), whole[..., *at]):
                    raise ParameterError(_whole_problem("ByTiles", feature))


@dataclass(frozen=True)
class ByExposures:
    """Every owner holds its own exposure of the same scene; the feature is that of their mean.

    The mean is taken of what the feature's core reads (luma, planes) and rounded to 8 bits, halves up, inside: exactly
    the feature of ``merged`` of the exposures. Features whose core reads anything but the pixels are refused.
    """

    def part(self, feature: Feature, image: Image) -> Array:
        """The feature's conversion of an exposure."""
        return feature.before(image)

    def merged(self, parts: Sequence[Array]) -> Array:
        """Merge the exposures in the clear: for those who may see them, and for tests.

        Args:
            parts: of one shape, as the core reads them.

        Returns:
            Their mean, rounded halves up, uint8.
        """
        total = np.sum([part.astype(np.int64) for part in parts], 0)
        return ((total + len(parts) // 2) // len(parts)).astype(np.uint8)

    def program(self, feature: Feature, shapes: Sequence[Shape]) -> Program:
        """Exposures to the output of the feature's core."""
        shape = _same("ByExposures", shapes)
        _check_pixels("ByExposures", feature, shape)
        return _joined(lambda *parts: rounded_quotient(_total(parts), len(parts)), shapes, feature)

    def core_shape(self, feature: Feature, shapes: Sequence[Shape]) -> Shape:
        """Shape of one exposure: all are alike."""
        return shapes[0]


class OverTime(Enum):
    """What is computed of frames: the mean of their features, or the feature of the difference of two frames."""

    MEAN = "mean"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class ByTime:
    """Every owner holds one frame of a video, in order of time.

    ``MEAN``: the mean over all frames of the core's output (histograms, blocks), whatever the feature. ``DIFFERENCE``:
    the feature of the absolute difference of two frames, pixel by pixel of what its core reads; features whose core
    reads anything but the pixels are refused.

    Args:
        over: what becomes of the frames.
    """

    over: OverTime = OverTime.MEAN

    def part(self, feature: Feature, image: Image) -> Array:
        """Convert one frame as the feature does."""
        return feature.before(image)

    def program(self, feature: Feature, shapes: Sequence[Shape]) -> Program:
        """Frames to the mean of the core's outputs, or to the core's output for their difference."""
        shape = _same("ByTime", shapes)
        if self.over is OverTime.DIFFERENCE:
            _refuse_count("ByTime", shapes, 2)
            _check_pixels("ByTime", feature, shape)
            return _joined(lambda earlier, later: (later - earlier).abs(), shapes, feature)
        core = feature.program(shape)
        stack = trace(lambda *frames: _stacked(frames), *(core.inputs[0],) * len(shapes))
        together = stack >> batched(core, len(shapes))
        made = Input(together.output_shapes[0], -np.inf, np.inf, None)
        return together >> trace(lambda values: values.sum(0) * (1 / len(shapes)), made)

    def core_shape(self, feature: Feature, shapes: Sequence[Shape]) -> Shape:
        """Shape of one frame: all are alike."""
        return shapes[0]


def rounded_quotient(x: Value, divisor: int) -> Value:
    """Integers over ``divisor``, rounded with halves up, 0 to 255: one comparison for each of the eight bits."""
    rest = x + float(divisor // 2)
    quotient = None
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        digit = rest.compare(float(bit * divisor))
        rest = rest - digit * float(bit * divisor) if bit > 1 else rest
        quotient = digit * float(bit) if quotient is None else quotient + digit * float(bit)
    assert quotient is not None
    return quotient


class _Reads(Enum):
    LUMA = "luma"
    RGB = "the planes red, green, blue"
    BGR = "the planes blue, green, red"


def _reads(feature: Feature, shape: Shape) -> _Reads:
    """What a feature's core reads of an RGB image: a random image shows it."""
    image = _probe(shape)
    core = feature.before(image)
    candidates = {_Reads.LUMA: grey(image), _Reads.RGB: planar(image), _Reads.BGR: planar(image)[::-1]}
    for reads, expected in candidates.items():
        if core.shape == expected.shape and np.array_equal(core, expected):
            return reads
    raise ParameterError(_whole_problem("ByChannels", feature))


def _check_pixels(name: str, feature: Feature, shape: Shape) -> None:
    """Refuse unless the core reads integers from 0 to 255."""
    declared = feature.program(shape).inputs[0]
    if (declared.low, declared.high, declared.step) != (PIXELS.low, PIXELS.high, PIXELS.step):
        raise ParameterError(_whole_problem(name, feature))


def _whole_problem(name: str, feature: Feature) -> Problem:
    got = f"{feature.name}, whose before() needs the whole image"
    expected = "a feature that reads the pixels, or their luma, at the image's own size"
    return Problem(name, got, expected, "let the owners resize or convert their parts alike, and pass no size")


def _probe(shape: Shape) -> Image:
    return np.random.default_rng(0).integers(0, LEVELS, (*shape[-2:], 3), np.uint8)


def _joined(join: Callable[..., Value], shapes: Sequence[Shape], feature: Feature) -> Program:
    front = trace(join, *(Input(shape, PIXELS.low, PIXELS.high, PIXELS.step) for shape in shapes))
    return front >> feature.program(front.output_shapes[0])


def _luma(red: Value, green: Value, blue: Value) -> Value:
    return rounded_quotient(_total([p * float(w) for p, w in zip((red, green, blue), LUMA, strict=True)]), LUMA_ONE)


def _planes(*planes: Value) -> Value:
    return _stacked(planes)


def _reversed_planes(*planes: Value) -> Value:
    return _stacked(planes[::-1])


def _stacked(values: Sequence[Value]) -> Value:
    return concat(*(value.reshape(1, *value.shape) for value in values))


def _total(values: Sequence[Value]) -> Value:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _refuse_count(name: str, shapes: Sequence[Shape], count: int) -> None:
    if len(shapes) != count:
        raise ParameterError(Problem(name, f"parts of {len(shapes)} owners", f"of {count} owners, in order"))


def _same(name: str, shapes: Sequence[Shape]) -> Shape:
    if len(set(shapes)) != 1:
        raise ParameterError(Problem(name, f"parts of shapes {list(shapes)}", "parts of one shape"))
    return shapes[0]
