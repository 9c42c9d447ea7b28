"""What a folder run refuses, and that it takes up what it began."""

from __future__ import annotations

import errno
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from privis.errors import MissingExtraError, OutputError, ParameterError
from privis.io.images.decode import Decoding
from privis.io.resumable.run import FolderJob, Progress, run
from tests.io.resumable.stream_place import left


def interrupted(job: FolderJob, at: int) -> None:
    def stop(progress: Progress) -> None:
        if progress.done >= at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="goes on from there"):
        run(job, on_progress=stop)


def test_an_unfinished_run_is_taken_up(job: FolderJob) -> None:
    interrupted(job, 20)
    seen: list[Progress] = []
    outcome = run(replace(job, workers=2, chunk=7), on_progress=seen.append)
    assert (outcome.rows, outcome.resumed) == (50, 20)
    assert seen[0].done == 20


def test_an_unfinished_run_of_something_else_is_not(job: FolderJob) -> None:
    interrupted(job, 20)
    before = sorted((job.output.parent / "out.npz.partial").iterdir())
    for other, word in (
        (replace(job, fingerprint={"feature": "edges"}), "feature moments"),
        (replace(job, fingerprint={**job.fingerprint, "ledger": "ab"}), "ledger unknown"),
        (replace(job, sources=job.sources[1:]), "sources 50 files"),
        (replace(job, decoding=Decoding(max_pixels=7)), "max_pixels 100000000"),
        (replace(job, decoding=Decoding(bits=12)), "bits None"),
    ):
        with pytest.raises(ParameterError, match=rf"unfinished run with {word}.*delete .*out\.npz\.partial"):
            run(other)
    assert sorted((job.output.parent / "out.npz.partial").iterdir()) == before
    assert run(job).resumed == 20


def test_a_run_that_finished_nothing_binds_nobody(job: FolderJob) -> None:
    interrupted(job, 0)
    assert run(replace(job, fingerprint={"feature": "edges"})).rows == 50


def test_the_same_relative_paths_in_another_folder_are_another_run(
    job: FolderJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = replace(job, sources=[os.path.relpath(path, tmp_path / "in") for path in job.sources])
    monkeypatch.chdir(tmp_path / "in")
    interrupted(job, 20)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="unfinished run with sources"):
        run(job)


def test_two_runs_cannot_share_an_output(job: FolderJob) -> None:
    def second(progress: Progress) -> None:
        with pytest.raises(OutputError, match="a run at work"):
            run(job)

    assert run(job, on_progress=second).rows == 50


def test_a_damaged_part_is_named(job: FolderJob) -> None:
    interrupted(job, 20)
    part = min((job.output.parent / "out.npz.partial").glob("*.part"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ParameterError, match=f"{part.name}.*delete this file"):
        run(job)
    part.unlink()
    assert run(job).rows == 50


def test_bad_jobs_are_refused_before_anything_is_written(job: FolderJob, tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        run(replace(job, workers=0, chunk=-1, sources=[]))
    assert [problem.where for problem in caught.value.problems] == [
        "FolderJob.workers",
        "FolderJob.chunk",
        "FolderJob.sources",
    ]
    with pytest.raises(ParameterError, match=r"\.parquet, \.npz, \.csv"):
        run(replace(job, output=tmp_path / "out.txt"))
    with pytest.raises(OutputError, match="mkdir"):
        run(replace(job, output=tmp_path / "missing" / "out.npz"))
    assert left(job) == set()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_factory_raises_ends_the_run(job: FolderJob, jobs: Any, workers: int) -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'privis\[cnn\]'"):
        run(replace(job, make_extractor=jobs.make_nothing, workers=workers))


def test_workers_that_cannot_start_say_what_to_do(job: FolderJob, jobs: Any) -> None:
    with pytest.raises(ParameterError, match=r"exit code 3 while starting.*__main__"):
        run(replace(job, make_extractor=jobs.make_exit, workers=2))
    with pytest.raises(ParameterError, match=r"picklable.*workers=1"):
        run(replace(job, make_extractor=lambda: jobs.moments, workers=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_disk_full_while_parts_are_written(job: FolderJob, workers: int) -> None:
    """The finished parts stay and the same call goes on; the earlier table is untouched."""
    job.output.write_bytes(b"earlier")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, limit[1]))  # a manifest fits, a part does not
        with pytest.raises(OutputError, match=r"File too large"):
            run(replace(job, workers=workers))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert job.output.read_bytes() == b"earlier"
    assert run(job).rows == 50


def test_disk_full_while_the_table_is_written(job: FolderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="No space left on device"):
        patch.setattr("privis.io.tables._member", full)
        run(job)
    assert left(job) == {"out.npz.partial"}
    assert run(job).resumed == 50
