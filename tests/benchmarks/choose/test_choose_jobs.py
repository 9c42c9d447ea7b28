"""``benchmarks.choose``: a job is chosen, run and scored; bars are what the figures say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.choose.bars import bars, line
from benchmarks.choose.job_runs import LEARNED, MEASURED, JobResult, Trial, Workplace
from privis.choose.cost.run_log import ScoredRun, Taken

GOOD = Trial((2.0, 100.0, 1.0), (2.0, 100.0, 1.0), "a probe", "ckks", 3.0, 0)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    made = Workplace(tmp_path)
    made.prepare()
    answer = {
        "command": 'echo "$XDG_CACHE_HOME" >> ran; privis_log', "before": ["echo before >> prepared"],
        "basis": "a probe", "under": "clear", "seconds_without_network": 2.0, "memory_mib": 100.0, "megabytes": 0.5,
    }  # fmt: skip
    (tmp_path / "answer.json").write_text(json.dumps({"recommended": answer}))
    line = ScoredRun("extract", "clear", "", "lbp", 1, 0, 1, "", None, Taken(1.5, 100 << 20, 500_000)).to_line()
    (tmp_path / "line").write_text(line + "\n")
    (tmp_path / "bin" / "privis").write_text("#!/bin/sh\ncat answer.json\n")
    log = tmp_path / "bin" / "privis_log"
    log.write_text("#!/bin/sh\nmkdir -p cache/privis; cat line >> cache/privis/runs.jsonl\n")
    log.chmod(0o755)
    return made


def test_a_job_is_learned_and_measured_and_what_is_typed_before_done_once(place: Workplace) -> None:
    result = place.result(Path("some.toml"))
    assert result.error == "" and result.second.code == 0
    assert (place.folder / "prepared").read_text() == "before\n"
    assert (place.folder / "ran").read_text().split() == [str(place.folder / "cache")] * (LEARNED + MEASURED)
    assert result.second.predicted == (2.0, 100.0, 0.5)
    assert result.second.memory_ratio == pytest.approx(1.0) and result.second.sent_ratio == 1.0
    result.save(place.folder / "results" / "some.json")
    assert JobResult.load(place.folder / "results" / "some.json") == result


def test_a_command_that_fails_is_no_result(place: Workplace) -> None:
    answer = json.loads((place.folder / "answer.json").read_text())
    answer["recommended"]["command"] = "echo lost >&2; exit 3"
    (place.folder / "answer.json").write_text(json.dumps(answer))
    result = place.result(Path("some.toml"))
    assert "lost" in result.error and result.first.code == 3


def test_ratios_of_a_trial() -> None:
    assert replace(GOOD, measured=(4.0, None, None)).ratio == 0.5
    assert replace(GOOD, measured=(4.0, None, None)).memory_ratio is None


def test_bars_are_reached_or_missed() -> None:
    good = JobResult("job", "privis", GOOD, GOOD)
    assert all(told.startswith("ok") for told in bars([good]))
    slow = replace(good, second=replace(GOOD, measured=(3.5, 140.0, 1.2), chosen=11.0))
    told = bars([slow])
    assert [one.split()[0] for one in told] == ["ok", *["MISSED"] * 6]
    failed = replace(good, error="exit code 3")
    assert bars([good, failed])[0].startswith("MISSED") and "1 of 2" in bars([good, failed])[0]
    assert "FAILED" in line(failed) and "0.57" in line(slow)
