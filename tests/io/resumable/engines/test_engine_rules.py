"""What is asked of workers of an engine, and what is refused, without any engine.

Answers for `privis.io.resumable.engines.engine_worker`, `privis.io.resumable.engines.retried_spans`,
`privis.cli.extraction.engine_options` and `privis.cli.extraction.planned_extraction`.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from PIL import Image

import privis
from privis.cli.extraction.engine_options import EngineName, scheduler_named
from privis.errors import ParameterError, ServiceError, UnsupportedError
from privis.extraction.contributions import contributions
from privis.extraction.folder import KEY_ON_WORKERS, MakeExtractor, key_mark
from privis.io.resumable.engines import ray_connection
from privis.io.resumable.engines.daft_scheduler import _again, _put_back
from privis.io.resumable.engines.engine_worker import EngineWorker, packed, unpacked, versions
from privis.io.resumable.engines.ray_connection import connected
from privis.io.resumable.engines.retried_spans import Attempt
from privis.io.resumable.parts import Span
from privis.io.resumable.run import FolderJob, run
from privis.io.resumable.span_scheduler import MOST_LOSSES

RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)
FEATURE = privis.ColourHistogram(bins=2, density=True)


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """A worker changes the process that it is in, which is this one here."""
    handler = signal.getsignal(signal.SIGINT)
    with mock.patch.dict(os.environ):
        yield
    signal.signal(signal.SIGINT, handler)


@dataclass(frozen=True)
class FarWorker:
    """A worker of no engine, which sees what an engine's does: pickled recipes, spans and paths."""

    blind: str = ""
    """A word: files with it in their names are not on the worker's disk."""

    @property
    def near(self) -> bool:
        return False

    def parallelism(self) -> int:
        return 1

    def share_out(
        self, spans: Sequence[Span], paths: Sequence[str], make: Callable[[], Any], give_up: Callable[[Span, str], Any]
    ) -> Generator[tuple[Span, Any], None, None]:
        worker = EngineWorker(versions(), packed(make))
        for span in reversed(spans):
            names = paths[span.start : span.stop]
            seen = [f"/nowhere/{name}" if self.blind and self.blind in name else name for name in names]
            yield span, unpacked(worker.answer(span.start, span.stop, seen))


def photographs(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    random = np.random.default_rng(4)
    for index in range(count):
        Image.fromarray(random.integers(0, 256, (9, 8, 3), np.uint8)).save(folder / f"{index}.png")
    (folder / "3.png").write_bytes(b"no picture")
    return sorted(map(str, folder.iterdir()))


def test_the_calling_process_keeps_what_far_workers_found(tmp_path: Path) -> None:
    sources = photographs(tmp_path / "in", 9)
    key, outputs = tmp_path / "key", [tmp_path / "near.npz", tmp_path / "far.npz"]
    for output, on in zip(outputs, (None, FarWorker()), strict=True):
        ledger = privis.FileLedger.create(tmp_path / f"{output.stem}.ledger", privis.Budget(1.0, 1e-5))
        result = privis.extract_folder(
            FEATURE, sources, output, release=RELEASE, ledger=ledger, key=key, chunk=2, on=on
        )
        assert result.outcome.rows == ledger.verify().charges == 8
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    pairs = [[tmp_path / f"{place}{number}.npz" for number in range(2)] for place in ("near", "far")]
    for pair, on in zip(pairs, (None, FarWorker()), strict=True):
        privis.extract_folder_many([FEATURE] * 2, sources, pair, release=[None, RELEASE], key=key, chunk=2, on=on)
    assert [path.read_bytes() for path in pairs[0]] == [path.read_bytes() for path in pairs[1]]


def test_a_run_begun_by_processes_goes_on_with_far_workers_and_back(job: FolderJob) -> None:
    run(job)
    expected = job.output.read_bytes()
    job.output.unlink()
    turns = [(None, 12), (FarWorker(), 28), (None, 50)]
    for on, stop in turns:

        def interrupt(progress: Any, stop: int = stop) -> None:
            if stop <= progress.done < 50:
                raise KeyboardInterrupt

        try:
            outcome = run(replace(job, on=on), on_progress=interrupt)
        except KeyboardInterrupt:
            continue
    assert outcome.resumed >= 28
    assert job.output.read_bytes() == expected


def test_a_file_that_only_the_worker_lacks_ends_the_run(tmp_path: Path) -> None:
    sources = photographs(tmp_path / "in", 5)
    output = tmp_path / "out.npz"
    with pytest.raises(ParameterError, match=r"1\.png: got a file that a worker cannot read"):
        privis.extract_folder(FEATURE, sources, output, chunk=1, on=FarWorker(blind="1.png"))
    assert privis.extract_folder(FEATURE, sources, output, chunk=1).outcome.rows == 4  # and goes on elsewhere
    Path(sources[1]).unlink()  # what nobody can read is a listed failure
    assert privis.extract_folder(FEATURE, sources, output, on=FarWorker(blind="1.png")).outcome.rows == 3


def test_versions_are_compared_before_anything_is_opened() -> None:
    other = (("privis", "0.0"), *versions()[1:])
    for answer in (EngineWorker(other, b"no pickle").ready(), EngineWorker(other, b"no pickle").answer(0, 1, ["a"])):
        with pytest.raises(ParameterError, match=r"workers: got privis .*, expected privis 0\.0, as where the run"):
            unpacked(answer)
    assert {"privis", "Python", "numpy", "opencv-python-headless", "pillow"} <= {name for name, _ in versions()}


def missing_package() -> Any:
    raise ModuleNotFoundError("No module named 'elsewhere'")


def test_what_keeps_a_worker_from_starting_is_said() -> None:
    with pytest.raises(ParameterError, match=r"No module named 'elsewhere'.*same packages on every machine"):
        unpacked(EngineWorker(versions(), packed(missing_package)).ready())
    with pytest.raises(ParameterError, match="something picklable"):
        packed(lambda: None)


def test_a_worker_has_one_thread_and_leaves_interrupts_to_the_process_that_asks() -> None:
    code = (
        "import os, signal; from tests.io.resumable.stream_jobs import make_moments\n"
        "from privis.io.resumable.engines.engine_worker import *\n"
        "worker = EngineWorker(versions(), packed(make_moments)); unpacked(worker.ready())\n"
        "print(os.environ['OMP_NUM_THREADS'], os.environ['NUMBA_NUM_THREADS'])\n"
        "print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[4])
    assert said.stdout.split() == ["1", "1", "True"], said.stderr


# The key ----------------------------------------------------------------------------------------------------


def test_a_key_travels_as_a_path_and_is_looked_for_where_the_worker_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here.key", tmp_path / "there.key"
    key = privis.ReleaseKey.generate()
    key.save(here)
    whose = contributions(["a.png"], None, RELEASE, None, repeatable=True)
    make = MakeExtractor(FEATURE, privis.Clear(), RELEASE, None, here, whose, 1, None, "the key", key_mark(key))
    assert here.read_bytes()[-32:] not in pickle.dumps(make)
    make()
    here.rename(there)
    with pytest.raises(ParameterError, match=rf"here\.key on .*: got no file.*{KEY_ON_WORKERS}"):
        make()
    monkeypatch.setenv(KEY_ON_WORKERS, str(there))
    make()
    privis.ReleaseKey.generate().save(here)
    with pytest.raises(ParameterError, match="got another release key"):
        make()


def test_a_ledger_in_a_file_is_charged_on_its_own_machine_alone(tmp_path: Path) -> None:
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.0, 1e-5))
    whose = contributions(["a.png"], None, RELEASE, ledger, repeatable=True)
    make = MakeExtractor(FEATURE, privis.Clear(), RELEASE, ledger, None, whose, 1)
    make()
    with pytest.raises(ParameterError, match=r"ledger, a file of elsewhere, on .*PostgreSQL"):
        replace(make, started_on="elsewhere")()


