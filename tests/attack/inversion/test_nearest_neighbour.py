"""Nearest-neighbour re-identification: hits, what counts as a try, chance, and the choice of a distance."""

from __future__ import annotations

import numpy as np
import pytest

from privis.attack.inversion.nearest_neighbour import RowDistance, nearest_people
from privis.errors import ParameterError


def _people(count: int, shots: int, noise: float, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(count, 12))
    rows = np.repeat(centres, shots, 0) + random.normal(0, noise, (count * shots, 12))
    return rows, [f"p{person}" for person in range(count) for _ in range(shots)]


def test_exact_rows_are_found_and_noise_is_at_chance() -> None:
    rows, names = _people(20, 2, 0.1)
    found = nearest_people(rows[::2], names[::2], rows[1::2], names[1::2])
    assert (found.hits, found.tries, found.chance) == (20, 20, pytest.approx(0.05))
    noise = np.random.default_rng(1).normal(size=(400, 12))
    blind = nearest_people(noise, names[::2] * 20, rows[1::2], names[1::2])
    assert blind.hits / blind.tries == pytest.approx(0.05, abs=0.035)


def test_rows_of_people_who_are_not_known_are_no_tries() -> None:
    rows, names = _people(4, 2, 0.1)
    found = nearest_people(rows[::2], names[::2], rows[1:4:2], names[1:4:2])
    assert found.tries == 2


def test_the_very_picture_of_a_row_does_not_count() -> None:
    rows, names = _people(4, 1, 0.1)
    same = np.eye(4, dtype=bool)
    with pytest.raises(ParameterError, match="nobody"):
        nearest_people(rows, names, rows, names, same)


def test_a_distance_is_chosen_by_the_known_pictures() -> None:
    """One component of random size drowns the cosine; over its deviation it counts like the others."""
    rows, names = _people(20, 3, 0.1)
    loud = np.concatenate([rows, np.random.default_rng(3).normal(0, 1e4, (len(rows), 1))], 1)
    assert nearest_people(loud[::3], names[::3], loud, names).distance is RowDistance.STANDARDISED


@pytest.mark.parametrize("known", [np.zeros((2, 3)), np.zeros((0, 12))])
def test_rows_that_do_not_fit_are_refused(known: np.ndarray) -> None:
    rows, names = _people(2, 1, 0.1)
    with pytest.raises(ParameterError):
        nearest_people(rows, names, known, ["a"] * len(known))
