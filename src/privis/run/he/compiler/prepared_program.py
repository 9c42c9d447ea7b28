"""``PreparedProgram``: what of a compiled program a server evaluates, without program, weights of the circuit and tail.

It is read without the compiler, without the readings of programs and, where images do not have a slot each, without
scipy: a server's process that is started for one query starts in a fraction of the time. As bytes it has the layout of
`privis.run.structure_files`; a change of a class in it, or of what a field means, takes the next number in ``FORMAT``,
and readers refuse every other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, ProgramError
from privis.run.he.circuit import circuit as steps
from privis.run.he.compiler.parameter_choice import ParameterChoice
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.packing.arrangement import Arrangement
from privis.run.he.packing.diagonals import Packed, Term
from privis.run.he.packing.layout import Layout
from privis.run.structure_files import StructureKinds, read_structure, written_structure

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import CompiledProgram

FORMAT = b"privis.prepared/1\n"
WeightPlace = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class QueriedInput:
    """How one source of a query comes, as the server needs to know it: its places, and its level."""

    layout: Layout
    level: int


@dataclass(frozen=True, eq=False)
class EvaluationSpec:
    """What a server needs of a ``Spec``, by the same names; ``digest`` is that of the ``Spec``."""

    digest: str
    parameters: Parameters
    scale: float
    keys: tuple[KeyGroup, ...]
    sources: tuple[QueriedInput, ...]

    @property
    def queried(self) -> int:
        """Ciphertexts that an image, or the images that share ciphertexts, come as."""
        return sum(source.layout.ciphertexts for source in self.sources)


@dataclass(frozen=True, eq=False)
class PreparedProgram:
    """The server's side of a compiled program.

    ``encoded`` are weights as `privis.run.he.backends.seal.plaintext_file` writes them, by their place in the
    arrangement; what is not among them is encoded when it is needed.
    """

    spec: EvaluationSpec
    choice: ParameterChoice
    encoded: Mapping[WeightPlace, NDArray[np.uint8]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, compiled: CompiledProgram, encoded: Mapping[WeightPlace, NDArray[np.uint8]] = MappingProxyType({})
    ) -> PreparedProgram:
        """What a server needs of a compiled program; nothing is copied.

        Args:
            compiled: the program.
            encoded: weights that are encoded already.

        Returns:
            The server's side of it.
        """
        spec = compiled.spec
        sources = tuple(QueriedInput(source.layout, source.level) for source in spec.sources)
        own = EvaluationSpec(spec.digest, spec.parameters, spec.scale, spec.keys, sources)
        return cls(own, compiled.choice, dict(encoded))

    def to_parts(self) -> list[bytes | memoryview]:
        """Write the program, for `from_bytes`.

        Returns:
            Its bytes, in parts that follow each other.
        """
        arrangement = self.choice.arrangement
        if not arrangement.slot_per_image:  # diagonals have taken the place of matrices
            circuit = arrangement.circuit
            bare = tuple(replace(s, matrices=()) if isinstance(s, steps.Linear) else s for s in circuit.steps)
            arrangement = replace(arrangement, circuit=replace(circuit, steps=bare))
        return written_structure(FORMAT, replace(self, choice=replace(self.choice, arrangement=arrangement)), _KINDS)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> PreparedProgram:
        """Read what `to_parts` wrote.

        Args:
            data: the parts, joined; arrays stay where they are.

        Returns:
            The program.

        Raises:
            ProgramError: bytes of anything else.
        """
        try:
            made = read_structure(FORMAT, data, _KINDS)
            if not isinstance(made, PreparedProgram):
                raise ValueError("no prepared program")
            return made
        except ProgramError:
            raise
        except Exception as error:  # whatever hostile bytes do to a decoder, they are no prepared program
            reason, expected = f"{type(error).__name__}: {error}", f"bytes of format {FORMAT.decode().strip()}"
            raise ProgramError(Problem("prepared program", reason, expected)) from None


_KINDS = StructureKinds(
    (
        Arrangement, steps.Circuit, steps.CircuitInput, steps.Linear, steps.Polynomial, steps.Product,
        EvaluationSpec, KeyGroup, Layout, Packed, ParameterChoice, Parameters, PreparedProgram, QueriedInput, Term,
    ),
    (steps.InputEncoding,),
)  # fmt: skip


__all__ = ["EvaluationSpec", "PreparedProgram", "QueriedInput", "WeightPlace"]
