"""Number plates, machine-readable zones and text of a picture, as regions; what needs no network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.features.image_ops import grey
from privis.tasks.documents.located_zone import locate_zone
from privis.tasks.documents.zone_finding import zone_areas
from privis.tasks.redaction.regions import ImageRegion, RegionKind, turned_back
from privis.tasks.redaction.text_lines import TextFinder

CASCADE = "haarcascade_russian_plate_number.xml"
"""In OpenCV's wheel, under its licence."""
_LONGEST = 1600
"""Pixels of the longer side of what the cascade sees: it costs seconds and gigabytes for a photograph of 12 million."""


class FindsRegions(Protocol):
    """What finds regions in a picture, whatever it is made of."""

    def find(self, image: NDArray[np.uint8]) -> tuple[ImageRegion, ...]:
        """Find the regions of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            What was found, in pixels of ``image``.
        """
        ...


@dataclass(frozen=True)
class PlateSearch:
    """Number plates: rows of characters that have a plate's proportions, and what OpenCV's cascade takes for one.

    No guarantee: which share is found, and how much that is none is painted, is measured (docs/redaction.md).

    Args:
        rows: finds rows of characters.
        score: of a row that may be a plate, as a probability.
        narrowest: ratio of width to height of a row of characters on a plate.
        widest: the same, at most.

    Raises:
        ParameterError: the ratios are not in order.
    """

    identifier: ClassVar[str] = "privis.plate-search/1"

    rows: TextFinder = TextFinder()
    score: float = 0.27
    narrowest: float = 1.8
    widest: float = 7.0

    def __post_init__(self) -> None:
        if not 0 < self.narrowest < self.widest:
            got = f"{self.narrowest} to {self.widest}"
            raise ParameterError(Problem("PlateSearch.narrowest, widest", got, "0 < narrowest < widest"))

    def find(self, image: NDArray[np.uint8]) -> tuple[ImageRegion, ...]:
        """Find what may be a number plate.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Regions of kind plate, in pixels of ``image``.
        """
        pixels = grey(image)
        found = [replace(row, kind=RegionKind.PLATE) for row in self.rows.find(pixels) if self._is_plate(row)]
        return (*found, *_by_cascade(pixels))

    def _is_plate(self, row: ImageRegion) -> bool:
        along, down = row.corners[1] - row.corners[0], row.corners[3] - row.corners[0]
        level = abs(along[1]) <= 0.5 * abs(along[0])
        ratio = float(np.hypot(*along)) / max(float(np.hypot(*down)), 1e-9)
        return bool(level) and row.score >= self.score and self.narrowest <= ratio <= self.widest


def _by_cascade(pixels: NDArray[np.uint8]) -> list[ImageRegion]:
    import cv2

    path = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / CASCADE
    if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
        return []  # OpenCV 5 has none; rows of characters are found without it
    scale = max(1.0, max(pixels.shape) / _LONGEST)
    size = max(1, round(pixels.shape[1] / scale)), max(1, round(pixels.shape[0] / scale))
    shrunk = pixels if scale == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    windows = cv2.CascadeClassifier(str(path)).detectMultiScale(shrunk, 1.05, 3)
    return [ImageRegion.of_box(RegionKind.PLATE, *(scale * float(side) for side in window)) for window in windows]


@dataclass(frozen=True)
class ZoneSearch:
    """Machine-readable zones of documents, upright or turned by quarters.

    Args:
        likely: whether areas are painted, too, that look like a zone but in which no lines of its lengths were seen.
    """

    identifier: ClassVar[str] = "privis.zone-search/1"

    likely: bool = True

    def find(self, image: NDArray[np.uint8]) -> tuple[ImageRegion, ...]:
        """Find machine-readable zones in the luma of a picture, in all four turns.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Regions of kind mrz, in pixels of ``image``.
        """
        pixels = grey(image)
        found = []
        for quarters in range(4):
            turned = np.ascontiguousarray(np.rot90(pixels, quarters))
            zone = locate_zone(turned)
            areas = [zone.area] if zone is not None else []
            if self.likely and quarters == 0:
                areas += zone_areas(turned)
            for area in areas:
                corners = turned_back(np.asarray(area.corners, np.float64), quarters, pixels.shape)
                found.append(ImageRegion(RegionKind.ZONE, corners))
        return tuple(found)


@dataclass(frozen=True)
class TextSearch:
    """Rows and columns of text.

    Args:
        rows: finds them.
    """

    identifier: ClassVar[str] = "privis.text-search/1"

    rows: TextFinder = TextFinder()

    def find(self, image: NDArray[np.uint8]) -> tuple[ImageRegion, ...]:
        """Find rows and columns of text, dark or light, in the luma of a picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Regions of kind text, in pixels of ``image``.
        """
        return self.rows.find(grey(image))
