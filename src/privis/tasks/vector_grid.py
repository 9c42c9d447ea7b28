"""The integers that unit vectors become, so that every cosine is decided exactly, in whatever ring it is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.program import Input
from privis.validation import keep_whole, real_values, whole_number

MOST_BITS = 15
_RING_BITS = 60  # keys and their differences must stay inside 64-bit shares


@dataclass(frozen=True)
class VectorGrid:
    """The integers that vectors become.

    A gallery may grow beyond ``capacity``: its templates stay as they are, and every question is answered exactly. From
    ``most`` templates on, no number holds a product and the place of its template at once; then `privis.tasks.Top`
    and cosines of `privis.tasks.Best` are refused, and everything else goes on.

    Args:
        dimension: Components of a vector.
        capacity: Templates that a gallery is planned for; the grid is as fine as that many permit.

    Raises:
        ParameterError: no grid is fine enough and fits into the ring of 2**64.

    >>> VectorGrid(512, 50_000).bits
    15
    >>> VectorGrid(512, 50_000).most
    131071
    """

    dimension: int
    capacity: int = 10_000

    def __post_init__(self) -> None:
        problems = whole_number("dimension", self.dimension) + whole_number("capacity", self.capacity)
        refuse(ParameterError, problems)
        keep_whole(self, "dimension", "capacity")
        if self.bits < 8:
            got = f"{self.dimension} components and {self.capacity} templates"
            raise ParameterError(Problem("VectorGrid", got, "less: cosines would be good to less than 8 bits"))

    @property
    def span(self) -> int:
        """How many different candidates a key can tell apart; twice what is needed leaves room for thresholds."""
        return self.span_of(self.capacity)

    def span_of(self, templates: int) -> int:
        """Give the span of a gallery that may have outgrown the capacity.

        Args:
            templates: How many it holds.

        Returns:
            How many different candidates a key of that gallery can tell apart.
        """
        return 1 << (2 * max(self.capacity, templates)).bit_length()

    @property
    def bits(self) -> int:
        """Binary digits of a component: products of any such vectors, certain bounds and not only likely ones, fit."""
        return min(MOST_BITS, self._free((2 * self.capacity).bit_length()) // 2)

    @property
    def most(self) -> int:
        """Most templates for which a key holds a product and a place."""
        return (1 << self._free(2 * self.bits) - 1) - 1

    @property
    def unit(self) -> int:
        """The product of two equal vectors: cosine 1."""
        return 1 << 2 * self.bits

    @property
    def squared_lengths(self) -> tuple[int, int]:
        """Least and largest product with itself of a vector that `unit_vectors` made: no component moves by more than
        a half.
        """
        moved = math.isqrt(self.dimension) // 2 + 1
        return max(0, (1 << self.bits) - moved) ** 2, ((1 << self.bits) + moved) ** 2

    def vectors(self, rows: int) -> Input:
        """Declare vectors on the grid.

        Args:
            rows: How many.

        Returns:
            The declaration of an input (rows, dimension).
        """
        largest = float(1 << self.bits)
        return Input((rows, self.dimension), -largest, largest, 1.0)

    def unit_vectors(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Normalise real vectors and put them on the grid, at their owner.

        Args:
            values: Vectors (rows, dimension), of any length but zero.

        Returns:
            Integers (rows, dimension) of at most 2**bits.

        Raises:
            ParameterError: rows that are zero or not finite, which have no direction; all are named.

        >>> VectorGrid(2, 100).unit_vectors(np.array([[3.0, 4.0]])) / 2**15
        array([[0.6000061 , 0.79998779]])
        """
        rows = real_values("vectors", values)
        if rows.ndim != 2 or rows.shape[1] != self.dimension or not len(rows):
            raise ParameterError(Problem("vectors", f"shape {rows.shape}", f"(rows, {self.dimension}), at least one"))
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(rows, axis=1)
        bad = np.flatnonzero(~((lengths > 1e-150) & (lengths < 1e150)))
        if bad.size:
            got = f"{bad.size} rows of length zero or not finite, the first at {bad[0]}"
            raise ParameterError(Problem("vectors", got, "vectors that have a direction"))
        return np.rint(rows / lengths[:, None] * (1 << self.bits)).astype(np.int64)

    def product(self, threshold: float) -> int:
        """Find the smallest product that counts.

        Args:
            threshold: A cosine, in [-1, 1].

        Returns:
            The smallest product of two vectors on the grid whose cosine is at least that.
        """
        return math.ceil(threshold * self.unit)

    def _free(self, taken: int) -> int:
        """Bits of the ring that are left beside ``taken`` and the terms of an inner product."""
        return _RING_BITS - 3 - taken - (self.dimension - 1).bit_length()
