"""Matching in the clear: the definition of every answer, and what whoever decrypted cosines does with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.matches import Matches, decided, joined_matches
from privis.tasks.payloads import LARGEST_PAYLOAD, PayloadFormat
from privis.tasks.questions import AllAbove, AnyAbove, Best, Claim, Count, Payload, Question, Top
from privis.tasks.vector_grid import VectorGrid
from privis.validation import real_values

_AT_ONCE = 1 << 23
"""Most products in memory at a time."""


def match(
    question: Question,
    queries: NDArray[Any],
    templates: NDArray[Any],
    *,
    claims: Sequence[int] | None = None,
    payloads: NDArray[Any] | None = None,
    grid: VectorGrid | None = None,
) -> Matches:
    """Answer ``question`` in the clear, exactly for the vectors on ``grid``: what all other executors are held to.

    Args:
        question: What is asked of each query.
        queries: Vectors (queries, components), of any length but zero.
        templates: Vectors (templates, components), likewise; of equally similar ones the first counts.
        claims: For `Claim`, the template (a row of ``templates``) that each query claims; else None.
        payloads: For `Payload`, whole numbers (templates, width) from 0 to 65,535; else None.
        grid: That vectors are rounded to; None: one for so many templates. Rounding moves a cosine by about 1e-4 at
            most.

    Returns:
        The answer, never undecided for the question's gap.

    Raises:
        ParameterError: vectors without a direction or of another length, claims or payloads that are missing, too many,
            or not there to be claimed; all at once.

    >>> faces = np.eye(3)
    >>> match(Claim(0.9), faces[[0, 1]], faces, claims=[0, 2]).decisions.tolist()
    [1, 0]
    >>> match(Payload(0.9), faces[[2]], faces, payloads=np.array([[7], [8], [9]])).payloads.tolist()
    [[[9]]]
    """
    asked, known = real_values("queries", queries), real_values("templates", templates)
    problems = _shape_problems(asked, known, grid) + _claim_problems(question, claims, len(asked), len(known))
    carried = None if payloads is None else np.asarray(payloads)
    if (carried is not None) != isinstance(question, Payload):
        got = "none" if carried is None else "payloads"
        problems.append(Problem("payloads", got, "payloads for the question Payload, and for no other"))
    elif carried is not None and carried.ndim != 2:
        problems.append(Problem("payloads", f"shape {carried.shape}", f"({len(known)}, width)"))
    refuse(ParameterError, problems)
    grid = VectorGrid(known.shape[1], len(known)) if grid is None else grid
    if carried is not None:
        carried = PayloadFormat(carried.shape[1], LARGEST_PAYLOAD).checked(carried, len(known))
    vectors, rows = grid.unit_vectors(asked).astype(np.float64), grid.unit_vectors(known).astype(np.float64)
    if claims is not None:
        return matches_of(question, (vectors * rows[np.asarray(claims)]).sum(1) / grid.unit)
    step = max(1, _AT_ONCE // len(rows))  # double precision holds these products and their sums exactly
    lots = (vectors[start : start + step] for start in range(0, len(vectors), step))
    return joined_matches([matches_of(question, lot @ rows.T / grid.unit, carried) for lot in lots])


def matches_of(question: Question, cosines: NDArray[np.floating], payloads: NDArray[np.int64] | None = None) -> Matches:
    """Answer ``question`` from cosines in the clear: what whoever decrypted them does, or a trial without protection.

    Args:
        question: what is asked of each query.
        cosines: real numbers (queries, templates), of `Claim` (queries,); of equal ones the first template counts.
        payloads: of all templates (templates, width), for `Payload`.

    Returns:
        The answer as `privis.tasks.read_answer` gives it, never undecided for the question's gap. A `Top` of more than
        there are templates ends in -1 and NaN.

    >>> matches_of(Top(2, threshold=0.5), np.array([[0.1, 0.9, 0.4]])).indices
    array([[ 1, -1]])
    """
    match question:
        case Claim(threshold):
            return Matches(question, decisions=decided(cosines >= threshold))
        case AnyAbove(threshold):
            return Matches(question, decisions=decided((cosines >= threshold).any(1)))
        case Count(threshold):
            counts = (cosines >= threshold).sum(1)
            return Matches(question, decisions=decided(counts > 0), counts=counts)
        case AllAbove(threshold) | Payload(threshold):
            return _all_above(question, cosines >= threshold, payloads)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : question.count]
    best = np.take_along_axis(cosines, order, 1)
    known = best >= (-np.inf if question.threshold is None else question.threshold)
    missing = ((0, 0), (0, question.count - order.shape[1]))
    indices = np.pad(np.where(known, order, -1), missing, constant_values=-1)
    values = np.pad(np.where(known, best, np.nan), missing, constant_values=np.nan)
    decisions = None if question.threshold is None else decided(known.any(1))
    return Matches(question, indices=indices, cosines=values if question.score else None, decisions=decisions)


def near_threshold(question: Question, cosines: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say which cosines an executor that approximates need not decide.

    Args:
        question: what is asked.
        cosines: exact ones, of any shape.

    Returns:
        Whether each is less than the question's gap away from its threshold, of the shape of ``cosines``.

    >>> near_threshold(AnyAbove(0.5, gap=0.125), np.array([0.25, 0.45, 0.625, 0.55])).tolist()
    [False, True, False, True]
    """
    if isinstance(question, Best | Top):
        return np.zeros(np.shape(cosines), bool)
    return np.abs(np.asarray(cosines) - question.threshold) < question.gap


def _all_above(question: AllAbove | Payload, found: NDArray[np.bool_], payloads: NDArray[np.int64] | None) -> Matches:
    counts = np.minimum(found.sum(1), question.most + 1)
    given = np.arange(question.most) < np.where(counts > question.most, 0, counts)[:, None]
    first = np.argsort(~found, axis=1, kind="stable")[:, : question.most]
    rows = np.pad(first, ((0, 0), (0, question.most - first.shape[1])))
    decisions = decided(counts > 0, counts > question.most)
    if isinstance(question, AllAbove):
        return Matches(question, indices=np.where(given, rows, -1), decisions=decisions, counts=counts)
    if payloads is None:
        raise ParameterError(Problem("payloads", "none", "payloads for the question Payload"))
    fetched = np.where(given[..., None], payloads[rows], -1)
    return Matches(question, decisions=decisions, counts=counts, payloads=fetched)


def _shape_problems(queries: NDArray[Any], templates: NDArray[Any], grid: VectorGrid | None) -> list[Problem]:
    components = templates.shape[1] if templates.ndim == 2 else "components"
    width = components if grid is None else grid.dimension
    return [
        Problem(name, f"shape {rows.shape}", f"(rows, {width}), at least one")
        for name, rows in (("queries", queries), ("templates", templates))
        if rows.ndim != 2 or rows.shape[1] != width or not rows.size
    ]


def _claim_problems(question: Question, claims: Sequence[int] | None, queries: int, templates: int) -> list[Problem]:
    if (claims is not None) != isinstance(question, Claim):
        got = "none" if claims is None else "claims"
        return [Problem("claims", got, "a template for each query of the question Claim, and none else")]
    if claims is None:
        return []
    numbers = np.asarray(claims)
    inside = numbers.dtype.kind in "iu" and bool(((numbers >= 0) & (numbers < templates)).all())
    if numbers.shape == (queries,) and inside:
        return []
    expected = f"{queries} whole numbers from 0 to {templates - 1}"
    return [Problem("claims", f"{numbers.size} claims, of type {numbers.dtype}", expected, "one row per query")]
