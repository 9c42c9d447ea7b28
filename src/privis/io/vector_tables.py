"""Tables of vectors that any tool wrote: numbers, and columns that say whose each row is.

=========  =====================================================================================================
suffix     what are the vectors
=========  =====================================================================================================
.parquet   the one column of lists of numbers; without one all columns of numbers
.npz       the one array of two axes; arrays of one axis are columns
.csv       all columns, as the first line names them, but those that are ids or left out
=========  =====================================================================================================

Tables of Privis (`privis.io.tables`) are known by their content, and have the one column ``path``.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import MissingExtraError, ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit
from privis.io import tables
from privis.io.listed_vectors import ListedVectors, numbers

PATH = "path"
"""The column of a table of Privis."""
_FOREIGN = (FileFormat.ARRAYS, FileFormat.PARQUET, FileFormat.LIST, FileFormat.ZIP, FileFormat.UNKNOWN)
"""What a table of another tool may look like; anything else is a file of Privis, a picture, or nothing to read."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMERIC = re.compile(r"u?int\d+|float|double|halffloat|bool")
_SHOWN = 12
_BATCH_ROWS = 1 << 11
_BUFFER = 1 << 20
"""Bytes read of a column at a time: without it a whole row group is held beside the matrix."""


@dataclass(frozen=True, eq=False)
class VectorTable:
    """``values``, (n, d) as they were written, the ``names`` of their components and the id ``columns`` asked for.

    ``metadata`` is that of a table of Privis; None of any other.
    """

    values: NDArray[Any]
    names: tuple[str, ...]
    columns: Mapping[str, tuple[Any, ...]]
    metadata: Mapping[str, str] | None


def read_vectors(path: Path, ids: Sequence[str] = (), leave_out: Sequence[str] = ()) -> VectorTable:
    """Read a table of vectors.

    Args:
        path: a file that ends in .parquet, .npz or .csv.
        ids: columns that say whose rows are; in a table of Privis ``path`` alone.
        leave_out: columns that are no part of the vectors.

    Returns:
        Vectors, names and the columns ``ids``.

    Raises:
        ParameterError: no such file, another format, a damaged one, columns that are missing or no numbers.
        MissingExtraError: Parquet without a working pyarrow.
    """
    found = format_of(path)
    if found is FileFormat.TABLE:
        return _of_privis(path, ids, leave_out)
    reader = _READERS.get(path.suffix.lower())
    if reader is None or found not in _FOREIGN:
        expected = "a table: one of .parquet, .npz, .csv"
        raise ParameterError(misfit(path, FileFormat.TABLE, repr(path.suffix or "no suffix"), expected))
    try:
        return reader(path, tuple(dict.fromkeys(ids)), frozenset(leave_out))
    except (ParameterError, MissingExtraError):
        raise
    except Exception as error:  # whatever a damaged or hostile file does to its reader
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise ParameterError(misfit(path, FileFormat.TABLE, reason, "a table of vectors")) from error


def _of_privis(path: Path, ids: Sequence[str], leave_out: Sequence[str]) -> VectorTable:
    table = tables.read(path)
    others = [name for name in (*ids, *leave_out) if name != PATH]
    if others:
        got = f"a table of privis, with the column {PATH} alone"
        raise ParameterError(Problem(str(path), got, f"also {' and '.join(dict.fromkeys(others))}"))
    return VectorTable(table.features, table.names, {PATH: table.paths}, table.metadata)


