"""Sets of rotations: by which steps they are made, and how few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Chain = tuple[tuple[int, int], ...]  # (amount, made from which amount), in an order in which that can be done
_TABLE, _SPARSE = 1 << 22, 32  # keys of a table that needs no thought; keys for each entry that are too many


def doublings(amounts: Integers) -> tuple[int, ...] | None:
    """Steps such that rotating by each and adding makes all ``amounts`` (from the first on), or None.

    >>> doublings(np.array([0, 1, 64, 65]))
    (1, 64)
    """
    rest, steps = set((amounts - amounts[0]).tolist()), []
    while len(rest) > 1:
        step = sorted(rest)[1]
        half = set()
        for amount in sorted(rest):
            if amount - step not in half:
                half.add(amount)
        if len(half) * 2 != len(rest) or {a + step for a in half} | half != rest:
            return None
        steps.append(step)
        rest = half
    return tuple(steps)


def giant_modulus(ciphertexts: Integers, sources: Integers, distances: Integers, slots: int) -> tuple[int, int]:
    """The modulus of the baby steps that leaves the fewest rotations, and how many."""
    every = np.unique(distances)
    gaps = np.unique(np.diff(every))[:64] if len(every) > 1 else np.array([], int)
    candidates = sorted({1 << k for k in range(slots.bit_length())} | set(gaps.tolist()) | {slots})

    def count(modulus: int) -> int:
        babies, giants = distances % modulus, distances // modulus
        made = np.unique(sources[babies != 0] << 20 | babies[babies != 0])
        return len(made) + len(np.unique(ciphertexts[giants != 0] << 20 | giants[giants != 0]))

    best = min(candidates, key=count)
    return best, count(best)


def distinct(ciphertext: Integers, source: Integers, distance: Integers) -> tuple[Integers, Integers]:
    """The different triples, (3, count), and where each is first.

    >>> distinct(np.array([0, 1, 0]), np.array([5, 5, 5]), np.array([2, 2**33, 2]))[1]
    array([0, 1])
    """
    names, number = np.unique(source, return_inverse=True)
    span = int(distance.max(initial=0)) + 1
    key = (ciphertext * len(names) + number) * span + distance
    most = int(key.max(initial=0)) + 1
    if most > max(_TABLE, _SPARSE * len(key)):  # sorting takes longer, and no gigabytes
        found, first = np.unique(key, return_index=True)
    else:
        table = np.full(most, -1)
        table[key[::-1]] = np.arange(len(key))[::-1]
        found = np.flatnonzero(table >= 0)
        first = table[found]
    rest, at = np.divmod(found, span)
    return np.stack([rest // len(names), names[rest % len(names)], at]), first


def chain(amounts: set[int]) -> Chain:
    """Order ``amounts`` so that each is one step from an earlier one, with few different steps: (amount, from).

    >>> chain({0, 1, 2, 64, 65, 66})
    ((1, 0), (2, 1), (64, 0), (65, 64), (66, 65))
    """
    every = np.array(sorted(amounts | {0}))
    differences = (every[:, None] - every[None, :]).reshape(-1)
    steps, counts = np.unique(differences[differences > 0], return_counts=True)
    order = np.lexsort((steps, -counts))
    chosen: list[int] = []
    for step in steps[order].tolist():
        chosen.append(step)
        reached = _reached(set(every.tolist()), chosen)
        if len(reached) == len(every) - 1:
            return tuple(sorted(reached.items()))
    return ()


def _reached(every: set[int], steps: list[int]) -> dict[int, int]:
    """Amounts that steps lead to from 0, each with the amount before it."""
    found: dict[int, int] = {}
    for amount in sorted(every - {0}):
        for step in steps:
            if amount == step or (amount - step) in found:
                found[amount] = amount - step
                break
    return found


def few_levels(levels: list[int], highest: dict[int, int]) -> list[int]:
    """At most three ``levels``, the last one the highest, such that keys of rotations up to ``highest`` are small."""
    if len(levels) <= 3:
        return levels

    def size(bounds: tuple[int, ...]) -> int:
        return sum(min(b for b in bounds if b >= level) ** 2 for level in highest.values())

    top = levels[-1]
    options = [(a, b, top) for i, a in enumerate(levels[:-1]) for b in levels[i + 1 : -1]]
    return list(min(options, key=size))
