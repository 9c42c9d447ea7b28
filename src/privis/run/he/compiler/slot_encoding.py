"""How inputs fill the slots of ciphertexts, and where outputs are found in them: the owner's part of the packing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.run.he.circuit.reference import encoded
from privis.run.he.compiler.program_specification import InputSlots, OutputSlots, Spec
from privis.run.he.packing.layout import second

Arrays = Sequence[NDArray[Any]]


def fill_slots(spec: Spec, slots: InputSlots, images: Sequence[Arrays]) -> Iterator[NDArray[Any]]:
    """The numbers of every ciphertext of one source of at most a batch of images, zeros where nothing belongs."""
    numbers = np.stack([encoded(slots.source, inputs) / slots.unit for inputs in images])
    size, layout = spec.parameters.slots, slots.layout
    if not spec.slot_per_image:
        rows = np.zeros(layout.ciphertexts * size, numbers.dtype)
        for positions in layout.with_copies(size):
            rows[positions.reshape(spec.batch_size, -1)[: len(images)]] = numbers
        yield from rows.reshape(-1, size)
        return
    if slots.is_paired:  # an odd one out has nothing beside it
        even = np.pad(numbers, ((0, 0), (0, numbers.shape[1] % 2)))
        numbers = even[:, ::2] + even[:, 1::2] * second(size)[: len(images), None]
    for own in numbers.T:
        row = np.zeros(size, np.complex128)
        row[: len(own)] = own[:size]
        if len(own) > size:
            row[: len(own) - size] += own[size:] * second(size)[: len(own) - size]
        yield row


def read_slots(spec: Spec, output: OutputSlots, numbers: NDArray[Any], images: int) -> NDArray[np.float64]:
    """The elements of an output, in stored numbers, of each of the ``images`` that share ciphertexts."""
    size = spec.parameters.slots
    if not spec.slot_per_image:
        return numbers.real[output.layout.positions].reshape(spec.batch_size, -1)[:images]
    rows = numbers.reshape(-1, size)
    both = np.concatenate([rows.real, (rows * second(size).conj()).real], axis=1)
    return both[:, :images].T
