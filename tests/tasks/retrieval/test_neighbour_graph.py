"""tasks/retrieval/neighbour_graph.py against the closed form, and along a chain of images that look alike in pairs."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.retrieval import NeighbourGraph
from privis.tasks.retrieval.similarity import unit_length


def circle(degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def test_scores_are_the_closed_form_on_dense_matrices():
    vectors = unit_length(np.abs(np.random.default_rng(0).normal(size=(40, 5))))
    graph = NeighbourGraph.of(vectors, neighbours=6, damping=0.8)
    cosines = vectors @ vectors.T
    cubes = np.zeros((40, 40))
    for row in range(40):
        others = [column for column in np.argsort(-cosines[row]) if column != row][:6]
        cubes[row, others] = cosines[row, others] ** 3
    cubes = np.minimum(cubes, cubes.T)
    degrees = np.sqrt(cubes.sum(1))
    affinity = np.divide(cubes, degrees[:, None] * degrees[None], out=np.zeros_like(cubes), where=cubes > 0)
    np.testing.assert_allclose(graph.affinity.toarray(), affinity, atol=1e-6)
    query = cosines[:1]
    start = np.where(query[0] >= np.sort(query[0])[-6], query[0] ** 3, 0)
    exact = np.linalg.solve(np.eye(40) - 0.8 * affinity, start)
    np.testing.assert_allclose(graph.scores(query)[0][exact > 1e-4], exact[exact > 1e-4], rtol=1e-3)


def test_a_chain_brings_up_what_the_query_itself_does_not_resemble():
    chain, stranger = circle(np.arange(0, 100, 10)), circle([-80])
    index = np.concatenate([chain, stranger])
    cosines = circle([0]) @ index.T
    assert cosines[0, 9] < cosines[0, 10], "the end of the chain resembles the query less than the stranger does"
    scores = NeighbourGraph.of(index, neighbours=2).scores(cosines)
    assert scores[0, 9] > scores[0, 10]


def test_images_that_are_not_reached_follow_in_the_order_of_their_cosines():
    index = np.concatenate([circle([0, 1]), circle([120, 121]), circle([150])])
    scores = NeighbourGraph.of(index, neighbours=1).scores(circle([0]) @ index.T)[0]
    assert np.argsort(-scores)[:2].tolist() == [0, 1] and np.argsort(-scores)[2:].tolist() == [2, 3, 4]


def test_a_query_that_resembles_nothing_is_ranked_by_cosine():
    index = circle([100, 120, 140])
    assert np.argsort(-NeighbourGraph.of(index, neighbours=1).scores(circle([0]) @ index.T)[0]).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"vectors": np.eye(3), "neighbours": 3}, "from 1 to 2"),
        ({"vectors": np.eye(3), "neighbours": 1, "damping": 1.0}, r"within \[0, 1\)"),
        ({"vectors": np.full((3, 2), np.nan)}, "finite"),
        ({"vectors": np.eye(1)}, "neighbours"),
    ],
)
def test_what_is_no_graph(arguments, match):
    with pytest.raises(ParameterError, match=match):
        NeighbourGraph.of(**arguments)


def test_similarities_to_another_index():
    with pytest.raises(ParameterError, match=r"\(rows, 3\)"):
        NeighbourGraph.of(circle([0, 1, 2]), neighbours=1).scores(np.ones((1, 4)))
