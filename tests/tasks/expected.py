"""What questions must be answered with, in Python's integers; all executors' tests compare with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privis.tasks import (
    AllAbove,
    AnyAbove,
    Best,
    Count,
    Decision,
    Matches,
    Payload,
    Question,
    Top,
    VectorGrid,
)

Vectors = npt.NDArray[np.float64]
QUESTIONS: list[Question] = [
    Best(score=True), Best(), Best(0.3, score=True), Best(0.3), Best(0.999, score=True),
    Top(3, score=True), Top(3), Top(3, 0.3, score=True), Top(3, 0.3), Top(2, 0.999), AnyAbove(0.3), AnyAbove(0.999),
    Count(0.3), Count(0.999), Count(-1.0), AllAbove(0.3), AllAbove(0.3, 3), AllAbove(0.999, 2), AllAbove(-1.0, 7),
    Payload(0.3), Payload(0.3, 3), Payload(0.999), Payload(0.999, 2), Payload(-1.0, 8),
]  # fmt: skip


def vectors(rows: int, dimension: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((rows, dimension))


def payloads(rows: int, width: int = 2) -> npt.NDArray[np.int64]:
    """Different for every template, 0 among them: an absent payload is not one of zeros."""
    return (np.arange(rows)[:, None] * [7, 1][:width]) % 301


def expected(grid: VectorGrid, templates: Vectors, queries: Vectors, question: Question) -> list[list[int]]:
    """For each query, the rows of the answer in order, sorted by product and then by row where that is asked for."""
    found = []
    for query in grid.unit_vectors(queries):
        products = [int(value) for value in grid.unit_vectors(templates) @ query]
        least = -(1 << 62) if question.threshold is None else question.threshold * grid.unit
        order = list(range(len(products)))
        if isinstance(question, Best | Top):
            order.sort(key=lambda i: (-products[i], i))
        good = [i for i in order if products[i] >= least]
        found.append(good[: question.count] if isinstance(question, Best | Top) else good)
    return found


def check_matches(grid: VectorGrid, templates: Vectors, queries: Vectors, question: Question, got: Matches) -> None:
    """Compare an exact executor's answer, field by field."""
    wanted = expected(grid, templates, queries, question)
    several = isinstance(question, AllAbove | Payload)
    most = question.most if isinstance(question, AllAbove | Payload) else len(templates)
    given = [rows if len(rows) <= most else [] for rows in wanted]
    decisions = [Decision.UNDECIDED if len(r) > most else Decision(bool(r)) for r in wanted]
    if question.threshold is None:
        assert got.decisions is None and got.found is None
    else:
        assert got.decisions is not None and got.decisions.tolist() == decisions
        assert got.found is not None and got.found.tolist() == [one is Decision.ACCEPTED for one in decisions]
    counted = [min(len(rows), most + 1) for rows in wanted] if several or isinstance(question, Count) else None
    assert (None if got.counts is None else got.counts.tolist()) == counted
    if isinstance(question, Best | Top | AllAbove):
        width = question.count if isinstance(question, Best | Top) else most
        assert got.indices is not None
        assert got.indices.tolist() == [rows + [-1] * (width - len(rows)) for rows in given]
    else:
        assert got.indices is None
    assert (got.payloads is not None) == isinstance(question, Payload)
    if got.payloads is not None:
        carried = payloads(len(templates), got.payloads.shape[2]).tolist()
        none = [-1] * got.payloads.shape[2]
        assert got.payloads.tolist() == [[carried[i] for i in rows] + [none] * (most - len(rows)) for rows in given]
    scored = isinstance(question, Best | Top) and question.score
    assert (got.cosines is not None) == scored
    if got.cosines is not None:
        products = grid.unit_vectors(queries) @ grid.unit_vectors(templates).T / grid.unit
        for row, cosines, of_query in zip(given, got.cosines, products, strict=True):
            np.testing.assert_array_equal(cosines[: len(row)], of_query[row])
            assert np.isnan(cosines[len(row) :]).all()
