"""Pack a linear map: which rotations of which ciphertexts, times which plaintexts, make its result.

Diagonals of a matrix between slots are rotations times plaintexts (Halevi and Shoup, 2014,
doi:10.1007/978-3-662-44371-2_31), split into baby steps and giant steps. Whatever the layouts, strides and borders
live in the plaintexts: no masks, no repacking, one level. Sums of equal terms take rotations and no level at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.run.he.circuit.circuit import Linear, Matrix
from privis.run.he.packing.complex_packing import complex_products
from privis.run.he.packing.hybrid_diagonals import Entries, hybrid_entries
from privis.run.he.packing.layout import Layout
from privis.run.he.packing.rotations import chain, distinct, doublings, giant_modulus

MOST_CIPHERTEXTS = 1 << 12
PLAIN_COST, LEVEL_COST = 0.07, 5.0  # in rotations at the same level
COMPLEX_COST = 6.0  # a rotation, a conjugation, and keys for both
WORTH_HALVING = 8  # giant steps


@dataclass(frozen=True, eq=False)
class Term:
    """Rotation ``baby`` of ciphertext ``ciphertext`` of operand ``operand``, times numbers in slots.

    ``weights`` (real or complex) belong to ``slots``, all others are zero; None: plus or minus (``sign``) the rotation
    as it is.
    """

    operand: int
    ciphertext: int
    baby: int
    slots: NDArray[np.int32] | None = None
    weights: NDArray[np.floating] | NDArray[np.complexfloating] | None = None
    sign: int = 1


@dataclass(frozen=True, eq=False)
class Packed:
    """How a linear step runs.

    ``babies``: for each (operand, ciphertext) the rotations to make, as (amount, made from which amount), in order.
    ``giants``: for each ciphertext of the result, (amount, terms), largest amount first: the terms are added up, and
    what was added so far is rotated by the difference to the next amount; none where all weights of a ciphertext are
    zero. ``doublings``: rotate by each and add.
    ``folds``: the same after that, with copies. ``factor``: the number all terms without weights are multiplied by
    (in units, for free); None where there are weights, which cost one level. ``complex_shift``: slots between the two
    numbers of a pair in complex packing, 0: none. ``folds_above``: fold before the product is rescaled, one level
    higher, which takes a little longer and adds next to no noise.
    """

    babies: tuple[tuple[tuple[int, int], tuple[tuple[int, int], ...]], ...]
    giants: tuple[tuple[tuple[int, tuple[Term, ...]], ...], ...]
    doublings: tuple[int, ...]
    folds: tuple[int, ...]
    factor: float | None
    complex_shift: int = 0
    folds_above: bool = False

    @property
    def levels(self) -> int:
        """Rescalings that the step takes: 0 or 1."""
        return 0 if self.factor is not None else 1

    @property
    def rotations(self) -> tuple[int, ...]:
        """The step of every rotation it makes."""
        made = [amount - parent for _, chain in self.babies for amount, parent in chain]
        made += [self.complex_shift] * bool(self.complex_shift)
        for groups in self.giants:
            amounts = [*(amount for amount, _ in groups), 0]
            made += [a - b for a, b in pairwise(amounts) if a != b]
            made += [*self.doublings, *self.folds] if groups else []
        return tuple(made)

    @property
    def products(self) -> int:
        """Number of products of a ciphertext with a plaintext."""
        return sum(len(terms) for groups in self.giants for _, terms in groups) if self.levels else 0


def half(packed: Packed) -> int:
    """Where two processes divide the giant steps of a single ciphertext; 0: not worth it."""
    count = len(packed.giants[0])
    return count // 2 if len(packed.giants) == 1 and packed.levels and count >= WORTH_HALVING else 0


@dataclass(frozen=True, eq=False)
class Placed:
    """Where the result of a linear step goes and what that will take: ``factor`` as in ``Packed``.

    ``hybrid``: by ``hybrid_entries``; ``complex_shift``: by ``complex_products``, slots between two numbers of a pair.
    """

    result: Layout
    factor: float | None
    rotations: int
    products: int
    hybrid: bool = False
    complex_shift: int = 0


def place(
    step: Linear, operands: Sequence[Layout], result: Layout, slots: int, *, fixed: bool, clean: bool, real: bool
) -> Placed:
    """Shift ``result``, unless ``fixed``, to where ``step`` needs the fewest rotations, and count them.

    ``clean`` asks for zeros in all slots that hold no element: then sums of equal terms need weights too. ``real``:
    there is nothing imaginary in any slot of the operands.
    """
    unmoved = _entries(step, operands, result, slots)
    period = int(unmoved.period.max(initial=1))
    copies = max(1, period // result.period)
    base = 0 if fixed else _base(unmoved, period)
    shifted = result.shifted(base, slots) if base else result
    entries = replace(unmoved, distance=(unmoved.distance - base) % unmoved.period)
    factor = _factor(entries, result, slots) if copies == 1 else None
    if factor is not None:
        copied = _with_copies(shifted, entries)
        if not clean or _stays(entries) or _fills(copied, slots):
            return Placed(copied, factor, len(_sums(entries, factor, slots).rotations), 0)
    distance = np.where(entries.period > result.period, entries.distance % result.period, entries.distance)
    rotations, products = _counted(replace(entries, distance=distance), slots)
    ways = [Placed(shifted, None, rotations + copies.bit_length() - 1, products)]
    moved = None if clean else hybrid_entries(unmoved, result, slots)
    if moved is not None:
        rotations, products = _counted(moved[0], slots)
        ways.append(Placed(result, None, rotations + len(moved[1]), products, hybrid=True))
    if real and copies == 1 and _may_pair(unmoved, operands):
        base = 0 if fixed else _base(unmoved, period // 2)
        distance = (unmoved.distance - base) % (period // 2)
        shifted = result.shifted(base, slots) if base else result
        ways.append(
            Placed(shifted, None, *_counted(replace(unmoved, distance=distance), slots), complex_shift=period // 2)
        )
    return min(ways, key=effort)


def _counted(entries: Entries, slots: int) -> tuple[int, int]:
    """Numbers of rotations and of plaintext products that the entries take."""
    where, _ = distinct(entries.ciphertext, entries.source, entries.distance)
    _, rotations = giant_modulus(where[0], where[1], where[2], slots)
    return rotations, where.shape[1]


def _may_pair(entries: Entries, operands: Sequence[Layout]) -> bool:
    """One operand in one ciphertext, and real weights."""
    single = len(operands) == 1 and operands[0].ciphertexts == 1 and operands[0].period > 1
    return single and not np.iscomplexobj(entries.weight)


def effort(placed: Placed) -> float:
    """Cost of a placement, in units of one rotation at the same level."""
    level, packing = LEVEL_COST * (placed.factor is None), COMPLEX_COST * bool(placed.complex_shift)
    return placed.rotations + PLAIN_COST * placed.products + level + packing


def pack(step: Linear, operands: Sequence[Layout], placed: Placed, slots: int) -> Packed:
    """Plan ``step`` as ``place`` found it best."""
    result, entries = placed.result, _entries(step, operands, placed.result, slots)
    if placed.factor is not None:
        factor = _factor(entries, result, slots)
        assert factor is not None
        return _sums(entries, factor, slots)
    if placed.hybrid:
        moved = hybrid_entries(entries, result, slots)
        assert moved is not None
        return _diagonals(*moved, slots, result.ciphertexts)
    period = int(entries.period.max(initial=1))
    if placed.complex_shift:
        halved = _repeated(complex_products(entries, placed.complex_shift, slots), max(period, result.period), slots)
        return replace(_diagonals(halved, (), slots, result.ciphertexts), complex_shift=placed.complex_shift)
    copies = max(1, period // result.period)
    copy = np.where(entries.period > result.period, entries.distance // result.period, 0)
    slot = (entries.slot + copy * result.period) % slots
    entries = replace(entries, distance=entries.distance - copy * result.period, slot=slot)
    entries = _repeated(entries, max(period, result.period), slots)
    folds = tuple(result.period << k for k in range(copies.bit_length() - 1))
    return _diagonals(entries, folds, slots, result.ciphertexts)


def _entries(step: Linear, operands: Sequence[Layout], result: Layout, slots: int) -> Entries:
    parts: list[tuple[np.ndarray, ...]] = []
    for number, (matrix, layout) in enumerate(zip(step.matrices, operands, strict=True)):
        coo = matrix.tocoo()
        coo.eliminate_zeros()
        read, write = layout.positions[coo.col], result.positions[coo.row]
        distance = (read % slots - write % slots) % layout.period
        source = number * MOST_CIPHERTEXTS + read // slots
        periods = np.full(len(read), layout.period)
        parts.append((source, distance, periods, write // slots, write % slots, coo.data))
    if len(parts) == 1:
        return Entries(*parts[0])  # concatenating would copy
    return Entries(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _base(entries: Entries, period: int) -> int:
    """The rotation that all others follow when counted up cyclically: just after the largest gap."""
    distances = np.unique(entries.distance % period)
    gaps = np.diff(distances, append=distances[0] + period)
    return int(distances[(np.argmax(gaps) + 1) % len(distances)])


def is_uniform(matrix: Matrix) -> bool:
    """All elements are one number or its opposite: perhaps rotations alone will do."""
    return _equal_sizes(matrix.data[matrix.data != 0])


def _equal_sizes(weights: NDArray[Any]) -> bool:
    size = np.abs(weights)
    return not np.iscomplexobj(weights) and bool(
        size.max(initial=0.0) - size.min(initial=np.inf) <= 1e-12 * size.max(initial=0.0)
    )


def _factor(entries: Entries, result: Layout, slots: int) -> float | None:
    """The common factor when every element of a ciphertext reads the same rotations with the same sign, else None.

    A ciphertext that reads nothing needs a weight: the sum of none is no ciphertext.
    """
    if not _equal_sizes(entries.weight) or not np.bincount(entries.ciphertext, minlength=result.ciphertexts).all():
        return None
    size = np.abs(entries.weight)
    held = np.bincount(result.positions // slots, minlength=result.ciphertexts)
    key = entries.ciphertext * (int(entries.source.max()) + 1) + entries.source
    order = np.lexsort((entries.distance, key))
    sorted_key, sorted_distance = key[order], entries.distance[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(sorted_key) != 0) | (np.diff(sorted_distance) != 0)])
    counts = np.diff(np.r_[starts, len(order)])
    if (counts != held[entries.ciphertext[order[starts]]]).any():
        return None
    signs = np.sign(entries.weight[order])
    if (np.add.reduceat(signs, starts) != signs[starts] * counts).any():
        return None
    sign = 1.0 if (signs > 0).any() else -1.0
    return float(size[0]) * sign


def _stays(entries: Entries) -> bool:
    """Every element stays where it is: slots without one stay as they were."""
    return not entries.distance.any()


def _sums(entries: Entries, factor: float, slots: int) -> Packed:
    """Rotations added up: by doubling where the amounts allow it."""
    seen, first = distinct(entries.ciphertext, entries.source, entries.distance)
    sign = np.where(entries.weight[first] * factor > 0, 1, -1)
    amounts = [np.unique(seen[2, seen[0] == c]) for c in np.unique(seen[0])]
    alike = all(np.array_equal(a, amounts[0]) for a in amounts)
    single = all(len(np.unique(seen[1, seen[0] == c])) == 1 for c in np.unique(seen[0]))
    equal = (sign > 0).all()
    steps = doublings(amounts[0]) if alike and single and equal else None
    if steps is not None:
        giants = []
        for c in np.unique(seen[0]):
            operand, ciphertext = divmod(int(seen[1, seen[0] == c][0]), MOST_CIPHERTEXTS)
            start = int(amounts[0][0])
            giants.append(((start, (Term(operand, ciphertext, 0),)),))
        return Packed((), tuple(giants), steps, (), factor)
    columns = [(*at, None, None, s) for at, s in zip(seen.T.tolist(), sign.tolist(), strict=True)]
    return _stepped(columns, (), slots, factor, len(amounts))


def _with_copies(layout: Layout, entries: Entries) -> Layout:
    """Sums over a whole period are the same wherever they start: the least power of two after which they repeat."""
    period = int(entries.period.min())
    amounts = [np.unique(entries.distance[entries.source == source]) for source in np.unique(entries.source)]
    repeats = period
    while repeats > 1 and all(np.array_equal(np.unique((a + repeats // 2) % period), a) for a in amounts):
        repeats //= 2
    if layout.ciphertexts > 1 or repeats >= layout.period:
        return layout
    positions = layout.positions % repeats
    return Layout(positions, repeats, 1) if len(np.unique(positions)) == len(positions) else layout


def _fills(layout: Layout, slots: int) -> bool:
    """Every slot holds an element or a copy of one."""
    return len(layout.positions) * (slots // layout.period) == slots * layout.ciphertexts


def _repeated(entries: Entries, period: int, slots: int) -> Entries:
    """Repeat a matrix for every copy of the operands."""
    copies = slots // period
    if copies == 1:
        return entries
    count = len(entries.slot)
    tiled = entries[np.tile(np.arange(count), copies)]
    slot = (tiled.slot + np.repeat(np.arange(copies) * period, count)) % slots
    return replace(tiled, slot=slot)


def _diagonals(entries: Entries, folds: tuple[int, ...], slots: int, ciphertexts: int) -> Packed:
    """Group by ciphertexts and rotation; elements that meet in a slot add up."""
    order = np.lexsort((entries.slot, entries.distance, entries.source, entries.ciphertext))
    entries = entries[order]
    change = (np.diff(entries.ciphertext) != 0) | (np.diff(entries.source) != 0) | (np.diff(entries.distance) != 0)
    starts = np.flatnonzero(np.r_[True, change])
    columns = []
    for start, stop in zip(starts, np.r_[starts[1:], len(order)], strict=True):
        slot, first = np.unique(entries.slot[start:stop], return_index=True)
        weight = np.add.reduceat(entries.weight[start:stop], first)
        if weight.any():
            where = int(entries.ciphertext[start]), int(entries.source[start]), int(entries.distance[start])
            columns.append((*where, slot, weight, 1))
    return _stepped(columns, folds, slots, None, ciphertexts)


def _stepped(
    columns: list[tuple], folds: tuple[int, ...], slots: int, factor: float | None, ciphertexts: int
) -> Packed:
    """Split the amounts of all columns into giant steps and baby steps, for each of the result's ``ciphertexts``."""
    where = np.array([column[:3] for column in columns]).T
    modulus, _ = giant_modulus(where[0], where[1], where[2], slots)
    babies: dict[int, set[int]] = {}
    groups: dict[int, dict[int, list[Term]]] = {}
    for ciphertext, source, distance, slot, weight, sign in columns:
        giant, baby = distance - distance % modulus, distance % modulus
        babies.setdefault(source, set()).add(baby)
        if slot is not None:  # rotated by the giant step after the product
            slot = ((slot + giant) % slots).astype(np.int32)
            weight = weight.astype(np.complex128 if np.iscomplexobj(weight) else np.float64)
        term = Term(*divmod(source, MOST_CIPHERTEXTS), baby, slot, weight, sign)
        groups.setdefault(ciphertext, {}).setdefault(giant, []).append(term)
    chains = tuple((divmod(source, MOST_CIPHERTEXTS), chain(amounts)) for source, amounts in sorted(babies.items()))
    giants = tuple(
        tuple((amount, tuple(terms)) for amount, terms in sorted(groups.get(ciphertext, {}).items(), reverse=True))
        for ciphertext in range(ciphertexts)
    )
    return Packed(chains, giants, (), folds, factor)
