from __future__ import annotations

import pytest

from privis.choose.cost.prediction import CostPrediction
from privis.choose.published_rules import network_seconds, rule_checks
from privis.choose.way import AdmissibleWay, Under, Way


def choice(under: Under, seconds: float, sent: int, rounds: int, feature: str = "hog") -> AdmissibleWay:
    return AdmissibleWay(Way(feature, under), CostPrediction(seconds, 1, sent, rounds, None, ""), 4, (), "", None, None)


def test_the_network_adds_messages_and_bytes() -> None:
    cost = CostPrediction(1.0, 1, 1_000_000, 100, None, "")
    assert network_seconds(cost, 0.05, 1e8) == pytest.approx(100 * 0.025 + 0.08)
    assert network_seconds(cost, 0.0, float("inf")) == 0.0


def test_figures_as_they_are_published_agree() -> None:
    found = rule_checks([choice(Under.ABY3, 1.0, 9_000_000, 400), choice(Under.CKKS, 5.0, 1_000_000, 2)], 30)
    assert [check.agrees for check in found] == [True, True, True, True]
    assert "5" in found[0].told and "2604.00169" in found[0].rule


def test_others_disagree() -> None:
    found = rule_checks([choice(Under.ABY3, 9.0, 1_000, 14), choice(Under.CKKS, 5.0, 8_000_000, 2)], 30)
    assert [check.agrees for check in found] == [False, True, False, False]


def test_only_the_same_feature_is_compared() -> None:
    found = rule_checks([choice(Under.ABY3, 1.0, 1, 1), choice(Under.CKKS, 5.0, 1, 2, "lbp")], 1)
    assert [check.agrees for check in found] == [None] * 4
