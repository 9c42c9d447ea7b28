"""tasks/retrieval/similarity.py: cosines after a step, equal to the textbook forms."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.retrieval import Similarity
from privis.tasks.retrieval.similarity import finite_matrix


def test_hellinger_is_bhattacharyya_of_histograms():
    histograms = np.random.default_rng(1).dirichlet(np.ones(8), 5)
    unit = Similarity.HELLINGER.prepared(histograms)
    textbook = np.sqrt(histograms[:, None] * histograms[None]).sum(-1)
    np.testing.assert_allclose(unit @ unit.T, textbook, atol=1e-12)


def test_hellinger_keeps_signs():
    assert Similarity.HELLINGER.prepared([[-4.0, 4.0]]).round(4).tolist() == [[-0.7071, 0.7071]]


def test_standardised_is_correlation_over_the_index():
    values = np.random.default_rng(2).normal(5, [1, 20, 300], (9, 3))
    unit = Similarity.STANDARDISED.prepared(values, values.mean(0), values.std(0))
    scores = (values - values.mean(0)) / values.std(0)
    np.testing.assert_allclose(unit @ unit.T, 1 - _cosine_distances(scores), atol=1e-12)


def test_a_component_that_never_varies_says_nothing():
    unit = Similarity.STANDARDISED.prepared([[1.0, 7.0], [3.0, 7.0]], [2.0, 7.0], [1.0, 0.0])
    assert unit.tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def test_a_zero_vector_is_similar_to_nothing():
    assert Similarity.COSINE.prepared([[0.0, 0.0]]).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("bad", [[[np.nan]], [1.0], [[]], np.zeros((0, 3))])
def test_what_is_no_matrix(bad):
    with pytest.raises(ParameterError, match="somewhere: got shape"):
        finite_matrix("somewhere", bad)


def _cosine_distances(values):
    from scipy.spatial.distance import cdist

    return cdist(values, values, "cosine")
