"""Scheduler of jobs: which one runs next, and in which worker of the pool."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from privis.errors import PrivisError, Problem, ServiceError
from privis.serve.fair_shares import OverShare, Shares
from privis.serve.limits import Limits
from privis.serve.metrics import Metrics
from privis.serve.offerings.offering import Terms
from privis.serve.workers.pool import JobFailure, PooledWorker, WorkerKey, WorkerPool
from privis.serve.workers.worker import INTERNAL

_LOG = logging.getLogger("privis.serve")
_WEIGHT_OF_NEWEST = 0.3  # in the average of seconds
_TELLING = 0.1  # share of a job after which its own pace says more than that of others


class State(StrEnum):
    """Where a job is; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(eq=False)
class ServerJob:
    """One encrypted input of one client on its way to an encrypted result; files live in ``folder``."""

    id: str
    worker_key: WorkerKey
    folder: Path
    state: State = State.QUEUED
    progress: float = 0.0
    kind: str = ""  # of a failure
    problems: tuple[Problem, ...] = ()
    created: float = field(default_factory=time.monotonic)
    started: float = 0.0
    finished: float = 0.0
    reply_bytes: int = 0
    reply_sha256: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def message(self) -> Path:
        """File of the encrypted input."""
        return self.folder / "message"

    @property
    def reply(self) -> Path:
        """File of the encrypted result."""
        return self.folder / "reply"

    def touch(self) -> None:
        """Wake the requests that wait for a change of this job."""
        self.changed.set()
        self.changed = asyncio.Event()


class QueueFull(ServiceError):
    """The queue is full; ``seconds`` is when to ask again."""

    def __init__(self, problem: Problem, seconds: int) -> None:
        super().__init__(problem)
        self.seconds = seconds


class Scheduler:
    """Runs jobs in the order they came, those of clients with fewer running jobs first; one event loop only."""

    def __init__(
        self, terms: Mapping[str, Terms], pool: WorkerPool, limits: Limits, metrics: Metrics, clients: int = 0
    ) -> None:
        self._pool, self._limits, self._metrics = pool, limits, metrics
        self._shares = Shares(limits.queued_jobs, clients, limits.queued_jobs_per_client)
        self._queue: list[ServerJob] = []
        self._running: list[ServerJob] = []
        self._seconds = {name: offer.estimate.seconds for name, offer in terms.items()}
        self.draining = False
        pool.on_room = self._pump

    @property
    def queued(self) -> int:
        """Number of jobs that wait."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Number of jobs that run."""
        return len(self._running)

    def require_queue_space(self, client: str) -> None:
        """Raise QueueFull when a job of ``client`` would not be taken now, OverShare when that is its own doing."""
        held = Counter(job.worker_key.client for job in self._queue)
        seconds = max(1, round(self._wait_seconds(1)))
        remedy = f"ask again in {seconds} s"
        if self.draining:
            raise QueueFull(Problem("server", "no new jobs: it is stopping", "a server that runs", remedy), seconds)
        if self._shares.fits(held, client, 1):
            return
        if self._shares.is_own_doing(held, client, 1):
            got, expected = f"{held[client]} jobs of yours in the queue", f"at most {self._shares.each}"
            raise OverShare(Problem("server", got, expected, remedy), seconds)
        got, expected = (
            f"{len(self._queue)} jobs in the queue",
            f"at most {self._shares.limit}, some for everybody",
        )
        raise QueueFull(Problem("server", got, expected, remedy), seconds)

    def submit(self, job: ServerJob) -> None:
        """Queue a job; `require_queue_space` comes first."""
        self._queue.append(job)
        self._pump()

    def position(self, job: ServerJob) -> int:
        """Number of jobs before ``job`` in the queue."""
        return self._queue.index(job) if job in self._queue else 0

    def eta(self, job: ServerJob) -> float | None:
        """Seconds until it ends, judged by the estimates and by jobs that ended; None when it ended itself."""
        if job.state in FINAL:
            return None
        own = self._seconds[job.worker_key.offer]
        if job.state is State.RUNNING:
            past = time.monotonic() - job.started
            return past / job.progress - past if job.progress > _TELLING else max(0.0, own - past)
        return own + self._wait_seconds(self.position(job))

    def _wait_seconds(self, position: int) -> float:
        before = (*self._running, *self._queue[:position])
        return sum(self._seconds[job.worker_key.offer] for job in before) / self._limits.jobs_at_once

    async def cancel(self, job: ServerJob) -> None:
        """End a job, wherever it is; the worker that runs it is killed."""
        if job in self._queue:
            self._queue.remove(job)
            self._finish(job, State.CANCELLED)
        elif job.task is not None and not job.task.done():
            job.task.cancel()
            await asyncio.wait([job.task])

    async def stop(self) -> None:
        """End all jobs."""
        self.draining = True
        for job in (*self._queue, *self._running):
            await self.cancel(job)

    def keys_in_use(self) -> set[tuple[str, str]]:
        """Client and digest of the keys that jobs wait for."""
        return {(job.worker_key.client, job.worker_key.keys) for job in (*self._queue, *self._running)}

    def _pump(self) -> None:
        while self._queue and len(self._running) < self._limits.jobs_at_once:
            busy = Counter(job.worker_key.client for job in self._running)
            job = min(self._queue, key=lambda queued: (busy[queued.worker_key.client], queued.created))
            pooled = self._pool.take(job.worker_key)
            if pooled is None:
                return  # until a worker is gone: `on_room`
            self._queue.remove(job)
            self._running.append(job)
            job.state, job.started = State.RUNNING, time.monotonic()
            job.touch()
            job.task = asyncio.create_task(self._run(job, pooled))

    async def _run(self, job: ServerJob, pooled: PooledWorker) -> None:
        def progress(fraction: float) -> None:
            job.progress = fraction
            job.touch()

        state = State.FAILED
        try:
            done = await self._pool.run(pooled, job.message, job.reply, progress)
            job.reply_bytes, job.reply_sha256, job.progress = done.length, done.sha256, 1.0
            state = State.DONE
            own, seconds = self._seconds[job.worker_key.offer], time.monotonic() - job.started
            self._seconds[job.worker_key.offer] = own + _WEIGHT_OF_NEWEST * (seconds - own)
        except asyncio.CancelledError:
            state = State.CANCELLED
        except JobFailure as failure:
            job.kind, job.problems = failure.kind, failure.problems
        except PrivisError as error:
            job.kind, job.problems = INTERNAL, error.problems
        except Exception:
            _LOG.exception("job %s", job.id[:12])
            job.kind, job.problems = INTERNAL, (Problem("job", "an unexpected error", "a result", "see the log"),)
        self._running.remove(job)
        self._finish(job, state)
        self._pump()

    def _finish(self, job: ServerJob, state: State) -> None:
        job.state, job.finished = state, time.monotonic()
        job.message.unlink(missing_ok=True)
        took = job.finished - (job.started or job.finished)
        self._metrics.job(job.worker_key.offer, state.value, took)
        why = "".join(f"; {problem}" for problem in job.problems)
        _LOG.info(
            "job %s of %s: %s %s, %.2f s%s", job.id[:12], job.worker_key.client, job.worker_key.offer, state, took, why
        )
        job.touch()
