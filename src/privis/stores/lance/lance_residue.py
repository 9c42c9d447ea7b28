"""The search for erased rows in a LanceDB store: every byte of its files, and what LanceDB itself reads in them.

LanceDB may compress texts in its pages, so every column of every version that is there is read through it, too. Indexes
hold whole vectors; whether theirs can be told is tried on a vector that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.lance.lance_folder import LanceFolder
from privis.stores.lance.lance_tables import LANCE_ERRORS, scanned, versions
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Residue, ResidueSearch

if TYPE_CHECKING:
    from lancedb.table import Table

_HOW = "columns as LanceDB reads them"
_WINDOW = 16  # bytes of a kept vector by which an index is tried


def searched(
    folder: LanceFolder, keys: SubjectKeys | None, residue: Residue, kept: Callable[[], Iterable[VectorRows]]
) -> ResidueSearch:
    """Search a store for what was erased.

    Args:
        folder: of the store.
        keys: its keys; None: it is open.
        residue: what was erased.
        kept: gives the rows that stay.

    Returns:
        Where was searched, and what was found.
    """
    scanner = ResidueScanner(residue)
    scanner.search_folder(folder.place)
    if keys is not None:
        for path in sorted(keys.path.parent.glob(keys.path.name + "*")):
            scanner.search_file(path)
    record = folder.record()
    try:
        for table in versions(folder.place, record.table):
            _search_version(scanner, table, f"{folder.table_path(record.table)} version {table.version}")
    except LANCE_ERRORS as error:
        scanner.not_searched(str(folder.table_path(record.table)), str(error).split("\n")[0][:200])
    _try_indexes(scanner, folder.table_path(record.table), kept)
    return scanner.result(kept)


def _search_version(scanner: ResidueScanner, table: Table, where: str) -> None:
    try:
        for batch in scanned(table, table.schema.names):
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                scanner.search_bytes(f"{where} column {name}", _bytes_of(values), _HOW)
    except LANCE_ERRORS as error:
        scanner.not_searched(where, str(error).split("\n")[0][:200])


def _bytes_of(values: pa.Array) -> bytes:
    if pa.types.is_fixed_size_list(values.type):
        return np.asarray(values.flatten()).tobytes()
    present = [value for value in values.to_pylist() if value is not None]
    if pa.types.is_binary(values.type):
        return b"\n".join(present)
    return "\n".join(map(str, present)).encode("utf-8", "surrogatepass")


def _try_indexes(scanner: ResidueScanner, table: Path, kept: Callable[[], Iterable[VectorRows]]) -> None:
    """Say of an index in which no kept vector is found that it cannot be searched."""
    found = sorted(table.glob("_indices/*/auxiliary.idx"))
    if not found:
        return
    rows = next(iter(kept()), None)
    window = b"" if rows is None else rows.vectors[0].tobytes()[:_WINDOW]
    for path in found:
        if len(window) < _WINDOW or window not in path.read_bytes():
            scanner.not_searched(str(path), "no kept vector is found in it, so an erased one could not be either")
