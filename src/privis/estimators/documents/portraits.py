"""The portrait of a document and its ghost: where they stand, and how the picture is turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_detector import FindsFaces
from privis.tasks.faces.detected_faces import DetectedFaces

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels, origin at the top left corner."""

LONGEST = 1000
"""Pixels of the longer side in which faces are looked for."""
TURNS = (0, 1, 3, 2)
"""Quarters, counterclockwise, in the order in which they are tried."""
LARGE_ENOUGH = 0.045
"""Least height of a portrait or its ghost, as a share of the shorter side of the picture."""
LARGE_FOR_A_CASCADE = 0.11
"""The same where a cascade looks, which takes small patterns for faces."""
AS_LARGE = 0.8
"""Height of another face, as a share of the portrait's, from which it is a second portrait and no ghost."""
STRONG = 0.8
"""Score from which another face is a second portrait."""
AGREE = 0.4
"""Intersection over union of a face and the same face in the mirror."""
ROOM = 0.6
"""Room around a portrait that is cut out, as a share of its sides."""


@dataclass(frozen=True)
class Portraits:
    """Faces of a document, in pixels of the picture as it came.

    Args:
        turns: quarters, counterclockwise, by which the picture has to be turned for the faces to be upright.
        portrait: the largest face; None: there is none.
        ghost: a smaller face beside it.
        second: another face as large as the portrait, of another document.
        score: of the portrait.
    """

    turns: int
    portrait: Box | None = None
    ghost: Box | None = None
    second: Box | None = None
    score: float = 0.0


def find_portraits(image: Pixels, finder: FindsFaces, turns: Sequence[int] = TURNS) -> Portraits:
    """Find the portrait of a document, however the picture is turned.

    No guarantee: a stamp or a pattern may look like a face.

    Args:
        image: uint8 (H, W) or (H, W, 3) RGB.
        finder: finds upright faces.
        turns: quarters, counterclockwise, that the picture may have to be turned by.

    Returns:
        Where the faces are, in pixels of ``image``.

    >>> find_portraits(np.full((200, 300), 255, np.uint8), CascadeDetector()).portrait is None
    True
    """
    import cv2

    scale = min(1.0, LONGEST / max(image.shape[:2]))
    shrunk = image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    share = LARGE_FOR_A_CASCADE if isinstance(finder, CascadeDetector) else LARGE_ENOUGH
    least = share * min(shrunk.shape[:2])
    best = Portraits(turns[0])
    for quarters in turns:
        turned = np.ascontiguousarray(np.rot90(shrunk, quarters))
        faces = _faces(np.asarray(turned, np.uint8), finder)
        faces = faces[faces.boxes[:, 3] >= least]
        if not len(faces):
            continue
        found = _portraits(faces, quarters, turned.shape, image.shape)
        if found.score > best.score:
            best = found
    return best


def portrait_cut(image: Pixels, found: Portraits) -> Pixels:
    """Cut a portrait out, upright, with room around it, as a detector of faces wants it.

    Args:
        image: the picture that ``found`` speaks of.
        found: with a portrait.

    Returns:
        Uint8 (height, width) or (height, width, 3).
    """
    assert found.portrait is not None
    x, y, width, height = found.portrait
    aside, above = round(ROOM * width), round(ROOM * height)
    part = image[max(0, y - above) : y + height + above, max(0, x - aside) : x + width + aside]
    return np.ascontiguousarray(np.rot90(part, found.turns))


def turned_back(box: NDArray[np.floating], quarters: int, shape: tuple[int, ...]) -> Box:
    """Say where a box of a turned picture is in the picture as it came.

    Args:
        box: x, y, width, height in pixels of the picture, turned by ``quarters`` counterclockwise.
        quarters: by which it was turned.
        shape: (height, width, …) of the picture as it came, in pixels.

    Returns:
        The box, whole pixels, inside of the picture.

    >>> turned_back(np.array([0.0, 0, 2, 3]), 1, (4, 9))
    (6, 0, 3, 2)
    """
    x, y, width, height = (float(v) for v in box)
    tall, wide = shape[:2]
    for now in range(quarters % 4, 0, -1):  # one quarter clockwise: (x, y) becomes (width of the result - y, x)
        across = wide if now % 2 else tall
        x, y, width, height = across - (y + height), x, height, width
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(wide, round(x + width)), min(tall, round(y + height))
    return left, top, max(0, right - left), max(0, bottom - top)


def _faces(image: Pixels, finder: FindsFaces) -> DetectedFaces:
    """Faces; of a detector without scores those that it finds in the mirror as well, as it sees faces in patterns."""
    found = finder.detect(image)
    if not isinstance(finder, CascadeDetector) or not len(found):
        return found
    mirrored = finder.detect(np.ascontiguousarray(image[:, ::-1])).boxes.copy()
    mirrored[:, 0] = image.shape[1] - mirrored[:, 0] - mirrored[:, 2]
    agreeing = [any(_overlap(box, other) >= AGREE for other in mirrored) for box in found.boxes]
    return found[np.array(agreeing, bool)][:1]  # too many of the smaller ones are none


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    corner = np.maximum(one[:2], other[:2])
    common = float(np.clip(np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - corner, 0, None).prod())
    return common / (float(one[2:].prod()) + float(other[2:].prod()) - common)


def _portraits(faces: DetectedFaces, quarters: int, turned: tuple[int, ...], shape: tuple[int, ...]) -> Portraits:
    heights = faces.boxes[:, 3]
    strong = np.where(faces.scores >= min(STRONG, float(faces.scores.max())), heights, 0)
    order = np.argsort(-strong, kind="stable")
    chosen, others = int(order[0]), order[1:]
    boxes = faces.boxes * (max(shape[:2]) / max(turned[:2]))
    places = [turned_back(box, quarters, shape) for box in boxes]
    second = [n for n in others if heights[n] >= AS_LARGE * heights[chosen] and faces.scores[n] >= STRONG]
    smaller = [n for n in others if heights[n] < AS_LARGE * heights[chosen]]
    return Portraits(
        quarters,
        places[chosen],
        places[smaller[0]] if smaller else None,
        places[second[0]] if second else None,
        float(faces.scores[chosen]),
    )
