"""A folder run whose engine, parts or table lose or double rows says which, and the same call makes them good.

Answers for `privis.io.resumable.failures`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError
from privis.io import tables
from privis.io.completeness.completeness import stated_in
from privis.io.resumable import run as folder_run
from privis.io.resumable.failures import failures_beside
from privis.io.resumable.parts import Part, Span, part_path, read_part, write_part
from privis.io.resumable.run import FolderJob, run
from tests.io.resumable.stream_place import left


def stated(job: FolderJob) -> tuple[int, int, int]:
    found = stated_in(tables.summary(job.output).metadata)
    assert found is not None and found.balanced
    return found.sources.count, found.rows.count, found.refused.count


def interrupted(job: FolderJob, at: int = 24) -> Path:
    def stop(progress: Any) -> None:
        if progress.done >= at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, on_progress=stop)
    return job.output.with_name(job.output.name + ".partial")


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
def test_a_table_says_what_went_in_and_what_was_refused(job: FolderJob, suffix: str) -> None:
    Path(job.sources[7]).write_bytes(b"no picture")
    os.symlink(job.sources[8], odd := os.fsdecode(os.fsencode(str(Path(job.sources[0]).parent)) + b"/\xff.png"))
    os.symlink("nowhere", missing := os.fsdecode(os.fsencode(str(Path(job.sources[0]).parent)) + b"/\xfe.png"))
    job = replace(job, output=job.output.with_suffix(suffix), sources=[*job.sources, odd, missing])
    run(job)
    assert stated(job) == (52, 50, 2)
    listed = failures_beside(job.output).read_text(encoding="utf-8")
    assert "\\xfe.png" in listed  # as the table would spell it
    assert any(path.endswith("\\xff.png") for path in tables.read(job.output).paths)


def losing(spans: Callable[..., Iterator[Any]], lost: Span) -> Callable[..., Any]:
    """An engine with a checkpoint that loses a span: it never says so, and its part is not there."""

    def computed(job: FolderJob, folder: Path, finished: Any) -> Iterator[Any]:
        for span, failures in spans(job, folder, finished):
            if span == lost:
                part_path(folder, span).unlink()
            else:
                yield span, failures

    return computed


def test_an_engine_that_loses_a_span_is_found_out(job: FolderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    run(job)
    expected = job.output.read_bytes()
    job.output.unlink()
    with monkeypatch.context() as patch:
        # closing() closes what the engine gives, so that a generator it has to be
        patch.setattr(folder_run, "_computed", losing(folder_run._computed, Span(8, 12)))
        with pytest.raises(OutputError, match=r"4 of 50 sources lost: \S*00008.png, .*00011.png, .*goes on"):
            run(job)
    assert left(job) == {"out.npz.partial"}
    run(job)
    assert job.output.read_bytes() == expected
    assert left(job) == {"out.npz"}


def test_parts_that_overlap_are_refused(job: FolderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(job: FolderJob, folder: Path, finished: Any, given: Any = folder_run._computed) -> Iterator[Any]:
        yield from given(job, folder, finished)
        yield Span(0, 4), 0  # told twice is no harm
        yield Span(2, 6), 0

    monkeypatch.setattr(folder_run, "_computed", twice)
    with pytest.raises(OutputError, match=r"4 of 50 sources computed twice, in different parts: \S*00002.png"):
        run(job)


def drop(folder: Path) -> None:
    part_path(folder, Span(4, 8)).unlink()


def copy_over_another(folder: Path) -> None:
    shutil.copy(part_path(folder, Span(0, 4)), part_path(folder, Span(4, 8)))


def copy_between(folder: Path) -> None:
    shutil.copy(part_path(folder, Span(0, 4)), part_path(folder, Span(2, 6)))


@pytest.mark.parametrize("damage", [drop, copy_over_another, copy_between])
@pytest.mark.parametrize("chunk", [4, 10])
def test_parts_that_are_lost_or_doubled_while_a_run_rests(
    job: FolderJob, damage: Callable[[Path], None], chunk: int
) -> None:
    run(job)
    expected = job.output.read_bytes()
    job.output.unlink()
    damage(interrupted(job))
    run(replace(job, chunk=chunk))
    assert job.output.read_bytes() == expected


def shorter(part: Part) -> Part:
    return replace(part, values=part.values[:-3], lengths=part.lengths[:-1], reasons=part.reasons[:-1])


def unsaid(part: Part) -> Part:
    return replace(part, values=part.values[:-3], lengths=np.array([3, 3, 3, 0]))


def fewer_values(part: Part) -> Part:
    return replace(part, values=part.values[:-3])


@pytest.mark.parametrize(
    ("damage", "words"),
    [(shorter, "3 lengths of 4 sources"), (unsaid, "without a vector and without a reason"), (fewer_values, "values")],
)
def test_rows_that_are_missing_in_a_part(job: FolderJob, damage: Callable[[Part], Part], words: str) -> None:
    folder, span = interrupted(job), Span(4, 8)
    write_part(folder, span, damage(read_part(folder, span)))
    with pytest.raises(ParameterError, match=f"000000004-000000008.part.*{words}.*delete this file"):
        run(job)
    part_path(folder, span).unlink()
    run(job)
    assert stated(job) == (50, 50, 0)


def test_a_source_that_is_listed_twice_has_two_rows(job: FolderJob) -> None:
    run(job := replace(job, sources=[*job.sources, job.sources[0]]))
    assert stated(job) == (51, 51, 0)


def test_the_statement_is_the_same_however_the_run_went(job: FolderJob) -> None:
    run(job)
    whole = json.loads(tables.summary(job.output).metadata["privis.completeness"])
    job.output.unlink()
    interrupted(job)
    run(replace(job, workers=2))
    assert json.loads(tables.summary(job.output).metadata["privis.completeness"]) == whole
