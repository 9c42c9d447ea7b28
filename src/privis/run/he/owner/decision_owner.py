"""The client's side of encrypted decisions: keys, queries, templates to encrypt, answers to decrypt. Never on a server.

What a decrypted answer says of a template is 1, 0, or something between for one inside the gap, which is *undecided*.
Comparisons are 1/2 at the threshold and grow with the cosine near it, so that no template is called accepted whose
cosine is below the threshold, nor rejected above it, by more than ``ACCURACY``; and none outside the gap is undecided.

An undecided template's number tells its cosine, and depends on the noise: like scores (`privis.run.he.owner.matching`),
nothing that depends on it must go back to the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.run.he.matching.decision_gallery import checked_payloads, payload_slots
from privis.run.he.matching.decision_messages import Ask, Change, Request, fields
from privis.run.he.matching.decision_specification import DECIDED, DecisionSpec
from privis.run.he.matching.fetching.shifted_tables import resolve
from privis.run.he.owner.seal_keys import SealSecret
from privis.run.he.wire.framing import join, split

_MASS = 0.15  # of v (1 - v) over all templates, from which a count is undecided: it is off by less than a fifth then


@dataclass(frozen=True)
class Decisions:
    """What an answer says; what was not asked for is None or empty.

    Args:
        accepted: numbers of the templates whose cosine reaches the threshold.
        undecided: numbers of templates inside the gap that cannot be told.
        count: how many templates are accepted; None where templates inside the gap make it undecided.
        payloads: of the accepted templates, by their number.
        names: of the accepted templates by their number, where the server tells them.
        ambiguous: of `Ask.FETCH`, accepted templates beyond those in ``accepted``, which meet others in both sums.
    """

    accepted: tuple[int, ...] = ()
    undecided: tuple[int, ...] = ()
    count: int | None = None
    payloads: Mapping[int, bytes] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    ambiguous: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class DecisionOwner:
    """A secret key for queries of one specification. Never printed, never pickled.

    Args:
        spec: dimension, threshold and gap.
        secret: the key.
    """

    spec: DecisionSpec
    secret: SealSecret

    def __repr__(self) -> str:
        return f"<DecisionOwner of {self.spec}: secret>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret key is never pickled; save it as a typed file")

    @classmethod
    def generate(cls, spec: DecisionSpec) -> DecisionOwner:
        """A fresh secret key.

        Args:
            spec: dimension, threshold and gap.

        Returns:
            An owner with a fresh secret key.
        """
        return cls(spec, SealSecret.generate(spec.parameters))

    @classmethod
    def from_bytes(cls, spec: DecisionSpec, data: bytes) -> DecisionOwner:
        """Read what ``to_bytes`` gave.

        Args:
            spec: that the key was made for.
            data: what ``to_bytes`` gave; secret.

        Returns:
            The owner.

        Raises:
            ProtocolError: the bytes are anything else.
        """
        return cls(spec, SealSecret.from_bytes(spec.parameters, data))

    def to_bytes(self) -> bytes:
        """The secret key: for a bundle of kind SECRET, which nobody else can read.

        Returns:
            The bytes.
        """
        return self.secret.to_bytes()

    def evaluation_keys(self) -> bytes:
        """What a server needs to answer queries.

        Returns:
            Bytes that hold no secret.
        """
        return join(self.secret.evaluation_keys(self.spec.groups))

    def query(self, vector: NDArray[Any], ask: Ask, template: int | None = None) -> bytes:
        """Normalise and encrypt a vector, with what is asked about it.

        Args:
            vector: (dimension,), finite and not zero.
            ask: what is asked; the server sees it.
            template: number of the template that is claimed, for `Ask.CLAIM` alone; the server sees it.

        Returns:
            One ciphertext, and the question.

        Raises:
            ParameterError: the vector has no direction, or the question does not fit the specification.
        """
        problems = []
        if (ask is Ask.CLAIM) != (template is not None):
            problems.append(Problem("template", repr(template), "the number of one template, for a claim alone"))
        elif template is not None and not 0 <= template < self.spec.templates:
            problems.append(Problem("template", repr(template), f"0 to {self.spec.templates - 1}"))
        if ask in (Ask.PAYLOAD, Ask.FETCH) and not self.spec.payload:
            problems.append(Problem("ask", "payloads", "another question: this gallery has none"))
        if problems:
            raise ParameterError(*problems)
        (row,) = self.spec.unit_rows(np.asarray(vector)[None])
        slots = self.spec.layout.query(row)
        return Request(ask, template).message(self._encrypted(slots))

    def enrolled(
        self, numbers: Sequence[int], vectors: NDArray[Any], payloads: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """Normalise and encrypt templates for ``EncryptedDecisionGallery.change``.

        Args:
            numbers: of the templates, all different and free in the gallery; the server sees them.
            vectors: (templates, dimension), finite and not zero.
            payloads: one for each vector, filled up with zero bytes.

        Returns:
            A change for each block that the numbers lie in: those next to each other share them.

        Raises:
            ParameterError: other numbers, vectors or payloads.
        """
        return self._changes(numbers, vectors, payloads, 1.0)

    def removed(
        self, numbers: Sequence[int], vectors: NDArray[Any], payloads: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """The negatives of templates, encrypted: added to a gallery they leave nothing of them but rounding.

        Args:
            numbers: of the templates.
            vectors: the same as were enrolled: of others their difference would be left.
            payloads: the same as were enrolled.

        Returns:
            A change for each block that the numbers lie in.

        Raises:
            ParameterError: as `enrolled`.
        """
        return self._changes(numbers, vectors, payloads, -1.0)

    def decisions(self, reply: bytes) -> Decisions:
        """Decrypt the answer to a query.

        Args:
            reply: what ``DecisionMatcher.run`` gave.

        Returns:
            What it says.

        Raises:
            ProtocolError: the reply is damaged, or to a query under another key.
        """
        head, *parts = split(reply, "reply")
        found = fields(head, "reply", {"format", "ask", "template", "names", "parts"})
        ask, template, halves = self._checked(found, len(parts))
        if ask is Ask.COUNT:
            return self._counted(parts)
        if ask is Ask.FETCH:
            return self._fetched(parts)
        each = 1 + (self.spec.payloads if ask is Ask.PAYLOAD else 0)
        accepted, undecided, payloads = [], [], {}
        for index, (group, half) in enumerate(halves):
            values, *held = (self.secret.decrypt(part) for part in parts[index * each : (index + 1) * each])
            self._require(float(np.abs(values.real - 0.5).max()) <= 0.5 + DECIDED)
            number = lambda slot, group=group, half=half: self.spec.layout.template(group, half, slot)  # noqa: E731
            hits = np.flatnonzero(values.real >= 1 - DECIDED).tolist()
            accepted += [number(slot) for slot in hits]
            between = np.flatnonzero((values.real > DECIDED) & (values.real < 1 - DECIDED)).tolist()
            undecided += [number(slot) for slot in between]
            # inside the gap a payload is multiplied by less than one, like the comparison beside it
            payloads |= {
                number(slot): self._payload([part[slot] / values[slot].real for part in held]) for slot in hits if held
            }
        accepted, undecided = sorted(accepted), sorted(undecided)
        self._require(template is None or {*accepted, *undecided} <= {template})
        self._require(all(each < self.spec.templates for each in accepted + undecided))
        names = {k: found["names"][k] for k in accepted if k < len(found["names"])}
        count = None if undecided else len(accepted)
        return Decisions(tuple(accepted), tuple(undecided), count, payloads, names)

    def _checked(self, found: dict[str, Any], parts: int) -> tuple[Ask, int | None, list[tuple[int, int]]]:
        layout, template = self.spec.layout, found["template"]
        groups = range(-(-self.spec.templates // layout.group))
        halves = found["parts"]
        asks = {each.value for each in Ask}
        self._require(isinstance(found["ask"], str) and found["ask"] in asks and isinstance(halves, list))
        self._require(all(isinstance(each, list) and len(each) == 2 for each in halves))
        self._require(all(group in groups and half in (0, 1) for group, half in halves))
        ask = Ask(found["ask"])
        each = {Ask.COUNT: 2, Ask.PAYLOAD: 1 + self.spec.payloads}.get(ask, 1)
        expected = each * len(halves)
        if ask is Ask.FETCH:
            expected = (1 + self.spec.payloads) * min(2, len(halves))
        names = found["names"]
        self._require(parts == expected and isinstance(names, list) and len(names) <= self.spec.templates)
        self._require(all(name is None or isinstance(name, str) for name in names))
        self._require((ask is Ask.CLAIM) == (type(template) is int))
        return ask, template, [(group, half) for group, half in halves]

    def _counted(self, parts: Sequence[bytes]) -> Decisions:
        if not parts:
            return Decisions(count=0)
        value, mass = (self.secret.decrypt(part).real for part in parts)
        total = float(np.median(value))
        self._require(float(np.abs(value - total).max()) < 0.25 and -0.5 < total < self.spec.templates + 0.5)
        decided = float(np.abs(mass).max()) <= _MASS and abs(total - round(total)) < 0.4
        return Decisions(count=round(total) if decided else None)

    def _fetched(self, parts: Sequence[bytes]) -> Decisions:
        each = 1 + self.spec.payloads
        sums = []
        for start in range(0, len(parts), each):
            located, *held = (self.secret.decrypt(part) for part in parts[start : start + each])
            columns = [located.real, located.imag * self.spec.halves]
            columns += [256 * number for part in held for number in (part.real, part.imag)]
            sums.append(np.stack(columns, axis=1))
            self._require(bool(np.abs(located.real).max() < self.spec.halves + DECIDED))
        if not sums:
            return Decisions(count=0)
        resolved = resolve(sums, self.spec.halves)
        payloads: dict[int, bytes] = {}
        for (part, slot), numbers in resolved.matches.items():
            template = self.spec.layout.template(part // 2, part % 2, slot)
            right = template < self.spec.templates and bool(((numbers >= 0) & (numbers < 256)).all())
            self._require(right or bool(resolved.undecided))
            if right:
                payloads[template] = bytes(numbers.astype(np.uint8)[: self.spec.payload])
        ordered = dict(sorted(payloads.items()))
        count = None if resolved.undecided else len(ordered) + resolved.ambiguous
        return Decisions(tuple(ordered), (), count, ordered, ambiguous=resolved.ambiguous)

    def _payload(self, parts: Sequence[complex]) -> bytes:
        numbers = np.array([number for part in parts for number in (part.real, part.imag)]) * 256
        whole = np.rint(numbers)
        self._require(
            bool(np.abs(numbers - whole).max(initial=0.0) < 0.4) and bool(((whole >= 0) & (whole < 256)).all())
        )
        return bytes(whole.astype(np.uint8)[: self.spec.payload])

    def _require(self, right: bool) -> None:
        if not right:
            problem = Problem(
                "reply", "something else", "an answer under this key", "ask again; is it the same server?"
            )
            raise ProtocolError(problem)

    def _changes(
        self, numbers: Sequence[int], vectors: NDArray[Any], payloads: Sequence[bytes] | None, sign: float
    ) -> list[bytes]:
        spec, layout = self.spec, self.spec.layout
        rows = spec.unit_rows(vectors) * np.float32(sign)
        held = checked_payloads(spec, payloads, len(rows))
        found = [int(number) for number in numbers]
        right = len(found) == len(rows) == len({*found}) and all(0 <= n < spec.templates for n in found)
        if not right or not spec.encrypted or not found:
            got = f"{len(found)} numbers for {len(rows)} vectors"
            expected = f"a different one for each vector, below {spec.templates}, for an encrypted gallery"
            raise ParameterError(Problem("numbers", got, expected))
        changes = []
        for block in sorted({number // layout.block for number in found}):
            mine = [index for index, number in enumerate(found) if number // layout.block == block]
            places = np.array([found[index] - block * layout.block for index in mine])
            templates = tuple(self._encrypted(slots) for slots in layout.ciphertexts(places, rows[mine]))
            slots = payload_slots(spec, [found[index] for index in mine], [held[index] for index in mine])
            group = block // layout.rows
            none = (b"",) * spec.payloads
            own = tuple(
                self.secret.encrypt(sign * each, 1, spec.payload_scale) if len(each) else each
                for half in (0, 1)
                for each in slots.get((group, half), none)
            )
            places = tuple(places.tolist())
            added, removed = (places, ()) if sign > 0 else ((), places)
            changes.append(Change(block, added, removed, templates, own).message())
        return changes

    def _encrypted(self, slots: NDArray[Any]) -> bytes:
        return self.secret.encrypt(slots, self.spec.parameters.levels, self.spec.vector_scale)