def _check_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse names that come twice, and columns that are not there."""
    twice = [name for name in dict.fromkeys(found) if found.count(name) > 1]
    problems = [Problem(str(path), f"the column {name!r} more than once", "names of their own") for name in twice]
    shown = ", ".join(found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
    missing = [name for name in wanted if name not in found]
    problems += [Problem(str(path), f"the columns {shown}", f"also {name}") for name in missing]
    refuse(ParameterError, problems)


def _no_numbers(path: Path, name: str, got: str) -> Problem:
    remedy = f"--leave-out {name}, if it is no part of the vectors"
    return Problem(f"{path}, column {name}", got, "numbers", remedy)


def _csv(path: Path, ids: tuple[str, ...], leave_out: frozenset[str]) -> VectorTable:
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        _check_columns(path, header, (*ids, *leave_out))
        listed, problems = [], []
        for row in rows:
            if len(row) == len(header):
                listed.append(row)
            elif row:  # a line with nothing on it is no row
                got = f"{len(row)} values"
                problems.append(Problem(f"{path}, line {rows.line_num}", got, f"{len(header)}, one per column"))
    parts = [name for name in header if name not in ids and name not in leave_out]
    refuse(ParameterError, problems[:_SHOWN])
    places = {name: header.index(name) for name in header}
    values = np.full((len(listed), len(parts)), np.nan)
    for number, name in enumerate(parts):
        cells = [row[places[name]].strip() for row in listed]
        wrong = next((cell for cell in cells if cell and not _NUMBER.fullmatch(cell) and not _not_finite(cell)), None)
        if wrong is not None:
            problems.append(_no_numbers(path, name, repr(wrong)))
        else:
            values[:, number] = [float(cell) if cell else np.nan for cell in cells]
    refuse(ParameterError, problems[:_SHOWN])
    return VectorTable(values, tuple(parts), {name: tuple(row[places[name]] for row in listed) for name in ids}, None)


def _not_finite(cell: str) -> bool:
    """What is read as a number, and refused for the row that it is in."""
    return cell.lower().lstrip("+-") in ("nan", "inf", "infinity")


def _npz(path: Path, ids: tuple[str, ...], leave_out: frozenset[str]) -> VectorTable:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as members:
            arrays = {name: members[name] for name in members.files if name not in leave_out}
    except zipfile.BadZipFile as error:
        raise ParameterError(misfit(path, FileFormat.TABLE, str(error), "an npz file of arrays")) from error
    _check_columns(path, tuple(arrays), ids)
    wide = [name for name, array in arrays.items() if array.ndim == 2]
    if len(wide) != 1:
        got = f"the arrays {', '.join(wide)} of two axes" if wide else "no array of two axes"
        raise ParameterError(Problem(str(path), got, "one, with a row per vector", "--leave-out NAME of all others"))
    values = arrays[wide[0]]
    problems = [
        Problem(f"{path}, {name}", f"shape {arrays[name].shape}", f"({len(values)},), one per row")
        for name in ids
        if arrays[name].shape != (len(values),)
    ]
    refuse(ParameterError, problems)
    names = tuple(f"{wide[0]}_{number}" for number in range(values.shape[1]))
    return VectorTable(values, names, {name: tuple(arrays[name].tolist()) for name in ids}, None)


def _parquet(path: Path, ids: tuple[str, ...], leave_out: frozenset[str]) -> VectorTable:
    arrow = tables.pyarrow_module()
    with arrow.parquet.ParquetFile(path, buffer_size=_BUFFER) as file:
        schema = file.schema_arrow
        found = tuple(schema.names)
        _check_columns(path, found, (*ids, *leave_out))
        parts = [name for name in found if name not in ids and name not in leave_out]
        lists = [name for name in parts if _is_list(schema.field(name).type)]
        if len(lists) > 1:
            got, remedy = f"the columns {', '.join(lists)} of lists", "--leave-out NAME of all others"
            raise ParameterError(Problem(str(path), got, "one, with a vector per row", remedy))
        if not lists:
            kinds = {name: str(schema.field(name).type) for name in parts}
            wrong = [_no_numbers(path, name, kind) for name, kind in kinds.items() if not _NUMERIC.fullmatch(kind)]
            refuse(ParameterError, wrong[:_SHOWN])
        vectors = ListedVectors(f"{path}, column {lists[0]}", file.metadata.num_rows) if lists else None
        values = np.empty((0, 0) if lists else (file.metadata.num_rows, len(parts)))
        columns: dict[str, list[Any]] = {name: [] for name in ids}
        start = 0
        wanted = [*ids, *(lists or parts)]  # read by one thread: each of several keeps memory of its own
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted, use_threads=False):
            for name in ids:
                columns[name] += batch.column(name).to_pylist()
            if vectors is not None:
                vectors.add(batch.column(lists[0]))
            else:
                for number, name in enumerate(parts):
                    values[start : start + len(batch), number] = numbers(batch.column(name))
            start += len(batch)
    arrow.default_memory_pool().release_unused()
    kept = {name: tuple(column) for name, column in columns.items()}
    if vectors is None:
        return VectorTable(values, tuple(parts), kept, None)
    values = vectors.matrix()
    width = values.shape[1] if values.ndim == 2 else 0
    return VectorTable(values, tuple(f"{lists[0]}_{number}" for number in range(width)), kept, None)


def _is_list(kind: Any) -> bool:
    return str(kind).startswith(("list<", "fixed_size_list<", "large_list<"))


_READERS: Mapping[str, Callable[[Path, tuple[str, ...], frozenset[str]], VectorTable]] = {
    ".csv": _csv,
    ".npz": _npz,
    ".parquet": _parquet,
}
