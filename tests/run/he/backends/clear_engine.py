"""The engine port on plain numbers: everything but secrecy, so that packing and levels are tested in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from privis.run.he.engine import KeyGroup, Parameters


@dataclass(frozen=True)
class Number:
    """A "ciphertext" or a plaintext: its numbers, level, scale, and how many polynomials it would have."""

    values: np.ndarray
    level: int
    scale: float
    parts: int = 2


@dataclass(frozen=True)
class ClearEngine:
    """Refuses what a CKKS library would refuse: other levels, other scales, missing keys, zero plaintexts."""

    parameters: Parameters
    groups: tuple[KeyGroup, ...]

    @property
    def primes(self) -> tuple[int, ...]:
        """Primes a little below powers of two, all different, as real ones are."""
        return tuple(int(2**bits * (1 - (3 + 7 * k) * 2.0**-20)) for k, bits in enumerate(self.parameters.bits[:-1]))

    def encrypt(self, values: np.ndarray, level: int, scale: float) -> Number:
        return Number(np.asarray(values, complex), level, scale)

    def encode(self, values, level: int, scale: float) -> Number:
        numbers = np.full(self.parameters.slots, values) if np.ndim(values) == 0 else values
        return Number(np.asarray(numbers, complex), level, scale)

    def is_zero(self, x: Number) -> bool:
        return not x.values.any()

    def level(self, x: Number) -> int:
        return x.level

    def scale(self, x: Number) -> float:
        return x.scale

    def at_scale(self, x: Number, scale: float) -> Number:
        return x if scale == x.scale else replace(x, values=x.values * (x.scale / scale), scale=scale)

    def copy(self, x: Number) -> Number:
        return replace(x, values=x.values.copy())

    def reusing(self) -> ClearEngine:
        return self

    def discard(self, x: Number) -> None:
        x.values[:] = np.nan  # whoever reads it nevertheless

    def negative(self, x: Number) -> Number:
        return replace(x, values=-x.values)

    def add(self, x: Number, y: Number) -> Number:
        assert x.level == y.level and abs(x.scale / y.scale - 1) < 1e-9, "levels or scales differ"
        return replace(x, values=x.values + y.values)

    def add_plain(self, x: Number, y: Number) -> Number:
        return self.add(x, y)

    def accumulate(self, total: Number | None, x: Number) -> Number:
        if total is None:
            return x
        total.values[:] = self.add(total, x).values  # written over, as in real ones
        return total

    def multiply(self, x: Number, y: Number) -> Number:
        assert x.level == y.level and x.parts == y.parts == 2
        return Number(x.values * y.values, x.level, x.scale * y.scale, 3)

    def multiply_plain(self, x: Number, y: Number) -> Number:
        assert x.level == y.level and np.any(y.values), "levels differ, or the plaintext is zero"
        return Number(x.values * y.values, x.level, x.scale * y.scale, x.parts)

    def relinearise(self, x: Number) -> Number:
        assert any(g.relinearise and g.level >= x.level for g in self.groups), "no relinearisation key"
        return replace(x, values=x.values.copy(), parts=2)

    def rescale(self, x: Number, scale: float) -> Number:
        true = x.scale / self.primes[x.level]
        assert x.level > 0 and abs(true / scale - 1) < 1e-9, f"a scale of {true} is said to be {scale}"
        return replace(x, values=x.values.copy(), level=x.level - 1, scale=scale)

    def lower(self, x: Number, level: int) -> Number:
        assert 0 <= level <= x.level
        return replace(x, values=x.values.copy(), level=level)

    def rotate(self, x: Number, step: int) -> Number:
        step %= self.parameters.slots
        assert step == 0 or any(step in g.steps and g.level >= x.level for g in self.groups), f"no key for {step}"
        return replace(x, values=np.roll(x.values, -step))

    def conjugate(self, x: Number) -> Number:
        assert any(g.conjugate and g.level >= x.level for g in self.groups), "no key to conjugate"
        return replace(x, values=x.values.conj())

    def save(self, x: Number) -> bytes:
        raise NotImplementedError

    def load(self, data: bytes) -> Number:
        raise NotImplementedError

    def write(self, x: Number, file: int) -> None:
        raise NotImplementedError

    def read(self, file: int) -> Number:
        raise NotImplementedError


def run_in_the_clear(made, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Outputs of a compiled program on the clear engine, as its owner would read them."""
    from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts

    spec = made.spec
    engine = ClearEngine(spec.parameters, spec.keys)
    outputs = CircuitInterpreter(made.choice, engine, Plaintexts(0)).run(encrypted(engine, spec, [inputs]))
    read = []
    for slots, output in zip(spec.outputs, outputs, strict=True):
        numbers = np.concatenate([x.values.real for x in output])
        copies = [numbers[p] * slots.unit for p in slots.layout.with_copies(spec.parameters.slots)]
        for copy in copies[1:]:
            np.testing.assert_allclose(copy, copies[0], atol=1e-6 * max(1.0, np.abs(copies[0]).max(initial=0)))
        read.append(copies[0].reshape(slots.shape))
    return read


def run_batch_in_the_clear(made, images: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
    """For each image its outputs, all computed at once."""
    from privis.run.he.compiler.slot_encoding import read_slots
    from privis.run.he.evaluation.batch_interpreter import BatchInterpreter
    from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts

    spec = made.spec
    engine = ClearEngine(spec.parameters, spec.keys)
    apart = made.choice.arrangement.slot_per_image
    interpreter = (
        BatchInterpreter(made.choice, engine) if apart else CircuitInterpreter(made.choice, engine, Plaintexts(0))
    )
    outputs = interpreter.run(encrypted(engine, spec, images))
    assert [len(output) for output in outputs] == [slots.layout.ciphertexts for slots in spec.outputs]
    columns = [
        read_slots(spec, slots, np.concatenate([x.values for x in output]), len(images)) * slots.unit
        for slots, output in zip(spec.outputs, outputs, strict=True)
    ]
    return [
        [own.reshape(slots.shape) for own, slots in zip(image, spec.outputs, strict=True)]
        for image in zip(*columns, strict=True)
    ]


def encrypted(engine: ClearEngine, spec, images: Sequence[Sequence[np.ndarray]]) -> list[list[Number]]:
    from privis.run.he.compiler.slot_encoding import fill_slots

    return [
        [engine.encrypt(row, slots.level, spec.scale) for row in fill_slots(spec, slots, images)]
        for slots in spec.sources
    ]
