"""estimators/search/released/released_evaluation.py: rankings of released vectors, beside exact ones."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.search.released.released_evaluation import evaluate_released_search
from privis.estimators.search.released.released_vectors import ReleasedVectors
from privis.features.postprocessing.projection import Projection

RANDOM = np.random.default_rng(3)
LABELS = [*"aaaabbbbccccd"]
CENTRES = RANDOM.normal(size=(4, 8))
ROWS = np.array([CENTRES["abcd".index(name)] for name in LABELS]) + RANDOM.normal(scale=0.1, size=(13, 8))
PROJECTION = Projection(np.eye(8), np.zeros(8), "made up")


def test_noise_costs_and_noise_on_both_sides_costs_more():
    release = ReleasedVectors(8.0, PROJECTION)
    found = evaluate_released_search(release.projected(ROWS), LABELS, release, draws=6)
    assert found.exact.mean_average_precision > 0.95 and (found.images, found.queries) == (13, 12)
    assert found.exact.mean_average_precision > found.index.mean_average_precision > found.both.mean_average_precision
    assert found.index.deviation > 0 == found.exact.deviation
    one = evaluate_released_search(release.projected(ROWS), LABELS, release, draws=1)
    assert one.index.deviation == 0


def test_what_cannot_be_measured():
    release = ReleasedVectors(8.0, PROJECTION)
    for labels, draws, said in ((LABELS[:3], 1, "labels"), ([*"abcdefghijklm"], 1, "two images"), (LABELS, 0, "draws")):
        with pytest.raises(ParameterError, match=said):
            evaluate_released_search(release.projected(ROWS), labels, release, draws=draws)
