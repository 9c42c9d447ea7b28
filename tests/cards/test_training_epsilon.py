"""Epsilon of a private training is recomputed by its accountant, and no other figure passes.

Answers for `privis.cards.epsilon_check`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from privis.cards.epsilon_check import epsilon_findings
from privis.cards.signed_content import model_card
from privis.extraction.card import described
from privis.privacy import (
    AddOrRemovePerson,
    Dataset,
    Gaussian,
    LeastSquaresTraining,
    LogisticTraining,
    Person,
    WholeImage,
)

PLAN = LogisticTraining(2, 8, 2000, Gaussian(1.0, 1e-5), Dataset(), sampling=0.25, steps=20)
PLANS = [
    PLAN,
    LogisticTraining.full_batch(10, 144, 60000, Gaussian(3.0, 1e-5), WholeImage()),
    LogisticTraining(2, 512, 9000, Gaussian(1.0, 1e-5), Person(3)),
    LogisticTraining(2, 64, 90000, Gaussian(2.0, 1e-5), AddOrRemovePerson(3), sampling=0.1, standardise=0.1),
    LeastSquaresTraining(10, 144, 60000, Gaussian(0.5, 1e-5), Dataset()),
]
FIGURES = ("scale", "sensitivity", "epsilon", "delta", "whole_image_epsilon", "whole_image_delta", "step")


@pytest.mark.parametrize("plan", PLANS, ids=repr)
def test_epsilon_of_a_training_follows_from_its_accountant_and_no_other_does(plan: Any) -> None:
    card = json.loads(json.dumps(model_card({"class": "HOG"}, plan.guarantee, described(plan), "")))
    assert epsilon_findings(card, plan.components).problems == () and epsilon_findings(card).checked
    assert not epsilon_findings(card, plan.components + 1).holds
    for name in FIGURES if plan is PLAN else ("epsilon",):
        words = {**card["guarantee"], name: card["guarantee"][name] * 0.999}
        assert not epsilon_findings({**card, "guarantee": words}).holds, name
    if plan is PLAN:
        for name, value in (("steps", 10), ("sampling", 0.2)):
            assert not epsilon_findings({**card, "release": {**card["release"], name: value}}).holds, name
    for steps in (10**9, 10**30, "x", None, -1):
        assert (
            "steps" not in card["release"]
            or not epsilon_findings({**card, "release": {**card["release"], "steps": steps}}).holds
        )
    assert not epsilon_findings({**card, "guarantee": {**card["guarantee"], "scale": 0.0}}).holds
