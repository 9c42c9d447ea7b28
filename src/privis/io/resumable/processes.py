"""Spans shared out over processes, of which any may die at any moment."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from privis.errors import ParameterError, PrivisError, Problem
from privis.io.images.depth import DepthWarning
from privis.io.resumable.parts import Span
from privis.io.resumable.span_scheduler import MOST_LOSSES, Answer, Compute

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

Pipe = connection.Connection

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
"""Environment variables by which libraries choose their number of threads when they are loaded."""

_MOST_KILLED_STARTS = 8
"""Processes in a row that were killed while they started, until the run ends."""


@dataclass(frozen=True)
class _Task:
    span: Span
    deaths: int = 0


@dataclass
class _Worker:
    process: SpawnProcess
    task: _Task | None = None
    ready: bool = False


@dataclass(frozen=True)
class LocalProcesses:
    """The `SpanScheduler` of this machine: processes of one thread each; a single one is the calling process.

    Args:
        workers: processes.
    """

    workers: int = 1

    @property
    def near(self) -> bool:
        """They have the disk of the calling process."""
        return True

    def parallelism(self) -> int:
        """Count the processes."""
        return self.workers

    def share_out(
        self,
        spans: Sequence[Span],
        paths: Sequence[str],
        make: Callable[[], Compute[Answer]],
        give_up: Callable[[Span, str], Answer],
    ) -> Generator[tuple[Span, Answer], None, None]:
        """Compute all ``spans`` of ``paths`` in processes of this machine; see the function of this name."""
        return share_out(spans, paths, self.workers, make, give_up)


def share_out(
    spans: Sequence[Span],
    paths: Sequence[str],
    workers: int,
    make: Callable[[], Compute[Answer]],
    give_up: Callable[[Span, str], Answer],
) -> Generator[tuple[Span, Answer], None, None]:
    """Compute all ``spans`` of ``paths`` in ``workers`` processes; gives span and answer as they get finished.

    One worker is this process. ``make`` is called once in every process. A span whose process dies is tried again in
    another one, then in halves; for a single source that kills its process time after time ``give_up`` is called (here)
    with the reason. Each process has one span at a time and one thread. Closing the generator ends the processes.

    Raises:
        ParameterError: ``make`` cannot be pickled, or a process ended before it was ready to work.
        PrivisError: what ``make`` or the computation raised.
    """
    if workers == 1:
        if spans:
            compute = make()
            for span in spans:
                yield span, compute(span, paths[span.start : span.stop])
        return
    require_picklable(make)
    queue = deque(map(_Task, spans))
    pool: dict[Pipe, _Worker] = {}
    killed_starts = 0  # one after another: a process may be killed while it starts, by whoever kills the others
    try:
        while queue or any(worker.task for worker in pool.values()):
            _assign(pool, queue, paths)
            free = sum(worker.task is None for worker in pool.values())
            for _ in range(min(workers - len(pool), len(queue) - free)):
                pipe, worker = _start(make)
                pool[pipe] = worker
            for pipe in connection.wait(list(pool)):
                assert isinstance(pipe, Pipe)
                worker = pool[pipe]
                try:
                    answer = pipe.recv()
                except (EOFError, OSError):
                    del pool[pipe]
                    killed_starts += not worker.ready
                    yield from _reap(worker, queue, give_up, killed_starts)
                    continue
                if isinstance(answer, PrivisError):
                    raise answer
                task, worker.task, worker.ready, killed_starts = worker.task, None, True, 0
                if task:
                    _assign(pool, queue, paths)
                    yield task.span, answer
    finally:
        _stop(pool)


def require_picklable(make: Callable[[], Compute[Any]]) -> None:
    """Raise ParameterError for a ``make`` that no other process can have."""
    try:
        ForkingPickler.dumps(make)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        remedy = "use a module's function or a frozen dataclass, not a lambda or a nested function; or workers=1"
        raise ParameterError(Problem("make_extractor", str(error), "something picklable", remedy)) from error


def _assign(pool: dict[Pipe, _Worker], queue: deque[_Task], paths: Sequence[str]) -> None:
    for pipe, worker in pool.items():
        if queue and worker.ready and worker.task is None:
            worker.task = queue.popleft()
            span = worker.task.span
            with suppress(OSError):  # it died while idle; the next wait sees the end of its pipe
                pipe.send((span, tuple(paths[span.start : span.stop])))


def _reap(
    worker: _Worker, queue: deque[_Task], give_up: Callable[[Span, str], Answer], killed_starts: int
) -> Iterator[tuple[Span, Answer]]:
    """Decide what becomes of the task of a process that has ended."""
    worker.process.join()
    ending = _ending(worker.process.exitcode)
    task = worker.task
    if not worker.ready:
        if (worker.process.exitcode or 0) < 0 and killed_starts < _MOST_KILLED_STARTS:
            return
        remedy = (
            'its message is above; a script needs `if __name__ == "__main__":` around the call, '
            "and workers=1 does without processes"
        )
        raise ParameterError(Problem("workers", f"a process that {ending} while starting", "one that starts", remedy))
    if task is None:
        return
    if task.deaths == 0 or len(task.span) == 1:
        if task.deaths + 1 < MOST_LOSSES:
            queue.appendleft(_Task(task.span, task.deaths + 1))
        else:
            yield task.span, give_up(task.span, f"its process {ending}, every time it was tried")
    else:
        middle = (task.span.start + task.span.stop) // 2
        queue.appendleft(_Task(Span(middle, task.span.stop), 1))
        queue.appendleft(_Task(Span(task.span.start, middle), 1))


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"was killed by {signal.Signals(-exitcode).name}"
    return f"ended with exit code {exitcode}"


def _start(make: Callable[[], Compute[Any]]) -> tuple[Pipe, _Worker]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, make), daemon=True)
    try:
        with _worker_environment():
            process.start()
    finally:
        theirs.close()  # so that the end of the process is the end of the pipe
    return ours, _Worker(process)


@contextmanager
def _worker_environment() -> Iterator[None]:
    """What a process inherits when it starts: one thread per library, and no interrupts (the parent has them)."""
    resource_tracker.ensure_running()  # here, because starting it unblocks the signals
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with one_thread():
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def one_thread() -> Iterator[None]:
    """An environment in which processes that start have one thread per library."""
    saved = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(pipe: Pipe, make: Callable[[], Compute[Any]]) -> None:
    """The life of a worker process: say that it is ready, then answer spans until the pipe is closed."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        warnings.simplefilter("ignore", DepthWarning)  # the process that started the run says it
        compute = make()
        if "cv2" in sys.modules:
            sys.modules["cv2"].setNumThreads(1)
        pipe.send(None)
        while True:
            span, paths = pipe.recv()
            pipe.send(compute(span, paths))
    except EOFError:
        return
    except PrivisError as error:
        pipe.send(error)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _stop(pool: dict[Pipe, _Worker]) -> None:
    for pipe, worker in pool.items():
        pipe.close()  # an idle worker leaves by itself
        if worker.task is not None or not worker.ready:
            worker.process.terminate()
    for worker in pool.values():
        worker.process.join(5)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
