"""Joint computations on tables of feature vectors: matching against galleries, and statistics."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.io import tables
from privis.io.tables import Table
from privis.joint.gallery import FIXED, ROWS
from privis.joint.matching import AnyAbove, Best, Grid, Question, Top, matching_program, read_answer
from privis.joint.statistics import Covariance, Mean, Standardisation, statistic_job
from privis.joint.sums import Committee, source, total_of
from privis.parties.specification import Specification
from privis.parties.tables import Reader, shown
from privis.parties.task import Agreed, Announcement, Array, Lent, Outputs, Prepared
from privis.run.mpc.job import Drop, Instruction, Job, Reveal, Run, Share, Source
from privis.run.mpc.presets import preset

QUERIES, MATCHES, ANSWER = "queries", "matches", "answer"
RESULT = "result"
STATISTICS: dict[str, Any] = {"mean": Mean, "standardisation": Standardisation, "covariance": Covariance}
QUESTIONS = ("best", "top", "any")


@dataclass(frozen=True)
class Match:
    """``match``: which templates of other owners are most similar to query vectors, by cosine.

    The input ``queries`` holds the query vectors, every other input templates. Options: ``dimension``; ``capacity``
    (most templates); ``question`` (best, top, any); ``count`` (for top); ``threshold``; ``score`` (whether cosines are
    revealed). Output: ``matches``.
    """

    def epsilon(self, specification: Specification) -> float | None:
        """None: answers are exact."""
        return None

    def prepare(self, specification: Specification, name: str, lent: Lent) -> Prepared:
        """Unit vectors on the grid, cut into blocks."""
        grid, _ = _asked(specification)
        table = _table(lent)
        values = grid.unit_vectors(table.features)
        owner = specification.inputs[name].owner
        blocks = _blocks(name, len(values))
        ends = np.cumsum(list(blocks.values()))[:-1]
        arrays = dict(zip(blocks, np.split(values, ends), strict=True))
        return Prepared(Announcement(owner, ((grid.dimension,),) * len(values)), arrays, table.paths)

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """Share all vectors, compare, reveal the answer."""
        grid, question = _asked(specification)
        sources: dict[str, Source] = {}
        for name in (QUERIES, *(name for name in announcements if name != QUERIES)):
            one = announcements[name]
            blocks = _blocks(name, len(one.shapes)) if name != QUERIES else {QUERIES: len(one.shapes)}
            sources |= {block: Source(one.owner, grid.vectors(rows)) for block, rows in blocks.items()}
        rows = [made.declared.shape[0] for made in sources.values()]
        if sum(rows[1:]) > grid.capacity:
            got, expected = f"{sum(rows[1:])} templates", f"at most {grid.capacity}"
            raise ParameterError(Problem("templates", got, expected, "raise the option capacity"))
        program = matching_program(grid, rows[1:], rows[0], question)
        receivers = specification.receiving(MATCHES, announcements[QUERIES].owner)
        steps: tuple[Instruction, ...] = (
            *(Share(name) for name in sources),
            Run("match", tuple(sources), (ANSWER,)),
            Reveal(ANSWER, receivers),
            Drop((*sources, ANSWER)),
        )
        kind = preset(specification.preset, insecure=specification.insecure)
        return Job(kind, specification.parties, sources, {"match": program}, steps, fixed_point=FIXED)

    def draw(self, agreed: Agreed, member: str) -> Mapping[str, Array]:
        """Nothing: there is no noise."""
        return {}

    def finish(
        self, agreed: Agreed, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """One row per query; templates are named by owner and position, one's own by their labels."""
        grid, question = _asked(agreed.specification)
        names: list[str] = []
        for name, one in agreed.announcements.items():
            if name != QUERIES:
                names += labels.get(name) or [f"{one.owner}/{i}" for i in range(len(one.shapes))]
        matches = read_answer(grid, len(names), question, revealed[ANSWER])
        queries = agreed.announcements[QUERIES]
        rows = labels.get(QUERIES) or tuple(f"{queries.owner}/{i}" for i in range(len(queries.shapes)))
        columns: dict[str, Array] = {}
        for what, values in (("index", matches.indices), ("cosine", matches.cosines), ("found", matches.found)):
            if values is not None:
                wide = np.asarray(values, np.float32).reshape(len(rows), -1)
                columns |= {f"{what}_{i}": wide[:, i] for i in range(wide.shape[1])}
        metadata = {"privis.templates": json.dumps(names)}
        return {MATCHES: Table(rows, np.stack(list(columns.values()), 1), tuple(columns), metadata)}


