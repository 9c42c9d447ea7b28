"""Heads whose boxes are in one tensor: YOLO's and its relatives'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.detection.boxes import DetectedBoxes, Floats
from privis.tasks.detection.networks.detection_heads import (
    MOST_LISTED,
    NetworkReading,
    Tensors,
    read_boxes,
    refuse_misfit,
    refuse_scores,
    single_picture,
)
from privis.tasks.detection.networks.encodings import BoxEncoding, Size, cells_of, corners_of

WIDTHS: Mapping[str, int] = {"box": 4, "objectness": 1, "score": 1, "class": 1, "image": 1}
"""Columns of a box, by what they hold."""


class OutputLayout(Enum):
    """How the boxes of a picture lie in one tensor; a batch axis of one does not count."""

    ROWS = "(boxes, columns)"
    COLUMNS = "(columns, boxes)"
    GRID = "(columns, rows of cells, columns of cells)"


@dataclass(frozen=True)
class TensorHead:
    """A head whose boxes are in one tensor, columns of numbers for each: that of YOLO and its relatives.

    Args:
        name: what messages and commands call it.
        columns: of a box, in order: "box" (four numbers), "objectness", "score", "class" (its number), "image" (its
            number in the batch). Without "class" the probabilities of all classes follow.
        boxes: what the four numbers are.
        layout: of the tensor.
        strides: of its grids in pixels, rising: a tuple for each version of it; empty where the network gives a list.
        per_cell: boxes at each cell.
        powers: of objectness and of the largest class probability in the score, which is their product.
        suppressed: whether the network itself keeps one box an object.
        reads: how its network reads a picture.
        least: score from which a box counts where nobody says another.
        overlap: intersection over union from which two boxes of one class are one.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> head = TensorHead("mine", ("box", "score", "class"), BoxEncoding.CORNERS, suppressed=True)
    >>> head.decode({"out": np.array([[[8, 8, 16, 24, 0.9, 1]]])}, (64, 64), 0.5, ("cat", "dog")).labels
    ('dog',)
    """

    identifier: ClassVar[str] = "privis.tensor-head/1"

    name: str
    columns: tuple[str, ...]
    boxes: BoxEncoding
    layout: OutputLayout = OutputLayout.ROWS
    strides: tuple[tuple[int, ...], ...] = ()
    per_cell: int = 1
    powers: tuple[float, float] = (1.0, 1.0)
    suppressed: bool = False
    reads: NetworkReading = NetworkReading()
    least: float = 0.25
    overlap: float = 0.45

    def __post_init__(self) -> None:
        problems = []
        if self.columns.count("box") != 1 or not set(self.columns) <= set(WIDTHS):
            expected = f'"box" once, and of {", ".join(map(repr, sorted(WIDTHS)))}'
            problems.append(Problem("TensorHead.columns", repr(self.columns), expected))
        if ("class" in self.columns) != ("score" in self.columns):
            problems.append(
                Problem("TensorHead.columns", repr(self.columns), '"class" and "score" together or neither')
            )
        if any(not strides or min(strides) < 1 for strides in self.strides) or self.per_cell < 1:
            got = f"{self.strides} with {self.per_cell} boxes a cell"
            problems.append(Problem("TensorHead.strides", got, "pixels of at least 1, and at least 1 box a cell"))
        by_cells = self.boxes in (BoxEncoding.CELL_OFFSETS, BoxEncoding.BOUNDED_OFFSETS)
        if (by_cells and (not self.strides or self.per_cell != 1)) or self.boxes is BoxEncoding.PRIOR_OFFSETS:
            got = f"boxes as {self.boxes.value} with strides {self.strides}"
            problems.append(Problem("TensorHead.boxes", got, "strides for boxes in cells; an SSDHead for priors"))
        refuse(ParameterError, problems)

    def misfit(self, tensors: Tensors, size: Size, classes: int | None = None) -> str:
        """Say what outputs of this head look like, where ``tensors`` do not: see `DetectionHead.misfit`.

        Args:
            tensors: the network's outputs by name, for one picture.
            size: (height, width) of the network's input in pixels.
            classes: how many there are, where that is known.

        Returns:
            What was expected; empty where they fit.
        """
        rows, counts = self._rows(tensors, size), self._counts(size)
        known = sum(WIDTHS[column] for column in self.columns)
        widths = range(known, known + 1)
        if "class" not in self.columns:
            widths = range(known + 1, 1 << 30) if classes is None else range(known + classes, known + classes + 1)
        if rows is not None and rows.shape[1] in widths and self._has_room(len(rows), counts):
            return ""
        many = " or ".join(map(str, sorted(counts))) if counts else f"at most {MOST_LISTED}"
        columns = f"{widths.start}" if len(widths) == 1 else f"{widths.start} or more"
        return f"one tensor {self.layout.value} with {many} boxes and {columns} columns"

    def class_count(self, tensors: Tensors, size: Size) -> int | None:
        """How many classes outputs of this head tell apart: see `DetectionHead.class_count`.

        Args:
            tensors: the network's outputs by name, which fit.
            size: (height, width) of the network's input in pixels.

        Returns:
            The number; None for a list that names classes by number.
        """
        rows = None if "class" in self.columns else self._rows(tensors, size)
        return None if rows is None else rows.shape[1] - sum(WIDTHS[column] for column in self.columns)

    def decode(self, tensors: Tensors, size: Size, least: float, classes: Sequence[str] = ()) -> DetectedBoxes:
        """Read what a network said of one picture: see `DetectionHead.decode`.

        Args:
            tensors: the network's outputs by name.
            size: (height, width) of the network's input in pixels.
            least: score below which nothing is read.
            classes: names in the network's order; without them class 7 is called ``class_7``.

        Returns:
            Boxes in pixels of the input, by falling score; what is not finite or empty is left out.

        Raises:
            ProgramError: the tensors are not those of this head.
        """
        refuse_misfit(self, tensors, size, len(classes) or None)
        rows = self._rows(tensors, size)
        assert rows is not None
        parts, start = {}, 0
        for column in self.columns:
            parts[column] = rows[:, start : start + WIDTHS[column]]
            start += WIDTHS[column]
        if "class" in parts:
            scores, numbers = parts["score"][:, 0], parts["class"][:, 0]
        else:
            scores, numbers = self._scores(parts, rows[:, start:])
        corners = corners_of(parts["box"], self.boxes, size, strides=self._strides(len(rows), size))
        others = parts["image"][:, 0] > 0.5 if "image" in parts else np.zeros(len(rows), bool)
        return read_boxes(self.name, corners, np.where(others, -np.inf, scores), numbers, least, classes)

    def _scores(self, parts: Mapping[str, Floats], probabilities: Floats) -> tuple[Floats, Floats]:
        """Score and number of the likeliest class of each box."""
        numbers = probabilities.argmax(1)
        factors = [(probabilities[np.arange(len(numbers)), numbers], self.powers[1])]
        if "objectness" in parts:
            factors.append((parts["objectness"][:, 0], self.powers[0]))
        scores = np.ones(len(numbers))
        for values, power in factors:
            refuse_scores(self.name, values)
            scores = scores * np.clip(values, 0, 1) ** power
        return scores, numbers.astype(np.float64)

    def _rows(self, tensors: Tensors, size: Size) -> Floats | None:
        """(boxes, columns); None where no single tensor has them."""
        arrays = single_picture(tensors)
        if self.layout is OutputLayout.GRID:
            if len(arrays) != 1 or arrays[0].ndim != 3:
                return None
            grids = {cells_of(size, strides)[0] for strides in self.strides}
            return arrays[0].reshape(len(arrays[0]), -1).T if arrays[0].shape[1:] in grids else None
        flat = [array for array in arrays if array.ndim == 2]
        # what YOLOv5 is trained on may be handed out beside its boxes: (boxes a cell, rows, columns, numbers)
        rest = [array for array in arrays if array.ndim != 2]
        if len(flat) != 1 or any(array.ndim != 4 or array.shape[-1] != flat[0].shape[-1] for array in rest):
            return None
        return flat[0] if self.layout is OutputLayout.ROWS else flat[0].T

    def _counts(self, size: Size) -> set[int]:
        return {self._count(strides, size) for strides in self.strides}

    def _count(self, strides: tuple[int, ...], size: Size) -> int:
        return self.per_cell * sum(rows * columns for rows, columns in cells_of(size, strides))

    def _strides(self, boxes: int, size: Size) -> tuple[int, ...]:
        return next((strides for strides in self.strides if self._count(strides, size) == boxes), ())

    def _has_room(self, boxes: int, counts: set[int]) -> bool:
        return boxes in counts if counts else boxes <= MOST_LISTED
