"""Tables of a store in PostgreSQL: one row that says what the store is, and who writes; statements of their columns.

No column has statistics: ANALYZE, which autovacuum runs by itself, would copy values of rows into pg_statistic, ids and
whole vectors among them, where no rewriting of the table reaches them. Nothing is compressed, so that bytes that should
be gone are found where they are not. Indexes on ids and subjects keep hashes of 32 bits.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import VectorSpace

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

FORMAT = 1
MOST_COMPONENTS = 16_000
"""Of pgvector's types."""
LARGEST_HALF = 65_504.0

_SYSTEM = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
TYPES = {"str": 'text COLLATE "C"', "int": "bigint", "float": "double precision", "bool": "boolean"}
"""By the name of Python's type; texts are ordered by their characters' numbers, as in Python."""


class Element(Enum):
    """How a store keeps vectors, and in what pgvector's own search reads them."""

    SEALED = "sealed"
    """Encrypted per subject; the server sees nothing and searches nothing, whoever has the keys reads and searches."""
    SINGLE = "vector"
    """float32; approximate search up to 2,000 components."""
    HALF = "halfvec"
    """float16, half the size; approximate search up to 4,000 components."""


class ApproximateIndex(Enum):
    """pgvector's indexes, made when an approximate search is first asked for."""

    HNSW = "hnsw"
    IVFFLAT = "ivfflat"

    def most_components(self, element: Element) -> int:
        """How long vectors may be."""
        return 4000 if element is Element.HALF else 2000


@dataclass(frozen=True)
class StoreRow:
    """What a store is and what was begun in it.

    Args:
        store_id: 32 hexadecimal digits, drawn when it was made.
        space: what made the vectors.
        element: how they are kept.
        index: which one approximate searches use.
        columns: types of the metadata by column.
        next_row: number of the next row, or of the next fragment of sealed ones.
        largest_length: at least the length of the longest vector.
        erasing: numbers of the keys of subjects whose erasure was begun, before their rows are gone.
        erased_until: a place in the server's write-ahead log: what is before it has yet to be overwritten.
    """

    store_id: str
    space: VectorSpace
    element: Element
    index: ApproximateIndex
    columns: Mapping[str, str]
    next_row: int = 0
    largest_length: float = 0.0
    erasing: tuple[int, ...] = ()
    erased_until: str | None = None


def create_tables(
    connection: Connection[Any], schema: str, space: VectorSpace, element: Element, index: ApproximateIndex
) -> None:
    """Make the tables, in the transaction that is open.

    Args:
        connection: to the server.
        schema: which is made unless it is there.
        space: what makes the vectors.
        element: how they are kept.
        index: which one approximate searches use.

    Raises:
        ParameterError: there is a store, or pgvector is not there and cannot be made.
    """
    from psycopg.sql import SQL, Identifier

    name = Identifier(schema)
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"privis {schema}",))
    if connection.execute("SELECT to_regclass(%s)", (f"{schema}.store",)).fetchone() != (None,):
        remedy = "open it, or name another schema after # in the address"
        raise ParameterError(Problem(f"schema {schema}", "a store that is there", "none", remedy))
    if connection.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,):
        connection.execute(SQL("CREATE SCHEMA {}").format(name))
    connection.execute(
        SQL(
            "CREATE TABLE {}.store (one boolean PRIMARY KEY CHECK (one), format integer NOT NULL, "
            "store_id text NOT NULL, identity bytea NOT NULL, words text NOT NULL, components integer NOT NULL, "
            "guarantee text, element text NOT NULL, approximate text NOT NULL, columns text NOT NULL, "
            "next_row bigint NOT NULL, "
            "largest_length double precision NOT NULL, erasing bigint[] NOT NULL, erased_until pg_lsn)"
        ).format(name)
    )
    guarantee = None if space.guarantee is None else json.dumps(space.guarantee, sort_keys=True)
    connection.execute(
        SQL("INSERT INTO {}.store VALUES (true, %s, %s, %s, %s, %s, %s, %s, %s, '{{}}', 1, 0, '{{}}')").format(name),
        (
            FORMAT, secrets.token_hex(16), space.identity, space.words, space.components, guarantee, element.value,
            index.value,
        ),
    )  # fmt: skip
    if element is not Element.SEALED:
        _make_extension(connection, schema)
    if element is Element.SEALED:
        kinds = "(fragment bigint PRIMARY KEY, key bigint NOT NULL, images integer NOT NULL, sealed bytea NOT NULL)"
        connection.execute(SQL("CREATE TABLE {}.images " + kinds).format(name))
    else:
        kind = f"vector {element.value}({space.components}) NOT NULL"
        texts = [f'{column} text COLLATE "C" NOT NULL' for column in ("id", "subject", "source")]
        connection.execute(
            SQL("CREATE TABLE {}.images (_row bigint PRIMARY KEY, {}) WITH (toast_tuple_target = 8160)").format(
                name, _listed([*texts, kind])
            )  # a search reads vectors at once that lie in their rows
        )
        for column in ("id", "subject"):
            connection.execute(SQL("CREATE INDEX ON {}.images USING hash ({})").format(name, Identifier(column)))
    table = connection.execute(
        "SELECT attname, attlen < 0 FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
        (f"{schema}.images",),
    )
    for column, varies in table.fetchall():
        _unwatched(connection, schema, str(column), bool(varies))


