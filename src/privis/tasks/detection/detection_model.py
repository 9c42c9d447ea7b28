"""What a detector is made of, whoever runs it and wherever: what runs, and what decodes afterwards.

A picture is looked at in *views*: arrays of fixed shape that hold one or several resized copies of it. The levels of a
pyramid are views, a letterboxed input of a network is one, halves of a large picture are several. A `DetectionModel`
answers four questions, two of them its owner's secret and two the picture owner's work in the clear:

==========================  =========================================================================================
`DetectionModel.views`      which views a picture of a size is looked at in: public, from its size alone
`DetectionModel.before`     the array of one view, made of the pixels by the picture's owner
`DetectionModel.program`    **what runs**: a program from such an array to one array of numbers; it depends on the
                            shape alone, so whoever runs it prepares it once for each shape, under any executor
`DetectionModel.decode`     **what decodes afterwards**, at whoever may see the numbers: boxes in pixels of the picture
==========================  =========================================================================================

A model never runs anything. `privis.estimators.detection.Detector` does: it runs every view under its executor,
decodes, joins the boxes of all views and keeps the best of those that lie on each other. A model whose numbers only the
owner of a key may see has the same four; one that needs nothing of its owner afterwards decodes by cutting alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from privis.program import Program
from privis.program.shapes import Shape
from privis.tasks.detection.boxes import DetectedBoxes

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PlacedCopy:
    """A resized copy of the picture inside a view.

    Args:
        top: row of the view in which the copy begins; what is left of and above it is border.
        left: column of the view in which it begins.
        height: of the copy in pixels.
        width: of the copy in pixels.
        border: pixels around the copy that continue it, and in which boxes may lie.
    """

    top: int
    left: int
    height: int
    width: int
    border: int = 0


@dataclass(frozen=True)
class PictureView:
    """One array that is made of a picture, and where copies of the picture are in it.

    Args:
        shape: of the array, which is the input of the program.
        picture: (height, width) of the picture in pixels.
        copies: where it is in the array; a box found in one of them is moved back by `to_picture`.
    """

    shape: Shape
    picture: tuple[int, int]
    copies: tuple[PlacedCopy, ...]

    def to_picture(self, found: DetectedBoxes, copy: PlacedCopy) -> DetectedBoxes:
        """Move boxes from the view to the picture.

        Args:
            found: in pixels of the view.
            copy: the copy that they were found in.

        Returns:
            The same boxes in pixels of the picture.

        >>> view = PictureView((64, 64), (100, 200), (PlacedCopy(16, 0, 32, 64),))
        >>> view.to_picture(DetectedBoxes([[32, 16, 8, 8]], [1.0], "car"), view.copies[0]).boxes.tolist()
        [[100.0, 0.0, 25.0, 25.0]]
        """
        scale = self.picture[1] / copy.width, self.picture[0] / copy.height
        return found.moved(-copy.left, -copy.top).scaled(scale)


class DetectionModel(Protocol):
    """What runs, and what decodes afterwards; see the module."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        ...

    def views(self, shape: Shape) -> tuple[PictureView, ...]:
        """The views of a picture, from its size alone.

        Args:
            shape: (H, W) or (H, W, 3) of the picture in pixels.

        Returns:
            In the order in which they run; none where the picture is too small to show anything.
        """
        ...

    def before(self, image: Pixels, view: PictureView) -> npt.NDArray[Any]:
        """Make the array of one view, at the owner of the picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.
            view: one of `views`.

        Returns:
            The input of the program, of the view's shape.
        """
        ...

    def program(self, shape: Shape) -> Program:
        """What runs: the core of the detector, for whoever computes.

        Args:
            shape: of a view.

        Returns:
            A program of one input of that shape and one output.
        """
        ...

    def decode(self, values: npt.NDArray[Any], view: PictureView) -> DetectedBoxes:
        """What the program's output says, at whoever may see it.

        Args:
            values: the output.
            view: that it is of.

        Returns:
            Boxes in pixels of the picture, not yet suppressed.
        """
        ...
