"""``privis release``: vectors of a table that exists already, of Privis or of another tool."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from privis.choose.cost.earlier_runs import TOTALLED
from privis.cli.console import err, explained, out, progress
from privis.cli.files.labels import matched
from privis.cli.post import WORDS, steps_of
from privis.cli.release_files import LedgerOption
from privis.cli.releases import ReleaseWords, person_day_of, release_of, unit_of
from privis.cli.scores.run_record import RunNote, note_run
from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.extraction.noise_level import NoiseWarning
from privis.extraction.vectors.origin import Origin, origin_of, origin_of_card, with_steps
from privis.extraction.vectors.row_blocks import Charged
from privis.extraction.vectors.vector_release import CorpusResult, charged
from privis.features.postprocessing.steps import Step, posted
from privis.file_formats import FileFormat, format_of
from privis.io import tables
from privis.io.images import decode
from privis.io.images.manifest import read_subjects
from privis.io.resumable.run import Progress
from privis.io.vector_tables import PATH, VectorTable, read_vectors
from privis.privacy import (
    Dataset,
    Enrolment,
    Gaussian,
    Laplace,
    MeanRelease,
    Release,
    ReleaseKey,
    SumRelease,
    Unit,
    WindowCountRelease,
)
from privis.privacy.ledger.records import record_of_pixels
from privis.subjects import shortened

AGGREGATES = ("sum", "mean", "windows")

TablePath = Annotated[Path, typer.Argument(metavar="TABLE", help="Table of exact vectors: .parquet, .npz or .csv.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Table to write: .parquet, .npz or .csv.")]
Noise = Annotated[str, typer.Option("--release", help="laplace, gaussian, privunit, vmf or rr.")]
Epsilon = Annotated[float, typer.Option(help="Privacy budget for the unit.")]
Key = Annotated[Path, typer.Option(help="Release key; made there if there is none. Equal key, equal noise.")]
UnitName = Annotated[
    str,
    typer.Option(
        help="What the noise hides: image, person:IMAGES or enrolment (one vector of all of a person's images); of a "
        "sum or mean also dataset or add-or-remove-person:IMAGES; of windows person-day:WINDOWS, or "
        "person-day:WINDOWS:IDS where one person has several ids."
    ),
]
Delta = Annotated[float | None, typer.Option(help="Failure probability, for gaussian noise.")]
Clip = Annotated[float | None, typer.Option(help="Public bound of a vector's norm, for laplace and gaussian noise.")]
Total = Annotated[int | None, typer.Option(help="The vectors are counts that add up to at most this, cut off there.")]
Post = Annotated[str | None, typer.Option(help=f"Public steps before the release, as in l2. Any of {WORDS}.")]
RecordColumn = Annotated[
    str | None,
    typer.Option(help="Column that names the record of a row. Of a table of Privis left out: the image at its path."),
]
SubjectColumn = Annotated[str | None, typer.Option(help="Column that says whose each row is.")]
Subjects = Annotated[
    Path | None, typer.Option(help="CSV file with the columns path and --subject-column, for a table of Privis.")
]
LeaveOut = Annotated[list[str] | None, typer.Option(help="Column that is no part of the vectors; repeatable.")]
FeatureName = Annotated[
    str | None, typer.Option("--feature", help="What computed the vectors, in words; a table of Privis says it itself.")
]
AggregateName = Annotated[
    str | None,
    typer.Option("--aggregate", help="Release one sum or mean of all rows; windows: people per window of a day."),
]
Windows = Annotated[
    int | None, typer.Option(help="Windows of the day, for --aggregate windows; TABLE holds their numbers, from 0.")
]
Resolution = Annotated[
    int,
    typer.Option(help="Grid steps of a person in a window: more make counts more exact, and the people cut off less."),
]
Corpus = Annotated[str | None, typer.Option(help="Name of the corpus, for --aggregate.")]
Yes = Annotated[bool, typer.Option("--yes", help="Go on although the noise leaves nothing of one vector.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def release_table(
    context: typer.Context,
    table: TablePath,
    output: Output,
    release: Noise,
    epsilon: Epsilon,
    key: Key,
    unit: UnitName = "image",
    delta: Delta = None,
    clip: Clip = None,
    total: Total = None,
    post: Post = None,
    record_column: RecordColumn = None,
    subject_column: SubjectColumn = None,
    subjects: Subjects = None,
    leave_out: LeaveOut = None,
    feature: FeatureName = None,
    aggregate: AggregateName = None,
    corpus: Corpus = None,
    windows: Windows = None,
    resolution: Resolution = 1,
    ledger: LedgerOption = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Release vectors that exist already: embeddings, means and tables of Privis or of other tools.

    privis release exact.parquet --release privunit --epsilon 8 --key release.key -o released.parquet

    privis release faces.csv --release privunit --epsilon 16 --unit enrolment --record-column file --subject-column
    person --feature "network 7" --key release.key --ledger people.ledger -o templates.parquet

    privis release visits.csv --release laplace --clip 1 --epsilon 1 --aggregate sum --corpus "ward 7, November" --unit
    add-or-remove-person:3 --subject-column person --key release.key -o counts.csv
    """
    with explained():
        words = ReleaseWords(release, "counts" if total else "feature", unit, epsilon, delta, clip, None, None, total)
        chosen = _chosen(words, aggregate, corpus, windows, resolution)
        tables.check(output)
        steps = () if post is None else steps_of(post)
        if record_column is None and corpus is None and format_of(table) not in (FileFormat.TABLE, FileFormat.MISSING):
            remedy = "say which column tells the records apart, with ids that stay"
            raise ParameterError(Problem("--record-column", "nothing", "a column of ids", remedy))
        ids = [name for name in (record_column, None if subjects else subject_column) if name is not None]
        read = read_vectors(table, ids, leave_out or [])
        origin = _origin(read, table, feature, steps)
        book = None if ledger is None else ledger.opened()
        people = _people(read, table, subject_column, subjects)
        if corpus is not None:
            records: Sequence[str] | str = corpus
        else:
            records = _records(read, table, record_column)
        values = read.values if not steps else posted(read.values, steps)
        names = read.names
        for step in steps:
            names = step.names(names)
        if not key.exists():
            ReleaseKey.generate().save(key)
        with warnings.catch_warnings():
            if not yes:
                warnings.simplefilter("error", NoiseWarning)
            try:
                told = charged(origin, values, names, chosen, records, people, key, book)
            except NoiseWarning as warning:
                remedy = "--yes goes on all the same, for means over many vectors"
                raise ParameterError(
                    Problem("--release", str(warning), "noise that leaves something", remedy)
                ) from None
        _write(output, told, read, record_column, isinstance(chosen.unit, Enrolment))
        what = "" if corpus is None else TOTALLED
        note_run(context, RunNote("release", "clear", len(read.values), what=what))
        _tell(output, told, as_json)


