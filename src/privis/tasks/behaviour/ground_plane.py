"""From pixels to metres on the ground: a plane that four or more known points fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

Floats = npt.NDArray[np.float64]
_LEAST = 4
_FLAT = 1e-9
"""Smallest singular value but one, of the largest, at which points fix no plane."""


@dataclass(frozen=True)
class GroundPlane:
    """A plane that is seen in perspective: points in the image, and where they are on the ground.

    The homography is the least-squares one of the normalised direct linear transformation (Hartley and Zisserman,
    Multiple View Geometry, algorithm 4.2).

    Args:
        pixels: (x, y) of points in the image, pixels, origin top left.
        metres: (x, y) of the same points on the ground, metres.

    Raises:
        ParameterError: fewer than four points, another number of each, or points that fix no plane; all at once.

    >>> corners = ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0))
    >>> plane = GroundPlane(corners, ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)))
    >>> plane.on_ground(np.array([[50.0, 25.0]])).round(6).tolist()
    [[5.0, 2.5]]
    """

    identifier: ClassVar[str] = "privis.ground-plane/1"

    pixels: tuple[tuple[float, float], ...]
    metres: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        problems = []
        for name in ("pixels", "metres"):
            values = np.asarray(getattr(self, name), np.float64)
            if values.ndim != 2 or values.shape[1] != 2 or len(values) < _LEAST or not np.isfinite(values).all():
                expected = f"at least {_LEAST} points (x, y), all finite"
                problems.append(Problem(f"GroundPlane.{name}", f"values of shape {values.shape}", expected))
        if not problems and len(self.pixels) != len(self.metres):
            got = f"{len(self.pixels)} in the image and {len(self.metres)} on the ground"
            problems.append(Problem("GroundPlane", got, "the same points in both"))
        refuse(ParameterError, problems)
        values = np.linalg.svd(self._equations()[0], compute_uv=False)
        if values[7] <= _FLAT * values[0]:
            got, remedy = "points of which three of four are on one line", "take corners of a large quadrangle"
            raise ParameterError(Problem("GroundPlane", got, "points that fix a plane", remedy))

    def on_ground(self, points: npt.NDArray[np.floating]) -> Floats:
        """Say where points of the image are on the ground.

        Args:
            points: (n, 2), x and y in pixels.

        Returns:
            Float64 (n, 2), x and y in metres; NaN on and beyond the horizon.
        """
        given = np.asarray(points, np.float64).reshape(-1, 2)
        matrix = self._homography()
        found = np.concatenate([given, np.ones((len(given), 1))], 1) @ matrix.T
        middle = np.append(np.mean(self.pixels, 0), 1.0) @ matrix.T
        near = found[:, 2] * np.sign(middle[2]) > 0
        return np.where(near[:, None], found[:, :2] / np.where(near, found[:, 2], 1.0)[:, None], np.nan)

    def _equations(self) -> tuple[Floats, Floats, Floats]:
        first, before = _normalised(np.asarray(self.pixels, np.float64))
        second, after = _normalised(np.asarray(self.metres, np.float64))
        rows = []
        for (x, y), (u, v) in zip(first, second, strict=True):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
        return np.array(rows), before, after

    def _homography(self) -> Floats:
        rows, before, after = self._equations()
        inner = np.linalg.svd(rows)[2][-1].reshape(3, 3)
        return np.asarray(np.linalg.inv(after) @ inner @ before, np.float64)


def _normalised(points: Floats) -> tuple[Floats, Floats]:
    """Points around 0 at a mean distance of the root of 2, and the matrix that brings them there."""
    middle = points.mean(0)
    scale = np.sqrt(2) / max(float(np.linalg.norm(points - middle, axis=1).mean()), np.finfo(float).tiny)
    matrix = np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1.0]])
    return (points - middle) * scale, matrix
