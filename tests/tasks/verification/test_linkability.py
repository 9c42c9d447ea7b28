"""D_sys by hand, of equal, apart and overlapping scores.

Answers for `privis.tasks.verification.linkability`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.verification import global_linkability


def test_scores_of_known_distributions() -> None:
    random = np.random.default_rng(0)
    uniform = random.uniform(size=200_000)
    assert global_linkability(uniform, random.uniform(size=200_000)) < 0.01
    for apart in (2, -2):
        assert global_linkability(uniform, uniform + apart) == pytest.approx(1)
    half = global_linkability(uniform, 2 * random.uniform(size=200_000))  # twice as dense: 2 LR / (1 + LR) - 1 = 1/3
    assert half == pytest.approx(1 / 3, abs=0.01)
    shifted = global_linkability(uniform, 0.5 + random.uniform(size=200_000))  # half of the mated ones lie alone
    assert shifted == pytest.approx(0.5, abs=0.01)
    normal = random.normal(size=(2, 400_000))
    grid = np.linspace(-8, 9, 100_001)
    one, two = np.exp(-((grid - 1) ** 2) / 2), np.exp(-(grid**2) / 2)
    exact = np.sum(one * np.maximum(0, (one - two) / (one + two))) / one.sum()
    assert global_linkability(normal[0] + 1, normal[1]) == pytest.approx(exact, abs=0.01)


def test_what_cannot_be_measured() -> None:
    assert global_linkability(np.ones(20), np.ones(20)) == 0
    for mated, others in ((np.ones(19), np.ones(99)), (np.ones(99), [1.0, np.nan] * 20), ([], [])):
        with pytest.raises(ParameterError, match="at least 20, all finite"):
            global_linkability(mated, others)
