"""How much frames that follow each other differ, cell by cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from privis.features.feature import Array, Image, numbered, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.motion.frame_stack import apart, by_cells, frame_shape, stack_problems
from privis.features.norms import Norms
from privis.program import Input, Program, Value, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem


@dataclass(frozen=True)
class MotionEnergy:
    """Mean squared difference of frames that follow each other, per cell of a grid, as a share of the largest: 255².

    One product of hidden values, so that encryption computes it exactly and in little time. The image is ``frames``
    frames below each other. Reference: Bobick and Davis, "The recognition of human movement using temporal templates",
    2001, doi:10.1109/34.910878, for energy of motion where it happens.

    Args:
        frames: of an image, 2 to 64.
        grid: (rows, columns) of cells of a frame; pixels at the right and at the bottom that fill no cell are left out.
        size: (height, width) in pixels of the whole image that images are resized to first; its height is a multiple of
            ``frames``; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, an image that is no such stack of frames.

    >>> MotionEnergy(grid=(1, 2)).names((8, 6))
    ('motion_0_0_0', 'motion_0_0_1')
    """

    frames: int = 2
    grid: tuple[int, int] = (4, 4)
    size: Size | None = None

    name: ClassVar[str] = "motion-energy"
    identifier: ClassVar[str] = "privis.motion-energy/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True
    pixelwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = stack_problems("MotionEnergy", self.frames, self.grid)
        refuse_parameters(problems + size_problem("MotionEnergy.size", self.size))

    def before(self, image: Image) -> Array:
        """Return the luma of all frames as the core's input: uint8 (frames x H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (frames x H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(frames x H, W)`` to ``(frames - 1, rows, columns)``."""
        height, width = frame_shape("MotionEnergy", shape, self.frames, max(self.grid))
        pixels = (height // self.grid[0]) * (width // self.grid[1])

        def energy(x: Value) -> Value:
            difference = following_differences(x, self.frames)
            return by_cells(difference * difference, self.grid).sum(-1) * (1 / (pixels * 255.0**2))

        return trace(lambda x: region("frame_energy", energy, x), Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten shares (frames - 1, rows, columns) to a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every component is between 0 and 1."""
        components = (self.frames - 1) * math.prod(self.grid)
        return Norms(float(components), math.sqrt(components))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``motion_step_row_column``."""
        return numbered("motion", (self.frames - 1, *self.grid))


@dataclass(frozen=True)
class FrameDifference:
    """Counts of pixels that became darker, stayed, and became brighter between frames, per cell of a grid.

    A pixel changes where its grey level differs by at least ``threshold`` from that in the frame before. The image is
    ``frames`` frames below each other. Counts are whole numbers, exact in fixed point; noise on counts hides pixels.

    Args:
        frames: of an image, 2 to 64.
        threshold: grey levels, 1 to 255.
        grid: (rows, columns) of cells of a frame; pixels at the right and at the bottom that fill no cell are left out.
        density: shares of a cell's pixels instead of counts.
        size: (height, width) in pixels of the whole image that images are resized to first; its height is a multiple of
            ``frames``; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, an image that is no such stack of frames.

    >>> FrameDifference(grid=(1, 1)).program((8, 6)).output_shapes
    ((1, 1, 1, 3),)
    """

    frames: int = 2
    threshold: int = 16
    grid: tuple[int, int] = (4, 4)
    density: bool = False
    size: Size | None = None

    name: ClassVar[str] = "frame-difference"
    identifier: ClassVar[str] = "privis.frame-difference/1"
    luma_only: ClassVar[bool] = True
    pixelwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = stack_problems("FrameDifference", self.frames, self.grid)
        problems += integer_problem("FrameDifference.threshold", self.threshold, 1, 255)
        refuse_parameters(problems + size_problem("FrameDifference.size", self.size))

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
        """``(frames x H, W)`` to ``(frames - 1, rows, columns, 3)``."""
        frame_shape("FrameDifference", shape, self.frames, max(self.grid))
        edges = (1.0 - self.threshold, float(self.threshold))

        def counted(x: Value) -> Value:
            difference = by_cells(following_differences(x, self.frames), self.grid)
            return difference.reshape(1, *difference.shape) >> ops.Histogram((edges,))

        return trace(lambda x: region("frame_histogram", counted, x), Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten counts (frames - 1, rows, columns, 3), or shares of a cell's pixels, to a float32 vector."""
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
        """Bound the vector: every pixel of a cell counts once a step, and ``density`` divides by their number."""
        total = 1.0 if self.density else float(self._pixels(shape))
        return Norms.of_counts((self.frames - 1) * math.prod(self.grid), total)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``difference_step_row_column_change``: changes are 0 darker, 1 none, 2 brighter."""
        return numbered("difference", (self.frames - 1, *self.grid, 3))

    def _pixels(self, shape: Shape) -> int:
        return (shape[0] // self.frames // self.grid[0]) * (shape[1] // self.grid[1])


def following_differences(x: Value, frames: int) -> Value:
    """``(frames x H, W) -> (frames - 1, H, W)``: every frame without the one before it."""
    separate = apart(x, frames)
    return separate[1:] - separate[:-1]
