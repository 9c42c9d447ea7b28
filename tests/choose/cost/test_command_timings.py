"""``privis.choose.cost.command_timings``: how long the command takes here, by running it."""

from __future__ import annotations

import subprocess

import pytest

from privis.choose.cost.command_timings import SECTION, CommandTimings
from privis.choose.cost.prior_cost import prior_cost
from privis.errors import ParameterError
from privis.features.feature import core_shape
from privis.features.lbp import LBP
from privis.run.clear import Clear
from privis.run.machine_profile import MachineProfile


def test_the_command_is_run_and_timed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CommandTimings.measure().start > 0.1
    assert not (tmp_path / "privis" / "runs.jsonl").exists()


def test_a_command_that_fails_is_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 2, b"", b"no such feature")
    monkeypatch.setattr(subprocess, "run", lambda *words, **more: failed)
    with pytest.raises(ParameterError, match="exit code 2: no such feature"):
        CommandTimings.measure()
    with pytest.raises(ParameterError, match="seconds above 0"):
        CommandTimings(0.0)


def test_what_was_measured_is_what_predictions_rest_on(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CommandTimings.of_this_machine().slowness == 1.0
    MachineProfile().with_section(SECTION, CommandTimings(2.0)).save()
    assert CommandTimings.of_this_machine().slowness == 2.0
    program = LBP().program(core_shape(LBP(), (64, 64)))
    slow, quick = (prior_cost(program, Clear(), (64, 64), 3, profile) for profile in (None, MachineProfile()))
    assert slow.seconds(3) == pytest.approx(2 * quick.seconds(3))
    assert slow.worker_start == 2 * quick.worker_start
