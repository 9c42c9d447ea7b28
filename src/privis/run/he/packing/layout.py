"""Where the elements of a tensor sit in the slots of ciphertexts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from privis.program.shapes import Shape

Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layout:
    """Element ``i`` sits in ciphertext ``positions[i] // slots``, slot ``positions[i] % slots``.

    Where one ciphertext holds everything, there are copies every ``period`` slots; else ``period`` is ``slots``.
    """

    positions: Positions
    period: int
    ciphertexts: int

    def shifted(self, by: int, slots: int) -> Layout:
        """Every element ``by`` slots further on, cyclically within its ciphertext."""
        moved = self.positions // slots * slots + (self.positions % slots + by) % self.period
        return Layout(moved, self.period, self.ciphertexts)

    def with_copies(self, slots: int) -> Iterator[Positions]:
        """The positions of every copy in turn."""
        for copy in range(slots // self.period):
            yield self.positions + copy * self.period

    def same_as(self, other: Layout) -> bool:
        """Both hold the same elements in the same slots."""
        return self.period == other.period and np.array_equal(self.positions, other.positions)


@dataclass(frozen=True)
class ImageGrid:
    """The image plane that tensors of a program are laid over: pixel ``(y, x)`` has offset ``y * columns + x``."""

    rows: int
    columns: int

    @classmethod
    def of(cls, shape: Shape) -> ImageGrid:
        """The plane of an image ``(..., H, W)``, or one row of a vector."""
        return cls(*(shape[-2:] if len(shape) >= 2 else (1, math.prod(shape))))


def second(slots: int) -> NDArray[np.complex128]:
    """What the second image of a pair in one slot is multiplied by: ``i`` and ``-i`` in turn.

    These are the values of ``X^(N/2)`` in the slots, so that multiplying by them is exact and takes no level.
    """
    return np.where(np.arange(slots) % 2 == 0, 1j, -1j)


def power_of_two(size: int) -> int:
    """The smallest power of two that is at least ``size``."""
    return 1 << max(size - 1, 0).bit_length()


def flat(shape: Shape, slots: int) -> Layout:
    """Elements in C order, with copies as far as a whole number of them fits."""
    size = math.prod(shape)
    ciphertexts = -(-size // slots)
    return Layout(np.arange(size), power_of_two(size) if ciphertexts == 1 else slots, ciphertexts)


def over(grid: ImageGrid, shape: Shape, slots: int) -> list[Layout]:
    """Pixels over the pixels of the image they come from, so that filters are few rotations: the ways to do that.

    A map with fewer rows or columns than the plane leaves holes, which further channels fill; other channels are
    planes of their own, side by side. (Multiplexed packing: Lee et al., 2022, arXiv:2112.00945, here without masks.)
    Rows and columns are the last two axes where they divide those of the plane, else any two neighbouring ones.
    """
    shape = shape if len(shape) >= 2 else (*shape, 1, 1)
    last = len(shape) - 2
    if _divides(shape[last], grid.rows) and _divides(shape[last + 1], grid.columns):
        return [made] if (made := _over(grid, shape, slots, last, False)) else []
    found: list[Layout] = []
    for axis in range(last, -1, -1):
        for whole in (False, True):
            made = _over(grid, shape, slots, axis, whole)
            if made is not None and not any(made.same_as(other) for other in found):
                found.append(made)
    return found


def _divides(length: int, whole: int) -> bool:
    return length > 1 and whole % length == 0


def _over(grid: ImageGrid, shape: Shape, slots: int, axis: int, whole: bool) -> Layout | None:
    """Rows along ``axis``, columns along the next; ``whole``: steps of powers of two, as where a border fell away."""
    height, width = shape[axis], shape[axis + 1]
    if height > grid.rows or width > grid.columns:
        return None
    down, across = grid.rows // height, grid.columns // width
    if whole:
        down, across = 1 << (down.bit_length() - 1), 1 << (across.bit_length() - 1)
    channels = math.prod(shape) // (height * width)
    pixels = np.add.outer(np.arange(height) * down * grid.columns, np.arange(width) * across)
    size = power_of_two(grid.rows * grid.columns)
    if size > slots:  # a plane is several ciphertexts
        holes = 1
        place = np.arange(channels) * (-(-(grid.rows * grid.columns) // slots) * slots)
    else:
        holes = min(down * across, -(-channels // (slots // size)))
        hole = np.arange(channels) % holes
        place = np.arange(channels) // holes * size + hole // across * grid.columns + hole % across
    order = [*(a for a in range(len(shape)) if a not in (axis, axis + 1)), axis, axis + 1]
    laid = np.add.outer(place, pixels).reshape([shape[a] for a in order])
    positions = laid.transpose(np.argsort(order)).reshape(-1)
    ciphertexts = int(positions.max()) // slots + 1
    used = power_of_two(-(-channels // holes)) * size
    return Layout(positions, used if ciphertexts == 1 and used <= slots else slots, ciphertexts)
