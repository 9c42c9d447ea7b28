"""Figures of attacks in cards have to be possible, and must not refute what the card guarantees.

Answers for `privis.cards.attack_check`.
"""

from __future__ import annotations

from typing import Any

import pytest

from privis.attack.attack_finding import AttackFinding, attack_document
from privis.cards.attack_check import attack_findings, attack_problems, figures_in
from privis.privacy import FeatureRelease, Gaussian

GUARANTEE = FeatureRelease(Gaussian(2.0, 1e-6), clip=1.0).guarantee((6,)).to_dict()
INFINITE = float("inf")


def bound_of(epsilon: float, guarantee: Any = GUARANTEE) -> dict[str, Any]:
    """What an audit prints."""
    measure = "epsilon, lower bound at delta 1e-06 (Clopper-Pearson)"
    interval = (epsilon, INFINITE)
    found = AttackFinding("epsilon", "x", ("all",), measure, epsilon, interval, 0.0, 100, guarantee=guarantee)
    return attack_document("t.npz", [found])


def card_of(*documents: Any, guarantee: Any = GUARANTEE) -> dict[str, Any]:
    entries = [{"file": f"{number}.json", "figures": figures} for number, figures in enumerate(documents)]
    return {"guarantee": guarantee, "attacks": entries}


def test_what_attacks_print_is_taken_and_a_refuted_epsilon_is_not() -> None:
    share = AttackFinding.of_share("ridge", "x", ("all",), "re-identified", 40, 100, chance=0.04, guarantee=GUARANTEE)
    fine = [attack_document("t", [share]), bound_of(1.99), bound_of(2.0), {"mine": [1, {"attacks": 3}]}, [1], "x"]
    assert attack_findings(card_of(*fine)).problems == ()
    assert [each["attack"] for figures in fine for each in figures_in(figures)] == ["ridge", "epsilon", "epsilon"]
    (said,) = attack_findings(card_of(*fine, bound_of(2.01))).problems
    assert said == "6.json: epsilon is at least 2.01 by an attack, and 2 is claimed"
    assert attack_findings(card_of(bound_of(2.01), guarantee={"epsilon": None, "delta": 1e-6, "unit": "none"})).problems
    exact = {"epsilon": None, "delta": 0.0, "unit": "none"}
    assert attack_findings(card_of(bound_of(2.01, {}), guarantee=exact)).problems == (), "nothing is claimed"
    assert attack_findings(card_of(bound_of(2.01, {}))).problems, "whatever the attacker thought of it"
    other = {**GUARANTEE, "epsilon": 9.0}
    assert "another guarantee: epsilon 9.0" in attack_findings(card_of(bound_of(1.0, other))).problems[0]
    assert attack_findings({"guarantee": GUARANTEE}).problems == ()
    assert attack_findings({"guarantee": GUARANTEE, "attacks": 3}).problems
    assert attack_findings({"guarantee": GUARANTEE, "attacks": [3]}).problems


@pytest.mark.parametrize("key", ["table", "content"])
def test_figures_of_another_file_are_found_and_old_ones_are_said_to_name_none(key: str) -> None:
    """A table that was attacked before it was made anew, or one of the same guarantee beside it."""
    share = AttackFinding.of_share("ridge", "x", ("all",), "re-identified", 4, 10, guarantee=GUARANTEE)
    of = {key: {"sha256": "ab" * 32}}
    same, other = (attack_document("t", [share], digest * 32) for digest in ("ab", "cd"))
    assert attack_findings(card_of(same) | of) == attack_findings(card_of(same))
    (said,) = attack_findings(card_of(same, other) | of).problems
    assert said == "1.json: its figures are of another file, as its SHA-256 says"
    found = attack_findings(card_of(attack_document("t", [share]), {"mine": 1}) | of)
    assert found.holds and found.not_checked == ("whether 0.json attacked what this card is of: it names no SHA-256",)


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "x"}, {"value": True}, {"value": 3.0}, {"interval": [0.5, 0.1]}, {"interval": [0.1]},
        {"interval": "x"}, {"interval": [0.1, "x"]}, {"interval": None}, {"chance": "x"}, {"tries": -1},
        {"tries": 1.5}, {"confidence": 2}, {"guarantee": 3}, {"attack": ""}, {"measure": None},
        {"value": 10**400},
    ],
)  # fmt: skip
def test_figures_that_cannot_be_are_named(changes: dict[str, Any]) -> None:
    good = {"attack": "ridge", "measure": "m", "value": 0.3, "interval": [0.2, 0.4], "chance": None, "tries": 3}
    assert attack_problems({"format": "privis.attack/1", "attacks": [good]}) == []
    document = {"format": "privis.attack/1", "attacks": [good, {**good, **changes}]}
    (problem,) = attack_problems(document)
    assert problem.startswith("attacks[1]")
    assert not attack_findings(card_of(document)).holds


def test_documents_of_other_forms_are_told_apart() -> None:
    assert "privis.attack/2" in attack_problems({"format": "privis.attack/2"})[0]
    for attacks in (None, {}, "x", [1], [None] * 20_000):
        assert attack_problems({"format": "privis.attack/1", "attacks": attacks})
    assert attack_problems({"format": "other/1", "attacks": "x"}) == []
