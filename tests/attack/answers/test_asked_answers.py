"""Answers until half of the targets fall, and what a limit makes of them.

Answers for `privis.attack.answers.asked_answers`.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from privis.attack.answers.asked_answers import answers_got, needed_answers, years_for
from privis.errors import AnswerLimitError, Problem
from privis.privacy.answers.answer_limits import Allowance


def test_half_of_the_targets_and_the_interval_around_it() -> None:
    fallen = np.arange(1, 101)[:, None] >= np.arange(1, 51)[None]  # the k-th target falls at the k-th answer
    found = needed_answers(fallen)
    assert found.count == 25 and 15 < found.interval[0] < 25 < found.interval[1] < 35
    assert found.tried == 100 and found.words == "25"
    nothing = needed_answers(np.zeros((4, 50), bool), [1, 2, 4, 8])
    assert nothing.count == math.inf and nothing.words == "more than 8"


def test_time_is_of_the_hour_and_endless_beyond_the_total() -> None:
    assert years_for(5, Allowance(1, 4)) == math.inf
    assert years_for(4, Allowance(1, 4)) == pytest.approx(4 / 8766)
    assert years_for(8, Allowance(4)) == pytest.approx(2 / 8766)
    assert years_for(5, Allowance(1, 4), names=2) == pytest.approx(3 / 8766)
    assert years_for(1e9, Allowance()) == 0
    assert years_for(math.inf, Allowance()) == math.inf


def test_a_refusal_keeps_what_was_answered() -> None:
    def ask(query: np.ndarray) -> np.ndarray:
        if query[0] > 2:
            raise AnswerLimitError(Problem("faces", "3", "2"), seconds=60.0)
        return 10 * query

    got = answers_got(ask, np.arange(5.0)[:, None])
    assert got.answers.tolist() == [[0], [10], [20]] and got.refusal is not None and got.refusal.seconds == 60
    assert answers_got(ask, np.zeros((2, 1))).refusal is None
