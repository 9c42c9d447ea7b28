"""Rows of a store that LanceDB itself can search: plain vectors, plain metadata.

Inner products in LanceDB are of float32. The candidates that it gives are compared again in double precision, and more
are asked for until the bound on its rounding proves that no other row is among the first: |fl(<x, q>) - <x, q>| <=
2 n u |x| |q| for n components and a unit roundoff u = 2^-24, in whatever order the sum is made (Higham, Accuracy and
Stability of Numerical Algorithms, 2002, section 3.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.stores.lance.lance_record import LanceRecord
from privis.stores.lance.lance_tables import among, column, scanned
from privis.stores.vector_rows import Value, VectorRows

if TYPE_CHECKING:
    from lancedb.expr import Expr
    from lancedb.table import Table

ARROW_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
"""Types of metadata in Arrow, by their names."""

_SPARE = 16  # candidates beyond those that are wanted
_ROUNDOFF = 2.0**-24
_SAMPLE = 16  # queries that are asked again, exactly, to know an approximate search's recall


@dataclass(frozen=True)
class FoundRows:
    """The most similar rows of one query.

    Args:
        ids: of the images.
        scores: inner products in double precision.
        metadata: columns by name, of each row.
    """

    ids: tuple[str, ...]
    scores: NDArray[np.float64]
    metadata: tuple[Mapping[str, Value], ...]


def schema_of(components: int, columns: Mapping[str, str]) -> pa.Schema:
    """Say what columns a table of plain rows has.

    Args:
        components: of a vector.
        columns: types of the metadata by column.

    Returns:
        The schema in Arrow.
    """
    fields = [pa.field(name, pa.string(), nullable=False) for name in ("id", "subject", "source")]
    fields.append(pa.field("vector", pa.list_(pa.float32(), components), nullable=False))
    return pa.schema(fields + [pa.field(name, ARROW_TYPES[kind]) for name, kind in columns.items()])


def table_of(rows: VectorRows, columns: Mapping[str, str]) -> pa.Table:
    """Write rows as Arrow does.

    Args:
        rows: that are added.
        columns: types of the store's metadata by column.

    Returns:
        A table of `schema_of`.

    Raises:
        ParameterError: a text is not Unicode, or a number does not fit into 64 bits.
    """
    arrays, problems = [], []
    given = {"id": rows.ids, "subject": rows.subjects, "source": rows.sources, **rows.metadata}
    schema = schema_of(rows.vectors.shape[1], columns)
    for entry in schema:
        if entry.name == "vector":
            flat = pa.array(np.ascontiguousarray(rows.vectors).ravel())
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, rows.vectors.shape[1]))
            continue
        values: Sequence[Any] = given.get(entry.name, (None,) * len(rows))
        if pa.types.is_floating(entry.type):
            values = [None if value is None else value + 0.0 for value in values]  # -0.0 is 0.0 here
        try:
            arrays.append(pa.array(values, entry.type))
        except (pa.ArrowInvalid, OverflowError, UnicodeError) as error:
            problems.append(Problem(f"VectorRows.{entry.name}", str(error), "Unicode text, or numbers of 64 bits"))
    refuse(ParameterError, problems)
    return pa.Table.from_arrays(arrays, schema=schema)


def rows_of(batch: pa.RecordBatch, columns: Mapping[str, str]) -> VectorRows:
    """Read rows as `table_of` wrote them.

    Args:
        batch: some rows.
        columns: types of the store's metadata by column.

    Returns:
        The rows.
    """
    fixed = ("id", "subject", "source", "vector")
    ids, subjects, sources = (tuple(batch.column(name).to_pylist()) for name in fixed[:3])
    there = set(batch.schema.names)
    metadata = {
        name: tuple(batch.column(name).to_pylist()) if name in there else (None,) * len(ids) for name in columns
    }
    return VectorRows(ids, subjects, sources, vectors_of(batch), metadata)


def vectors_of(batch: pa.RecordBatch | pa.Table) -> NDArray[np.float32]:
    """Read the vectors of some rows.

    Args:
        batch: rows with a column ``vector``.

    Returns:
        float32 (rows, components).
    """
    vectors = batch.column("vector")
    whole = vectors.combine_chunks() if isinstance(vectors, pa.ChunkedArray) else vectors
    return np.asarray(whole.flatten(), np.float32).reshape(len(whole), whole.type.list_size)


def missing_columns(table: Table, columns: Mapping[str, str]) -> pa.Schema:
    """Say which columns a table does not have yet.

    Args:
        table: of LanceDB.
        columns: types of the store's metadata by column.

    Returns:
        Their fields.
    """
    there = set(table.schema.names)
    return pa.schema([pa.field(name, ARROW_TYPES[kind]) for name, kind in columns.items() if name not in there])


def write_rows(table: Table, rows: VectorRows, columns: Mapping[str, str]) -> int:
    """Add rows in one version of the table; those whose ids are there take their places.

    Args:
        table: of LanceDB.
        rows: that are added.
        columns: types of the store's metadata by column.

    Returns:
        How many were replaced.
    """
    content = table_of(rows, columns)
    there = table.search().where(among("id", rows.ids)).select(["id"]).limit(1).to_arrow().num_rows
    if not there:
        table.add(content)
        return 0
    merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    return int(merge.execute(content).num_updated_rows)


def nearest(
    table: Table, query: NDArray[np.float64], top: int, record: LanceRecord, where: Expr | None = None
) -> FoundRows:
    """Find the rows with the largest inner products, exactly.

    Args:
        table: of LanceDB.
        query: (components,).
        top: how many are wanted.
        record: of the store.
        where: which rows count.

    Returns:
        The rows; of equal ones those with the smaller ids.
    """
    asked, longest = query.astype(np.float32), record.longest
    length = float(np.linalg.norm(query))
    rounding = 2 * (len(query) + 2) * _ROUNDOFF * longest * max(length, float(np.linalg.norm(asked)))
    slack = rounding + longest * float(np.linalg.norm(query - asked)) + 4 * _ROUNDOFF + 1e-30
    wanted = top + _SPARE
    while True:
        found = _searched(table, asked, wanted, record, where, exact=True)
        rows = _ranked(found, query, top, record)
        if found.num_rows < wanted:
            return rows
        last = 1.0 - float(np.max(np.asarray(found["_distance"])))  # LanceDB gives 1 - <x, q>
        if rows.scores[top - 1] > last + slack + abs(last) * 2 * _ROUNDOFF:
            return rows
        wanted *= 4


def nearly_nearest(
    table: Table, query: NDArray[np.float64], top: int, record: LanceRecord, where: Expr | None = None
) -> FoundRows:
    """Find rows with large inner products by LanceDB's index.

    Args:
        table: of LanceDB, with an index.
        query: (components,).
        top: how many are wanted.
        record: of the store.
        where: which rows count.

    Returns:
        The rows, their scores exact; others may be more similar.
    """
    found = _searched(table, query.astype(np.float32), top + _SPARE, record, where, exact=False)
    return _ranked(found, query, top, record)


def recall_of(found: Sequence[FoundRows], exact: Sequence[FoundRows]) -> float:
    """Compare an approximate search with an exact one.

    Args:
        found: by query.
        exact: of the same queries.

    Returns:
        Share of the exact answers that were found; rows as similar as the last of them count as it does.
    """
    right = sum(
        int((one.scores >= other.scores[-1]).sum()) for one, other in zip(found, exact, strict=True) if other.ids
    )
    return right / max(1, sum(len(other.ids) for other in exact))


def sampled(queries: int) -> NDArray[np.int64]:
    """Choose queries that are asked again, exactly.

    Args:
        queries: how many there are.

    Returns:
        At most 16 of them, evenly spread.
    """
    return np.unique(np.linspace(0, queries - 1, min(queries, _SAMPLE)).astype(np.int64))


def plain_rows(table: Table, columns: Mapping[str, str], where: Expr | None = None) -> Iterator[VectorRows]:
    """Read rows, some thousand at a time.

    Args:
        table: of LanceDB.
        columns: types of the store's metadata by column.
        where: which rows.

    Yields:
        Some rows.
    """
    there = set(table.schema.names)
    names = ["id", "subject", "source", "vector", *(name for name in columns if name in there)]
    for batch in scanned(table, names, where):
        if batch.num_rows:
            yield rows_of(batch, columns)


def held_by(opened: Iterator[Table], subjects: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read the rows of some subjects in every version that is still there.

    Args:
        opened: the versions.
        subjects: whose.

    Yields:
        Some rows; those that several versions hold come several times.
    """
    for table in opened:
        yield from scanned(table, ["id", "subject", "source", "vector"], among("subject", subjects))


