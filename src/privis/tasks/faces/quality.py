"""Whether a face is good enough to be recognised by: what is measured, which limits hold, what was found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.tasks.faces.alignment import SMALLEST_SPREAD
from privis.tasks.faces.detected_faces import DetectedFaces


class FindingKind(Enum):
    """What can be wrong with a picture of a face."""

    NO_FACE = "no face"
    SEVERAL_FACES = "several faces"
    TOO_SMALL = "too small"
    BLURRED = "blurred"
    TURNED = "turned"
    TILTED = "tilted"
    CUT_OFF = "cut off"


@dataclass(frozen=True)
class FaceQuality:
    """What is measured of one face, from its five landmarks and its aligned crop.

    Args:
        eye_distance: between the eyes' centres, in pixels of the picture as it came.
        sharpness: how much of the crop's contrast is detail: the variance of its Laplacian over that of its grey
            levels; a blurred or enlarged face has little.
        turn: how far the nose stands from the middle between the eyes, along the line of the eyes, in eye distances:
            0 in front of the camera, about 0.5 where it stands under an eye; positive towards the person's left.
        nod: where the nose stands between eyes (0) and mouth (1); about 0.5 in front of the camera.
        roll: rotation in the picture, in degrees within (-180, 180]; positive: clockwise.
        outside: share of the box that lies outside of the picture.
        others: largest area of another face's box, as a share of this one's.
    """

    eye_distance: float
    sharpness: float
    turn: float
    nod: float
    roll: float
    outside: float
    others: float


@dataclass(frozen=True)
class FaceLimits:
    """From where on a face is not good enough; None: whatever it is.

    The defaults are those of which the accuracy is measured (``python -m benchmarks.faces``); registers of identity
    documents ask for more: ISO/IEC 19794-5 has 90 pixels between the eyes.

    Args:
        eye_distance: least pixels between the eyes.
        sharpness: least share of detail, as of `FaceQuality`.
        turn: largest turn to either side, in eye distances.
        nod: how far the nose may stand from the middle between eyes and mouth.
        roll: largest rotation in the picture in degrees, to either side.
        outside: largest share of the box outside of the picture.
        others: largest other face, as a share of the chosen one's area.

    Raises:
        ParameterError: a limit is negative or not finite.

    >>> FaceLimits(eye_distance=60).eye_distance
    60
    """

    identifier: ClassVar[str] = "privis.face-limits/1"

    eye_distance: float | None = 16.0
    sharpness: float | None = 0.002
    turn: float | None = 0.9
    nod: float | None = 0.4
    roll: float | None = 60.0
    outside: float | None = 0.3
    others: float | None = 0.5

    def __post_init__(self) -> None:
        problems = []
        for name, value in vars(self).items():
            if value is not None and not (isinstance(value, int | float) and 0 <= value < math.inf):
                problems.append(Problem(f"FaceLimits.{name}", repr(value), "a finite number of at least 0, or None"))
        if problems:
            raise ParameterError(*problems)

    @classmethod
    def unlimited(cls) -> FaceLimits:
        """Limits that nothing exceeds, for whoever judges by themselves.

        Returns:
            None everywhere.
        """
        return cls(None, None, None, None, None, None, None)


@dataclass(frozen=True)
class FaceFinding:
    """One thing that is wrong with a picture of a face.

    Args:
        kind: what it is.
        got: what was measured, in words.
        expected: what would be right, with its unit.
        remedy: what to do about it.
    """

    kind: FindingKind
    got: str
    expected: str
    remedy: str

    def problem(self, where: str) -> Problem:
        """Say it of a picture.

        Args:
            where: what messages call the picture.

        Returns:
            The problem.

        >>> str(NO_FACE.problem("a.png"))
        'a.png: got no face, expected one face; take a picture from the front, upright, with the face in view'
        """
        return Problem(where, self.got, self.expected, self.remedy)


NO_FACE = FaceFinding(
    FindingKind.NO_FACE, "no face", "one face", "take a picture from the front, upright, with the face in view"
)
"""What is found where a detector finds nothing."""


def face_quality(faces: DetectedFaces, chosen: int, crop: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> FaceQuality:
    """Measure one face of a picture.

    Args:
        faces: what was found in the picture, in its pixels.
        chosen: number of the face.
        crop: its aligned crop, uint8 (H, W) or (H, W, 3).
        shape: (height, width, …) of the picture in pixels.

    Returns:
        The measurements.

    >>> from privis.tasks.faces.alignment import ARCFACE_LANDMARKS
    >>> found = DetectedFaces(np.array([[20.0, 20, 70, 90]]), ARCFACE_LANDMARKS[None], np.ones(1))
    >>> quality = face_quality(found, 0, np.eye(112, dtype=np.uint8), (112, 112))
    >>> round(quality.eye_distance, 1), round(quality.turn, 2), round(quality.roll, 1)
    (35.2, 0.0, -0.3)
    """
    right, left, nose, *mouth = faces.landmarks[chosen]
    line = left - right
    distance = float(np.hypot(*line))
    middle, below = (right + left) / 2, np.mean(mouth, 0) - (right + left) / 2
    along = line / max(distance, SMALLEST_SPREAD)
    down = np.array([-along[1], along[0]])
    height = float(below @ down)
    areas = faces.areas
    others = np.delete(areas, chosen)
    x, y, width, tall = faces.boxes[chosen]
    inside = max(0.0, min(x + width, shape[1]) - max(x, 0.0)) * max(0.0, min(y + tall, shape[0]) - max(y, 0.0))
    return FaceQuality(
        eye_distance=distance,
        sharpness=_sharpness(crop),
        turn=float((nose - middle) @ along) / max(distance, SMALLEST_SPREAD),
        nod=float((nose - middle) @ down) / height if abs(height) > SMALLEST_SPREAD else math.inf,
        roll=math.degrees(math.atan2(line[1], line[0])),
        outside=1 - inside / areas[chosen] if areas[chosen] > 0 else 1.0,
        others=float(others.max() / areas[chosen]) if len(others) and areas[chosen] > 0 else 0.0,
    )


def face_findings(quality: FaceQuality, limits: FaceLimits) -> tuple[FaceFinding, ...]:
    """Hold a face against limits.

    Args:
        quality: what was measured.
        limits: what is good enough.

    Returns:
        Everything that is not, in the order of `FindingKind`.

    >>> good = FaceQuality(80.0, 0.1, 0.0, 0.5, 2.0, 0.0, 0.0)
    >>> face_findings(good, FaceLimits())
    ()
    >>> [finding.kind.value for finding in face_findings(good, FaceLimits(eye_distance=90))]
    ['too small']
    """
    found = []
    if limits.others is not None and quality.others > limits.others:
        got = f"another face, {quality.others:.0%} as large as the chosen one"
        found.append((FindingKind.SEVERAL_FACES, got, f"at most {limits.others:.0%}", "cut out the face that is meant"))
    if limits.eye_distance is not None and quality.eye_distance < limits.eye_distance:
        got, remedy = f"{quality.eye_distance:.1f} pixels between the eyes", "go closer, or take a larger picture"
        found.append((FindingKind.TOO_SMALL, got, f"at least {limits.eye_distance:g}", remedy))
    if limits.sharpness is not None and quality.sharpness < limits.sharpness:
        got, remedy = f"a blurred face (sharpness {quality.sharpness:.4f})", "hold still, focus, or add light"
        found.append((FindingKind.BLURRED, got, f"at least {limits.sharpness:g}", remedy))
    turned = limits.turn is not None and abs(quality.turn) > limits.turn
    nodded = limits.nod is not None and abs(quality.nod - 0.5) > limits.nod
    if turned or nodded:
        got = f"a face turned away (nose {quality.turn:+.2f} eye distances aside, {quality.nod:.2f} down to the mouth)"
        aside, down = (math.inf if limit is None else limit for limit in (limits.turn, limits.nod))
        expected = f"at most {aside:.2f} aside, within {down:.2f} of 0.5 down"
        found.append((FindingKind.TURNED, got, expected, "look into the camera"))
    if limits.roll is not None and abs(quality.roll) > limits.roll:
        got = f"a face rotated by {quality.roll:.0f} degrees"
        found.append((FindingKind.TILTED, got, f"at most {limits.roll:g}", "turn the picture upright"))
    if limits.outside is not None and quality.outside > limits.outside:
        got = f"{quality.outside:.0%} of the face outside of the picture"
        found.append((FindingKind.CUT_OFF, got, f"at most {limits.outside:.0%}", "take the whole face into view"))
    return tuple(FaceFinding(*each) for each in found)


def _sharpness(crop: npt.NDArray[np.uint8]) -> float:
    import cv2

    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.ndim == 3 else crop
    contrast = float(grey.var())
    return float(cv2.Laplacian(grey, cv2.CV_64F).var()) / contrast if contrast > 0 else 0.0
