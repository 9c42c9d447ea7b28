"""Encoded weights within a prepared program: encoded by one process, read by others that start for one query each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.run.he.backends.seal import SealEngine, SealRing, plaintext_file, plaintext_of, ring
from privis.run.he.compiler.prepared_program import PreparedProgram, WeightPlace
from privis.run.he.engine import Plaintext
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import CompiledProgram


@dataclass(eq=False)
class PreparedWeights(Plaintexts):
    """Encoded weights, from memory, else from a prepared program, else encoded."""

    encoded: Mapping[WeightPlace, NDArray[np.uint8]] = field(default_factory=dict)
    levels: tuple[int, ...] = ()
    ring: SealRing | None = None

    @classmethod
    def of(cls, prepared: PreparedProgram, limit: int) -> PreparedWeights:
        """Those of a prepared program, of which ``limit`` bytes are held in memory at most."""
        arrangement = prepared.choice.arrangement
        return cls(limit, encoded=prepared.encoded, levels=arrangement.levels, ring=ring(prepared.choice.parameters))

    def get(self, key: WeightPlace, size: int, make: Callable[[], Plaintext]) -> Plaintext:
        """What ``make`` returns, from memory or as it was prepared."""
        return super().get(key, size, lambda: self._read(key) or make())

    def _read(self, key: WeightPlace) -> Plaintext | None:
        if key not in self.encoded or self.ring is None:
            return None
        return plaintext_of(self.ring, memoryview(self.encoded[key]), self.levels[key[0]] + 1)


@dataclass(eq=False)
class _Collector(Plaintexts):
    """Keeps what it is asked for as files of the library, up to ``limit`` bytes."""

    files: dict[WeightPlace, NDArray[np.uint8]] = field(default_factory=dict)

    def get(self, key: WeightPlace, size: int, make: Callable[[], Plaintext]) -> Plaintext:
        """What ``make`` returns."""
        plain = make()
        self.files[key] = np.frombuffer(plaintext_file(plain), np.uint8)
        self.held += len(self.files[key])
        return plain


def prepared(made: CompiledProgram, limit: int) -> PreparedProgram:
    """Encode the weights of a program, as far as they fit.

    Args:
        made: the compiled program.
        limit: bytes of encoded weights, at most.

    Returns:
        What a server needs of it; without encoded weights where each image has a slot: those are numbers.
    """
    if made.choice.arrangement.slot_per_image:
        return PreparedProgram.of(made)
    collector = _Collector(limit)
    CircuitInterpreter(made.choice, SealEngine(ring(made.spec.parameters)), collector).encode()
    return PreparedProgram.of(made, collector.files)
