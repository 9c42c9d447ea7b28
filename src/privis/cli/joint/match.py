"""``match``: which templates of several owners are most similar to query vectors, by cosine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from privis.cli.joint.datasets import Reading, components_of, read_reading
from privis.cli.joint.options import exact_problems, output_problems, stated
from privis.errors import ParameterError, Problem, refuse
from privis.joint.answer_counts import answer_count
from privis.joint.gallery import ANSWER, QUERY, ROWS, Gallery, TemplateBlock
from privis.joint.statistics.sums import Committee
from privis.parties.job.specification import Specification
from privis.parties.job.task import (
    AgreedJob,
    Announcement,
    Array,
    InputAnswers,
    LocalData,
    Networks,
    Outputs,
    PreparedInput,
    PrivateState,
)
from privis.parties.table_reader import Reader, shown
from privis.run.mpc.job import Job
from privis.run.mpc.protocols import preset
from privis.tasks.questions import AnyAbove, Best, Question, Top
from privis.tasks.vector_grid import VectorGrid

QUERIES, MATCHES = "queries", "matches"


@dataclass(frozen=True)
class Match:
    """``match``: enrol the templates of all owners, ask once, and forget them.

    The input ``queries`` holds the query vectors, every other input templates. Options: ``answer`` (best, top:K, any);
    ``threshold``; ``score`` (whether cosines are revealed); ``feature`` and ``parameters`` where inputs are images.
    Output: ``matches``, whose ``owner`` is that of the queries.
    """

    networks: Networks = field(default_factory=dict)

    def with_networks(self, networks: Networks) -> Match:
        """Return this task with the ``networks`` of a member."""
        return Match(networks)

    def releasing(self, specification: Specification) -> None:
        """No release: answers are exact."""
        _asked(specification)

    def prepare(self, specification: Specification, name: str, local: LocalData) -> PreparedInput:
        """Read the vectors; their grid depends on how many templates there are, so it comes later."""
        reading, _ = _asked(specification, self.networks)
        rows = reading.rows(local)
        count, components = rows.values.shape
        announced = Announcement(specification.inputs[name].owner, ((components,),) * count)
        return PreparedInput(announced, {}, rows.names, rows.values)

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """Share all vectors, compare, reveal the answer."""
        reading, question = _asked(specification, self.networks)
        queries = announcements[QUERIES]
        receivers = specification.receiving(MATCHES, queries.owner)
        gallery = _gallery(specification, announcements)
        job = gallery.asked_once(question, len(queries.shapes), queries.owner, receivers)
        return stated(job, specification, announcements, reading.feature)

    def answers(self, agreed: AgreedJob) -> Mapping[str, InputAnswers]:
        """What every input of templates is asked, by whom and for whom."""
        specification, queries = agreed.specification, agreed.announcements[QUERIES]
        question, receivers = _asked(specification)[1], specification.receiving(MATCHES, queries.owner)
        asked, once = (answer_count(question, number) for number in (len(queries.shapes), 1))
        values = asked.kind, asked.count, once.count, queries.shapes[0][0], (queries.owner,), receivers
        return {name: InputAnswers(*values) for name in agreed.announcements if name != QUERIES}

    def draw(self, agreed: AgreedJob, state: PrivateState) -> Mapping[str, Array]:
        """This member's unit vectors on the grid that all agreed on, in blocks."""
        gallery, arrays = _gallery(agreed.specification, agreed.announcements), {}
        for name, one in state.prepared.items():
            vectors = gallery.grid.unit_vectors(one.kept)
            blocks = [QUERY] if name == QUERIES else _blocks(name, len(vectors))
            arrays |= dict(zip(blocks, np.split(vectors, range(ROWS, len(vectors), ROWS)), strict=True))
        return arrays

    def finish(
        self, agreed: AgreedJob, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """For each query its templates and their cosines; others' are named by owner and position."""
        specification, announcements = agreed.specification, agreed.announcements
        gallery = _gallery(specification, announcements, labels)
        answer = gallery.answer(_asked(specification)[1], revealed[ANSWER], (member,))
        found: dict[str, Array] = {QUERIES: np.array(_names(QUERIES, announcements[QUERIES], labels))}
        if answer.names is not None:
            found["templates"] = np.array([[name or "" for name in row] for row in answer.names])
        if answer.matches.cosines is not None:
            found["cosines"] = answer.matches.cosines
        if answer.matches.found is not None and answer.names is None:
            found["found"] = answer.matches.found
        return {MATCHES: found}


def _gallery(
    specification: Specification,
    announcements: Mapping[str, Announcement],
    labels: Mapping[str, tuple[str, ...]] | None = None,
) -> Gallery:
    """The templates of all inputs but the queries, in the order of the job file."""
    templates = {name: one for name, one in announcements.items() if name != QUERIES}
    shapes = {name: set(one.shapes) for name, one in announcements.items()}
    empty = [Problem(f"input {name}", "no vectors", "at least one") for name, found in shapes.items() if not found]
    refuse(ParameterError, empty)
    widths = {f"{name} {shape}": shape[0] if len(shape) == 1 else None for name in shapes for shape in shapes[name]}
    grid = VectorGrid(components_of(widths), sum(len(one.shapes) for one in templates.values()))
    kind = preset(specification.preset, insecure=specification.insecure)
    blocks = []
    for name, one in templates.items():
        named = _names(name, one, labels or {})
        for index, variable in enumerate(_blocks(name, len(named))):
            rows = named[index * ROWS : (index + 1) * ROWS]
            blocks.append(TemplateBlock(variable, rows, (one.owner,) * len(rows)))
    return Gallery(grid, Committee(specification.parties, kind), tuple(blocks))


def _blocks(name: str, rows: int) -> list[str]:
    """Names of the variables that hold an input's templates."""
    return [f"templates {name} {start // ROWS}" for start in range(0, rows, ROWS)]


def _names(name: str, one: Announcement, labels: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return labels.get(name) or tuple(f"{one.owner}/{index}" for index in range(len(one.shapes)))


def _asked(specification: Specification, networks: Networks | None = None) -> tuple[Reading, Question]:
    """How inputs are read, and the question; ParameterError lists every option that does not fit.

    Without ``networks`` words alone are looked at, as in all tasks.
    """
    problems = output_problems(specification, MATCHES, of_all=False) + exact_problems(specification)
    reader = Reader(specification.options, f"{specification.name}: options", problems)
    reading, answer = read_reading(reader, networks), reader.text("answer", "best")
    threshold, score = reader.number("threshold", None), reader.flag("score", False)
    reader.done()
    kind, _, count = answer.partition(":")
    if kind not in ("best", "top", "any") or (kind == "top") != count.isdecimal():
        reader.wrong("answer", repr(answer), "best, top:K, as in top:3, or any")
    if kind == "any" and threshold is None:
        reader.wrong("threshold", "nothing", "a cosine, for the answer any")
    if QUERIES not in specification.inputs or len(specification.inputs) < 2:
        got = shown(specification.inputs)
        problems.append(Problem(f"{specification.name}: inputs", got, f"{QUERIES}, and at least one more"))
    refuse(ParameterError, problems)
    match kind:
        case "any":
            return reading, AnyAbove(threshold or 0.0)
        case "top":
            return reading, Top(int(count), threshold, score)
        case _:
            return reading, Best(threshold, score)
