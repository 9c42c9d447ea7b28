"""As many scores as components are the template, rounded ones nearly; fewer are what the prior makes of them.

Answers for `privis.attack.answers.score_inversion`.
"""

from __future__ import annotations

import numpy as np

from privis.attack.answers.score_inversion import score_queries, template_from_scores
from privis.attack.answers.template_prior import TemplatePrior, unit_rows
from tests.attack.answers.test_template_prior import people

TEMPLATES = unit_rows(np.random.default_rng(0).normal(size=(20, 32)))
NOTHING = TemplatePrior.isotropic(32)


def test_all_scores_are_the_template_and_one_fewer_is_not() -> None:
    random = unit_rows(np.random.default_rng(1).normal(size=(32, 32)))  # any independent queries
    for queries in (random, score_queries(NOTHING, 32)):
        found = template_from_scores(queries, queries @ TEMPLATES.T, NOTHING)
        assert (found * TEMPLATES).sum(1).min() > 1 - 1e-6
    fewer = template_from_scores(random[:31], random[:31] @ TEMPLATES.T, NOTHING)
    assert (fewer * TEMPLATES).sum(1).min() < 0.999


def test_rounded_scores_are_solved_by_least_squares() -> None:
    queries = unit_rows(np.random.default_rng(2).normal(size=(96, 32)))
    scores = np.round(queries @ TEMPLATES.T, 2)
    found = template_from_scores(queries, scores, NOTHING, 0.01)
    assert (found * TEMPLATES).sum(1).min() > 0.999
    assert template_from_scores(queries, scores[:, 3], NOTHING, 0.01).shape == (32,)


def test_a_few_scores_of_least_norm_give_the_square_root_of_their_share() -> None:
    queries = score_queries(NOTHING, 8)
    found = template_from_scores(queries, queries @ TEMPLATES.T, NOTHING)
    assert abs((found * TEMPLATES).sum(1).mean() - np.sqrt(8 / 32)) < 0.07


def test_who_knows_the_distribution_needs_fewer() -> None:
    vectors, names = people(60, 2)
    prior = TemplatePrior.of_public(vectors[:60], names[:60])
    targets = vectors[60:]

    def cosine(known: TemplatePrior) -> float:
        queries = score_queries(known, 4)
        return float((template_from_scores(queries, queries @ targets.T, known) * targets).sum(1).mean())

    assert cosine(prior) > cosine(NOTHING) + 0.1
