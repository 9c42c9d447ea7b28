"""Erasure in a PostgreSQL server: what is begun is written down, the table is filled anew, and the log is written over.

An open store loses its rows in one transaction that fills the emptied table with those that stay; only then is there
something to finish, the log. Of a sealed one the numbers of the keys are written down first, then the keys are dropped,
then the blobs go. Whoever opens the store next finishes what was begun.

VACUUM FULL would not do: it copies deleted rows, too, while any transaction of the database is older than their
deletion. An emptied table begins with new files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.stores.postgresql import open_vectors, sealed_blobs
from privis.stores.postgresql.postgresql_address import PostgresqlAddress
from privis.stores.postgresql.postgresql_connection import connected, transacted
from privis.stores.postgresql.postgresql_tables import Element, StoreRow, read_store
from privis.stores.postgresql.sealed_blobs import require_keys
from privis.stores.postgresql.server_log import log_keepers, may_overwrite, overwrite_log
from privis.stores.sealing import SubjectKeys
from privis.stores.vector_store import Residue
from privis.subjects import shortened

if TYPE_CHECKING:
    from psycopg import Connection


def begin(address: PostgresqlAddress, keys: SubjectKeys | None, names: Sequence[str]) -> Residue:
    """Begin to erase subjects: from now on it is finished, whatever happens.

    Args:
        address: of the store.
        keys: of a sealed store's subjects.
        names: who, each once.

    Returns:
        What they had in the store.

    Raises:
        ParameterError: somebody is not in the store; nothing was begun.
        ServiceError: the server is gone, or readers do not end; nothing was begun.
    """

    def work(connection: Connection[Any]) -> Residue:
        store = read_store(connection, address.schema, for_writing=True)
        if store.element is Element.SEALED:
            return _begin_sealed(connection, address.schema, store, require_keys(keys), names)
        return _erase_open(connection, address.schema, store, names)

    return transacted(address, work)


def _unknown(names: Sequence[str], there: set[str]) -> None:
    remedy = "nobody was erased; privis search info lists who is there, unless an earlier erasure was finished"
    problems = [Problem("subject", repr(name), "one of the store's", remedy) for name in names if name not in there]
    refuse(ParameterError, shortened(problems, "subjects"))


def _begin_sealed(
    connection: Connection[Any], schema: str, store: StoreRow, keys: SubjectKeys, names: Sequence[str]
) -> Residue:
    from psycopg.sql import SQL, Identifier

    ring = keys.read()
    places = ring.places_of(names)
    numbers = [int(ring.numbers[place]) for place in places if place >= 0]
    query = SQL("SELECT fragment, key, images, sealed FROM {}.images WHERE key = ANY(%s::bigint[])")
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(query.format(Identifier(schema)), (numbers,)).fetchall()
    used = {int(key) for _, key, _, _ in found}
    held = {name for name, place in zip(names, places, strict=True) if place >= 0 and int(ring.numbers[place]) in used}
    _unknown(names, held)
    parts = sealed_blobs.unsealed_parts(ring, found, store)
    vectors = [np.empty((0, store.space.components), np.float32), *(part.vectors for part in parts)]
    texts = {*names, *(text for part in parts for text in (*part.ids, *part.sources))}
    connection.execute(
        SQL("UPDATE {}.store SET erasing = erasing || %s::bigint[]").format(Identifier(schema)), (numbers,)
    )
    sealed = tuple(bytes(blob) for *_, blob in found)
    return Residue(np.concatenate(vectors), sealed, tuple(sorted(texts)), ring.held(places))


def _erase_open(connection: Connection[Any], schema: str, store: StoreRow, names: Sequence[str]) -> Residue:
    from psycopg.sql import SQL, Identifier

    table = Identifier(schema)
    connection.execute(SQL("LOCK TABLE {}.images IN ACCESS EXCLUSIVE MODE").format(table))
    open_vectors.copy_texts(connection, names)
    send = Identifier(f"{store.element.value}_send")
    query = "SELECT id, subject, source, {}(vector) FROM {}.images JOIN pg_temp.asked ON subject = text"
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(SQL(query).format(send, table)).fetchall()
    _unknown(names, {str(row[1]) for row in found})
    vectors = open_vectors.vectors_of([row[3] for row in found], store.element, store.space.components)
    _refilled(connection, schema, store, SQL("NOT EXISTS (SELECT 1 FROM pg_temp.asked WHERE text = subject)"))
    return Residue(vectors, (), tuple(sorted({text for row in found for text in row[:3]})))


def _refilled(connection: Connection[Any], schema: str, store: StoreRow, kept: Any) -> None:
    """Empty the table, which gives it new files, and fill it with the rows that stay; the caller's transaction."""
    from psycopg.sql import SQL, Identifier

    table, number = Identifier(schema), Identifier("fragment" if store.element is Element.SEALED else "_row")
    index = (f"{schema}.{open_vectors.INDEX}",)
    indexed = connection.execute("SELECT to_regclass(%s)", index).fetchone() != (None,)
    if indexed:
        connection.execute(SQL("DROP INDEX {}.{}").format(table, Identifier(open_vectors.INDEX)))
    connection.execute(
        SQL("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM {}.images WHERE {}").format(table, kept)
    )
    connection.execute(SQL("TRUNCATE {}.images").format(table))
    connection.execute(SQL("INSERT INTO {}.images SELECT * FROM pg_temp.kept ORDER BY {}").format(table, number))
    if indexed:
        open_vectors.make_index(connection, schema, store)
    # the length of the longest vector may be that of one that is gone: a power of 2 says little of it
    length = 0.0 if store.largest_length == 0 else 2.0 ** math.ceil(math.log2(store.largest_length))
    ended = "UPDATE {}.store SET erasing = '{{}}', erased_until = pg_current_wal_insert_lsn(), largest_length = %s"
    connection.execute(SQL(ended).format(table), (length,))


def finish(address: PostgresqlAddress, keys: SubjectKeys | None, if_begun: bool = False) -> None:
    """Finish what was begun, as far as the role may.

    Args:
        address: of the store.
        keys: of a sealed store's subjects; without them a begun erasure of it waits.
        if_begun: whether the log alone is no reason to begin: what somebody keeps of it is left for a later `open`.

    Raises:
        OutputError: the keys cannot be dropped.
        ServiceError: the server is gone, or readers do not end; it is finished at the next call.
    """
    with connected(address) as connection:
        store = read_store(connection, address.schema)
    if store.erasing and keys is not None:
        keys.drop(store.erasing)
        transacted(address, lambda connection: _rewrite_sealed(connection, address.schema))
    elif if_begun or store.erasing:
        return
    with connected(address) as connection:
        until = read_store(connection, address.schema).erased_until
        if until is None or not may_overwrite(connection) or log_keepers(connection, until):
            return
        if overwrite_log(connection, until):
            _end(connection, address.schema, until)


def _rewrite_sealed(connection: Connection[Any], schema: str) -> None:
    from psycopg.sql import SQL, Identifier, Literal

    store = read_store(connection, schema, for_writing=True)
    if store.erasing:  # nobody else finished it meanwhile
        connection.execute(SQL("LOCK TABLE {}.images IN ACCESS EXCLUSIVE MODE").format(Identifier(schema)))
        _refilled(connection, schema, store, SQL("key <> ALL({}::bigint[])").format(Literal(list(store.erasing))))


def _end(connection: Connection[Any], schema: str, until: str) -> None:
    from psycopg.sql import SQL, Identifier

    query = SQL("UPDATE {}.store SET erased_until = NULL WHERE erased_until = %s::pg_lsn").format(Identifier(schema))
    connection.execute(query, (until,))
