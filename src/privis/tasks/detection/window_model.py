"""The sliding window of Dalal and Triggs: a linear model of the blocks below a window, everywhere in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.features.dalal_triggs import BINS, BLOCK, CELL, DalalTriggsHOG
from privis.features.image_ops import grey
from privis.program import Input, Program, Value, ops, trace
from privis.program.shapes import Shape
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.detection_model import PictureView, Pixels, PlacedCopy
from privis.tasks.detection.pyramid import Pyramid

Floats = npt.NDArray[np.float64]
CHANNELS = 4 * BINS
"""Numbers of a block: four cells of nine orientations."""


@dataclass(frozen=True)
class WindowMargins:
    """What of a window lies around the thing in its middle, as shares of the window's width and height.

    Detectors learn windows with surroundings, which tell a person from a tree; a box is around the person alone.

    Args:
        left: share of the width.
        top: share of the height.
        right: share of the width.
        bottom: share of the height.

    Raises:
        ParameterError: nothing is left, or a share is outside (-1, 1).

    >>> WindowMargins(0.25, 0.0, 0.25, 0.5).inside(DetectedBoxes([[0, 0, 64, 128]], [1.0], "person")).boxes.tolist()
    [[16.0, 0.0, 32.0, 64.0]]
    """

    identifier: ClassVar[str] = "privis.window-margins/1"

    left: float = 0.18
    top: float = 0.09
    right: float = 0.18
    bottom: float = 0.09

    def __post_init__(self) -> None:
        shares = (self.left, self.top, self.right, self.bottom)
        if not all(-1 < share < 1 for share in shares) or max(self.left + self.right, self.top + self.bottom) >= 1:
            remedy = "try WindowMargins()"
            raise ParameterError(Problem("WindowMargins", str(shares), "shares that leave something", remedy))

    def inside(self, windows: DetectedBoxes) -> DetectedBoxes:
        """Boxes of what is in the middle of windows.

        Args:
            windows: whole ones.

        Returns:
            Smaller boxes with the same scores and labels.
        """
        shares = np.array([self.left, self.top, -self.left - self.right, -self.top - self.bottom])
        boxes = windows.boxes + windows.boxes[:, [2, 3, 2, 3]] * shares
        return DetectedBoxes(boxes, windows.scores, windows.labels)


@dataclass(frozen=True)
class PlacedWindows:
    """The windows of one copy of the picture among all that a program scores.

    Args:
        copy: the copy.
        rows: of the program's grid that are windows of this copy.
        columns: the same.
        window: (height, width) in pixels.
        label: what windows show.
    """

    copy: PlacedCopy
    rows: slice
    columns: slice
    window: tuple[int, int]
    label: str

    def windows_at(
        self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], scores: npt.ArrayLike
    ) -> DetectedBoxes:
        """Some of the windows.

        Args:
            rows: (n,), counted from the first row of this copy.
            columns: (n,).
            scores: (n,).

        Returns:
            The windows in pixels of the view.
        """
        height, width = self.window
        sides = np.broadcast_to([width, height], (len(rows), 2))
        corner = np.column_stack([columns + self.columns.start, rows + self.rows.start]) * CELL
        return DetectedBoxes(np.concatenate([corner, sides], axis=1), np.asarray(scores), self.label)

    @property
    def windows(self) -> DetectedBoxes:
        """All windows, row by row, with scores of 0, in pixels of the view."""
        down, across = self.rows.stop - self.rows.start, self.columns.stop - self.columns.start
        rows, columns = np.divmod(np.arange(down * across), across)
        return self.windows_at(rows, columns, np.zeros(down * across))


@dataclass(frozen=True, eq=False)
class WindowModel:
    """A linear model of `DalalTriggsHOG` blocks below a window that slides over a pyramid; a `DetectionModel`.

    What runs is one program for each view: the blocks of the whole view, then a correlation of their grid with the
    weights. It computes each block once, where cutting windows out would compute it up to 105 times; the numbers are
    the same. What decodes afterwards are the windows above ``least``, without their margins. Reference: Dalal and
    Triggs, 2005, doi:10.1109/CVPR.2005.177.

    Args:
        weights: (numbers,) or (block columns, block rows, 36) of one window, block columns first, as OpenCV has them.
        bias: added to the score.
        label: what is found.
        window: (height, width) in pixels, multiples of 8.
        pyramid: which copies of a picture are looked at.
        margins: what of a window lies around the thing.
        least: score of a window from which it is kept.
        gamma: whether square roots of luma were taken in training, as ``cv2.HOGDescriptor()`` does.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> model = WindowModel(np.zeros(3780), 0.5, "person")
    >>> model.program((160, 96)).output_shapes
    ((5, 5),)
    """

    identifier: ClassVar[str] = "privis.window-model/1"

    weights: Floats = field(repr=False)
    bias: float
    label: str
    window: tuple[int, int] = (128, 64)
    pyramid: Pyramid = Pyramid()
    margins: WindowMargins = WindowMargins()
    least: float = 0.0
    gamma: bool = True

    def __post_init__(self) -> None:
        problems = []
        if len(self.window) != 2 or any(side < BLOCK or side % CELL for side in self.window):
            got, expected = str(self.window), f"(height, width), multiples of {CELL} from {BLOCK} pixels"
            raise ParameterError(Problem("WindowModel.window", got, expected))
        if self.pyramid.grid != CELL:
            problems.append(Problem("WindowModel.pyramid.grid", str(self.pyramid.grid), f"{CELL}, as blocks lie"))
        if not self.label:
            problems.append(Problem("WindowModel.label", "no word", "what is found, as person"))
        shape = (*self.blocks[::-1], CHANNELS)
        weights = np.asarray(self.weights)
        if weights.dtype.kind not in "fiu" or weights.size != np.prod(shape) or not np.isfinite(weights).all():
            got, window = f"{weights.dtype} values of shape {weights.shape}", "{} x {} pixels".format(*self.window)
            problems.append(Problem("WindowModel.weights", got, f"{np.prod(shape)} finite numbers, for {window}"))
        for name in ("bias", "least"):
            if not np.isfinite(getattr(self, name)):
                problems.append(Problem(f"WindowModel.{name}", str(getattr(self, name)), "a finite number"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "weights", weights.astype(np.float64).reshape(shape))
        object.__setattr__(self, "bias", float(self.bias))
        object.__setattr__(self, "least", float(self.least))

    @property
    def blocks(self) -> tuple[int, int]:
        """Rows and columns of blocks below a window."""
        return self.window[0] // CELL - 1, self.window[1] // CELL - 1

    @property
    def feature(self) -> DalalTriggsHOG:
        """What the weights are of."""
        return DalalTriggsHOG(size=None, gamma=self.gamma)

    @property
    def labels(self) -> tuple[str, ...]:
        """The one label."""
        return (self.label,)

    def views(self, shape: Shape) -> tuple[PictureView, ...]:
        """The levels of the pyramid, largest first; see `DetectionModel.views`."""
        return self.pyramid.views(shape, self.window)

    def before(self, image: Pixels, view: PictureView) -> npt.NDArray[Any]:
        """Luma of the resized copies, or its square root (H, W); see `DetectionModel.before`."""
        return self.feature.before(self.pyramid.pixels(grey(image), view))

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to the score of the window at every place of the grid, ``(rows, columns)``."""
        core = self.feature.program(shape)
        return core >> self.scores(core.output_shapes[0])

    def scores(self, shape: Shape) -> Program:
        """What follows the feature: blocks to the score of the window at every place of the grid.

        Args:
            shape: of the blocks, (columns, rows, 4, 9).

        Returns:
            The program from them to ``(rows, columns)`` of scores.
        """
        columns, rows = shape[:2]
        kernel = self.weights.transpose(2, 1, 0)[None]

        def scores(blocks: Value) -> Value:
            grid = blocks.reshape(columns, rows, CHANNELS).transpose(2, 1, 0)
            found = (grid >> ops.Conv(kernel)) + self.bias
            return found.reshape(*found.shape[1:])

        return trace(scores, Input(shape, 0.0, 1.0, None))

    def decode(self, values: npt.NDArray[Any], view: PictureView) -> DetectedBoxes:
        """Boxes of the windows that score ``least`` or more; see `DetectionModel.decode`."""
        scores = np.asarray(values)
        found = []
        for placed in self.places(scores.shape, view):
            own = scores[placed.rows, placed.columns]
            rows, columns = np.nonzero(own >= self.least)
            if not len(rows):
                continue
            windows = placed.windows_at(rows, columns, own[rows, columns])
            found.append(view.to_picture(self.margins.inside(windows), placed.copy))
        return DetectedBoxes.joined(found)

    def places(self, grid: tuple[int, ...], view: PictureView) -> tuple[PlacedWindows, ...]:
        """Where the windows of each copy are in what the program gives.

        Args:
            grid: rows and columns of places that the program gives numbers for.
            view: that they are of.

        Returns:
            One for each copy, in order.

        Raises:
            ParameterError: these are not the places of this view.
        """
        expected = tuple(side // CELL - blocks for side, blocks in zip(view.shape, self.blocks, strict=True))
        if tuple(grid) != expected:
            raise ParameterError(Problem("WindowModel.decode", f"values of shape {tuple(grid)}", f"shape {expected}"))
        height, width = self.window
        found = []
        for copy in view.copies:
            top, left = (copy.top - copy.border) // CELL, (copy.left - copy.border) // CELL
            down = (copy.height + 2 * copy.border - height) // CELL + 1
            across = (copy.width + 2 * copy.border - width) // CELL + 1
            place = slice(top, top + down), slice(left, left + across)
            found.append(PlacedWindows(copy, *place, self.window, self.label))
        return tuple(found)
