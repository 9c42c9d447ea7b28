"""D_sys with its interval: plain templates are linked, rotated ones are within chance.

Answers for `privis.attack.answers.unlinkability`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.attack.answers.unlinkability import linkability, score_linkability, unlinkability_findings
from privis.errors import ParameterError
from privis.privacy import TemplateKey
from tests.attack.answers.test_template_prior import people

VECTORS, NAMES = people(30, 4)
FIRST, SECOND = VECTORS[0::2], VECTORS[1::2]
WHOSE = NAMES[0::2]


def test_plain_templates_are_linked_and_rotated_ones_are_not() -> None:
    plain, whole = unlinkability_findings(FIRST, SECOND, WHOSE, WHOSE, "toy")
    assert whole.measure == "D_sys of whole sets" and "both whole sets" in whole.knows
    assert plain.value > 0.6 and plain.interval[0] > plain.chance and "can be told" in plain.sentence
    turned = [TemplateKey(bytes([number]) * 32).rotation(32) for number in (1, 2)]
    rotated, still = unlinkability_findings(FIRST @ turned[0].T, SECOND @ turned[1].T, WHOSE, WHOSE, "toy")
    assert still.value == pytest.approx(whole.value, abs=1e-6), "a rotation changes no neighbourhood"
    assert rotated.value < 0.35 and "cannot be told" in rotated.sentence
    assert rotated.interval[0] <= rotated.value <= rotated.interval[1] and "120 pairs of one person" in rotated.sentence


def test_chance_is_exceeded_by_chance_alone_about_as_often_as_it_says() -> None:
    exceeded = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        first, second = random.normal(size=(2, 60, 8))
        found = linkability(first, second, WHOSE, WHOSE, replicates=40, seed=seed)
        exceeded += found.value > found.most_by_chance
    assert exceeded <= 6


def test_the_interval_covers_what_many_people_measure() -> None:
    def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        random = np.random.default_rng(seed)
        middles = random.normal(size=(count, 6))
        first, second = (middles + 1.5 * random.normal(size=middles.shape) for _ in range(2))
        return first, second, [f"p{number}" for number in range(count)]

    first, second, names = drawn(700, 99)
    truth = linkability(first, second, names, names, replicates=1).value
    covered = 0
    for seed in range(12):
        one, two, whose = drawn(120, seed)
        found = linkability(one, two, whose, whose, replicates=20)
        covered += found.interval[0] <= truth <= found.interval[1]
    assert covered >= 8


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ParameterError, match="templates of one length"):
        linkability(FIRST, SECOND[:, :5], WHOSE, WHOSE)
    with pytest.raises(ParameterError, match="at least 20"):
        linkability(FIRST[:4], SECOND[:4], WHOSE[:4], WHOSE[:4])


def test_people_of_one_set_alone_are_nobodys_pair() -> None:
    names = [f"p{number}" for number in range(40)]
    found = score_linkability(np.eye(40), names, [*names[:25], *[f"q{number}" for number in range(15)]], replicates=20)
    assert found.mated == 25 and 0.5 < found.value <= 1