def _chosen(
    words: ReleaseWords, aggregate: str | None, corpus: str | None, windows: int | None, resolution: int
) -> Release | CorpusResult:
    """The release that the words describe."""
    if (aggregate is None) != (corpus is None):
        got = "--corpus alone" if aggregate is None else "--aggregate alone"
        raise ParameterError(Problem("--aggregate, --corpus", got, "both: a sum or mean, and of what"))
    if aggregate is None:
        moves = 1 if words.total else None
        found = release_of(replace(words, moves=moves))
        assert found is not None
        return found
    problems = []
    if resolution != 1 and aggregate != "windows":
        problems.append(Problem("--resolution", str(resolution), "none but for --aggregate windows"))
    if aggregate not in AGGREGATES:
        problems.append(Problem("--aggregate", repr(aggregate), f"one of {', '.join(AGGREGATES)}"))
    if words.noise not in ("laplace", "gaussian"):
        problems.append(Problem("--release", str(words.noise), "laplace or gaussian noise for --aggregate"))
    if (windows is None) == (aggregate == "windows"):
        got = "nothing" if windows is None else str(windows)
        expected = "a number of windows with --aggregate windows, and with nothing else"
        problems.append(Problem("--windows", got, expected))
    if words.clip is None and aggregate != "windows":
        problems.append(Problem("--clip", "nothing", "a public bound of a row's norm"))
    if words.noise == "gaussian" and words.delta is None:
        problems.append(Problem("--delta", "nothing", "a failure probability for gaussian noise, as in --delta 1e-6"))
    refuse(ParameterError, problems)
    noise = (
        Laplace(words.epsilon or 0.0)
        if words.noise == "laplace"
        else Gaussian(words.epsilon or 0.0, words.delta or 0.0)
    )
    hidden = _hidden(words.unit)
    if windows is not None:
        return WindowCountRelease(noise, windows, hidden, resolution)  # type: ignore[arg-type]
    kind = SumRelease if aggregate == "sum" else MeanRelease
    return kind(noise, words.clip or 0.0, hidden)  # type: ignore[arg-type]


