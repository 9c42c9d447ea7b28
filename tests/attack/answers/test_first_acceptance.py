"""Guesses that are aimed open more templates than guesses at random, and no guess is made twice for nothing.

Answers for `privis.attack.answers.first_acceptance`.
"""

from __future__ import annotations

import numpy as np

from privis.attack.answers.first_acceptance import acceptance_guesses
from privis.attack.answers.template_prior import TemplatePrior
from tests.attack.answers.test_template_prior import people

VECTORS, NAMES = people(80, 1)
PRIOR = TemplatePrior.of_public(VECTORS[:40], NAMES[:40])


def test_aimed_guesses_open_more_than_others() -> None:
    guesses = acceptance_guesses(PRIOR, 0.7, 16)
    other = PRIOR.drawn(16, np.random.default_rng(3))
    targets = VECTORS[40:]
    aimed, drawn = ((each @ targets.T >= 0.7).any(0).mean() for each in (guesses, other))
    assert aimed > drawn + 0.1, (aimed, drawn)


def test_as_many_as_asked_of_length_one_and_the_same_again() -> None:
    for prior, threshold in ((PRIOR, 0.5), (PRIOR, 0.999), (TemplatePrior.isotropic(32), 0.4)):
        guesses = acceptance_guesses(prior, threshold, 50, 7)
        assert guesses.shape == (50, 32) and np.allclose(np.linalg.norm(guesses, axis=1), 1, atol=1e-5)
        assert np.array_equal(guesses, acceptance_guesses(prior, threshold, 50, 7))
        assert not np.array_equal(guesses, acceptance_guesses(prior, threshold, 50, 8))
