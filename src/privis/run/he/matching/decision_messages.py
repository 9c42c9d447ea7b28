"""Messages of encrypted decisions: what is asked with a query, and what an owner sends to an encrypted gallery.

Both are frames (`privis.run.he.wire.framing`): a line of JSON, then ciphertexts. ``format`` in the JSON is the number
of the message's format; readers refuse every other one and unknown fields.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from privis.errors import Problem, ProtocolError
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.wire.framing import join, split

_FORMAT = 1


class Ask(StrEnum):
    """What is computed for a query; what the key holder learns from the reply, beyond the decision itself.

    ``CLAIM``: whether one named template is accepted. ``INDEX``: which templates are. ``COUNT``: how many.
    ``PAYLOAD``: which, and their payloads. ``FETCH``: the payloads of those that are accepted, and their numbers, in
    sums over the gallery, so that the reply does not grow with it. Inside the gap all of them tell the key holder the
    cosine, or for ``COUNT`` and ``FETCH`` a sum of functions of cosines.
    """

    CLAIM = "claim"
    INDEX = "index"
    COUNT = "count"
    PAYLOAD = "payload"
    FETCH = "fetch"


@dataclass(frozen=True)
class Request:
    """What is asked: ``template`` is the number of the claimed one."""

    ask: Ask
    template: int | None = None

    def message(self, query: bytes) -> bytes:
        """With an encrypted query, for the server."""
        head = {"format": _FORMAT, "ask": self.ask.value, "template": self.template}
        return join([json.dumps(head).encode(), query])

    @classmethod
    def read(cls, data: bytes, spec: DecisionSpec) -> tuple[Request, bytes]:
        """A request and its encrypted query; ProtocolError for anything else."""
        head, query = split(data, "query", 2)
        found = fields(head, "query", {"format", "ask", "template"})
        ask, template = found["ask"], found["template"]
        claim = ask == Ask.CLAIM.value
        known = isinstance(ask, str) and ask in {each.value for each in Ask}
        if not known or claim != (type(template) is int) or (not claim and template is not None):
            raise ProtocolError(Problem("query", "another question", f"one of {', '.join(Ask)}"))
        if claim and not 0 <= template < spec.templates:
            raise ProtocolError(Problem("query", f"a claim to template {template}", f"one below {spec.templates}"))
        if ask in (Ask.PAYLOAD.value, Ask.FETCH.value) and not spec.payload:
            raise ProtocolError(Problem("query", "a question for payloads", "another: this gallery has none"))
        return cls(Ask(ask), template), query


@dataclass(frozen=True, eq=False)
class Change:
    """Ciphertexts that are added to a block: new templates, or the negatives of those that are taken out.

    Args:
        block: its number.
        added: places in it that are filled.
        removed: places that are freed.
        templates: a ciphertext for each turn.
        payloads: those of the block's group: of the first half, and of the second; empty where nothing changes.
    """

    block: int
    added: tuple[int, ...]
    removed: tuple[int, ...]
    templates: tuple[bytes, ...]
    payloads: tuple[bytes, ...] = ()

    def message(self) -> bytes:
        """For the server."""
        head = {"format": _FORMAT, "block": self.block, "added": self.added, "removed": self.removed}
        return join([json.dumps(head).encode(), *self.templates, *self.payloads])

    @classmethod
    def read(cls, data: bytes, spec: DecisionSpec) -> Change:
        """What ``message`` made; ProtocolError for anything else."""
        head, *parts = split(data, "change of a gallery")
        found, cut = cls.read_places(head, 1 + len(parts), spec), spec.layout.turns
        return cls(found.block, found.added, found.removed, tuple(parts[:cut]), tuple(parts[cut:]))

    @classmethod
    def read_places(cls, head: bytes, count: int, spec: DecisionSpec) -> Change:
        """A change without ciphertexts: ``head`` is the first part of ``count``; ProtocolError for anything else."""
        layout = spec.layout
        if count != 1 + layout.turns + 2 * spec.payloads:
            got, expected = f"{count} parts", f"{1 + layout.turns + 2 * spec.payloads}"
            raise ProtocolError(Problem("change of a gallery", got, expected, "make and send it again"))
        found = fields(head, "change of a gallery", {"format", "block", "added", "removed"})
        block, added, removed = found["block"], found["added"], found["removed"]
        if type(block) is not int or not 0 <= block < spec.blocks:
            raise ProtocolError(Problem("change of a gallery", f"block {block!r}", f"one below {spec.blocks}"))
        for places in (added, removed):
            most = min(layout.block, spec.templates - block * layout.block)
            good = isinstance(places, list) and all(type(place) is int and 0 <= place < most for place in places)
            if not good or len({*places}) != len(places):
                raise ProtocolError(Problem("change of a gallery", "other places", f"different ones below {most}"))
        return cls(block, tuple(added), tuple(removed), ())


def fields(data: bytes, what: str, expected: set[str]) -> dict[str, Any]:
    """A JSON object with exactly these fields, and this format; ProtocolError for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or {*found} != expected or found["format"] != _FORMAT:
        raise ProtocolError(Problem(what, "something else", f"fields {sorted(expected)}, format {_FORMAT}"))
    return found
