"""A folder run gives the same table whatever happens to it, and loses no picture without saying so.

Answers for `privis.io.resumable.contents`, `privis.io.resumable.parts`, `privis.io.resumable.processes`,
`privis.io.resumable.span_scheduler` and `privis.io.resumable.span_vectors`.
"""

from __future__ import annotations

import csv
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError
from privis.io.resumable.run import FolderJob, Progress, run
from privis.io.tables import read
from tests.io.resumable.stream_place import left, pictures

HERE = Path(__file__).parent

# The table --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
def test_rows_are_in_the_order_of_the_sources(job: FolderJob, suffix: str) -> None:
    job = replace(job, output=job.output.with_suffix(suffix), sources=job.sources[::-1])
    outcome = run(job)
    table = read(job.output)
    assert table.paths == tuple(job.sources)
    assert table.names == ("moment 0", "moment 1", "moment 2")
    assert set(table.metadata) == {"privis.guarantee", "privis.completeness"}
    expected = [np.asarray(Image.open(path)).mean() for path in job.sources]
    assert np.allclose(table.features[:, 0], expected)
    assert (outcome.rows, outcome.length, outcome.failures, outcome.resumed) == (50, 3, (), 0)
    assert left(job) == {job.output.name} | ({"out.csv.json"} if suffix == ".csv" else set())


def test_workers_and_chunks_change_nothing(job: FolderJob) -> None:
    run(job)
    expected = job.output.read_bytes()
    for workers, chunk in ((1, 64), (1, 1), (3, 5)):
        run(replace(job, workers=workers, chunk=chunk))
        assert job.output.read_bytes() == expected


def test_workers_use_one_thread_each_and_leave_interrupts_to_the_parent(job: FolderJob, jobs: Any) -> None:
    run(replace(job, make_extractor=jobs.make_environment, workers=2))
    assert np.unique(read(job.output).features).tolist() == [1]
    assert os.environ.get("OPENCV_FOR_THREADS_NUM") is None


def test_progress(job: FolderJob) -> None:
    Path(job.sources[9]).unlink()
    seen: list[Progress] = []
    run(job, on_progress=seen.append)
    assert [progress.done for progress in seen] == [*range(0, 50, 4), 50]
    assert [progress.failed for progress in seen] == [0, 0, 0] + [1] * 11
    assert seen[0].eta_seconds is None
    assert seen[-1].eta_seconds == 0
    assert all(progress.total == 50 for progress in seen)
    assert all(early.seconds <= late.seconds for early, late in pairwise(seen))


# Bad pictures -----------------------------------------------------------------------------------------------


def test_ten_thousand_files_of_which_three_are_bad(tmp_path: Path, jobs: Any) -> None:
    sources = pictures(tmp_path / "in", 10_000)
    bad = {4: b"", 5_000: b"no picture", 9_999: Path(sources[0]).read_bytes()[:60]}
    for index, content in bad.items():
        Path(sources[index]).write_bytes(content)
    job = FolderJob(
        sources, tmp_path / "out.parquet", {"feature": "moments"}, jobs.make_moments, jobs.names_and_metadata, workers=2
    )
    outcome = run(job)
    table = read(job.output)
    assert len(table.paths) == len(table.features) == outcome.rows == 9_997
    assert table.paths == tuple(path for index, path in enumerate(sources) if index not in bad)
    assert [failure.path for failure in outcome.failures] == [sources[index] for index in bad]
    words = ["empty file", "no known image format", "damaged image"]
    assert all(word in failure.reason for word, failure in zip(words, outcome.failures, strict=True))
    with open(tmp_path / "out.parquet.failures.csv", newline="") as file:
        listed = list(csv.reader(file))
    assert listed == [["path", "reason"], *([failure.path, failure.reason] for failure in outcome.failures)]


@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_an_extractor_raises_is_a_listed_failure(job: FolderJob, jobs: Any, workers: int) -> None:
    names = {
        "odd": "an odd picture",
        "bug": "ZeroDivisionError",
        "flat": "shape (2, 2)",
        "none": "shape (0,)",
    }
    sources = list(job.sources)
    for index, name in enumerate(names):
        sources[10 * index] = str(Path(job.sources[0]).with_name(f"{name}.png"))
        os.link(job.sources[1], sources[10 * index])
    outcome = run(replace(job, sources=sources, make_extractor=jobs.make_raising, workers=workers))
    assert outcome.rows == 46
    assert [failure.path for failure in outcome.failures] == sources[:40:10]
    assert all(word in failure.reason for word, failure in zip(names.values(), outcome.failures, strict=True))
    assert not any(failure.path in failure.reason for failure in outcome.failures)


def test_vectors_of_another_length_are_listed_by_the_order_of_the_sources(job: FolderJob, jobs: Any) -> None:
    """The first good picture decides, however the spans are timed."""
    Path(job.sources[0]).write_bytes(b"")
    for index in (10, 33):
        Image.new("L", (5, 8)).save(job.sources[index])
    job = replace(job, make_extractor=jobs.make_rows_and_columns)
    tables = set()
    for workers in (1, 3):
        outcome = run(replace(job, workers=workers))
        assert outcome.length == 8
        assert [failure.path for failure in outcome.failures] == [job.sources[index] for index in (0, 10, 33)]
        assert "5 components, expected 8" in outcome.failures[1].reason
        assert "size=(H, W)" in outcome.failures[1].reason
        tables.add(job.output.read_bytes())
    assert len(tables) == 1


