"""tasks/retrieval/vector_clusters.py: no cluster too large, a stable assignment, and a search of the nearest ones."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.retrieval import ClusterCentres, VectorClusters
from privis.tasks.retrieval.vector_clusters import _stable_assignment

RANDOM = np.random.default_rng(5)
CENTRES = RANDOM.normal(size=(6, 16))
ROWS = CENTRES[RANDOM.integers(0, 6, 600)] + 0.3 * RANDOM.normal(size=(600, 16))


def test_every_row_is_in_one_cluster_and_none_is_too_large():
    made = VectorClusters.of(ROWS, capacity=130)
    assert sorted(np.concatenate(made.members).tolist()) == list(range(600))
    assert 1 <= min(map(len, made.members)) <= max(map(len, made.members)) <= 130
    again = VectorClusters.of(ROWS * 7.0, capacity=130)
    np.testing.assert_allclose(again.centres.directions, made.centres.directions, atol=1e-5)


@pytest.mark.parametrize("capacity", [1, 7, 20, 100])
def test_no_row_and_cluster_would_rather_have_each_other(capacity):
    scores = RANDOM.normal(size=(100, -(-100 // capacity) + 1)).astype(np.float32)
    chosen = _stable_assignment(scores, capacity)
    assert np.bincount(chosen).max() <= capacity
    for row in range(100):
        for better in np.flatnonzero(scores[row] > scores[row, chosen[row]]):
            held = np.flatnonzero(chosen == better)
            assert len(held) == capacity and scores[held, better].min() >= scores[row, better]


def test_all_clusters_are_all_rows():
    made = VectorClusters.of(ROWS, capacity=130)
    queries = ROWS[:9] + 0.1
    for query, (rows, scores) in zip(queries, made.search(ROWS, queries, len(made), 10), strict=True):
        whole = ROWS @ query
        assert rows.tolist() == np.argsort(-whole, kind="stable")[:10].tolist()
        np.testing.assert_allclose(scores, np.sort(whole)[::-1][:10])


def test_a_few_clusters_find_most():
    made = VectorClusters.of(ROWS, capacity=130)
    exact = np.argsort(-(ROWS @ ROWS[:50].T), axis=0)[:10].T
    found = made.search(ROWS, ROWS[:50], 2, 10)
    recall = np.mean(
        [len({*rows.tolist()} & {*best.tolist()}) / 10 for (rows, _), best in zip(found, exact, strict=True)]
    )
    assert recall > 0.9


def test_copies_overflow_into_other_clusters():
    made = VectorClusters.of(np.ones((50, 4)), capacity=10, clusters=5)
    assert [len(rows) for rows in made.members] == [10] * 5


@pytest.mark.parametrize(
    ("vectors", "capacity", "clusters", "said"),
    [
        (np.zeros((3, 2)), 2, None, "row 0"),
        (np.ones((30, 2)), 2, 3, "at least 15 clusters"),
        (np.full((3, 2), np.nan), 2, None, "finite"),
        (np.ones(3), 2, None, "finite numbers"),
        (np.ones((3, 2)), 0, None, "capacity"),
    ],
)
def test_what_cannot_be_clustered(vectors, capacity, clusters, said):
    with pytest.raises(ParameterError, match=said):
        VectorClusters.of(vectors, capacity, clusters)


def test_centres_are_directions():
    with pytest.raises(ParameterError, match="length 1"):
        ClusterCentres(np.full((2, 2), 3.0, np.float32))
    with pytest.raises(ParameterError, match="count"):
        ClusterCentres(np.eye(2, dtype=np.float32)).nearest([[1.0, 0.0]], 3)
    with pytest.raises(ParameterError, match="queries"):
        ClusterCentres(np.eye(2, dtype=np.float32)).nearest([[1.0, 0.0, 0.0]], 1)
