"""``Spec``: what a key owner must know to encrypt for a compiled program and to read its results. Holds no weights.

It is written as JSON whose ``format`` is ``FORMAT``, or ``FORMAT_OF_PAIRS`` where it says what that adds; its digest
names it in keys and messages. A change of a field, or of what one means, takes a new number; readers refuse every
other, because keys for another reading of a specification would be useless.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, ProgramError, ProtocolError
from privis.program import Program
from privis.program.files import from_bytes, to_bytes
from privis.program.shapes import Shape
from privis.readings import NodeError, PolynomialForm, stretch
from privis.run.he.circuit.circuit import CircuitInput, InputEncoding
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.packing.layout import Layout

FORMAT = "privis.ckks/1"
FORMAT_OF_PAIRS = "privis.ckks/2"  # where a source sends two elements in a slot, which earlier readers do not know
MOST_ELEMENTS = 1 << 24


@dataclass(frozen=True, eq=False)
class InputSlots:
    """How the owner fills ciphertexts with one source: encoded, divided by ``unit``, at ``level``.

    Where each image has a slot and there are half as many ciphertexts as elements, two elements share one, the second
    times ``layout.second``.
    """

    source: CircuitInput
    layout: Layout
    unit: float
    level: int

    @property
    def is_paired(self) -> bool:
        """Whether two elements share a slot."""
        count = len(self.layout.positions)
        return count > 1 and bool(self.layout.positions[0] == self.layout.positions[1])


@dataclass(frozen=True, eq=False)
class OutputSlots:
    """How the owner reads one output: slots times ``unit``; ``step``: the grid it is rounded to, None: not rounded."""

    shape: Shape
    layout: Layout
    unit: float
    step: float | None


@dataclass(frozen=True, eq=False)
class Stretched:
    """What tells the owner how far an image may be scaled: ``domains`` of nodes of ``definition`` (node, low, high).

    Results are divided by the factor to the power ``degree``.
    """

    definition: Program
    domains: tuple[tuple[int, float, float], ...]
    degree: float

    def factor(self, inputs: Sequence[NDArray[Any]]) -> float:
        """The largest factor that keeps ``inputs`` in all domains; DomainError where there is none."""
        errors = tuple(
            NodeError(self.definition.where(node), (low, high), 0, 0.0, node=node) for node, low, high in self.domains
        )
        return stretch(PolynomialForm(self.definition, errors, self.definition, ()), *inputs)


@dataclass(frozen=True, eq=False)
class Spec:
    """The public side of a compiled program.

    ``inputs`` are the shapes of the program's inputs; ``tail`` is what the owner computes on decrypted outputs.
    ``error`` is the predicted largest difference from the polynomial form, relative to the largest output;
    ``approximations`` say in words what the polynomial form itself approximates. ``stretched`` is there when the
    owner may scale an image before encryption to use the whole domain of its polynomials. ``weights`` is the digest
    of the server's program: other weights, other specification. ``batch_size`` images share ciphertexts.
    Fewer than there are slots are packed side by side: layouts list the elements of one image after those of
    another. From there on image ``k`` is ``k % slots`` slots after where the layouts say, and multiplied by
    ``layout.second`` where ``k >= slots``.
    """

    parameters: Parameters
    scale: float
    keys: tuple[KeyGroup, ...]
    inputs: tuple[Shape, ...]
    sources: tuple[InputSlots, ...]
    outputs: tuple[OutputSlots, ...]
    tail: Program | None
    error: float
    approximations: tuple[str, ...]
    stretched: Stretched | None
    weights: str
    batch_size: int = 1
    _text: str = field(default="", repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of ``to_json()``, as 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def slot_per_image(self) -> bool:
        """Whether every element is a ciphertext of its own, with a slot for each image."""
        return self.batch_size >= self.parameters.slots

    def groups(self, images: int) -> int:
        """How many times ciphertexts are sent for ``images``."""
        return -(-images // self.batch_size)

    @property
    def queried(self) -> int:
        """Ciphertexts that an image, or up to ``batch_size`` images, are sent as."""
        return sum(source.layout.ciphertexts for source in self.sources)

    @property
    def answered(self) -> int:
        """Ciphertexts that their results are sent as."""
        return sum(output.layout.ciphertexts for output in self.outputs)

    def to_json(self) -> str:
        """One line of JSON, the same for equal specifications."""
        if self._text:
            return self._text
        found = {
            "format": FORMAT_OF_PAIRS if any(s.is_paired for s in self.sources) else FORMAT,
            "degree": self.parameters.degree,
            "bits": self.parameters.bits,
            "scale": self.scale,
            "keys": [asdict(group) for group in self.keys],
            "inputs": self.inputs,
            "sources": [_source(s) for s in self.sources],
            "outputs": [
                {"shape": o.shape, "layout": _layout(o.layout), "unit": o.unit, "step": o.step} for o in self.outputs
            ],
            "tail": None if self.tail is None else _program(self.tail),
            "error": self.error,
            "approximations": self.approximations,
            "stretched": None if self.stretched is None else _stretched(self.stretched),
            "weights": self.weights,
            "together": self.batch_size,
        }
        return json.dumps(found, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Read what ``to_json`` wrote; ProtocolError for anything else."""
        try:
            found = json.loads(text)
            if found["format"] not in (FORMAT, FORMAT_OF_PAIRS):
                raise ValueError(f"format {found['format']!r}")
            tail, parameters = found["tail"], Parameters(int(found["degree"]), tuple(map(int, found["bits"])))
            if found["together"] not in (*range(1, parameters.slots + 1), 2 * parameters.slots):
                raise ValueError(f"{found['together']!r} images together")
            return cls(
                parameters,
                float(found["scale"]),
                tuple(_read_group(group) for group in found["keys"]),
                tuple(tuple(shape) for shape in found["inputs"]),
                tuple(_read_source(s) for s in found["sources"]),
                tuple(
                    OutputSlots(tuple(o["shape"]), _read_layout(o["layout"]), float(o["unit"]), o["step"])
                    for o in found["outputs"]
                ),
                None if tail is None else _read_program(tail),
                float(found["error"]),
                tuple(map(str, found["approximations"])),
                None if found["stretched"] is None else _read_stretched(found["stretched"]),
                str(found["weights"]),
                int(found["together"]),
                text,
            )
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, zlib.error, ProgramError) as error:
            remedy = "is it of a server of this version?"
            raise ProtocolError(Problem("specification", type(error).__name__, f"one of {FORMAT}", remedy)) from None


