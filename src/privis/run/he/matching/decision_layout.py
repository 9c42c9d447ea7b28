"""Where the components of templates lie in slots, so that few rotations bring many cosines together.

A block's templates are spread over ``turns`` ciphertexts of ``rows`` rows and ``columns`` columns of slots: a column
holds two templates, one as real and one as imaginary parts, a component in each of its slots. The query, turned by as
many slots as the number of the ciphertext, meets each component once, so the sum of all products holds partial sums of
the cosines in columns. Partial sums of up to ``rows`` blocks are then brought together, those of block ``b`` in row
``b``: one slot for each pair of templates. (Halevi and Shoup's diagonals, 2014, doi:10.1007/978-3-662-44371-2_31, cut
into rows: small blocks are small, at the price of the rotations that add up the rows.)

The library has no ciphertext of the constant i, but the monomial of half the degree is i in even slots and -i in odd
ones: imaginary parts have the sign of their column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 1 << 17
"""Slots that the ciphertexts of a block hold together: larger blocks would not be small, smaller ones slow."""


@dataclass(frozen=True)
class DecisionLayout:
    """Of vectors of ``dimension`` components in ciphertexts of ``slots``.

    Args:
        dimension: components of a vector.
        slots: of a ciphertext.
        components: slots that the ciphertexts of a block hold together, a power of two.

    >>> layout = DecisionLayout(512, 8192)
    >>> layout.turns, layout.rows, layout.columns, layout.block, layout.group
    (16, 32, 256, 512, 16384)
    """

    dimension: int
    slots: int
    components: int = COMPONENTS

    @property
    def width(self) -> int:
        """The dimension, filled up to a power of two."""
        return 1 << (self.dimension - 1).bit_length()

    @property
    def turns(self) -> int:
        """Ciphertexts of a block, and turns of the query."""
        return min(self.components // self.slots, self.width)

    @property
    def rows(self) -> int:
        """Slots of a ciphertext that a template takes; blocks whose cosines share a ciphertext."""
        return self.width // self.turns

    @property
    def columns(self) -> int:
        """Pairs of templates in a block."""
        return self.slots // self.rows

    @property
    def block(self) -> int:
        """Templates of a block."""
        return 2 * self.columns

    @property
    def group(self) -> int:
        """Templates whose cosines share a ciphertext, until real and imaginary parts are told apart."""
        return 2 * self.slots

    @property
    def folds(self) -> bool:
        """Whether rows may be added in halves first."""
        return self.rows >= 8

    @cached_property
    def _components(self) -> NDArray[np.int64]:
        slots = np.arange(self.slots)
        return slots % self.turns + self.turns * (slots // self.columns)

    @cached_property
    def signs(self) -> NDArray[np.float64]:
        """Of the imaginary parts, column by column."""
        return np.where(np.arange(self.columns) % 2 == 0, -1.0, 1.0)

    def query(self, row: NDArray[np.floating]) -> NDArray[np.float64]:
        """The slots of a query ``(dimension,)``."""
        filled = np.zeros(self.width)
        filled[: self.dimension] = row
        return filled[self._components]

    def ciphertexts(self, places: NDArray[np.int64], rows: NDArray[np.floating]) -> Iterator[NDArray[np.complex128]]:
        """The slots of each ciphertext of a block, with ``rows`` (templates, dimension) at ``places`` of it."""
        filled = np.zeros((2, self.columns, self.width))
        filled.reshape(self.block, self.width)[places, : self.dimension] = rows
        slots = np.arange(self.slots)
        columns = slots % self.columns
        for turn in range(self.turns):
            components = self._components[(slots + turn) % self.slots]
            real, imaginary = filled[:, columns, components]
            yield real + 1j * imaginary * self.signs[columns]

    def row(self, number: int) -> NDArray[np.float64]:
        """1 in the slots of a row, 0 elsewhere."""
        made = np.zeros(self.slots)
        made[number * self.columns : (number + 1) * self.columns] = 1.0
        return made

    def place(self, template: int) -> tuple[int, int, int]:
        """Group, half and slot in which the cosine of a template comes out.

        >>> DecisionLayout(512, 8192).place(16384 + 512 + 256 + 3)
        (1, 1, 259)
        """
        group, inside = divmod(template, self.group)
        block, place = divmod(inside, self.block)
        half, column = divmod(place, self.columns)
        return group, half, block * self.columns + column

    def template(self, group: int, half: int, slot: int) -> int:
        """The template whose cosine comes out there: the inverse of ``place``."""
        block, column = divmod(slot, self.columns)
        return group * self.group + block * self.block + half * self.columns + column

    def filled(self, templates: NDArray[np.bool_], group: int) -> NDArray[np.bool_]:
        """Which slots of each half hold a template's cosine, (2, slots); ``templates``: which there are."""
        mine = np.zeros(self.group, bool)
        found = templates[group * self.group : (group + 1) * self.group]
        mine[: len(found)] = found
        return mine.reshape(self.rows, 2, self.columns).transpose(1, 0, 2).reshape(2, self.slots)
