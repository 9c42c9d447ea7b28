"""Spans computed by actors of Ray."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from privis.errors import ParameterError, Problem
from privis.io.resumable.engines.engine_worker import EngineWorker, packed, unpacked, versions
from privis.io.resumable.engines.ray_connection import WORKERS_ENVIRONMENT, connected, disconnect, imported, lost
from privis.io.resumable.engines.retried_spans import Attempt
from privis.io.resumable.parts import Span
from privis.io.resumable.span_scheduler import Answer, Compute

_IN_FLIGHT = 2  # spans an actor has: the next one is there when it ends one
_STARTS = 5  # of an actor that fail one after another, before the run ends
_RETRIES = 1  # by Ray itself, of a span whose actor is lost


@dataclass(frozen=True)
class RayScheduler:
    """The `SpanScheduler` of Ray: a pool of actors, each with one processor, one thread and one function made once.

    Ray restarts actors that are lost and gives them their span again; a span lost twice is divided, down to the source
    that ends its actors. A process that is connected to Ray already is asked nothing: its connection is used and kept.

    Args:
        address: of a cluster, as ``ray.init`` takes it (``auto``, ``HOST:6379``, ``ray://HOST:10001``); None: a Ray of
            this machine alone, started for the run.
        workers: actors; None: one per processor of the cluster, or of this machine.
        memory: bytes that an actor declares to need; Ray places no more actors on a machine than it has room for.
    """

    address: str | None = None
    workers: int | None = None
    memory: int = 600 << 20

    @property
    def near(self) -> bool:
        """Whether actors have the disk of the calling process: they may be on other machines, so it keeps all parts."""
        return False

    def parallelism(self) -> int:
        """Count the actors; connects where the cluster has to be asked.

        Returns:
            How many.

        Raises:
            MissingExtraError: Ray is not installed.
            ServiceError: the cluster cannot be reached.
        """
        if self.workers is not None:
            return self.workers
        if self.address is None and not imported().is_initialized():
            return os.cpu_count() or 1
        return max(1, int(connected(self.address, self.workers).cluster_resources().get("CPU", 1)))

    def share_out(
        self,
        spans: Sequence[Span],
        paths: Sequence[str],
        make: Callable[[], Compute[Answer]],
        give_up: Callable[[Span, str], Answer],
    ) -> Generator[tuple[Span, Answer], None, None]:
        """Compute all ``spans`` of ``paths`` in actors.

        Args:
            spans: that do not overlap.
            paths: all sources of the run.
            make: picklable; called once in every actor.
            give_up: what to answer for a span of one source that ends its actors.

        Yields:
            A span, or a part of one, and its answer, in any order.

        Raises:
            MissingExtraError: Ray is not installed.
            ParameterError: ``make`` cannot be pickled, the cluster has no room for an actor, or another version there.
            ServiceError: the cluster cannot be reached, or was lost.
            PrivisError: what ``make`` or the computation raised.
        """
        if not spans:
            return
        recipe = packed(make)
        ray = connected(self.address, self.workers)
        try:
            self._check_room(ray)
            pool = _Pool(ray, self._actors(ray, min(self.parallelism(), len(spans)), recipe), paths)
            try:
                yield from pool.computed(spans, give_up)
            finally:
                pool.end()
        except (ray.exceptions.RaySystemError, ray.exceptions.GetTimeoutError, ConnectionError) as error:
            raise lost(self.address, error) from error
        finally:
            disconnect(ray)

    def _check_room(self, ray: Any) -> None:
        """Refuse what would wait for ever; a cluster that is busy is waited for."""
        has = ray.cluster_resources()
        room = has.get("CPU", 0) >= 1 and has.get("memory", 0) >= self.memory
        if not room:
            got = f"{has.get('CPU', 0):g} processors and {has.get('memory', 0) / 2**20:,.0f} MB"
            expected = f"1 processor and {self.memory >> 20:,} MB for a worker"
            raise ParameterError(Problem("Ray", got, expected, "start machines of the cluster first"))

    def _actors(self, ray: Any, count: int, recipe: bytes) -> list[Any]:
        needs = {"num_cpus": 1, "memory": self.memory, "max_restarts": -1, "max_task_retries": _RETRIES}
        actor = ray.remote(EngineWorker).options(**needs, runtime_env=WORKERS_ENVIRONMENT)
        return [actor.remote(versions(), recipe) for _ in range(count)]


@dataclass
class _Pool:
    """Actors and what each was asked; an actor gets spans once it has said that it is ready."""

    ray: Any
    actors: list[Any]
    paths: Sequence[str]
    asked: dict[Any, tuple[Any, Attempt | None]] = field(default_factory=dict)
    queue: deque[Attempt] = field(default_factory=deque)
    failed_starts: int = 0  # one after another

    def computed(
        self, spans: Sequence[Span], give_up: Callable[[Span, str], Answer]
    ) -> Generator[tuple[Span, Answer], None, None]:
        self.queue.extend(map(Attempt, spans))
        for actor in self.actors:
            self._ask_whether_ready(actor)
        while self.queue or any(attempt for _, attempt in self.asked.values()):
            done, _ = self.ray.wait(list(self.asked), num_returns=1)
            actor, attempt = self.asked.pop(done[0])
            try:
                answer = unpacked(self.ray.get(done[0]))
            except (self.ray.exceptions.RayActorError, self.ray.exceptions.ObjectLostError) as error:
                why = str(error).strip().partition("\n")[0]
                if attempt is None:
                    self._count_failed_start(why)
                else:
                    yield from self._try_again(attempt, why, give_up)
                self._ask_whether_ready(actor)
                continue
            except self.ray.exceptions.RayTaskError as error:  # not of ours, which never raise
                raise ParameterError(_not_started(error)) from error
            self.failed_starts = 0
            self._ask(actor)
            if attempt is not None:
                yield attempt.span, answer

    def _ask_whether_ready(self, actor: Any) -> None:
        if not any(other is actor and attempt is None for other, attempt in self.asked.values()):
            self.asked[actor.ready.remote()] = actor, None

    def _count_failed_start(self, why: str) -> None:
        self.failed_starts += 1
        if self.failed_starts > _STARTS * len(self.actors):
            raise ParameterError(_not_started(why))

    def _ask(self, actor: Any) -> None:
        """Give an actor what it may have; a span with which one was lost goes alone, so that no other pays for it."""
        has = [attempt for other, attempt in self.asked.values() if other is actor]
        while self.queue and len(has) < _IN_FLIGHT and not any(attempt is None or attempt.losses for attempt in has):
            if self.queue[0].losses and has:
                return
            attempt = self.queue.popleft()
            span = attempt.span
            asked = actor.answer.remote(span.start, span.stop, tuple(self.paths[span.start : span.stop]))
            self.asked[asked] = actor, attempt
            has.append(attempt)

    def _try_again(
        self, attempt: Attempt, why: str, give_up: Callable[[Span, str], Answer]
    ) -> Iterable[tuple[Span, Answer]]:
        again = attempt.again()
        self.queue.extendleft(reversed(again))
        if not again:
            yield attempt.span, give_up(attempt.span, f"its worker was lost every time it was tried ({why})")

    def end(self) -> None:
        for actor in self.actors:
            self.ray.kill(actor)


def _not_started(error: object) -> Problem:
    got = f"none that starts, or a cluster that is gone ({error})"
    remedy = "install the same version of Privis on every machine, see Ray's logs; the same command goes on"
    return Problem("workers", got, "a worker that starts", remedy)