def _read_group(found: dict[str, Any]) -> KeyGroup:
    return KeyGroup(int(found["level"]), tuple(found["steps"]), bool(found["relinearise"]), bool(found["conjugate"]))


def _program(program: Program) -> str:
    return base64.b64encode(to_bytes(program)).decode()


def _read_program(text: str) -> Program:
    return from_bytes(base64.b64decode(text))


def _stretched(found: Stretched) -> dict[str, Any]:
    return {"definition": _program(found.definition), "domains": found.domains, "degree": found.degree}


def _read_stretched(found: dict[str, Any]) -> Stretched:
    domains = tuple((int(node), float(low), float(high)) for node, low, high in found["domains"])
    return Stretched(_read_program(found["definition"]), domains, float(found["degree"]))


def _packed(numbers: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(numbers.astype("<i4").tobytes(), 9)).decode()


def _unpacked(text: str) -> np.ndarray:
    opened = zlib.decompressobj()
    data = opened.decompress(base64.b64decode(text), 4 * MOST_ELEMENTS)
    return np.frombuffer(data, "<i4").astype(np.int64)


def _layout(layout: Layout) -> dict[str, Any]:
    return {
        "positions": _packed(layout.positions),
        "period": layout.period,
        "ciphertexts": layout.ciphertexts,
    }


def _read_layout(found: dict[str, Any]) -> Layout:
    return Layout(_unpacked(found["positions"]), int(found["period"]), int(found["ciphertexts"]))


def _source(slots: InputSlots) -> dict[str, Any]:
    source = slots.source
    return {
        "index": source.index,
        "encoding": source.encoding.value,
        "gather": [[*part.shape, _packed(part)] for part in source.gather],
        "edges": source.edges,
        "step": source.step,
        "layout": _layout(slots.layout),
        "unit": slots.unit,
        "level": slots.level,
    }


def _read_source(found: dict[str, Any]) -> InputSlots:
    gather = tuple(_unpacked(part[-1]).reshape(part[:-1]) for part in found["gather"])
    edges = tuple(tuple(map(float, digit)) for digit in found["edges"])
    source = CircuitInput(int(found["index"]), InputEncoding(found["encoding"]), gather, edges, float(found["step"]))
    return InputSlots(source, _read_layout(found["layout"]), float(found["unit"]), int(found["level"]))
