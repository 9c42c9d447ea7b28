"""Ray and Daft give the tables of local processes, whichever of their workers die.

Answers for `privis.io.resumable.engines.ray_scheduler`, `privis.io.resumable.engines.ray_connection`,
`privis.io.resumable.engines.daft_scheduler` and `privis.io.resumable.engines.daft_worker`.
"""

from __future__ import annotations

import gc
import itertools
import os
import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

import privis
from privis.io.resumable.engines.ray_connection import _end_idle_processes
from privis.io.resumable.run import FolderJob, run
from privis.io.tables import read
from tests.io.resumable.engines.odd_files import odd_files
from tests.io.resumable.stream_place import pictures

HERE = Path(__file__).parents[1]
FEATURE = privis.ColourHistogram(bins=2, density=True)
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)
ENGINES = ("ray", "daft")

# Daft leaves the pipes of its workers to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """Workers import the extractors of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def ray_session(importable: None) -> Iterator[Any]:
    """One Ray for all tests here: a run that finds it keeps it."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "ray":
        request.getfixturevalue("ray_session")
        yield privis.RayScheduler(workers=2, memory=1 << 20)
        return
    pytest.importorskip("daft")
    yield privis.DaftScheduler(workers=2)
    gc.collect()  # here, where it is expected, and not in a later test


def tables(folder: Path, sources: list[str], on: Any) -> list[bytes]:
    """A clear table and a noisy one of the same files, with their lists of failures."""
    folder.mkdir()
    outputs, key = [folder / "clear.npz", folder / "noisy.npz"], folder.parent / "key"
    features = [FEATURE, FEATURE]
    privis.extract_folder_many(features, sources, outputs, release=[None, RELEASE], key=key, workers=2, chunk=16, on=on)
    failures = [output.with_name(output.name + ".failures.csv").read_bytes() for output in outputs]
    return [output.read_bytes() for output in outputs] + failures


def charged_table(folder: Path, sources: list[str], on: Any) -> bytes:
    """A noisy table, of which every row is charged once."""
    folder.mkdir()
    output, key = folder / "noisy.npz", folder.parent / "key"
    ledger = privis.FileLedger.create(folder / "ledger", privis.Budget(1.0, 1e-5))
    result = privis.extract_folder(
        FEATURE, sources, output, release=RELEASE, ledger=ledger, key=key, workers=2, chunk=16, on=on
    )
    audit = ledger.verify()
    assert (result.outcome.rows, result.outcome.failures) == (len(sources), ())
    assert (audit.charges, audit.records, audit.problems) == (len(sources), len(sources), ())
    return output.read_bytes()


def test_processes_that_only_a_cluster_needs_are_ended(ray_session: Any) -> None:
    def monitors() -> list[str]:
        words = [" ".join(process.cmdline()) for process in psutil.Process().children() if process.is_running()]
        return [word for word in words if "monitor.py" in word]

    assert len(monitors()) == 2
    _end_idle_processes()
    assert not monitors()
    assert ray_session.get(ray_session.remote(lambda: 7).remote()) == 7


def test_odd_files_and_ordinary_ones_give_the_same_bytes(tmp_path: Path, engine: Any) -> None:
    sources = odd_files(tmp_path / "odd") + pictures(tmp_path / "in", 40)
    assert len(sources) == 41 + 40
    local = tables(tmp_path / "local", sources, None)
    assert tables(tmp_path / "engine", sources, engine) == local
    assert len(read(tmp_path / "local" / "clear.npz").paths) >= 41 + 40 - 5


def test_a_worker_that_dies_costs_nothing(job: FolderJob, jobs: Any, tmp_path: Path, engine: Any) -> None:
    run(job)
    expected = job.output.read_bytes()
    deadly = jobs.Deadly("00023", tmp_path / "in" / "log", at_most=1)
    outcome = run(replace(job, make_extractor=deadly, on=engine, chunk=8))
    assert (outcome.rows, outcome.failures) == (50, ())
    assert (tmp_path / "in" / "log").read_text() == "x"
    assert job.output.read_bytes() == expected


@pytest.mark.long
def test_only_the_file_that_kills_its_workers_is_listed(job: FolderJob, jobs: Any, tmp_path: Path, engine: Any) -> None:
    deadly = jobs.Deadly("00023", tmp_path / "in" / "log")
    outcome = run(replace(job, make_extractor=deadly, on=engine, chunk=8))
    assert [failure.path for failure in outcome.failures] == [job.sources[23]]
    assert "lost every time" in outcome.failures[0].reason
    assert outcome.rows == 49


@pytest.mark.long
def test_workers_killed_fifty_times_lose_nothing_and_charge_nothing_twice(tmp_path: Path, engine: Any) -> None:
    sources = pictures(tmp_path / "in", 1500)
    for index, path in enumerate(sources):  # each another picture, so each is a record of its own
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (256, 256, 3), np.uint8)).save(path)
    local = charged_table(tmp_path / "local", sources, None)
    kills: list[int] = []
    ended = threading.Event()
    killer = threading.Thread(target=kill_at_random, args=(kills, ended, 50))
    killer.start()
    try:
        for number in itertools.count():
            assert charged_table(tmp_path / f"engine{number}", sources, engine) == local
            if len(kills) == 50:
                break
    finally:
        ended.set()
        killer.join()


def kill_at_random(kills: list[int], ended: threading.Event, count: int) -> None:
    chance = random.Random(50)
    while len(kills) < count and not ended.wait(chance.uniform(1, 4)):
        workers = []
        for process in psutil.Process().children(recursive=True):
            try:
                words = " ".join(process.cmdline())
                # Daft waits for ever for a process that is killed before it has connected
                connected = "udf_worker" in words and bool(process.net_connections("unix"))
                if connected or "ray::EngineWorker" in words:
                    workers.append(process)
            except psutil.Error:
                continue
        if workers:
            chosen = chance.choice(workers)
            kills.append(chosen.pid)
            try:
                chosen.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue
