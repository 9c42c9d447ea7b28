"""Pool of worker processes, busy or idle with keys loaded, within one budget of memory."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import Problem, ServiceError
from privis.serve.limits import MIB, Limits
from privis.serve.offerings.offering import Terms
from privis.serve.workers import worker
from privis.serve.workers.fork_server import Fork, ForkServer
from privis.serve.workers.memory import group_memory

TIME, LOST = "time", "lost"
_WATCH_SECONDS = 0.5
_PROCESS_BYTES = 32 * MIB  # of a worker that has done nothing yet


@dataclass(frozen=True)
class WorkerKey:
    """Key of a worker in the pool: (client, offering, keys). Workers are not reused across clients."""

    client: str
    offer: str
    keys: str


class JobFailure(ServiceError):
    """A job that failed; ``kind`` is one of those of `privis.serve.workers.worker`, "time" or "lost"."""

    def __init__(self, kind: str, *problems: Problem) -> None:
        super().__init__(*problems)
        self.kind = kind


@dataclass(frozen=True)
class JobResult:
    """The encrypted result that a worker wrote: bytes and SHA-256."""

    length: int
    sha256: str


@dataclass(eq=False)
class PooledWorker:
    """Server-side handle of a worker; the process starts with its first job. ``memory``: bytes reserved for it."""

    worker_key: WorkerKey
    memory: int
    busy: bool = True
    leaving: bool = False
    idle_since: float = 0.0
    starting: asyncio.Task[Fork] | None = None
    fork: Fork | None = None
    events: asyncio.StreamReader | None = None
    orders: asyncio.StreamWriter | None = None


class WorkerPool:
    """Starts, reuses and ends workers; ``on_room`` is called when one is gone. One event loop only."""

    def __init__(
        self,
        fork_server: ForkServer,
        terms: Mapping[str, Terms],
        limits: Limits,
        keys_path: Callable[[WorkerKey], Path],
    ) -> None:
        self._fork_server, self._terms, self._limits, self._keys_path = fork_server, terms, limits, keys_path
        self.budget = limits.memory_budget
        self.on_room: Callable[[], None] = lambda: None
        self._workers: list[PooledWorker] = []
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def size(self) -> int:
        """Number of workers, idle ones included."""
        return len(self._workers)

    @property
    def memory(self) -> int:
        """Bytes that all workers are expected to take."""
        return sum(pooled.memory for pooled in self._workers)

    def need(self, offer: str) -> int:
        """Bytes expected of one worker of ``offer``."""
        return self._terms[offer].estimate.memory + _PROCESS_BYTES

    def take(self, worker_key: WorkerKey) -> PooledWorker | None:
        """A worker for a job of ``worker_key``, or None while there is no memory for one.

        Idle workers are ended to make room, the one that waited longest first; ``on_room`` says when they are gone.
        """
        idle = sorted((pooled for pooled in self._workers if not pooled.busy), key=lambda pooled: pooled.idle_since)
        for pooled in idle:
            if pooled.worker_key == worker_key:
                pooled.busy = True
                return pooled
        need, taken = self.need(worker_key.offer), self.memory
        if taken + need <= self.budget:
            pooled = PooledWorker(worker_key, need)
            self._workers.append(pooled)
            return pooled
        if (
            taken - sum(pooled.memory for pooled in self._workers if not pooled.busy or pooled.leaving) + need
            <= self.budget
        ):
            coming = sum(pooled.memory for pooled in self._workers if pooled.leaving)
            while idle and taken - coming + need > self.budget:
                coming += idle[0].memory
                self._dismiss(idle.pop(0))
        return None

    async def run(
        self, pooled: PooledWorker, message: Path, reply: Path, progress: Callable[[float], None]
    ) -> JobResult:
        """Run one job in ``pooled``; raises JobFailure. Cancelling this, or any failure, ends the worker."""
        finished = False
        follow = asyncio.create_task(self._follow(pooled, message, reply, progress))
        watch = asyncio.create_task(self._watch(pooled))
        limit = self._limits.job_seconds
        try:
            await asyncio.wait({follow, watch}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if follow.done():
                done = follow.result()
                finished = True
                return done
            if watch.done():
                watch.result()
            raise JobFailure(TIME, Problem("job", f"more than {limit:g} s", "less", "raise job-seconds at the server"))
        finally:
            follow.cancel()
            watch.cancel()
            if finished:
                pooled.busy, pooled.idle_since = False, time.monotonic()
            else:
                self._dismiss(pooled)

    def retire(self, longest: float) -> None:
        """End workers that were idle for more than ``longest`` seconds."""
        oldest = time.monotonic() - longest
        for pooled in tuple(self._workers):
            if not pooled.busy and pooled.idle_since <= oldest:
                self._dismiss(pooled)

    async def stop(self) -> None:
        """End all workers and wait until they are gone."""
        for pooled in tuple(self._workers):
            if not pooled.leaving:
                self._dismiss(pooled)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def forget(self, client: str, keys: str) -> None:
        """End idle workers with these keys."""
        for pooled in tuple(self._workers):
            if not pooled.busy and (pooled.worker_key.client, pooled.worker_key.keys) == (client, keys):
                self._dismiss(pooled)

    async def _follow(
        self, pooled: PooledWorker, message: Path, reply: Path, progress: Callable[[float], None]
    ) -> JobResult:
        if pooled.fork is None:
            await self._start(pooled)
        assert pooled.events is not None and pooled.orders is not None
        order = {"message": str(message), "reply": str(reply), "most": self._limits.reply_bytes}
        pooled.orders.write(json.dumps(order).encode() + b"\n")
        while True:
            event = await self._next(pooled)
            if event["event"] == worker.PROGRESS:
                progress(float(event["done"]))
            elif event["event"] == worker.DONE:
                return JobResult(int(event["bytes"]), str(event["sha256"]))

    async def _start(self, pooled: PooledWorker) -> None:
        worker_key = pooled.worker_key
        most = self._limits.memory_of_job(self._terms[worker_key.offer].estimate.memory)
        forking = asyncio.to_thread(self._fork_server.fork, worker_key.offer, self._keys_path(worker_key), most)
        pooled.starting = asyncio.create_task(forking)
        fork = await asyncio.shield(pooled.starting)  # a process that was started is never lost sight of
        pooled.fork = fork
        pooled.events, pooled.orders = await asyncio.open_unix_connection(sock=fork.link)
        await self._next(pooled)

    async def _next(self, pooled: PooledWorker) -> dict[str, Any]:
        """The next event of a worker; raises the JobFailure that it reports, or that it is gone."""
        assert pooled.events is not None and pooled.fork is not None
        try:
            line = await pooled.events.readline()
        except (ConnectionError, ValueError):
            line = b""
        if not line:
            code = await asyncio.to_thread(self._fork_server.end, pooled.fork.pid)
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
            remedy = "send it again; if it happens again, the server may be short of memory"
            raise JobFailure(LOST, Problem("job", f"a worker that {how}", "a result", remedy))
        event = json.loads(line)
        if event["event"] == worker.FAILED:
            raise JobFailure(event["kind"], *(Problem(**problem) for problem in event["problems"]))
        return event

    async def _watch(self, pooled: PooledWorker) -> None:
        """Return by a JobFailure when the worker and its own children hold more memory than they may."""
        most = self._limits.memory_of_job(self._terms[pooled.worker_key.offer].estimate.memory)
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if pooled.fork is not None:
                taken = await asyncio.to_thread(group_memory, pooled.fork.pid)
                if taken > most:
                    got, expected = f"{taken / MIB:,.0f} MiB", f"at most {most / MIB:,.0f} MiB"
                    raise JobFailure(worker.MEMORY, Problem("job", got, expected, "raise job-memory at the server"))

    def _dismiss(self, pooled: PooledWorker) -> None:
        """End a worker in the background: freeing gigabytes takes a moment."""
        pooled.busy, pooled.leaving = True, True  # nobody else takes it
        task = asyncio.create_task(self._end(pooled))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, pooled: PooledWorker) -> None:
        try:
            if pooled.starting is not None:
                fork = await pooled.starting
                await asyncio.to_thread(self._fork_server.end, fork.pid)
                if pooled.orders is None:
                    fork.link.close()
                else:
                    pooled.orders.close()
        except ServiceError:
            pass  # the fork server is gone, and its workers with it
        finally:
            self._workers.remove(pooled)
            self.on_room()
