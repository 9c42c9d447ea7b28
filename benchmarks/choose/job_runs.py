"""One scripted job: what ``privis choose`` predicts, and what the recommended command takes on a few images."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from privis.choose.cost.run_log import RunLog, ScoredRun

DONE = (0, 8)  # exit codes: done, and an honest "no"
LEARNED, MEASURED = 3, 3  # runs that the machine learns from, and of whose medians it is held to what it then says
MOST_WAYS = 3  # that may be recommended in turn, as each is learned
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
    """Both trials of a job: of a machine that never did it, and of one that did it a few times."""

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

    def measured(self, told: dict[str, Any], chosen: float, times: int) -> tuple[Trial, str]:
        """Run what is recommended, some times over.

        Returns:
            The trial, of the medians, and what went wrong.
        """
        taken: list[tuple[float, float | None, float | None]] = []
        code = 0
        for _ in range(times):
            known = len(self.log.runs())
            seconds, code, said, largest = self.run(told["command"])
            if code not in DONE:
                return _nothing(told, chosen, code), f"{told['command']}: {said}"
            runs: list[ScoredRun] = self.log.runs()[known:]
            memory = max([largest, *(run.measured.memory for run in runs)]) / MEBIBYTE
            counted = [run.measured.sent for run in runs if run.measured.sent is not None]
            taken.append((seconds, memory if runs else None, sum(counted) / 1e6 if counted else None))
        predicted = told["seconds_without_network"], told["memory_mib"], told["megabytes"]
        return Trial(predicted, _medians(taken), told["basis"], told["under"], chosen, code), ""

    def result(self, job: Path) -> JobResult:
        """Ask and run until what is recommended has run, at least `LEARNED` times; ask again, and measure it."""
        first, done, error = None, set[str](), ""
        while True:
            chosen, told = self.chosen(job)
            if told["command"] in done or len(done) == MOST_WAYS:
                break
            for line in told["before"]:
                _, code, said, _ = self.run(line)
                if code not in DONE:
                    failed = _nothing(told, chosen, code)
                    return JobResult(job.stem, told["command"], failed, failed, f"{line}: {said}")
            trial, error = self.measured(told, chosen, 1)
            first = first or trial
            if not error:
                _, error = self.measured(told, chosen, LEARNED - 1)
            if error:
                return JobResult(job.stem, told["command"], first, first, error)
            done.add(told["command"])
        assert first is not None
        second, error = self.measured(told, chosen, MEASURED)
        return JobResult(job.stem, told["command"], first, second, error)


def _medians(taken: Sequence[tuple[float, float | None, float | None]]) -> tuple[float, float | None, float | None]:
    """Of seconds, memory and bytes; None where one of the runs does not say."""
    seconds, memory, sent = (list(column) for column in zip(*taken, strict=True))
    return statistics.median(seconds), _median(memory), _median(sent)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if len(known) == len(values) else None


def _nothing(told: dict[str, Any], chosen: float, code: int) -> Trial:
    predicted = told["seconds_without_network"], told["memory_mib"], told["megabytes"]
    return Trial(predicted, (1e-9, None, None), told["basis"], told["under"], chosen, code)
