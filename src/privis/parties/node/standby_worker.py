"""A pre-started SPU worker: loading SPU takes longer than most jobs."""

from __future__ import annotations

import threading

from privis.errors import PartyError
from privis.run.mpc.runtime.supervisor import Worker


class StandbyWorker:
    """At most one idle protocol process of this member; a job that takes it has it for itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._waiting: Worker | None = None
        self._closed = False

    def warm(self) -> None:
        """Start the process unless it runs."""
        with self._lock:
            if self._waiting is None and not self._closed:
                self._waiting = Worker(self._name)

    def take(self) -> Worker:
        """A process that answers; PartyError when none can be started."""
        with self._lock:
            worker, self._waiting = self._waiting, None
        if worker is not None:
            try:
                worker.ready()
            except PartyError:  # it died while it waited
                worker.kill()
            else:
                return worker
        worker = Worker(self._name)
        worker.ready()
        return worker

    def close(self) -> None:
        """End the idle process and start no other."""
        with self._lock:
            self._closed = True
            worker, self._waiting = self._waiting, None
        if worker is not None:
            worker.kill()
