"""The workers that run or wait with keys loaded, within one budget of memory."""

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
from privis.serve.workers.fork_server import Fork, Nursery
from privis.serve.workers.memory import group_memory

TIME, LOST = "time", "lost"
_WATCH_SECONDS = 0.5
_PROCESS_BYTES = 32 * MIB  # of a worker that has done nothing yet


@dataclass(frozen=True)
class Place:
    """What a worker is for: it never serves a second client."""

    client: str
    offer: str
    keys: str


class Failure(ServiceError):
    """A job that failed; ``kind`` is one of those of `privis.serve.workers.worker`, "time" or "lost"."""

    def __init__(self, kind: str, *problems: Problem) -> None:
        super().__init__(*problems)
        self.kind = kind


@dataclass(frozen=True)
class Done:
    """The encrypted result that a worker wrote: bytes and SHA-256."""

    length: int
    sha256: str


@dataclass(eq=False)
class Hand:
    """A worker as the server sees it; its process starts with its first job. ``memory`` is what it may be taking."""

    place: Place
    memory: int
    busy: bool = True
    leaving: bool = False
    idle_since: float = 0.0
    starting: asyncio.Task[Fork] | None = None
    fork: Fork | None = None
    events: asyncio.StreamReader | None = None
    orders: asyncio.StreamWriter | None = None


class Crew:
    """Starts, reuses and ends workers; ``on_room`` is called when one is gone. One event loop only."""

    def __init__(
        self, nursery: Nursery, terms: Mapping[str, Terms], limits: Limits, keys_path: Callable[[Place], Path]
    ) -> None:
        self._nursery, self._terms, self._limits, self._keys_path = nursery, terms, limits, keys_path
        self.budget = limits.memory_budget
        self.on_room: Callable[[], None] = lambda: None
        self._hands: list[Hand] = []
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def size(self) -> int:
        """Workers, idle ones included."""
        return len(self._hands)

    @property
    def memory(self) -> int:
        """Bytes that all workers are expected to take."""
        return sum(hand.memory for hand in self._hands)

    def need(self, offer: str) -> int:
        """Bytes expected of one worker of ``offer``."""
        return self._terms[offer].estimate.memory + _PROCESS_BYTES

    def take(self, place: Place) -> Hand | None:
        """A worker for a job of ``place``, or None while there is no memory for one.

        Idle workers are ended to make room, the one that waited longest first; ``on_room`` says when they are gone.
        """
        idle = sorted((hand for hand in self._hands if not hand.busy), key=lambda hand: hand.idle_since)
        for hand in idle:
            if hand.place == place:
                hand.busy = True
                return hand
        need, taken = self.need(place.offer), self.memory
        if taken + need <= self.budget:
            hand = Hand(place, need)
            self._hands.append(hand)
            return hand
        if taken - sum(hand.memory for hand in self._hands if not hand.busy or hand.leaving) + need <= self.budget:
            coming = sum(hand.memory for hand in self._hands if hand.leaving)
            while idle and taken - coming + need > self.budget:
                coming += idle[0].memory
                self._dismiss(idle.pop(0))
        return None

    async def run(self, hand: Hand, message: Path, reply: Path, progress: Callable[[float], None]) -> Done:
        """Run one job in ``hand``; raises Failure. Cancelling this, or any failure, ends the worker."""
        finished = False
        follow = asyncio.create_task(self._follow(hand, message, reply, progress))
        watch = asyncio.create_task(self._watch(hand))
        limit = self._limits.job_seconds
        try:
            await asyncio.wait({follow, watch}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if follow.done():
                done = follow.result()
                finished = True
                return done
            if watch.done():
                watch.result()
            raise Failure(TIME, Problem("job", f"more than {limit:g} s", "less", "raise job-seconds at the server"))
        finally:
            follow.cancel()
            watch.cancel()
            if finished:
                hand.busy, hand.idle_since = False, time.monotonic()
            else:
                self._dismiss(hand)

    def retire(self, longest: float) -> None:
        """End workers that were idle for more than ``longest`` seconds."""
        oldest = time.monotonic() - longest
        for hand in tuple(self._hands):
            if not hand.busy and hand.idle_since <= oldest:
                self._dismiss(hand)

    async def stop(self) -> None:
        """End all workers and wait until they are gone."""
        for hand in tuple(self._hands):
            if not hand.leaving:
                self._dismiss(hand)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def forget(self, client: str, keys: str) -> None:
        """End idle workers with these keys."""
        for hand in tuple(self._hands):
            if not hand.busy and (hand.place.client, hand.place.keys) == (client, keys):
                self._dismiss(hand)

    async def _follow(self, hand: Hand, message: Path, reply: Path, progress: Callable[[float], None]) -> Done:
        if hand.fork is None:
            await self._start(hand)
        assert hand.events is not None and hand.orders is not None
        order = {"message": str(message), "reply": str(reply), "most": self._limits.reply_bytes}
        hand.orders.write(json.dumps(order).encode() + b"\n")
        while True:
            event = await self._next(hand)
            if event["event"] == worker.PROGRESS:
                progress(float(event["done"]))
            elif event["event"] == worker.DONE:
                return Done(int(event["bytes"]), str(event["sha256"]))

    async def _start(self, hand: Hand) -> None:
        place = hand.place
        most = self._limits.memory_of_job(self._terms[place.offer].estimate.memory)
        forking = asyncio.to_thread(self._nursery.fork, place.offer, self._keys_path(place), most)
        hand.starting = asyncio.create_task(forking)
        fork = await asyncio.shield(hand.starting)  # a process that was started is never lost sight of
        hand.fork = fork
        hand.events, hand.orders = await asyncio.open_unix_connection(sock=fork.link)
        await self._next(hand)

    async def _next(self, hand: Hand) -> dict[str, Any]:
        """The next event of a worker; raises the Failure that it reports, or that it is gone."""
        assert hand.events is not None and hand.fork is not None
        try:
            line = await hand.events.readline()
        except (ConnectionError, ValueError):
            line = b""
        if not line:
            code = await asyncio.to_thread(self._nursery.end, hand.fork.pid)
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
            remedy = "send it again; if it happens again, the server may be short of memory"
            raise Failure(LOST, Problem("job", f"a worker that {how}", "a result", remedy))
        event = json.loads(line)
        if event["event"] == worker.FAILED:
            raise Failure(event["kind"], *(Problem(**problem) for problem in event["problems"]))
        return event

    async def _watch(self, hand: Hand) -> None:
        """Return by a Failure when the worker and its own children hold more memory than they may."""
        most = self._limits.memory_of_job(self._terms[hand.place.offer].estimate.memory)
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if hand.fork is not None:
                taken = await asyncio.to_thread(group_memory, hand.fork.pid)
                if taken > most:
                    got, expected = f"{taken / MIB:,.0f} MiB", f"at most {most / MIB:,.0f} MiB"
                    raise Failure(worker.MEMORY, Problem("job", got, expected, "raise job-memory at the server"))

    def _dismiss(self, hand: Hand) -> None:
        """End a worker in the background: freeing gigabytes takes a moment."""
        hand.busy, hand.leaving = True, True  # nobody else takes it
        task = asyncio.create_task(self._end(hand))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, hand: Hand) -> None:
        try:
            if hand.starting is not None:
                fork = await hand.starting
                await asyncio.to_thread(self._nursery.end, fork.pid)
                if hand.orders is None:
                    fork.link.close()
                else:
                    hand.orders.close()
        except ServiceError:
            pass  # the nursery is gone, and its workers with it
        finally:
            self._hands.remove(hand)
            self.on_room()
