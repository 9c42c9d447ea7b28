"""Polynomials of polynomials: what ciphertexts go through one by one, shared evenly by two processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from privis.run.he.circuit.circuit import Circuit, Polynomial


@dataclass(frozen=True)
class ChainSpan:
    """Polynomials ``start`` to ``stop`` (exclusive) of a chain, for one ciphertext."""

    ciphertext: int
    start: int
    stop: int


def chain_from(circuit: Circuit, index: int) -> range:
    """The steps from ``index`` on that are polynomials each of the one before, which nothing else reads."""
    steps = circuit.steps
    reads = [operand for step in range(len(steps)) for operand in circuit.operands(step)]
    stop = index
    while stop < len(steps):
        step = steps[stop]
        if not isinstance(step, Polynomial) or circuit.polynomials(step.operand) > 1:
            break
        if stop > index and (step.operand != stop - 1 or reads.count(stop - 1) > 1 or stop - 1 in circuit.outputs):
            break
        stop += 1
    return range(index, stop)


def phases(ciphertexts: int, weights: Sequence[float]) -> list[list[list[ChainSpan]]]:
    """What each of two processes does, phase by phase; ``weights``: how long each polynomial of the chain takes.

    Of an odd number of ciphertexts the last three take two phases: one goes through the whole chain while the others
    go through its beginning; then each of those goes through the rest.

    >>> [[len(parts) for parts in phase] for phase in phases(3, [4.0, 3.0, 2.0, 1.0])]
    [[1, 2], [1, 1]]
    """
    steps = len(weights)
    whole = [ChainSpan(ciphertext, 0, steps) for ciphertext in range(ciphertexts)]
    if ciphertexts % 2 == 0 or ciphertexts < 3:
        return [[whole[0::2], whole[1::2]]]
    total, *_ = reversed(done := [0.0, *accumulate(weights)])
    split = min(range(steps + 1), key=lambda k: max(total, 2 * done[k]) + total - done[k])
    *even, alone, left, right = range(ciphertexts)
    first = [ChainSpan(ciphertext, 0, split) for ciphertext in (left, right)]
    rest = [[ChainSpan(ciphertext, split, steps)] for ciphertext in (left, right)]
    return [[[*(whole[k] for k in even[0::2]), whole[alone]], [*(whole[k] for k in even[1::2]), *first]], rest]
