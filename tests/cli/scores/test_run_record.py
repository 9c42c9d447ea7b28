"""``privis.cli.scores.run_record`` and ``score_table``: a process of the command scores its own prediction."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from privis.choose.cost.earlier_runs import extraction_digest
from privis.choose.cost.run_log import RunLog, ScoredRun, Taken
from privis.cli.scores.run_record import RunNote, RunRecord, mechanism_of, scored, seconds_of_this_process
from privis.cli.scores.score_table import tell_scores
from privis.features.lbp import LBP
from privis.run.clear import Clear
from privis.run.he.executor import CKKS
from privis.run.mpc.executor import MPC


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLog:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PRIVIS_SCORES", "on")
    return RunLog.of_this_user()


def test_an_extraction_is_scored_by_its_own_process(tmp_path: Path, log: RunLog) -> None:
    folder = tmp_path / "secret-names"
    folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"patient{number}.png"), np.full((24, 32), number, np.uint8))
    words = ["extract", str(folder), "-f", "lbp", "--workers", "1", "-o"]
    for output, switch in (("first.parquet", "off"), ("second.parquet", "on")):
        environment = {**os.environ, "PRIVIS_SCORES": switch}
        command = [sys.executable, "-m", "privis", *words, str(tmp_path / output)]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        assert log.path.exists() == (switch == "on")
    (run,) = log.runs()
    assert (run.command, run.mechanism, run.feature, run.images, run.workers) == ("extract", "clear", "lbp", 2, 1)
    assert run.extraction == extraction_digest(LBP(), None, (24, 32))
    assert run.predicted is not None and run.predicted.seconds > 0
    assert 0.1 < run.measured.seconds < 600 and run.measured.memory > 50 << 20 and run.measured.sent == 0
    assert "patient" not in log.path.read_text() and "secret" not in log.path.read_text()


def test_a_score_that_fails_fails_nothing(log: RunLog) -> None:
    log.path.parent.mkdir(parents=True)
    log.path.mkdir()
    RunRecord([RunNote("extract", Clear(), 1)]).finish()
    log.path.rmdir()
    RunRecord([RunNote("extract", Clear(), 1)] * 2).finish()  # of which one figure would be of both
    RunRecord().finish()
    assert not log.path.exists()
    RunRecord([RunNote("extract", Clear(), 1)]).finish()
    (run,) = log.runs()
    assert run.predicted is None and run.basis == ""


def test_what_is_known_is_what_was_predicted(log: RunLog) -> None:
    found = scored(RunNote("extract", Clear(), 7, 0, 1, LBP(), None, "", (24, 32)))
    assert found is not None and found.predicted is not None and found.basis
    seconds = seconds_of_this_process()
    assert seconds is not None and seconds >= found.measured.seconds


def test_mechanisms_are_called_as_on_the_command_line() -> None:
    assert [mechanism_of(under) for under in (Clear(), MPC(), CKKS())] == ["clear", "aby3", "ckks"]


def test_the_table_of_scores(log: RunLog, capsys: pytest.CaptureFixture[str]) -> None:
    tell_scores()
    assert "No run is in" in capsys.readouterr().out
    log.append(ScoredRun("extract", "ckks", "", "hog", 1, 0, 1, "a probe", Taken(8.0, 90, 110), Taken(10.0, 100, 100)))
    log.append(ScoredRun("extract", "ckks", "", "hog", 1, 0, 1, "", None, Taken(10.0, 100, 100)))
    tell_scores()
    told = capsys.readouterr().out
    assert "2 (1 not predicted)" in told and "0.80" in told and "25 %" in told and "100 %" in told
    tell_scores(as_json=True)
    (score,) = json.loads(capsys.readouterr().out)["scores"]
    assert score["mechanism"] == "ckks" and score["sent"] == {
        "runs": 1,
        "median_ratio": 1.1,
        "error": pytest.approx(0.1),
        "within_30_percent": 1.0,
    }
