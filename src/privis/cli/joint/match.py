"""``match``: which templates of several owners are similar to query vectors, by cosine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from privis.cli.joint.datasets import components_of, payload_column
from privis.cli.joint.match_options import QUERIES, MatchOptions, read_options
from privis.cli.joint.options import exact_problems, output_problems, stated
from privis.errors import ParameterError, Problem, refuse
from privis.joint.answer_counts import answer_count
from privis.joint.gallery import ANSWER, QUERY, ROWS, Gallery, TemplateBlock, revealed_by
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
from privis.parties.table_reader import Reader
from privis.run.mpc.job import Job
from privis.run.mpc.protocols import preset
from privis.tasks.matches import Decision
from privis.tasks.payloads import PayloadFormat, payload_texts, text_payloads
from privis.tasks.questions import Claim
from privis.tasks.vector_grid import VectorGrid

MATCHES = "matches"


@dataclass(frozen=True)
class Match:
    """``match``: enrol the templates of all owners, ask once, and forget them.

    The input ``queries`` holds the query vectors, every other input templates. What can be asked stands in
    `MatchOptions`. Output: ``matches``, whose ``owner`` is that of the queries.
    """

    networks: Networks = field(default_factory=dict)

    def with_networks(self, networks: Networks) -> Match:
        """Return this task with the ``networks`` of a member."""
        return Match(networks)

    def releasing(self, specification: Specification) -> None:
        """No release: answers are exact."""
        _asked(specification)

    def revealed(self, specification: Specification) -> str:
        """What receivers learn of each query, and what nobody does."""
        owner = specification.inputs[QUERIES].owner
        return revealed_by(_asked(specification).question, specification.receiving(MATCHES, owner))

    def prepare(self, specification: Specification, name: str, local: LocalData) -> PreparedInput:
        """Read vectors, and payloads of templates; their grid depends on how many there are, so it comes later."""
        asked = _asked(specification, self.networks)
        rows = asked.reading.rows(local)
        count, components = rows.values.shape
        announced = Announcement(specification.inputs[name].owner, ((components,),) * count)
        carried = None
        if asked.payload is not None and name != QUERIES:
            carried = text_payloads(payload_column(local, asked.payload, rows.names), asked.payload_bytes)
        return PreparedInput(announced, {}, rows.names, (rows.values, carried))

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """Share all vectors that matter, compare, reveal the answer."""
        asked = _asked(specification, self.networks)
        queries = announcements[QUERIES]
        receivers = specification.receiving(MATCHES, queries.owner)
        gallery, rows = _gallery(asked, specification, announcements)
        places = _places(asked, announcements, rows)
        job = gallery.asked_once(asked.question, len(queries.shapes), queries.owner, receivers, places)
        return stated(job, specification, announcements, asked.reading.feature)

    def answers(self, agreed: AgreedJob) -> Mapping[str, InputAnswers]:
        """What every input of templates is asked, by whom and for whom."""
        specification, queries = agreed.specification, agreed.announcements[QUERIES]
        asked, receivers = _asked(specification), specification.receiving(MATCHES, queries.owner)
        counts = {name: len(one.shapes) for name, one in agreed.announcements.items()}
        claimed = asked.claimed(counts) if isinstance(asked.question, Claim) else []
        once, found = answer_count(asked.question, 1), {}
        for name in counts:
            claims = [str(row) for one, row in claimed if one == name]
            if name != QUERIES and (claims or not claimed):  # nothing is told of templates that nobody claims
                made = answer_count(asked.question, counts[QUERIES], claims)
                values = made.kind, made.count, once.count, queries.shapes[0][0], (queries.owner,), receivers
                found[name] = InputAnswers(*values)
        return found

    def draw(self, agreed: AgreedJob, state: PrivateState) -> Mapping[str, Array]:
        """This member's unit vectors on the grid that all agreed on, in blocks; of a claim those that are claimed."""
        asked = _asked(agreed.specification)
        gallery, rows = _gallery(asked, agreed.specification, agreed.announcements)
        arrays: dict[str, Array] = {}
        for name, one in state.prepared.items():
            vectors, carried = one.kept
            if name == QUERIES:
                arrays[QUERY] = gallery.grid.unit_vectors(vectors)
            elif rows[name]:
                lots = {"": gallery.grid.unit_vectors(vectors)}  # all are judged, also those that nobody claims
                lots |= {} if carried is None else {"payloads of ": carried.astype(np.int64)}
                for kind, values in lots.items():
                    cut = np.split(values[rows[name]], range(ROWS, len(rows[name]), ROWS))
                    arrays |= {f"{kind}{_block(name, index)}": lot for index, lot in enumerate(cut)}
        return arrays

    def finish(
        self, agreed: AgreedJob, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """For each query what was asked; others' templates are named by owner and position."""
        specification, announcements = agreed.specification, agreed.announcements
        asked = _asked(specification)
        gallery, rows = _gallery(asked, specification, announcements, labels)
        answer = gallery.answer(asked.question, revealed[ANSWER], (member,))
        matches = answer.matches
        found: dict[str, Array] = {QUERIES: np.array(_names(QUERIES, announcements[QUERIES], labels))}
        if isinstance(asked.question, Claim):
            found["claims"] = np.array([gallery.names[at] for at in _places(asked, announcements, rows)])
        if answer.names is not None:
            found["templates"] = np.array([[name or "" for name in row] for row in answer.names])
        if matches.cosines is not None:
            found["cosines"] = matches.cosines
        if matches.decisions is not None:
            found["decisions"] = np.array([Decision(one).name.lower() for one in matches.decisions.tolist()])
            found["found"] = matches.decisions == Decision.ACCEPTED
        if matches.counts is not None:
            found["counts"] = matches.counts
        if matches.payloads is not None:
            texts, most = payload_texts(matches.payloads), matches.payloads.shape[1]
            found["payloads"] = np.array([[*row, *[""] * (most - len(row))] for row in texts])
        return {MATCHES: found}


def _gallery(
    asked: MatchOptions,
    specification: Specification,
    announcements: Mapping[str, Announcement],
    labels: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Gallery, dict[str, list[int]]]:
    """The templates of all inputs but the queries, in the order of the job file, and their rows in each input.

    Of a claim those alone that are claimed.
    """
    templates = {name: one for name, one in announcements.items() if name != QUERIES}
    shapes = {name: set(one.shapes) for name, one in announcements.items()}
    empty = [Problem(f"input {name}", "no vectors", "at least one") for name, found in shapes.items() if not found]
    refuse(ParameterError, empty)
    widths = {f"{name} {shape}": shape[0] if len(shape) == 1 else None for name in shapes for shape in shapes[name]}
    grid = VectorGrid(components_of(widths), sum(len(one.shapes) for one in templates.values()))
    rows = {name: list(range(len(one.shapes))) for name, one in templates.items()}
    asked.check_size(sum(map(len, rows.values())))
    if isinstance(asked.question, Claim):
        claimed = asked.claimed({name: len(one.shapes) for name, one in announcements.items()})
        rows = {name: sorted({row for one, row in claimed if one == name}) for name in templates}
    blocks = []
    for name, one in templates.items():
        named = [_names(name, one, labels or {})[row] for row in rows[name]]
        for index, start in enumerate(range(0, len(named), ROWS)):
            lot = tuple(named[start : start + ROWS])
            blocks.append(TemplateBlock(_block(name, index), lot, (one.owner,) * len(lot)))
    kind = preset(specification.preset, insecure=specification.insecure)
    payload = None if asked.payload is None else PayloadFormat(asked.payload_bytes)
    return Gallery(grid, Committee(specification.parties, kind), tuple(blocks), payload=payload), rows


def _places(asked: MatchOptions, announcements: Mapping[str, Announcement], rows: Mapping[str, list[int]]) -> list[int]:
    """Where each claimed template is in the gallery; none unless the question is a claim."""
    if not isinstance(asked.question, Claim):
        return []
    order = {place: at for at, place in enumerate((name, row) for name in rows for row in rows[name])}
    counts = {name: len(one.shapes) for name, one in announcements.items()}
    return [order[place] for place in asked.claimed(counts)]


def _block(name: str, index: int) -> str:
    """Name of a variable that holds templates of an input."""
    return f"templates {name} {index}"


def _names(name: str, one: Announcement, labels: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return labels.get(name) or tuple(f"{one.owner}/{index}" for index in range(len(one.shapes)))


def _asked(specification: Specification, networks: Networks | None = None) -> MatchOptions:
    """The job's options; ParameterError lists every one that does not fit, and inputs and outputs that do not.

    Without ``networks`` words alone are looked at, as in all tasks.
    """
    problems = output_problems(specification, MATCHES, of_all=False) + exact_problems(specification)
    reader = Reader(specification.options, f"{specification.name}: options", problems)
    asked = read_options(reader, specification, networks)
    refuse(ParameterError, problems)
    return asked
