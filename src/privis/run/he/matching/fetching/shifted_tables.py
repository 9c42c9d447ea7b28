"""Two sums of the same matches, the second of shifted slots: matches that meet in one are apart in the other.

A gallery's comparisons lie in *parts*, each of as many slots as a ciphertext has, and a reply holds their sum. Two
matches of different parts may meet in a slot. In the second sum every part is moved by a shift of its own first, so
these two lie in different slots there. Every match says its part, so a match that is alone in a slot of either sum is
read there and taken out of the other one, which may leave the next one alone: an invertible Bloom lookup table with
two hash functions (Goodrich and Mitzenmacher, 2011, doi:10.1109/Allerton.2011.6120248), whose hashes are shifts.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse

TOLERANCE = 2.0**-10
"""How far a count of matches in a slot may lie from a whole number: bytes beside it are off by less than a quarter."""

_READ = 0.4  # how far a number of a match that is alone may lie from a whole one
_BITS = 3  # of a shift: each is a rotation
_LONGER = 64  # cycles of twice as many matches as this are not counted one by one


@dataclass(frozen=True)
class Resolved:
    """What two sums of matches say.

    Args:
        matches: by part and slot, the whole numbers that came with each.
        undecided: slots whose count is no whole number, or whose numbers contradict the other sum.
        ambiguous: matches that could not be told apart.
    """

    matches: dict[tuple[int, int], NDArray[np.int64]] = field(repr=False)
    undecided: int
    ambiguous: int


@functools.lru_cache(maxsize=64)
def shifts(parts: int, slots: int) -> tuple[int, ...]:
    """Slots by which each part is moved in the second sum: all different, each of few bits.

    Shifts are taken one by one, each the first of those whose differences to the ones before it are the newest: four
    matches that meet two by two in both sums need two pairs of parts of one difference. Powers of two have none.

    Args:
        parts: how many.
        slots: of a part, a power of two.

    Returns:
        A shift for each part.

    Raises:
        ParameterError: more parts than there are shifts.

    >>> shifts(5, 4096)
    (1, 2, 4, 8, 16)
    """
    bits = range(slots.bit_length() - 1)
    few = [sum(1 << bit for bit in set_bits) for count in range(1, _BITS + 1) for set_bits in combinations(bits, count)]
    if not 1 <= parts <= len(few):
        raise ParameterError(Problem("parts", str(parts), f"1 to {len(few)} of {slots} slots"))
    left, taken = np.array(few), np.zeros(0, np.int64)
    known = np.zeros(slots, np.int64)
    for _ in range(parts):
        apart = (left[:, None] - taken) % slots
        best = int(known[apart].sum(1).argmin())
        np.add.at(known, np.concatenate([apart[best], -apart[best] % slots]), 1)
        taken, left = np.append(taken, left[best]), np.delete(left, best)
    return tuple(taken.tolist())


def ambiguity(parts: int, slots: int, matches: int) -> float:
    """Bound the probability that matches at random places cannot all be told apart.

    Some are not exactly where matches form a cycle: each meets the next in one sum and then in the other, back to the
    first. The bound is the expected number of cycles: those of four matches counted from the shifts, those of six and
    more with every choice of parts but the last.

    Args:
        parts: ciphertexts of comparisons that are summed.
        slots: of each.
        matches: templates that match.

    Returns:
        The bound, at most 1.

    >>> ambiguity(7, 8192, 16) < 1e-8
    True
    """
    refuse(ParameterError, [Problem("matches", str(matches), "0 or more")] if matches < 0 else [])
    if parts == 1 or matches < 4:
        return 0.0
    moved = np.array(shifts(parts, slots))
    apart = np.bincount(((moved[:, None] - moved) % slots).ravel(), minlength=slots)[1:].astype(float)
    cycles = slots * float((apart * (apart - 1) / 2).sum()) / 2
    expected = cycles * (matches / (parts * slots)) ** 4
    load = matches / slots
    if load >= 1:
        return 1.0
    for half in range(3, _LONGER):
        expected += load ** (2 * half) * slots / (2 * half * parts)
    expected += load ** (2 * _LONGER) * slots / (2 * _LONGER * parts * (1 - load**2))
    return min(1.0, expected)


def resolve(sums: Sequence[NDArray[np.float64]], parts: int) -> Resolved:
    """Tell matches apart.

    Args:
        sums: one, or two of which the second is of shifted slots: float64 (slots, 2 + numbers), in each slot how many
            matches there are, the sum of their parts, and the sums of their numbers.
        parts: how many there are.

    Returns:
        The matches that can be told apart, and how many cannot.
    """
    left = np.array(sums, np.float64)
    slots = left.shape[1]
    moved = [(0,) * parts, shifts(parts, slots)][: len(left)]
    counts = np.rint(left[:, :, 0])
    undecided = int((np.abs(left[:, :, 0] - counts) > TOLERANCE).sum())
    alone = [(int(table), int(slot)) for table, slot in np.argwhere(counts == 1)]
    found: dict[tuple[int, int], NDArray[np.int64]] = {}
    while alone:
        table, at = alone.pop()
        if round(left[table, at, 0]) != 1:
            continue  # taken out since
        numbers = np.rint(left[table, at, 1:])
        part = int(numbers[0])
        if not 0 <= part < parts or np.abs(left[table, at, 1:] - numbers).max() > _READ:
            undecided += 1
            continue
        slot = (at + moved[table][part]) % slots
        cells = [(each, (slot - own[part]) % slots) for each, own in enumerate(moved)]
        if any(round(left[cell][0]) < 1 for cell in cells):
            undecided += 1
            continue
        for cell in cells:
            left[cell] -= np.concatenate([[1.0], numbers])
            if round(left[cell][0]) == 1:
                alone.append(cell)
        found[part, slot] = numbers[1:].astype(np.int64)
    ambiguous = int(max(np.rint(each[:, 0]).clip(0).sum() for each in left))
    return Resolved(found, undecided, ambiguous if not undecided else 0)
