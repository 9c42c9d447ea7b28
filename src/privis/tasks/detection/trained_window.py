"""A window that was trained: scores, better boxes and probabilities of one program for each level of the pyramid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.program import Input, Program, Value, ops, trace
from privis.program.shapes import Shape
from privis.tasks.detection.box_regression import BoxRegression, moved
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.detection_model import PictureView, Pixels
from privis.tasks.detection.detection_probability import DetectionProbability
from privis.tasks.detection.window_model import CHANNELS, WindowModel

NUMBERS = 5
"""Of a window: its score, and four of its box."""
LEVEL_SLACK = 1.05
"""Factor by which sizes of levels may miss the heights: they are rounded to pixels."""


@dataclass(frozen=True, eq=False)
class TrainedWindowModel:
    """A `WindowModel` with what training learns besides: better boxes, probabilities, and sizes; a `DetectionModel`.

    What runs is one program for each view, with five correlations in the place of one. What decodes afterwards moves
    the boxes of windows (`BoxRegression`), turns scores into probabilities (`DetectionProbability`) and keeps those of
    ``least`` or more. Levels that could only show things of other sizes are not looked at.

    Args:
        windows: scores windows; its own least score does not count.
        regression: moves their boxes; its weights are laid out as those of the windows.
        probability: of scores and sizes.
        heights: least and largest height of things in pixels, as windows show them before their boxes are moved.
        least: probability from which a box is kept, in [0, 1].

    Raises:
        ParameterError: naming everything that does not fit.
    """

    identifier: ClassVar[str] = "privis.trained-window-model/1"

    windows: WindowModel
    regression: BoxRegression
    probability: DetectionProbability
    heights: tuple[float, float]
    least: float = 0.05

    def __post_init__(self) -> None:
        problems = []
        size = self.windows.weights.size
        if self.regression.weights.shape[1] != size:
            got = f"weights of {self.regression.weights.shape[1]} numbers"
            problems.append(Problem("TrainedWindowModel.regression", got, f"{size}, as the windows have"))
        low, high = self.heights
        if not (np.isfinite(self.heights).all() and 0 < low <= high):
            problems.append(Problem("TrainedWindowModel.heights", str(self.heights), "pixels, rising, above 0"))
        if not 0 <= self.least <= 1:
            problems.append(Problem("TrainedWindowModel.least", str(self.least), "a probability"))
        refuse(ParameterError, problems)

    @property
    def labels(self) -> tuple[str, ...]:
        """The one label."""
        return self.windows.labels

    def views(self, shape: Shape) -> tuple[PictureView, ...]:
        """The levels that show things of the right sizes, largest first; see `DetectionModel.views`."""
        return views_of_heights(self.windows, shape, self.heights)

    def before(self, image: Pixels, view: PictureView) -> npt.NDArray[Any]:
        """Square roots of luma of the resized copies (H, W); see `DetectionModel.before`."""
        return self.windows.before(image, view)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to five numbers of the window at every place of the grid, ``(5, rows, columns)``."""
        core = self.windows.feature.program(shape)
        columns, rows = core.output_shapes[0][:2]
        own = self.windows.weights
        kernels = np.concatenate([own[None], self.regression.weights.reshape(4, *own.shape)]).transpose(0, 3, 2, 1)
        bias = np.concatenate([[self.windows.bias], self.regression.bias])[:, None, None]

        def numbers(blocks: Value) -> Value:
            grid = blocks.reshape(columns, rows, CHANNELS).transpose(2, 1, 0)
            return (grid >> ops.Conv(kernels)) >> ops.Affine(1.0, bias)

        return core >> trace(numbers, Input(core.output_shapes[0], 0.0, 1.0, None))

    def decode(self, values: npt.NDArray[Any], view: PictureView) -> DetectedBoxes:
        """Moved boxes with probabilities of ``least`` or more; see `DetectionModel.decode`."""
        numbers = np.asarray(values, np.float64)
        found = []
        for placed in self.windows.places(numbers.shape[1:], view):
            own = numbers[:, placed.rows, placed.columns].reshape(NUMBERS, -1)
            base = view.to_picture(self.windows.margins.inside(placed.windows), placed.copy)
            boxes = moved(base.boxes, own[1:].T)
            scores = self.probability(own[0], boxes[:, 3])
            kept = scores >= self.least
            found.append(DetectedBoxes(boxes[kept], scores[kept], self.windows.label))
        return DetectedBoxes.joined(found)


def views_of_heights(windows: WindowModel, shape: Shape, heights: tuple[float, float]) -> tuple[PictureView, ...]:
    """The levels of a pyramid in which windows show things of some heights.

    Args:
        windows: with the pyramid.
        shape: (H, W) or (H, W, 3) of the picture in pixels.
        heights: least and largest height of a thing in pixels of the picture.

    Returns:
        Those of its views, largest first.
    """
    margins, (low, high) = windows.margins, heights
    thing = windows.window[0] * (1 - margins.top - margins.bottom)

    def fits(view: PictureView) -> bool:
        sizes = [thing * view.picture[0] / copy.height for copy in view.copies]
        return max(sizes) >= low / LEVEL_SLACK and min(sizes) <= high * LEVEL_SLACK

    return tuple(view for view in windows.views(shape) if fits(view))
