"""Accept and reject alone rebuild a template, with far fewer answers than steps along the boundary take.

Answers for `privis.attack.answers.decision_inversion`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from privis.attack.answers.decision_inversion import refined_from_decisions
from privis.attack.answers.template_prior import Array, TemplatePrior, unit_rows
from privis.errors import AnswerLimitError, Problem

NOTHING = TemplatePrior.isotropic(64)


def begun(seed: int, threshold: float) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    template = unit_rows(random.normal(size=64))
    other = random.normal(size=64)
    other = unit_rows(other - (other @ template) * template)
    return template, (threshold + 0.02) * template + np.sqrt(1 - (threshold + 0.02) ** 2) * other


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6])
def test_a_template_is_rebuilt_from_bits(threshold: float) -> None:
    reached = []
    for seed in range(4):
        template, start = begun(seed, threshold)
        steps = refined_from_decisions(lambda query, t=template: query @ t >= threshold, start, threshold, NOTHING, 160)
        cosines = [float(each @ template) for each in steps]
        reached.append((cosines[15], cosines[79], cosines[159]))
    small, middle, large = np.mean(reached, 0)
    assert threshold < small < middle < large and large > 0.88, (small, middle, large)


def test_half_of_the_questions_are_accepted_and_all_have_length_one() -> None:
    template, start = begun(9, 0.3)
    asked: list[Array] = []

    def accepts(query: Array) -> bool:
        asked.append(query)
        return bool(query @ template >= 0.3)

    assert len(list(refined_from_decisions(accepts, start, 0.3, NOTHING, 120))) == 120
    assert np.allclose(np.linalg.norm(asked, axis=1), 1)
    assert 0.35 < np.mean([query @ template >= 0.3 for query in asked]) < 0.65


def test_an_oracle_that_refuses_ends_it_and_one_that_lies_does_not_break_it() -> None:
    _, start = begun(3, 0.3)
    answers = iter([True, False])

    def refuses(query: Array) -> bool:
        if (said := next(answers, None)) is None:
            raise AnswerLimitError(Problem("faces", "a third question", "two"))
        return said

    steps = refined_from_decisions(refuses, start, 0.3, NOTHING, 9)
    assert len(list(itertools.islice(steps, 2))) == 2
    with pytest.raises(AnswerLimitError):
        next(steps)
    for lie in (True, False):
        *_, found = refined_from_decisions(lambda query, lie=lie: lie, start, 0.3, NOTHING, 300)
        assert np.isfinite(found).all() and np.linalg.norm(found) == pytest.approx(1)
