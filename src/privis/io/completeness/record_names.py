"""Names of records in tables, lists of failures and lists of sources, of Privis and of other programs, as streams."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit
from privis.io import tables
from privis.io.completeness.name_partition import RecordRole

_BATCH = 16_384
_LISTS = (FileFormat.PARQUET, FileFormat.TABLE, FileFormat.LIST, FileFormat.JSON, FileFormat.UNKNOWN)
_EXPECTED = "a table: Parquet (a file or a folder of them), CSV with a header, or npz of privis"


@dataclass(frozen=True)
class Columns:
    """Names of columns of a table.

    Args:
        record: which record a row is of.
        feature: its vector, where there is such a column: without a value the record has no row.
        error: why it has none, where there is such a column.
    """

    record: str = "path"
    feature: str = "feature"
    error: str = "error"


def rows_of(table: Path, columns: Columns) -> Iterator[tuple[RecordRole, str]]:
    """Give the records of a table, those with an error as refused.

    A row without a vector and without an error stands for nothing, and its record is lost: so ends a row of an engine
    that was told to ignore errors.

    Args:
        table: of Privis, or of another program: Parquet (a file, or a folder of files), CSV or npz.
        columns: their names.

    Yields:
        A row or a refusal, and its record.

    Raises:
        ParameterError: it is no table, is damaged, or has no such column.
    """
    suffix = table.suffix.lower()
    if suffix == ".npz":
        yield from ((RecordRole.ROW, name) for name in tables.paths_of(table))
    elif suffix == ".csv":
        yield from _csv_rows(table, columns)
    elif table.is_dir() or format_of(table) in (FileFormat.PARQUET, FileFormat.TABLE):
        yield from _parquet_rows(table, columns)
    else:
        raise ParameterError(misfit(table, FileFormat.TABLE, "no table", _EXPECTED))


def _parquet_rows(table: Path, columns: Columns) -> Iterator[tuple[RecordRole, str]]:
    arrow = tables.pyarrow_module()
    import pyarrow.compute
    import pyarrow.dataset

    try:
        found: Any = pyarrow.dataset.dataset(table, format="parquet")
        _require_column(table, columns.record, found.schema.names)
        optional = [name for name in (columns.feature, columns.error) if name in found.schema.names]
        scanned = found.scanner([columns.record, *optional], batch_size=_BATCH, batch_readahead=1, fragment_readahead=1)
        for batch in scanned.to_batches():
            names = batch.column(columns.record).cast(arrow.string()).to_pylist()
            given = [True] * len(names)
            if columns.feature in optional:
                given = batch.column(columns.feature).is_valid().to_pylist()
            errors = [None] * len(names)
            if columns.error in optional:
                errors = batch.column(columns.error).cast(arrow.string()).to_pylist()
            yield from _roles(table, names, given, errors)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ParameterError(Problem(str(table), reason, _EXPECTED)) from error


def _roles(
    table: Path, names: list[str | None], given: list[bool], errors: list[str | None]
) -> Iterator[tuple[RecordRole, str]]:
    for name, has_vector, error in zip(names, given, errors, strict=True):
        if name is None:
            raise ParameterError(Problem(str(table), "a row of no record", "the name of a record in every row"))
        if error:
            yield RecordRole.REFUSED, name
        elif has_vector:
            yield RecordRole.ROW, name


def _csv_rows(table: Path, columns: Columns) -> Iterator[tuple[RecordRole, str]]:
    for row in _csv_records(table, columns.record):
        missing = columns.feature in row and not row[columns.feature]
        if row.get(columns.error):
            yield RecordRole.REFUSED, row[columns.record]
        elif not missing:
            yield RecordRole.ROW, row[columns.record]


def _csv_records(path: Path, column: str) -> Iterator[dict[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            _require_column(path, column, rows.fieldnames or ())
            for row in rows:
                if row[column] is None or None in row or None in row.values():
                    got = f"line {rows.line_num} with another number of values than the header"
                    raise ParameterError(Problem(str(path), got, "a value for every column"))
                yield row
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(misfit(path, FileFormat.LIST, str(error), "a CSV file with a header")) from error


def _require_column(path: Path, column: str, names: Any) -> None:
    if column not in names:
        got = f"the columns {', '.join(map(str, names))[:200] or 'none'}"
        expected, remedy = f"a column {column}", "name it with --record-column"
        if path.is_dir() or format_of(path) in (FileFormat.PARQUET, FileFormat.TABLE):
            raise ParameterError(Problem(str(path), got, expected, remedy))
        raise ParameterError(replace(misfit(path, FileFormat.LIST, got, expected), remedy=remedy))


def refused_in(failures: Path) -> Iterator[str]:
    """Give the records of a list of failures.

    Args:
        failures: a CSV file with a column ``path``, as folder runs write it beside their table.

    Yields:
        Names.

    Raises:
        ParameterError: it is no such list.
    """
    yield from (row["path"] for row in _csv_records(failures, "path"))


def listed_sources(listed: Path, column: str = "path") -> Iterator[str]:
    """Give the records of a list: one a line, a CSV file with a header, JSON lines, or Parquet.

    Args:
        listed: the file; a text may separate names by NUL characters instead of lines.
        column: of names, in a CSV file, in JSON lines and in Parquet.

    Yields:
        Names.

    Raises:
        ParameterError: it cannot be read, or has no such column.
    """
    form = format_of(listed)
    if form not in _LISTS:
        raise ParameterError(misfit(listed, FileFormat.LIST, str(form), "a list of sources"))
    if form in (FileFormat.PARQUET, FileFormat.TABLE):
        yield from (name for _, name in rows_of(listed, Columns(column, feature="", error="")))
        return
    try:
        with open(listed, "rb") as file:
            start = file.readline(1 << 20)
        if listed.suffix.lower() == ".csv":
            yield from (row[column] for row in _csv_records(listed, column))
        elif b"\0" in start:
            yield from (os.fsdecode(name) for name in listed.read_bytes().split(b"\0") if name)
        else:
            yield from _lines(listed, column)
    except OSError as error:
        raise ParameterError(misfit(listed, FileFormat.LIST, str(error), "a list of sources")) from error


def _lines(listed: Path, column: str) -> Iterator[str]:
    with open(listed, "rb") as file:
        for line in file:
            text = line.rstrip(b"\r\n")
            if not text.strip():
                continue
            name = None
            if text.startswith(b"{"):
                with suppress(ValueError, AttributeError):
                    name = json.loads(text).get(column)
            yield name if isinstance(name, str) else os.fsdecode(text)
