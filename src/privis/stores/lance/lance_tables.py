"""LanceDB's tables: opened, written and read, with its errors told as ours.

Everything goes through a connection to a folder of this machine: LanceDB connects to nothing and sends nothing for that
(``tests/stores/lance/test_lance_network.py`` has the kernel end the process where it would).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from privis.errors import OutputError, ParameterError, Problem
from privis.extras import optional_import
from privis.io.atomic import unwritable

if TYPE_CHECKING:
    from lancedb.expr import Expr
    from lancedb.table import Table

LANCE_ERRORS = (RuntimeError, ValueError, OSError)
"""What LanceDB raises where a file is damaged, gone, or cannot be written; our errors of values are among them."""

ROWS_AT_ONCE = 4096
"""How many rows are read together."""

_END = b"LANC"  # of data files and manifests
_FULL = re.compile(r"[Nn]o space left|os error 28|quota exceeded|os error 122")
_TOO_LARGE = re.compile(r"[Ff]ile too large|os error 27")


def connected(place: Path) -> Any:
    """Connect to the folder of a store; every read then sees the newest version.

    Args:
        place: of the folder.

    Returns:
        LanceDB's connection.

    Raises:
        MissingExtraError: LanceDB is not installed.
    """
    with optional_import("lancedb", "an index in LanceDB"):
        import lancedb

        return lancedb.connect(str(place.absolute()), read_consistency_interval=timedelta(0))


def column(name: str) -> Expr:
    """Name a column in a condition.

    Args:
        name: of the column.

    Returns:
        LanceDB's expression.
    """
    from lancedb.expr import col

    return col(name)


def among(name: str, values: Iterable[str | int]) -> Expr:
    """Ask that a column has one of some values.

    Args:
        name: of the column.
        values: at least one.

    Returns:
        LanceDB's expression, of literals and not of text.
    """
    return column(name).isin(list(values))


def scanned(table: Table, columns: list[str], where: Expr | None = None) -> Iterator[pa.RecordBatch]:
    """Read rows, some thousand at a time.

    Args:
        table: of LanceDB.
        columns: which are read.
        where: which rows; None: all.

    Yields:
        Some rows.
    """
    query = table.search().select(columns)
    if where is not None:
        query = query.where(where)
    yield from query.limit(None).to_batches(batch_size=ROWS_AT_ONCE)


def versions(place: Path, name: str) -> Iterator[Any]:
    """Open every version of a table that is still there, the latest last.

    Args:
        place: folder of the store.
        name: of the table.

    Yields:
        LanceDB's table at one version; versions whose files are partly gone raise only when they are read.
    """
    connection = connected(place)
    for version in sorted(each["version"] for each in connection.open_table(name).list_versions()):
        yield connection.open_table(name, version=version)


def not_written(path: Path, error: Exception) -> OutputError:
    """Say why LanceDB could not write.

    Args:
        path: of what it wrote.
        error: what it raised.

    Returns:
        The error to raise; what was there before is untouched.
    """
    said = str(error)
    for pattern, number in ((_FULL, errno.ENOSPC), (_TOO_LARGE, errno.EFBIG)):
        if pattern.search(said):
            return unwritable(path, OSError(number, {errno.ENOSPC: "no space left"}.get(number, "a file too large")))
    return OutputError(Problem(str(path), _first_line(said), "a table that can be written", "see what it names"))


def damaged(place: Path, name: str, error: Exception) -> ParameterError:
    """Say which file of a table cannot be read, and what of the table can.

    Args:
        place: folder of the store.
        name: of the table.
        error: what LanceDB raised.

    Returns:
        The error to raise.
    """
    top = place / f"{name}.lance"
    if not top.is_dir():
        return ParameterError(Problem(str(top), "no such table", "the table that store.json names", "restore a copy"))
    usable = _usable(place, name)
    named = _named_file(top, str(error))
    return ParameterError(Problem(str(named), _first_line(str(error)), "a table as it was written", usable))


def _usable(place: Path, name: str) -> str:
    """What can be read, in words: rows of the newest version that opens, in runs of whole fragments."""
    try:
        opened = list(versions(place, name))
    except LANCE_ERRORS:
        manifests = len(list((place / f"{name}.lance" / "_versions").glob("*.manifest")))
        return f"no version opens ({manifests} manifests are there): restore a copy"
    for table in reversed(opened):
        try:
            total = table.count_rows()
        except LANCE_ERRORS:
            continue
        readable = _readable_rows(table, total)
        latest = "" if table is opened[-1] else f" as it was at version {table.version}"
        what = "units of sealed rows" if "unit" in table.schema.names else "rows"
        return f"usable are {readable} of its {total} {what}{latest}: restore a copy"
    return "no version can be read: restore a copy"


def _readable_rows(table: Table, total: int) -> int:
    """Rows of fragments that can be read whole: a number of a row begins with that of its fragment."""
    numbers = table.search().with_row_id(True).select(["_rowid"]).limit(None).to_arrow()["_rowid"]
    fragments = np.asarray(numbers, np.uint64) >> 32
    starts = np.flatnonzero(np.diff(fragments, prepend=2**32))
    readable = 0
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), total], strict=True):
        with contextlib.suppress(*LANCE_ERRORS):
            parts = table.search().offset(start).limit(end - start).to_batches(batch_size=ROWS_AT_ONCE)
            readable += sum(part.num_rows for part in parts)
    return readable


def _named_file(top: Path, said: str) -> Path:
    """The file that LanceDB names, or else the first that does not end as its files do."""
    for found in re.findall(r"[\w./%+-]+\.(?:lance|manifest|idx|arrow|bin|txn)", said):
        inside = found.partition(f"{top.name}/")[2]
        if inside:
            return top / inside
    for path in [*sorted(top.glob("data/*.lance")), *sorted(top.glob("_versions/*.manifest"))]:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - len(_END)))
            if file.read() != _END:
                return path
    return top


def _first_line(said: str) -> str:
    return said.split("\n")[0].split(", /")[0][:200].rstrip(" .,;:")
