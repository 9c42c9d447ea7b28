"""Local binary patterns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.cells import cells
from privis.features.feature import Array, Image, numbered, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

WEIGHT_GRID = 2.0**-12  # bilinear weights are multiples of it, so that every comparison is exact in any arithmetic


class Patterns(Enum):
    """Which binary patterns share a bin of the histogram."""

    DEFAULT = "default"  # none: 2 ** points bins
    UNIFORM = "uniform"  # by number of ones, non-uniform patterns together: points + 2 bins
    ROTATION_INVARIANT = "rotation-invariant"  # patterns that are rotations of one another


@dataclass(frozen=True)
class LBP:
    """Histogram of local binary patterns over a grid of cells, in pixels per bin.

    Each pixel is compared with ``points`` neighbours on a circle of ``radius`` pixels, interpolated bilinearly, zero
    outside the image. The image is cut into ``grid`` (rows, columns) cells; remainders at the right and bottom are
    left out. ``density`` divides by the pixels of a cell. ``size`` (height, width) in pixels resizes images first.
    Reference: Ojala, Pietikäinen and Mäenpää, 2002, doi:10.1109/TPAMI.2002.1017623. Deviation from scikit-image:
    weights are rounded to 2**-12, so that ties are ties in any arithmetic and at any position (in scikit-image a tie
    with an interpolated neighbour is decided by rounding, differently from row or column 512 on).

    Args:
        patterns: which patterns share a bin.
        points: neighbours of a pixel that are compared with it.
        radius: of the circle on which they lie, in pixels.
        grid: (rows, columns) of cells, one histogram each.
        density: shares of a cell's pixels instead of counts.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image has fewer pixels than ``grid`` cells.

    >>> LBP(patterns=Patterns.UNIFORM, grid=(2, 2)).program((64, 64)).output_shapes
    ((2, 2, 10),)
    """

    patterns: Patterns = Patterns.DEFAULT
    points: int = 8
    radius: float = 1.0
    grid: tuple[int, int] = (1, 1)
    density: bool = False
    size: Size | None = None

    name: ClassVar[str] = "lbp"
    identifier: ClassVar[str] = "privis.lbp/1"
    luma_only: ClassVar[bool] = True
    pixelwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("LBP.points", self.points, 4, 10)
        if not isinstance(self.patterns, Patterns):
            problems.append(
                Problem("LBP.patterns", repr(self.patterns), f"a Patterns: {', '.join(map(str, Patterns))}")
            )
        if not (isinstance(self.radius, int | float) and 1 <= self.radius <= 32):
            problems.append(Problem("LBP.radius", repr(self.radius), "a radius from 1 to 32 pixels"))
        if not (isinstance(self.grid, tuple) and len(self.grid) == 2):
            problems.append(Problem("LBP.grid", repr(self.grid), "(rows, columns)"))
        else:
            problems += [p for length in self.grid for p in integer_problem("LBP.grid", length, 1)]
        problems += size_problem("LBP.size", self.size)
        refuse_parameters(problems)

    @property
    def counts(self) -> bool:
        """Whether the vector is counts: unless ``density`` divides them."""
        return not self.density

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to ``(rows, columns, bins)``."""
        height, width = shape[0] // self.grid[0], shape[1] // self.grid[1]
        if height == 0 or width == 0:
            expected = f"at least {self.grid[0]}x{self.grid[1]} pixels for grid={self.grid}"
            raise ParameterError(Problem("LBP", f"an image of {shape[0]}x{shape[1]} pixels", expected))

        def uniform(x: Value) -> Value:
            codes = region("binary_pattern_codes", self.uniform_codes, x)
            return cells(codes.reshape(1, *shape), height, width) >> ops.Histogram(
                (tuple(map(float, range(1, self.points + 2))),)
            )

        def counted(x: Value) -> Value:
            """One product per pixel and bin: its number of ones is the bin's, and its pattern is regular."""
            ones, rising = (cells(v, height, width) for v in self.ones_and_rising(x))
            irregular = rising.compare(2.0)
            regular = 1.0 - irregular
            least = [ones.compare(float(k)) for k in range(1, self.points + 1)]
            exactly = [1.0 - least[0], *(a - b for a, b in pairwise(least)), least[-1]]
            return concat(
                *((own * regular).sum(-1, keep=True) for own in exactly), irregular.sum(-1, keep=True), axis=2
            )

        def every(x: Value) -> Value:
            first_is_most_significant = np.arange(self.points)[::-1]
            bits = self.bits(x) >> ops.Gather(first_is_most_significant, 0)
            return cells(bits, height, width) >> ops.Histogram(((1.0,),) * self.points)

        def histogram(x: Value) -> Value:
            if self.patterns is Patterns.UNIFORM:
                return region("uniform_pattern_histogram", uniform, x, polynomial=counted)
            counts = region("binary_pattern_histogram", every, x)
            if self.patterns is Patterns.DEFAULT:
                return counts
            return counts >> ops.Dense(rotation_classes(self.points))

        return trace(histogram, Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten counts (rows, columns, bins), or shares of a cell's pixels, to a float32 vector."""
        if not self.density:
            return vector(values)
        return vector(values / values.sum(-1, keepdims=True))

    def traced_after(self, values: Value, shape: Shape) -> Value:
        """Write down what `after` computes: the pixels of a cell, which ``density`` divides by, are public.

        Args:
            values: output of the core, in a program that is being traced.
            shape: of the core's input.

        Returns:
            The vector, (components,).
        """
        counts, (rows, columns) = values.reshape(-1), self.grid
        return counts * (1.0 / ((shape[0] // rows) * (shape[1] // columns))) if self.density else counts

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every pixel of a cell counts once, and ``density`` divides by their number."""
        rows, columns = self.grid
        pixels = (shape[0] // rows) * (shape[1] // columns)
        return Norms.of_counts(rows * columns, 1.0 if self.density else float(pixels))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components ``lbp_row_column_bin``, cells from the top left."""
        return numbered("lbp", self.program(shape).output_shapes[0])

    def bits(self, x: Value, order: np.ndarray | None = None) -> Value:
        """1 where a neighbour is at least as bright as the pixel.

        Args:
            x: luma, (H, W).
            order: of the neighbours, integers (points,); None: around the circle.

        Returns:
            ``(points, H, W)``.
        """
        kernel = neighbour_kernel(self.points, self.radius)
        kernel = kernel if order is None else kernel[order]
        reach = kernel.shape[-1] // 2
        differences = x.reshape(1, *x.shape) >> ops.Conv(kernel, pad=(reach, reach, reach, reach))
        return differences.compare(0.0, step=WEIGHT_GRID)

    def uniform_codes(self, x: Value) -> Value:
        """The number of ones around every pixel, or ``points + 1`` where the circle changes more than twice.

        Args:
            x: luma, (H, W).

        Returns:
            Codes, (H, W).
        """
        bits = self.bits(x)
        change = bits - (bits >> ops.Gather(np.roll(np.arange(self.points), 1), 0))
        ones, changes = bits.sum(0), (change * change).sum(0)
        irregular = changes.compare(3.0)  # the number of changes around a circle is even
        return ones + irregular * (self.points + 1.0 - ones)

    def ones_and_rising(self, x: Value) -> tuple[Value, Value]:
        """The number of ones around every pixel, and of ones that follow a zero around the circle.

        Products of neighbouring signs add up to ``points - 4 * rising``. Where the number of points is even, every
        other point is multiplied by the sum of its two neighbours, which takes half the products.

        Args:
            x: luma, (H, W).

        Returns:
            Both, (H, W) each.
        """
        half = self.points // 2
        paired = self.points == 2 * half
        order = np.concatenate([np.arange(0, self.points, 2), np.arange(1, self.points, 2)]) if paired else None
        bits = self.bits(x, order)
        signs = 2.0 * bits - 1.0
        even, odd = (signs[:half], signs[half:]) if paired else (signs, signs)
        following = even >> ops.Gather(np.roll(np.arange(even.shape[0]), -1), 0)
        products = (odd * (even + following if paired else following)).sum(0)
        return bits.sum(0), products * -0.25 + self.points / 4


def neighbour_kernel(points: int, radius: float) -> np.ndarray:
    """Neighbour minus centre for each point of the circle: ``(points, 1, n, n)``, multiples of ``WEIGHT_GRID``."""
    reach = math.ceil(radius)
    kernel = np.zeros((points, 1, 2 * reach + 1, 2 * reach + 1))
    for point in range(points):
        angle = 2 * math.pi * point / points
        row = round(-radius * math.sin(angle), 5)  # scikit-image rounds the coordinates alike
        column = round(radius * math.cos(angle), 5)
        top, left = math.floor(row), math.floor(column)
        for r in (top, top + 1):
            for c in (left, left + 1):
                weight = (1 - abs(row - r)) * (1 - abs(column - c))
                if weight > 0:
                    kernel[point, 0, reach + r, reach + c] += weight
    kernel = np.round(kernel / WEIGHT_GRID) * WEIGHT_GRID
    kernel[:, 0, reach, reach] -= kernel.sum((1, 2, 3))
    return kernel


def rotation_classes(points: int) -> np.ndarray:
    """0/1 matrix that adds up the bins of patterns which are rotations of one another, in order of the least code."""
    codes = np.arange(2**points)
    rotations = [(codes >> k | codes << (points - k)) & (2**points - 1) for k in range(points)]
    least = np.minimum.reduce(rotations)
    return (np.unique(least)[:, None] == least).astype(np.float64)
