"""Several jobs over the same pictures in one pass: each picture is decoded once, each job has its own table.

A job of several is what it is alone (`privis.io.resumable.run`): the same vectors, its own parts beside its own output,
its own list of failures. What they share is the reading of pictures, the processes, and one rule: where pictures are
charged, everything public that any job holds against a picture is found before any job charges for it, and such a
picture is charged for none. Extractors that compute several pictures at once read them by themselves.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, PrivisError, Problem, refuse
from privis.io.images.decode import Decoding
from privis.io.images.record import ImageRecord
from privis.io.resumable.contents import Observation, content
from privis.io.resumable.parts import (
    Part,
    Span,
    discard,
    finished_spans,
    open_spans,
    part_path,
    partial,
    whole,
    write_part,
)
from privis.io.resumable.run import (
    ChargeLog,
    FolderJob,
    Outcome,
    Progress,
    check_job,
    join_parts,
    kept,
    manifest_of,
    still_true,
)
from privis.io.resumable.span_scheduler import Compute
from privis.io.resumable.span_vectors import (
    Extractor,
    Found,
    SharingExtractor,
    at_least_of,
    reading,
    result_of,
    vectors_of,
)


@runtime_checkable
class ChargingExtractor(Protocol):
    """An extractor that may charge for a picture."""

    @property
    def charging(self) -> bool:
        """Whether a ledger is charged for its vectors."""
        ...

    def examine(self, image: ImageRecord, /) -> None:
        """Raise everything public that speaks against ``image``; charges nothing."""
        ...


def run_together(jobs: Sequence[FolderJob], *, on_progress: Callable[[Progress], None]) -> list[Outcome]:
    """Extract one vector per job from every source, and write one table per job.

    Args:
        jobs: with the same sources, workers, decoding and account, and outputs of their own.
        on_progress: called with how many sources are done for all jobs, and how many failures there are.

    Returns:
        What each job wrote.

    Raises:
        PrivisError: as of `privis.io.resumable.run.run`; ImageError names every job without a row, when the tables of
            all others are written.
    """
    _refuse_unlike(jobs)
    started, total = time.monotonic(), len(jobs[0].sources)
    with ExitStack() as stack:
        folders = [stack.enter_context(partial(job.output, manifest_of(job))) for job in jobs]
        done = 0
        try:
            common, failed = _finished_in_all(jobs, folders)
            done = resumed = sum(map(len, common))
            on_progress(Progress(done, failed, total, 0.0, None))
            with closing(_computed(jobs, folders, common)) as computed:
                for span, failures in computed:
                    done, failed = done + len(span), failed + failures
                    seconds = time.monotonic() - started
                    on_progress(Progress(done, failed, total, seconds, seconds * (total - done) / (done - resumed)))
            return _joined(jobs, folders, resumed, started)
        except KeyboardInterrupt:
            message = f"interrupted after {done:,} of {total:,} files; the same command goes on from there"
            raise KeyboardInterrupt(message) from None


def _refuse_unlike(jobs: Sequence[FolderJob]) -> None:
    outputs = [job.output.resolve() for job in jobs]
    problems = [
        Problem("run_together", f"{output} for two jobs", "an output of its own for each")
        for output in dict.fromkeys(outputs)
        if outputs.count(output) > 1
    ]
    shared = {(tuple(job.sources), job.scheduler, job.decoding) for job in jobs}
    if len(shared) != 1:
        problems.append(Problem("run_together", f"{len(jobs)} jobs of {len(shared)} kinds", "jobs over equal sources"))
    refuse(ParameterError, problems)
    for job in jobs:
        check_job(job)


def _finished_in_all(jobs: Sequence[FolderJob], folders: Sequence[Path]) -> tuple[list[Span], int]:
    """Spans that every job has finished; parts that others do not have stay only where they will be met again."""
    found = [still_true(job, folder) for job, folder in zip(jobs, folders, strict=True)]
    spans = [set(own) for own, _ in found]
    common = sorted(set.intersection(*spans))
    again = set(open_spans(common, len(jobs[0].sources), _chunk(jobs)))
    for own, folder in zip(spans, folders, strict=True):
        for span in own - set(common) - again:
            part_path(folder, span).unlink()
    return common, sum(failed for _, failed in found)


def _chunk(jobs: Sequence[FolderJob]) -> int:
    """Most sources of a span: the same in a run that goes on, as it depends on the jobs alone."""
    return min(job.most() for job in jobs)


def _computed(
    jobs: Sequence[FolderJob], folders: Sequence[Path], finished: Sequence[Span]
) -> Generator[tuple[Span, int], None, None]:
    first = jobs[0]
    spans = open_spans(finished, len(first.sources), _chunk(jobs))
    present = tuple(folders) if first.scheduler.near else ()
    make = _MakeParts(present, tuple(job.make_extractor for job in jobs), first.decoding)
    keep = functools.partial(_keep, tuple(folders), first.account)
    give_up = functools.partial(_given_up, len(jobs), first)
    yield from kept(
        first.scheduler, spans, first.sources, make, keep, give_up, lambda parts: [part for _, part in parts]
    )


Parts = Iterable[tuple[int, Part]]
"""Numbers of jobs, and the part of a span for each."""


@dataclass(frozen=True)
class _MakeParts:
    """Picklable: makes, in the process that is to work, the function that computes the parts of a span for all jobs.

    ``folders`` are those of the jobs' parts, where the process has them: what is there is not computed again.
    """

    folders: tuple[Path, ...]
    make_extractors: tuple[Callable[[], Extractor], ...]
    decoding: Decoding

    def __call__(self) -> Compute[Parts]:
        return functools.partial(_compute, self, [make() for make in self.make_extractors])


def _compute(made: _MakeParts, extractors: Sequence[Extractor], span: Span, paths: Sequence[str]) -> Parts:
    """Compute a span for every job that does not have it; with the jobs' folders each part as soon as it is whole."""
    there = {number for number, folder in enumerate(made.folders) if part_path(folder, span).exists()}
    wanted = {number: each for number, each in enumerate(extractors) if number not in there}
    parts = _parts(made.decoding, extractors, wanted, paths)
    return parts if made.folders else list(parts)


