"""Findings of attacks: figures with intervals, and what is printed of them."""

from __future__ import annotations

import json
import math

import pytest

from privis.attack.attack_finding import AttackFinding, attack_document
from privis.errors import ParameterError


def _share(hits: int, tries: int, chance: float = 0.04) -> AttackFinding:
    return AttackFinding.of_share("ridge", "hog", ["the feature"], "re-identified", hits, tries, chance=chance)


def test_a_share_has_an_exact_interval() -> None:
    found = _share(4, 100)
    assert found.interval == pytest.approx((0.0110, 0.0993), abs=5e-5)  # Clopper and Pearson, 4 of 100
    assert not found.above_chance
    assert _share(20, 100).above_chance


@pytest.mark.parametrize(("hits", "tries"), [(0, 0), (3, 2), (-1, 5)])
def test_a_share_of_nothing_is_refused(hits: int, tries: int) -> None:
    with pytest.raises(ParameterError):
        _share(hits, tries)


def test_what_is_not_known_is_null_in_a_document() -> None:
    found = AttackFinding("audit", "model", ("the model",), "epsilon at least", 0.3)
    document = json.loads(json.dumps(attack_document("model.npz", [found]), allow_nan=False))
    assert document["format"] == "privis.attack/1"
    assert document["attacks"][0]["interval"] == [None, None]
    assert document["attacks"][0]["chance"] is None
    assert math.isnan(found.chance)
