"""The benchmark of released face templates, tiny: made-up people."""

import numpy as np
import pytest

from benchmarks.privacy import face_releases
from benchmarks.privacy.enrolment import unit


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    """Twelve people, six noisy images of each."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(12, 64))
    rows = unit(np.repeat(centres, 6, 0) + rng.normal(scale=0.5, size=(72, 64)))
    return rows, np.repeat([f"p{n:02}" for n in range(12)], 6)


def test_more_epsilon_and_an_exact_probe_are_better(people) -> None:
    (low, _), (high, hits) = (face_releases.measured(*people, epsilon, 1, 6) for epsilon in (2.0, 32.0))
    assert high.value < low.value - 10 and hits.value > 80 and high.half < 10
    one, _ = face_releases.measured(*people, 12.0, 1, 6)
    both, _ = face_releases.measured(*people, 12.0, 1, 6, both=True)
    assert both.value > one.value + 5
    exact, hits = face_releases.measured(*people, None, 1, 2)
    assert exact.value < 1 and hits.value > 99
    assert face_releases.draw(*people, 12.0, 4, 0, 0.96) == face_releases.draw(*people, 12.0, 4, 0, 0.96)


def test_a_table_says_which_bars_are_missed(people, capsys) -> None:
    face_releases.table(*people, 2)
    face_releases.papers()
    told = capsys.readouterr().out
    assert told.count("| 1 |") == 3 and told.count("| 4 |") == 3 and "kept" in told
    assert "250,880" in told and "9,483,264" in told and "2603.03711" in told
