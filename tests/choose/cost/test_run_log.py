"""``privis.choose.cost.run_log`` and ``prediction_scores``: what is kept of runs, and how predictions are judged."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from privis.choose.cost import run_log
from privis.choose.cost.prediction_scores import Ratios, scores_of
from privis.choose.cost.run_log import FORMAT, RunLog, ScoredRun, Taken
from privis.errors import OutputError

RUN = ScoredRun("extract", "clear", "", "lbp", 10, 0, 1, "a probe", Taken(2.0, 1000, 0), Taken(2.5, 1000, 0))


def test_the_log_keeps_the_last_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "MOST", 3)
    log = RunLog(tmp_path / "deep" / "runs.jsonl")
    assert log.runs() == []
    for images in range(5):
        log.append(replace(RUN, images=images))
    assert [run.images for run in log.runs()] == [2, 3, 4]
    assert log.path.stat().st_mode & 0o077 == 0
    assert [path.name for path in log.path.parent.iterdir()] == ["runs.jsonl"]


def test_lines_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.jsonl")
    other = {**json.loads(RUN.to_line()), "format": "privis.runs/2"}
    endless = RUN.to_line().replace("2.5", "Infinity")
    log.path.write_bytes(b"\xff\xfe\n[]\n{}\n" + "\n".join([json.dumps(other), endless, RUN.to_line()[:40]]).encode())
    assert log.runs() == []
    log.append(RUN)
    assert log.runs() == [RUN]


def append(path: Path, images: int) -> None:
    for _ in range(5):
        RunLog(path).append(replace(RUN, images=images))


def test_processes_that_end_at_once_lose_no_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=append, args=(tmp_path / "runs.jsonl", k)) for k in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(run.images for run in RunLog(tmp_path / "runs.jsonl").runs()) == sorted([0, 1, 2] * 5)


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="PRIVIS_SCORES=off"):
        RunLog(tmp_path / "file" / "runs.jsonl").append(RUN)
    (tmp_path / "runs.jsonl").mkdir()
    with pytest.raises(OutputError):
        RunLog(tmp_path / "runs.jsonl").runs()


def test_the_switch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert RunLog.of_this_user().path == tmp_path / "privis" / "runs.jsonl"
    for word, wanted in (("off", False), ("OFF ", False), ("", True), ("on", True)):
        monkeypatch.setenv("PRIVIS_SCORES", word)
        assert RunLog.wanted() is wanted


def test_nothing_but_figures_is_in_a_line() -> None:
    found = json.loads(RUN.to_line())
    assert found.keys() == {
        "format", "command", "mechanism", "noise", "feature", "images", "rows", "workers",
        "basis", "predicted", "measured", "extraction",
    }  # fmt: skip
    assert found["format"] == FORMAT


def test_scores_by_mechanism() -> None:
    half, right = replace(RUN, predicted=Taken(1.25, 1000, 0)), replace(RUN, predicted=Taken(2.5, 500, 0))
    hidden = replace(RUN, mechanism="ckks", predicted=Taken(2.5, 1000, 90), measured=Taken(2.5, 1000, 100))
    unknown = replace(RUN, mechanism="ckks", predicted=None)
    ckks, clear, everything = scores_of([half, right, hidden, unknown])
    assert (ckks.mechanism, clear.mechanism, everything.mechanism) == ("ckks", "clear", "all")
    assert clear.seconds == Ratios((0.5, 1.0)) and clear.memory == Ratios((1.0, 0.5)) and clear.sent is None
    assert clear.seconds.error == pytest.approx(2**0.5 - 1) and clear.seconds.near == 0.5
    assert ckks.sent == Ratios((0.9,)) and (ckks.runs, ckks.unpredicted) == (2, 1)
    assert everything.runs == 4
    assert scores_of([]) == []
    assert len(scores_of([unknown])) == 1 and scores_of([unknown])[0].seconds is None
