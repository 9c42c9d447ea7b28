"""The end of a run whose vectors have lengths of their own, as boxes have: each goes to a writer as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.io.resumable.failures import Failure, write_failures
from privis.io.resumable.parts import Span, discard, read_part
from privis.io.resumable.run import FolderJob, Join

Row = tuple[str, NDArray[np.float32]]


def join_rows(write: Callable[[Iterator[Row]], None]) -> Join:
    """Join parts into something else than a table of equal rows.

    Args:
        write: is given path and vector of every source that gave one, in the order of the sources, and writes the
            output whole or not at all.

    Returns:
        What `privis.io.resumable.run.run` takes as ``join``.
    """

    def join(job: FolderJob, folder: Path, spans: Sequence[Span]) -> tuple[int, int, tuple[Failure, ...]]:
        failures, rows = [], 0
        for span in spans:
            part = read_part(folder, span, values=False)
            paths = job.sources[span.start : span.stop]
            failed = [Failure(path, reason) for path, reason in zip(paths, part.reasons, strict=True) if reason]
            failures += failed
            rows += len(paths) - len(failed)
        write_failures(job.output, failures)
        if not rows:
            discard(folder)  # the next run tries every file again
            first = f"the first, {failures[0].path}: {failures[0].reason}"
            raise ImageError(Problem("sources", f"{len(failures)} files, none of them usable", "a usable image", first))
        write(_rows(job, folder, spans))
        return rows, 0, tuple(failures)

    return join


def _rows(job: FolderJob, folder: Path, spans: Sequence[Span]) -> Iterator[Row]:
    for span in spans:
        part = read_part(folder, span)
        ends = np.cumsum(part.lengths)[:-1]
        vectors = np.split(part.values, ends)
        for path, vector in zip(job.sources[span.start : span.stop], vectors, strict=True):
            if len(vector):
                yield path, vector
