"""How tall a person is in the picture of a fixed camera: a straight line over where the feet are, learned from a clip.

On flat ground the height of an upright person in pixels is, but for the tilt of the camera, linear in the row of the
feet: it vanishes at the horizon. Reference: Hoiem, Efros and Hebert, "Putting objects in perspective", 2006,
doi:10.1109/CVPR.2006.232.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem

Floats = npt.NDArray[np.float64]
ASPECT = 0.41
"""Width of an upright person over the height, of the INRIA and Caltech pedestrians (doi:10.1109/TPAMI.2011.155)."""
SMALLEST = 8.0
"""Pixels: no one smaller is told from noise."""
FEWEST_PEOPLE = 12
ROUNDS = 8
TOLERANCE = 0.2
"""Share of the height that people of one scene differ by."""


@dataclass(frozen=True)
class PersonScale:
    """The height of a person by the row of the feet: ``intercept + slope * row``.

    Args:
        slope: pixels of height by pixel of row.
        intercept: pixels of height at row 0.
        aspect: width over height.
    """

    slope: float
    intercept: float
    aspect: float = ASPECT

    def heights(self, rows: npt.ArrayLike) -> Floats:
        """Heights of people whose feet are at these rows.

        Args:
            rows: in pixels from the top.

        Returns:
            Pixels, at least 8.

        >>> PersonScale(0.1, 20.0).heights([0, 100, -500]).tolist()
        [20.0, 30.0, 8.0]
        """
        return np.maximum(self.intercept + self.slope * np.asarray(rows, np.float64), SMALLEST)

    def boxes(self, feet: npt.ArrayLike) -> Floats:
        """Boxes of people who stand at these places.

        Args:
            feet: (n, 2), x and y in pixels of the middle of the lower side.

        Returns:
            (n, 4): x, y, width, height.

        >>> PersonScale(0.0, 40.0, 0.5).boxes([[100, 80]]).tolist()
        [[90.0, 40.0, 20.0, 40.0]]
        """
        places = np.asarray(feet, np.float64).reshape(-1, 2)
        heights = self.heights(places[:, 1])
        widths = self.aspect * heights
        return np.stack([places[:, 0] - widths / 2, places[:, 1] - heights, widths, heights], axis=1)

    def scaled(self, factor: float) -> PersonScale:
        """The scale of the picture that is ``factor`` times as large.

        Args:
            factor: above 0.

        Returns:
            The scale.
        """
        return PersonScale(self.slope, self.intercept * factor, self.aspect)

    @classmethod
    def learned(cls, boxes: npt.ArrayLike, shape: tuple[int, ...]) -> PersonScale | None:
        """Fit the line to boxes of single things that move, of which most are people.

        A median of slopes (Theil and Sen) that is refitted to those within a fifth of it.

        Args:
            boxes: (n, 4), each x, y, width, height in pixels.
            shape: (height, width, …) of the picture.

        Returns:
            The scale; None where there are too few, or they do not lie about a line that a person can have.

        >>> rows = np.linspace(100, 300, 60)
        >>> boxes = np.stack([rows, rows - (20 + 0.1 * rows), 0.4 * (20 + 0.1 * rows), 20 + 0.1 * rows], 1)
        >>> scale = PersonScale.learned(boxes, (400, 400))
        >>> round(scale.slope, 3), round(scale.intercept, 2)
        (0.1, 20.0)
        """
        from scipy.stats import theilslopes

        given = np.asarray(boxes, np.float64).reshape(-1, 4)
        upright = (given[:, 3] > 1.4 * given[:, 2]) & (given[:, 3] < 5 * given[:, 2]) & (given[:, 3] >= SMALLEST)
        kept = given[upright]
        for _ in range(ROUNDS):
            if len(kept) < FEWEST_PEOPLE:
                return None
            feet, heights = kept[:, 1] + kept[:, 3], kept[:, 3]
            if np.ptp(feet) < np.median(heights) / 2:  # people in one row say nothing of others
                slope, intercept = 0.0, float(np.median(heights))
            else:
                few = slice(None, None, max(1, len(kept) // 400))  # pairs of points are compared
                fitted: Any = theilslopes(heights[few], feet[few])
                slope, intercept = float(fitted[0]), float(fitted[1])
            expected = intercept + slope * (given[:, 1] + given[:, 3])
            near = upright & (np.abs(given[:, 3] - expected) <= TOLERANCE * np.maximum(expected, SMALLEST))
            if near.sum() == len(kept) and (given[near] == kept).all():
                break
            kept = given[near]
        if len(kept) < FEWEST_PEOPLE or not 0 <= slope <= 2 or intercept + slope * shape[0] < SMALLEST:
            return None
        return cls(slope, intercept)


def checked_scale(where: str, slope: float, intercept: float) -> PersonScale:
    """A scale that somebody chose.

    Args:
        where: what messages call it.
        slope: pixels of height by pixel of row.
        intercept: pixels of height at row 0.

    Returns:
        The scale.

    Raises:
        ParameterError: a number is not finite.
    """
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise ParameterError(Problem(where, f"slope {slope}, intercept {intercept}", "finite numbers"))
    return PersonScale(float(slope), float(intercept))
