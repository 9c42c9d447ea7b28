"""Findings about a gallery say what its limit gives and what half of it takes, and a weaker limit shows.

Answers for `privis.attack.answers.gallery_answers`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from privis.attack.answers.gallery_answers import (
    AttackedGallery,
    cosines_by_scores,
    guess_findings,
    passed_by_guesses,
    score_findings,
    walk_findings,
    walked_cosines,
)
from privis.attack.answers.template_prior import TemplatePrior
from privis.errors import ParameterError
from privis.estimators.faces.template_matching import ClearMatcher
from privis.privacy.answers.answer_limits import Allowance, AnswerLimits
from privis.tasks.questions import Top
from tests.attack.answers.test_template_prior import people

VECTORS, NAMES = people(60, 1, components=64)
PRIOR = TemplatePrior.of_public(VECTORS[:30], NAMES[:30])
GALLERY = AttackedGallery(VECTORS[30:], 0.75, 1e-2, PRIOR, AnswerLimits.of_vectors(64), "toy")


def test_the_default_limits_are_far_below_what_half_of_the_templates_take() -> None:
    within, until, whole = score_findings(GALLERY)
    assert within.measure == "accepted after 2 scores" and within.value < 0.5 and within.tries == 30
    assert until.value > 3 and until.interval[0] <= until.value <= until.interval[1]
    assert "locked out after 2, so never" in until.sentence
    assert whole.value == 1 and whole.measure == "template rebuilt from 64 scores"
    within, until = walk_findings(GALLERY, 250)
    assert within.value == 0 and 16 < until.value < 250 and until.tries == 0
    assert "a vector that was accepted" in until.knows and "a vector that was accepted" not in whole.knows


def test_a_limit_by_the_hour_alone_is_no_limit() -> None:
    open_handed = replace(GALLERY, limits=AnswerLimits(Allowance(8), Allowance(8)))
    within, until, _ = score_findings(open_handed)
    assert within.measure == "accepted after 64 scores" and within.value == 1
    assert "one client waits 0." in until.sentence
    unlimited = replace(GALLERY, limits=AnswerLimits())
    assert all("nothing limits a client" in found.sentence for found in list(score_findings(unlimited))[1:2])


def test_guesses_that_nothing_accepts_are_said_to_be_more_than_were_tried() -> None:
    within, until = guess_findings(replace(GALLERY, threshold=0.999), 40)
    assert within.value == 0 and within.chance == pytest.approx(1 - 0.99**16)
    assert until.value == math.inf and "more than 40 decisions" in until.sentence
    assert until.to_dict()["value"] is None


def test_answers_are_those_of_the_comparison_in_the_clear() -> None:
    queries = np.random.default_rng(1).normal(size=(5, 64))
    with ClearMatcher().holding(GALLERY.templates.astype(np.float32)) as held:
        found = held.ask(Top(30, score=True), queries)
    own = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ GALLERY.templates.T
    assert found.indices is not None and found.cosines is not None
    assert np.abs(np.take_along_axis(own, found.indices, 1) - found.cosines).max() < 2e-3


def test_figures_rise_with_answers() -> None:
    assert (np.diff(passed_by_guesses(GALLERY, 60).mean(1)) >= 0).all()
    means = cosines_by_scores(GALLERY).mean(1)
    assert means[0] < means[7] < means[-1] and means[-1] > 0.999
    walked = walked_cosines(GALLERY, 40).mean(1)
    assert walked[0] < walked[-1]


@pytest.mark.parametrize("changes", [
    {"templates": np.zeros((3, 5))}, {"threshold": 1.0}, {"rate": 0.0}, {"templates": np.zeros((0, 64))},
])  # fmt: skip
def test_what_does_not_fit_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match="AttackedGallery"):
        replace(GALLERY, **changes)
