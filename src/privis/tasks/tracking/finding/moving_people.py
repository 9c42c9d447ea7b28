"""People in a foreground mask: boxes of a person's size at that place, laid where most of it is unexplained.

A blob of several people is no person. What a box explains counts no longer, so of two who overlap the second is found
by what is left of it, as in matching pursuit (Mallat and Zhang, 1993, doi:10.1109/78.258082) and in the occupancy maps
of Fleuret et al., "Multicamera people tracking with a probabilistic occupancy map", 2008,
doi:10.1109/TPAMI.2007.1174, who put rectangles at places of the ground, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.tracking.finding.person_scale import PersonScale

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]
SILHOUETTE = ((0.0, 0.17, 0.36), (0.17, 0.55, 0.78), (0.55, 1.0, 0.62))
"""Three bars of an upright person: from and to in heights from the top, width in widths of the box."""
LABEL = "person"
EQUAL = 0.01
"""Differences of scores below it say nothing of the place."""


@dataclass(frozen=True)
class PeoplePlan:
    """When a place of the foreground is a person.

    Args:
        least: share of the silhouette that must be moving and unexplained, less what of it is not, in [-1, 1].
        expected_bonus: what is added where a track expects somebody.
        most: people in a frame.
    """

    least: float = 0.2
    expected_bonus: float = 0.15
    most: int = 100


@dataclass(frozen=True, eq=False)
class PlacesOfPeople:
    """All places where a person may stand in a picture, with the corners of the silhouette's bars.

    Args:
        scale: how tall people are.
        shape: (height, width) of the picture in pixels.
    """

    scale: PersonScale
    shape: tuple[int, int]
    feet: Floats = field(init=False, repr=False)
    heights: Floats = field(init=False, repr=False)
    corners: npt.NDArray[np.int32] = field(init=False, repr=False)
    areas: npt.NDArray[np.float32] = field(init=False, repr=False)
    inside: npt.NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        height, width = self.shape
        places: list[Floats] = []
        row = float(self.scale.heights(0.0)) / 2
        while row <= height + float(self.scale.heights(height)) / 4:  # legs may be below the picture
            tall = float(self.scale.heights(row))
            columns = np.arange(0.0, width, max(1.0, tall / 24))
            places.append(np.stack([columns, np.full(len(columns), row)], axis=1))
            row += max(1.0, tall / 16)
        feet = np.concatenate(places) if places else np.zeros((0, 2))
        heights = self.scale.heights(feet[:, 1])
        widths, tops = heights * self.scale.aspect, feet[:, 1] - heights
        corners, areas, inside = [], np.zeros(len(feet)), np.zeros(len(feet))
        for start, end, share in SILHOUETTE:
            left = np.round(feet[:, 0] - share * widths / 2)
            right = np.maximum(np.round(feet[:, 0] + share * widths / 2), left + 1)
            top, bottom = np.round(tops + start * heights), np.round(tops + end * heights)
            areas += (right - left) * (bottom - top)
            x0, x1 = (np.clip(side, 0, width).astype(np.int32) for side in (left, right))
            y0, y1 = (np.clip(side, 0, height).astype(np.int32) for side in (top, bottom))
            inside += (x1 - x0) * (y1 - y0)
            corners += [y1 * (width + 1) + x1, y0 * (width + 1) + x1, y1 * (width + 1) + x0, y0 * (width + 1) + x0]
        for name, value in (
            ("feet", feet),
            ("heights", heights),
            ("corners", np.stack(corners, axis=0)),
            ("areas", np.maximum(areas, 1).astype(np.float32)),
            ("inside", inside.astype(np.float32)),
        ):
            object.__setattr__(self, name, value)

    def sums(self, integral: npt.NDArray[Any], chosen: npt.NDArray[np.int64] | slice = slice(None)) -> npt.NDArray[Any]:
        """Sums over the silhouettes.

        Args:
            integral: of the picture (height + 1, width + 1).
            chosen: numbers of places.

        Returns:
            One for each place.
        """
        flat = integral.reshape(-1)
        at = self.corners[:, chosen]
        total = flat[at[0]] - flat[at[1]] - flat[at[2]] + flat[at[3]]
        for bar in range(4, len(at), 4):
            total = total + flat[at[bar]] - flat[at[bar + 1]] - flat[at[bar + 2]] + flat[at[bar + 3]]
        return total


def people_in_foreground(
    moving: Picture, places: PlacesOfPeople, expected: npt.ArrayLike = (), plan: PeoplePlan = PeoplePlan()
) -> DetectedBoxes:
    """Find people in a foreground mask.

    Args:
        moving: uint8 (H, W): 1 where something moves.
        places: of the picture.
        expected: (n, 2): feet of people whom tracks expect, x and y in pixels; of two places that are about as good
            the one that is expected is taken.
        plan: when a place is a person.

    Returns:
        Boxes, the best first; the score is the share of the silhouette that moves, in [-1, 1].

    >>> mask = np.zeros((100, 120), np.uint8)
    >>> mask[40:80, 52:68] = 1
    >>> found = people_in_foreground(mask, PlacesOfPeople(PersonScale(0.0, 40.0, 0.4), mask.shape))
    >>> len(found), found.boxes[0].round().tolist()
    (1, [52.0, 40.0, 16.0, 40.0])
    """
    weights = moving * np.uint8(2)  # 0: still, 1: explained, 2: moves
    gain = (places.sums(_integral(weights)) - places.inside) / places.areas
    candidates = np.nonzero(gain >= plan.least - plan.expected_bonus)[0]
    if not len(candidates):
        return DetectedBoxes.none()
    feet, heights, areas = places.feet[candidates], places.heights[candidates], places.areas[candidates]
    bonus = _bonus(feet, heights, np.asarray(expected, np.float64).reshape(-1, 2), plan.expected_bonus)
    gain, inside = gain[candidates], places.inside[candidates]
    kept: list[int] = []
    scores: list[float] = []
    while len(kept) < plan.most:
        value = gain + bonus
        best = int(np.argmax(value))
        if value[best] < plan.least:
            break
        best = _middle_of_equal(best, value, feet, heights)
        kept.append(int(candidates[best]))
        scores.append(float(gain[best]))
        x, y, w, h = places.scale.boxes(feet[best])[0]
        # of a person the width of the shoulders is explained, arms and a little below the feet
        top, bottom = (int(np.clip(round(v), 0, weights.shape[0])) for v in (y - 0.05 * h, y + 1.05 * h))
        left, right = (int(np.clip(round(v), 0, weights.shape[1])) for v in (x - 0.05 * w, x + 1.05 * w))
        part = weights[top:bottom, left:right]
        part[part == 2] = 1
        near = np.nonzero(
            (np.abs(feet[:, 0] - feet[best, 0]) < 1.2 * w) & (np.abs(feet[:, 1] - feet[best, 1]) < 1.3 * h)
        )[0]
        gain[near] = (places.sums(_integral(weights), candidates[near]) - inside[near]) / areas[near]
        gain[best] = -2.0
    return DetectedBoxes(places.scale.boxes(places.feet[kept]), np.array(scores), (LABEL,) * len(kept))


def _integral(weights: Picture) -> npt.NDArray[Any]:
    import cv2

    return cv2.integral(weights, sdepth=cv2.CV_32S)


def _middle_of_equal(best: int, value: Floats, feet: Floats, heights: Floats) -> int:
    """Of places that are about as good as the best one and near it, the middle one: the first is at their side."""
    equal = np.nonzero(value >= value[best] - EQUAL)[0]
    away = np.abs(feet[equal] - feet[best]).max(axis=1)
    equal = equal[away < heights[best] / 5]
    return int(equal[np.argmin(((feet[equal] - feet[equal].mean(axis=0)) ** 2).sum(axis=1))])


def _bonus(feet: Floats, heights: Floats, expected: Floats, most: float) -> Floats:
    bonus = np.zeros(len(feet))
    for place in expected:
        squared = ((feet - place) ** 2).sum(axis=1) / (0.15 * heights) ** 2
        np.maximum(bonus, most * np.exp(-squared / 2), out=bonus)
    return bonus


def single_blobs(moving: Picture, least: float = 60.0) -> Floats:
    """Boxes of connected parts of the foreground that do not touch the sides of the picture.

    Args:
        moving: uint8 (H, W): 1 where something moves.
        least: smallest number of pixels.

    Returns:
        (n, 4): x, y, width, height, of parts that fill at least two fifths of their box.

    >>> mask = np.zeros((50, 50), np.uint8)
    >>> mask[10:40, 5:15] = 1
    >>> single_blobs(mask).tolist()
    [[5.0, 10.0, 10.0, 30.0]]
    """
    import cv2

    stats = cv2.connectedComponentsWithStats(moving, connectivity=8)[2][1:].astype(np.float64)
    x, y, w, h, area = stats.T
    inside = (x > 1) & (y > 1) & (x + w < moving.shape[1] - 1) & (y + h < moving.shape[0] - 1)
    return stats[inside & (area >= least) & (area >= 0.4 * w * h), :4]


def moving_blobs(moving: Picture, least: float = 0.0005) -> DetectedBoxes:
    """Boxes of connected parts of the foreground, whatever they are.

    Args:
        moving: uint8 (H, W): 1 where something moves.
        least: smallest share of the picture's pixels.

    Returns:
        Boxes, with the share of each that moves as its score.

    >>> mask = np.zeros((50, 50), np.uint8)
    >>> mask[10:20, 5:45] = 1
    >>> moving_blobs(mask).boxes.tolist()
    [[5.0, 10.0, 40.0, 10.0]]
    """
    import cv2

    stats = cv2.connectedComponentsWithStats(moving, connectivity=8)[2][1:].astype(np.float64)
    kept = stats[stats[:, 4] >= max(4.0, least * moving.size)]
    return DetectedBoxes(kept[:, :4], kept[:, 4] / (kept[:, 2] * kept[:, 3]), ("moving",) * len(kept))
