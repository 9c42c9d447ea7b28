"""Histograms of the directions in which things move, from dense optical flow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privis.errors import ImageError, Problem
from privis.features.feature import Array, Image, numbered, vector
from privis.features.hog import TIE
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.motion.frame_stack import by_cells, frame_shape, stack_problems
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

GRID = 1 / 16
"""Pixels to which displacements are rounded: then no direction is so near the edge of a bin that rounding decides."""
_LEAST = 8
"""Pixels of a side of a frame, for a pyramid of flow."""


@dataclass(frozen=True)
class FlowHistogram:
    """Mean displacement per direction and cell of a grid, in pixels from one frame to the next.

    The owner computes dense optical flow (Farnebäck's, of OpenCV), rounds it to 1/16 of a pixel and cuts it off at
    ``limit``; the core sorts displacements into ``orientations`` directions of a whole turn, the first to the right and
    the others clockwise, and adds up their projections on the middle of the direction, which takes no root. The
    image is two frames below each other. References: Farnebäck, 2003, doi:10.1007/3-540-45103-X_50; Chaudhry et al.,
    "Histograms of oriented optical flow and Binet-Cauchy kernels", 2009, doi:10.1109/CVPR.2009.5206821.

    Args:
        orientations: directions of a whole turn, an even number from 4 to 16.
        grid: (rows, columns) of cells of a frame; pixels at the right and at the bottom that fill no cell are left out.
        limit: largest displacement along each axis, in pixels, 1 to 32.
        size: (height, width) in pixels of the whole image that images are resized to first; its height is even; None:
            they keep their own.

    Raises:
        ParameterError: a value is out of its range.
        ImageError: from `before`, an image that is no two frames.

    >>> FlowHistogram(grid=(1, 2)).program((2, 16, 16)).output_shapes
    ((8, 1, 2),)
    """

    orientations: int = 8
    grid: tuple[int, int] = (4, 4)
    limit: int = 16
    size: Size | None = None

    name: ClassVar[str] = "flow"
    identifier: ClassVar[str] = "privis.flow-histogram/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("FlowHistogram.orientations", self.orientations, 4, 16)
        if not problems and self.orientations % 2:
            problems.append(Problem("FlowHistogram.orientations", str(self.orientations), "an even number"))
        problems += stack_problems("FlowHistogram", 2, self.grid)
        problems += integer_problem("FlowHistogram.limit", self.limit, 1, 32)
        refuse_parameters(problems + size_problem("FlowHistogram.size", self.size, 2 * _LEAST))

    def before(self, image: Image) -> Array:
        """Return displacements along x and y as the core's input: float32 (2, H, W), multiples of `GRID`."""
        import cv2

        grey = luma(image, self.size)
        least = max(_LEAST, *self.grid)
        if grey.shape[0] % 2 or min(grey.shape[0] // 2, grey.shape[1]) < least:
            got = f"{grey.shape[0]}x{grey.shape[1]} pixels"
            raise ImageError(Problem("FlowHistogram", got, f"two frames of at least {least}x{least}, below each other"))
        earlier, later = np.ascontiguousarray(grey[: len(grey) // 2]), np.ascontiguousarray(grey[len(grey) // 2 :])
        start = np.zeros((*earlier.shape, 2), np.float32)
        flow = cv2.calcOpticalFlowFarneback(earlier, later, start, 0.5, 3, 15, 3, 5, 1.2, 0)
        return _on_grid(flow.transpose(2, 0, 1), float(self.limit))

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (2, H, W) of what `before` makes."""
        height, width = luma_shape(image_shape, self.size)
        return 2, height // 2, width

    def program(self, shape: Shape) -> Program:
        """``(2, H, W)`` to ``(orientations, rows, columns)``."""
        height, width = frame_shape("FlowHistogram", shape[1:], 1, max(self.grid))
        pixels = (height // self.grid[0]) * (width // self.grid[1])
        turn = 2 * np.pi / self.orientations
        middles = turn * np.arange(self.orientations)
        edges = middles[: self.orientations // 2] - turn / 2 - TIE

        def histogram(flow: Value) -> Value:
            normals = np.stack([-np.sin(edges), np.cos(edges)], 1)
            beyond = (flow >> ops.Conv(normals[:, :, None, None])).compare(0.0, step=GRID / 4, exact=False)
            beyond = concat(beyond, 1.0 - beyond)  # half a turn on, an edge has changed its direction
            following = beyond >> ops.Gather(np.roll(np.arange(self.orientations), -1), 0)
            along = flow >> ops.Conv(np.stack([np.cos(middles), np.sin(middles)], 1)[:, :, None, None] / pixels)
            return by_cells(along * (beyond - beyond * following), self.grid).sum(-1)

        limit = float(self.limit)
        return trace(lambda flow: region("direction_sums", histogram, flow), Input(shape, -limit, limit, GRID))

    def after(self, values: Array) -> Array:
        """Flatten means (orientations, rows, columns) to a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: a pixel adds to one direction of its cell, by no more than it moves."""
        return Norms.of_counts(math.prod(self.grid), self.limit * math.sqrt(2))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``flow_direction_row_column``; direction 0 is to the right, the others follow clockwise."""
        return numbered("flow", (self.orientations, *self.grid))


def _on_grid(flow: Array, limit: float) -> Array:
    """Displacements rounded to `GRID` and cut off at ``limit``, which lies on it; what is no number becomes 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.multiply(flow, np.float32(1 / GRID), order="C", dtype=np.float32)
        if not np.isfinite(steps.sum()):
            np.nan_to_num(steps, copy=False)
    np.rint(steps, out=steps)
    np.clip(steps, -limit / GRID, limit / GRID, out=steps)
    steps *= np.float32(GRID)
    return steps