@dataclass(frozen=True)
class Statistics:
    """``statistic``: mean, standard deviation or covariance over all owners' vectors.

    Options: ``statistic``; ``components``; ``bound`` (largest size of a component). How many vectors an owner has is
    not announced. Output: ``result``.
    """

    def epsilon(self, specification: Specification) -> float | None:
        """None: totals are exact."""
        return None

    def prepare(self, specification: Specification, name: str, lent: Lent) -> Prepared:
        """The owner's own sums."""
        owner = specification.inputs[name].owner
        summary = _statistic(specification).summary(_table(lent).features)
        return Prepared(Announcement(owner, ()), {source(owner): summary}, ())

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """Add the owners' sums and reveal the total."""
        kind = preset(specification.preset, insecure=specification.insecure)
        owners = [one.owner for one in announcements.values()]
        receivers = specification.receiving(RESULT)
        return statistic_job(_statistic(specification), owners, receivers, Committee(specification.parties, kind))

    def draw(self, agreed: Agreed, member: str) -> Mapping[str, Array]:
        """Nothing: there is no noise."""
        return {}

    def finish(
        self, agreed: Agreed, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """The arrays of the statistic."""
        found = _statistic(agreed.specification).result(total_of(revealed), "")
        values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        return {RESULT: {name: np.asarray(v) for name, v in values.items() if v is not None and name != "revealed"}}


def _blocks(name: str, rows: int) -> dict[str, int]:
    """Source names of one input's vectors, and how many each holds."""
    if name == QUERIES:
        return {QUERIES: rows}
    return {f"{name}.{start // ROWS}": min(ROWS, rows - start) for start in range(0, rows, ROWS)}


def _asked(specification: Specification) -> tuple[Grid, Question]:
    """Grid and question; ParameterError lists every option that does not fit."""
    reader = _reader(specification, MATCHES)
    dimension, capacity = reader.number("dimension", None), reader.number("capacity", None)
    kind, count = reader.text("question", "best"), reader.number("count", 1)
    threshold, score = reader.number("threshold", None), reader.flag("score", True)
    reader.done()
    if kind not in QUESTIONS:
        reader.wrong("question", repr(kind), f"one of {shown(QUESTIONS)}")
    if kind == "any" and threshold is None:
        reader.wrong("threshold", "nothing", "a cosine, for the question any")
    for key, value in (("dimension", dimension), ("capacity", capacity)):
        if value is None:
            reader.wrong(key, "nothing", "a number", "the same for all owners, known before their data")
    if QUERIES not in specification.inputs or len(specification.inputs) < 2:
        got = shown(specification.inputs)
        reader.problems.append(Problem(f"{specification.name}: inputs", got, f"{QUERIES}, and at least one more"))
    refuse(ParameterError, reader.problems)
    grid = Grid(int(dimension or 0), int(capacity or 0))
    match kind:
        case "any":
            return grid, AnyAbove(threshold or 0.0)
        case "top":
            return grid, Top(int(count or 1), threshold, score)
        case _:
            return grid, Best(threshold, score)


def _statistic(specification: Specification) -> Any:
    """The statistic; ParameterError lists every option that does not fit."""
    reader = _reader(specification, RESULT)
    name, components, bound = reader.text("statistic"), reader.number("components", None), reader.number("bound", None)
    reader.done()
    if name and name not in STATISTICS:
        reader.wrong("statistic", repr(name), f"one of {shown(STATISTICS)}")
    for key, value in (("components", components), ("bound", bound)):
        if value is None:
            reader.wrong(key, "nothing", "a number")
    refuse(ParameterError, reader.problems)
    return STATISTICS[name](int(components or 0), float(bound or 0))


def _reader(specification: Specification, output: str) -> Reader:
    """Options, after what all of these tasks refuse: a release that they would ignore, and other outputs."""
    reader = Reader(specification.options, f"{specification.name}: options")
    if specification.release is not None:
        remedy = "ask for exact results, or choose a task that knows releases"
        reader.problems.append(Problem(f"{specification.name}: release", "one", "none with this task", remedy))
    if set(specification.receivers) != {output}:
        got = shown(sorted(specification.receivers))
        reader.problems.append(Problem(f"{specification.name}: receivers", got, f"who receives {output}"))
    return reader


def _table(lent: Lent) -> Table:
    if lent.table is None:
        got, remedy = "pictures" if lent.images else "arrays", f'table = "….parquet" in [inputs.{lent.name}]'
        raise ParameterError(Problem(f"input {lent.name}", got, "a table of vectors", remedy))
    return tables.read(lent.table)
