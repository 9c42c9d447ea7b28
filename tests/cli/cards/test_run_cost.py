"""A card says what the run took, from the log of runs, and how that is known.

Answers for `privis.cli.cards.run_cost`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from privis.cards.card_contents import Declaration, cost_of
from privis.choose.cost.run_log import RunLog, ScoredRun, Taken
from privis.cli.cards.run_cost import run_cost

PREDICTED, MEASURED = Taken(2.0, 1 << 20), Taken(2.5, 1 << 21, 77)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLog:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PRIVIS_SCORES", "on")
    return RunLog.of_this_user()


def run_of(mechanism: str = "clear", noise: str = "", feature: str = "lbp", images: int = 3, **more: Any) -> ScoredRun:
    words = {"rows": 0, "workers": 1, "basis": "probe", "predicted": PREDICTED, "measured": MEASURED} | more
    return ScoredRun("extract", mechanism, noise, feature, images, **words)


def card_of(under: Any, noise: str = "", feature: str = "LBP") -> dict[str, Any]:
    release = {"class": "FeatureRelease", "noise": {"class": noise}} if noise else None
    return {"under": under, "release": release, "feature": {"class": feature}}


def test_the_run_of_the_same_kind_is_found(log: RunLog) -> None:
    clear = card_of({"class": "Clear"})
    assert run_cost(clear, 3) == {}, "no log"
    for run in (run_of(), run_of("aby3"), run_of(noise="laplace"), run_of(predicted=None, images=4)):
        log.append(run)
    found = run_cost(clear, 3)
    assert found["predicted"] == {"seconds": 2.0, "memory_bytes": 1 << 20}
    assert found["measured"] == {"seconds": 2.5, "memory_bytes": 1 << 21, "sent_bytes": 77}
    assert found["source"].startswith("the only run")
    assert run_cost(card_of({"class": "MPC", "protocol": "aby3"}), 3) and run_cost(
        card_of(clear["under"], "Laplace"), 3
    )
    assert "predicted" not in run_cost(clear, 4)
    for other in (card_of({"class": "CKKS"}), card_of(clear["under"], "Gaussian"), card_of(clear["under"], "", "HOG")):
        assert run_cost(other, 3) == {}
    assert run_cost(card_of(clear["under"], "", "Posted"), 3) == run_cost(clear, None) == run_cost(clear, 5) == {}
    log.append(run_of(measured=Taken(9.0, 1)))
    assert run_cost(clear, 3)["measured"]["seconds"] == 9.0 and "the latest of 2" in run_cost(clear, 3)["source"]


def test_scores_that_are_off_are_not_read(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(run_of())
    monkeypatch.setenv("PRIVIS_SCORES", "off")
    assert run_cost(card_of({"class": "Clear"}), 3) == {}


def test_what_is_declared_goes_before_and_each_says_how_it_is_known() -> None:
    found = {"predicted": {"seconds": 2.0}, "measured": {"seconds": 3.0}, "source": "the only run"}
    assert cost_of(Declaration(), {}) == {"predicted": None, "measured": None}
    assert cost_of(Declaration(), found)["basis"] == {"predicted": "the only run", "measured": "the only run"}
    declared = Declaration(cost={"measured": {"seconds": 9.0}})
    told = cost_of(declared, found)
    assert told["measured"] == {"seconds": 9.0} and told["basis"]["measured"] == "declared by the signer"
