"""Takes rows apart and puts them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.stores.vector_rows import Value, VectorRows


def chosen(rows: VectorRows, kept: NDArray[np.bool_]) -> VectorRows:
    """Leave rows out.

    Args:
        rows: all.
        kept: (rows,), False for those that go.

    Returns:
        The others, in the same order.
    """
    places = np.flatnonzero(kept).tolist()

    def some(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[place] for place in places)

    columns = {name: some(values) for name, values in rows.metadata.items()}
    return VectorRows(some(rows.ids), some(rows.subjects), some(rows.sources), rows.vectors[kept], columns)


def sliced(rows: VectorRows, start: int, end: int) -> VectorRows:
    """Take rows that follow each other.

    Args:
        rows: all.
        start: the first.
        end: the one after the last; it may be beyond the end.

    Returns:
        These.
    """
    if start == 0 and end >= len(rows):
        return rows
    kept = np.zeros(len(rows), np.bool_)
    kept[start:end] = True
    return chosen(rows, kept)


def joined(parts: Sequence[VectorRows]) -> VectorRows:
    """Put rows one after the other.

    Args:
        parts: at least one; ids of all differ.

    Returns:
        All; a column that some do not have is None there.
    """
    names = dict.fromkeys(name for part in parts for name in part.metadata)
    metadata: dict[str, list[Value]] = {name: [] for name in names}
    for part in parts:
        for name, values in metadata.items():
            values += part.metadata.get(name) or [None] * len(part)

    def all_of(name: str) -> tuple[str, ...]:
        return tuple(value for part in parts for value in getattr(part, name))

    vectors = np.concatenate([part.vectors for part in parts])
    columns = {name: tuple(values) for name, values in metadata.items()}
    return VectorRows(all_of("ids"), all_of("subjects"), all_of("sources"), vectors, columns)
