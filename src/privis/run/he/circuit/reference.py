"""A circuit in the clear: what encrypted results are compared with, and what sizes its values have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from privis.run.he.circuit.circuit import Circuit, CircuitInput, InputEncoding, Linear, Polynomial, Product

MARGIN = 4.0  # how much larger than in samples values are expected to be at most


def encoded(source: CircuitInput, inputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """What the owner encrypts for ``source``, flat: real numbers, or complex roots of unity."""
    x = np.asarray(inputs[source.index], np.float64).reshape(-1)
    if source.encoding is InputEncoding.NUMBERS:
        if not source.gather:
            return x
        index = source.gather[0].reshape(-1)
        return np.where(index < 0, 0.0, x[index])
    code: Any = 0
    for gather, edges in zip(source.gather, source.edges, strict=True):
        digit = np.searchsorted(np.asarray(edges) - source.step / 2, x[gather.reshape(-1)], side="right")
        code = code * (len(edges) + 1) + digit
    return np.exp(2j * np.pi * code / source.codes)


def values(circuit: Circuit, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Every value of ``circuit``, flat, in double precision."""
    made: list[NDArray[Any]] = []
    for step in circuit.steps:
        match step:
            case CircuitInput():
                made.append(encoded(step, inputs))
            case Linear(operands, matrices, bias):
                made.append(sum(m @ made[o] for o, m in zip(operands, matrices, strict=True)) + bias)
            case Product(left, right):
                made.append(made[left] * made[right])
            case Polynomial(operand, coefficients):
                made.append(chebyshev.chebval(made[operand], np.asarray(coefficients)))
    return made


def outputs(circuit: Circuit, inputs: Sequence[NDArray[Any]]) -> list[NDArray[np.float64]]:
    """The outputs of ``circuit``, in their shapes."""
    made = values(circuit, inputs)
    return [np.real(made[o]).reshape(circuit.shapes[o]) for o in circuit.outputs]


def with_expected_bounds(circuit: Circuit, samples: Sequence[Sequence[NDArray[Any]]]) -> Circuit:
    """Expect values no larger than ``MARGIN`` times what ``samples`` (each one input per program input) make them.

    Nothing depends on it but precision: larger values stay right as long as they fit the lowest prime.
    """
    largest, squares = np.zeros(len(circuit.steps)), np.zeros(len(circuit.steps))
    with np.errstate(over="ignore"):  # programs that grow beyond all bounds are refused for their depth, in words
        for sample in samples:
            made = values(circuit, sample)
            largest = np.maximum(largest, [float(np.abs(v).max(initial=0.0)) for v in made])
            squares = np.maximum(squares, [float(np.mean(np.abs(v) ** 2)) for v in made])
    used_by_polynomial = {s.operand for s in circuit.steps if isinstance(s, Polynomial)}
    bounds = [
        certain
        if i in used_by_polynomial or isinstance(circuit.steps[i], CircuitInput) or size == 0
        else min(certain, size)
        for i, (certain, size) in enumerate(zip(circuit.certain, MARGIN * largest, strict=True))
    ]
    return replace(circuit, bounds=tuple(bounds), sizes=tuple(np.sqrt(squares).tolist()))
