"""All faces of a picture, for painting over: several sizes and the four turns, because a missed one is a leak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.faces.face_detector import FindsFaces
from privis.tasks.redaction.regions import ImageRegion, RegionKind, turned_back
from privis.validation import whole_number


@dataclass(frozen=True)
class FaceSearch:
    """Runs a detector over the whole picture, turned four ways, and over overlapping parts of it.

    A detector sees faces of a certain range of shares of its input, upright. Parts of half and of a quarter of the
    picture's sides show it small faces enlarged; turns by quarters show it faces of pictures that were stored lying or
    upside down. Nothing is suppressed: boxes on each other are painted once.

    Args:
        detector: finds faces in one picture.
        turns: of quarters, that the whole picture is tried at.
        parts: how often the picture is cut along its longer side, each part overlapping the next by half.
        smallest: pixels of the shorter side of a part; parts would be smaller in small pictures, and are left out.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    identifier: ClassVar[str] = "privis.face-search/1"

    detector: FindsFaces
    turns: tuple[int, ...] = (0, 1, 2, 3)
    parts: tuple[int, ...] = (2, 4)
    smallest: int = 160

    def __post_init__(self) -> None:
        problems = whole_number("FaceSearch.smallest", self.smallest)
        if not callable(getattr(self.detector, "detect", None)):
            problems.append(Problem("FaceSearch.detector", type(self.detector).__name__, "a FaceDetector"))
        if not self.turns or not set(self.turns) <= {0, 1, 2, 3}:
            problems.append(Problem("FaceSearch.turns", repr(self.turns), "some of 0, 1, 2, 3"))
        if not all(isinstance(count, int) and 2 <= count <= 16 for count in self.parts):
            problems.append(Problem("FaceSearch.parts", repr(self.parts), "integers of 2 to 16"))
        refuse(ParameterError, problems)

    def find(self, image: NDArray[np.uint8]) -> tuple[ImageRegion, ...]:
        """Find the faces of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Regions of kind face, in pixels of ``image``; a face may be there more than once.

        Raises:
            ProgramError: the outputs of the detector's network are not those of its head.
        """
        found = []
        for quarters in self.turns:
            seen = np.ascontiguousarray(np.rot90(image, quarters))
            found += [
                ImageRegion(region.kind, turned_back(region.corners, quarters, image.shape), region.score)
                for region in self._in(seen)
            ]
        for x, y, part in self._cut(image):
            found += [
                ImageRegion(region.kind, region.corners + np.array([x, y]), region.score) for region in self._in(part)
            ]
        return tuple(found)

    def _in(self, image: NDArray[np.uint8]) -> Iterator[ImageRegion]:
        faces = self.detector.detect(image)
        for box, score in zip(faces.boxes, faces.scores, strict=True):
            yield ImageRegion.of_box(RegionKind.FACE, *map(float, box), score=float(score))

    def _cut(self, image: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
        height, width = image.shape[:2]
        for count in self.parts:
            side = max(height, width) // count
            if min(side, height, width) < self.smallest:
                continue
            for y in _starts(height, side):
                for x in _starts(width, side):
                    yield x, y, np.ascontiguousarray(image[y : y + side, x : x + side])


def _starts(length: int, side: int) -> list[int]:
    """Where parts of ``side`` pixels begin so that they cover ``length`` and overlap by half or more."""
    if side >= length:
        return [0]
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]
