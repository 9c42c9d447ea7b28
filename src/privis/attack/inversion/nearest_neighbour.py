"""Nearest-neighbour re-identification: whose is a row, by pictures of known people, without any inversion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse

Rows = NDArray[np.floating[Any]]


class RowDistance(Enum):
    """How two rows are compared."""

    COSINE = "cosine of rows less the known pictures' mean"
    STANDARDISED = "Euclidean, every component over its deviation among the known pictures"


@dataclass(frozen=True)
class PeopleFound:
    """Who every row was taken for.

    Args:
        names: of the person of the nearest known picture, for each row.
        hits: rows whose nearest picture shows the right person.
        tries: rows that could be right: of people who are known, by another picture than the row's own.
        chance: share of hits of somebody who picks any of the known pictures.
        distance: how rows were compared, chosen on the known pictures alone.
    """

    names: tuple[str, ...]
    hits: int
    tries: int
    chance: float
    distance: RowDistance


def nearest_people(
    rows: Rows,
    people: Sequence[str],
    known: Rows,
    known_people: Sequence[str],
    same: NDArray[np.bool_] | None = None,
) -> PeopleFound:
    """Take every row for the person of the nearest known picture.

    The attacker has the rows and pictures of people whose names are known, and computes the same feature of these. How
    rows are compared is chosen by what finds the right person among the known pictures, each against the others.

    Args:
        rows: (n, d) attacked rows, exact or released.
        people: whose each row is: hits are counted by them, and nothing else.
        known: (m, d) exact features of the known pictures.
        known_people: names, one per known picture.
        same: (n, m) true where a known picture is the very picture of a row: it is not counted as known for that row.

    Returns:
        Names and counts.

    Raises:
        ParameterError: shapes that do not fit, or nobody of the rows among the known people.

    >>> known = np.eye(4)[[0, 0, 1, 1]] + 0.01
    >>> found = nearest_people(known[:3], ["a", "a", "b"], known, ["a", "a", "b", "b"])
    >>> found.hits, found.tries, found.chance
    (3, 3, 0.5)
    """
    problems = []
    if rows.ndim != 2 or known.ndim != 2 or rows.shape[1:] != known.shape[1:]:
        expected = "rows of as many components as the attacked ones"
        problems.append(Problem("known", f"{known.shape} for {rows.shape}", expected, "use the feature of the table"))
    if len(people) != len(rows) or len(known_people) != len(known):
        got = f"{len(people)} and {len(known_people)} names for {len(rows)} and {len(known)} rows"
        problems.append(Problem("people", got, "a name for every row and known picture"))
    if not len(rows) or not len(known):
        problems.append(Problem("rows", f"{len(rows)} rows, {len(known)} known pictures", "at least one of each"))
    refuse(ParameterError, problems)
    other = np.ones((len(rows), len(known)), bool) if same is None else ~same
    right = (np.asarray(people)[:, None] == np.asarray(known_people)[None]) & other
    possible = right.any(1)
    if not possible.any():
        remedy = "name pictures of the same people, other than those that were extracted"
        raise ParameterError(Problem("known", "nobody of the rows' people", "other pictures of some of them", remedy))
    distance = _chosen(known, known_people)
    near = _similarity(rows, known, known, distance)
    nearest = np.where(other, near, -np.inf).argmax(1)
    names = np.asarray(known_people)[nearest]
    hits = int((names == np.asarray(people))[possible].sum())
    chance = float((right.sum(1) / np.maximum(other.sum(1), 1))[possible].mean())
    return PeopleFound(tuple(map(str, names)), hits, int(possible.sum()), chance, distance)


def _chosen(known: Rows, people: Sequence[str]) -> RowDistance:
    """What finds the right person among the known pictures; the cosine where nobody has two."""
    names, scores = np.asarray(people), []
    for distance in RowDistance:
        near = _similarity(known, known, known, distance)
        np.fill_diagonal(near, -np.inf)
        scores.append(int((names[near.argmax(1)] == names).sum()))
    return list(RowDistance)[int(np.argmax(scores))]


def _similarity(first: Rows, second: Rows, known: Rows, distance: RowDistance) -> NDArray[np.float64]:
    """(n, m), the larger the nearer."""
    mean = known.mean(0, dtype=np.float64)
    a, b = first - mean, second - mean
    if distance is RowDistance.COSINE:
        a = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-30)
        b = b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-30)
        return np.asarray(a @ b.T)
    spread = known.std(0, dtype=np.float64)
    spread = spread + 1e-3 * spread.mean() + 1e-30  # a component that never moves among the known says nothing
    a, b = a / spread, b / spread
    return np.asarray(2 * a @ b.T - (b * b).sum(1)[None])
