"""Faces and number plates as boxes: what has detectors of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from privis.extraction.faces.face_detector import FindsFaces
from privis.extraction.redaction.picture_finders import FindsRegions
from privis.io.images.decode import load
from privis.tasks.detection.boxes import DetectedBoxes

FACE, PLATE = "face", "plate"


@dataclass(frozen=True)
class FaceBoxes:
    """Faces by a face detector, without their landmarks.

    Args:
        detector: finds them.
    """

    identifier: ClassVar[str] = "privis.face-boxes/1"

    detector: FindsFaces

    @property
    def labels(self) -> tuple[str, ...]:
        """The one label."""
        return (FACE,)

    def detect(self, image: Any) -> DetectedBoxes:
        """Find the faces of one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            Every face once, by falling score, cut at the sides of the picture.

        Raises:
            ImageError: the picture cannot be read.
        """
        pixels = load(image)
        found = self.detector.detect(pixels)
        return DetectedBoxes(found.boxes, found.scores, FACE).within(pixels.shape)


@dataclass(frozen=True)
class RegionBoxes:
    """What finds regions, as the upright boxes around them.

    Args:
        finder: finds them.
        label: what they are.
        overlap: intersection over union from which two boxes are one thing, in [0, 1].
    """

    identifier: ClassVar[str] = "privis.region-boxes/1"

    finder: FindsRegions
    label: str = PLATE
    overlap: float = 0.3

    @property
    def labels(self) -> tuple[str, ...]:
        """The one label."""
        return (self.label,)

    def detect(self, image: Any) -> DetectedBoxes:
        """Find the regions of one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            The box around each, by falling score, cut at the sides of the picture.

        Raises:
            ImageError: the picture cannot be read.
        """
        pixels = load(image)
        regions = self.finder.find(pixels)
        found = DetectedBoxes([region.box for region in regions], [region.score for region in regions], self.label)
        return found.suppressed(self.overlap).within(pixels.shape)
