"""The seconds of a task are those that the chooser predicts; where nothing is known, nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from privis.choose.cost.run_log import RunLog, ScoredRun, Taken
from privis.cli.studio.views.expected_seconds import expected_seconds

SHAPE = (96, 96, 3)


def test_an_extraction_is_predicted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    small, large = ({"feature": "lbp", "parameter": "size=none"} for _ in range(2))
    found = [expected_seconds("extract", small, [SHAPE]), expected_seconds("extract", large, [(4000, 4000, 3)])]
    assert found[0] is not None and found[1] is not None and 0 < found[0] < found[1]


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("extract", {"feature": "hog", "parameter": "size=big"}),
        ("extract", {"feature": "no-such"}),
        ("extract", {"feature": "lbp", "under": "nobody"}),
        ("verify", {}),
        ("document", {}),
        ("choose", {}),
    ],
)
def test_what_is_not_known_is_not_said(
    task: str, values: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert expected_seconds(task, values, [SHAPE]) is None


def test_an_earlier_run_tells_how_long_a_verification_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    took = Taken(7.0, 1 << 28, 0)
    RunLog.of_this_user().append(ScoredRun("face verify", "clear", "", "", 2, 1, 1, "", None, took))
    assert expected_seconds("verify", {}, [SHAPE, SHAPE]) == 7.0
    assert expected_seconds("verify", {"under": "ckks"}, [SHAPE, SHAPE]) is None