def without(subjects: Sequence[str]) -> Expr:
    """Ask for the rows of everybody else.

    Args:
        subjects: who is left out.

    Returns:
        LanceDB's expression.
    """
    return ~column("subject").isin(list(subjects))


def _searched(
    table: Table, query: NDArray[np.float32], rows: int, record: LanceRecord, where: Expr | None, exact: bool
) -> pa.Table:
    there = set(table.schema.names)
    names = ["id", "vector", "_distance", *(name for name in record.columns if name in there)]
    search = table.search(query, vector_column_name="vector").distance_type("dot").select(names).limit(rows)
    if exact:
        search = search.bypass_vector_index()
    if where is not None:
        search = search.where(where, prefilter=True)
    return search.to_arrow()


def _ranked(found: pa.Table, query: NDArray[np.float64], top: int, record: LanceRecord) -> FoundRows:
    scores = vectors_of(found).astype(np.float64) @ query if found.num_rows else np.empty(0)
    ids = found["id"].to_pylist()
    order = sorted(range(len(ids)), key=lambda row: (-scores[row], ids[row]))[:top]
    kept = found.take(pa.array(order, pa.int64()))
    there = set(found.column_names)
    values = {name: kept[name].to_pylist() if name in there else [None] * len(order) for name in record.columns}
    metadata = tuple({name: values[name][row] for name in record.columns} for row in range(len(order)))
    return FoundRows(tuple(ids[row] for row in order), scores[order], metadata)
