"""What moves in a clip of a few seconds, how fast, how high and how suddenly: a descriptor of behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.features.feature import Array, Image, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.motion.frame_stack import apart, by_cells, frame_shape, stack_problems
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, trace
from privis.program.ops import Kind
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

LEVELS = (6, 12, 24, 48, 96)
"""Grey levels from which on a pixel counts as changed, of which the second is also that of a moving one."""
FLAT = 4.0
"""Squared grey levels of slope a pixel, added where speed is divided by it: plain areas tell no speed."""
NOISE = 8.0
"""Grey levels of a difference that are taken for noise of the camera."""
FASTEST = 8.0
"""Pixels from one frame to the next: speeds are cut off there, and are in shares of it."""
STRONGEST = 256.0
BANDS, PARTS = 4, 6
"""Bands of the picture, from the top, and parts of the clip, in which motion is summed up."""
SPEEDS = ("down", "sideways", "downwards", "speed")
PLACES = ("height", "tall", "wide")
STATISTICS = ("max", "min", "mean", "deviation")
_CHANGES = len(LEVELS)
_WIDTH = _CHANGES + 4 + 4 + BANDS


@dataclass(frozen=True)
class ClipMotion:
    """Statistics over a clip of what moves in it: a descriptor for falls, fights and other behaviour.

    The image is ``frames`` frames below each other, ``rate`` a second. The core says of every two frames that follow
    each other how many pixels change by how much; how fast things move: by the slope of grey levels in each cell (Lucas
    and Kanade's normal equations along each axis apart), weighted by the moving pixels of the cell; where they are; and
    how much changes in each band of the picture. The owner takes largest, smallest and mean values and deviations over
    the clip, and the changes of bands in each part of it. Moments in which no pixel changes do not count, so that a
    short clip may be filled up with its last frame. References: Lucas and Kanade, 1981; Hassner, Itcher and
    Kliper-Gross, "Violent flows", 2012, doi:10.1109/CVPRW.2012.6239348, for statistics of how motion changes.

    Args:
        frames: of a clip, 8 to 64.
        rate: frames a second; whoever reads the video takes them so.
        grid: (rows, columns) of cells of a frame; pixels at the right and at the bottom that fill no cell are left out.
        size: (height, width) in pixels of the whole image that images are resized to first; its height is a multiple of
            ``frames``; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, an image that is no such stack of frames.

    >>> ClipMotion().program((2880, 80)).output_shapes, len(ClipMotion().names((2880, 80)))
    (((47, 17),), 76)
    """

    frames: int = 48
    rate: int = 15
    grid: tuple[int, int] = (6, 8)
    size: Size | None = (2880, 80)

    name: ClassVar[str] = "clip-motion"
    identifier: ClassVar[str] = "privis.clip-motion/1"
    luma_only: ClassVar[bool] = True
    pixelwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = stack_problems("ClipMotion", self.frames, self.grid, least=8)
        problems += integer_problem("ClipMotion.rate", self.rate, 1, 120)
        refuse_parameters(problems + size_problem("ClipMotion.size", self.size))
        if self.size is not None:
            self._frame(self.size)

    def before(self, image: Image) -> Array:
        """Return the luma of all frames as the core's input: uint8 (frames x H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (frames x H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(frames x H, W)`` to ``(frames - 1, 17)``: shares of changes, sums of speeds, of places, and bands."""
        height, width = self._frame(shape)
        return trace(lambda x: self._moments(x, height, width), Input(shape))

    def _moments(self, x: Value, height: int, width: int) -> Value:
        """All sums are over the moving pixels of a cell, as shares of all pixels of all cells."""
        rows, columns = self.grid
        pixels = (height // rows) * (width // columns)
        whole = rows * columns * pixels
        steps = self.frames - 1
        each = apart(x, self.frames)
        difference, middle = each[1:] - each[:-1], (each[1:] + each[:-1]) * 0.5
        size = difference.abs((-255.0, 255.0))
        changed = [by_cells(size.compare(float(level)), self.grid).sum(1, 2, 3) * (1 / whole) for level in LEVELS]
        moving = by_cells(size.compare(float(LEVELS[1])), self.grid).sum(3)
        down = self._speed(difference, _slope(middle, 1), pixels)
        across = self._speed(difference, _slope(middle, 2), pixels)
        speed = (down * down + across * across).sqrt()
        flows = [(moving * each).sum(1, 2) * (1 / whole) for each in (down, across.abs(), down.relu(), speed)]
        y = ((np.arange(rows) + 0.5) / rows)[None, :, None]
        x_ = ((np.arange(columns) + 0.5) / columns)[None, None, :]
        places = [
            (moving * np.broadcast_to(each, (1, rows, columns))).sum(1, 2) * (1 / whole)
            for each in (y, y * y, x_, x_ * x_)
        ]
        strong = (size + -NOISE).relu()
        bands = by_cells(strong, (BANDS, 1)).sum(2, 3) * (1 / (height // BANDS * width))
        columns_ = [each.reshape(steps, 1) for each in (*changed, *flows, *places)]
        return concat(*columns_, bands, axis=1)

    def _speed(self, difference: Value, slope: Value, pixels: int) -> Value:
        """Pixels a frame along one axis, for each cell."""
        against = by_cells(difference * slope, self.grid).sum(3)
        steep = by_cells(slope * slope, self.grid).sum(3)
        return -1.0 * (against * (steep >> ops.Nonlinear(Kind.RECIPROCAL, a=FLAT * pixels)))

    def after(self, values: Array) -> Array:
        """Take statistics over the moments in which something changes: float32 (76,)."""
        moments = np.asarray(values, np.float64)
        kept = moments[:, 0] > 0
        moments = moments[kept] if kept.sum() > 1 else moments
        changes = np.sqrt(np.clip(moments[:, :_CHANGES], 0, 1))
        rest = moments[:, _CHANGES:]
        share = np.clip(moments[:, 1], 0, 1)
        cells = self.grid[0] * self.grid[1]
        weight = share + 0.5 / cells  # half a cell more: a few pixels that flicker are neither fast nor anywhere
        speeds = np.clip(rest[:, :4] / weight[:, None] / FASTEST, -1, 1)
        down, tall, right, wide = (rest[:, 4:8] / weight[:, None]).T
        total = share / weight
        places = [down, _spread(tall, down, total), _spread(wide, right, total)]
        signals = [*speeds.T, *changes.T, *places, np.diff(speeds[:, 0]) / 2]
        statistics = [_statistics(each) for each in signals]
        bands = np.sqrt(np.clip(_parts(rest[:, 8:]) / STRONGEST, 0, 1))
        return vector(np.clip(np.concatenate([*statistics, bands.ravel()]), -1, 1))

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every component is between -1 and 1."""
        components = len(self.names(shape))
        return Norms(float(components), float(np.sqrt(components)))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``signal_statistic``, then ``band_part_band``: bands from the top."""
        signals = (*SPEEDS, *(f"changed{level}" for level in LEVELS), *PLACES, "jerk")
        bands = [f"band_{part}_{band}" for part in range(PARTS) for band in range(BANDS)]
        return (*(f"{signal}_{statistic}" for signal in signals for statistic in STATISTICS), *bands)

    def _frame(self, shape: Shape) -> tuple[int, int]:
        return frame_shape("ClipMotion", shape, self.frames, max(8, BANDS, *self.grid))


def _slope(x: Value, axis: int) -> Value:
    """Central differences along an axis of (frames, H, W), zero on the border."""
    length = x.shape[axis]
    widths = tuple((1, 1) if each == axis else (0, 0) for each in range(3))
    late, early = ([slice(None)] * 3 for _ in range(2))
    late[axis], early[axis] = slice(2, length), slice(0, length - 2)
    return ((x[tuple(late)] - x[tuple(early)]) * 0.5) >> ops.Pad(widths)


def _spread(squares: NDArray[np.float64], mean: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(squares - 2 * mean * mean + mean * mean * total, 0))


def _statistics(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(values):
        return np.zeros(len(STATISTICS))
    return np.array([values.max(), values.min(), values.mean(), values.std()])


def _parts(bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over as many parts of the clip, each of a moment at least."""
    count = len(bands)
    starts = [part * count // PARTS for part in range(PARTS)]
    ends = [max((part + 1) * count // PARTS, start + 1) for part, start in enumerate(starts)]
    return np.stack([bands[start:end].mean(0) for start, end in zip(starts, ends, strict=True)])