def _parts(
    decoding: Decoding, extractors: Sequence[Extractor], wanted: dict[int, Extractor], paths: Sequence[str]
) -> Iterator[tuple[int, Part]]:
    sharing = {number for number, each in wanted.items() if isinstance(each, SharingExtractor) and each.shares}
    found: dict[int, list[Found]] = {number: [] for number in wanted}
    alone = {number: each for number, each in wanted.items() if number not in sharing}
    refused: dict[str, str] = {}
    with Observation(paths, decoding) as observed:
        for path in paths:
            for number, result in _one_image(path, extractors, alone, observed, refused):
                found[number].append(result)
                if len(found[number]) == len(paths):  # at once, so that a later job's deadly image takes nothing along
                    yield number, _part(found.pop(number), observed)
        for number in sorted(sharing):
            yield number, _part(_shared(paths, wanted[number], observed, refused), observed)


def _part(found: Sequence[Found], observed: Observation) -> Part:
    vectors, shapes = zip(*found, strict=True)
    return Part.of(vectors, observed.contents(), shapes)


def _keep(folders: Sequence[Path], account: ChargeLog | None, span: Span, parts: Parts) -> int:
    """Write the parts of a span, each with a mark after its charges, where there is none; gives the failures."""
    failures = 0
    for number, part in parts:
        if not part_path(folders[number], span).exists():
            write_part(folders[number], span, replace(part, mark=account.mark()) if account else part)
            failures += part.failed
    return failures


def _one_image(
    path: str,
    extractors: Sequence[Extractor],
    wanted: dict[int, Extractor],
    decoding: Observation,
    refused: dict[str, str],
) -> Iterator[tuple[int, Found]]:
    """Decode a picture, hear all that is public against it, and only then compute; ``refused`` gets the reason.

    It is decoded once, or once for each size that extractors ask for.
    """
    charging = [each for each in extractors if isinstance(each, ChargingExtractor) and each.charging]
    if not wanted and not charging:
        return
    images: dict[tuple[int, int] | None, ImageRecord] = {}
    for size in dict.fromkeys(map(at_least_of, [*wanted.values(), *charging])):
        pixels = _decoded(path, decoding, size)
        if isinstance(pixels, str):
            yield from ((number, (pixels, ())) for number in wanted)
            return
        images[size] = ImageRecord(pixels, path)
    reasons = [reason for each in charging if (reason := _against(each, images[at_least_of(each)], path))]
    if reasons:
        refused[path] = "; ".join(dict.fromkeys(reasons))
    for number, each in wanted.items():
        image = images[at_least_of(each)]
        yield number, (refused[path] if path in refused else _vector(each, image, path), image.pixels.shape)


def _decoded(path: str, decoding: Observation, at_least: tuple[int, int] | None) -> NDArray[np.uint8] | str:
    """The pixels, or why there are none."""
    try:
        return reading(decoding, at_least)(path)
    except PrivisError as error:
        reason = result_of(path, error)
        assert isinstance(reason, str)
        return reason
    except Exception as error:  # one picture must never end a run of a million
        return f"{type(error).__name__}: {error}"


def _against(extractor: ChargingExtractor, image: ImageRecord, path: str) -> str:
    try:
        extractor.examine(image)
    except PrivisError as error:
        found = result_of(path, error)  # raises what is no picture's fault
        assert isinstance(found, str)
        return found
    return ""


def _vector(extractor: Extractor, image: ImageRecord, path: str) -> NDArray[np.float32] | str:
    try:
        return result_of(path, extractor(image))
    except PrivisError as error:
        return result_of(path, error)
    except Exception as error:  # as above
        return f"{type(error).__name__}: {error}"


def _shared(paths: Sequence[str], extractor: Extractor, decoding: Observation, refused: dict[str, str]) -> list[Found]:
    assert isinstance(extractor, SharingExtractor)
    left = [path for path in paths if path not in refused]
    computed = iter(vectors_of(left, extractor, decoding) if left else [])
    return [(refused[path], ()) if path in refused else next(computed) for path in paths]


def _given_up(jobs: int, job: FolderJob, span: Span, reason: str) -> Parts:
    """List a picture that ends processes as a failure of every job that has no vector of it yet."""
    part = Part.of([reason], [content(job.sources[span.start])], [()])
    return [(number, part) for number in range(jobs)]


def _joined(jobs: Sequence[FolderJob], folders: Sequence[Path], resumed: int, started: float) -> list[Outcome]:
    outcomes, problems = [], []
    for job, folder in zip(jobs, folders, strict=True):
        try:
            rows, length, failures = join_parts(job, folder, whole(finished_spans(folder), job.sources, job.output))
        except ImageError as error:
            problems += [Problem(str(job.output), p.got, p.expected, p.remedy) for p in error.problems]
            continue
        outcomes.append(Outcome(job.output, rows, length, failures, resumed, time.monotonic() - started))
    for folder in folders:  # only now: a kill before leaves what the same command goes on from
        discard(folder)
    refuse(ImageError, problems)
    return outcomes
