"""How large the coefficients of a ciphertext's polynomial can be: only what fits the modulus is read back right.

A polynomial of degree below N takes the values ``z_j`` at N / 2 roots of unity, the slots, and their conjugates at the
others; its coefficients are ``(2 / N) Re sum(z_j w_j^-k)``. So none is larger than the mean of ``|z_j|`` over the
slots: a result that fills one slot in four has coefficients a quarter as large as its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from privis.run.he.circuit.circuit import CircuitInput, Linear, Product
from privis.run.he.packing.arrangement import Arrangement

Numbers = NDArray[np.float64]


def largest_coefficients(arrangement: Arrangement) -> Mapping[int, float]:
    """A bound on the coefficients of every output that is a weighted sum, in stored numbers.

    Args:
        arrangement: a circuit laid out, whose ``certain`` bounds hold for all inputs.

    Returns:
        By the output's index; for a slot of each image the largest number, else the mean over the slots of what each
        can hold, parts of sums outside the elements included. Infinite where nothing is certain.
    """
    weighted = [o for o in arrangement.circuit.outputs if o in arrangement.packed and arrangement.packed[o].levels]
    if arrangement.slot_per_image:
        pairs = math.sqrt(2) if arrangement.batch_size > arrangement.slots else 1.0
        return {o: pairs * _inside(arrangement, o) for o in weighted}
    outside = _outside(arrangement)
    return {o: max(float(np.mean(own)) for own in _bounds(arrangement, o, outside)) for o in weighted}


def largest_numbers(arrangement: Arrangement, index: int) -> Numbers:
    """A bound on the number in each slot, (ciphertexts, slots), of the result of linear step ``index``."""
    return _bounds(arrangement, index, _outside(arrangement))


def _inside(arrangement: Arrangement, index: int) -> float:
    """The largest magnitude of an element of a value."""
    return arrangement.circuit.certain[index] / abs(arrangement.units[index])


def _outside(arrangement: Arrangement) -> list[float]:
    """For every value the largest magnitude in a slot that holds no element; 0 where all of those are empty."""
    found: list[float] = []
    for index, step in enumerate(arrangement.circuit.steps):
        match step:
            case CircuitInput():
                found.append(0.0)
            case Product(left, right):
                found.append(found[left] * found[right])
            case Linear():
                bounds = _bounds(arrangement, index, found)
                found.append(float(bounds[~_elements(arrangement, index)].max(initial=0.0)))
            case _:  # a polynomial, of what is zero there
                found.append(_inside(arrangement, index))
    return found


def _elements(arrangement: Arrangement, index: int) -> NDArray[np.bool_]:
    """(ciphertexts, slots): where elements of a value are, and copies of them."""
    layout, slots = arrangement.layouts[index], arrangement.slots
    held = np.zeros(layout.ciphertexts * slots, bool)
    for positions in layout.with_copies(slots):
        held[positions] = True
    return held.reshape(layout.ciphertexts, slots)


def _bounds(arrangement: Arrangement, index: int, outside: list[float]) -> Numbers:
    """(ciphertexts, slots): the largest magnitude in each slot of the result of a linear step."""
    packed = arrangement.packed[index]
    sums = np.stack([_sums(arrangement, index, number, outside) for number in range(len(packed.giants))])
    return np.where(_elements(arrangement, index), _inside(arrangement, index), sums)


def _sums(arrangement: Arrangement, index: int, ciphertext: int, outside: list[float]) -> Numbers:
    """For every slot of a ciphertext, the sum of the magnitudes of all terms that reach it.

    Weights are where an element is read; terms without weights, and pairs of numbers in a slot, read whatever is there.
    """
    packed, operands, slots = arrangement.packed[index], arrangement.circuit.operands(index), arrangement.slots
    elements = [_inside(arrangement, operand) for operand in operands]
    anything = [max(inside, outside[operand]) for inside, operand in zip(elements, operands, strict=True)]
    total = np.zeros(slots)
    for amount, terms in packed.giants[ciphertext]:
        for term in terms:
            if term.weights is None or term.slots is None:
                total += anything[term.operand]
            else:
                read = 2 * math.sqrt(2) * anything[term.operand] if packed.complex_shift else elements[term.operand]
                total[(term.slots - amount) % slots] += np.abs(term.weights) * read / abs(arrangement.units[index])
    for step in (*packed.doublings, *packed.folds):
        total = total + np.roll(total, -step)
    return total


__all__ = ["largest_coefficients", "largest_numbers"]
