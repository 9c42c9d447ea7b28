"""Conditions as LanceDB evaluates them: expressions of columns and literals, so no value is ever read as SQL.

LanceDB orders numbers totally, with NaN above all and equal to itself; here NaN is unequal to every number and neither
less nor greater, as in `privis.stores.conditions`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from privis.errors import ParameterError, Problem, refuse
from privis.stores.conditions import FIXED, check_conditions
from privis.stores.vector_store import Condition, Relation

if TYPE_CHECKING:
    from lancedb.expr import Expr

_LARGEST = 2**63 - 1


def filter_of(
    where: Sequence[Condition], columns: Mapping[str, str], there: Collection[str], without: Sequence[str] = ()
) -> Expr | None:
    """Write conditions as one expression of LanceDB, which evaluates it beside its search.

    Args:
        where: the conditions; all have to hold.
        columns: types of the metadata by column.
        there: columns that LanceDB's table has; where one of the others is asked for, no row fits.
        without: subjects whose rows do not count.

    Returns:
        An expression of LanceDB; None where every row fits.

    Raises:
        ParameterError: a column is not there, or a value is not of its column's type.
    """
    from lancedb.expr import col

    check_conditions(where, columns)
    _refuse_large(where)
    types = {**columns, **FIXED}
    parts = [_compared(each, types[each.column]) if each.column in there else col("id") != col("id") for each in where]
    if without:
        parts.append(~col("subject").isin(list(without)))
    return functools.reduce(lambda left, right: left & right, parts) if parts else None


def _refuse_large(where: Sequence[Condition]) -> None:
    problems = []
    for condition in where:
        value = condition.value
        if type(value) is int and not -_LARGEST - 1 <= value <= _LARGEST:
            problems.append(Problem(f"condition on {condition.column!r}", "this number", "one of 64 bits with sign"))
    refuse(ParameterError, problems)


def _compared(condition: Condition, kind: str) -> Expr:
    from lancedb.expr import col, lit

    column, relation, value = col(condition.column), condition.relation, condition.value
    if kind == "bool":
        return _of_booleans(column, relation, bool(value))
    if kind == "float":
        number = float(value) + 0.0  # type: ignore[arg-type]  # -0.0 is 0.0
        if math.isnan(number):  # equal to nothing
            return column == column if relation is Relation.NOT_EQUAL else column != column
        compared = _related(column, relation, lit(number))
        ordered = relation in (Relation.GREATER, Relation.AT_LEAST)
        return compared & (column <= lit(math.inf)) if ordered else compared
    return _related(column, relation, lit(value))  # type: ignore[arg-type]


def _related(column: Expr, relation: Relation, value: Expr) -> Expr:
    compared = {
        Relation.EQUAL: column.eq,
        Relation.NOT_EQUAL: column.ne,
        Relation.LESS: column.lt,
        Relation.AT_MOST: column.lte,
        Relation.GREATER: column.gt,
        Relation.AT_LEAST: column.gte,
    }
    return compared[relation](value)


def _of_booleans(column: Expr, relation: Relation, value: bool) -> Expr:
    """Booleans count as 0 and 1."""
    from lancedb.expr import lit

    fits = {
        Relation.EQUAL: (not value, value),
        Relation.NOT_EQUAL: (value, not value),
        Relation.LESS: (value, False),
        Relation.AT_MOST: (True, value),
        Relation.GREATER: (False, not value),
        Relation.AT_LEAST: (not value, True),
    }[relation]
    allowed = [each for each, holds in zip((False, True), fits, strict=True) if holds]
    return column.isin([lit(each) for each in allowed]) if allowed else column != column
