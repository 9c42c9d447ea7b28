"""Key points: places in an image that a detector finds again in another view; shared by SIFT and SURF."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem

Floats = NDArray[np.float32]
Integers = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class KeyPoints:
    """Key points as float32 columns of one length: key point ``i`` is element ``i`` of each.

    Args:
        x: columns in pixels, whole numbers at pixel centres.
        y: rows in pixels, whole numbers at pixel centres.
        size: diameters of the described blobs in pixels.
        angle: directions ``(cos, sin)`` in ``(x, y)``, in degrees from 0 up to 360; y points down, so angles run
            clockwise on the screen.
        response: the detector's contrast, larger for stronger points.

    Raises:
        ParameterError: the columns are not vectors of one length, not finite, or a size is not positive.

    >>> points = KeyPoints.of(x=[1, 2, 3], y=[4, 5, 6], size=[2, 2, 2], angle=[0, 90, 0], response=[0.1, 0.3, 0.2])
    >>> points.strongest(2).x.tolist()
    [2.0, 3.0]
    """

    x: Floats
    y: Floats
    size: Floats
    angle: Floats
    response: Floats

    def __post_init__(self) -> None:
        shapes = {field.name: getattr(self, field.name).shape for field in fields(self)}
        if len(set(shapes.values())) > 1 or self.x.ndim != 1:
            raise ParameterError(Problem("KeyPoints", f"columns of shape {shapes}", "vectors of one length"))
        if not all(np.isfinite(getattr(self, name)).all() for name in shapes) or (self.size <= 0).any():
            raise ParameterError(Problem("KeyPoints", "infinite, NaN or empty ones", "finite numbers, sizes above 0"))

    @classmethod
    def of(cls, *, x: object, y: object, size: object, angle: object, response: object) -> Self:
        """Build from anything numpy reads as vectors.

        Args:
            x: columns in pixels.
            y: rows in pixels.
            size: diameters in pixels.
            angle: in degrees.
            response: of the detector.

        Returns:
            The key points, float32.
        """
        return cls(*(np.asarray(column, np.float32) for column in (x, y, size, angle, response)))

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Integers) -> Self:
        """Some of the key points, in any order.

        Args:
            index: positions, integers (count,).

        Returns:
            The key points at these positions, in their order.
        """
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))

    def strongest(self, count: int) -> Self:
        """The key points of the largest ``response``, largest first; equals keep their order.

        Args:
            count: how many at most.

        Returns:
            At most ``count`` key points.
        """
        return self.take(np.argsort(-self.response, kind="stable")[:count])

    @property
    def positions(self) -> Floats:
        """x and y of every key point in pixels: (N, 2)."""
        return np.stack([self.x, self.y], 1)
