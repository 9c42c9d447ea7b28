"""Pictures for checking by eye: the original with outlines on the left, what is written on the right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from privis.extraction.redaction.redactor import Redacted
from privis.features.image_ops import colour
from privis.io.atomic import replacing
from privis.io.images.pages import encoded
from privis.tasks.redaction.painting import eight_bit_view
from privis.tasks.redaction.regions import RegionKind

_LONGEST = 1000
_COLOURS = {
    RegionKind.FACE: (230, 30, 30),
    RegionKind.PLATE: (30, 110, 230),
    RegionKind.ZONE: (20, 160, 60),
    RegionKind.TEXT: (230, 140, 0),
    RegionKind.GIVEN: (160, 30, 200),
    RegionKind.PERSON: (0, 150, 150),
}
_GAP = 8


def review_picture(pixels: NDArray[Any], redacted: Redacted) -> NDArray[np.uint8]:
    """Draw a page beside its painted copy, uint8 RGB, each at most a thousand pixels long."""
    scale = min(1.0, _LONGEST / max(pixels.shape[:2]))
    left, right = (_shrunk(colour(eight_bit_view(each)), scale) for each in (pixels, redacted.pixels))
    thick = 2 if max(left.shape) >= 300 else 1
    for region in redacted.regions:
        corners = np.round(np.clip(region.corners * scale, -4 * _LONGEST, 4 * _LONGEST)).astype(np.int32)
        cv2.polylines(left, [corners.reshape(-1, 1, 2)], True, _COLOURS[region.kind], thick, cv2.LINE_AA)
    gap = np.full((left.shape[0], _GAP, 3), 255, np.uint8)
    return np.hstack([left, gap, right])


def write_review(folder: Path, name: str, page: int, pixels: NDArray[Any], redacted: Redacted) -> None:
    """Write the drawing of a page: the name of the picture, the number of a page after the first, and .jpg."""
    path = folder / f"{name}{f'.page{page + 1}' if page else ''}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded(review_picture(pixels, redacted), "JPEG"))


def _shrunk(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.ascontiguousarray(cv2.resize(pixels, size, interpolation=how), np.uint8).copy()
