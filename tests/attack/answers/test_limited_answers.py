"""An attacker who is counted gets what the limit says, and is told when new keys are a new client.

Answers for `privis.attack.answers.limited_answers`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from privis.attack.answers.limited_answers import AskedServer, limited_guess_findings, limited_score_findings
from privis.attack.answers.template_prior import Array, TemplatePrior, unit_rows
from privis.errors import AnswerLimitError, Problem

TEMPLATES = unit_rows(np.random.default_rng(3).normal(size=(5, 16)))
NOTHING = TemplatePrior.isotropic(16)


def counted(most: int, answer: Callable[[Array], Array]) -> Callable[[Array], Array]:
    left = [most]

    def ask(query: Array) -> Array:
        if not left[0]:
            raise AnswerLimitError(Problem("faces", "one more", f"{most} in total"))
        left[0] -= 1
        return answer(query)

    return ask


def server(most: int, answer: Callable[[Array], Array], again: int = 0, asked: int = 50) -> AskedServer:
    own = counted(most, answer)
    return AskedServer(own, counted(again, answer), NOTHING, "One client gets few.", "faces", asked)


def test_scores_end_at_the_limit_and_say_how_near_they_came() -> None:
    answered, again, near = limited_score_findings(server(4, lambda query: TEMPLATES @ query))
    assert answered.measure == "questions answered before it refused" and answered.value == 4
    assert "one more" in answered.sentence and "One client gets few." in answered.sentence
    assert again.value == 0 and "no new client" in again.sentence
    assert near.value == pytest.approx(0.5) and "each of 5 templates" in near.sentence


def test_a_server_that_never_refuses_and_one_that_takes_new_keys_for_a_new_client() -> None:
    answered, near = limited_score_findings(server(99, lambda query: TEMPLATES @ query))
    assert (
        answered.measure == "questions answered" and answered.value == 16 and near.value == pytest.approx(1, abs=1e-3)
    )
    assert "never refused" in answered.sentence
    _, again, _ = limited_score_findings(server(4, lambda query: TEMPLATES @ query, again=1))
    assert again.value == 1 and "WITH NEW KEYS" in again.sentence


def test_guesses_are_counted_and_none_at_all_is_no_share() -> None:
    found = list(limited_guess_findings(server(8, lambda query: np.array([query[0] > 0])), 0.4))
    assert [each.value for each in found[:2]] == [8, 0] and found[2].tries == 8 and 0 < found[2].value < 1
    assert len(list(limited_guess_findings(server(0, lambda query: query), 0.4))) == 2
