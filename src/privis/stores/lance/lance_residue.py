"""The search for erased rows in a LanceDB store: every byte of its files, and what LanceDB itself reads in them.

LanceDB may compress texts in its pages, so every column of every version that is there is read through it, too. Indexes
hold whole vectors; whether theirs can be told is tried on a vector that is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.lance.lance_folder import LanceFolder
from privis.stores.lance.lance_tables import LANCE_ERRORS, scanned, versions
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Residue, ResidueSearch

if TYPE_CHECKING:
    from lancedb.table import Table

_HOW = "columns as LanceDB reads them"
_BLOCK = 1 << 24  # bytes of an index that are tried at a time


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
    beginnings = [rows.vectors[:, :2] for rows in kept() if rows.vectors.shape[1] > 1]
    wanted = _pairs(np.concatenate(beginnings).ravel().view("<u4"))[::2] if beginnings else np.empty(0, np.uint64)
    for path in found:
        if not _holds(path, wanted):
            scanner.not_searched(str(path), "no kept vector is found in it, so an erased one could not be either")


def _holds(path: Path, wanted: NDArray[np.uint64]) -> bool:
    """Whether two numbers that follow each other in a file are the first two of a vector."""
    with open(path, "rb") as file:
        for start in range(0, os.path.getsize(path), _BLOCK):
            file.seek(start)
            content = file.read(_BLOCK + 4)
            if np.isin(_pairs(np.frombuffer(content, "<u4", len(content) // 4)), wanted).any():
                return True
    return False


def _pairs(words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    return words[:-1].astype(np.uint64) | words[1:].astype(np.uint64) << np.uint64(32)
