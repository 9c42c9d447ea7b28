"""Regions of a picture that are painted over: what they are of, where they are, how far around them is painted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

Floats = npt.NDArray[np.float64]


class RegionKind(StrEnum):
    """What a region is of."""

    FACE = "face"
    PERSON = "person"
    PLATE = "plate"
    ZONE = "mrz"
    TEXT = "text"
    GIVEN = "given"
    """By the user, whatever it is."""


@dataclass(frozen=True, eq=False)
class ImageRegion:
    """A quadrilateral of one picture, in pixels of the upright picture: origin at the top left corner, y down.

    Args:
        kind: what it is of.
        corners: (4, 2), x and y of the corners, going round; they may leave the picture.
        score: how sure the detector is, in (0, 1]; 1 where it does not say.

    Raises:
        ParameterError: a corner is not finite, or there are not four.

    >>> ImageRegion.of_box(RegionKind.FACE, 10, 20, 30, 40).box
    (10.0, 20.0, 30.0, 40.0)
    """

    kind: RegionKind
    corners: Floats = field(repr=False)
    score: float = 1.0

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners)
        if corners.shape != (4, 2) or corners.dtype.kind not in "fiu" or not np.isfinite(corners).all():
            got = f"{corners.dtype} values of shape {corners.shape}"
            raise ParameterError(Problem("ImageRegion.corners", got, "finite numbers of shape (4, 2)"))
        object.__setattr__(self, "corners", corners.astype(np.float64))

    @classmethod
    def of_box(
        cls, kind: RegionKind, x: float, y: float, width: float, height: float, score: float = 1.0
    ) -> ImageRegion:
        """Make an upright rectangle.

        Args:
            kind: what it is of.
            x: of the left side in pixels.
            y: of the upper side in pixels.
            width: in pixels.
            height: in pixels.
            score: how sure the detector is.

        Returns:
            The region.

        Raises:
            ParameterError: a number is not finite.
        """
        corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float64)
        return cls(kind, corners, score)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x, y, width, height) in pixels of the upright rectangle around it."""
        (left, top), (right, bottom) = self.corners.min(axis=0), self.corners.max(axis=0)
        return float(left), float(top), float(right - left), float(bottom - top)

    def grown(self, share: float) -> ImageRegion:
        """Move every side outward.

        Args:
            share: of its own length, by which each pair of opposite sides moves apart on either side, at least 0; a
                pixel is added, because detectors round.

        Returns:
            The larger region.
        """
        first = self.corners
        across, down = first[1] - first[0], first[3] - first[0]
        across2, down2 = first[2] - first[3], first[2] - first[1]
        wide, tall = (_longer(each, share) for each in ((across + across2) / 2, (down + down2) / 2))
        moved = np.stack(
            [first[0] - wide - tall, first[1] + wide - tall, first[2] + wide + tall, first[3] - wide + tall]
        )
        return ImageRegion(self.kind, moved, self.score)


@dataclass(frozen=True)
class Margins:
    """How far around each kind of region is painted, as shares of its sides.

    Detectors of faces give the face from eyebrows to chin: with a quarter more, hair and ears are gone, too.

    Args:
        face: for faces.
        plate: for number plates.
        zone: for machine-readable zones.
        text: for lines of text.
        person: for whole people.

    Raises:
        ParameterError: naming every share outside 0 to 2.

    >>> Margins().of(RegionKind.GIVEN)
    0.0
    """

    face: float = 0.25
    plate: float = 0.15
    zone: float = 0.05
    text: float = 0.0
    person: float = 0.1

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("face", "plate", "zone", "text", "person")}
        wrong = {name: share for name, share in shares.items() if not 0 <= share <= 2}
        refuse(ParameterError, [Problem(f"Margins.{name}", repr(got), "0 to 2") for name, got in wrong.items()])

    def of(self, kind: RegionKind) -> float:
        """The share for one kind.

        Args:
            kind: what a region is of.

        Returns:
            Its share; 0 for what the user gave.
        """
        shares = {
            RegionKind.FACE: self.face,
            RegionKind.PLATE: self.plate,
            RegionKind.ZONE: self.zone,
            RegionKind.TEXT: self.text,
            RegionKind.PERSON: self.person,
        }
        return shares.get(kind, 0.0)

    def around(self, regions: Iterable[ImageRegion]) -> tuple[ImageRegion, ...]:
        """Grow every region by the share of its kind.

        Args:
            regions: as detectors found them.

        Returns:
            What is painted, in the same order.
        """
        return tuple(each if each.kind is RegionKind.GIVEN else each.grown(self.of(each.kind)) for each in regions)


def turned_back(corners: Floats, quarters: int, shape: Sequence[int]) -> Floats:
    """Move points of a turned picture to where they are in the picture itself.

    Args:
        corners: (points, 2), x and y in pixels of ``np.rot90(picture, quarters)``.
        quarters: turns to the left, 0 to 3.
        shape: (height, width, …) of the picture itself.

    Returns:
        (points, 2) in pixels of the picture.

    >>> turned_back(np.array([[0.0, 0.0]]), 1, (20, 30)).tolist()  # the upper left corner was the upper right one
    [[30.0, 0.0]]
    """
    x, y = np.asarray(corners, np.float64).T
    height, width = shape[:2]
    moved = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[quarters % 4]
    return np.stack(moved, axis=1)


def _longer(side: Floats, share: float) -> Floats:
    """By how much a corner moves along a side: its share and a pixel."""
    length = float(np.hypot(*side))
    return side * (share + 1 / length) if length else side
