"""What stands out of a background that the frames before tell: subtraction without any state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from privis.errors import Problem
from privis.features.feature import Array, Image, numbered, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.motion.frame_stack import apart, by_cells, frame_shape, stack_problems
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem


class BackgroundStatistic(Enum):
    """What the frames before the last one say of the place without what moves."""

    MEDIAN = "median"
    MEAN = "mean"


@dataclass(frozen=True)
class Foreground:
    """Counts of pixels of the last frame that are darker than the background, like it, and brighter, per cell.

    The background of a pixel is the median or the mean of its grey levels in the frames before the last one; the pixel
    belongs to the foreground where it differs from that by at least ``threshold``. No median is computed: a pixel is so
    much brighter than the median of an odd number of levels exactly where it is so much brighter than more than half of
    them, which takes comparisons and a sum. The image is ``frames`` frames below each other. Reference: Cucchiara et
    al., "Detecting moving objects, ghosts, and shadows in video streams", 2003, doi:10.1109/TPAMI.2003.1233909.

    Args:
        frames: of an image, 2 to 64; for the median an even number, so that the background has an odd one.
        background: median or mean of the frames before the last.
        threshold: grey levels, 1 to 255.
        grid: (rows, columns) of cells of a frame; pixels at the right and at the bottom that fill no cell are left out.
        density: shares of a cell's pixels instead of counts.
        size: (height, width) in pixels of the whole image that images are resized to first; its height is a multiple of
            ``frames``; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, an image that is no such stack of frames.

    >>> Foreground(frames=4, grid=(1, 1)).program((8, 6)).output_shapes
    ((1, 1, 3),)
    """

    frames: int = 6
    background: BackgroundStatistic = BackgroundStatistic.MEDIAN
    threshold: int = 24
    grid: tuple[int, int] = (4, 4)
    density: bool = False
    size: Size | None = None

    name: ClassVar[str] = "foreground"
    identifier: ClassVar[str] = "privis.foreground/1"
    luma_only: ClassVar[bool] = True
    pixelwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = stack_problems("Foreground", self.frames, self.grid)
        if not isinstance(self.background, BackgroundStatistic):
            known = ", ".join(map(str, BackgroundStatistic))
            problems.append(Problem("Foreground.background", repr(self.background), f"a BackgroundStatistic: {known}"))
        if not problems and self.background is BackgroundStatistic.MEDIAN and self.frames % 2:
            got, expected = f"{self.frames} with a median", "an even number: an odd one before the last"
            problems.append(Problem("Foreground.frames", got, expected, "or background=BackgroundStatistic.MEAN"))
        problems += integer_problem("Foreground.threshold", self.threshold, 1, 255)
        refuse_parameters(problems + size_problem("Foreground.size", self.size))

    @property
    def counts(self) -> bool:
        """Whether the vector is counts: unless ``density`` divides them."""
        return not self.density

    def before(self, image: Image) -> Array:
        """Return the luma of all frames as the core's input: uint8 (frames x H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (frames x H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(frames x H, W)`` to ``(rows, columns, 3)``."""
        height, width = frame_shape("Foreground", shape, self.frames, max(self.grid))
        pixels = float((height // self.grid[0]) * (width // self.grid[1]))

        def signs(x: Value) -> tuple[Value, Value]:
            separate = apart(x, self.frames)
            return self._signs(separate[-1].reshape(1, height, width), separate[:-1])

        def counted(x: Value) -> Value:
            brighter, darker = signs(x)
            codes = by_cells(brighter - darker, self.grid)
            return codes.reshape(1, *codes.shape) >> ops.Histogram(((0.0, 1.0),))

        def summed(x: Value) -> Value:
            # the two comparisons are the counts: no third one
            up, down = (by_cells(sign, self.grid).sum(-1).reshape(*self.grid, 1) for sign in signs(x))
            return concat(down, pixels - (up + down), up, axis=2)

        return trace(lambda x: region("foreground_counts", counted, x, polynomial=summed), Input(shape))

    def _signs(self, last: Value, earlier: Value) -> tuple[Value, Value]:
        """``(1, H, W)`` and ``(frames - 1, H, W)`` to 1 where brighter, and where darker, than the background."""
        count, shape = self.frames - 1, last.shape[1:]
        if self.background is BackgroundStatistic.MEAN:
            difference = (last * float(count)).reshape(*shape) - earlier.sum(0)
            least = float(self.threshold * count)
            return difference.compare(least), (difference * -1.0).compare(least)
        # from the last frame's places, one frame after another: `reach` then sees which pixels an element is made of
        difference = concat(*(last - earlier[at : at + 1] for at in range(count)))
        least, half = float(self.threshold), (count + 1) / 2
        above = difference.compare(least).sum(0)
        below = (difference * -1.0).compare(least).sum(0)
        return above.compare(half), below.compare(half)

    def after(self, values: Array) -> Array:
        """Flatten counts (rows, columns, 3), or shares of a cell's pixels, to a float32 vector."""
        return vector(values / values.sum(-1, keepdims=True)) if self.density else vector(values)

    def traced_after(self, values: Value, shape: Shape) -> Value:
        """Write down what `after` computes: the pixels of a cell, which ``density`` divides by, are public.

        Args:
            values: output of the core, in a program that is being traced.
            shape: of the core's input.

        Returns:
            The vector, (components,).
        """
        counts = values.reshape(-1)
        return counts * (1.0 / self._pixels(shape)) if self.density else counts

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every pixel of a cell counts once, and ``density`` divides by their number."""
        return Norms.of_counts(math.prod(self.grid), 1.0 if self.density else float(self._pixels(shape)))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``foreground_row_column_sign``: signs are 0 darker, 1 as the background, 2 brighter."""
        return numbered("foreground", (*self.grid, 3))

    def _pixels(self, shape: Shape) -> int:
        return (shape[0] // self.frames // self.grid[0]) * (shape[1] // self.grid[1])