def test_no_usable_picture_at_all(job: FolderJob) -> None:
    sources = [str(Path(job.sources[0]).with_name(f"missing{index}.jpg")) for index in range(5)]
    with pytest.raises(ImageError, match=r"5 files, none of them usable.*missing0\.jpg: .*no such file"):
        run(replace(job, sources=sources))
    assert left(job) == {"out.npz.failures.csv"}


def test_a_list_of_failures_that_is_out_of_date_goes_away(job: FolderJob) -> None:
    content = Path(job.sources[0]).read_bytes()
    Path(job.sources[0]).write_bytes(b"")
    run(job)
    assert "out.npz.failures.csv" in left(job)
    Path(job.sources[0]).write_bytes(content)
    run(job)
    assert left(job) == {"out.npz"}


# Kills ------------------------------------------------------------------------------------------------------


def launched(job: FolderJob, workers: int, seconds: float) -> subprocess.Popen[str]:
    folder = Path(job.sources[0]).parent
    command = [
        sys.executable,
        str(HERE / "stream_jobs.py"),
        str(folder),
        str(job.output),
        str(workers),
        str(seconds),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def done_at_least(process: subprocess.Popen[str], count: int) -> None:
    """Wait until the run says that ``count`` files are done."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= count:
            return
    raise AssertionError(process.stderr.read() if process.stderr else "")


@pytest.mark.parametrize(("workers", "suffix"), [(1, ".csv"), (2, ".parquet")])
def test_killed_runs_go_on_and_end_with_the_same_bytes(
    job: FolderJob, tmp_path: Path, workers: int, suffix: str
) -> None:
    job = replace(job, output=tmp_path / f"out{suffix}")
    Path(job.sources[7]).write_bytes(b"not a picture")
    first = launched(job, 1, 0)
    first.communicate()
    assert first.returncode == 0
    whole = {name: (tmp_path / name).read_bytes() for name in left(job)}
    for name in whole:
        (tmp_path / name).unlink()
    kills = random.Random(11)
    for count in (0, 8, 24):
        process = launched(job, workers, 0.05)
        done_at_least(process, count)
        time.sleep(kills.uniform(0, 0.1))
        process.kill()
        process.communicate()
    last = launched(job, workers, 0)
    output, errors = last.communicate()
    assert last.returncode == 0, errors
    assert "49 rows" in output
    assert {name: (tmp_path / name).read_bytes() for name in left(job)} == whole


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the library catches it."""


def deadly(remaining: Iterator[int], system_call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    if next(remaining) <= 0:
        raise Killed
    return system_call(*arguments, **options)


def test_a_kill_at_any_file_operation_is_survived(job: FolderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is stopped dead at its 1st, 2nd, 3rd ... renaming or removal of a file, then run again."""
    job = replace(job, sources=job.sources[:12])
    run(job)
    expected = job.output.read_bytes()

    for stop in range(1, 100):
        job.output.unlink()
        remaining = itertools.count(stop - 1, -1)
        with monkeypatch.context() as patch:
            for name in ("replace", "unlink", "rmdir", "mkdir"):
                patch.setattr(os, name, partial(deadly, remaining, getattr(os, name)))
            try:
                run(job)
                assert stop > 10
                break
            except Killed:
                pass
        run(job)
        assert job.output.read_bytes() == expected
        assert left(job) == {"out.npz"}


def test_interrupt_keeps_the_parts_and_says_how_to_go_on(job: FolderJob) -> None:
    process = launched(job, 2, 0.03)
    done_at_least(process, 8)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 50 files; the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert left(job) == {"out.npz.partial"}
    again = launched(job, 2, 0)
    assert "50 rows" in again.communicate()[0]


def test_workers_end_with_their_parent(job: FolderJob, tmp_path: Path) -> None:
    process = launched(job, 2, 60)
    deadline = time.monotonic() + 30
    while len(list((tmp_path / "in").glob("*.begun"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children(process.pid)
    assert len(workers) == 3  # and a resource tracker
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    orphans = [worker for worker in workers if alive(worker)]
    for orphan in orphans:
        os.kill(orphan, signal.SIGKILL)
    process.communicate()
    assert not orphans


def children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_only_the_picture_that_kills_its_process_is_listed(job: FolderJob, jobs: Any, tmp_path: Path) -> None:
    run(job)
    expected = read(job.output)
    deadly = jobs.Deadly("00023", tmp_path / "in" / "log")
    outcome = run(replace(job, make_extractor=deadly, workers=2, chunk=8, fingerprint={"feature": "deadly"}))
    assert [failure.path for failure in outcome.failures] == [job.sources[23]]
    assert "SIGKILL" in outcome.failures[0].reason
    table = read(job.output)
    kept = [index for index in range(50) if index != 23]
    assert table.paths == tuple(job.sources[index] for index in kept)
    assert np.array_equal(table.features, expected.features[kept])


@pytest.mark.parametrize("chunk", [1, 8])
def test_a_process_that_dies_once_costs_nothing(job: FolderJob, jobs: Any, tmp_path: Path, chunk: int) -> None:
    """Killed from outside or by lack of memory: the span is computed again."""
    deadly = jobs.Deadly("", tmp_path / "in" / "log", at_most=1)
    outcome = run(replace(job, make_extractor=deadly, workers=2, chunk=chunk))
    assert (outcome.rows, outcome.failures) == (50, ())
    assert (tmp_path / "in" / "log").read_text()
