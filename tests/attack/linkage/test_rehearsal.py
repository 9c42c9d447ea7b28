"""The rehearsal chooses the comparison that fits the noise, from public vectors alone."""

from __future__ import annotations

import numpy as np
import pytest

from privis import DirectionRelease, FeatureRelease, Gaussian, Laplace, PrivUnit, WholeImage
from privis.attack.linkage.likeness import Cosine, LikelihoodRatio, Nearness
from privis.attack.linkage.rehearsal import Rehearsal, usual_likeness
from privis.errors import ParameterError

RNG = np.random.default_rng(7)
PEOPLE = np.repeat([f"person {number}" for number in range(30)], 3)


def test_noise_on_vectors_is_rehearsed_under_keys_of_its_own() -> None:
    vectors = RNG.normal(size=(90, 8))
    rehearsal = Rehearsal.of(vectors, list(PEOPLE), DirectionRelease(PrivUnit(8.0)))
    assert rehearsal.first.shape == rehearsal.second.shape == (90, 8)
    assert not np.array_equal(rehearsal.first, rehearsal.second)


def test_directions_are_compared_by_angle_and_noise_with_edges_by_its_sum() -> None:
    vectors = RNG.normal(size=(90, 8)) * RNG.uniform(0.1, 10, size=(90, 1))
    lengths = RNG.uniform(0.1, 10, size=(2, 90, 1))  # say nothing, and mislead distances
    angles = Rehearsal(vectors, vectors * lengths[0], vectors * lengths[1], PEOPLE)
    assert isinstance(angles.best(False), Cosine)
    tight = RNG.normal(size=(90, 8))
    near = Rehearsal(tight, tight, tight + RNG.laplace(size=tight.shape) * 0.05, PEOPLE)
    assert near.linked(near.best(False), False) == 1


def test_people_hidden_below_pictures_take_the_learned_ratio() -> None:
    people = np.repeat(np.arange(40), 3)
    clear = np.stack([RNG.normal(size=40)[people], *RNG.normal(size=(4, 120)) * 5], 1)
    rehearsal = Rehearsal(clear, clear, clear, people)
    assert isinstance(rehearsal.best(True), LikelihoodRatio)


def test_without_a_rehearsal_the_mechanism_tells() -> None:
    assert isinstance(usual_likeness(None), Cosine)
    assert isinstance(usual_likeness(DirectionRelease(PrivUnit(4.0))), Cosine)
    noisy = FeatureRelease(Laplace(1.0), 1.0, WholeImage())
    assert usual_likeness(noisy) == Nearness("L1")
    assert usual_likeness(FeatureRelease(Gaussian(1.0, 1e-6), 1.0, WholeImage())) == Nearness("L2")


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ParameterError, match="a person for each"):
        Rehearsal(np.zeros((4, 2)), np.zeros((4, 2)), np.zeros((4, 3)), np.arange(4))
    with pytest.raises(ParameterError, match="at least 4"):
        Rehearsal(np.zeros((4, 2)), np.zeros((4, 2)), np.zeros((4, 2)), np.array([0, 0, 1, 2]))
