"""Boxes of things in one picture: where they are, what they are, how sure the detector is; the one type for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DetectedBoxes:
    """Boxes of one picture, in pixels of the upright picture: origin at the top left corner, x to the right, y down.

    A pixel is a square of side 1, the first one from (0, 0) to (1, 1): a box around exactly that pixel is 0, 0, 1, 1.

    Args:
        boxes: (n, 4): x and y of the top left corner, width, height, none negative; a box may leave the picture.
        scores: (n,), the higher the surer; of any scale, that of the detector.
        labels: what each is, or one word for all.

    Raises:
        ParameterError: shapes do not fit each other, a number is not finite, or a width or height is negative.

    >>> found = DetectedBoxes([[10, 20, 30, 40]], [0.9], "person")
    >>> len(found), found.labels
    (1, ('person',))
    """

    boxes: Floats = field(repr=False)
    scores: Floats
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = np.asarray(self.scores).size
        problems = []
        for name, shape in (("boxes", (count, 4)), ("scores", (count,))):
            array = np.asarray(getattr(self, name))
            array = array.reshape(shape) if not count and not array.size else array  # no boxes have many spellings
            empty = not count and array.shape == shape
            if (array.dtype.kind not in "fiu" and not empty) or array.shape != shape or not _finite(array):
                got = f"{array.dtype} values of shape {array.shape}"
                problems.append(Problem(f"DetectedBoxes.{name}", got, f"finite numbers of shape {shape}"))
            else:
                object.__setattr__(self, name, array.astype(np.float64))
        if not problems and (self.boxes[:, 2:] < 0).any():
            worst = self.boxes[:, 2:].min()
            problems.append(Problem("DetectedBoxes.boxes", f"a side of {worst:g} pixels", "widths and heights >= 0"))
        labels = (self.labels,) * count if isinstance(self.labels, str) else tuple(map(str, self.labels))
        if len(labels) != count:
            got = f"{len(labels)} labels for {count} boxes"
            problems.append(Problem("DetectedBoxes.labels", got, "one for each box, or one word for all"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "labels", labels)

    @classmethod
    def none(cls) -> DetectedBoxes:
        """What is found where there is nothing.

        Returns:
            No boxes.
        """
        return cls(np.zeros((0, 4)), np.zeros(0))

    @classmethod
    def of_corners(
        cls, corners: npt.ArrayLike, scores: npt.ArrayLike, labels: str | Sequence[str] = ()
    ) -> DetectedBoxes:
        """Make boxes of their corners.

        Args:
            corners: (n, 4): left, top, right, bottom in pixels; right and bottom are where the box ends, so a box
                around one pixel has ``right - left == 1``.
            scores: (n,).
            labels: what each is, or one word for all.

        Returns:
            The boxes.

        Raises:
            ParameterError: as of the class.
        """
        sides = np.asarray(corners, np.float64).reshape(-1, 4)
        boxes = np.concatenate([sides[:, :2], sides[:, 2:] - sides[:, :2]], axis=1)
        return cls(boxes, np.asarray(scores), labels if isinstance(labels, str) else tuple(labels))

    @classmethod
    def joined(cls, parts: Iterable[DetectedBoxes]) -> DetectedBoxes:
        """All boxes of several, one after another.

        Args:
            parts: of the same picture.

        Returns:
            The boxes, in the order given.
        """
        given = [part for part in parts if len(part)]
        if not given:
            return cls.none()
        labels = tuple(label for part in given for label in part.labels)
        return cls(np.concatenate([p.boxes for p in given]), np.concatenate([p.scores for p in given]), labels)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: Any) -> DetectedBoxes:
        """Some of the boxes, by a slice, booleans or an array of their numbers; one number gives one box."""
        kept = np.atleast_1d(np.arange(len(self))[rows])
        return DetectedBoxes(self.boxes[kept], self.scores[kept], tuple(self.labels[i] for i in kept))

    @property
    def corners(self) -> Floats:
        """Left, top, right and bottom (n, 4) in pixels."""
        return np.concatenate([self.boxes[:, :2], self.boxes[:, :2] + self.boxes[:, 2:]], axis=1)

    @property
    def areas(self) -> Floats:
        """Areas (n,) in square pixels."""
        return self.boxes[:, 2] * self.boxes[:, 3]

    @property
    def centres(self) -> Floats:
        """Centres (n, 2), x and y in pixels."""
        return self.boxes[:, :2] + self.boxes[:, 2:] / 2

    def scaled(self, factor: float | tuple[float, float]) -> DetectedBoxes:
        """Move the boxes to the picture that is ``factor`` times as large.

        Args:
            factor: above 0; or one across and one down.

        Returns:
            Boxes with the same scores and labels.

        >>> DetectedBoxes([[2, 4, 10, 10]], [1.0], "car").scaled(0.5).boxes.tolist()
        [[1.0, 2.0, 5.0, 5.0]]
        """
        across, down = factor if isinstance(factor, tuple) else (factor, factor)
        return DetectedBoxes(self.boxes * np.array([across, down, across, down]), self.scores, self.labels)

    def moved(self, across: float, down: float) -> DetectedBoxes:
        """Move every box.

        Args:
            across: to the right, in pixels.
            down: in pixels.

        Returns:
            Boxes with the same sizes, scores and labels.
        """
        return DetectedBoxes(self.boxes + np.array([across, down, 0.0, 0.0]), self.scores, self.labels)

    def within(self, shape: Sequence[int]) -> DetectedBoxes:
        """Cut the boxes at the sides of the picture; those outside it are left out.

        Args:
            shape: (height, width, …) of the picture in pixels.

        Returns:
            Boxes of positive width and height inside it.

        >>> DetectedBoxes([[-5, 2, 10, 10], [30, 0, 5, 5]], [1.0, 2.0], "car").within((8, 20)).boxes.tolist()
        [[0.0, 2.0, 5.0, 6.0]]
        """
        sides = self.corners.clip(0, np.array([shape[1], shape[0]] * 2, np.float64))
        kept = (sides[:, 2:] > sides[:, :2]).all(axis=1)
        labels = tuple(label for label, keep in zip(self.labels, kept, strict=True) if keep)
        return DetectedBoxes.of_corners(sides[kept], self.scores[kept], labels)

    def suppressed(self, overlap: float = 0.45, most: int | None = None) -> DetectedBoxes:
        """Keep the best of boxes of one label that lie on each other: greedy non-maximum suppression.

        Args:
            overlap: largest intersection over union of two boxes of one label that are both kept, in [0, 1].
            most: how many are kept at most, those of the highest scores; None: all.

        Returns:
            What is kept, by falling score; of equal scores the first given comes first.

        Raises:
            ParameterError: ``overlap`` is outside [0, 1].

        >>> boxes = DetectedBoxes([[0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 10, 10]], [-0.7, 0.9, 0.8], "person")
        >>> boxes.suppressed().scores.tolist()
        [0.9, 0.8]
        """
        kept = greedy_suppression(self.boxes, self.scores, overlap, self.labels)
        return self[kept[:most]]


def overlaps(left: npt.ArrayLike, right: npt.ArrayLike) -> Floats:
    """Intersection over union of every box with every other.

    Args:
        left: (n, 4), each x, y, width, height.
        right: (m, 4).

    Returns:
        (n, m), each in [0, 1]; 0 where both boxes are empty.

    >>> overlaps([[0, 0, 10, 10]], [[0, 0, 10, 10], [5, 0, 10, 10], [10, 0, 5, 5]]).round(3).tolist()
    [[1.0, 0.333, 0.0]]
    """
    ours, theirs = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (left, right))
    start = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    end = np.minimum((ours[:, :2] + ours[:, 2:])[:, None], (theirs[:, :2] + theirs[:, 2:])[None])
    shared = (end - start).clip(0).prod(axis=2)
    union = ours[:, None, 2:].prod(axis=2) + theirs[None, :, 2:].prod(axis=2) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def greedy_suppression(
    boxes: npt.ArrayLike, scores: npt.ArrayLike, overlap: float, labels: Sequence[str] | None = None
) -> npt.NDArray[np.int64]:
    """Which boxes greedy non-maximum suppression keeps: the best one, then the best that lies on none kept, and so on.

    Args:
        boxes: (n, 4), each x, y, width, height.
        scores: (n,), of any scale.
        overlap: largest intersection over union of two boxes that are both kept, in [0, 1].
        labels: of the boxes: those of different labels do not suppress each other. None: all are of one.

    Returns:
        Their numbers, by falling score; of equal scores the first given comes first.

    Raises:
        ParameterError: ``overlap`` is outside [0, 1].

    >>> greedy_suppression([[0, 0, 10, 10], [0, 0, 10, 10]], [1.0, 2.0], 0.5).tolist()
    [1]
    """
    if not 0 <= overlap <= 1:
        raise ParameterError(Problem("overlap", str(overlap), "an intersection over union, in [0, 1]"))
    left = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    _, kinds = np.unique(np.zeros(len(left)) if labels is None else np.asarray(labels), return_inverse=True)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[(overlaps(given[left], given[best])[:, 0] <= overlap) | (kinds[left] != kinds[best])]
    return np.array(kept, np.int64)


def _finite(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind not in "fiu" or bool(np.isfinite(array).all())
