"""Rows of a store that LanceDB cannot read: rows of one person are sealed together, as one value of LanceDB's table.

======================  ============================================================================
column                  what it holds, by unit
======================  ============================================================================
``unit`` (int64)        a random number, drawn when it was sealed
``key`` (int64)         the random number of the person's key
``rows`` (int32)        how many rows are sealed together
``sealed`` (binary)     see `privis.stores.sealing.sealed_rows`
======================  ============================================================================

Associated data are the store's id, the identity of the space, unit, key and rows: a unit cannot be moved unseen. What
is searched is in this process's memory only: vectors as float32, and their codes.

Evolution: the record of the store names the format; a table with other columns is refused.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidTag
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.stores.conditions import fitting
from privis.stores.exact_scan import ExactScan
from privis.stores.lance.lance_record import LanceRecord
from privis.stores.lance.lance_tables import among, scanned
from privis.stores.lance.open_rows import ARROW_TYPES, FoundRows
from privis.stores.sealing.key_ring import KeyRing
from privis.stores.sealing.sealed_rows import packed, seal, texts_of_blocks, unseal
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition

if TYPE_CHECKING:
    from lancedb.table import Table

UNIT_SCHEMA = pa.schema(
    [
        pa.field("unit", pa.int64(), nullable=False),
        pa.field("key", pa.int64(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("sealed", pa.binary(), nullable=False),
    ]
)

_UNIT = 1 << 16  # bytes of the vectors of a unit, at most: what is sealed anew where a row of it is replaced
_ROWS_AT_ONCE = 1 << 14
_FIXED = ("id", "subject", "source")


@dataclass(frozen=True, eq=False)
class UnsealedRows:
    """What a sealed table holds, in memory; rows lie in the order in which they were added.

    Args:
        units: int64 (rows,), the unit of each row.
        keys: int64 (rows,), the number of its key.
        vectors: float32 (rows, components).
        scan: codes of the vectors.
        columns: ids, subjects, sources and metadata by name, an entry per row.
    """

    units: NDArray[np.int64]
    keys: NDArray[np.int64]
    vectors: NDArray[np.float32] = field(repr=False)
    scan: ExactScan = field(repr=False)
    columns: Mapping[str, pa.ChunkedArray] = field(repr=False)

    @classmethod
    def none(cls, record: LanceRecord) -> UnsealedRows:
        """Begin with nothing.

        Args:
            record: of the store.

        Returns:
            No rows.
        """
        nothing, vectors = np.empty(0, np.int64), np.empty((0, record.space.components), np.float32)
        columns = {name: pa.chunked_array([], pa.string()) for name in _FIXED}
        return cls(nothing, nothing, vectors, ExactScan.of(vectors), columns)

    def refreshed(self, table: Table, record: LanceRecord, ring: KeyRing) -> UnsealedRows:
        """Read what is new, and leave out what is gone or has no key any more.

        Args:
            table: of LanceDB.
            record: of the store.
            ring: keys of the store.

        Returns:
            The rows as they are now.

        Raises:
            ParameterError: units are damaged.
        """
        listed = pa.Table.from_batches(scanned(table, ["unit", "key"]), pa.schema([UNIT_SCHEMA[0], UNIT_SCHEMA[1]]))
        units, keys = (np.asarray(listed[name], np.int64) for name in ("unit", "key"))
        units = units[ring.places(keys) >= 0]
        kept, new = np.isin(self.units, units), units[~np.isin(units, self.units)]
        if kept.all() and not len(new):
            return self._with(record.columns, len(self.units))
        rest = UnsealedRows(
            self.units[kept],
            self.keys[kept],
            self.vectors[kept],
            self.scan.kept(kept),
            {name: values.filter(pa.array(kept)) for name, values in self.columns.items()},
        )
        return rest._with_units(table, new, record, ring) if len(new) else rest._with(record.columns, int(kept.sum()))

    def _with(self, columns: Mapping[str, str], rows: int) -> UnsealedRows:
        """Add columns that are not there, without a value."""
        missing = {name: kind for name, kind in columns.items() if name not in self.columns}
        if not missing:
            return self
        empty = {name: pa.chunked_array([pa.nulls(rows, ARROW_TYPES[kind])]) for name, kind in missing.items()}
        return UnsealedRows(self.units, self.keys, self.vectors, self.scan, {**self.columns, **empty})

    def _with_units(self, table: Table, new: NDArray[np.int64], record: LanceRecord, ring: KeyRing) -> UnsealedRows:
        read = _Reading(record, ring)
        whole = not len(self.units)  # then the filter would only cost time
        for batch in scanned(table, UNIT_SCHEMA.names, None if whole else among("unit", new.tolist())):
            read.add(batch)
        units, keys, vectors, columns = read.done()
        earlier = self._with(record.columns, len(self.units))
        return UnsealedRows(
            np.concatenate([earlier.units, units]),
            np.concatenate([earlier.keys, keys]),
            np.concatenate([earlier.vectors, vectors]),
            earlier.scan.appended(vectors),
            {
                name: pa.chunked_array([*values.chunks, columns[name]], values.type)
                for name, values in earlier.columns.items()
            },
        )

    def __len__(self) -> int:
        return len(self.units)

    def nearest(
        self, queries: NDArray[np.float64], top: int, where: Sequence[Condition], record: LanceRecord
    ) -> list[FoundRows]:
        """Find the rows with the largest inner products, exactly.

        Args:
            queries: (queries, components).
            top: how many are wanted.
            where: conditions on the rows.
            record: of the store.

        Returns:
            By query; of equal rows the earlier one.
        """
        allowed = self._fitting(where) if where else None
        found = self.scan.search(queries, top, self.vectors.__getitem__, allowed)
        made = []
        for rows, scores in zip(found.rows, found.scores, strict=True):
            taken = pa.array(rows)
            ids = tuple(self.columns["id"].take(taken).to_pylist())
            values = [self.columns[name].take(taken).to_pylist() for name in record.columns]
            entries = zip(*values, strict=True) if values else ((),) * len(ids)
            made.append(FoundRows(ids, scores, tuple(dict(zip(record.columns, one, strict=True)) for one in entries)))
        return made

    def _fitting(self, where: Sequence[Condition]) -> NDArray[np.bool_]:
        asked = {each.column for each in where} & self.columns.keys()
        return fitting(where, {name: self.columns[name].combine_chunks() for name in asked}, len(self))

    def rows(self, where: Sequence[Condition], record: LanceRecord) -> Iterator[VectorRows]:
        """Give rows, some thousand at a time.

        Args:
            where: conditions on them.
            record: of the store.

        Yields:
            Some rows.
        """
        places = np.flatnonzero(self._fitting(where)) if where else np.arange(len(self))
        for start in range(0, len(places), _ROWS_AT_ONCE):
            yield self.at(places[start : start + _ROWS_AT_ONCE], record)

    def at(self, places: NDArray[np.int64], record: LanceRecord) -> VectorRows:
        """Give rows by their places.

        Args:
            places: int64, of any length.
            record: of the store.

        Returns:
            The rows.
        """
        taken = pa.array(places)
        texts_of = {name: tuple(values.take(taken).to_pylist()) for name, values in self.columns.items()}
        metadata = {name: texts_of[name] for name in record.columns}
        fixed = (texts_of[name] for name in _FIXED)
        return VectorRows(*fixed, self.vectors[places], metadata)


class _Reading:
    """Units that are unsealed one after another."""

    def __init__(self, record: LanceRecord, ring: KeyRing) -> None:
        self.record, self.ring = record, ring
        self.units: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self.keys: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self.vectors = [np.empty((0, record.space.components), np.float32)]
        self.lists: dict[str, list[Any]] = {name: [] for name in (*_FIXED, *record.columns)}
        self.damaged = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Unseal the units of ``batch`` whose keys are there."""
        units, keys, counts = (np.asarray(batch.column(place), np.int64).tolist() for place in range(3))
        places = self.ring.places(np.array(keys, np.int64))
        present = np.flatnonzero(places >= 0)
        sealed, contents, whole, people = batch.column(3).take(pa.array(present)).to_pylist(), [], [], []
        components = self.record.space.components
        for blob, row, name in zip(sealed, present.tolist(), self.ring.subjects(places[present]), strict=True):
            associated = _associated(self.record, units[row], keys[row], counts[row])
            try:
                contents.append(unseal(self.ring.cipher(int(places[row])), blob, associated))
            except (InvalidTag, ValueError):
                self.damaged += counts[row]
                continue
            whole.append(row)
            people += [name] * counts[row]
        rows = [counts[row] for row in whole]
        digests, told = texts_of_blocks(contents, rows, components)
        parts = [np.frombuffer(content, "<f4", n * components) for content, n in zip(contents, rows, strict=True)]
        self.vectors.append(np.concatenate([np.empty(0, np.float32), *parts]).reshape(-1, components))
        self.units.append(np.repeat(np.array([units[row] for row in whole], np.int64), rows))
        self.keys.append(np.repeat(np.array([keys[row] for row in whole], np.int64), rows))
        self.lists["subject"] += people
        self.lists["source"] += digests
        for one, count in zip(told, rows, strict=True):
            self.lists["id"] += one["ids"]
            for column in self.record.columns:
                self.lists[column] += one["columns"].get(column) or [None] * count

    def done(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], dict[str, pa.Array]]:
        """Units, keys, vectors and columns of all rows; ParameterError where some are damaged."""
        read = sum(map(len, self.units))
        if self.damaged:
            got = f"{self.damaged:,} of {self.damaged + read:,} sealed rows that are damaged"
            remedy = f"usable are the other {read:,}: restore a copy of the folder"
            where = f"{self.record.table}.lance"
            raise ParameterError(Problem(where, got, "rows as they were sealed, and their keys", remedy))
        types = {**dict.fromkeys(_FIXED, "str"), **self.record.columns}
        columns = {name: pa.array(values, ARROW_TYPES[types[name]]) for name, values in self.lists.items()}
        return np.concatenate(self.units), np.concatenate(self.keys), np.concatenate(self.vectors), columns


