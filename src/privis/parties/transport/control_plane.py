"""Control-plane messages of one member in one session, and the first failure seen."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from privis.errors import PartyError, PrivisError, Problem
from privis.parties.identity.certificates import Identity
from privis.parties.table_reader import shown
from privis.parties.transport.messages import ControlMessage, problems_from, problems_to
from privis.parties.transport.peer_stream import ALIVE, PeerStream, reach, reason_of_end

ABORT, BYE = "abort", "bye"
GRACE_SECONDS = 1.5  # for the others to say what they saw of a failure
SILENCE_SECONDS = 7.0  # without any sign of life a member counts as lost
WATCH_SECONDS = 0.5
MARGIN_SECONDS = 2.0  # a member that cannot be reached is noticed while dialling, which explains more


class PeerFailure(PartyError):
    """The consequence, at this member, of a failure at another one."""


class ControlPlane:
    """Messages in and out; every waiting call raises PartyError as soon as any member fails, leaves or is lost."""

    def __init__(
        self, identity: Identity, session: str, members: Iterable[str], on_failure: Callable[[], None]
    ) -> None:
        self.identity, self.session = identity, session
        self.others = tuple(name for name in members if name != identity.name)
        self.certificates: dict[str, bytes] = {}
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._received: dict[tuple[str, str], deque[ControlMessage]] = defaultdict(deque)
        self._streams: dict[str, PeerStream] = {}
        self._alive: dict[str, float] = {}  # by member: when it was last heard
        self._hang_ups: list[Callable[[], object]] = []
        self._left: set[str] = set()
        self._reported: dict[str, tuple[Problem, ...]] = {}  # by member: why it says that it failed
        self._lost: dict[str, tuple[Problem, ...]] = {}  # by member: how it was lost from here
        self._failed = False
        self._closed = False

    # called by the server's threads -----------------------------------------------------------------------------

    def joined(self, member: str, certificate: bytes, hang_up: Callable[[], object]) -> None:
        """``member`` opened its stream to us; ``hang_up`` ends it."""
        with self._changed:
            self.certificates[member] = certificate
            self._hang_ups.append(hang_up)
            self._alive[member] = time.monotonic()
            self._changed.notify_all()

    def alive(self, member: str) -> None:
        """Something arrived from ``member``, if only a piece of a message."""
        self._alive[member] = time.monotonic()

    def received(self, member: str, message: ControlMessage) -> None:
        """Queue a message of ``member``; an abort ends the session."""
        if message.kind == ALIVE:
            return
        if message.kind == ABORT:
            self._broken(self._reported, member, problems_from(message.body.get("problems", [])))
            return
        with self._changed:
            if message.kind == BYE:
                self._left.add(member)
            else:
                self._received[member, message.kind].append(message)
            self._changed.notify_all()

    def lost(
        self, member: str, details: str = "", got: str = "a connection that ended in the middle of the job"
    ) -> None:
        """The connection with ``member`` ended without a goodbye; ``details`` may say why."""
        with self._changed:
            if self._closed or member in self._left:
                return
        try:
            problems = problems_from(json.loads(details)["problems"])
        except (ValueError, KeyError, TypeError):
            remedy = f"look at the log of {member}: it was stopped, killed, or cut off from the network"
            problems = (Problem(member, got, "it to stay", remedy),)
        self._broken(self._lost, member, problems)

    def fail(self) -> None:
        """Wake everybody who waits: this member's own session has failed."""
        with self._changed:
            first, self._failed = not self._failed, True
            self._changed.notify_all()
        if first:
            self._on_failure()

    def _broken(self, kept: dict[str, tuple[Problem, ...]], member: str, problems: tuple[Problem, ...]) -> None:
        with self._changed:
            if self._closed:
                return
            kept.setdefault(member, problems)
        self.fail()

    # called by the session's thread ----------------------------------------------------------------------------

    @property
    def failed(self) -> bool:
        """Whether any member failed."""
        return self._failed

    @property
    def closed(self) -> bool:
        """Whether this member has left the session."""
        return self._closed

    @property
    def losses(self) -> tuple[Problem, ...]:
        """Which members were lost, as seen from here: this member's own observation, to be told to the others."""
        with self._changed:
            return tuple(problem for problems in self._lost.values() for problem in problems)

    @property
    def reports(self) -> tuple[Problem, ...]:
        """Problems that other members reported."""
        with self._changed:
            return tuple(problem for problems in self._reported.values() for problem in problems)

    def dial(self, addresses: Mapping[str, str], seconds: float, own_failure: Callable[[PrivisError], None]) -> None:
        """Start opening a stream to every other member, and watching them; returns at once."""
        threading.Thread(target=self._watch, daemon=True).start()
        for member in self.others:
            arguments = (member, addresses[member], seconds, own_failure)
            threading.Thread(target=self._dial, args=arguments, daemon=True).start()

    def _dial(self, member: str, address: str, seconds: float, own_failure: Callable[[PrivisError], None]) -> None:
        try:
            channel = reach(member, address, self.identity, seconds, lambda: self._failed)
        except PrivisError as error:
            own_failure(error)
            return
        stream = PeerStream(channel, self.session, lambda details: self._ended(member, channel, details))
        with self._changed:
            self._streams[member] = stream
            self._changed.notify_all()

    def _ended(self, member: str, channel: Any, details: str) -> None:
        """The stream to ``member`` ended: it may have hung up before its own stream to us stood, so ask it why."""

        def ask() -> None:
            self.lost(member, reason_of_end(channel, self.session) or details)

        with self._changed:
            if self._closed or member in self._left or member in self._reported:
                return
        threading.Thread(target=ask, daemon=True).start()  # not in gRPC's own thread, which brings the answer

    def _watch(self) -> None:
        while not (self._closed or self._failed):
            now = time.monotonic()
            for member, last in list(self._alive.items()):
                if now - last > SILENCE_SECONDS:
                    self.lost(member, got=f"silence for {SILENCE_SECONDS:g} s")
            time.sleep(WATCH_SECONDS)

    def meet(self, seconds: float) -> None:
        """Wait until there is a stream to and from every other member."""
        deadline = time.monotonic() + seconds + MARGIN_SECONDS
        with self._changed:
            while missing := self._absent():
                self._check()
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() > deadline:
                    remedy = "check that its configuration knows this member's address and that it can reach it"
                    got = f"no word from {shown(missing)} within {seconds:g} s"
                    raise PartyError(Problem(self.identity.name, got, "all members of the job", remedy))

    def _absent(self) -> list[str]:
        return [name for name in self.others if name not in self._streams or name not in self.certificates]

    def send(self, members: Iterable[str], kind: str, body: Mapping[str, Any] | None = None, blob: bytes = b"") -> None:
        """Queue a message to each of ``members``."""
        with self._changed:
            streams = [self._streams[name] for name in members]
        for stream in streams:
            stream.send(ControlMessage(kind, body or {}, blob))

    def receive(self, member: str, kind: str) -> ControlMessage:
        """Wait for the next message of that kind from ``member``, for as long as it lives."""
        with self._changed:
            while not self._received[member, kind]:
                self._check()
                if member in self._left:
                    raise PeerFailure(Problem(member, "a goodbye", f"its message {kind!r}", f"see the log of {member}"))
                self._changed.wait()
            return self._received[member, kind].popleft()

    def gather(self, members: Iterable[str], kind: str) -> dict[str, ControlMessage]:
        """The next message of that kind from each of ``members``."""
        return {member: self.receive(member, kind) for member in members}

    def check(self) -> None:
        """Raise PartyError when any member failed."""
        with self._changed:
            self._check()

    def _check(self) -> None:
        if self._failed:
            raise PeerFailure(Problem(self.identity.name, "a session that failed elsewhere", "a running one"))

    def abort(self, problems: Iterable[Problem]) -> None:
        """Tell the others why, and wait a moment for what they know."""
        told = {"problems": problems_to(problems)}
        deadline = time.monotonic() + GRACE_SECONDS
        said: set[str] = set()
        with self._changed:
            while True:
                for name in set(self._streams) - said:
                    self._streams[name].send(ControlMessage(ABORT, told))
                    said.add(name)
                known = set(self._reported) | set(self._lost) | self._left
                if known | said >= set(self.others) and known >= set(self.others):
                    return
                if time.monotonic() > deadline:
                    return
                self._changed.wait(0.1)

    def close(self) -> None:
        """Close the streams to and from all members."""
        with self._changed:
            self._closed = True
            streams = list(self._streams.values())
        threads = [threading.Thread(target=stream.close, args=(GRACE_SECONDS,), daemon=True) for stream in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * GRACE_SECONDS)
        for hang_up in self._hang_ups:  # a frozen member would keep its stream open for ever
            hang_up()
