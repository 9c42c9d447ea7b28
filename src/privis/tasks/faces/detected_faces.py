"""Faces that a detector found in one picture: boxes, landmarks, scores; and which of them is meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.detection.boxes import greedy_suppression

Floats = npt.NDArray[np.float64]
LANDMARKS = 5
"""Right eye, left eye, tip of the nose, right and left corner of the mouth; right and left are the person's own."""


@dataclass(frozen=True, eq=False)
class DetectedFaces:
    """Faces of one picture, in pixels of that picture: origin at the top left corner, x to the right, y down.

    Args:
        boxes: (faces, 4): x and y of the top left corner, width, height; a box may leave the picture.
        landmarks: (faces, 5, 2), x and y each: right eye, left eye, tip of the nose, right and left corner of the
            mouth. Right and left are the person's own, so the right eye stands on the left of the picture.
        scores: (faces,), each within [0, 1].

    Raises:
        ParameterError: shapes do not fit each other, or a number is not finite.

    >>> len(DetectedFaces.none())
    0
    """

    boxes: Floats = field(repr=False)
    landmarks: Floats = field(repr=False)
    scores: Floats

    def __post_init__(self) -> None:
        count = np.asarray(self.scores).size
        problems = []
        for name, shape in (("boxes", (count, 4)), ("landmarks", (count, LANDMARKS, 2)), ("scores", (count,))):
            array = np.asarray(getattr(self, name))
            if array.dtype.kind not in "fiu" or array.shape != shape or not np.isfinite(array).all():
                got = f"{array.dtype} values of shape {array.shape}"
                problems.append(Problem(f"DetectedFaces.{name}", got, f"finite numbers of shape {shape}"))
            else:
                object.__setattr__(self, name, array.astype(np.float64))
        refuse(ParameterError, problems)

    @classmethod
    def none(cls) -> DetectedFaces:
        """What is found where there is no face.

        Returns:
            No faces.
        """
        return cls(np.zeros((0, 4)), np.zeros((0, LANDMARKS, 2)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: Any) -> DetectedFaces:
        """Some of the faces, by a slice, booleans or an array of their numbers; one number gives one face."""
        kept = np.atleast_1d(np.arange(len(self))[rows])
        return DetectedFaces(self.boxes[kept], self.landmarks[kept], self.scores[kept])

    @property
    def areas(self) -> Floats:
        """Areas of the boxes in square pixels (faces,)."""
        return self.boxes[:, 2] * self.boxes[:, 3]

    @property
    def centres(self) -> Floats:
        """Centres of the boxes (faces, 2), x and y in pixels."""
        return self.boxes[:, :2] + self.boxes[:, 2:] / 2

    def scaled(self, factor: float) -> DetectedFaces:
        """Move the faces to the picture that is ``factor`` times as large.

        Args:
            factor: above 0.

        Returns:
            Faces with the same scores.

        >>> faces = DetectedFaces(np.array([[2.0, 4.0, 10.0, 10.0]]), np.full((1, 5, 2), 6.0), np.ones(1))
        >>> faces.scaled(0.5).boxes.tolist()
        [[1.0, 2.0, 5.0, 5.0]]
        """
        return DetectedFaces(self.boxes * factor, self.landmarks * factor, self.scores)

    def suppressed(self, overlap: float = 0.3, most: int = 5000) -> DetectedFaces:
        """Keep the best of boxes that lie on each other: greedy non-maximum suppression.

        Args:
            overlap: largest intersection over union of two boxes that are both kept, in [0, 1].
            most: boxes that are looked at, those of the highest scores.

        Returns:
            What is kept, by falling score.

        >>> boxes = np.array([[0.0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 10, 10]])
        >>> DetectedFaces(boxes, np.zeros((3, 5, 2)), np.array([0.7, 0.9, 0.8])).suppressed().scores.tolist()
        [0.9, 0.8]
        """
        best = self[np.argsort(-self.scores, kind="stable")[:most]]
        return best[greedy_suppression(best.boxes, best.scores, overlap)]


class FaceChoice(Enum):
    """Which of several faces is meant."""

    LARGEST = "largest"
    """The one whose box is largest: a selfie, a visitor before the camera."""
    CENTRAL = "central"
    """The one whose box is nearest to the middle of the picture: portraits."""


def chosen_face(faces: DetectedFaces, shape: tuple[int, ...], choice: FaceChoice = FaceChoice.CENTRAL) -> int | None:
    """Choose the face that a picture is of.

    Args:
        faces: what was found.
        shape: (height, width, …) of the picture in pixels.
        choice: which one is meant.

    Returns:
        Its number; of equally good ones that of the highest score; None where nothing was found.

    Raises:
        ParameterError: ``choice`` is no `FaceChoice`.

    >>> boxes = np.array([[0.0, 0, 40, 40], [45, 45, 10, 10]])
    >>> faces = DetectedFaces(boxes, np.zeros((2, 5, 2)), np.ones(2))
    >>> chosen_face(faces, (100, 100)), chosen_face(faces, (100, 100), FaceChoice.LARGEST)
    (1, 0)
    """
    if not isinstance(choice, FaceChoice):
        raise ParameterError(Problem("chosen_face.choice", repr(choice), "a member of FaceChoice"))
    if not len(faces):
        return None
    middle = np.array([shape[1], shape[0]]) / 2
    distance = -faces.areas if choice is FaceChoice.LARGEST else np.hypot(*(faces.centres - middle).T)
    return int(np.lexsort((-faces.scores, distance))[0])
