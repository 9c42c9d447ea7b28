"""Scripted jobs: ``python -m benchmarks.choose [JOB…] [--work FOLDER] [--again]``.

For each job ``privis choose`` answers, and what it recommends runs as a process of its own on a few images of the
shared data, three times; then it answers anew, and another way that it now recommends is run likewise. The medians of
three more runs are held against what the last answer predicts; what the first one did, which knew nothing of the
command, is shown beside it. Results are kept in FOLDER: a run that was ended goes on. Where the machine does other
things meanwhile, seconds say little.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.choose.bars import HEAD, bars, line
from benchmarks.choose.job_data import JOBS, lay_out
from benchmarks.choose.job_runs import JobResult, Trial, Workplace

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def run(jobs: Iterable[Path], place: Workplace, again: bool) -> list[JobResult]:
    """Run jobs, or take what an earlier run kept of them; a line for each as it is there."""
    results = []
    for job in jobs:
        kept = place.folder / "results" / f"{job.stem}.json"
        if kept.exists() and not again:
            result = JobResult.load(kept)
        else:
            try:
                result = place.result(job)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                nothing = Trial((0.0, 0.0, 0.0), (1.0, None, None), "", "", 0.0, -1)
                result = JobResult(job.stem, "", nothing, nothing, str(error))
            if not result.error:
                result.save(kept)
        print(line(result), flush=True)
        results.append(result)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choose", description=__doc__)
    parser.add_argument("jobs", nargs="*", help="names of jobs, or TOML files; none: all")
    parser.add_argument("--work", type=Path, default=Path("choose-benchmark"), help="folder of data and results")
    parser.add_argument("--again", action="store_true", help="also jobs that are done")
    parser.add_argument("--no-calibration", action="store_true", help="do not measure the machine first")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds after which a command is ended")
    given = parser.parse_args(arguments)
    place = Workplace(given.work.resolve(), given.patience)
    place.prepare()
    lay_out(place.folder, SHARED)
    if not given.no_calibration:
        place.calibrate()
    named = [path if (path := Path(job)).suffix == ".toml" else JOBS / f"{job}.toml" for job in given.jobs]
    print(HEAD, flush=True)
    results = run(named or sorted(JOBS.glob("*.toml")), place, given.again)
    print("\n".join(["", *bars(results)]))


if __name__ == "__main__":
    main()
