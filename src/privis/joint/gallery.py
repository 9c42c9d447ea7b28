"""A gallery of templates that stays secret-shared between the compute parties: enrol once, query many times.

`Gallery` is what is publicly known of one (who enrolled how many templates, under which names) and builds the jobs;
`LiveGallery` keeps one on running parties. Names, owners, order and number of templates are public to whoever runs the
jobs, and an answer is a position in that order; vectors, queries and all that a question does not ask for are not.

>>> import numpy as np
>>> from privis.tasks.nearest import Best
>>> from privis.joint.runners import InTheClear
>>> rng = np.random.default_rng(0)
>>> faces = rng.standard_normal((6, 8))
>>> with LiveGallery(Gallery(VectorGrid(8, 100)), InTheClear()) as gallery:
...     gallery.enrol("north", ["ann", "bob", "cy"], faces[:3])
...     gallery.enrol("south", ["dan", "eve", "flo"], faces[3:])
...     asked = gallery.ask(Best(threshold=0.9), faces[[4, 1]] + 0.01, owner="clinic", receivers=["clinic"])
...     gallery.remove(["eve"])
...     again = gallery.ask(Best(threshold=0.9), faces[[4]] + 0.01, owner="clinic", receivers=["clinic"])
>>> asked.names, again.names
((('eve',), ('bob',)), ((None,),))
>>> print(again.revealed)
clinic learns of each query the index and the cosine of its most similar template if that reaches 0.9, else that none \
does; nobody learns anything else of queries and templates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.joint.runners import Runner
from privis.joint.statistics.sums import Committee
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.job import Drop, Job, Reveal, Run, Share, Source
from privis.tasks.nearest import (
    Matches,
    Question,
    VectorGrid,
    join_program,
    keep_program,
    matching_program,
    read_answer,
)

ROWS = 4096
"""Templates of one block: shared in one message, and multiplied in one product."""

FIXED = FixedPoint(field_bits=64, fraction_bits=18)
"""How a session carries values; matching uses ring integers alone."""

QUERY, ANSWER = "query", "answer"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TemplateBlock:
    """Templates that one variable holds: its name and, row by row, who enrolled what."""

    variable: str
    names: tuple[str, ...]
    owners: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """Names of the templates found, one tuple per query (None where fewer reach the threshold), and to whom.

    ``matches`` has indices, cosines or bits as they were revealed; ``names`` is None for a yes-or-no question.
    """

    matches: Matches
    names: tuple[tuple[str | None, ...], ...] | None
    revealed: str


@dataclass(frozen=True)
class Gallery:
    """What is publicly known of the templates, and the jobs that change or ask them; each returns the next Gallery.

    Args:
        grid: dimension of the vectors, capacity, and the public grid that they are rounded to.
        committee: the compute parties and their protocol.
        blocks: names and owners of the enrolled templates, by variable.
        made: how many variables were named so far.
    """

    grid: VectorGrid
    committee: Committee = field(default_factory=Committee)
    blocks: tuple[TemplateBlock, ...] = ()
    made: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all templates, in order."""
        return tuple(name for block in self.blocks for name in block.names)

    def enrolment(self, owner: str, names: Sequence[str]) -> tuple[Job, Gallery]:
        """Build the job by which ``owner`` shares at most ``ROWS`` new templates, as the job's only source.

        They go into the last block while it has room, so that many small enrolments make few blocks.

        Args:
            owner: who shares the templates.
            names: of the templates, all of them new.

        Returns:
            The job, and the gallery after it.

        Raises:
            ParameterError: a name is taken, there are too many names or none, or the gallery would be too large.
        """
        added, held = tuple(names), self.names
        taken = len(added) - len(set(added) - set(held))
        problems = []
        if not 1 <= len(added) <= ROWS or taken:
            got = f"{len(added)} names, {taken} of them taken"
            remedy = "remove a template before replacing it"
            problems.append(Problem("names", got, f"1 to {ROWS} new ones", remedy))
        if len(held) + len(added) > self.grid.capacity:
            got = f"{len(held)} templates and {len(added)} more"
            problems.append(Problem("gallery", got, f"at most {self.grid.capacity}", "make it with a larger capacity"))
        refuse(ParameterError, problems)
        new = TemplateBlock(f"templates {self.made}", added, (owner,) * len(added))
        sources = {new.variable: Source(owner, self.grid.vectors(len(added)))}
        if not self.blocks or len(self.blocks[-1].names) + len(added) > ROWS:
            after = replace(self, blocks=(*self.blocks, new), made=self.made + 1)
            return self._job(sources, {}, [Share(new.variable)]), after
        last = self.blocks[-1]
        both = TemplateBlock(f"templates {self.made + 1}", last.names + new.names, last.owners + new.owners)
        old = (last.variable, new.variable)
        steps = [Share(new.variable), Run("join", old, (both.variable,)), Drop(old)]
        programs = {"join": join_program(self.grid, len(last.names), len(added))}
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
            if kept:
                variable, program = f"templates {made}", f"keep {made}"
                made += 1
                programs[program] = keep_program(self.grid, len(block.names), kept)
                steps.append(Run(program, (block.variable,), (variable,)))
                left = [(block.names[row], block.owners[row]) for row in kept]
                blocks.append(TemplateBlock(variable, *(tuple(column) for column in zip(*left, strict=True))))
            steps.append(Drop((block.variable,)))
        if not steps:
            raise ParameterError(Problem("names", "none", "at least one"))
        return self._job({}, programs, steps), replace(self, blocks=tuple(blocks), made=made)

    def query(self, question: Question, queries: int, owner: str, receivers: Sequence[str]) -> Job:
        """Build the job that asks ``question`` about ``queries`` vectors of ``owner``; they do not stay.

        Args:
            question: what is asked of each query.
            queries: how many vectors.
            owner: whose vectors they are.
            receivers: names of those who learn the result.

        Returns:
            The job.

        Raises:
            ParameterError: the gallery holds too few templates.
        """
        program = matching_program(self.grid, [len(block.names) for block in self.blocks], queries, question)
        variables = (QUERY, *(block.variable for block in self.blocks))
        steps = [
            Share(QUERY),
            Run("match", variables, (ANSWER,)),
            Reveal(ANSWER, tuple(receivers)),
            Drop((QUERY, ANSWER)),
        ]
        return self._job({QUERY: Source(owner, self.grid.vectors(queries))}, {"match": program}, steps)

    def asked_once(self, question: Question, queries: int, owner: str, receivers: Sequence[str]) -> Job:
        """Build the job that shares all templates, asks, and drops them: for parties that keep nothing between jobs.

        Blocks are sources of their variables' names, each of a single owner.

        Args:
            question: what is asked of each query.
            queries: how many vectors.
            owner: whose vectors they are.
            receivers: names of those who learn the result.

        Returns:
            The job.
        """
        query = self.query(question, queries, owner, receivers)
        variables = tuple(block.variable for block in self.blocks)
        sources = {block.variable: Source(block.owners[0], query.resident[block.variable]) for block in self.blocks}
        steps = (*(Share(name) for name in variables), *query.instructions, Drop(variables))
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
        verb = "learns" if len(receivers) == 1 else "learn"
        sentence = f"{', '.join(receivers)} {verb} of each query {question.reveals}"
        return Answer(matches, found, f"{sentence}; nobody learns anything else of queries and templates.")

    def _job(self, sources: dict[str, Source], programs: dict[str, Any], steps: list[Any]) -> Job:
        resident = {block.variable: self.grid.vectors(len(block.names)) for block in self.blocks}
        members, preset = self.committee.members, self.committee.preset
        return Job(preset, members, sources, programs, tuple(steps), resident, FIXED)


