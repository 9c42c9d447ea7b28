"""Leave-one-out rankings: what counts, what asks nothing, and graphs that do not know the query.

Answers for `privis.estimators.search.search_evaluation` and `privis.estimators.search.rerankers`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.search import search_evaluation
from privis.estimators.search.rerankers import Candidates, Diffusion, reordered
from privis.estimators.search.search_evaluation import evaluate_search
from privis.tasks.retrieval import NeighbourGraph, average_precision, precision_at, relevance


def clusters(classes: int = 4, each: int = 6, spread: float = 0.6) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(5)
    centres = random.normal(size=(classes, 12))
    rows = np.repeat(centres, each, 0) + spread * random.normal(size=(classes * each, 12))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit.astype(np.float32), [str(place // each) for place in range(classes * each)]


def test_every_image_asks_all_others(monkeypatch: pytest.MonkeyPatch):
    vectors, labels = clusters()
    scores = vectors.astype(np.float64) @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    found = relevance(scores, labels, labels)
    expected = average_precision(found).mean(), precision_at(found, 10).mean()
    for at_once in (1 << 24, 50):
        monkeypatch.setattr(search_evaluation, "_AT_ONCE", at_once)
        got = evaluate_search(vectors, labels)
        assert np.allclose((got.mean_average_precision, got.precision), expected)
    assert got.images == got.queries == 24 and list(got.classes) == ["0", "1", "2", "3"]
    assert np.isclose(np.mean(list(got.classes.values())), got.mean_average_precision)


def test_an_image_that_is_alone_in_its_class_asks_nothing():
    vectors, labels = clusters(3, 2)
    got = evaluate_search(vectors, ["lonely", *labels[1:]])
    assert (got.images, got.queries, got.alone) == (6, 4, ("0", "lonely"))
    with pytest.raises(ParameterError, match="class of at least two images"):
        evaluate_search(vectors, list("abcdef"))
    with pytest.raises(ParameterError, match="one for each image"):
        evaluate_search(vectors, labels[1:])


def test_diffusion_asks_graphs_without_the_query():
    vectors, labels = clusters(each=8, spread=0.9)
    expected = []
    for row in range(len(vectors)):
        others = np.delete(np.arange(len(vectors)), row)
        graph = NeighbourGraph.of(vectors[others], 4)
        scores = graph.scores((vectors[row : row + 1] @ vectors[others].T).astype(np.float64))
        expected.append(average_precision(relevance(scores, [labels[row]], np.array(labels)[others]))[0])
    got = evaluate_search(vectors, labels, Diffusion(neighbours=4))
    assert np.isclose(got.mean_average_precision, np.mean(expected), atol=1e-9)
    assert got.mean_average_precision != evaluate_search(vectors, labels).mean_average_precision


def test_graphs_without_one_image_are_those_of_the_others():
    vectors, _ = clusters()
    without = NeighbourGraph.without_each(vectors, 5)
    for row in (0, 11, 23):
        expected = NeighbourGraph.of(np.delete(vectors, row, 0), 5).affinity
        assert (
            abs(without(row).affinity - expected).max() < 1e-6
        )  # single-precision products, in blocks of another size
    assert len(NeighbourGraph.without_each(vectors[:4], 15)(0)) == 3
    with pytest.raises(ParameterError):
        NeighbourGraph.without_each(vectors[:2])


def test_diffusion_scores_candidates_alone():
    vectors, labels = clusters()
    query = vectors[0] + vectors[1]
    given = Candidates(tuple(map(str, range(24))), vectors @ query, lambda: vectors)
    order = reordered(Diffusion(neighbours=4).scores(None, query, given), given.ids)
    assert [labels[place] for place in order[:6]] == ["0"] * 6
    few = Candidates(("a", "b"), np.array([0.1, 0.2]), lambda: vectors[:2])
    assert reordered(Diffusion().scores(None, query, few), few.ids) == [1, 0]
    for broken in (np.array([1.0]), np.array([np.nan, 1.0])):
        with pytest.raises(ParameterError, match=r"Reranker\.scores"):
            reordered(broken, few.ids)
    with pytest.raises(ParameterError) as caught:
        Diffusion(0, 1.0, 1)
    assert len(caught.value.problems) == 3
