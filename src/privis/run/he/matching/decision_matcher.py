"""The server's side of encrypted decisions: what is asked of an encrypted query, computed on ciphertexts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from privis.errors import Problem, ProtocolError
from privis.run.he.backends.seal import SealEngine
from privis.run.he.engine import Ciphertext
from privis.run.he.evaluation.forked_map import cores, forked
from privis.run.he.matching.decision_circuit import DecisionCircuit
from privis.run.he.matching.decision_gallery import Contents, DecisionGallery, loaded
from privis.run.he.matching.decision_messages import Ask, Request
from privis.run.he.matching.fetching.shifted_tables import shifts
from privis.run.he.wire.framing import join, split

Progress = Callable[[float], None]

_Part = tuple[int, tuple[int, ...]]
"""A group, and blocks of it."""


@dataclass(frozen=True, eq=False)
class DecisionMatcher:
    """A gallery with one client's evaluation keys.

    Args:
        gallery: the templates, in the clear or encrypted.
        engine: that holds the client's evaluation keys.
        processes: how many compute at once.
    """

    gallery: DecisionGallery
    engine: SealEngine = field(repr=False)
    processes: int = field(default_factory=cores)

    @classmethod
    def open(cls, gallery: DecisionGallery, keys: bytes, processes: int | None = None) -> DecisionMatcher:
        """Load the evaluation keys of one client.

        Args:
            gallery: the templates.
            keys: what ``DecisionOwner.evaluation_keys`` made.
            processes: how many compute at once; None: all processors.

        Returns:
            The matcher.

        Raises:
            ProtocolError: these are no such keys.
        """
        groups, parameters = gallery.spec.groups, gallery.spec.parameters
        engine = SealEngine.with_keys(parameters, groups, split(keys, "evaluation keys", 2 * len(groups)))
        return cls(gallery, engine, processes or cores())

    def run(self, message: bytes, progress: Progress = lambda _: None) -> bytes:
        """Answer a question about an encrypted query, on ciphertexts.

        Args:
            message: what ``DecisionOwner.query`` made.
            progress: called with the fraction done, 0 to 1.

        Returns:
            The encrypted answer, for ``DecisionOwner.decisions``: no cosine outside the gap is in it.

        Raises:
            ProtocolError: the message is no question of this specification, or claims a template that is not there.
        """
        spec, contents = self.gallery.spec, self.gallery.contents()
        request, query = Request.read(message, spec)
        top, scale = spec.parameters.levels, spec.vector_scale
        circuit = DecisionCircuit(spec, self.engine)
        asked = loaded(self.engine, query, top, scale, "query")
        if request.template is not None and not contents.filled[request.template]:
            raise ProtocolError(Problem("query", f"a claim to template {request.template}", "one that is there"))
        parts = self._parts(contents, request)
        turned = circuit.turned(asked) if parts else []
        compared = self._halves(contents, request)
        steps = len(parts) + len(compared)
        gathered = self._gathered(circuit, contents, turned, parts, lambda done: progress(done / steps))
        answers = self._answers(
            circuit, contents, request, gathered, compared, lambda done: progress((len(parts) + done) / steps)
        )
        if request.ask is Ask.COUNT:
            answers = [self._totals(circuit, answers)] if answers else []
            compared = compared[:1]
        told = contents.names if request.ask in (Ask.INDEX, Ask.PAYLOAD) else ()
        head = {"format": 1, "ask": request.ask.value, "template": request.template, "names": told}
        return join(
            [json.dumps({**head, "parts": compared}).encode(), *(each for answer in answers for each in answer)]
        )

    def _parts(self, contents: Contents, request: Request) -> list[_Part]:
        """Blocks to gather, the largest parts first; groups that processes cannot share evenly are divided."""
        layout = self.gallery.spec.layout
        wanted = [*contents.blocks] if request.template is None else [request.template // layout.block]
        groups: dict[int, list[int]] = {}
        for block in sorted(wanted):
            groups.setdefault(block // layout.rows, []).append(block)
        ordered = sorted(groups.items(), key=lambda each: -len(each[1]))
        full = sum(len(mine) == layout.rows for mine in groups.values())
        whole = full // self.processes * self.processes
        parts: list[_Part] = []
        for place, (group, mine) in enumerate(ordered):
            pieces = 1 if place < whole else min(len(mine), self.processes)
            parts += [(group, tuple(mine[start::pieces])) for start in range(pieces)]
        return sorted(parts, key=lambda part: -len(part[1]))

    def _halves(self, contents: Contents, request: Request) -> list[tuple[int, int]]:
        """Groups and halves in which there are templates."""
        layout = self.gallery.spec.layout
        if request.template is not None:
            return [layout.place(request.template)[:2]]
        found = []
        for group in range(-(-len(contents.filled) // layout.group)):
            halves = layout.filled(contents.filled, group)
            found += [(group, half) for half in (0, 1) if halves[half].any()]
        return found

    def _gathered(
        self,
        circuit: DecisionCircuit,
        contents: Contents,
        turned: Sequence[Ciphertext],
        parts: Sequence[_Part],
        done: Progress,
    ) -> dict[int, Ciphertext]:
        rows = self.gallery.spec.layout.rows

        def work(part: _Part) -> bytes:
            _, blocks = part
            products = {
                number % rows: circuit.lowered(contents.blocks[number].product(self.engine, turned))
                for number in blocks
            }
            return self.engine.save(circuit.gathered(products))

        made: dict[int, Ciphertext] = {}
        for count, (index, data) in enumerate(forked(work, parts, self.processes), 1):
            group, _ = parts[index]
            made[group] = self.engine.accumulate(made.get(group), self.engine.load(data))
            done(count)
        return made

    def _answers(
        self,
        circuit: DecisionCircuit,
        contents: Contents,
        request: Request,
        gathered: dict[int, Ciphertext],
        halves: Sequence[tuple[int, int]],
        done: Progress,
    ) -> list[list[bytes]]:
        spec, engine = self.gallery.spec, self.engine
        layout, fetching = spec.layout, request.ask is Ask.FETCH
        scale = spec.scale if fetching else spec.compared_scale
        # a claim shows one slot of a half, all others are zero: only its own block was gathered

        def work(part: tuple[int, int]) -> bytes:
            group, half = part
            filled = layout.filled(contents.filled, group)[half]
            compared = circuit.compared(circuit.half(gathered[group], half), filled, scale)
            if fetching:
                made = self._fetched(circuit, contents, compared, part, len(halves))
            elif request.template is not None:
                made = [circuit.single(compared, layout.place(request.template)[2])]
            elif request.ask is Ask.COUNT:
                made = [*circuit.sums(compared)]
            else:
                made = [engine.lower(compared, 0)]
                if request.ask is Ask.PAYLOAD:
                    made += self._payloads(circuit, contents, compared, part)
            return join([engine.save(each) for each in made])

        answers: dict[int, list[bytes]] = {}
        sums: list[Ciphertext] = []
        for count, (index, data) in enumerate(forked(work, halves, self.processes), 1):
            found = split(data, "answer")
            if fetching:
                sums = self._added(sums, found)
            else:
                answers[index] = found
            done(count)
        if fetching:
            return [[engine.save(each) for each in sums]]
        return [answers[index] for index in range(len(halves))]

    def _payloads(
        self, circuit: DecisionCircuit, contents: Contents, compared: Ciphertext, part: tuple[int, int]
    ) -> list[Ciphertext]:
        multiply = circuit.payload if self.gallery.spec.encrypted else circuit.plain_payload
        return [multiply(compared, each) for each in contents.payloads[part]]

    def _fetched(
        self, circuit: DecisionCircuit, contents: Contents, compared: Ciphertext, part: tuple[int, int], halves: int
    ) -> list[Ciphertext]:
        """What this half adds to the sums: matches, their numbers and payloads; and the same, shifted."""
        spec, number = self.gallery.spec, 2 * part[0] + part[1]
        made = [circuit.numbered(compared, number), *self._payloads(circuit, contents, compared, part)]
        if halves == 1:
            return made
        shift = shifts(spec.halves, spec.layout.slots)[number]
        return made + [circuit.shifted(each, shift) for each in made]

    def _added(self, sums: Sequence[Ciphertext], found: Sequence[bytes]) -> list[Ciphertext]:
        totals = sums or [None] * len(found)
        return [self.engine.accumulate(x, self.engine.load(y)) for x, y in zip(totals, found, strict=True)]

    def _totals(self, circuit: DecisionCircuit, answers: Sequence[Sequence[bytes]]) -> list[bytes]:
        sums: list[Ciphertext] = []
        for found in answers:
            sums = self._added(sums, found)
        value, undecided = sums
        return [self.engine.save(each) for each in circuit.totals(value, undecided)]
