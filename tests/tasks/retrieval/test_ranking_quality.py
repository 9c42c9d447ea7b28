"""tasks/retrieval/ranking_quality.py against scikit-learn, and what it refuses."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from privis.errors import ParameterError
from privis.tasks.retrieval import average_precision, precision_at, relevance


def test_average_precision_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    scores, labels = random.permutation(40 * 60).reshape(40, 60), random.integers(0, 4, 60)
    asked = random.integers(0, 4, 40)
    ours = average_precision(relevance(scores, asked, labels))
    theirs = [average_precision_score(labels == label, row) for label, row in zip(asked, scores, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_leave_one_out_ranks_all_others():
    labels = np.array([0, 0, 1])
    scores = np.array([[-np.inf, 0.2, 0.9], [0.2, -np.inf, 0.1], [0.9, 0.1, -np.inf]])
    found = relevance(scores, labels, labels)
    assert found.tolist() == [[False, True], [True, False], [False, False]]
    assert average_precision(found[:2]).tolist() == [0.5, 1.0]
    assert precision_at(found, 1).tolist() == [0, 1, 0]
    with pytest.raises(ParameterError, match="1 queries without a relevant image"):
        average_precision(found)


def test_equal_scores_rank_the_earlier_image_first():
    assert relevance([[0.5, 0.5]], [1], [1, 0]).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("scores", "match"),
    [
        ([[np.nan, 0.0]], "NaN"),
        ([[np.inf, 0.0]], "NaN or"),
        ([[0.0]], r"shape \(1, 1\) for 1 and 2 labels"),
        ([], "shape"),
    ],
)
def test_bad_scores(scores, match):
    with pytest.raises(ParameterError, match=match):
        relevance(scores, [0], [0, 1])


def test_queries_that_leave_out_different_numbers():
    with pytest.raises(ParameterError, match="1 to 2 images"):
        relevance([[0.0, 1.0], [0.0, -np.inf]], [0, 0], [0, 1])


def test_a_rank_beyond_the_ranking():
    with pytest.raises(ParameterError, match="an integer from 1 to 2"):
        precision_at([[True, False]], 3)
    with pytest.raises(ParameterError, match="expected bool"):
        precision_at([[1, 0]], 1)
