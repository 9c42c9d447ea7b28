"""Hybrid diagonal method: partial sums in unused replicas, combined by log2 rotations.

For linear steps whose result has no copies (GAZELLE: Juvekar, Vaikuntanathan and Chandrakasan, 2018,
arXiv:1801.05507). A sum over rotations of products is split into parts in different slots of one ciphertext, which
hold copies of the operand anyway. Adding the parts up takes as many rotations as there are doublings; giant steps take
one for each. Elsewhere the sums leave some of the parts of one element: nothing exceeds what bounds the elements,
because parts of different elements are never a sum of steps apart (those of a copy lie together, and the gap to the
next is as wide).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privis.run.he.packing.layout import Layout, power_of_two
from privis.run.he.packing.rotations import Integers, distinct, giant_modulus


@dataclass(frozen=True, eq=False)
class Entries:
    """The nonzero elements of all matrices of a step: what is read, where the result is written, how far apart."""

    source: Integers  # operand and ciphertext, as one number
    distance: Integers
    period: Integers  # of the operand's layout
    ciphertext: Integers
    slot: Integers
    weight: NDArray[np.floating] | NDArray[np.complexfloating]

    def __getitem__(self, at: Integers) -> Entries:
        return Entries(*(getattr(self, name)[at] for name in self.__dataclass_fields__))


def hybrid_entries(entries: Entries, result: Layout, slots: int) -> tuple[Entries, tuple[int, ...]] | None:
    """The products to make in other slots than the result's, and the steps that add them up; None: not possible."""
    periods = np.unique(entries.period)
    if result.period != slots or result.ciphertexts > 1 or len(periods) != 1:
        return None
    period, extent = int(periods[0]), power_of_two(int(result.positions.max()) + 1)  # elements of no weight, too
    if period < slots:
        distance = entries.distance % period
    else:
        distance = (entries.distance + slots // 2) % slots - slots // 2
    low = 0 if period < slots else int(distance.min())
    piece, rest = np.divmod(distance - low, extent)
    pieces = power_of_two(int(piece.max()) + 1)
    if pieces * extent > slots // 2:
        return None
    best: tuple[int, Entries, tuple[int, ...]] | None = None
    halvings = range((slots // (2 * pieces * extent)).bit_length() if period < slots else 1)
    for halving in halvings:
        near = extent >> halving
        if near == 0:
            break
        copy, baby = np.divmod(rest, near)
        apart = (slots >> halving) + near  # a whole number of periods, and the giant step
        if ((1 << halving) - 1) * near + pieces * extent > slots >> halving:
            break
        folds = (*(extent << k for k in range(pieces.bit_length() - 1)), *(apart << k for k in range(halving)))
        moved = replace(entries, distance=(baby + low) % slots, slot=entries.slot + piece * extent + copy * apart)
        where, _ = distinct(moved.ciphertext, moved.source, moved.distance)
        _, rotations = giant_modulus(where[0], where[1], where[2], slots)
        if best is None or rotations + len(folds) < best[0]:
            best = rotations + len(folds), moved, folds
    return None if best is None else best[1:]
