"""Whole people of a picture, for painting over: by any detector that gives boxes, and below the faces that are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.redaction.picture_finders import FindsRegions
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.redaction.regions import ImageRegion, RegionKind


class FindsPeople(Protocol):
    """What finds people in a picture, whatever it is made of."""

    def detect(self, image: NDArray[np.uint8]) -> DetectedBoxes:
        """Find the people of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            What was found, in pixels of ``image``.
        """
        ...


@dataclass(frozen=True)
class PeopleSearch:
    """Boxes of a detector of people, and the bodies below faces.

    No guarantee: which share is found is measured (docs/redaction.md). Detectors of people who stand miss who sits,
    lies, is cut off by the side of the picture or stands behind others; where such a face is seen, a body is painted
    below it.

    Args:
        detector: finds people.
        faces: finds faces; None: bodies are painted by ``detector`` alone.
        with_faces: whether regions of faces are given, too, where they are to be painted anyway.
        label: of boxes that are people; None: all are.
        beside: how far a body reaches to either side of the middle of its face, in widths of that.
        below: how far it reaches below the middle, in heights of the face.

    Raises:
        ParameterError: it is no detector, or there is no search for the faces that are asked for.
    """

    identifier: ClassVar[str] = "privis.people-search/1"

    detector: FindsPeople
    faces: FindsRegions | None = None
    with_faces: bool = False
    label: str | None = None
    beside: float = 2.5
    below: float = 9.0

    def __post_init__(self) -> None:
        problems = []
        if not callable(getattr(self.detector, "detect", None)):
            problems.append(Problem("PeopleSearch.detector", type(self.detector).__name__, "a Detector"))
        if self.faces is not None and not callable(getattr(self.faces, "find", None)):
            problems.append(Problem("PeopleSearch.faces", type(self.faces).__name__, "something with find(image)"))
        if self.with_faces and self.faces is None:
            problems.append(Problem("PeopleSearch.with_faces", "True", "a search for faces"))
        for name in ("beside", "below"):
            if not 0 < getattr(self, name) <= 100:
                problems.append(Problem(f"PeopleSearch.{name}", repr(getattr(self, name)), "above 0, 100 at most"))
        refuse(ParameterError, problems)

    def find(self, image: NDArray[np.uint8]) -> tuple[ImageRegion, ...]:
        """Find the people of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Regions of kind person and, where they are asked for, of kind face, in pixels of ``image``.
        """
        return (*self._outlines(image), *self.find_again(image))

    def find_again(self, image: NDArray[np.uint8]) -> tuple[ImageRegion, ...]:
        """Find people in a picture that is painted already, by their faces alone: edges of paint look like outlines.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Regions of kind person and, where they are asked for, of kind face, in pixels of ``image``.
        """
        faces = () if self.faces is None else self.faces.find(image)
        return (*(faces if self.with_faces else ()), *map(self._body, faces))

    def _outlines(self, image: NDArray[np.uint8]) -> list[ImageRegion]:
        found = self.detector.detect(image)
        scores = 1 / (1 + np.exp(-found.scores))  # of any scale: in (0, 1), in the same order
        return [
            ImageRegion.of_box(RegionKind.PERSON, *map(float, found.boxes[row]), score=float(scores[row]))
            for row, label in enumerate(found.labels)
            if self.label in (None, label) and (found.boxes[row, 2:] > 0).all()
        ]

    def _body(self, face: ImageRegion) -> ImageRegion:
        x, y, width, height = face.box
        middle, down, side = x + width / 2, y + height / 2, self.beside * width
        box = middle - side, down - height, 2 * side, height + self.below * height
        return ImageRegion.of_box(RegionKind.PERSON, *box, score=face.score)
