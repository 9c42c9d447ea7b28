"""Rows that the server can read: pgvector's columns, its exact search made exact, and its approximate indexes.

pgvector adds inner products up in float32. Of n components the sum is off by at most (n + 2) 2^-24 |x||q| (1 + 2^-10)
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1), so rows whose score lies further below the
last wanted one than that cannot be among the first; the others are compared in double precision here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.extras import optional_import
from privis.stores.exact_scan import LARGEST
from privis.stores.postgresql.postgresql_tables import (
    LARGEST_HALF,
    ApproximateIndex,
    Element,
    StoreRow,
    new_columns,
    read_store,
)
from privis.stores.postgresql.sql_conditions import sql_where
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

AT_ONCE = 4096
"""Rows that are read at a time."""
_MARGIN = 32  # rows beyond the wanted ones that are compared in double precision at first
_MOST_CANDIDATES = 1000  # of an HNSW search
_PROBES, _MOST_LISTS, _ROWS_OF_A_LIST = 10, 1000, 1000
INDEX = "images_approximate"

Ranked = tuple[tuple[str, ...], NDArray[np.float64], tuple[dict[str, Any], ...]]
"""Ids, scores and metadata of the rows that one query found."""


def check_sizes(rows: VectorRows, element: Element) -> None:
    """Refuse vectors that the type of the column cannot hold.

    Args:
        rows: to be added.
        element: how vectors are kept.

    Raises:
        ParameterError: a component is too large.
    """
    largest = LARGEST_HALF if element is Element.HALF else LARGEST
    size = float(np.abs(rows.vectors).max(initial=0))
    if size > largest:
        remedy = "make the store with Element.SINGLE" if element is Element.HALF else ""
        raise ParameterError(Problem("VectorRows.vectors", f"a component of {size:g}", f"at most {largest:g}", remedy))


def add_open(
    connection: Connection[Any], schema: str, store: StoreRow, rows: VectorRows, columns: Mapping[str, str]
) -> int:
    """Write rows; those whose ids are there take their places and keep their numbers.

    Args:
        connection: in a transaction that holds off other writers.
        schema: of the store.
        store: what it is.
        rows: to be written.
        columns: types of the metadata, those of new columns too.

    Returns:
        How many were replaced.
    """
    from psycopg.sql import SQL, Identifier

    with optional_import("postgresql", "open vectors in PostgreSQL"):
        from pgvector import HalfVector, Vector
        from pgvector.psycopg import register_vector

    new_columns(connection, schema, {name: kind for name, kind in columns.items() if name not in store.columns})
    copy_texts(connection, rows.ids)
    replaced = connection.execute(
        SQL("DELETE FROM {}.images i USING pg_temp.asked a WHERE i.id = a.text RETURNING i.id, i._row").format(
            Identifier(schema)
        )
    ).fetchall()
    numbers = {str(name): int(number) for name, number in replaced}
    fresh = iter(range(store.next_row, store.next_row + len(rows)))
    register_vector(connection)
    half = store.element is Element.HALF
    metadata = [
        [float(value) if kind == "float" and value is not None else value for value in rows.metadata[name]]
        for name, kind in columns.items()
        if name in rows.metadata
    ]
    names = ["_row", "id", "subject", "source", "vector", *(name for name in columns if name in rows.metadata)]
    kinds = ["int8", "text", "text", "text", store.element.value]
    kinds += [{"str": "text", "int": "int8", "float": "float8", "bool": "bool"}[columns[name]] for name in names[5:]]
    copied = SQL("COPY {}.images ({}) FROM STDIN (FORMAT BINARY)").format(
        Identifier(schema), SQL(", ").join(map(Identifier, names))
    )
    written = rows.vectors.astype(np.float16) if half else rows.vectors
    with connection.cursor().copy(copied) as copy:
        copy.set_types(kinds)
        for name, subject, source, vector, *rest in zip(
            rows.ids, rows.subjects, rows.sources, written, *metadata, strict=True
        ):
            number = numbers[name] if name in numbers else next(fresh)
            copy.write_row((number, name, subject, source, HalfVector(vector) if half else Vector(vector), *rest))
    length = float(np.linalg.norm(written.astype(np.float64), axis=1).max(initial=0))
    connection.execute(
        SQL("UPDATE {}.store SET next_row = %s, largest_length = greatest(largest_length, %s)").format(
            Identifier(schema)
        ),
        (store.next_row + len(rows) - len(replaced), length),
    )
    return len(replaced)


def copy_texts(connection: Connection[Any], texts: Sequence[str]) -> None:
    """Send texts to a temporary table ``asked`` of this transaction: parameters may be logged, copied bytes are not.

    Args:
        connection: in a transaction.
        texts: ids or subjects.
    """
    connection.execute('CREATE TEMP TABLE asked (text text COLLATE "C") ON COMMIT DROP')
    with connection.cursor().copy("COPY pg_temp.asked FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text"])
        for text in texts:
            copy.write_row((text,))


def vectors_of(sent: Sequence[bytes], element: Element, components: int) -> NDArray[np.float32]:
    """Read what ``vector_send`` or ``halfvec_send`` gave.

    Args:
        sent: four bytes and the components of each vector, the highest byte first.
        element: which of both.
        components: of a vector.

    Returns:
        float32 (vectors, components).
    """
    kind = np.dtype(">f2" if element is Element.HALF else ">f4")
    table = np.frombuffer(b"".join(sent), np.uint8).reshape(len(sent), 4 + components * kind.itemsize)
    numbers: NDArray[np.float32] = np.ascontiguousarray(table[:, 4:]).view(kind).astype(np.float32)
    return numbers


def read_open(
    connection: Connection[Any], schema: str, store: StoreRow, condition: Composable, values: Sequence[Any], after: int
) -> tuple[VectorRows, int | None]:
    """Read the next rows, in the order of their numbers.

    Args:
        connection: to the server.
        schema: of the store.
        store: what it is.
        condition: which rows, as SQL.
        values: its parameters.
        after: number of the last row that was read.

    Returns:
        At most `AT_ONCE` rows, and the number up to which there are no others; None: it was the end.
    """
    from psycopg.sql import SQL, Identifier

    columns = list(store.columns)
    query = SQL(
        "SELECT id, subject, source, {}(vector){} FROM {}.images WHERE _row > %s AND _row <= %s AND {} ORDER BY _row"
    ).format(Identifier(f"{store.element.value}_send"), _more(columns), Identifier(schema), condition)
    last = min(after + AT_ONCE, store.next_row)  # by numbers: a limit on rows had the whole table sorted
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(query, (after, last, *values)).fetchall()
    end = None if last == store.next_row else last
    if not found:
        empty = np.empty((0, store.space.components), np.float32)
        return VectorRows((), (), (), empty, {name: () for name in columns}), end
    ids, subjects, sources, sent, *rest = zip(*found, strict=True)
    vectors = vectors_of(sent, store.element, store.space.components)
    return VectorRows(ids, subjects, sources, vectors, dict(zip(columns, rest, strict=True))), end


def _more(columns: Sequence[str]) -> Composable:
    from psycopg.sql import SQL, Identifier

    return SQL("").join(SQL(", {}").format(Identifier(name)) for name in columns)


def search_open(
    connection: Connection[Any],
    schema: str,
    store: StoreRow,
    queries: NDArray[np.float64],
    top: int,
    where: Sequence[Condition],
    approximate: bool,
) -> Iterator[Ranked]:
    """Search, one query after the other.

    Args:
        connection: in a transaction.
        schema: of the store.
        store: what it is.
        queries: (queries, components), finite.
        top: how many rows are wanted.
        where: conditions that `check_conditions` let through.
        approximate: whether pgvector's index may decide which rows are looked at.

    Yields:
        What each query found, its scores in double precision.
    """
    from psycopg.sql import SQL, Identifier

    condition, values = sql_where(where, store.columns)
    columns = list(store.columns)
    # added to zero, a distance is none that an index could order; vectors are read of the found rows alone
    distance = SQL("vector <#> %s::real[]::{}" if approximate else "(vector <#> %s::real[]::{}) + 0")
    query = SQL(
        "SELECT _score, _row, id, {}(vector){} FROM (SELECT _row, {} AS _score FROM {}.images WHERE {} "
        "ORDER BY 2 LIMIT %s) AS found JOIN {}.images USING (_row)"
    ).format(
        Identifier(f"{store.element.value}_send"), _more(columns), distance.format(Identifier(store.element.value)),
        Identifier(schema), condition, Identifier(schema),
    )  # fmt: skip
    for asked in queries:
        single = asked.astype(np.float32).tolist()
        limit = top if approximate else top + _MARGIN
        while True:
            with connection.cursor(binary=True) as cursor:
                found = cursor.execute(query, (single, *values, limit)).fetchall()
            ranked = _ranked(found, store, asked, top, columns)
            if approximate or len(found) < limit or _is_certain(found, ranked, store, asked, top):
                break
            limit *= 4
        yield ranked


def _ranked(
    found: Sequence[tuple[Any, ...]], store: StoreRow, asked: NDArray[np.float64], top: int, columns: Sequence[str]
) -> Ranked:
    if not found:
        return (), np.empty(0), ()
    _, numbers, ids, sent, *rest = zip(*found, strict=True)
    scores = vectors_of(sent, store.element, store.space.components).astype(np.float64) @ asked
    order = np.lexsort((np.array(numbers), -scores))[:top]
    metadata = tuple({name: values[place] for name, values in zip(columns, rest, strict=True)} for place in order)
    return tuple(ids[place] for place in order), scores[order], metadata


def _is_certain(
    found: Sequence[tuple[Any, ...]], ranked: Ranked, store: StoreRow, asked: NDArray[np.float64], top: int
) -> bool:
    """Whether no row that was not looked at can be among the first."""
    components = store.space.components
    relative = (components + 2) * 2.0**-24 * (1 + 2.0**-10)
    bound = relative * float(np.linalg.norm(asked)) * store.largest_length + components * 2.0**-126
    least = -max(float(row[0]) for row in found)
    return bool(ranked[1][top - 1] > least + bound)


def prepare_approximate(connection: Connection[Any], schema: str, store: StoreRow, top: int) -> None:
    """Make pgvector's index unless it is there, and say how thorough its search is.

    Args:
        connection: in a transaction.
        schema: of the store.
        store: what it is.
        top: how many rows are wanted.

    Raises:
        ParameterError: vectors are too long for an index.
    """

    most = store.index.most_components(store.element)
    if store.space.components > most:
        remedy = "search exactly" + (
            "" if store.element is Element.HALF else ", or keep vectors as Element.HALF: 4,000"
        )
        got = f"{store.space.components} components"
        raise ParameterError(Problem("approximate search", got, f"at most {most}, for pgvector's indexes", remedy))
    connection.execute("SELECT '[1]'::vector")  # loads pgvector, and with it its settings
    if connection.execute("SELECT to_regclass(%s)", (f"{schema}.{INDEX}",)).fetchone() == (None,):
        read_store(connection, schema, for_writing=True)
        make_index(connection, schema, store)
    candidates = {"hnsw.ef_search": min(_MOST_CANDIDATES, max(40, 2 * top)), "ivfflat.probes": _PROBES}
    iterative = (
        "SELECT name FROM pg_settings WHERE name LIKE '%%.iterative_scan'"  # pgvector 0.8: looks on until enough fit
    )
    wanted = {**candidates, **{str(name): "relaxed_order" for (name,) in connection.execute(iterative).fetchall()}}
    for name, value in {**wanted, "enable_seqscan": "off"}.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, str(value)))


def make_index(connection: Connection[Any], schema: str, store: StoreRow) -> None:
    """Make pgvector's index unless it is there.

    Args:
        connection: in a transaction that holds off other writers.
        schema: of the store.
        store: what it is.
    """
    from psycopg.sql import SQL, Identifier

    lists = max(_PROBES, min(_MOST_LISTS, store.next_row // _ROWS_OF_A_LIST))
    made = SQL("CREATE INDEX IF NOT EXISTS {} ON {}.images USING {} (vector {}) ").format(
        Identifier(INDEX),
        Identifier(schema),
        Identifier(store.index.value),
        Identifier(f"{store.element.value}_ip_ops"),
    )
    connection.execute(made + SQL(f"WITH (lists = {lists})" if store.index is ApproximateIndex.IVFFLAT else ""))  # type: ignore[arg-type]
