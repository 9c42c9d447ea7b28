"""How long the vector of a feature can be, whatever the image: what its definition says, before any image is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.features.feature import Feature
from privis.program.shapes import Shape


@dataclass(frozen=True)
class Norms:
    """The largest norms of a vector: ``l1``, the sum of the absolute values, and ``l2``, the Euclidean length.

    In the feature's units and in exact arithmetic: what is computed in float32 may exceed them by its rounding, a few
    millionths. They are functions of the feature and of the image's dimensions, which are public.

    Args:
        l1: largest sum of absolute values.
        l2: largest Euclidean length.

    >>> Norms.of_blocks(9, 4)
    Norms(l1=18.0, l2=3.0)
    """

    l1: float
    l2: float

    @classmethod
    def of_blocks(cls, blocks: int, length: int, most: float = 1.0) -> Norms:
        """The norms of vectors one after another, each of a certain Euclidean length at most.

        Lengths add up in squares, and the absolute sum of a vector is at most its length times the square root of its
        number of components (Cauchy-Schwarz).

        Args:
            blocks: how many vectors.
            length: components of each.
            most: Euclidean length of each, at most.

        Returns:
            Bounds of all of them as one vector.
        """
        return cls(blocks * math.sqrt(length) * most, math.sqrt(blocks) * most)

    @classmethod
    def of_counts(cls, histograms: int, total: float) -> Norms:
        """The norms of histograms, which are longest where all counts of each are in one bin.

        Args:
            histograms: how many.
            total: counts of each, at most.

        Returns:
            Bounds of all of them as one vector.
        """
        return cls(histograms * total, math.sqrt(histograms) * total)

    def projected(self, matrix: NDArray[np.float64], mean: NDArray[np.float64]) -> Norms:
        """The norms of ``matrix @ (vector - mean)``: nothing grows by more than the largest singular value.

        Args:
            matrix: (made, given).
            mean: (given,), subtracted first.

        Returns:
            Bounds of the projected vector.

        >>> Norms(3.0, 1.0).projected(np.diag([2.0, 1.0]), np.zeros(2)).l2
        2.0
        """
        rows = matrix @ matrix.T  # its largest eigenvalue is the square, and it is small where the result is short
        largest = math.sqrt(max(0.0, float(np.linalg.eigvalsh(rows)[-1])))
        return Norms.of_blocks(1, len(matrix), largest * (self.l2 + float(np.linalg.norm(mean))))


class BoundedFeature(Protocol):
    """A feature that says how long its vector can be."""

    def largest_norms(self, shape: Shape) -> Norms | None:
        """The largest norms of the vector, whatever the image.

        Args:
            shape: of the core's input.

        Returns:
            Bounds in the feature's units; None where it cannot tell.
        """
        ...


@runtime_checkable
class BoundedStep(Protocol):
    """A step that says how long what it returns can be."""

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms | None:
        """The largest norms of what the step makes of any vector.

        Args:
            before: norms of the vector at most; None: nothing bounds them.
            given: components of the vector.
            made: components of the result.

        Returns:
            Bounds of the result; None where nothing bounds it.
        """
        ...


def largest_norms(feature: Feature, shape: Shape) -> Norms | None:
    """The largest norms of the vector of ``feature`` for any core input of ``shape``, by its own word, or None.

    The word is about ``program`` and ``after``: a subclass that writes its own has to say it again.

    Args:
        feature: any.
        shape: of the core's input, as `privis.features.feature.core_shape` gives it.

    Returns:
        Bounds in the feature's units; None where the feature states none.

    >>> from privis.features.hog import HOG
    >>> largest_norms(HOG(), (64, 64))  # 36 blocks of length 1
    Norms(l1=324.0, l2=6.0)
    """
    for kind in type(feature).__mro__:
        own = vars(kind)
        if "largest_norms" in own:
            return cast(BoundedFeature, feature).largest_norms(shape)
        if "after" in own or "program" in own:
            return None
    return None
