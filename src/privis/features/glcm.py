"""Statistics of grey-level co-occurrence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.colour import bin_edges
from privis.features.feature import Array, Image, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

STATISTICS = ("contrast", "dissimilarity", "homogeneity", "asm", "energy", "correlation")
FLAT = 1e-7  # variance below which a texture counts as flat: its correlation is 1


@dataclass(frozen=True)
class GLCM:
    """Six statistics of the grey-level co-occurrence matrix for every distance and angle.

    Luma is cut into ``levels`` equal levels; pairs of pixels ``distance`` pixels apart at ``angle`` degrees are
    counted in both orders. Per pair of distance and angle: contrast, dissimilarity, homogeneity, angular second
    moment, energy, correlation (of levels, so contrast is in squared levels). ``size`` (height, width) in pixels
    resizes images first. Equals ``skimage.feature.graycomatrix`` (symmetric) and ``graycoprops``. Reference: Haralick,
    Shanmugam and Dinstein, 1973, doi:10.1109/TSMC.1973.4309314.

    Args:
        levels: equal levels that luma 0..255 is cut into.
        distances: of the two pixels of a pair, in pixels.
        angles: directions of pairs, in degrees.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image is no larger than a distance.

    >>> GLCM(angles=(0.0,)).names((64, 64))[:2]
    ('contrast_1_0', 'dissimilarity_1_0')
    """

    levels: int = 8
    distances: tuple[int, ...] = (1,)
    angles: tuple[float, ...] = (0.0, 45.0, 90.0, 135.0)
    size: Size | None = None

    name: ClassVar[str] = "glcm"
    identifier: ClassVar[str] = "privis.glcm/1"
    luma_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("GLCM.levels", self.levels, 2, 64)
        for field in ("distances", "angles"):
            if not (isinstance(getattr(self, field), tuple) and getattr(self, field)):
                problems.append(Problem(f"GLCM.{field}", repr(getattr(self, field)), "a tuple of numbers"))
        if not problems:
            problems += [p for d in self.distances for p in integer_problem("GLCM.distances", d, 1)]
        problems += size_problem("GLCM.size", self.size)
        refuse_parameters(problems)

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to ``(pairs, 6)`` moments: four statistics, then covariance and variance of the levels."""
        offsets = [offset(d, a) for d in self.distances for a in self.angles]
        reach = [max(abs(o[axis]) for o in offsets) for axis in (0, 1)]
        if shape[0] <= reach[0] or shape[1] <= reach[1]:
            expected = f"more than {reach[0]}x{reach[1]} pixels for these distances"
            raise ParameterError(Problem("GLCM", f"an image of {shape[0]}x{shape[1]} pixels", expected))

        def statistics(x: Value) -> Value:
            return concat(*(self._moments(x, o).reshape(1, 6) for o in offsets))

        return trace(statistics, Input(shape))

    def counts(self, x: Value, step: tuple[int, int]) -> Value:
        """How often level j lies one step from level i.

        Args:
            x: luma, (H, W).
            step: (rows, columns) from the first pixel of a pair to the second.

        Returns:
            Counts, (levels ** 2,), both orders of a pair counted.
        """
        rows, columns = x.shape
        down, across = step
        edges = bin_edges(256, self.levels)

        def counted(x: Value) -> Value:
            here = x[max(0, -down) : rows - max(0, down), max(0, -across) : columns - max(0, across)]
            there = x[max(0, down) : rows + min(0, down), max(0, across) : columns + min(0, across)]
            return concat(here.reshape(1, -1), there.reshape(1, -1)) >> ops.Histogram((edges, edges))

        return region("pair_histogram", counted, x)

    def _moments(self, x: Value, step: tuple[int, int]) -> Value:
        """Everything is linear in the shares ``p`` but the angular second moment, the covariance and the variance.

        Counting both orders makes ``p`` symmetric: both margins have one mean and one variance.
        """
        i, j = (axis.ravel().astype(float) for axis in np.mgrid[: self.levels, : self.levels])
        pairs = (x.shape[0] - abs(step[0])) * (x.shape[1] - abs(step[1]))
        swap = np.arange(self.levels**2).reshape(self.levels, self.levels).T.ravel()
        both = 0.5 * (np.eye(self.levels**2) + np.eye(self.levels**2)[swap])
        p = (self.counts(x, step) >> ops.Dense(both)) * (1 / pairs)
        centre = (self.levels - 1) / 2  # moments about the middle level: no cancellation
        u, v = i - centre, j - centre
        weights = [(i - j) ** 2, abs(i - j), 1 / (1 + (i - j) ** 2), u, u * v, u * u]
        m = p >> ops.Dense(np.stack(weights))
        mean = m[3:4]
        square = mean * mean
        return concat(m[0:3], (p * p).sum(0, keep=True), m[4:5] - square, m[5:6] - square)

    def after(self, values: Array) -> Array:
        """Finish energy (a root) and correlation (a quotient), which need no protection of their own."""
        contrast, dissimilarity, homogeneity, asm, covariance, variance = np.asarray(values, np.float64).T
        energy = np.sqrt(np.maximum(asm, 0.0))
        flat = variance < FLAT
        correlation = np.where(flat, 1.0, covariance / np.where(flat, 1.0, variance))
        return vector(np.stack([contrast, dissimilarity, homogeneity, asm, energy, correlation], 1))

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: two levels differ by ``levels - 1`` at most, and the other four lie between -1 and 1."""
        pairs, step = len(self.distances) * len(self.angles), float(self.levels - 1)
        most = (step**2, step, 1.0, 1.0, 1.0, 1.0)
        return Norms(pairs * math.fsum(most), math.sqrt(pairs * math.fsum(value**2 for value in most)))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components ``statistic_distance_angle``, angles in degrees."""
        pairs = [(d, a) for d in self.distances for a in self.angles]
        return tuple(f"{s}_{d}_{a:g}" for d, a in pairs for s in STATISTICS)


def offset(distance: int, angle: float) -> tuple[int, int]:
    """(rows, columns) to the other pixel of a pair, ``angle`` in degrees, rounded as scikit-image rounds.

    >>> offset(1, 135.0)
    (1, -1)
    >>> offset(1, 30.0), offset(5, 30.0)
    ((1, 1), (2, 4))
    """
    radians = math.radians(angle)
    return _away_from_zero(math.sin(radians) * distance), _away_from_zero(math.cos(radians) * distance)


def _away_from_zero(value: float) -> int:
    """Round halves away from zero, by adding half a pixel and cutting off.

    The sum is rounded to a double itself: of 30 degrees, whose sine comes out a little below a half, it is 1.
    """
    return int(value + 0.5) if value > 0 else int(value - 0.5)
