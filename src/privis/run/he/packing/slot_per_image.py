"""Slot-per-image batching: every element of a value is a ciphertext of its own, with a slot for each image.

Linear steps are sums of ciphertexts times numbers, so nothing is ever rotated: what an image costs is a few
milliseconds, what a single one costs is as much as thousands. (Batching as in CryptoNets: Gilad-Bachrach et al., 2016,
proceedings.mlr.press/v48/gilad-bachrach16.) A slot holds two images where it can, one as the real and one as the
imaginary part: sums of them with real weights are the same sums of both; only products need them apart. Half as many
images leave the imaginary parts empty: two elements of an image are then sent in one slot, half as many bytes, and the
server takes them apart before it begins.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from privis.errors import Problem, UnsupportedError
from privis.run.he.circuit.circuit import (
    Circuit,
    CircuitInput,
    InputEncoding,
    Linear,
    Polynomial,
    Product,
)
from privis.run.he.engine import KeyGroup
from privis.run.he.packing.arrangement import Arrangement, levels_of, linear_unit, unit_of
from privis.run.he.packing.diagonals import Packed, is_uniform
from privis.run.he.packing.layout import Layout
from privis.run.he.packing.read_elements import without_unread

_SUM, _WEIGHTED = Packed((), (), (), (), 1.0), Packed((), (), (), (), None)


@dataclass(frozen=True)
class Segment:
    """Steps that are computed element by element, one after the other, before the next element is.

    ``kept`` are the values that later segments, or the owner, read; ``dropped`` those that nobody reads after it.
    """

    steps: tuple[int, ...]
    kept: tuple[int, ...]
    dropped: tuple[int, ...]

    def is_apart(self, circuit: Circuit, operand: int) -> bool:
        """Whether products here find the images of ``operand`` in ciphertexts of their own: it is one itself."""
        return operand in self.steps and not isinstance(circuit.steps[operand], Linear)

    def split(self, circuit: Circuit) -> set[int]:
        """The values of which products and polynomials here must tell pairs of images apart."""
        users = [s for s in self.steps if not isinstance(circuit.steps[s], Linear)]
        return {o for s in users for o in circuit.operands(s) if not self.is_apart(circuit, o)}


def segments(circuit: Circuit) -> list[Segment]:
    """All steps but the sources, in order: products and polynomials join what they are taken of."""
    groups: list[list[int]] = []
    placed: set[int] = set()
    for index, step in enumerate(circuit.steps):
        if isinstance(step, CircuitInput) or index in placed:
            continue
        last = groups[-1] if groups else []
        is_inside = bool(set(last) & set(circuit.operands(index)))
        fits = bool(last) and math.prod(circuit.shapes[last[0]]) == math.prod(circuit.shapes[index])
        if not (fits and is_inside != isinstance(step, Linear)):
            groups.append([])
        new = _same_operand(circuit, index) - placed
        groups[-1] += sorted(new)
        placed |= new
    found = []
    for number, group in enumerate(groups):
        later = {o for other in groups[number + 1 :] for s in other for o in circuit.operands(s)}
        needed = later | set(circuit.outputs)
        read = {o for s in group for o in circuit.operands(s)}
        kept = tuple(s for s in group if s in needed)
        found.append(Segment(tuple(group), kept, tuple(sorted(read - set(group) - needed))))
    return found


def _same_operand(circuit: Circuit, index: int) -> set[int]:
    """Polynomials of one value are made together: they share what they need of it."""
    step = circuit.steps[index]
    if not isinstance(step, Polynomial):
        return {index}
    return {i for i, s in enumerate(circuit.steps) if isinstance(s, Polynomial) and s.operand == step.operand}


def arrange_slot_per_image(
    circuit: Circuit, slots: int, processes: int = 1, *, paired_inputs: bool = False
) -> Arrangement:
    """Each element in a ciphertext of its own, each image in a slot, two in one where all numbers are real.

    With ``paired_inputs`` a slot holds two elements of one image until the server has taken them apart, instead of two
    images. Raises UnsupportedError where numbers are complex and it cannot, and, with the numbers, where the
    ciphertexts needed at once would not fit this machine's memory.
    """
    if paired_inputs and not circuit.is_real:
        remedy = "Batching.SLOT"
        raise UnsupportedError(Problem("HE", "a program of complex numbers", "real ones in pairs", remedy))
    circuit = without_unread(circuit) or circuit
    pairs = circuit.is_real and not paired_inputs
    sizes = [math.prod(shape) for shape in circuit.shapes]
    layouts = tuple(Layout(np.arange(size) * slots, slots, size) for size in sizes)
    packed = {i: _plan(circuit, i, step) for i, step in enumerate(circuit.steps) if isinstance(step, Linear)}
    units = _units(circuit, packed, pairs)
    levels = levels_of(circuit, packed)
    effort = sum(sum(m.nnz for m in s.matrices) for s in circuit.steps if isinstance(s, Linear))
    batch_size = slots * (2 if pairs else 1)
    made = Arrangement(
        circuit, slots, layouts, units, levels, packed, float(effort), processes, batch_size, paired_inputs
    )
    needed, there = memory(made), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        got = f"a batch whose ciphertexts take {needed / 1e9:,.0f} GB at once, one for each of {max(sizes):,} elements"
        expected = f"at most the {there / 1e9:,.0f} GB of this machine"
        raise UnsupportedError(Problem("HE", got, expected, "smaller images, or Batching.SIDE_BY_SIDE"))
    return made


def sent(layout: Layout, slots: int) -> Layout:
    """How an input with ``layout`` is sent in pairs: elements 2 k and 2 k + 1 share slots, the second is imaginary."""
    count = len(layout.positions)
    return Layout(np.arange(count) // 2 * slots, slots, -(-count // 2))


def memory(arrangement: Arrangement) -> int:
    """Bytes of all ciphertexts that are needed at once, at most."""
    circuit = arrangement.circuit

    def size(index: int) -> int:
        return 4 * 8 * arrangement.slots * (arrangement.levels[index] + 1) * arrangement.layouts[index].ciphertexts

    held = sum(size(i) for i, step in enumerate(circuit.steps) if isinstance(step, CircuitInput))
    most = held
    for segment in segments(circuit):
        held += sum(size(i) for i in segment.kept)
        most = max(most, held)
        held -= sum(size(i) for i in segment.dropped)
    return most


def slot_per_image_keys(arrangement: Arrangement) -> tuple[KeyGroup, ...]:
    """To relinearise products and, where slots hold pairs, to tell them apart; none to rotate."""
    circuit = arrangement.circuit
    split = [arrangement.levels[o] for segment in segments(circuit) for o in segment.split(circuit)]
    conjugate = bool(split) and arrangement.batch_size > arrangement.slots
    if arrangement.paired_inputs:
        split, conjugate = arrangement.conjugations(), True
    relinearise = arrangement.relinearisations()
    if not relinearise and not conjugate:
        return ()
    highest = max([*relinearise, *(split if conjugate else [])])
    return (KeyGroup(max(highest, 1), (), bool(relinearise), conjugate),)


def _plan(circuit: Circuit, index: int, step: Linear) -> Packed:
    """Plain sums and differences take no level."""
    (first, *more), rows = step.matrices, circuit.shapes[index]
    is_free = (
        not more
        and is_uniform(first)
        and bool((first.data != 0).any())
        and int((np.diff(first.indptr)).min(initial=1)) > 0
        and bool((first.data != 0).all())
        and math.prod(rows) > 0
        and not any(isinstance(s, Polynomial) and s.operand == index for s in circuit.steps)
    )
    return _SUM if is_free else _WEIGHTED


def _units(circuit: Circuit, packed: dict[int, Packed], pairs: bool) -> tuple[float, ...]:
    """What a stored 1 of each value stands for: twice as much where separating a pair will double the number."""
    added, parts = circuit.only_added, segments(circuit)
    home = {index: part for part in parts for index in part.steps}
    split = {o for part in parts for o in part.split(circuit)} if pairs else set()
    units: list[float] = []
    for index, step in enumerate(circuit.steps):
        unit = unit_of(circuit.bounds[index])
        match step:
            case CircuitInput(encoding=InputEncoding.ROOTS):
                unit = 1.0
            case CircuitInput():
                unit *= 2 if index in split else 1
            case Linear(operands, matrices) if packed[index].factor is not None:
                unit = float(abs(matrices[0].data).max()) * units[operands[0]]
            case Linear(operands, matrices):
                largest = max(float(abs(m).max()) * units[o] for o, m in zip(operands, matrices, strict=True))
                unit = linear_unit(circuit, index, largest, only_added=added[index]) * (2 if index in split else 1)
            case Product(left, right):
                unit = math.prod(unit_of_component(units, circuit, home[index], o, pairs) for o in (left, right))
            case Polynomial():
                pass
        units.append(unit)
    return tuple(units)


def unit_of_component(units: Sequence[float], circuit: Circuit, segment: Segment, operand: int, pairs: bool) -> float:
    """What a stored 1 of ``operand`` stands for in a product: telling pairs apart doubles numbers."""
    return units[operand] / 2 if pairs and not segment.is_apart(circuit, operand) else units[operand]


__all__ = [
    "Segment",
    "arrange_slot_per_image",
    "memory",
    "segments",
    "sent",
    "slot_per_image_keys",
    "unit_of_component",
]
