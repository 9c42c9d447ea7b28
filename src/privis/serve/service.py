"""Service behind the HTTP interface: evaluation keys, jobs and results of each client."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from privis.errors import ParameterError, Problem, ProtocolError, ServiceError, refuse
from privis.run.he.wire import key_file as bundle
from privis.serve.answering import AnswerKeeper, AnswerSettings
from privis.serve.evictions import StoredKeys
from privis.serve.fair_shares import OverShare, Shares
from privis.serve.limits import MIB, Limits
from privis.serve.metrics import Metrics
from privis.serve.offerings.offering import MakeOffering, Terms
from privis.serve.store import Store, Stored
from privis.serve.workers.fork_server import ForkServer
from privis.serve.workers.pool import WorkerKey, WorkerPool
from privis.serve.workers.scheduler import FINAL, QueueFull, Scheduler, ServerJob, State

_LOG = logging.getLogger("privis.serve")
_HOUSEKEEPING_SECONDS = 1.0
_BUSY_SECONDS = 2  # until another upload is worth a try


class NotFound(ServiceError):
    """404 for unknown and for foreign objects alike, so that existence is not disclosed."""

    def __init__(self, kind: str, problem: Problem) -> None:
        super().__init__(problem)
        self.kind = kind


class TooLarge(ServiceError):
    """A body is larger than a limit allows."""


@dataclass(eq=False)
class _Entry:
    job: ServerJob
    reserved: int


@dataclass(eq=False)
class Service:
    """All state of a server for ``clients``. ``start`` compiles nothing: the fork server did."""

    fork_server: ForkServer
    store: Store
    limits: Limits
    clients: Sequence[str] = ()
    metrics: Metrics = field(default_factory=Metrics)
    settings: AnswerSettings = AnswerSettings()

    def __post_init__(self) -> None:
        self.answers = AnswerKeeper.open(self.fork_server.terms, self.settings, self.store.folder)
        self.terms = self.answers.terms
        self.pool = WorkerPool(
            self.fork_server,
            self.terms,
            self.limits,
            lambda worker_key: self.store.key_path(worker_key.client, worker_key.keys),
        )
        self.scheduler = Scheduler(self.terms, self.pool, self.limits, self.metrics, len(self.clients))
        self.lost = asyncio.Event()  # set when the fork server is gone
        self._entries: dict[str, _Entry] = {}
        self._uploads: Counter[str] = Counter()
        self._upload_shares = Shares(self.limits.uploads_at_once, len(self.clients), self.limits.uploads_per_client)
        self._housekeeper: asyncio.Task[None] | None = None
        self._require_memory()

    @classmethod
    def open(
        cls,
        offerings: Sequence[MakeOffering],
        folder: Path,
        limits: Limits,
        clients: Sequence[str] = (),
        settings: AnswerSettings = AnswerSettings(),
    ) -> Service:
        """Take the folder, then compile the offerings, which may take a while and raises what they raise."""
        store = Store(folder, limits, clients)
        store.open()
        try:
            fork_server = ForkServer(offerings)
            try:
                return cls(fork_server, store, limits, clients, settings=settings)
            except BaseException:
                fork_server.stop()
                raise
        except BaseException:
            store.close()
            raise

    def _require_memory(self) -> None:
        """A job that could never run is refused now, not queued for ever."""
        problems = []
        for name in self.terms:
            need, budget = self.pool.need(name), self.pool.budget
            if need > budget:
                got, expected = f"{need / MIB:,.0f} MiB for one job", f"at most {budget / MIB:,.0f} MiB"
                problems.append(Problem(f"offer {name}", got, expected, "raise the limit memory, or use more memory"))
        refuse(ParameterError, problems)

    async def start(self) -> None:
        """Start the housekeeping task on the running event loop."""
        self._housekeeper = asyncio.create_task(self._keep_house())

    async def stop(self) -> None:
        """End jobs, workers and the fork server."""
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        await self.scheduler.stop()
        await self.pool.stop()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End the fork server, and give the folder back."""
        self.fork_server.stop()
        self.store.close()

    async def drain(self, seconds: float) -> None:
        """Take no new jobs and wait until those taken are done and fetched, for at most ``seconds``."""
        self.scheduler.draining = True
        deadline = time.monotonic() + seconds
        while self._entries and not self.lost.is_set() and time.monotonic() < deadline:
            await asyncio.sleep(0.1)

    def offer(self, name: str) -> Terms:
        """Terms of the offer ``name``; raises NotFound without one."""
        if name not in self.terms:
            raise NotFound("offer", Problem("offer", repr(name), f"one of {', '.join(self.terms)}"))
        return self.terms[name]

    def require_key(self, client: str, digest: str) -> None:
        """Raise NotFound unless ``client`` uploaded these keys and they are still here."""
        if not _is_digest(digest) or not self.store.has_key(client, digest):
            remedy = "upload them; the server forgets keys that were not used for long"
            raise NotFound("keys", Problem("keys", f"{digest[:12]}…", "keys that you uploaded", remedy))

    async def receive_key(
        self, client: str, offer: str, digest: str, length: int, chunks: AsyncIterator[bytes], sha256: str | None = None
    ) -> None:
        """Take a bundle of evaluation keys whose digest is ``digest``; the same one again changes nothing.

        ``sha256`` is what the client says the digest of the body is.
        """
        terms = self.offer(offer)
        _require_size("keys", length, self.limits.keys_bytes)
        if not _is_digest(digest):
            raise ParameterError(Problem("digest", repr(digest[:80]), "64 hexadecimal digits"))

        def look(header: bytes) -> None:
            found = bundle.parse(header, "keys")
            bundle.require(found, "keys", bundle.KeyKind.EVALUATION, terms.digest)
            if found.digest != digest or found.size != length:
                got, expected = f"bundle {found.digest[:12]}… of {found.size:,} bytes", f"{digest[:12]}…, {length:,}"
                raise ProtocolError(Problem("keys", got, expected, "name the bundle by the digest in its header"))

        def room(count: int) -> None:
            self.store.make_room_on_disk(count, StoredKeys(client, digest, length), self.scheduler.keys_in_use())

        with self._upload(client):
            self.store.make_room_for_key(length, self.scheduler.keys_in_use(), client, digest)
            try:
                stored = await self.store.receive(chunks, length, look, bundle.HEADER_BYTES, room)
                try:
                    _require_unchanged("keys", stored, sha256)
                    await asyncio.to_thread(bundle.inspect, stored.path)
                    self.store.keep_key(stored, client, digest, self.scheduler.keys_in_use())
                finally:
                    stored.path.unlink(missing_ok=True)
            finally:
                self.store.release_key_room(length, client)
        _LOG.info("keys %s of %s for %s: %s bytes", digest[:12], client, offer, f"{length:,}")

    async def drop_key(self, client: str, digest: str) -> None:
        """Forget keys, on disk and in memory; jobs that wait for them are ended."""
        self.require_key(client, digest)
        self.store.drop_key(client, digest)  # before anything waits: jobs that come meanwhile find none
        self.pool.forget(client, digest)
        for entry in tuple(self._entries.values()):
            if (entry.job.worker_key.client, entry.job.worker_key.keys) == (client, digest):
                await self.scheduler.cancel(entry.job)

    async def receive_job(
        self, worker_key: WorkerKey, length: int, chunks: AsyncIterator[bytes], sha256: str | None, once: str
    ) -> tuple[ServerJob, bool]:
        """Take an encrypted message and queue its job; an equal message with an equal ``once`` is the same job.

        Returns the job and whether it is new. A job that failed or was cancelled starts again. ``sha256`` is what the
        client says the digest of the body is. Answers are charged once for a message and its keys, before anything is
        computed, and never given back; AnswerLimitError when the client may have no more.
        """
        terms = self.offer(worker_key.offer)
        self.require_key(worker_key.client, worker_key.keys)
        _require_size("message", length, self.limits.message_bytes)
        self._require_queue_space(worker_key.client)
        reserved = length + terms.estimate.reply_bytes
        with self._upload(worker_key.client):
            self.store.reserve_spool(reserved, worker_key.client)
            kept = False
            try:
                stored = await self.store.receive(chunks, length, lambda start: None, 0, self.store.require_free)
                try:
                    _require_unchanged("message", stored, sha256)
                    question = _job_name(worker_key, stored.sha256, "")
                    await asyncio.to_thread(self.answers.charge, worker_key.client, worker_key.offer, question)
                    name = _job_name(worker_key, stored.sha256, once)  # from here on nothing else comes in between
                    known = self._entries.get(name)
                    if known is not None and known.job.state not in (State.FAILED, State.CANCELLED):
                        return known.job, False
                    self.require_key(worker_key.client, worker_key.keys)  # it may have gone while the message came
                    self._require_queue_space(worker_key.client)
                    if known is not None:
                        self._drop(known)
                    job = ServerJob(name, worker_key, self.store.job_folder(name, stored))
                    self._entries[name] = _Entry(job, reserved)
                    kept = True
                finally:
                    stored.path.unlink(missing_ok=True)
            finally:
                if not kept:
                    self.store.release_spool(reserved, worker_key.client)
        self.scheduler.submit(job)
        return job, True

    def job(self, client: str, name: str) -> ServerJob:
        """A job of ``client``; NotFound when there is none of that name, or it is another client's."""
        entry = self._entries.get(name)
        if entry is None or entry.job.worker_key.client != client:
            remedy = "results are kept for a while only, and not over a restart of the server: send the message again"
            raise NotFound("job", Problem("job", f"{name[:12]}…", "a job of yours", remedy))
        return entry.job

    async def drop_job(self, job: ServerJob) -> None:
        """End a job if it runs, and delete its result."""
        await self.scheduler.cancel(job)
        entry = self._entries.get(job.id)
        if entry is not None and entry.job is job:  # another request may have been faster
            self._drop(entry)

    def gauges(self) -> dict[str, tuple[str, float]]:
        """Current values for `Metrics.text`: by name, the description and the number."""
        return {
            "jobs_queued": ("Jobs that wait.", self.scheduler.queued),
            "jobs_running": ("Jobs that run.", self.scheduler.running),
            "workers": ("Worker processes, idle ones included.", self.pool.size),
            "worker_memory_bytes": ("Memory that workers are expected to take.", self.pool.memory),
            "worker_memory_limit_bytes": ("Memory that workers together may take.", self.pool.budget),
            "key_cache_bytes": ("Evaluation keys on disk.", self.store.cached),
            "spool_bytes": ("Messages and results on disk.", self.store.spooled),
            "uploads": ("Uploads in progress.", self._uploads.total()),
            "arriving_bytes": ("Bytes reserved for evaluation keys in uploads.", self.store.arriving),
            "jobs_kept": ("Jobs, with those whose results wait to be fetched.", len(self._entries)),
        }

    def _drop(self, entry: _Entry) -> None:
        if self._entries.pop(entry.job.id, None) is entry:
            self.store.drop_job(entry.job.folder)
            self.store.release_spool(entry.reserved, entry.job.worker_key.client)

    def _require_queue_space(self, client: str) -> None:
        """OverShare or QueueFull when a job of ``client`` would not be taken now."""
        mine = [entry.job for entry in self._entries.values() if entry.job.worker_key.client == client]
        if len(mine) >= self.limits.jobs_per_client:
            ends = [job.finished + self.limits.result_seconds - time.monotonic() for job in mine if job.state in FINAL]
            seconds = max(1, math.ceil(min(ends, default=_BUSY_SECONDS)))
            got, expected = f"{len(mine)} jobs of yours", f"less than {self.limits.jobs_per_client}"
            raise OverShare(Problem("server", got, expected, "fetch results and delete their jobs"), seconds)
        self.scheduler.require_queue_space(client)

    @contextmanager
    def _upload(self, client: str) -> Iterator[None]:
        shares, mine, all_of_them = self._upload_shares, self._uploads[client], self._uploads.total()
        if not shares.fits(self._uploads, client, 1):
            remedy = f"ask again in {_BUSY_SECONDS} s"
            if shares.is_own_doing(self._uploads, client, 1):
                got, expected = f"{mine} uploads of yours at once", f"at most {shares.each}"
                raise OverShare(Problem("server", got, expected, remedy), _BUSY_SECONDS)
            got, expected = f"{all_of_them} uploads at once", f"at most {shares.limit}, some for everybody"
            raise QueueFull(Problem("server", got, expected, remedy), _BUSY_SECONDS)
        self._uploads[client] += 1
        try:
            yield
        finally:
            self._uploads[client] -= 1
            if not self._uploads[client]:
                del self._uploads[client]

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            oldest = time.monotonic() - self.limits.result_seconds
            for entry in tuple(self._entries.values()):
                if entry.job.state in FINAL and entry.job.finished < oldest:
                    self._drop(entry)
            self.pool.retire(self.limits.idle_worker_seconds)
            if not self.fork_server.alive and not self.lost.is_set():
                _LOG.critical("the fork server process ended: no job can run, stopping")
                self.lost.set()


def _job_name(worker_key: WorkerKey, message: str, once: str) -> str:
    """Job identifier: equal for equal client, offer, keys, message and idempotency key, and for nothing else."""
    parts = (worker_key.client, worker_key.offer, worker_key.keys, message, once)
    return hashlib.sha256("\n".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _require_unchanged(what: str, stored: Stored, sha256: str | None) -> None:
    if sha256 is not None and stored.sha256 != sha256:
        raise ProtocolError(Problem(what, "a body that changed on its way", "its Content-Digest", "send it again"))


def _require_size(what: str, length: int, limit: int) -> None:
    if length > limit:
        remedy = f"raise the server's limit {what}-bytes"
        raise TooLarge(Problem(what, f"{length:,} bytes", f"at most {limit:,}", remedy))
