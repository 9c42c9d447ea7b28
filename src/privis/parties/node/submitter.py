"""Sending a job to its members and following it; the submitter sees neither inputs nor results."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from privis.errors import ParameterError, PartyError, PrivisError, Problem, refuse
from privis.parties.configuration import SubmitterConfiguration
from privis.parties.job.specification import Specification
from privis.parties.node.events import DONE, FAILED, Event, event_from
from privis.parties.table_reader import shown
from privis.parties.transport.messages import ControlMessage, messages, pieces
from privis.parties.transport.peer_stream import SERVICE, SUBMIT, reach

GRACE_SECONDS = 3.0  # for all members to say what they know of a failure


@dataclass(frozen=True)
class MemberReport:
    """How a job ended at one member."""

    member: str
    facts: dict[str, Any]


def submit(
    specification: Specification,
    configuration: SubmitterConfiguration,
    *,
    wait: float,
    on_event: Callable[[Event], None],
) -> tuple[MemberReport, ...]:
    """Send ``specification`` to all its members and wait until every one is done.

    ``wait`` is for how many seconds members may be late. Raises PartyError with what every member says when one
    fails, and ends the job at all members then, or when interrupted.
    """
    unknown = [name for name in specification.members if name not in configuration.members]
    if unknown:
        remedy = "add them under [members] of the submitter's configuration, or correct the job"
        got = f"no {shown(unknown)}"
        raise ParameterError(Problem("members known to the submitter", got, shown(specification.members), remedy))
    following = _Following(specification, configuration, wait)
    try:
        return following.to_the_end(on_event)
    except KeyboardInterrupt:
        following.cancel("a submitter that interrupts the job")
        raise
    finally:
        following.close()


class _Following:
    """One call to each member, and the events that come back."""

    def __init__(self, specification: Specification, configuration: SubmitterConfiguration, wait: float) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._outgoing = {name: queue.SimpleQueue[ControlMessage | None]() for name in specification.members}
        self._channels: list[Any] = []
        self._over = threading.Event()
        self._configuration, self._wait = configuration, wait
        body = {"session": secrets.token_hex(16), "specification": specification.to_dict(), "wait": wait}
        self.threads = [
            threading.Thread(target=self._follow, args=(name, ControlMessage("submit", body)), daemon=True)
            for name in specification.members
        ]
        for thread in self.threads:
            thread.start()

    def to_the_end(self, on_event: Callable[[Event], None]) -> tuple[MemberReport, ...]:
        reports: dict[str, MemberReport] = {}
        failures: dict[str, tuple[Problem, ...]] = {}
        deadline: float | None = None
        while len(reports) + len(failures) < len(self._outgoing):
            left = None if deadline is None else deadline - time.monotonic()
            try:
                event = self._events.get(timeout=0.5 if left is None else max(0.01, left))  # short: Ctrl-C is heard
            except queue.Empty:
                if left is not None and left <= 0:
                    break
                continue
            on_event(event)
            if event.kind == DONE:
                reports[event.member] = MemberReport(event.member, dict(event.facts))
            elif event.kind == FAILED:
                failures[event.member] = event.problems
                if deadline is None:
                    deadline = time.monotonic() + GRACE_SECONDS
                    self.cancel(
                        f"a job that failed at {event.member}: {'; '.join(map(str, event.problems))}", later=True
                    )
        refuse(PartyError, list(dict.fromkeys(p for problems in failures.values() for p in problems)))
        if deadline is not None:
            raise PartyError(Problem("job", "a failure without a reason", "all members to finish", "see their logs"))
        return tuple(reports[name] for name in self._outgoing)

    def cancel(self, reason: str, *, later: bool = False) -> None:
        """Ask all members to end the job; ``later`` leaves them a moment to find out by themselves what is wrong."""

        def ask() -> None:
            for waiting in self._outgoing.values():
                waiting.put(ControlMessage("cancel", {"reason": reason}))

        if later:
            timer = threading.Timer(GRACE_SECONDS / 2, ask)
            timer.daemon = True
            timer.start()
        else:
            ask()
            for thread in self.threads:
                thread.join(GRACE_SECONDS)

    def close(self) -> None:
        self._over.set()
        for waiting in self._outgoing.values():
            waiting.put(None)
        for channel in self._channels:
            channel.close()

    def _follow(self, member: str, first: ControlMessage) -> None:
        """Call ``member`` and pass on what it says; whatever happens, a last event comes."""
        address = self._configuration.members[member]
        try:
            channel = reach(member, address, self._configuration.identity, self._wait, self._over.is_set)
            self._channels.append(channel)
            call = channel.stream_stream(f"/{SERVICE}/{SUBMIT}")(self._requests(member, first))
            for message in messages(call):
                event = event_from(member, message.kind, message.body)
                self._events.put(event)
                if event.last:
                    return
            problems: tuple[Problem, ...] = ()
        except PrivisError as error:
            problems = error.problems
        except Exception:  # gRPC's errors: the connection broke
            problems = ()
        lost = Problem(f"{member} at {address}", "a connection that ended in the middle of the job", "it to stay")
        self._events.put(Event(member, FAILED, problems=problems or (lost,)))

    def _requests(self, member: str, first: ControlMessage) -> Iterator[bytes]:
        yield from pieces(first)
        while (message := self._outgoing[member].get()) is not None:
            yield from pieces(message)
