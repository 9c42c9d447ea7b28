"""A gallery of templates that stays secret-shared between the compute parties: enrol once, query many times.

`Gallery` is what is publicly known of one (who enrolled how many templates, under which names) and builds the jobs;
`privis.joint.LiveGallery` keeps one on running parties. Names, owners, order and number of templates are public to
whoever runs the jobs, and an answer is a position in that order; vectors, payloads, queries and all that a question
does not ask for are not.

>>> from privis.tasks import Best
>>> job, gallery = Gallery(VectorGrid(8)).enrolment("north", ["ann", "bob"])
>>> gallery.names, gallery.query(Best(), 1, "clinic", ["clinic"]).outsiders
(('ann', 'bob'), ('clinic',))
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.former_names import former_names
from privis.joint.statistics.sums import Committee
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.job import Drop, Job, Pick, Reveal, Run, Share, Source
from privis.tasks.matches import Matches
from privis.tasks.nearest import (
    claim_program,
    declared_rows,
    join_program,
    keep_program,
    matching_program,
    read_answer,
)
from privis.tasks.payloads import PayloadFormat
from privis.tasks.questions import Claim, Payload, Question
from privis.tasks.vector_grid import VectorGrid

__getattr__ = former_names(__name__)

ROWS = 4096
"""Templates of one block: shared in one message, and multiplied in one product."""

FIXED = FixedPoint(field_bits=64, fraction_bits=18)
"""How a session carries values; matching uses ring integers alone."""

QUERY, ANSWER = "query", "answer"


@dataclass(frozen=True)
class TemplateBlock:
    """Templates that one variable holds: its name and, row by row, who enrolled what."""

    variable: str
    names: tuple[str, ...]
    owners: tuple[str, ...]

    @property
    def payloads(self) -> str:
        """Name of the variable that holds their payloads, in a gallery that has any."""
        return f"payloads of {self.variable}"


@dataclass(frozen=True)
class Answer:
    """Names of the templates found, one tuple per query (None where fewer reach the threshold), and to whom.

    ``matches`` holds what was revealed; ``names`` is None where no indices were asked for.
    """

    matches: Matches
    names: tuple[tuple[str | None, ...], ...] | None
    revealed: str


@dataclass(frozen=True)
class Gallery:
    """What is publicly known of the templates, and the jobs that change or ask them; each returns the next Gallery.

    Args:
        grid: dimension of the vectors, and the public grid that they are rounded to; galleries may outgrow its
            capacity.
        committee: the compute parties and their protocol.
        blocks: names and owners of the enrolled templates, by variable.
        made: how many variables were named so far.
        payload: what every template carries, to be fetched by the question `Payload`; None: nothing.
    """

    grid: VectorGrid
    committee: Committee = field(default_factory=Committee)
    blocks: tuple[TemplateBlock, ...] = ()
    made: int = 0
    payload: PayloadFormat | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all templates, in order."""
        return tuple(name for block in self.blocks for name in block.names)

    def enrolment(self, owner: str, names: Sequence[str]) -> tuple[Job, Gallery]:
        """Build the job by which ``owner`` shares at most ``ROWS`` new templates, the job's first source.

        A second source holds their payloads, where the gallery has any. Templates go into the last block while it has
        room, so that many small enrolments make few blocks.

        Args:
            owner: who shares the templates.
            names: of the templates, all of them new.

        Returns:
            The job, and the gallery after it.

        Raises:
            ParameterError: a name is taken, or there are too many names or none.
        """
        added = tuple(names)
        taken = len(added) - len(set(added) - set(self.names))
        if not 1 <= len(added) <= ROWS or taken:
            got = f"{len(added)} names, {taken} of them taken"
            raise ParameterError(
                Problem("names", got, f"1 to {ROWS} new ones", "remove a template before replacing it")
            )
        new = TemplateBlock(f"templates {self.made}", added, (owner,) * len(added))
        sources = {name: Source(owner, declared_rows(form, len(added))) for name, form in self._held(new)}
        steps: list[Any] = [Share(name) for name in sources]
        if not self.blocks or len(self.blocks[-1].names) + len(added) > ROWS:
            after = replace(self, blocks=(*self.blocks, new), made=self.made + 1)
            return self._job(sources, {}, steps), after
        last = self.blocks[-1]
        both = TemplateBlock(f"templates {self.made + 1}", last.names + new.names, last.owners + new.owners)
        programs = {}
        for (old, form), (added_name, _), (made, _) in zip(*map(self._held, (last, new, both)), strict=True):
            program = "join" if form is self.grid else "join payloads"
            programs[program] = join_program(form, len(last.names), len(added))
            steps += [Run(program, (old, added_name), (made,)), Drop((old, added_name))]
        return self._job(sources, programs, steps), replace(self, blocks=(*self.blocks[:-1], both), made=self.made + 2)

    def removal(self, names: Sequence[str]) -> tuple[Job, Gallery]:
        """Build the job that erases templates: the parties rewrite the shares of those that stay, and drop the rest.

        Args:
            names: of enrolled templates.

        Returns:
            The job, and the gallery after it.

        Raises:
            ParameterError: a name is unknown, or there is none.
        """
        gone = set(names)
        if unknown := gone - set(self.names):
            raise ParameterError(Problem("names", f"{len(unknown)} that are not here", "names of enrolled templates"))
        programs, steps, blocks, made = {}, [], [], self.made
        for block in self.blocks:
            kept = [row for row, name in enumerate(block.names) if name not in gone]
            if len(kept) == len(block.names):
                blocks.append(block)
                continue
            held = self._held(block)
            if kept:
                left = [(block.names[row], block.owners[row]) for row in kept]
                blocks.append(TemplateBlock(f"templates {made}", *(tuple(each) for each in zip(*left, strict=True))))
                for (old, form), (variable, _) in zip(held, self._held(blocks[-1]), strict=True):
                    program = f"keep {made}" if form is self.grid else f"keep payloads {made}"
                    programs[program] = keep_program(form, len(block.names), kept)
                    steps.append(Run(program, (old,), (variable,)))
                made += 1
            steps.append(Drop(tuple(name for name, _ in held)))
        if not steps:
            raise ParameterError(Problem("names", "none", "at least one"))
        return self._job({}, programs, steps), replace(self, blocks=tuple(blocks), made=made)

    def query(
        self, question: Question, queries: int, owner: str, receivers: Sequence[str], claims: Sequence[int] = ()
    ) -> Job:
        """Build the job that asks ``question`` about ``queries`` vectors of ``owner``; they do not stay.

        Args:
            question: what is asked of each query.
            queries: how many vectors.
            owner: whose vectors they are.
            receivers: names of those who learn the result.
            claims: for the question `Claim`, the row of the gallery that each query claims, public to all parties.

        Returns:
            The job.

        Raises:
            ParameterError: the gallery holds too few templates or too many for this question, or no payloads; or
                claims are not one for each query of a `Claim`, of templates that are there.
        """
        wanted = queries if isinstance(question, Claim) else 0
        if len(claims) != wanted:
            got = f"{len(claims)} claims for {queries} queries"
            raise ParameterError(
                Problem("claims", got, "one for each query of the question Claim, and none for another")
            )
        picks: tuple[Pick, ...] = ()
        variables = tuple(block.variable for block in self.blocks)
        if isinstance(question, Claim):
            picks, places = self._picked(claims)
            variables = tuple(pick.output for pick in picks)
            program = claim_program(self.grid, [len(pick.rows) for pick in picks], places, question)
        else:
            rows = [len(block.names) for block in self.blocks]
            program = matching_program(self.grid, rows, queries, question, self.payload)
        carried = tuple(block.payloads for block in self.blocks) if isinstance(question, Payload) else ()
        steps = [
            Share(QUERY),
            *picks,
            Run("match", (QUERY, *variables, *carried), (ANSWER,)),
            Reveal(ANSWER, tuple(receivers)),
            Drop((QUERY, ANSWER, *(pick.output for pick in picks))),
        ]
        return self._job({QUERY: Source(owner, self.grid.vectors(queries))}, {"match": program}, steps)

    def asked_once(
        self, question: Question, queries: int, owner: str, receivers: Sequence[str], claims: Sequence[int] = ()
    ) -> Job:
        """Build the job that shares all templates, asks, and drops them: for parties that keep nothing between jobs.

        Blocks are sources of their variables' names, each of a single owner.

        Args:
            question: what is asked of each query.
            queries: how many vectors.
            owner: whose vectors they are.
            receivers: names of those who learn the result.
            claims: as in `query`.

        Returns:
            The job.

        Raises:
            ParameterError: as `query`.
        """
        query = self.query(question, queries, owner, receivers, claims)
        owners = {name: block.owners[0] for block in self.blocks for name, _ in self._held(block)}
        sources = {name: Source(one, query.resident[name]) for name, one in owners.items()}
        steps = (*(Share(name) for name in owners), *query.instructions, Drop(tuple(owners)))
        return replace(query, sources={**sources, **query.sources}, instructions=steps, resident={})

    def answer(self, question: Question, revealed: NDArray[Any], receivers: Sequence[str]) -> Answer:
        """Read what a `query` revealed.

        Args:
            question: that was asked.
            revealed: the array that the job revealed.
            receivers: names of those who learn the result.

        Returns:
            Matches by name, and a sentence that says who learned what.
        """
        names = self.names
        matches = read_answer(self.grid, len(names), question, revealed)
        found = None
        if matches.indices is not None:
            found = tuple(tuple(None if i < 0 else names[i] for i in row) for row in matches.indices.tolist())
        return Answer(matches, found, revealed_by(question, receivers))

    def _picked(self, claims: Sequence[int]) -> tuple[tuple[Pick, ...], list[int]]:
        """How claimed templates leave their blocks, so that the program is the same whichever they are; and where each
        claim's is among those picked.
        """
        starts, rows = np.cumsum([0, *(len(block.names) for block in self.blocks)]), np.asarray(claims, np.int64)
        if not rows.size or rows.min() < 0 or rows.max() >= starts[-1]:
            expected = f"at least one, each a row from 0 to {starts[-1] - 1}"
            raise ParameterError(Problem("claims", "rows that are not here, or none", expected))
        places, picks = np.zeros(len(rows), np.int64), []
        for block, (start, end) in zip(self.blocks, itertools.pairwise(starts), strict=True):
            here = np.flatnonzero((start <= rows) & (rows < end))
            if here.size:
                places[here] = sum(len(pick.rows) for pick in picks) + np.arange(here.size)
                chosen = tuple((rows[here] - start).tolist())
                declared = self.grid.vectors(len(block.names))
                picks.append(Pick(block.variable, chosen, f"claimed {block.variable}", declared))
        return tuple(picks), places.tolist()

    def _held(self, block: TemplateBlock) -> list[tuple[str, VectorGrid | PayloadFormat]]:
        """The variables of a block, and what they look like."""
        carried = [] if self.payload is None else [(block.payloads, self.payload)]
        return [(block.variable, self.grid), *carried]

    def _job(self, sources: dict[str, Source], programs: dict[str, Any], steps: list[Any]) -> Job:
        resident = {
            name: declared_rows(form, len(block.names)) for block in self.blocks for name, form in self._held(block)
        }
        members, preset = self.committee.members, self.committee.preset
        return Job(preset, members, sources, programs, tuple(steps), resident, FIXED)


def revealed_by(question: Question, receivers: Sequence[str]) -> str:
    """Say who learns what by a question.

    Args:
        question: what is asked of each query.
        receivers: names of those who learn the result.

    Returns:
        One sentence, or two.

    >>> revealed_by(Claim(0.5), ["clinic"])[:60]
    'clinic learns of each query whether its cosine to the templa'
    """
    verb = "learns" if len(receivers) == 1 else "learn"
    sentence = f"{', '.join(receivers)} {verb} of each query {question.reveals}"
    public = " Which template each query claims is public to all members." if isinstance(question, Claim) else ""
    return f"{sentence}; nobody learns anything else of queries and templates.{public}"
