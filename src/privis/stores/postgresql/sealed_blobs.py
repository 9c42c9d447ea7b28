"""Rows that the server cannot read: of each subject and each addition one blob, sealed under the subject's key.

Whoever has the keys reads all blobs once, and of later changes only those that are new; searches run here. A blob is
bound to its place: store, fragment, key and space are its associated data.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.stores.conditions import fitting
from privis.stores.exact_scan import ExactScan
from privis.stores.postgresql.postgresql_tables import StoreRow, read_store
from privis.stores.sealing import KeyRing, SubjectKeys, packed, seal, unseal
from privis.stores.sealing.sealed_rows import texts
from privis.stores.vector_rows import Value, VectorRows
from privis.stores.vector_store import Condition, SearchResult

if TYPE_CHECKING:
    from psycopg import Connection

_ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_SHOWN = 3

Place = tuple[int, int]
"""Fragment, and number of the key."""


@dataclass(frozen=True, eq=False)
class SealedPart:
    """Rows of one blob.

    Args:
        ids: of the images.
        sources: SHA-256 of each image's file, hexadecimal.
        vectors: float32 (rows, components).
        metadata: values by column.
        subject: whose they are; empty where the blob is yet to be written.
    """

    ids: Sequence[str] = field(repr=False)
    sources: Sequence[str] = field(repr=False)
    vectors: NDArray[np.float32] = field(repr=False)
    metadata: Mapping[str, Sequence[Value]] = field(repr=False)
    subject: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class SealedRows:
    """What was read of all blobs, in the order of the rows.

    Args:
        parts: rows of each blob by its place.
        columns: types of the metadata.
    """

    parts: Mapping[Place, SealedPart] = field(default_factory=dict, repr=False)
    columns: Mapping[str, str] = field(default_factory=dict)

    def joined(self, components: int) -> VectorRows:
        """Put the rows of all blobs into one table, by the numbers of their fragments.

        Args:
            components: of a vector.

        Returns:
            One table of them.
        """
        held = [self.parts[place] for place in sorted(self.parts)]
        vectors = np.concatenate([np.empty((0, components), np.float32), *(each.vectors for each in held)])
        metadata = {
            name: tuple(value for each in held for value in each.metadata.get(name, (None,) * len(each.ids)))
            for name in self.columns
        }
        ids, sources = (tuple(text for each in held for text in getattr(each, name)) for name in ("ids", "sources"))
        subjects = tuple(each.subject for each in held for _ in each.ids)
        return VectorRows(ids, subjects, sources, vectors, metadata)


@dataclass(frozen=True, eq=False)
class SealedIndex:
    """All rows of a store, ready to be searched.

    Args:
        rows: what was read.
        table: all of them.
        scan: codes of their vectors.
    """

    rows: SealedRows
    table: VectorRows = field(repr=False)
    scan: ExactScan = field(repr=False)

    @classmethod
    def of(cls, rows: SealedRows, components: int) -> SealedIndex:
        """Code the vectors of what was read, for searches.

        Args:
            rows: what was read.
            components: of a vector.

        Returns:
            The index.
        """
        table = rows.joined(components)
        return cls(rows, table, ExactScan.of(table.vectors))

    def values(self) -> dict[str, pa.Array]:
        """Columns, for conditions.

        Returns:
            Arrow's arrays by column.
        """
        fixed = {"id": self.table.ids, "subject": self.table.subjects, "source": self.table.sources}
        made = {name: pa.array(values, pa.string()) for name, values in fixed.items()}
        for name, kind in self.rows.columns.items():
            made[name] = pa.array(self.table.metadata[name], _ARROW[kind])
        return made

    def chosen(self, places: NDArray[np.int64]) -> VectorRows:
        """Take rows by their numbers.

        Args:
            places: which.

        Returns:
            They.
        """
        table = self.table
        ids, subjects, sources = (
            tuple(texts[place] for place in places) for texts in (table.ids, table.subjects, table.sources)
        )
        metadata = {name: tuple(values[place] for place in places) for name, values in table.metadata.items()}
        return VectorRows(ids, subjects, sources, table.vectors[places], metadata)

    def counts(self) -> dict[str, int]:
        """Rows of each subject.

        Returns:
            Counts by subject, ordered by subject.
        """
        return dict(sorted(Counter(self.table.subjects).items()))

    def search(self, queries: NDArray[np.float64], top: int, where: Sequence[Condition]) -> SearchResult:
        """Find the most similar rows.

        Args:
            queries: (queries, components), finite.
            top: how many are wanted.
            where: conditions that `check_conditions` let through.

        Returns:
            Rows and scores, exact.
        """
        allowed = fitting(where, self.values(), len(self.table)) if where else None
        found = self.scan.search(queries, top, self.table.vectors.__getitem__, allowed)
        ids = tuple(tuple(self.table.ids[row] for row in rows) for rows in found.rows)
        metadata = tuple(
            tuple({name: values[row] for name, values in self.table.metadata.items()} for row in rows)
            for rows in found.rows
        )
        return SearchResult(ids, tuple(found.scores), metadata)


def places_of(connection: Connection[Any], schema: str) -> set[Place]:
    """Which blobs are there.

    Args:
        connection: to the server.
        schema: of the store.

    Returns:
        Their places.
    """
    from psycopg.sql import SQL, Identifier

    query = SQL("SELECT fragment, key FROM {}.images").format(Identifier(schema))
    return {(int(fragment), int(key)) for fragment, key in connection.execute(query).fetchall()}


def read_sealed(
    connection: Connection[Any], schema: str, store: StoreRow, keys: SubjectKeys, known: SealedRows
) -> SealedRows:
    """Read what is new, and forget what is gone.

    Args:
        connection: to the server.
        schema: of the store.
        store: what it is.
        keys: of its subjects.
        known: what was read before.

    Returns:
        All rows. Those whose erasure was begun are left out.

    Raises:
        ProtocolError: blobs are damaged, or their keys are not there.
    """
    from psycopg.sql import SQL, Identifier

    there = {place for place in places_of(connection, schema) if place[1] not in store.erasing}
    if there == known.parts.keys() and store.columns == known.columns:
        return known
    parts = {place: rows for place, rows in known.parts.items() if place in there}
    if new := sorted(there - parts.keys()):
        ring = keys.read()
        query = SQL("SELECT fragment, key, images, sealed FROM {}.images WHERE fragment = ANY(%s::bigint[])").format(
            Identifier(schema)
        )
        unread: dict[Place, str] = {}
        with connection.cursor(binary=True) as cursor:
            for fragment, key, images, sealed in cursor.execute(query, ([fragment for fragment, _ in new],)):
                place = (int(fragment), int(key))
                try:
                    parts[place] = _unsealed(ring, place, images, sealed, store)
                except KeyError:
                    unread[place] = "no key for it"
                except (InvalidTag, ValueError):
                    unread[place] = "a damaged blob, or one of another place"
        if unread:  # an erasure that was begun meanwhile is no damage
            erasing = read_store(connection, schema).erasing
            there = {place for place in places_of(connection, schema) if place[1] not in erasing}
        remedy = f"restore the row of table {schema}.images from a backup, or delete it: the others can be read"
        problems = [
            Problem(f"{schema}.images, fragment {place[0]}", got, "rows sealed under a key that is there", remedy)
            for place, got in unread.items()
            if place in there
        ]
        refuse(ProtocolError, problems[:_SHOWN])
    return SealedRows(parts, store.columns)


def _associated(store: StoreRow, place: Place) -> bytes:
    return f"privis.postgresql/1 {store.store_id} {place[0]} {place[1]} {store.space.identity.hex()}".encode()


def _unsealed(ring: KeyRing, place: Place, images: int, sealed: bytes, store: StoreRow) -> SealedPart:
    (row,) = ring.places(np.array([place[1]], np.int64))
    if row < 0:
        raise KeyError(place[1])
    content = unseal(ring.cipher(int(row)), sealed, _associated(store, place))
    components = store.space.components
    sources, rest = texts(content, images, components)
    vectors = np.frombuffer(content, "<f4", images * components).reshape(images, components)
    return SealedPart(rest["ids"], sources, vectors, rest["columns"], ring.subjects(np.array([row]))[0])


def unsealed_parts(ring: KeyRing, found: Iterable[tuple[Any, ...]], store: StoreRow) -> list[SealedPart]:
    """Decrypt blobs of people who are about to be erased; what is damaged is left out, as it is erased all the same.

    Args:
        ring: keys.
        found: fragment, key, number of images and sealed bytes of each.
        store: what it is.

    Returns:
        Their rows.
    """
    parts = []
    for fragment, key, images, sealed in found:
        with contextlib.suppress(InvalidTag, ValueError, KeyError):
            parts.append(_unsealed(ring, (int(fragment), int(key)), images, sealed, store))
    return parts


def add_sealed(
    connection: Connection[Any],
    schema: str,
    store: StoreRow,
    keys: SubjectKeys,
    known: SealedRows,
    rows: VectorRows,
    columns: Mapping[str, str],
) -> int:
    """Write rows; blobs that hold one of their ids are written anew without it.

    Args:
        connection: in a transaction that holds off other writers.
        schema: of the store.
        store: what it is.
        keys: of its subjects; those of new ones are drawn.
        known: all rows of the store, as `read_sealed` gave them.
        rows: to be written.
        columns: types of the metadata, those of new columns too.

    Returns:
        How many were replaced.
    """
    from psycopg.sql import SQL, Identifier

    ring = keys.draw(rows.subjects)
    given, replaced = set(rows.ids), 0
    gone: list[int] = []
    written: list[tuple[int, SealedPart]] = []
    for place, part in known.parts.items():
        stay = [row for row, name in enumerate(part.ids) if name not in given]
        if len(stay) < len(part.ids):
            replaced += len(part.ids) - len(stay)
            gone.append(place[0])
            written += [(place[1], _chosen(part, stay))] if stay else []
    numbers = ring.numbers[ring.places_of(rows.subjects)]
    order = np.argsort(numbers, kind="stable")
    metadata = {name: _typed(values, columns[name]) for name, values in rows.metadata.items() if name in columns}
    every = SealedPart(rows.ids, rows.sources, rows.vectors, metadata)
    for some in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(rows) else ():
        written.append((int(numbers[some[0]]), _chosen(every, some.tolist())))
    table = Identifier(schema)
    connection.execute(SQL("DELETE FROM {}.images WHERE fragment = ANY(%s::bigint[])").format(table), (gone,))
    copied = SQL("COPY {}.images (fragment, key, images, sealed) FROM STDIN (FORMAT BINARY)").format(table)
    with connection.cursor().copy(copied) as copy:
        copy.set_types(["int8", "int8", "int4", "bytea"])
        for fragment, (key, part) in enumerate(written, store.next_row):
            (row,) = ring.places(np.array([key], np.int64))
            content = packed(part.vectors, part.sources, part.ids, part.metadata)
            blob = seal(ring.cipher(int(row)), content, _associated(store, (fragment, key)))
            copy.write_row((fragment, key, len(part.ids), blob))
    last = store.next_row + len(written)
    connection.execute(SQL("UPDATE {}.store SET next_row = %s").format(table), (last,))
    return replaced


def _typed(values: Sequence[Value], kind: str) -> tuple[Value, ...]:
    return tuple(float(value) if kind == "float" and value is not None else value for value in values)


def _chosen(part: SealedPart, places: Sequence[int]) -> SealedPart:
    def some(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[place] for place in places)

    metadata = {name: some(values) for name, values in part.metadata.items()}
    return SealedPart(some(part.ids), some(part.sources), part.vectors[list(places)], metadata, part.subject)


def keys_without_rows(connection: Connection[Any], schema: str, keys: SubjectKeys) -> list[int]:
    """Which keys seal nothing.

    Args:
        connection: to the server.
        schema: of the store.
        keys: of its subjects.

    Returns:
        Their numbers.
    """
    used = {key for _, key in places_of(connection, schema)}
    return [number for number in keys.read().numbers.tolist() if number not in used]


def require_keys(keys: SubjectKeys | None) -> SubjectKeys:
    """Refuse work on a sealed store without its keys.

    Args:
        keys: of its subjects, if they were given.

    Returns:
        The keys.

    Raises:
        ParameterError: there are none.
    """
    if keys is None:
        raise ParameterError(Problem("keys", "none", "the file of the store's keys", "open the store with keys=PATH"))
    return keys