def _make_extension(connection: Connection[Any], schema: str) -> None:
    from psycopg.errors import InsufficientPrivilege
    from psycopg.sql import SQL, Identifier

    if connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
        return
    if not connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone():
        remedy = "install pgvector on the server, or keep vectors sealed, which needs none"
        raise ParameterError(Problem("open vectors", "a server without pgvector", "one with it", remedy))
    (public,) = connection.execute("SELECT to_regnamespace('public') IS NOT NULL").fetchone() or (False,)
    home = Identifier("public" if public else schema)
    try:
        connection.execute(SQL("CREATE EXTENSION vector SCHEMA {}").format(home))
    except InsufficientPrivilege:
        remedy = "have a superuser run CREATE EXTENSION vector in this database once, or keep vectors sealed"
        got = "a database without pgvector, and a role that may not add it"
        raise ParameterError(Problem("open vectors", got, "one with it", remedy)) from None
    connection.execute(SQL("SET search_path = pg_catalog, {}, pg_temp").format(home))


def _listed(words: Iterable[str]) -> Composed:
    """Constants of this module as a list: nothing that anybody gave."""
    from psycopg.sql import SQL

    return SQL(", ").join(SQL(each) for each in words)  # type: ignore[arg-type]


def _unwatched(connection: Connection[Any], schema: str, column: str, varies: bool) -> None:
    from psycopg.sql import SQL, Identifier

    parts = SQL("ALTER TABLE {}.images ALTER COLUMN {} SET STATISTICS 0").format(Identifier(schema), Identifier(column))
    if varies:
        parts += SQL(", ALTER COLUMN {} SET STORAGE EXTERNAL").format(Identifier(column))
    connection.execute(parts)


def read_store(connection: Connection[Any], schema: str, for_writing: bool = False) -> StoreRow:
    """Read what a store is.

    Args:
        connection: to the server.
        schema: of the store.
        for_writing: whether to wait for other writers and to hold them off until the transaction ends.

    Returns:
        What it is.

    Raises:
        ParameterError: there is none.
        ProtocolError: it was made by a newer Privis, or somebody changed it.
    """
    from psycopg.sql import SQL, Identifier

    where = f"schema {schema}"
    if connection.execute("SELECT to_regclass(%s)", (f"{schema}.store",)).fetchone() == (None,):
        remedy = "make one with PostgresqlStore.create, or name its schema after # in the address"
        raise ParameterError(Problem(where, "no store", "a store of vectors", remedy))
    query = SQL(
        "SELECT format, store_id, identity, words, components, guarantee, element, approximate, columns, next_row, "
        "largest_length, erasing, erased_until::text FROM {}.store" + (" FOR UPDATE" if for_writing else "")
    ).format(Identifier(schema))
    read = connection.execute(query).fetchall()
    if len(read) != 1 or read[0][0] != FORMAT:
        got = f"format {read[0][0]}" if read else "an empty table store"
        raise ProtocolError(Problem(where, got, f"format {FORMAT}", "install a newer Privis, or restore the table"))
    _, store_id, identity, words, components, guarantee, element, index, columns, *rest = read[0]
    next_row, length, erasing, until = rest
    try:
        space = VectorSpace(bytes(identity), words, components, None if guarantee is None else json.loads(guarantee))
        kinds = json.loads(columns)
        row = StoreRow(
            store_id, space, Element(element), ApproximateIndex(index), kinds, next_row, length, tuple(erasing), until
        )
    except ValueError:
        remedy = "restore the table store from a backup; the table images is as it was"
        raise ProtocolError(Problem(f"{where}, table store", "a changed row", "what was written", remedy)) from None
    if not set(kinds.values()) <= TYPES.keys():
        raise ProtocolError(Problem(f"{where}, table store", "unknown types of columns", ", ".join(TYPES)))
    return row


def new_columns(connection: Connection[Any], schema: str, columns: Mapping[str, str]) -> None:
    """Add columns of metadata to the table of open rows; it is empty there in those that are stored.

    Args:
        connection: to the server.
        schema: of the store.
        columns: types by name.

    Raises:
        ParameterError: PostgreSQL has a column of this name of its own.
    """
    from psycopg.sql import SQL, Identifier

    for column, kind in columns.items():
        if column in _SYSTEM:
            names = ", ".join(_SYSTEM)
            expected = f"another name than those that every table of PostgreSQL has ({names})"
            raise ParameterError(Problem(f"metadata column {column!r}", "this name", expected))
        added = SQL("ALTER TABLE {}.images ADD COLUMN {} {}")
        connection.execute(added.format(Identifier(schema), Identifier(column), _listed([TYPES[kind]])))
        _unwatched(connection, schema, column, kind == "str")


def agreed_columns(known: Mapping[str, str], rows: VectorRows) -> dict[str, str]:
    """Columns of a store once rows were added; one without a single value in it stays unknown until it has one.

    Args:
        known: types of the metadata by column.
        rows: to be added.

    Returns:
        The types, those of new columns too.

    Raises:
        ParameterError: values of another type than the column's; all at once. Whole numbers may be floats.
    """
    columns, problems = dict(known), []
    for name, values in rows.metadata.items():
        kind = next((type(value).__name__ for value in values if value is not None), None)
        there = columns.get(name)
        if kind is None or (there, kind) == ("float", "int"):
            continue
        if there is not None and there != kind:
            problems.append(Problem(f"metadata column {name!r}", f"values of type {kind}", f"{there}, as in the store"))
        columns[name] = kind
    refuse(ParameterError, problems)
    return columns


def note_columns(connection: Connection[Any], schema: str, columns: Mapping[str, str]) -> None:
    """Keep the types of columns.

    Args:
        connection: in a transaction that holds off other writers.
        schema: of the store.
        columns: types of the metadata by column.
    """
    from psycopg.sql import SQL, Identifier

    query = SQL("UPDATE {}.store SET columns = %s").format(Identifier(schema))
    connection.execute(query, (json.dumps(dict(columns)),))
