"""The ridge inverter: exact where it can be, its penalty chosen on whole people, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from privis.attack.inversion.ridge_inverter import RidgeInverter
from privis.errors import ParameterError

RANDOM = np.random.default_rng(5)
PICTURES = RANDOM.integers(0, 256, (60, 5, 6)).astype(np.uint8)
EXACT = PICTURES.reshape(60, 30) @ RANDOM.normal(size=(30, 40))


def test_a_linear_feature_is_undone() -> None:
    inverter = RidgeInverter.fit(EXACT[:50], PICTURES[:50])
    made = inverter(EXACT[50:])
    assert made.shape == (10, 5, 6)
    assert np.abs(made - PICTURES[50:]).max() < 2


def test_noise_takes_a_larger_penalty_and_a_constant_feature_gives_the_mean() -> None:
    noisy = EXACT + RANDOM.normal(0, 3 * EXACT.std(), EXACT.shape)
    assert RidgeInverter.fit(noisy, PICTURES).penalty > RidgeInverter.fit(EXACT, PICTURES).penalty
    blind = RidgeInverter.fit(np.ones((60, 3)), PICTURES)(np.ones((1, 3)))
    assert np.allclose(blind[0], PICTURES.mean(0))


def test_a_person_is_left_out_whole() -> None:
    """Ten shots each, told by the noise they share: inside a person noise helps, and across people it does not."""
    people = [f"p{number // 10}" for number in range(60)]
    faces = np.repeat(PICTURES[:6], 10, 0)
    shared = np.repeat(RANDOM.normal(size=(6, 40)), 10, 0) + RANDOM.normal(0, 0.01, (60, 40))
    by_person = RidgeInverter.fit(shared, faces, people).penalty
    by_picture = RidgeInverter.fit(shared, faces).penalty
    assert by_person > by_picture


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match="two people"):
        RidgeInverter.fit(EXACT[:4], PICTURES[:4], ["ann"] * 4)
    with pytest.raises(ParameterError, match="n names"):
        RidgeInverter.fit(EXACT[:4], PICTURES[:3])
    with pytest.raises(ParameterError, match="40 components"):
        RidgeInverter.fit(EXACT, PICTURES)(EXACT[:, :3])
