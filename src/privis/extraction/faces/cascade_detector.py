"""Faces in controlled pictures without a network: the cascade that OpenCV carries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.features.image_ops import grey
from privis.tasks.faces.detected_faces import DetectedFaces
from privis.validation import whole_number

CASCADE = "haarcascade_frontalface_alt2.xml"
"""In OpenCV's wheel, under its licence; trained on frontal faces by Lienhart."""
BORDER = 30
"""Pixels that continue the picture on every side: faces may fill it."""
STEP, NEIGHBOURS = 1.05, 2
"""Ratio of neighbouring window sizes, and windows that have to agree."""
PLACES = np.array([[0.31, 0.38], [0.69, 0.38], [0.5, 0.6], [0.345, 0.79], [0.655, 0.79]])
"""Where the landmarks of a frontal face stand in a window of the cascade, as shares of its sides."""


@dataclass(frozen=True)
class CascadeDetector:
    """Upright frontal faces by a cascade of Haar features; landmarks are where they stand in a frontal face.

    So turn, nod and roll of a face are not measured, and alignment is that of the box. For pictures that are taken
    before one camera, as at a counter; anywhere else use a `FaceDetector`. All scores are 1. Reference: Viola and
    Jones, "Robust real-time face detection", 2004, doi:10.1023/B:VISI.0000013087.49260.fb.

    Args:
        shortest: pixels of the shorter side to which smaller pictures are enlarged.

    Raises:
        ParameterError: it is no integer of at least 1.

    >>> len(CascadeDetector().detect(np.zeros((64, 64), np.uint8)))
    0
    """

    identifier: ClassVar[str] = "privis.cascade-detector/1"

    shortest: int = 256

    def __post_init__(self) -> None:
        if problems := whole_number("CascadeDetector.shortest", self.shortest):
            raise ParameterError(*problems)

    def detect(self, image: NDArray[np.uint8]) -> DetectedFaces:
        """Find the faces of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            What was found, the largest first, in pixels of ``image``.

        Raises:
            ParameterError: this OpenCV has no cascades.
        """
        import cv2

        path = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / CASCADE
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            remedy = "install opencv-python-headless below 5, or give a FaceDetector"
            raise ParameterError(Problem("CascadeDetector", f"OpenCV {cv2.__version__} without it", CASCADE, remedy))
        scale = max(1.0, self.shortest / min(image.shape[:2]))
        pixels = cv2.resize(grey(image), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(pixels, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
        windows = cv2.CascadeClassifier(str(path)).detectMultiScale(framed, STEP, NEIGHBOURS)
        if not len(windows):
            return DetectedFaces.none()
        boxes = np.asarray(windows, np.float64)
        boxes = boxes[np.lexsort((boxes[:, 1], boxes[:, 0], -boxes[:, 2]))]
        boxes[:, :2] -= BORDER
        landmarks = boxes[:, None, :2] + PLACES * boxes[:, None, 2:]
        return DetectedFaces(boxes, landmarks, np.ones(len(boxes))).scaled(1 / scale)
