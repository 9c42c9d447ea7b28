"""``PartySessions``: the parties that an executor keeps running, for all threads of one process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from privis.errors import DomainError
from privis.program import Program
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.job import Job
from privis.run.mpc.protocols import Preset
from privis.run.mpc.runtime.local_parties import LocalParties


@dataclass(eq=False)
class PartySessions:
    """Parties by their fixed point; they start with the first job, and run one job at a time.

    They belong to the process that started them: a child of a fork starts its own, and never ends its parent's.
    """

    running: dict[FixedPoint, LocalParties] = field(default_factory=dict)
    sent: int = 0  # bytes by a party, mean of all, in all jobs
    _process: int = field(default_factory=os.getpid)
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def start(self, preset: Preset, fixed: FixedPoint, program: Program) -> None:
        """Start parties, unless they run, and have them compile ``program``; PartyError when one fails."""
        with self._session(preset, fixed) as parties:
            parties.load(program)

    def run(self, job: Job, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run ``job`` as `LocalParties.run` does; after a failure parties start afresh with the next one."""
        with self._session(job.preset, job.fixed) as parties:
            before = parties.sent
            revealed = parties.run(job, arrays)
            self.sent += parties.sent - before
            return revealed

    @contextmanager
    def _session(self, preset: Preset, fixed: FixedPoint) -> Iterator[LocalParties]:
        self._leave_to_parent()
        with self._turn:
            if fixed not in self.running:
                self.running[fixed] = LocalParties(preset, fixed)
            parties = self.running[fixed]
            try:
                yield parties
            except DomainError:
                raise  # refused before anything was shared: the session goes on
            except BaseException:
                self.running.pop(fixed, None)
                parties.kill()
                raise

    def _leave_to_parent(self) -> None:
        """In a child of a fork: forget the parent's parties, and the lock that one of its threads may hold."""
        if self._process == os.getpid():
            return
        inherited, self.running, self._turn, self._process = self.running, {}, threading.RLock(), os.getpid()
        for parties in inherited.values():
            parties.leave_to_parent()

    def close(self) -> None:
        """Let all parties end after their last answer."""
        self._leave_to_parent()
        with self._turn:
            while self.running:
                self.running.popitem()[1].close()

    def kill(self) -> None:
        """End the processes of all parties at once, if this process started them."""
        if self._process == os.getpid():
            for parties in self.running.values():
                parties.kill()
