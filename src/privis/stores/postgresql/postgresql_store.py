"""A store of vectors in a PostgreSQL server: many search it, one writes at a time, and erasure reaches its log."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, Problem, ServiceError, refuse
from privis.extras import require
from privis.stores.conditions import check_conditions, fitting
from privis.stores.exact_scan import LARGEST
from privis.stores.postgresql import open_vectors, sealed_blobs, server_erasure
from privis.stores.postgresql.postgresql_address import PostgresqlAddress
from privis.stores.postgresql.postgresql_connection import connected, transacted
from privis.stores.postgresql.postgresql_tables import (
    MOST_COMPONENTS,
    ApproximateIndex,
    Element,
    StoreRow,
    agreed_columns,
    create_tables,
    note_columns,
    read_store,
)
from privis.stores.postgresql.sealed_blobs import SealedIndex, SealedRows, require_keys
from privis.stores.postgresql.sql_conditions import sql_where
from privis.stores.sealing import SubjectKeys
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition, Residue, ResidueSearch, SearchResult, StoreDescription, VectorSpace
from privis.subjects import subject_ids
from privis.validation import integer_problem

if TYPE_CHECKING:
    from psycopg import Connection

_SAMPLE = 8
"""Queries of an approximate search that are searched exactly, too."""


@dataclass
class _Held:
    """What was read of a sealed store, and the index of it."""

    rows: SealedRows = field(default_factory=SealedRows)
    index: SealedIndex | None = None


@dataclass(frozen=True)
class PostgresqlStore:
    """Vectors in a schema of a PostgreSQL database, found by their inner products.

    Sealed (`Element.SEALED`), rows are encrypted per subject before they leave this machine, AES-256-GCM with a key
    for each; the server stores bytes, and the search runs here. Open, they are columns of pgvector, and the server
    searches: whoever may read its files, its log or a backup reads the vectors.

    Every call connects anew: an object may be shared by threads, forked and pickled.

    Args:
        address: where.
        keys: of the subjects of a sealed store; None: it is open, or will only be described.

    >>> PostgresqlStore(PostgresqlAddress("postgresql://ann@db.example/faces")).address.schema
    'privis'
    """

    address: PostgresqlAddress
    keys: SubjectKeys | None = None
    _held: _Held = field(default_factory=lambda: _Held(), repr=False, compare=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def create(
        cls,
        address: str,
        space: VectorSpace,
        *,
        keys: str | os.PathLike[str] | None = None,
        element: Element | None = None,
        index: ApproximateIndex = ApproximateIndex.HNSW,
    ) -> PostgresqlStore:
        """Make an empty store: a schema, and two tables in it.

        Args:
            address: as of `PostgresqlAddress`.
            space: what makes the vectors.
            keys: path of the new file of a sealed store's keys; an open store makes none.
            element: how vectors are kept; None: as the address says, sealed where it says nothing.
            index: which of pgvector's indexes approximate searches of an open store use.

        Returns:
            The store.

        Raises:
            ParameterError: the schema has a store, vectors are too long, or pgvector or ``keys`` lack; or the address
                has a password.
            OutputError: the file of the keys is there, or cannot be written; no store was made.
            ServiceError: there is no server, or the role may not.
        """
        where = PostgresqlAddress(address)
        element = element or Element(where.element or Element.SEALED.value)
        if element is not Element.SEALED:
            require("postgresql", "open vectors in PostgreSQL", "pgvector")
        problems, sealed = integer_problem("VectorSpace.components", space.components, 1), element is Element.SEALED
        if sealed and keys is None:
            remedy = "pass keys=PATH, in a place that the server's backups do not hold, or Element.SINGLE"
            problems.append(Problem("keys", "none", "a path for the keys", remedy))
        if not sealed and space.components > MOST_COMPONENTS:
            expected = f"at most {MOST_COMPONENTS:,}, for pgvector's types"
            remedy = "use Element.SEALED, whose vectors may have any length"
            problems.append(Problem("VectorSpace.components", f"{space.components:,}", expected, remedy))
        refuse(ParameterError, problems)
        made: list[SubjectKeys] = []

        def work(connection: Connection[Any]) -> None:
            create_tables(connection, where.schema, space, element, index)
            if sealed and keys is not None:
                made.append(SubjectKeys.create(os.fspath(keys), read_store(connection, where.schema).store_id))

        try:
            transacted(where, work)
        except BaseException:
            for each in made:
                each.path.unlink(missing_ok=True)
            raise
        return cls(where, made[0] if made else None)

    @classmethod
    def open(
        cls, address: str, space: VectorSpace | None = None, *, keys: str | os.PathLike[str] | None = None
    ) -> PostgresqlStore:
        """Open a store that is there, and finish an erasure that was begun in it.

        Args:
            address: as of `PostgresqlAddress`.
            space: what makes the vectors that will be added or searched; None: whatever is in it.
            keys: path of the file of a sealed store's keys; None: it is open, or will only be described.

        Returns:
            The store.

        Raises:
            ParameterError: there is no store, its vectors are of another space, or the keys are those of another.
            ProtocolError: its tables are not what was written.
            ServiceError: there is no server, or the role may not.
        """
        where = PostgresqlAddress(address)
        with connected(where) as connection:
            store = read_store(connection, where.schema)
        if space is not None and space.identity != store.space.identity:
            remedy = "make another store, or use what made these"
            raise ParameterError(Problem(address, f"vectors of {store.space.words}", f"those of {space.words}", remedy))
        if where.element and where.element != store.element.value:
            got = f"a store that is {store.element.value}"
            raise ParameterError(Problem(address, got, where.element, "open it with postgresql://"))
        sealed = store.element is Element.SEALED
        opened = cls(where, SubjectKeys.open(os.fspath(keys), store.store_id) if sealed and keys is not None else None)
        if store.erasing or store.erased_until:
            server_erasure.finish(where, opened.keys)
        return opened

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.address, self.keys)

    @property
    def _schema(self) -> str:
        return self.address.schema

    def describe(self) -> StoreDescription:
        """Say what it holds and how; no key is needed.

        Returns:
            The description.
        """
        from psycopg.sql import SQL, Identifier

        with connected(self.address) as connection:
            store = read_store(connection, self._schema)
            counts = "coalesce(sum(images), 0), count(DISTINCT key)"
            if store.element is not Element.SEALED:
                counts = "count(*), count(DISTINCT subject)"
            query = SQL(f"SELECT {counts}, pg_total_relation_size(%s::regclass) FROM {{}}.images")  # type: ignore[arg-type]
            row = connection.execute(query.format(Identifier(self._schema)), (f"{self._schema}.images",)).fetchone()
        rows, subjects, size = row or (0, 0, 0)
        return StoreDescription(
            "postgresql", str(self.address), store.store_id, store.space, int(rows), int(subjects),
            dict(store.columns), store.element is Element.SEALED, int(size),
        )  # fmt: skip

    def subjects(self) -> Mapping[str, int]:
        """Rows of each subject.

        Returns:
            Counts by subject, ordered by subject.
        """
        from psycopg.sql import SQL, Identifier

        with connected(self.address) as connection:
            store = read_store(connection, self._schema)
            if store.element is Element.SEALED:
                return self._index(connection, store).counts()
            query = SQL("SELECT subject, count(*) FROM {}.images GROUP BY subject ORDER BY subject")
            found = connection.execute(query.format(Identifier(self._schema))).fetchall()
        return {str(name): int(count) for name, count in found}

    def add(self, rows: VectorRows) -> int:
        """Add rows, all or none; those whose ids are there take their places.

        Args:
            rows: vectors of the store's space. Columns of metadata that are new are None in earlier rows.

        Returns:
            How many were replaced.

        Raises:
            ParameterError: vectors of another length, columns of another type, or values that PostgreSQL has not.
            ServiceError: the server is gone, full, or others write; the message says what became of the rows.
        """
        server_erasure.finish(self.address, self.keys, if_begun=True)

        def work(connection: Connection[Any]) -> int:
            store = read_store(connection, self._schema, for_writing=True)
            if rows.vectors.shape[1] != store.space.components:
                got, expected = f"{rows.vectors.shape[1]} components", f"{store.space.components}"
                raise ParameterError(Problem("VectorRows.vectors", got, expected))
            columns = agreed_columns(store.columns, rows)
            open_vectors.check_sizes(rows, store.element)
            if store.element is Element.SEALED:
                known = self._read(connection, store)
                keys = require_keys(self.keys)
                count = sealed_blobs.add_sealed(connection, self._schema, store, keys, known, rows, columns)
            else:
                count = open_vectors.add_open(connection, self._schema, store, rows, columns)
            note_columns(connection, self._schema, columns)
            return count

        replaced = transacted(self.address, work)
        if self.keys is not None:
            with contextlib.suppress(OutputError, ServiceError):  # rows are stored; the next addition settles
                self._settle(self.keys)
        return replaced

    def _settle(self, keys: SubjectKeys) -> None:
        """Keys that were drawn seal rows now; those that seal none are dropped, while nobody writes."""

        def work(connection: Connection[Any]) -> None:
            read_store(connection, self._schema, for_writing=True)
            keys.settle(sealed_blobs.keys_without_rows(connection, self._schema, keys))

        transacted(self.address, work)

    def _read(self, connection: Connection[Any], store: StoreRow) -> SealedRows:
        """All rows of a sealed store as they are now; what was read before is not read again."""
        with self._lock:
            known = self._held.rows
        read = sealed_blobs.read_sealed(connection, self._schema, store, require_keys(self.keys), known)
        with self._lock:
            if read is not self._held.rows:
                self._held.rows, self._held.index = read, None
        return read

    def _index(self, connection: Connection[Any], store: StoreRow) -> SealedIndex:
        read = self._read(connection, store)
        with self._lock:
            held = self._held.index
        if held is None or held.rows is not read:
            held = SealedIndex.of(read, store.space.components)
            with self._lock:
                if self._held.rows is read:
                    self._held.index = held
        return held

    def rows(self, where: Sequence[Condition] = ()) -> Iterator[VectorRows]:
        """Read what is stored, some thousand rows at a time; no transaction stays open between them.

        Args:
            where: conditions, of which all hold.

        Yields:
            Rows in the order of the store. Whoever is erased meanwhile is not among those yet to come.

        Raises:
            ParameterError: a column is not there, or a value is of another type.
        """
        with connected(self.address) as connection:
            store = read_store(connection, self._schema)
            check_conditions(where, store.columns)
            sealed = self._index(connection, store) if store.element is Element.SEALED else None
        if sealed is not None:
            places = np.flatnonzero(fitting(where, sealed.values(), len(sealed.table)))
            for begin in range(0, len(places), open_vectors.AT_ONCE):
                yield sealed.chosen(places[begin : begin + open_vectors.AT_ONCE])
            return
        condition, values = sql_where(where, store.columns)
        after: int | None = 0
        while after is not None:
            with connected(self.address) as connection:
                part, after = open_vectors.read_open(connection, self._schema, store, condition, values, after)
            if len(part):
                yield part

    def search(
        self, queries: NDArray[Any], top: int, where: Sequence[Condition] = (), approximate: bool = False
    ) -> SearchResult:
        """Find the most similar rows of each query.

        Args:
            queries: (queries, components), finite.
            top: how many rows are wanted.
            where: conditions on rows, of which all hold.
            approximate: of an open store, whether pgvector's index decides which rows are compared; it is made when
                it is first asked for. The recall is that of a sample of the queries, which are searched exactly, too.

        Returns:
            Rows, and scores in double precision.

        Raises:
            ParameterError: queries of another length or not finite, ``top`` below 1, conditions that cannot be asked,
                or an approximate search of a sealed store or of vectors that are too long for an index.
        """
        asked = np.asarray(queries, np.float64)
        with connected(self.address) as connection:
            store = read_store(connection, self._schema)
            components, problems = store.space.components, integer_problem("top", top, 1)
            if asked.ndim != 2 or asked.shape[1] != components or not (np.abs(asked) <= LARGEST).all():
                expected = f"finite numbers, (queries, {components})"
                problems.append(Problem("queries", f"shape {asked.shape}", expected))
            if approximate and store.element is Element.SEALED:
                remedy = "search exactly, or keep vectors open: postgresql+vector:// in the address"
                problems.append(Problem("approximate", "True for a sealed store", "False", remedy))
            refuse(ParameterError, problems)
            check_conditions(where, store.columns)
            if store.element is Element.SEALED:
                return self._index(connection, store).search(asked, top, where)
            exact = range(len(asked))
            with connection.transaction():
                if approximate:
                    open_vectors.prepare_approximate(connection, self._schema, store, top)
                    exact = range(0, len(asked), -(-len(asked) // _SAMPLE)) if len(asked) else exact
                found = list(open_vectors.search_open(connection, self._schema, store, asked, top, where, approximate))
            recall = None
            if approximate:
                truth = open_vectors.search_open(connection, self._schema, store, asked[list(exact)], top, where, False)
                pairs = [(set(found[place][0]), ids) for place, (ids, _, _) in zip(exact, truth, strict=True)]
                wanted = sum(len(ids) for _, ids in pairs)
                recall = sum(len(got.intersection(ids)) for got, ids in pairs) / wanted if wanted else 1.0
        ids, scores, metadata = zip(*found, strict=True) if found else ((), (), ())
        return SearchResult(tuple(ids), tuple(scores), tuple(metadata), recall)

    def erase(self, subjects: Sequence[str]) -> Residue:
        """Erase subjects: their keys, then their rows, then what the server's log keeps of them, if the role may.

        Args:
            subjects: who.

        Returns:
            What was erased, for `verify_erased`.

        Raises:
            ParameterError: somebody is not in the store; nobody was erased.
            ServiceError: the server is gone, or readers do not end; what was begun is finished at the next `open`.
        """
        names = tuple(dict.fromkeys(subject_ids(subjects)))
        server_erasure.finish(self.address, self.keys, if_begun=True)
        residue = server_erasure.begin(self.address, self.keys, names)
        with self._lock:
            self._held.rows, self._held.index = SealedRows(), None
        server_erasure.finish(self.address, self.keys)
        return residue

    def verify_erased(self, residue: Residue) -> ResidueSearch:
        """Search every file of the server that can be read, and say which cannot.

        Args:
            residue: what was erased.

        Returns:
            What was searched, and what was found.
        """
        from privis.stores.postgresql.server_files import search_server

        return search_server(self.address, residue, self.rows, None if self.keys is None else self.keys.path)
