"""Several frames as one image, below each other, and apart again within a program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.cells import cells
from privis.features.feature import Image
from privis.program import Value
from privis.program.shapes import Shape
from privis.validation import integer_problem

MOST_FRAMES = 64


def stacked_frames(frames: Sequence[Image]) -> Image:
    """Make the image that features of motion read.

    Args:
        frames: uint8 (H, W) or (H, W, 3) of one shape, in the order in which they are shown.

    Returns:
        One image, (frames x H, W) or (frames x H, W, 3).

    Raises:
        ParameterError: no frame, or frames of several shapes.

    >>> stacked_frames([np.zeros((2, 3), np.uint8), np.ones((2, 3), np.uint8)]).shape
    (4, 3)
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        got = " and ".join(sorted(" x ".join(map(str, shape)) for shape in shapes)) or "no frame"
        raise ParameterError(Problem("stacked_frames", got, "frames of one shape"))
    return np.concatenate(list(frames))


def frame_shape(where: str, shape: Shape, frames: int, least: int = 1) -> Shape:
    """The shape of one frame of an image of several.

    Args:
        where: the feature, in messages.
        shape: (frames x H, W) of the image.
        frames: how many there are.
        least: pixels of the shorter side of a frame.

    Returns:
        (H, W).

    Raises:
        ParameterError: the height is no multiple of the number of frames, or a frame is too small.
    """
    height, width = shape[0] // frames, shape[1]
    got = f"an image of {shape[0]}x{shape[1]} pixels"
    if shape[0] % frames:
        expected = f"{frames} frames of one height below each other"
        remedy = f"take them by --every and --stack {frames}; a size has a height that {frames} divides"
        raise ParameterError(Problem(where, got, expected, remedy))
    if min(height, width) < least:
        raise ParameterError(Problem(where, got, f"{frames} frames of at least {least}x{least} pixels"))
    return height, width


def apart(x: Value, frames: int) -> Value:
    """``(frames x H, W) -> (frames, H, W)`` within a program."""
    return x.reshape(frames, x.shape[0] // frames, x.shape[1])


def by_cells(x: Value, grid: tuple[int, int]) -> Value:
    """``(..., H, W) -> (..., rows, columns, pixels)`` of a grid of cells; what does not fill a cell is left out."""
    *_, height, width = x.shape
    return cells(x, height // grid[0], width // grid[1])[
        (*(slice(None),) * (len(x.shape) - 2), slice(0, grid[0]), slice(0, grid[1]))
    ]


def stack_problems(where: str, frames: object, grid: object, least: int = 2) -> list[Problem]:
    """What is wrong with how many frames there are, and with the grid of cells.

    Args:
        where: the feature, in messages.
        frames: of an image.
        grid: (rows, columns) of cells.
        least: frames that are needed.

    Returns:
        Problems; none where all is well.
    """
    problems = integer_problem(f"{where}.frames", frames, least, MOST_FRAMES)
    if not (isinstance(grid, tuple) and len(grid) == 2):
        return [*problems, Problem(f"{where}.grid", repr(grid), "(rows, columns)")]
    return problems + [problem for length in grid for problem in integer_problem(f"{where}.grid", length, 1)]