def sealed_table(rows: VectorRows, record: LanceRecord, ring: KeyRing) -> pa.Table:
    """Seal rows, those of a person together.

    Args:
        rows: that are written.
        record: of the store.
        ring: a key of every subject.

    Returns:
        Units, as a table of `UNIT_SCHEMA`.
    """
    places = ring.places_of(rows.subjects)
    order = np.argsort(places, kind="stable")
    most = max(1, _UNIT // (4 * record.space.components))
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    made: list[tuple[int, int, int, bytes]] = []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        place = int(places[order[start]])
        key, cipher = int(ring.numbers[place]), ring.cipher(place)
        for first in range(start, end, most):
            taken = order[first : min(first + most, end)]
            columns = {name: [values[row] for row in taken] for name, values in rows.metadata.items()}
            sources, ids = [rows.sources[row] for row in taken], [rows.ids[row] for row in taken]
            unit = secrets.randbits(63)
            associated = _associated(record, unit, key, len(taken))
            content = packed(rows.vectors[taken], sources, ids, columns)
            made.append((unit, key, len(taken), seal(cipher, content, associated)))
    return pa.table([list(values) for values in zip(*made, strict=True)], schema=UNIT_SCHEMA)


def write_units(table: Table, rows: VectorRows, there: UnsealedRows, record: LanceRecord, ring: KeyRing) -> int:
    """Add rows in one version of the table; those whose ids are there take their places.

    Args:
        table: of LanceDB.
        rows: that are added.
        there: what the table holds.
        record: of the store.
        ring: a key of every subject.

    Returns:
        How many were replaced.
    """
    replaced = np.asarray(pc.is_in(there.columns["id"], value_set=pa.array(rows.ids)), np.bool_)
    if not replaced.any():
        table.add(sealed_table(rows, record, ring))
        return 0
    touched = np.unique(there.units[replaced])
    rest = np.flatnonzero(np.isin(there.units, touched) & ~replaced)
    parts = [sealed_table(rows, record, ring)]
    if len(rest):
        parts.append(sealed_table(there.at(rest, record), record, ring))
    merge = table.merge_insert("unit").when_not_matched_insert_all()
    merge.when_not_matched_by_source_delete(among("unit", touched.tolist())).execute(pa.concat_tables(parts))
    return int(replaced.sum())


def units_of(opened: Iterator[Table], keys: Sequence[int]) -> pa.Table:
    """Read the units of some keys in every version that is still there.

    Args:
        opened: the versions.
        keys: numbers of the keys.

    Returns:
        The units, each once.
    """
    found: dict[int, dict[str, Any]] = {}
    for table in opened:
        for batch in scanned(table, UNIT_SCHEMA.names, among("key", list(keys))):
            found |= {each["unit"]: each for each in batch.to_pylist()}
    return pa.Table.from_pylist(list(found.values()), UNIT_SCHEMA)


def unsealed_units(units: pa.Table, record: LanceRecord, ring: KeyRing) -> tuple[NDArray[np.float32], list[str]]:
    """Read what units seal.

    Args:
        units: of `units_of`.
        record: of the store.
        ring: their keys.

    Returns:
        Vectors, and the ids and digests of their files.

    Raises:
        ParameterError: some are damaged.
    """
    read = _Reading(record, ring)
    for batch in units.to_batches():
        read.add(batch)
    _, _, vectors, columns = read.done()
    return vectors, [*columns["id"].to_pylist(), *columns["source"].to_pylist()]


def _associated(record: LanceRecord, unit: int, key: int, rows: int) -> bytes:
    return bytes.fromhex(record.store_id) + record.space.identity + struct.pack("<qqi", unit, key, rows)
