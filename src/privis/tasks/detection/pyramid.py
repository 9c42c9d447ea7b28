"""The pyramid of a picture: copies of falling size, each with a border, one or several to a view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from privis.errors import Problem
from privis.program.shapes import Shape
from privis.tasks.detection.detection_model import PictureView, Pixels, PlacedCopy
from privis.validation import refuse_parameters, whole_number

LEVELS = 64
"""Most copies of one picture, as in OpenCV."""


@dataclass(frozen=True)
class Pyramid:
    """Copies of a picture, each smaller than the one before by the same factor, until no window fits.

    Each copy goes on by ``border`` pixels on every side, mirrored at its edge, so that windows may stand over the edge:
    a person who fills the picture is larger than a window's middle. Copies of at most ``together`` pixels share views:
    under secure computation every run of a program waits for as many messages, however small the copy. A shared view
    gives the numbers that its copies give alone: they begin on the grid, and between them lie mirrored pixels.

    Args:
        step: factor from one copy to the next, above 1.
        border: pixels around every copy, a multiple of ``grid``.
        largest: size of the first copy, as a factor of the picture's: 2 finds things of half the window's size.
        together: most pixels of a copy, with its border, that shares a view; 0: each has its own.
        grid: pixels between windows; every copy begins at a multiple of it.

    Raises:
        ParameterError: a value is out of its range.

    >>> [view.copies[0].height for view in Pyramid(step=2.0, border=0).views((512, 256), (128, 64))]
    [512, 256, 128]
    """

    identifier: ClassVar[str] = "privis.pyramid/1"

    step: float = 1.1
    border: int = 32
    largest: float = 1.0
    together: int = 0
    grid: int = 8

    def __post_init__(self) -> None:
        problems = whole_number("Pyramid.grid", self.grid)
        if not 1.005 <= self.step <= 16:
            problems.append(Problem("Pyramid.step", str(self.step), "a factor of 1.005 to 16", "try step=1.1"))
        if not 0 < self.largest <= 8:
            problems.append(Problem("Pyramid.largest", str(self.largest), "a factor above 0, at most 8"))
        if not problems and (self.border < 0 or self.border % self.grid):
            problems.append(Problem("Pyramid.border", str(self.border), f"a multiple of {self.grid}, not negative"))
        if self.together < 0:
            problems.append(Problem("Pyramid.together", str(self.together), "pixels, not negative"))
        refuse_parameters(problems)

    def views(self, shape: Shape, window: tuple[int, int]) -> tuple[PictureView, ...]:
        """Say which copies of a picture lie in which views.

        Args:
            shape: (H, W) or (H, W, 3) of the picture in pixels.
            window: (height, width) in pixels, which has to fit into a copy with its border.

        Returns:
            The largest copy first.
        """
        return _views(self, (int(shape[0]), int(shape[1])), window)

    def pixels(self, image: Pixels, view: PictureView) -> Pixels:
        """Make the pixels of a view.

        Args:
            image: uint8 (H, W).
            view: one of `views`.

        Returns:
            uint8 of the view's shape; zeros between copies.
        """
        import cv2

        whole = np.zeros(view.shape, np.uint8)
        for copy in view.copies:
            level, border = image, copy.border
            if image.shape != (copy.height, copy.width):
                level = np.asarray(cv2.resize(image, (copy.width, copy.height), interpolation=cv2.INTER_LINEAR_EXACT))
            framed = cv2.copyMakeBorder(level, border, border, border, border, cv2.BORDER_REFLECT_101)
            top, left = copy.top - border, copy.left - border
            bottom, right = top + framed.shape[0], left + framed.shape[1]
            beyond = [min(1, side) for side in (top, view.shape[0] - bottom, left, view.shape[1] - right)]
            if any(beyond):  # a mirrored pixel more, so that the outermost gradients are 0 as at the edge of a view
                framed = cv2.copyMakeBorder(framed, *beyond, cv2.BORDER_REFLECT_101)
            whole[top - beyond[0] : bottom + beyond[1], left - beyond[2] : right + beyond[3]] = framed
        return whole


@lru_cache(maxsize=256)
def _views(pyramid: Pyramid, picture: tuple[int, int], window: tuple[int, int]) -> tuple[PictureView, ...]:
    sizes, scale = [], pyramid.largest
    for _ in range(LEVELS):
        height, width = (round(side * scale) for side in picture)
        frame = height + 2 * pyramid.border, width + 2 * pyramid.border
        if min(height, width) < 2 or frame[0] < window[0] or frame[1] < window[1]:
            break
        sizes.append((height, width))
        scale /= pyramid.step
    own, shared = [], []
    for size in sizes:
        frame = size[0] + 2 * pyramid.border, size[1] + 2 * pyramid.border
        (shared if frame[0] * frame[1] <= pyramid.together else own).append(size)
    views = [_packed(pyramid, picture, [size]) for size in own]
    if shared:
        views.append(_packed(pyramid, picture, shared))
    return tuple(views)


def _packed(pyramid: Pyramid, picture: tuple[int, int], sizes: Sequence[tuple[int, int]]) -> PictureView:
    """One view of all copies: rows of them, in the width that leaves the least empty."""
    rooms = [tuple(_room(side + 2 * pyramid.border, pyramid.grid) for side in size) for size in sizes]
    widths = {rooms[0][1]} | {rooms[0][1] + room[1] for room in rooms[1:]}
    packings = [_rows(rooms, width) for width in sorted(widths)]
    places, shape = min(packings, key=lambda packing: packing[1][0] * packing[1][1])
    border = pyramid.border
    copies = tuple(
        PlacedCopy(top + border, left + border, *size, border) for (top, left), size in zip(places, sizes, strict=True)
    )
    height, width = (-(-side // (4 * pyramid.grid)) * 4 * pyramid.grid for side in shape)  # few shapes: few programs
    return PictureView((height, width), picture, copies)


def _room(side: int, grid: int) -> int:
    """Pixels of the grid that a side takes, with a mirrored pixel at either end."""
    return -(-(side + 2) // grid) * grid


def _rows(rooms: Sequence[tuple[int, ...]], width: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Place rooms of falling height into rows, each in the first row that has space; the size of all."""
    rows: list[list[int]] = []  # of each: top, height, width that is taken
    places = []
    for height, across in rooms:
        row = next((row for row in rows if row[1] >= height and row[2] + across <= width), None)
        if row is None:
            row = [rows[-1][0] + rows[-1][1] if rows else 0, height, 0]
            rows.append(row)
        places.append((row[0], row[2]))
        row[2] += across
    return places, (rows[-1][0] + rows[-1][1], max(row[2] for row in rows))
