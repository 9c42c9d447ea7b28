"""One scripted job: what ``privis choose`` predicts, and what the recommended command takes on a few images."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from privis.choose.cost.run_log import RunLog, ScoredRun

DONE = (0, 8)  # exit codes: done, and an honest "no"
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Trial:
    """What was predicted of a run, and what it took: seconds, MiB at the peak, megabytes sent; None: not known."""

    predicted: tuple[float, float, float]
    measured: tuple[float, float | None, float | None]
    basis: str
    under: str
    chosen: float
    code: int

    @property
    def ratio(self) -> float:
        """Predicted over measured seconds."""
        return self.predicted[0] / self.measured[0]

    @property
    def memory_ratio(self) -> float | None:
        """Predicted over measured memory."""
        measured = self.measured[1]
        return self.predicted[1] / measured if measured else None

    @property
    def sent_ratio(self) -> float | None:
        """Predicted over measured bytes, where something is sent and counted."""
        measured = self.measured[2]
        return self.predicted[2] / measured if measured else None


@dataclass(frozen=True)
class JobResult:
    """Both trials of a job: of a machine that never did it, and of one that did it once."""

    job: str
    command: str
    first: Trial
    second: Trial
    error: str = ""

    @classmethod
    def load(cls, path: Path) -> JobResult:
        """Read what ``save`` wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        trials = [_trial(found[name]) for name in ("first", "second")]
        return cls(found["job"], found["command"], *trials, found["error"])

    def save(self, path: Path) -> None:
        """Keep it for a run that goes on."""
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        unfinished.replace(path)


def _trial(found: dict[str, Any]) -> Trial:
    return Trial(**{**found, "predicted": tuple(found["predicted"]), "measured": tuple(found["measured"])})


@dataclass(frozen=True)
class Workplace:
    """A folder with data, caches and results; commands run in it, as processes of their own."""

    folder: Path
    patience: float = 300.0

    @property
    def environment(self) -> dict[str, str]:
        """Caches of its own, and ``privis`` as the command of this interpreter."""
        found = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache"), "PRIVIS_SCORES": "on"}
        found.pop("PRIVIS_CACHE", None)
        return {**found, "PATH": f"{self.folder / 'bin'}{os.pathsep}{found.get('PATH', '')}"}

    @property
    def log(self) -> RunLog:
        """What its runs took."""
        return RunLog(self.folder / "cache" / "privis" / "runs.jsonl")

    def prepare(self) -> None:
        """Make folders and the command."""
        for name in ("bin", "cache", "results"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        command = self.folder / "bin" / "privis"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m privis "$@"\n', encoding="utf-8")
        command.chmod(0o755)

    def calibrate(self) -> None:
        """Measure the machine, once."""
        if not (self.folder / "cache" / "privis" / "machine.json").exists():
            self.run(["privis", "doctor", "--calibrate"])

    def run(self, words: Sequence[str] | str) -> tuple[float, int, str, int]:
        """Run a command.

        Returns:
            Seconds, exit code, what it said on stdout, and bytes of its largest process.
        """
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.perf_counter()
        shell = isinstance(words, str)
        found = subprocess.run(
            words, shell=shell, cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=self.patience,
        )  # fmt: skip
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        said = found.stdout if found.returncode in DONE else f"{found.stdout[-300:]} {found.stderr[-600:]}"
        return seconds, found.returncode, said, 1024 * after if after > before else 0

    def chosen(self, job: Path) -> tuple[float, dict[str, Any]]:
        """What ``privis choose`` answers, and how long that took."""
        output = Path("out") / job.stem  # of its own: an index of another recipe is not written over
        (self.folder / output).mkdir(parents=True, exist_ok=True)
        seconds, code, said, _ = self.run(["privis", "choose", "--job", str(job), "--json", "--output", str(output)])
        if code != 0:
            raise RuntimeError(f"privis choose --job {job.name}: exit code {code}: {said}")
        return seconds, json.loads(said)["recommended"]

    def trial(self, job: Path, prepared: bool) -> tuple[Trial, str, str]:
        """Choose, and run what is recommended; the commands that are typed once before it are run unless ``prepared``.

        Returns:
            The trial, the command, and what went wrong.
        """
        chosen, told = self.chosen(job)
        for line in () if prepared else told["before"]:
            _, code, said, _ = self.run(line)
            if code not in DONE:
                return _nothing(told, chosen, code), told["command"], f"{line}: {said}"
        known = len(self.log.runs())
        seconds, code, said, largest = self.run(told["command"])
        runs: list[ScoredRun] = self.log.runs()[known:]
        memory = max([largest, *(run.measured.memory for run in runs)]) / MEBIBYTE
        counted = [run.measured.sent for run in runs if run.measured.sent is not None]
        measured = seconds, memory if runs else None, sum(counted) / 1e6 if counted else None
        predicted = told["seconds_without_network"], told["memory_mib"], told["megabytes"]
        trial = Trial(predicted, measured, told["basis"], told["under"], chosen, code)
        return trial, told["command"], "" if code in DONE else said

    def result(self, job: Path) -> JobResult:
        """Both trials of a job, kept in ``results``."""
        first, command, error = self.trial(job, prepared=False)
        if error:
            return JobResult(job.stem, command, first, first, error)
        second, command, error = self.trial(job, prepared=True)
        return JobResult(job.stem, command, first, second, error)


def _nothing(told: dict[str, Any], chosen: float, code: int) -> Trial:
    predicted = told["seconds_without_network"], told["memory_mib"], told["megabytes"]
    return Trial(predicted, (1e-9, None, None), told["basis"], told["under"], chosen, code)
