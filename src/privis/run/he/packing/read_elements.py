"""Elements of inputs that nothing reads are not sent: the border of an image that a network crops, for example."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from privis.run.he.circuit.circuit import Circuit, CircuitInput, InputEncoding, Linear
from privis.run.he.packing.layout import power_of_two


def without_unread(circuit: Circuit) -> Circuit | None:
    """The circuit of which owners send only what linear steps read.

    Args:
        circuit: as it was lowered.

    Returns:
        The same results of fewer elements; None where all are read, or something else than linear steps reads them.
    """
    steps, shapes = list(circuit.steps), list(circuit.shapes)
    changed = False
    for index, step in enumerate(circuit.steps):
        users = [i for i in range(len(steps)) if index in circuit.operands(i)]
        if not isinstance(step, CircuitInput) or step.encoding is not InputEncoding.NUMBERS or step.gather:
            continue
        if index in circuit.outputs or not users or not all(isinstance(steps[i], Linear) for i in users):
            continue
        read = [
            matrix.indices[matrix.data != 0]
            for i in users
            for linear in (steps[i],)
            if isinstance(linear, Linear)
            for operand, matrix in zip(linear.operands, linear.matrices, strict=True)
            if operand == index
        ]
        used = np.unique(np.concatenate(read)).astype(np.int64)
        if not 0 < len(used) < int(np.prod(circuit.shapes[index])):
            continue
        for i in users:
            linear = steps[i]
            assert isinstance(linear, Linear)
            pairs = zip(linear.operands, linear.matrices, strict=True)
            steps[i] = replace(
                linear, matrices=tuple(matrix[:, used] if operand == index else matrix for operand, matrix in pairs)
            )
        steps[index], shapes[index] = replace(step, gather=(used,)), (len(used),)
        changed = True
    return replace(circuit, steps=tuple(steps), shapes=tuple(shapes)) if changed else None


def most_places(circuit: Circuit) -> int:
    """Slots of the largest input and its first copy."""
    sources = [i for i, step in enumerate(circuit.steps) if isinstance(step, CircuitInput)]
    return max(power_of_two(math.prod(circuit.shapes[i])) for i in sources)
