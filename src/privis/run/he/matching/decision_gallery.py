"""Templates for encrypted decisions: the server's own, or each client's, which the server cannot see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.run.he.backends.seal import SealEngine, ring
from privis.run.he.engine import Ciphertext, Plaintext
from privis.run.he.matching.decision_messages import Change
from privis.run.he.matching.decision_specification import DecisionSpec

Payloads = Mapping[tuple[int, int], Sequence[Any]]
"""By group and half: ciphertexts, or the numbers of slots."""


class DecisionBlock(Protocol):
    """Templates whose partial sums share a ciphertext."""

    def product(self, engine: SealEngine, turned: Sequence[Ciphertext]) -> Ciphertext:
        """The sum of the products with a query, given with all its turns."""
        ...


@dataclass(frozen=True, eq=False)
class Contents:
    """A gallery as it is when a query starts.

    Args:
        blocks: by their number.
        filled: whether there is a template, by its number.
        payloads: by group and half.
        names: of all templates by their number, None where there is none; empty where they are not told.
    """

    blocks: Mapping[int, DecisionBlock]
    filled: NDArray[np.bool_]
    payloads: Payloads
    names: tuple[str | None, ...] = ()


class DecisionGallery(Protocol):
    """Templates of one specification."""

    spec: DecisionSpec

    def contents(self) -> Contents:
        """What is there now."""
        ...


@dataclass(frozen=True, eq=False)
class _PlainBlock:
    encoded: tuple[Plaintext | None, ...]

    def product(self, engine: SealEngine, turned: Sequence[Ciphertext]) -> Ciphertext:
        total: Ciphertext | None = None
        for query, templates in zip(turned, self.encoded, strict=True):
            if templates is not None:  # the library multiplies by no zero
                total = engine.accumulate(total, engine.multiply_plain(query, templates))
        return total


class PlainDecisionGallery:
    """Templates of the server, for one thread of changes; queries take what is there when they start.

    Args:
        spec: of templates that are not encrypted.

    Raises:
        ParameterError: a specification of encrypted templates.
    """

    def __init__(self, spec: DecisionSpec) -> None:
        if spec.encrypted:
            expected = "DecisionSpec(…, encrypted=False)"
            raise ParameterError(Problem("PlainDecisionGallery", "an encrypted specification", expected))
        self.spec = spec
        self._engine = SealEngine(ring(spec.parameters))
        self._names: list[str | None] = []
        self._rows = np.zeros((0, spec.dimension), np.float32)
        self._held: list[bytes] = []
        self._blocks: dict[int, _PlainBlock] = {}

    @property
    def names(self) -> tuple[str | None, ...]:
        """Of all templates by their number; None where there is none."""
        return tuple(self._names)

    def add(self, names: Sequence[str], vectors: NDArray[Any], payloads: Sequence[bytes] | None = None) -> None:
        """Add templates, normalised: at free numbers first. Only blocks that gain any are encoded again.

        Args:
            names: one for each vector, that is not taken.
            vectors: (templates, dimension), finite and not zero.
            payloads: one for each vector, of at most as many bytes as the specification says.

        Raises:
            ParameterError: other names, vectors or payloads, or more than there is room for; then nothing has changed.
        """
        rows, added = self.spec.unit_rows(vectors), [str(name) for name in names]
        held = checked_payloads(self.spec, payloads, len(rows))
        taken = len(added) - len({*added} - {*self._names})
        if len(added) != len(rows) or taken:
            got = f"{len(added)} names for {len(rows)} vectors, {taken} of them taken"
            raise ParameterError(Problem("names", got, "a new one for each vector", "remove a template to replace it"))
        free = [number for number, name in enumerate(self._names) if name is None]
        numbers = [*free, *range(len(self._names), len(self._names) + len(rows))][: len(rows)]
        if numbers and max(numbers) >= self.spec.templates:
            got = f"{len(self._names) - len(free) + len(rows):,} templates"
            raise ParameterError(Problem("vectors", got, f"at most {self.spec.templates:,}", "remove some"))
        grown = max([len(self._names), *(number + 1 for number in numbers)]) - len(self._names)
        self._rows = np.concatenate([self._rows, np.zeros((grown, self.spec.dimension), np.float32)])
        self._names += [None] * grown
        self._held += [b""] * grown
        for number, name, row, payload in zip(numbers, added, rows, held, strict=True):
            self._names[number], self._rows[number], self._held[number] = name, row, payload
        self._encode(numbers)

    def remove(self, names: Sequence[str]) -> None:
        """Take templates out: their rows are overwritten, and their blocks encoded without them.

        Args:
            names: of templates that are there.

        Raises:
            ParameterError: unknown names; then nothing has changed.
        """
        gone = {*names}
        if unknown := gone - {*self._names}:
            raise ParameterError(Problem("names", f"{len(unknown)} that are not here", "names of templates"))
        numbers = [number for number, name in enumerate(self._names) if name in gone]
        for number in numbers:
            self._names[number], self._held[number] = None, b""
            self._rows[number] = 0.0
        self._encode(numbers)

    def contents(self) -> Contents:
        """What is there now."""
        filled = np.zeros(self.spec.templates, bool)
        filled[: len(self._names)] = [name is not None for name in self._names]
        payloads: dict[tuple[int, int], Sequence[Any]] = {}
        if self.spec.payload:
            kept = [number for number in range(len(self._names)) if filled[number]]
            payloads = payload_slots(self.spec, kept, [self._held[number] for number in kept])
        return Contents(dict(self._blocks), filled, payloads, tuple(self._names))

    def _encode(self, numbers: Sequence[int]) -> None:
        spec, layout = self.spec, self.spec.layout
        for block in sorted({number // layout.block for number in numbers}):
            start = block * layout.block
            kept = [n for n in range(start, min(start + layout.block, len(self._names))) if self._names[n] is not None]
            if not kept:
                self._blocks.pop(block, None)
                continue
            places = np.array(kept) - start
            made = [
                self._engine.encode(slots, spec.parameters.levels, spec.vector_scale)
                for slots in layout.ciphertexts(places, self._rows[kept])
            ]
            self._blocks[block] = _PlainBlock(tuple(None if self._engine.is_zero(each) else each for each in made))


@dataclass(frozen=True, eq=False)
class _EncryptedBlock:
    templates: tuple[Ciphertext, ...] = field(repr=False)

    def product(self, engine: SealEngine, turned: Sequence[Ciphertext]) -> Ciphertext:
        total: Ciphertext | None = None
        for query, templates in zip(turned, self.templates, strict=True):
            total = engine.accumulate(total, engine.multiply(query, templates))
        return total


class EncryptedDecisionGallery:
    """Templates that the server cannot see: what their owner sends is added to what is there.

    A block holds the sum of all ciphertexts that came for it, and nothing else is kept: when the owner sends the
    negative of a template, encrypted anew, nothing of the template is left in the sum but rounding.

    Args:
        spec: of encrypted templates.

    Raises:
        ParameterError: a specification of templates in the clear.
    """

    def __init__(self, spec: DecisionSpec) -> None:
        if not spec.encrypted:
            expected = "DecisionSpec(…, encrypted=True)"
            raise ParameterError(Problem("EncryptedDecisionGallery", "a plain specification", expected))
        self.spec = spec
        self._engine = SealEngine(ring(spec.parameters))
        self._filled = np.zeros(spec.templates, bool)
        self._blocks: dict[int, _EncryptedBlock] = {}
        self._payloads: dict[tuple[int, int], tuple[Ciphertext, ...]] = {}

    def change(self, data: bytes) -> None:
        """Add templates, or take them out.

        Args:
            data: what ``DecisionOwner.enrolled`` or ``DecisionOwner.removed`` made.

        Raises:
            ProtocolError: anything else, or places that are taken or free already; then nothing has changed.
        """
        spec, layout, engine = self.spec, self.spec.layout, self._engine
        found = Change.read(data, spec)
        start = found.block * layout.block
        added, removed = np.array(found.added, int) + start, np.array(found.removed, int) + start
        if self._filled[added].any() or not self._filled[removed].all():
            expected = "free places for new templates, taken ones to remove"
            raise ProtocolError(Problem("change of a gallery", "other places", expected))
        top, scale = spec.parameters.levels, spec.vector_scale
        templates = [loaded(engine, part, top, scale, "template") for part in found.templates]
        payloads = [part and loaded(engine, part, 1, spec.payload_scale, "payload") for part in found.payloads]
        filled = self._filled.copy()
        filled[added], filled[removed] = True, False
        group = found.block // layout.rows
        if filled[start : start + layout.block].any():
            self._blocks[found.block] = _EncryptedBlock(_sums(engine, self._blocks.get(found.block), templates))
        else:
            self._blocks.pop(found.block, None)
        for half in (0, 1):
            new = payloads[half * spec.payloads : (half + 1) * spec.payloads]
            old = self._payloads.get((group, half), (None,) * len(new))
            self._payloads[group, half] = tuple(_sum(engine, x, y) for x, y in zip(old, new, strict=True))
        self._filled = filled

    def contents(self) -> Contents:
        """What is there now."""
        return Contents(dict(self._blocks), self._filled, dict(self._payloads))


def _sums(engine: SealEngine, old: _EncryptedBlock | None, new: Sequence[Ciphertext]) -> tuple[Ciphertext, ...]:
    if old is None:
        return tuple(new)
    return tuple(engine.add(x, y) for x, y in zip(old.templates, new, strict=True))


def _sum(engine: SealEngine, old: Ciphertext | None, new: Ciphertext | bytes) -> Ciphertext | None:
    """Either may be missing."""
    if not new:
        return old
    return new if old is None else engine.add(old, new)


def loaded(engine: SealEngine, data: bytes, level: int, scale: float, what: str) -> Ciphertext:
    """A ciphertext of this level and scale; ProtocolError for any other."""
    made = engine.load(data)
    if engine.level(made) != level or engine.scale(made) != scale:
        expected = f"level {level} and scale {scale:g}, as made for this gallery"
        raise ProtocolError(Problem(what, "a ciphertext of another level or scale", expected))
    return made


def checked_payloads(spec: DecisionSpec, payloads: Sequence[bytes] | None, count: int) -> list[bytes]:
    """Payloads, one for each of ``count`` vectors; ParameterError for others, or for any where there are none."""
    if payloads is None:
        if spec.payload:
            problem = Problem("payloads", "none", f"one of at most {spec.payload} bytes for each vector")
            raise ParameterError(problem)
        return [b""] * count
    found = [bytes(each) for each in payloads]
    longest = max(map(len, found), default=0)
    if len(found) != count or longest > spec.payload:
        got = f"{len(found)} for {count} vectors, the longest of {longest} bytes"
        raise ParameterError(Problem("payloads", got, f"one for each vector, of at most {spec.payload} bytes"))
    return found


def payload_slots(
    spec: DecisionSpec, numbers: Sequence[int], payloads: Sequence[bytes]
) -> dict[tuple[int, int], list[NDArray[np.complex128]]]:
    """The slots of payloads, by group and half of the templates ``numbers``: two bytes a slot, as parts of 256."""
    made: dict[tuple[int, int], list[NDArray[np.complex128]]] = {}
    for number, payload in zip(numbers, payloads, strict=True):
        group, half, slot = spec.layout.place(number)
        if (group, half) not in made:
            made[group, half] = [np.zeros(spec.layout.slots, np.complex128) for _ in range(spec.payloads)]
        values = np.frombuffer(payload.ljust(2 * spec.payloads, b"\0"), np.uint8).reshape(-1, 2) / 256
        for slots, (first, second) in zip(made[group, half], values, strict=True):
            slots[slot] = first + 1j * second
    return made