# What is tried again ----------------------------------------------------------------------------------------


def test_suspects_are_asked_for_after_all_others() -> None:
    lots: deque[Any] = deque([("later",)])
    attempts = tuple(Attempt(Span(number, number + 1)) for number in range(6))
    _put_back(attempts, lots, 4)
    assert list(lots) == [attempts[4:], ("later",), attempts[:4]]


def test_a_deadly_source_is_found_by_halves() -> None:
    deadly, lots, alone = 5, deque([(Attempt(Span(0, 4)), Attempt(Span(4, 8)))]), 0
    done: list[Span] = []
    while lots:
        lot = lots.popleft()
        if not any(attempt.span.start <= deadly < attempt.span.stop for attempt in lot):
            done += [attempt.span for attempt in lot]
            continue
        alone += [attempt.span for attempt in lot] == [Span(deadly, deadly + 1)]
        again = _again(lot)
        assert again or alone
        lots.extendleft(reversed(again))
    assert sum(map(len, done)) == 7
    assert alone == MOST_LOSSES


@pytest.mark.parametrize(("address", "ended"), [(None, [True]), ("auto", [])])
def test_only_a_ray_that_was_started_here_loses_processes(
    monkeypatch: pytest.MonkeyPatch, address: str | None, ended: list[bool]
) -> None:
    began: list[str] = []
    fake = SimpleNamespace(is_initialized=lambda: False, init=lambda address, **options: began.append(address))
    monkeypatch.setattr(ray_connection, "imported", lambda: fake)
    done: list[bool] = []
    monkeypatch.setattr(ray_connection, "_end_idle_processes", lambda: done.append(True))
    assert ray_connection.connected(address, 2) is fake
    assert (began, done) == ([address or "local"], ended)


# Words ------------------------------------------------------------------------------------------------------


def test_words_choose_an_engine() -> None:
    assert scheduler_named(EngineName.PROCESSES, None, 3) is None
    assert scheduler_named(EngineName.RAY, "auto", 3) == privis.RayScheduler("auto", 3)
    assert scheduler_named(EngineName.DAFT, None, 0) == privis.DaftScheduler(None, None)
    with pytest.raises(ParameterError, match=r"--address.*say --on ray"):
        scheduler_named(EngineName.PROCESSES, "auto", 1)


def test_only_what_holds_no_keys_travels(tmp_path: Path) -> None:
    sources = photographs(tmp_path / "in", 1)
    with pytest.raises(UnsupportedError, match="on=FarWorker with CKKS"):
        privis.extract_folder(FEATURE, sources, tmp_path / "out.npz", under=privis.CKKS(), on=FarWorker())


def test_a_ray_that_does_not_start_in_time_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def late(**options: object) -> None:
        raise Exception("The current node timed out during startup.")  # what Ray raises on a machine that is busy

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(ServiceError, match=r"Ray of this machine.*timed out during startup"):
        connected(None, 2)
