"""Conditions on rows: whether a store can ask them, and which rows of a table in memory fit.

Texts are compared by their code points, Booleans as 0 and 1; NaN is unequal to every number, and
neither less nor greater.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.stores.vector_rows import value_problems
from privis.stores.vector_store import Condition, Relation

FIXED = {"id": "str", "subject": "str", "source": "str"}
"""Columns that every store has, and their types."""

_COMPARE = {
    Relation.EQUAL: pc.equal,
    Relation.NOT_EQUAL: pc.not_equal,
    Relation.LESS: pc.less,
    Relation.AT_MOST: pc.less_equal,
    Relation.GREATER: pc.greater,
    Relation.AT_LEAST: pc.greater_equal,
}


def check_conditions(where: Sequence[Condition], columns: Mapping[str, str]) -> None:
    """Refuse conditions that a store with these columns of metadata cannot ask.

    Args:
        where: the conditions.
        columns: types of the metadata by column: "str", "int", "float" or "bool".

    Raises:
        ParameterError: a column is not there, or a value is of another type than its column, or None; all at once.

    >>> check_conditions([Condition("year", Relation.AT_LEAST, 2024)], {"year": "int"})
    >>> check_conditions([Condition("yaer", Relation.EQUAL, 2024)], {"year": "int"})
    Traceback (most recent call last):
    privis.errors.ParameterError: condition on 'yaer': got no such column, expected one of id, source, subject, year
    """
    types, problems = {**columns, **FIXED}, []
    for condition in where:
        place, kind = f"condition on {condition.column!r}", types.get(condition.column)
        given = type(condition.value).__name__
        if kind is None:
            problems.append(Problem(place, "no such column", f"one of {', '.join(sorted(types))}"))
        elif condition.value is None:
            remedy = "rows without a value fit no condition: leave it out"
            problems.append(Problem(place, "the value None", f"a value of type {kind}", remedy))
        elif given != kind and (given, kind) != ("int", "float"):
            problems.append(Problem(place, f"{condition.value!r}, a {given}", f"a value of type {kind}"))
        else:
            problems += value_problems(place, condition.value)
    refuse(ParameterError, problems)


def fitting(where: Sequence[Condition], columns: Mapping[str, pa.Array], rows: int) -> NDArray[np.bool_]:
    """Say which rows all conditions hold for.

    Args:
        where: the conditions, as `check_conditions` lets them through.
        columns: values by column, null where there is none; a column that is absent is null in every row.
        rows: how many there are.

    Returns:
        (rows,), True where all hold; of no condition, True everywhere.

    >>> years = {"year": pa.array([2023, None, 2025])}
    >>> fitting([Condition("year", Relation.GREATER, 2023)], years, 3).tolist()
    [False, False, True]
    """
    fits = np.ones(rows, np.bool_)
    for condition in where:
        values = columns.get(condition.column)
        if values is None:
            return np.zeros(rows, np.bool_)
        wanted = condition.value
        if pa.types.is_boolean(values.type):
            values, wanted = values.cast(pa.int8()), int(bool(wanted))
        elif pa.types.is_floating(values.type):
            wanted = float(wanted)  # type: ignore[arg-type]
        holds = _COMPARE[condition.relation](values, pa.scalar(wanted, values.type))
        fits &= np.asarray(holds.fill_null(False))
    return fits