def _hidden(text: str) -> Unit:
    """What the noise of an aggregate hides."""
    if text == "dataset":
        return Dataset()
    return person_day_of(text) or unit_of(text)


def _origin(read: VectorTable, table: Path, feature: str | None, steps: tuple[Step, ...]) -> Origin:
    """What the vectors are: as the table's card says, unless words do."""
    metadata = read.metadata or {}
    card = json.loads(metadata.get("privis.card", "{}"))
    if card:
        try:
            found = origin_of_card(card)
        except ParameterError as error:
            told = (replace(p, where=str(table), got=f"a table of features with {p.got}") for p in error.problems)
            raise ParameterError(*told) from None
        return with_steps(found if feature is None else origin_of(feature), steps)
    guarantee = json.loads(metadata.get("privis.guarantee", "{}"))
    if guarantee.get("epsilon") is not None:
        got, remedy = "vectors that are released already, as their guarantee says", "release the exact ones, once"
        raise ParameterError(Problem(str(table), got, "exact vectors", remedy))
    return with_steps(origin_of(feature), steps)


def _people(read: VectorTable, table: Path, column: str | None, listed: Path | None) -> Sequence[str] | None:
    if listed is not None and column is not None:
        if PATH not in read.columns:
            raise ParameterError(
                Problem("--subjects", "with a table of another tool", "a column of people in the table")
            )
        return matched(listed, read_subjects(listed, column), column, table, read.columns[PATH]).values
    if listed is not None:
        raise ParameterError(Problem("--subjects", str(listed), "--subject-column with it"))
    return None if column is None else read.columns[column]


def _records(read: VectorTable, table: Path, column: str | None) -> Sequence[str]:
    """Ids of the rows: a column, or the images that a table of Privis was extracted from."""
    if column is not None:
        return read.columns[column]
    records, problems = [], []
    for path in read.columns[PATH]:
        try:
            records.append(record_of_pixels(decode.load(path)))
        except ImageError as error:
            remedy = "put the images back, so that ledgers know them, or take paths as ids: --record-column path"
            problems += [Problem(f"{table}: {p.where}", p.got, p.expected, remedy) for p in error.problems]
    refuse(ParameterError, shortened(problems, str(table)))
    return records


def _write(output: Path, told: Charged, read: VectorTable, column: str | None, is_enrolled: bool) -> None:
    """The released rows, named as they were in the table."""
    labels: Sequence[str] = told.records
    if not is_enrolled and len(told.records) == len(read.values) and column is None and PATH in read.columns:
        labels = read.columns[PATH]
    metadata = {"privis.guarantee": json.dumps(told.guarantee.to_dict()), "privis.card": told.card.to_json()}
    with progress("release", "rows") as show:
        blocks = _counted(told, show)
        tables.write(output, labels, blocks, names=told.names, metadata=metadata)


def _counted(told: Charged, show: Callable[[Progress], None]) -> Iterator[NDArray[np.float32]]:
    """The released rows as they are drawn and written, and how far that is."""
    begun, done, total = time.monotonic(), 0, len(told.records)
    for block in told.blocks():
        yield block.astype(np.float32, copy=False)
        done += len(block)
        seconds = time.monotonic() - begun
        show(Progress(done, 0, total, seconds, seconds * (total - done) / done))


def _tell(output: Path, told: Charged, as_json: bool) -> None:
    rows, components = len(told.records), len(told.names)
    if as_json:
        document = {"output": str(output), "rows": rows, "components": components, "card": told.card.to_dict()}
        print(json.dumps(document, allow_nan=False))
    else:
        counted = "1 row" if rows == 1 else f"{rows:,} rows"
        out.print(f"{counted} of {components:,} components in {output}", markup=False, soft_wrap=True)
        out.print(told.guarantee.sentence, markup=False, soft_wrap=True)
    if told.left_out:
        left = f"{told.left_out:,} rows were beyond what a person may give"
        err.print(f"privis: {left}; this number is exact, so it is for you alone", markup=False, soft_wrap=True)