class LiveGallery:
    """A `Gallery` on running parties, for one thread: the gallery changes with every enrolment and removal.

    As a context manager without ``run`` it starts the parties on this machine and ends them.

    Args:
        gallery: the gallery to begin with.
        run: ``LocalParties.run`` or another runner of jobs; None: parties on this machine, for as long as the ``with``
            block lasts.
    """

    def __init__(self, gallery: Gallery, run: Runner | None = None) -> None:
        self.gallery = gallery
        self._run = run
        self._parties: Any = None

    def __enter__(self) -> Self:
        if self._run is None:
            from privis.run.mpc.runtime.local_parties import LocalParties

            self._parties = LocalParties(self.gallery.committee.preset, FIXED)
            self._run = self._parties.run
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parties is not None:
            self._parties.__exit__(kind, error, trace)

    def enrol(self, owner: str, names: Sequence[str], vectors: NDArray[Any], progress: Progress | None = None) -> None:
        """Add templates of one owner, normalised.

        A failure in between leaves the blocks that were shared before it.

        Args:
            owner: whose templates they are.
            names: one per vector, all of them new.
            vectors: (rows, dimension), finite and not zero.
            progress: called with how many templates are shared, and how many there are.

        Raises:
            ParameterError: as `Gallery.enrolment` and `VectorGrid.unit_vectors`, or names and vectors are not as many.
        """
        if len(names) != len(vectors):
            raise ParameterError(Problem("names", f"{len(names)} for {len(vectors)} vectors", "one each"))
        for start in range(0, len(names), ROWS):
            chosen = slice(start, start + ROWS)
            job, after = self.gallery.enrolment(owner, names[chosen])
            (variable,) = job.sources
            self._do(job, {variable: self.gallery.grid.unit_vectors(vectors[chosen])})
            self.gallery = after
            if progress:
                progress(min(start + ROWS, len(names)), len(names))

    def remove(self, names: Sequence[str]) -> None:
        """Erase templates; the parties rewrite the shares of the others.

        Args:
            names: of the templates.

        Raises:
            ParameterError: as `Gallery.removal`.
        """
        job, after = self.gallery.removal(names)
        self._do(job, {})
        self.gallery = after

    def ask(self, question: Question, queries: NDArray[Any], owner: str, receivers: Sequence[str]) -> Answer:
        """Compare query vectors with all templates.

        Args:
            question: what is asked of each query.
            queries: (rows, dimension), finite and not zero.
            owner: whose vectors they are.
            receivers: names of those who learn the result.

        Returns:
            Matches by name, and a sentence that says who learned what.
        """
        rows = self.gallery.grid.unit_vectors(queries)
        job = self.gallery.query(question, len(rows), owner, receivers)
        revealed = self._do(job, {QUERY: rows})
        return self.gallery.answer(question, revealed[ANSWER], receivers)

    def _do(self, job: Job, arrays: dict[str, NDArray[Any]]) -> Any:
        if self._run is None:
            raise ParameterError(Problem("LiveGallery", "no parties", "a with statement, or run=", "see its docstring"))
        return self._run(job, arrays)
