"""Runs in processes of their own, with the memory of everything that they start; rates from memory beside them."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.scale.one_run import FEATURES, Job, Timed
from benchmarks.scale.process_tree import PeakMemory
from privis import prepare
from privis.io import tables
from privis.io.completeness.completeness import completeness
from privis.io.images.decode import Decoding

ROOT = Path(__file__).resolve().parents[2]
_SAMPLE = 400
_ROWS = 2000


@dataclass(frozen=True)
class Measured:
    """A run, and what it took.

    Args:
        job: what was run.
        timed: what it took.
        peak: bytes of all its processes at most, of shared pages their share.
        processes: that there were then.
    """

    job: Job
    timed: Timed
    peak: int
    processes: int


class RunFailedError(RuntimeError):
    """A run that ended without its figures."""


def measured(job: Job) -> Measured:
    """Run ``job`` in a process of its own.

    Args:
        job: what is run.

    Returns:
        What it took.

    Raises:
        RunFailedError: it failed; the message ends what it said.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "benchmarks.scale.one_run", json.dumps(asdict(job))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env={**environment, "PYTHONPATH": path}, text=True, **pipes) as process:
        with PeakMemory(process.pid) as memory:
            said, errors = process.communicate()
    if process.returncode:
        raise RunFailedError(f"{job.engine}, {job.feature}: {errors.strip()[-1500:]}")
    return Measured(job, Timed(**json.loads(said.splitlines()[-1])), memory.bytes, memory.processes)


def same_rows(left: Path, right: Path) -> bool:
    """Whether two tables, sorted by record, have the same names and the same bytes of every vector."""
    found = [tables.read(path) for path in (left, right)]
    orders = [np.argsort(np.array(table.paths)) for table in found]
    names = [[table.paths[place] for place in order] for table, order in zip(found, orders, strict=True)]
    rows = [table.features[order].tobytes() for table, order in zip(found, orders, strict=True)]
    return names[0] == names[1] and rows[0] == rows[1]


def seconds_per_row(table: Path) -> float:
    """Seconds that a driver takes at the end for one more row of a table: its statement and its bytes.

    Args:
        table: that was written; its rows are written again beside it, some thousands of times, and fewer.

    Returns:
        What the larger one takes longer, per row: without what any table takes.
    """
    found, again = tables.read(table), table.with_name(f"again.{table.name}")
    sizes, seconds = (1, max(len(found.paths), _ROWS)), {}
    for size in (1, *sizes):  # the first one loads libraries
        rows = np.resize(found.features, (size, found.features.shape[1]))
        paths = [f"{number}.jpg" for number in range(size)]
        start = time.perf_counter()
        completeness(paths, paths, ())
        tables.write(again, paths, [rows], names=found.names, metadata=found.metadata)
        seconds[size] = time.perf_counter() - start
    again.unlink()
    return max(0.0, seconds[sizes[1]] - seconds[1]) / (sizes[1] - 1)


def rate_from_memory(feature: str, sources: Sequence[str], workers: int, seconds: float) -> float:
    """Images a second of ``workers`` processes together that hold decoded images.

    Args:
        feature: a name of `FEATURES`.
        sources: files, of which each process decodes some hundreds first.
        workers: processes, all of which compute at the same time.
        seconds: for which each computes.

    Returns:
        Images a second of all.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Manager().Barrier(workers)
    lots = [list(sources[number::workers][:_SAMPLE]) for number in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        rates = [pool.submit(_rate, feature, lot, barrier, seconds) for lot in lots]
        return sum(rate.result() for rate in rates)


def _rate(feature: str, paths: list[str], barrier: object, seconds: float) -> float:
    import cv2

    cv2.setNumThreads(1)
    decode = Decoding()
    images = [decode(path) for path in paths]
    with prepare(FEATURES[feature](), shape=images[0].shape) as prepared:
        prepared(images[:2])
        barrier.wait()  # type: ignore[attr-defined]
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            prepared(images)
            count += len(images)
        return count / (time.perf_counter() - start)
