"""Answers for `privis.stores.exact_scan` and `privis.stores.scan_kernels`: the answers of a scan of all vectors."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.stores import ExactScan
from privis.tasks.retrieval.similarity import unit_length


def brute(vectors, queries, top, allowed=None):
    scores = np.asarray(queries, np.float64) @ np.asarray(vectors, np.float64).T
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return rows, np.take_along_axis(scores, rows, 1)


def agree(vectors, queries, top, allowed=None):
    found = ExactScan.of(vectors).search(queries, top, vectors.__getitem__, allowed)
    rows, scores = brute(vectors, queries, top, allowed)
    np.testing.assert_allclose(found.scores, scores, rtol=0, atol=1e-12 * max(1, np.abs(scores).max()))
    for ours, theirs, values in zip(found.rows, rows, scores, strict=True):
        apart = np.flatnonzero(np.diff(values, append=-np.inf) < -1e-12) if len(values) else []
        assert set(ours) == set(theirs) or len(apart) < len(values), "only rows that tie may differ"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("rows", "components"), [(5000, 64), (300, 4864), (9000, 3), (1, 1)])
def test_the_answers_are_those_of_a_scan_of_all_vectors(rows, components, dtype):
    random = np.random.default_rng(rows)
    vectors = unit_length(random.normal(size=(rows, components))).astype(dtype)
    agree(vectors, unit_length(random.normal(size=(5, components))), 10)


def test_rows_that_codes_cannot_tell_apart():
    """A thousand rows within half a step of each other: the bound keeps all, the vectors decide."""
    random = np.random.default_rng(1)
    vectors = (np.ones((1000, 32)) + random.uniform(-1, 1, (1000, 32)) * 1e-4).astype(np.float32)
    agree(vectors, random.normal(size=(4, 32)), 7)


def test_lengths_that_differ_by_orders_of_magnitude():
    random = np.random.default_rng(2)
    vectors = random.normal(size=(800, 16)) * 10.0 ** random.uniform(-6, 6, (800, 1))
    agree(vectors, random.normal(size=(3, 16)) * 1e3, 5)
    agree(vectors, np.zeros((1, 16)), 5)


def test_equal_rows_come_in_their_order():
    vectors = np.tile(np.eye(2), (3, 1))
    assert ExactScan.of(vectors).search([[1.0, 0.0]], 4, vectors.__getitem__).rows.tolist() == [[0, 2, 4, 1]]


def test_only_allowed_rows_and_no_more_than_there_are():
    random = np.random.default_rng(3)
    vectors, allowed = random.normal(size=(50, 8)), np.arange(50) % 7 == 0
    agree(vectors, vectors[:3], 5, allowed)
    found = ExactScan.of(vectors).search(vectors[:2], 20, vectors.__getitem__, allowed)
    assert found.rows.shape == (2, 8) and allowed[found.rows].all()
    nobody = ExactScan.of(vectors).search(vectors[:2], 3, vectors.__getitem__, np.zeros(50, bool))
    assert nobody.rows.shape == (2, 0)
    empty = np.zeros((0, 8))
    assert ExactScan.of(empty).search(vectors[:2], 3, empty.__getitem__).rows.shape == (2, 0)


def test_rows_added_and_left_out():
    random = np.random.default_rng(4)
    vectors = random.normal(size=(40, 8))
    grown = ExactScan.of(vectors[:25]).appended(vectors[25:])
    for name in ("codes", "scales", "lengths", "residuals"):
        np.testing.assert_array_equal(getattr(grown, name), getattr(ExactScan.of(vectors), name))
    kept = grown.kept(np.arange(40) != 17)
    rest = np.delete(vectors, 17, axis=0)
    assert kept.codes.base is None, "no view of what was left out"
    np.testing.assert_array_equal(kept.search(vectors[:3], 4, rest.__getitem__).rows, brute(rest, vectors[:3], 4)[0])


def test_few_rows_are_compared_by_their_vectors():
    random = np.random.default_rng(5)
    vectors, asked = unit_length(random.normal(size=(20_000, 128))).astype(np.float32), []

    def exact(rows):
        asked.append(len(rows))
        return vectors[rows]

    ExactScan.of(vectors).search(vectors[:4], 10, exact)
    assert max(asked) < 1000


@pytest.mark.parametrize(
    ("vectors", "match"),
    [
        (np.array([[1.0], [np.nan]]), "row 1: got NaN"),
        (np.ones((2, 2), int), "float16"),
        (np.ones(3), r"shape \(3,\)"),
        (np.ones((3, 0)), "components"),
        (np.ones((2, 2), np.longdouble), "float64"),
    ],
)
def test_what_cannot_be_coded(vectors, match):
    with pytest.raises(ParameterError, match=match):
        ExactScan.of(vectors)


def test_what_cannot_be_asked():
    vectors = np.eye(3)
    index = ExactScan.of(vectors)
    with pytest.raises(ParameterError, match="2 components"):
        index.search(np.ones((1, 2)), 1, vectors.__getitem__)
    with pytest.raises(ParameterError, match="2 components"):
        index.appended(np.ones((1, 2)))
    with pytest.raises(ParameterError, match="top: got 0") as caught:
        index.search(np.full((1, 3), np.inf), 0, vectors.__getitem__, np.ones(2, bool))
    assert len(caught.value.problems) == 3
