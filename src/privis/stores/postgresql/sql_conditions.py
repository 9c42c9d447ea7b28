"""Conditions on rows as SQL: columns are quoted names that the store knows, values are parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from privis.errors import ParameterError, refuse
from privis.stores.conditions import FIXED
from privis.stores.vector_rows import Value, value_problems
from privis.stores.vector_store import Condition, Relation

if TYPE_CHECKING:
    from psycopg.sql import Composable

LARGEST_INTEGER = 2**63 - 1


def sql_where(where: Sequence[Condition], columns: Mapping[str, str]) -> tuple[Composable, list[Value]]:
    """Write conditions, as `check_conditions` lets them through, so that they mean what they mean in Python.

    Args:
        where: the conditions.
        columns: types of the metadata by column.

    Returns:
        A Boolean expression, and its parameters in their order.

    Raises:
        ParameterError: a text that PostgreSQL cannot hold.
    """
    from psycopg.sql import SQL

    parts: list[Composable] = [SQL("true")]
    values: list[Value] = []
    for condition in where:
        part, value = _one(condition, {**columns, **FIXED}[condition.column])
        parts.append(part)
        values += value
    return SQL(" AND ").join(parts), values


def _one(condition: Condition, kind: str) -> tuple[Composable, list[Value]]:
    from psycopg.sql import SQL, Identifier

    column, value = Identifier(condition.column), condition.value
    unequal = condition.relation is Relation.NOT_EQUAL
    if kind == "float":  # to PostgreSQL NaN equals itself and is the largest number
        number = float(value)  # type: ignore[arg-type]
        if math.isnan(number):
            return SQL("{} IS NOT NULL" if unequal else "false").format(column), []
        comparison = SQL(f"{{}} {condition.relation.value} %s::double precision").format(column)
        return (comparison if unequal else SQL("({} AND {} <> 'NaN')").format(comparison, column)), [number]
    if kind == "int" and isinstance(value, int) and abs(value) > LARGEST_INTEGER:  # no stored number is as large
        less = condition.relation in (Relation.LESS, Relation.AT_MOST)
        fits = unequal or (less if value > 0 else condition.relation in (Relation.GREATER, Relation.AT_LEAST))
        return SQL("{} IS NOT NULL" if fits else "false").format(column), []
    refuse(ParameterError, value_problems(f"condition on {condition.column!r}", value))
    types = {"str": 'text COLLATE "C"', "int": "bigint", "bool": "boolean"}
    return SQL(f"{{}} {condition.relation.value} %s::{types[kind]}").format(column), [value]  # type: ignore[arg-type]
