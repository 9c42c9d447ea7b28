"""estimators/search/released/public_projections.py: what is learned from whom, and the table of what was measured."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.search.released import public_projections
from privis.estimators.search.released.public_projections import (
    projection_of_images,
    projection_of_leaves,
    recommended_components,
    released_search_table,
)


def mean_colours(image) -> np.ndarray:
    return np.asarray(image).reshape(-1, 3).mean(0)


def test_a_projection_names_its_corpus_and_is_that_of_its_vectors():
    points = np.random.default_rng(1).normal(size=(30, 5)) * [9, 3, 1, 1, 1]
    found = projection_of_images(lambda row: points[row], range(30), 2, "thirty made-up points")
    assert found.source == "thirty made-up points" and found.matrix.shape == (2, 5)
    assert abs(found.matrix[0, 0]) > 0.9 and np.allclose(found.mean, points.mean(0))
    with pytest.raises(ParameterError, match="2 public images"):
        projection_of_images(lambda row: points[row], range(2), 2, "two points")


def test_leaves_are_the_same_every_time_and_of_many_colours(monkeypatch):
    monkeypatch.setattr(public_projections, "LEAVES", 6)
    first, again = (projection_of_leaves(mean_colours, 3) for _ in range(2))
    assert first == again and "dead-leaves" in first.source


def test_more_epsilon_allows_more_components():
    told = [recommended_components(epsilon) for epsilon in (0.1, 1.0, 4.0, 16.0, 1000.0)]
    assert told == sorted(told) and told[0] >= 2
    assert all(recommended_components(e, released_queries=True) <= recommended_components(e) for e in (4.0, 8.0, 16.0))
    with pytest.raises(ParameterError, match="epsilon"):
        recommended_components(-1.0)


def test_the_table_says_what_it_was_measured_on():
    table = released_search_table()
    assert "Corel" in table["source"] and "SqueezeNet" in table["source"]
    for row in table["precision"].values():
        assert all(0 < both <= one + 0.02 < 1 for one, both in row.values())
