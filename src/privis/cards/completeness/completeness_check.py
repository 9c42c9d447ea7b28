"""Whether a table has a row or a refusal of every record that went into its run, by its statement or by the sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from privis.cards.findings import Findings
from privis.errors import ParameterError
from privis.io import tables
from privis.io.completeness.completeness import (
    Completeness,
    Difference,
    DifferenceKind,
    Differences,
    compared,
    completeness,
    stated_in,
)
from privis.io.completeness.name_partition import RecordRole
from privis.io.completeness.record_names import Columns, refused_in, rows_of
from privis.io.resumable.failures import failures_beside

UNSTATED = "completeness: the table does not state what went into its run"


@dataclass(frozen=True)
class RecordCheck:
    """What came of comparing a table with its sources.

    Args:
        findings: sentences.
        counted: sources, rows and refused records, as they were found.
        differences: lost, duplicated and foreign records.
    """

    findings: Findings
    counted: Completeness
    differences: Differences


def statement_findings(table: Path, failures: Path | None = None) -> Findings:
    """Compare a table of Privis, and its list of failures, with its own statement.

    Args:
        table: of Privis.
        failures: its list of failures; None: beside it, if it is there.

    Returns:
        What does not fit, and what could not be compared.

    Raises:
        ParameterError: a file is damaged.
    """
    try:
        stated = stated_in(tables.summary(table).metadata)
    except ValueError as error:
        if isinstance(error, ParameterError):
            raise
        return Findings((f"completeness: {error}",))
    if stated is None:
        return Findings(not_checked=(UNSTATED,))
    listed = _failures(table, failures)
    refused = () if listed is None else refused_in(listed)
    found, _ = completeness((), (name for _, name in rows_of(table, Columns())), refused)
    problems = []
    if not stated.balanced:
        came = stated.rows.count + stated.refused.count
        problems.append(f"completeness: its run read {stated.sources.count:,} records and has {came:,}")
    if found.rows != stated.rows:
        problems.append(
            f"completeness: the table has {found.rows.count:,} rows, and its run wrote {stated.rows.count:,}"
            + (" of other records" if found.rows.count == stated.rows.count else "")
        )
    checked = (f"completeness, by the statement: {stated.sources.count:,} records, {stated.rows.count:,} rows",)
    if stated.refused.count and listed is None:
        missing = f"which {stated.refused.count:,} records were refused: the list of failures was not given"
        return Findings(tuple(problems), checked, (missing,))
    if found.refused != stated.refused:
        got = f"{found.refused.count:,} refused records, and its run refused {stated.refused.count:,}"
        problems.append(f"completeness: the list of failures has {got}")
    return Findings(tuple(problems), checked)


def record_check(
    table: Path,
    sources: Iterable[str],
    *,
    failures: Path | None = None,
    columns: Columns | None = None,
    key: Callable[[str], str] = lambda name: name,
    on_difference: Callable[[Difference], None] = lambda difference: None,
) -> RecordCheck:
    """Compare a table, of Privis or of any other program, with the sources that it was made from.

    Args:
        table: Parquet (a file or a folder of files), CSV or npz.
        sources: names of the records that went in.
        failures: list of refused records; None: beside the table, if it is there.
        columns: of the table.
        key: what tells records apart, such as their absolute path.
        on_difference: called with every record that is wrong.

    Returns:
        Which records are lost, duplicated and foreign.

    Raises:
        ParameterError: a file is no table or no list, or damaged.
        OutputError: a temporary file cannot be written.
    """
    listed = _failures(table, failures)
    names = chain(
        ((RecordRole.SOURCE, key(name)) for name in sources),
        ((role, key(name)) for role, name in rows_of(table, columns or Columns())),
        ((RecordRole.REFUSED, key(name)) for name in (() if listed is None else refused_in(listed))),
    )
    counted, differences = compared(names, on_difference=on_difference)
    problems = [f"records {sentence}" for sentence in differences.sentences()]
    given, found = counted.sources.count, counted.rows.count + counted.refused.count
    strange = differences.counts[DifferenceKind.FOREIGN]
    if given and strange and differences.counts[DifferenceKind.LOST] + strange >= given + found:
        problems.append("not one record of the table is among the sources: are the names relative to another folder?")
    checked = (
        f"{given:,} records of the sources, {counted.rows.count:,} rows, {counted.refused.count:,} refused records",
    )
    return RecordCheck(Findings(tuple(problems), checked), counted, differences)


def _failures(table: Path, failures: Path | None) -> Path | None:
    if failures is not None:
        return failures
    beside = failures_beside(table)
    return beside if beside.is_file() else None
