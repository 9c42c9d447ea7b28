"""Members of a job as threads of this process: sessions are real, what they send is seen, and sums are added in clear.

A member may lie: its ``lies`` change what it says, by kind of message and by who hears it.
"""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from privis.cli.joint import TASKS
from privis.joint.runners import InTheClear
from privis.parties.configuration import PartyConfiguration
from privis.parties.job.policy import Policy
from privis.parties.job.specification import Specification
from privis.parties.node import session as sessions
from privis.parties.node.events import FAILED
from privis.parties.node.session import Assignment, Session
from privis.parties.transport.control_plane import PeerFailure
from privis.parties.transport.messages import ControlMessage
from privis.run.mpc.job import Reveal, Share

SECONDS = 20.0  # until a member that waits in vain gives up: a test has failed then
Lie = Callable[[str, str, dict[str, Any]], Mapping[str, Any]]
"""Of kind, hearer and the honest body: what is said instead."""


def honest(kind: str, hearer: str, body: dict[str, Any]) -> Mapping[str, Any]:
    return body


@dataclass(eq=False)
class Board:
    """Everything that is said between members, and the arrays that they shared."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    mail: dict[tuple[str, str, str], deque] = field(default_factory=lambda: defaultdict(deque))
    shared: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, list] = field(default_factory=dict)  # by member: what it told of its failure
    failed: bool = False


@dataclass(eq=False)
class IdealControlPlane:
    """`privis.parties.transport.control_plane.ControlPlane` without a network."""

    board: Board
    me: str
    others: tuple[str, ...]
    lie: Lie
    consistent: bool = False
    losses: tuple = ()
    reports: tuple = ()

    def __post_init__(self):
        self.identity, self.certificates = SimpleNamespace(name=self.me), {name: b"" for name in self.others}

    failed = property(lambda self: self.board.failed)

    def dial(self, addresses, seconds, own_failure):
        """Everybody is there."""

    def meet(self, seconds):
        self.check()

    def send(self, members, kind, body=None, blob=b""):
        if self.consistent and isinstance(body, dict):  # the liar goes on as if it were so
            told = dict(self.lie(kind, "", dict(body)))
            body.clear()
            body.update(told)
        with self.board.changed:
            for member in members:
                self.board.mail[member, self.me, kind].append(
                    ControlMessage(kind, self.lie(kind, member, dict(body or {})))
                )
            self.board.changed.notify_all()

    def gather(self, members, kind):
        found = {}
        with self.board.changed:
            for member in members:
                box = self.board.mail[self.me, member, kind]
                assert self.board.changed.wait_for(lambda box=box: box or self.board.failed, SECONDS), kind
                self._check()
                found[member] = box.popleft()
        return found

    def check(self):
        with self.board.changed:
            self._check()

    def _check(self):
        if self.board.failed:
            raise PeerFailure()

    def fail(self):
        with self.board.changed:
            self.board.failed = True
            self.board.changed.notify_all()

    def abort(self, problems):
        self.board.problems[self.me] = list(problems)

    def close(self):
        """Nothing is open."""


@dataclass(eq=False)
class Ideal:
    """A role without a protocol: what is shared is kept by somebody whom all trust, who reveals as the job says."""

    board: Board
    me: str
    measured: list = field(default_factory=list)

    def perform(self, job, step, arrays):
        needed = {one.name for one in job.instructions if isinstance(one, Share)}
        with self.board.changed:
            match step:
                case Share(name) if job.sources[name].owner == self.me:
                    self.board.shared[name] = arrays[name]
                    self.board.changed.notify_all()
                case Reveal(name, receivers) if self.me in receivers:
                    arrived = lambda: self.board.failed or needed <= set(self.board.shared)  # noqa: E731
                    assert self.board.changed.wait_for(arrived, SECONDS)
                    if self.board.failed:
                        raise PeerFailure()
                    return InTheClear()(job, self.board.shared)[name]
        return None

    def kill(self):
        """Nothing to stop."""


@dataclass(frozen=True)
class Ending:
    """How a job ended: ``told`` is all that anybody but a member itself heard of its failure, ``log`` its own words."""

    told: dict[str, str]
    log: dict[str, str]
    received: dict[str, list[Path]]
    said: list[str]

    @property
    def failed(self) -> bool:
        return any(self.told.values())

    @property
    def all_told(self) -> str:
        return "\n".join(self.told.values())


def play(
    monkeypatch,
    folder: Path,
    job: Specification,
    members: Mapping[str, Mapping[str, Any]],
    lies: Mapping[str, Lie] | None = None,
    submitter: str = "analyst",
    consistent: bool = False,
) -> Ending:
    """Let all members play ``job``; ``members`` are the parts of their configurations that matter.

    Liars are ``consistent`` when they believe their own lies.
    """
    board, own, said = Board(), {}, []

    def control_plane(identity, session, names, on_failure):
        others = tuple(name for name in names if name != identity.name)
        return IdealControlPlane(board, identity.name, others, (lies or {}).get(identity.name, honest), consistent)

    monkeypatch.setattr(sessions, "ControlPlane", control_plane)
    monkeypatch.setattr(sessions, "OwnerRole", lambda control_plane: Ideal(board, control_plane.me))
    monkeypatch.setattr(Session, "_opened", lambda self, *_: Ideal(board, self.configuration.name))
    playing = []
    for name in job.members:
        output = folder / f"results-{name}"
        output.mkdir(exist_ok=True)
        there = {other: "127.0.0.1:1" for other in job.members if other != name}
        values: dict[str, Any] = {"inputs": {}, "policy": Policy()} | dict(members[name])
        places = ("127.0.0.1:1", "127.0.0.1:0", "127.0.0.1:1", None, there, {})
        identity = SimpleNamespace(name=name, certificate=b"")
        configuration = PartyConfiguration(identity, *places, output=output, **values)

        def hear(event, name=name):
            said.append(f"{event.text} {sorted(event.facts)}")
            if event.kind == FAILED:
                own[name] = "\n".join(map(str, event.problems))

        assignment = Assignment(secrets.token_hex(16), submitter, job, TASKS[job.task], 1.0)
        playing.append(Session(configuration, assignment, None, hear))
    threads = [threading.Thread(target=one.run, daemon=True) for one in playing]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * SECONDS)
        assert not thread.is_alive(), "a member that waits for ever"
    told = {}
    for one in playing:
        name = one.configuration.name
        told[name] = "\n".join(dict.fromkeys(map(str, (*board.problems.get(name, ()), *one.told))))
    received = {name: sorted((folder / f"results-{name}").rglob("*.npz")) for name in job.members}
    return Ending(told, own, received, said)
