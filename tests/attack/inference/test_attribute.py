"""Attribute inference: what rows tell is named, what they do not tell is not, and chance is the majority."""

import numpy as np
import pytest

from privis.attack.inference.attribute import AttributeGuesses, infer_attribute
from privis.errors import ParameterError
from privis.tasks.verification.error_rates import clopper_pearson


def rows(count: int, seed: int, apart: float, noise: float = 1.0):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(count) < 0.7, "young", "old")
    vectors = rng.normal(size=(count, 20)) * noise
    vectors[:, :3] += apart * (labels == "old")[:, None]
    return vectors, labels.tolist()


def test_an_attribute_in_the_rows_is_named() -> None:
    public, attacked = rows(200, 0, 2.0), rows(150, 1, 2.0)
    found = infer_attribute(*public, range(200), *attacked)
    assert clopper_pearson(found.hits, 150)[0] > found.chance > 0.6
    assert abs(found.expected - found.hits / 150) < 0.1


def test_rows_without_it_give_no_more_than_the_majority() -> None:
    public, attacked = rows(200, 0, 0.0), rows(150, 1, 0.0)
    found = infer_attribute(*public, range(200), *attacked)
    assert clopper_pearson(found.hits, 150)[0] <= found.chance
    assert found.strength == 1000.0  # the smoothest: a constant guess


def test_more_components_than_pictures_and_constant_ones_do_no_harm() -> None:
    public, labels = rows(60, 0, 3.0)
    wide = np.concatenate([public, np.ones((60, 300)), np.zeros((60, 5))], 1)
    found = infer_attribute(wide[:40], labels[:40], range(40), wide[40:], labels[40:])
    assert found.hits >= 16


def test_copies_of_a_picture_are_left_out_together() -> None:
    """Were they not, a copy would name its picture's label, and noise would be taken for knowledge."""
    rng = np.random.default_rng(3)
    once, labels = rng.normal(size=(60, 80)), rng.choice(["a", "b"], 60).tolist()
    copies = np.tile(once, (4, 1)) + 0.01 * rng.normal(size=(240, 80))
    honest = infer_attribute(copies, labels * 4, list(range(60)) * 4, once, labels)
    fooled = infer_attribute(copies, labels * 4, range(240), once, labels)
    assert honest.expected < 0.75 < fooled.expected


def test_chance_is_the_best_constant_guess_of_these_rows() -> None:
    guesses = AttributeGuesses(("a", "a", "b"), ("a", "b", "b"), 1.0, 0.5)
    assert (guesses.hits, guesses.chance) == (2, 2 / 3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((np.zeros((9, 2)), ["a", "b"] * 4 + ["a"], range(9), np.zeros((2, 3)), ["a", "b"]), "one length"),
        ((np.zeros((9, 2)), ["a"] * 9, range(9), np.zeros((2, 2)), ["a", "b"]), "two attributes"),
        ((np.zeros((4, 2)), ["a", "b"] * 2, range(4), np.zeros((2, 2)), ["a", "b"]), "at least 5"),
        ((np.zeros((9, 2)), ["a", "b"] * 4, range(9), np.zeros((2, 2)), ["a", "b"]), "8 labels"),
        ((np.zeros((9, 2)), ["a", "b"] * 4 + ["a"], range(9), np.zeros((0, 2)), []), "at least one row"),
    ],
)
def test_what_does_not_fit_is_refused(given, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        infer_attribute(*given)
