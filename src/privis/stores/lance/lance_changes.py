"""Changes of a LanceDB store, each whole or not at all, by the one writer that holds its lock.

What begins is written down first. A killed addition is taken back: files that LanceDB wrote without a version that
names them are removed. A killed erasure is done again from its beginning, as every step may be repeated: drop keys,
write a whole new table, put its name into the record, remove every file of the old one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from privis.errors import OutputError, ParameterError, PrivisError, Problem, refuse
from privis.stores.exact_scan import LARGEST
from privis.stores.lance.index_work import KINDS, OPTIMIZE, work_apart
from privis.stores.lance.lance_folder import LanceFolder
from privis.stores.lance.lance_record import BegunChange, LanceRecord
from privis.stores.lance.lance_tables import (
    LANCE_ERRORS,
    among,
    connected,
    damaged,
    not_written,
    scanned,
    versions,
)
from privis.stores.lance.open_rows import held_by, missing_columns, schema_of, table_of, vectors_of, without, write_rows
from privis.stores.lance.sealed_units import UNIT_SCHEMA, UnsealedRows, units_of, unsealed_units, write_units
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Residue
from privis.subjects import subject_ids

if TYPE_CHECKING:
    from lancedb.table import Table

Unsealed = Callable[[LanceRecord, "Table"], UnsealedRows]
"""Gives what a sealed table holds."""

T = TypeVar("T")

_TYPES = {str: "str", int: "int", float: "float", bool: "bool"}
_PARTS = 64  # files of rows that are joined into one


def made_table(
    folder: LanceFolder, record: LanceRecord, name: str, parts: Iterator[pa.RecordBatch] | None = None
) -> None:
    """Make a table of a store, on the disk before this returns.

    Args:
        folder: of the store.
        record: of the store.
        name: of the table, which is not there.
        parts: its rows; None: none.

    Raises:
        OutputError: it cannot be written; nothing is left of it.
    """
    schema = UNIT_SCHEMA if record.sealed else schema_of(record.space.components, record.columns)
    try:
        connection = connected(folder.place)
        if parts is None:
            connection.create_table(name, schema=schema)
        else:
            connection.create_table(name, pa.RecordBatchReader.from_batches(schema, parts), schema=schema)
        folder.flush(name)
    except LANCE_ERRORS as error:
        folder.remove(name)
        if isinstance(error, PrivisError):
            raise
        raise not_written(folder.table_path(name), error) from error


def add_rows(folder: LanceFolder, keys: SubjectKeys | None, rows: VectorRows, unsealed: Unsealed) -> int:
    """Add rows to a store; a row whose id is there takes its place.

    Args:
        folder: of the store; the caller holds its lock.
        keys: its keys; None: it is open.
        rows: what is added.
        unsealed: gives what a sealed table holds.

    Returns:
        How many rows were replaced.

    Raises:
        ParameterError: the rows do not fit into the store, or it is damaged.
        OutputError: a file cannot be written; the store is what it was.
    """
    if not len(rows):
        return 0
    earlier = folder.record()
    record = _fitted(earlier, rows)
    table_of(rows, record.columns)  # whatever cannot be stored is refused before anything changes

    if record != earlier:
        folder.write_record(record)
    if keys is None and len(fields := missing_columns(_opened(folder, record), record.columns)):
        _written(folder, record, lambda table: table.add_columns(fields))

    def added(table: Table) -> int:
        if keys is None:
            return write_rows(table, rows, record.columns)
        return write_units(table, rows, unsealed(record, table), record, keys.draw(rows.subjects))

    replaced = _written(folder, record, added)
    if keys is not None:
        with contextlib.suppress(OutputError):  # the rows are there, and the next change settles their keys
            _settle(folder, record, keys)
    return replaced


def build_index(folder: LanceFolder, kind: str) -> None:
    """Make the approximate index of an open store.

    Args:
        folder: of the store; the caller holds its lock.
        kind: of the index.

    Raises:
        ParameterError: the store is sealed, there is no such kind, or no row.
        OutputError: it cannot be written.
    """
    record, problems = folder.record(), []
    where = str(folder.place)
    if record.sealed:
        problems.append(Problem(where, "a sealed index", "an open one", "a sealed one is searched exactly"))
    if kind not in KINDS:
        problems.append(Problem("build_index kind", repr(kind), " or ".join(KINDS)))
    refuse(ParameterError, problems)

    def built(table: Table) -> None:
        if not table.count_rows():
            raise ParameterError(Problem(where, "no rows", "some to make an index of", "add rows first"))
        work_apart(folder.place, record.table, kind, folder.scratch)
        folder.write_record(replace(record, index=kind))

    _written(folder, record, built)


def _written(folder: LanceFolder, record: LanceRecord, write: Callable[[Table], T]) -> T:
    """Change a table; where that fails, or this process is killed, what LanceDB left of it is removed."""
    table = _opened(folder, record)
    change = BegunChange("write", record.table, table.version, folder.files(record.table))
    folder.begin(change)
    try:
        done = write(table)
        folder.flush(record.table, change.files)
    except LANCE_ERRORS as error:
        _take_back(folder, change)
        if isinstance(error, PrivisError):
            raise
        raise not_written(folder.table_path(record.table), error) from error
    if sum(name.startswith("data/") for name in folder.files(record.table)) > _PARTS:
        with contextlib.suppress(OutputError):  # what was written is there; another time there may be room
            work_apart(folder.place, record.table, OPTIMIZE, folder.scratch)
            folder.flush(record.table, change.files)
    folder.end()
    return done


def _take_back(folder: LanceFolder, change: BegunChange) -> None:
    """Remove what no version names; where LanceDB had made the new version, the change stays whole."""
    if _opened(folder, folder.record()).version == change.version:
        earlier = set(change.files)
        folder.remove(change.table, tuple(name for name in folder.files(change.table) if name not in earlier))
    folder.end()


def _opened(folder: LanceFolder, record: LanceRecord) -> Table:
    try:
        table = connected(folder.place).open_table(record.table)
        table.count_rows()
    except LANCE_ERRORS as error:
        if isinstance(error, PrivisError):
            raise
        raise damaged(folder.place, record.table, error) from error
    return table


def _fitted(record: LanceRecord, rows: VectorRows) -> LanceRecord:
    """The record of a store with these rows, whose new columns it gets."""
    problems, columns = [], dict(record.columns)
    if rows.vectors.shape[1] != record.space.components:
        got = f"{rows.vectors.shape[1]} components"
        problems.append(Problem("VectorRows.vectors", got, f"{record.space.components} of {record.space.words}"))
    elif not (np.abs(rows.vectors) <= LARGEST).all():
        problems.append(Problem("VectorRows.vectors", f"a number beyond {LARGEST:g}", "numbers up to that"))
    for name, values in rows.metadata.items():
        kind = next((_TYPES[type(value)] for value in values if value is not None), None)
        if kind is not None and (columns.setdefault(name, kind), kind) not in ((kind, kind), ("float", "int")):
            problems.append(
                Problem(f"metadata column {name!r}", f"values of type {kind}", f"{columns[name]}, as before")
            )
    refuse(ParameterError, problems)
    longest = float(np.sqrt((rows.vectors.astype(np.float64) ** 2).sum(1).max())) * (1 + 1e-12)
    return replace(record, columns=columns, longest=max(record.longest, longest))


def _settle(folder: LanceFolder, record: LanceRecord, keys: SubjectKeys) -> None:
    """Drop keys that seal nothing in the newest version; keep the others."""
    used: set[int] = set()
    for batch in scanned(_opened(folder, record), ["key"]):
        used.update(batch.column(0).to_pylist())
    keys.settle([number for number in keys.read().numbers.tolist() if number not in used])


def erase_subjects(folder: LanceFolder, keys: SubjectKeys | None, subjects: Sequence[str]) -> Residue:
    """Erase people: written down first, then their keys are dropped, then the table is written anew.

    Args:
        folder: of the store; the caller holds its lock.
        keys: its keys; None: it is open.
        subjects: ids of people who have rows, or had some in a version that is still there.

    Returns:
        What their rows looked like.

    Raises:
        ParameterError: somebody has no rows, or the table is damaged; nobody is erased.
        OutputError: a file cannot be written; what is begun is finished by the next change or opening.
    """
    names, record = tuple(dict.fromkeys(subject_ids(subjects))), folder.record()
    if not names:
        return Residue(np.empty((0, record.space.components), np.float32), (), ())
    try:
        found = _open_residue(folder, record, names) if keys is None else _sealed_residue(folder, record, keys, names)
        residue, change, known = found
        remedy = "list the people of the index; who was erased before is not among them"
        unknown = [name for name in names if name not in known]
        refuse(
            ParameterError,
            [Problem(f"subject {name!r}", "no rows", "somebody in the index", remedy) for name in unknown],
        )
        for part in _kept(_opened(folder, record), change, record):
            del part  # all that has to be written again is read, so that damage is found before a key is dropped
    except LANCE_ERRORS as error:
        if isinstance(error, PrivisError):
            raise
        raise damaged(folder.place, record.table, error) from error
    folder.begin(change)
    finish_erasure(folder, keys, change)
    return residue


def _open_residue(
    folder: LanceFolder, record: LanceRecord, names: tuple[str, ...]
) -> tuple[Residue, BegunChange, set[str]]:
    vectors, texts, known = [np.empty((0, record.space.components), np.float32)], dict.fromkeys(names), set()
    for batch in held_by(versions(folder.place, record.table), names):
        if batch.num_rows:
            vectors.append(vectors_of(batch))
            texts |= dict.fromkeys([*batch.column("id").to_pylist(), *batch.column("source").to_pylist()])
            known |= set(batch.column("subject").to_pylist())
    residue = Residue(np.unique(np.concatenate(vectors), axis=0), (), tuple(texts))
    return residue, BegunChange("erase", record.table, subjects=names), known


def _sealed_residue(
    folder: LanceFolder, record: LanceRecord, keys: SubjectKeys, names: tuple[str, ...]
) -> tuple[Residue, BegunChange, set[str]]:
    ring = keys.read()
    places = ring.places_of(names)
    numbers = tuple(sorted(ring.numbers[places[places >= 0]].tolist()))
    known = {name for name, place in zip(names, places, strict=True) if place >= 0}
    if not numbers:
        nothing = Residue(np.empty((0, record.space.components), np.float32), (), names)
        return nothing, BegunChange("erase", record.table), known
    units = units_of(versions(folder.place, record.table), numbers)
    vectors, held = unsealed_units(units, record, ring)
    residue = Residue(
        np.unique(vectors, axis=0), tuple(units["sealed"].to_pylist()), tuple(dict.fromkeys([*names, *held]))
    )
    return residue, BegunChange("erase", record.table, keys=numbers), known


def _kept(table: Table, change: BegunChange, record: LanceRecord) -> Iterator[pa.RecordBatch]:
    """Rows of everybody else."""
    others = ~among("key", change.keys) if record.sealed else without(change.subjects)
    schema = UNIT_SCHEMA
    if not record.sealed:
        there = set(table.schema.names)
        columns = {name: kind for name, kind in record.columns.items() if name in there}
        schema = schema_of(record.space.components, columns)
    for batch in scanned(table, schema.names, others):
        yield batch.select(schema.names).cast(schema) if batch.schema != schema else batch


def finish_erasure(folder: LanceFolder, keys: SubjectKeys | None, change: BegunChange) -> None:
    """Do what a begun erasure says, from its beginning: every step may have been done before.

    Args:
        folder: of the store; the caller holds its lock.
        keys: its keys; None: it is open.
        change: the erasure.

    Raises:
        ParameterError: the table is damaged.
        OutputError: a file cannot be written; the erasure stays begun.
    """
    record = folder.record()
    if keys is not None:
        keys.drop(change.keys)
    if record.table == change.table:  # the new one does not count yet
        new = replace(record, table=record.next_table)
        folder.remove(new.table)
        table = _opened(folder, record)
        if not record.sealed:  # of an addition that was killed between two steps some may be missing
            there = set(table.schema.names)
            new = replace(new, columns={name: kind for name, kind in new.columns.items() if name in there})
        made_table(folder, new, new.table, _kept(table, change, new))
        if new.index is not None and _opened(folder, new).count_rows():
            work_apart(folder.place, new.table, str(new.index), folder.scratch)
            folder.flush(new.table)
        elif new.index is not None:
            new = replace(new, index=None)
        folder.write_record(new)
    folder.remove(change.table)
    folder.sweep(folder.record().table)
    if keys is not None:
        _settle(folder, folder.record(), keys)
    folder.end()


def finish(folder: LanceFolder, keys: SubjectKeys | None) -> None:
    """Finish what a killed writer began, or take it back.

    Args:
        folder: of the store; the caller holds its lock.
        keys: its keys; None: it is open.

    Raises:
        ParameterError: a file that is needed is damaged.
        OutputError: a file cannot be written.
    """
    begun = folder.begun()
    if begun is not None and begun.work == "erase":
        finish_erasure(folder, keys, begun)
    elif begun is not None:
        _take_back(folder, begun)
    record = folder.record()
    folder.sweep(record.table)
    if keys is not None and keys.unsettled():
        _settle(folder, record, keys)


def is_unfinished(folder: LanceFolder, keys: SubjectKeys | None) -> bool:
    """Tell whether a killed writer left something; one that is at work looks the same.

    Args:
        folder: of the store.
        keys: its keys; None: it is open.

    Returns:
        Whether `finish` has something to do.
    """
    left = folder.change_path.exists() or bool(folder.strays(folder.record().table))
    return left or (keys is not None and bool(keys.unsettled()))
