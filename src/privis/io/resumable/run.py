"""A folder of a million images: read, extract and write as a stream that survives whatever happens to it.

Consecutive sources form spans. Each span is computed by one process and kept as a part file beside the output; at the
end the parts are joined, in the order of the sources, into one table. So memory holds one span per worker, a killed run
goes on where it was, and the table depends neither on timing nor on the number of workers.

What happens to
- an image that cannot be read or used: it is listed, the run goes on;
- a vector whose length differs from that of the first good image (in order): its image is listed;
- a server that cannot be reached, or keys that do not fit: no image's fault, the run ends, the same call goes on;
- a worker process that dies: its span is tried again in another process, then halved and halved again until only
  the image that kills it, time after time, is left and listed;
- a privacy ledger that cannot be written or is damaged: no image's fault either;
- an interrupt, a kill, a full disk: the parts stay; the same call goes on;
- an image whose file is another one by then: it is read again, with the others of its part.
With ``workers=1`` everything happens in the calling process, which a deadly image would end. Nothing here knows
features: a `FolderJob` brings a factory for the function that turns an image into a vector.
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from privis.errors import DamagedLedgerError, ImageError, ParameterError, Problem, refuse
from privis.extras import require
from privis.io import tables
from privis.io.atomic import check_writable
from privis.io.completeness.completeness import METADATA, completeness, require_none
from privis.io.images import decode as images
from privis.io.images.dicom.reading import DicomReading
from privis.io.objects.source_names import is_remote, refuse_secrets
from privis.io.resumable.contents import UNREADABLE, content, contents
from privis.io.resumable.failures import Failure, write_failures
from privis.io.resumable.parts import (
    Part,
    Shape,
    Span,
    discard,
    finished_spans,
    open_spans,
    part_path,
    partial,
    read_part,
    whole,
    write_part,
)
from privis.io.resumable.processes import LocalProcesses
from privis.io.resumable.span_scheduler import Compute, SpanScheduler
from privis.io.resumable.span_vectors import Extractor, MakeParts

_MISMATCH = "got a feature of {} components, expected {} as in the first image; pass size=(H, W) for equal ones"


class ChargeLog(Protocol):
    """Where vectors are charged, known in every process (picklable): parts are worth what is on it."""

    def mark(self) -> str:
        """How far it is written; all that was charged before is at or before this mark."""
        ...

    def missing(self, marks: Collection[str], /) -> set[str]:
        """Those marks that it does not have, or no more."""
        ...


@dataclass(frozen=True)
class FolderJob:
    """Sources, output and limits of one run.

    sources
        paths of images, as `privis.io.images.sources.find` gives them.
    output
        the table to write: .parquet, .npz or .csv.
    fingerprint
        all that decides the vectors and whom they are charged to (feature, release, key, ledger, version), by name; a
        run goes on only under an equal one.
    make_extractor
        called once in every worker process; picklable, so a module's function, a `functools.partial` of one,
        or a frozen dataclass with ``__call__``.
    finish
        called once at the end with the number of rows, their length, and the shapes of the images that gave them, as
        they were read, each once, in order; gives the components' names and the table's metadata. Keep times out of the
        metadata if equal runs are to give equal bytes.
    workers, chunk, decoding
        processes; most sources per span (neither changes a vector); how files become pixels.
    account
        where vectors are charged; a part whose mark it does not have is refused.
    fair
        whether spans are so small that every worker is busy to the end: no gain where images are cheaper together.
    on
        who computes; None: ``workers`` processes of this machine.
    """

    sources: Sequence[str]
    output: Path
    fingerprint: Mapping[str, str]
    make_extractor: Callable[[], Extractor]
    finish: Callable[[int, int, Sequence[Shape]], tuple[Sequence[str], Mapping[str, str]]]
    workers: int = 1
    chunk: int = 64
    decoding: images.Decoding = images.Decoding()
    account: ChargeLog | None = None
    fair: bool = True
    on: SpanScheduler | None = None

    @property
    def scheduler(self) -> SpanScheduler:
        """The scheduler that was given, or one of ``workers`` processes."""
        return self.on or LocalProcesses(self.workers)

    def most(self) -> int:
        """How many sources a span has at most: small jobs too keep every worker busy to the end."""
        fair = -(-len(self.sources) // (4 * self.scheduler.parallelism()))
        return min(self.chunk, fair) if self.fair else self.chunk


@dataclass(frozen=True)
class Progress:
    """How far a run is; ``done`` counts every source dealt with, ``failed`` those among them that failed so far."""

    done: int
    failed: int
    total: int
    seconds: float
    eta_seconds: float | None


@dataclass(frozen=True)
class Outcome:
    """What a run wrote: ``rows`` vectors of ``length`` components; ``resumed`` sources were done by an earlier run."""

    output: Path
    rows: int
    length: int
    failures: tuple[Failure, ...]
    resumed: int
    seconds: float


Join = Callable[[FolderJob, Path, Sequence[Span]], tuple[int, int, tuple[Failure, ...]]]  # parts to the output


def run(
    job: FolderJob, *, on_progress: Callable[[Progress], None] = lambda progress: None, join: Join | None = None
) -> Outcome:
    """Extract a vector from every source and write the table, or what ``join`` makes of the parts.

    The table's metadata hold the statement that every source gave a row or a reason (`privis.io.completeness`).
    The failures are in the outcome and, if there are any, in ``<output>.failures.csv`` (path, reason). Parts
    are kept in ``<output>.partial/`` until the table is written; a run that goes on reads every file of them once, to
    compute again the parts of files that are others by now. It does not try again what failed before and is the same
    (delete that folder for this). With several workers a script needs the usual
    ``if __name__ == "__main__":`` around the call, because each worker imports it.

    Raises:
        ParameterError: a bad job, or an unfinished run of something else in ``<output>.partial``.
        OutputError: the table or a part cannot be written, or sources were lost on the way, which are named; finished
            parts stay, the same call goes on.
        ImageError: not one source gave a vector; no table is written, the list of failures is.
        DamagedLedgerError: the account lacks what finished parts were charged, or is damaged.
        ServiceError, ProtocolError: a server that computes failed; finished parts stay, the same call goes on.
        AnswerLimitError: the server gives no more answers now; finished parts stay, the same call goes on later.
        KeyboardInterrupt: as it came, with a message that says how to go on.
        PrivisError: what ``make_extractor`` or ``finish`` raised.
    """
    check_job(job, as_table=join is None)
    started, total = time.monotonic(), len(job.sources)
    with partial(job.output, manifest_of(job)) as folder:
        done = 0
        try:
            spans, failed = still_true(job, folder)
            done = resumed = sum(map(len, spans))
            on_progress(Progress(done, failed, total, 0.0, None))
            with closing(_computed(job, folder, spans)) as computed:
                for span, failures in computed:
                    spans.append(span)
                    done, failed = done + len(span), failed + failures
                    seconds = time.monotonic() - started
                    eta = seconds * (total - done) / (done - resumed)
                    on_progress(Progress(done, failed, total, seconds, eta))
            rows, length, failures = (join or join_parts)(job, folder, whole(spans, job.sources, job.output))
        except KeyboardInterrupt:
            message = f"interrupted after {done:,} of {total:,} files; the same command goes on from there"
            raise KeyboardInterrupt(message) from None
        discard(folder)
    return Outcome(job.output, rows, length, failures, resumed, time.monotonic() - started)


def check_job(job: FolderJob, as_table: bool = True) -> None:
    """Raise ParameterError for a job that cannot be run, OutputError where its output cannot be written."""
    problems = [
        Problem(f"FolderJob.{name}", str(value), "an integer of at least 1", f"try {name}={default}")
        for name, value, default in (("workers", job.workers, 1), ("chunk", job.chunk, 64))
        if value < 1
    ]
    if not job.sources:
        problems.append(Problem("FolderJob.sources", "no path", "at least one", "name files or a folder of images"))
    refuse(ParameterError, problems)
    refuse_secrets(job.sources)
    for scheme in {path.partition("://")[0].lower() for path in job.sources if is_remote(path)}:
        require("objects", f"{scheme}://", "urllib3" if scheme.startswith("http") else "obstore")
    (tables.check if as_table else check_writable)(job.output)


def manifest_of(job: FolderJob) -> dict[str, str]:
    """All that an unfinished run must have in common with the one that goes on."""
    digest = hashlib.sha256()
    if not all(os.path.isabs(path) or is_remote(path) for path in job.sources):
        digest.update(os.fsencode(os.getcwd()))  # the same relative paths elsewhere are other images
    for path in job.sources:
        digest.update(b"\0" + os.fsencode(path))
    return {
        **job.fingerprint,
        "sources": f"{len(job.sources)} files, sha256 {digest.hexdigest()}",
        **{"max_pixels": str(job.decoding.max_pixels), "bits": str(job.decoding.bits)},
        **({} if job.decoding.dicom == DicomReading() else {"dicom": repr(job.decoding.dicom)}),
    }


def still_true(job: FolderJob, folder: Path) -> tuple[list[Span], int]:
    """The finished spans whose files are what they were, and how many of their files failed; others' parts go.

    Raises DamagedLedgerError for parts whose charges are not on the account.
    """
    finished = {span: read_part(folder, span, values=False) for span in finished_spans(folder)}
    if job.account is not None and finished:
        marks = {part.mark for part in finished.values()}
        if missing := job.account.missing(marks):
            got = f"no trace of the charges of {sum(part.mark in missing for part in finished.values())} finished parts"
            remedy = f"it was put back: restore it and go on, or delete {folder} to charge and compute afresh"
            raise DamagedLedgerError(Problem("ledger", got, "the account that the unfinished run charged", remedy))
    spans, failed = [], 0
    present = contents(job.sources[span.start : span.stop] for span in finished)
    for (span, part), files in zip(finished.items(), present, strict=True):
        if files == part.contents:  # `UNSTEADY` is what no file has
            spans.append(span)
            failed += part.failed
        else:
            part_path(folder, span).unlink()
    return spans, failed


def _computed(job: FolderJob, folder: Path, finished: Sequence[Span]) -> Generator[tuple[Span, int], None, None]:
    """Compute what is not finished; gives each span with its number of failures, in any order."""
    spans = open_spans(finished, len(job.sources), job.most())
    make = MakeParts(job.make_extractor, job.decoding)
    keep, give_up = functools.partial(_keep, folder, job.account), functools.partial(_given_up, job.sources)
    yield from kept(job.scheduler, spans, job.sources, make, keep, give_up, lambda part: [part])


Result = TypeVar("Result")


def kept(
    scheduler: SpanScheduler,
    spans: Sequence[Span],
    paths: Sequence[str],
    make: Callable[[], Compute[Result]],
    keep: Callable[[Span, Result], int],
    give_up: Callable[[Span, str], Result],
    parts: Callable[[Result], Sequence[Part]],
) -> Generator[tuple[Span, int], None, None]:
    """Compute ``spans`` and ``keep`` what was found: by the worker where it has this disk, here otherwise.

    Args:
        scheduler: shares the spans out.
        spans: to compute.
        paths: all sources.
        make: as of `SpanScheduler.share_out`.
        keep: picklable; writes what was found in a span and gives how many of its files failed.
        give_up: what to keep for a source that ends its workers, from the reason.
        parts: those of what was found.

    Yields:
        A span and how many of its files failed.

    Raises:
        ParameterError: a worker elsewhere cannot read a file that is there for this process.
        PrivisError: as of `SpanScheduler.share_out`.
    """
    if scheduler.near:
        here = _KeepGivenUp(keep, give_up)
        yield from scheduler.share_out(spans, paths, _MakeKept(make, keep), here)
        return
    with closing(scheduler.share_out(spans, paths, make, give_up)) as computed:
        for span, found in computed:
            for part in parts(found):
                _refuse_unseen(paths[span.start : span.stop], part)
            yield span, keep(span, found)


def _refuse_unseen(paths: Sequence[str], part: Part) -> None:
    """No row may be lost, not even as a listed failure, for a worker that has another disk."""
    for path, seen in zip(paths, part.contents, strict=True):
        if seen == UNREADABLE and content(path) != UNREADABLE:
            remedy = "have the folder on every machine, at the same path, or name objects of a store; then go on"
            got = "a file that a worker cannot read, and the process that started the run can"
            raise ParameterError(Problem(path, got, "equal files for all workers", remedy))


@dataclass(frozen=True)
class _MakeKept:
    """Picklable: makes the function that computes a span and keeps what it found."""

    make: Callable[[], Compute[Any]]
    keep: Callable[[Span, Any], int]

    def __call__(self) -> Compute[int]:
        return functools.partial(_compute_and_keep, self.make(), self.keep)


def _compute_and_keep(compute: Compute[Any], keep: Callable[[Span, Any], int], span: Span, paths: Sequence[str]) -> int:
    return keep(span, compute(span, paths))


@dataclass(frozen=True)
class _KeepGivenUp:
    keep: Callable[[Span, Any], int]
    give_up: Callable[[Span, str], Any]

    def __call__(self, span: Span, reason: str) -> int:
        return self.keep(span, self.give_up(span, reason))


def _keep(folder: Path, account: ChargeLog | None, span: Span, part: Part) -> int:
    """Write the part of a span, with a mark after all of its charges."""
    write_part(folder, span, replace(part, mark=account.mark()) if account else part)
    return part.failed


def _given_up(paths: Sequence[str], span: Span, reason: str) -> Part:
    return Part.of([reason], [content(paths[span.start])], [()])


def join_parts(job: FolderJob, folder: Path, spans: Sequence[Span]) -> tuple[int, int, tuple[Failure, ...]]:
    """Write the table and the list of failures; both are decided in the order of the sources."""
    length = 0
    rows: list[str] = []
    shapes: dict[Shape, None] = {}
    failures: list[Failure] = []
    for span in spans:
        part = read_part(folder, span, values=False)
        paths = job.sources[span.start : span.stop]
        for path, size, reason, shape in zip(paths, part.lengths, part.reasons, part.shapes, strict=True):
            length = length or int(size)
            if size and size == length:
                rows.append(path)
                shapes[shape] = None
            else:
                failures.append(Failure(path, reason or _MISMATCH.format(size, length)))
    write_failures(job.output, failures)
    if not rows:
        discard(folder)  # the next run tries every file again
        first = f"the first, {failures[0].path}: {failures[0].reason}"
        raise ImageError(Problem("sources", f"{len(failures)} files, none of them usable", "a usable image", first))
    names, metadata = job.finish(len(rows), length, list(shapes))
    failed = (failure.path for failure in failures)
    given, came, refused = (map(tables.printable, paths) for paths in (job.sources, rows, failed))
    stated, differences = completeness(given, came, refused, scratch=folder)
    require_none(differences, job.output)
    metadata = {**metadata, METADATA: stated.to_json()}
    blocks = (read_part(folder, span).rows(length) for span in spans)
    tables.write(job.output, rows, blocks, names=names, metadata=metadata, scratch=folder)
    return len(rows), length, tuple(failures)
