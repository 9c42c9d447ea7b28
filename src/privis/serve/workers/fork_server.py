"""The fork server: one process that holds the compiled offerings, alone with one thread, and forks workers from them.

Workers share its memory (weights and masks are encoded once), and the process that speaks HTTP holds none of it. It
is started as a fresh interpreter, so that neither tokens nor TLS keys of the server are in the memory of any worker.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, PrivisError, Problem, ServiceError
from privis.serve.offerings.offering import MakeOffering, Offering, Terms
from privis.serve.workers.worker import as_data, work

_POLL_SECONDS = 1.0
_PATIENCE = 5.0


@dataclass(frozen=True)
class Fork:
    """A worker process and the server's end of its socket."""

    pid: int
    link: socket.socket


class ForkServer:
    """The server's side. Its calls block for milliseconds and may be made from any thread.

    Raises ServiceError when the fork server is gone.
    """

    def __init__(self, offerings: Sequence[MakeOffering]) -> None:
        ours, theirs = multiprocessing.Pipe()
        # not a fork: the server's memory must not be in the workers, nor its threads' locks
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve_forks, args=(theirs, tuple(offerings)), name="privis-fork-server")
        self._process.start()
        theirs.close()
        self._pipe, self._lock = ours, threading.Lock()
        try:
            found = self._receive()
        except BaseException:  # compiling may take long: an interrupt must not leave the process behind
            self._process.kill()
            self._process.join()
            raise
        if "problems" in found:
            self.stop()
            raise ParameterError(*(Problem(**problem) for problem in found["problems"]))
        self.terms: Mapping[str, Terms] = {
            terms.name: terms for terms in (Terms.from_json(text) for text in found["terms"])
        }

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def fork(self, offer: str, keys: Path, memory: int) -> Fork:
        """Start a worker of ``offer`` with the evaluation keys at ``keys`` that may take ``memory`` bytes."""
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                self._send({"do": "fork", "offer": offer, "keys": str(keys), "memory": memory})
                send_handle(self._pipe, theirs.fileno(), self._process.pid)
                return Fork(self._receive()["pid"], ours)
        except (OSError, ServiceError) as error:
            ours.close()
            raise error if isinstance(error, ServiceError) else _gone() from None

    def end(self, pid: int) -> int:
        """Kill a worker, its whole process group, and return its exit status."""
        with self._lock:
            self._send({"do": "end", "pid": pid})
            return self._receive()["code"]

    def stop(self) -> None:
        """End the fork server and all its workers."""
        self._pipe.close()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()  # its workers get the signal that says so
            self._process.join()

    def _send(self, order: dict[str, Any]) -> None:
        try:
            self._pipe.send_bytes(json.dumps(order).encode())
        except OSError:
            raise _gone() from None

    def _receive(self) -> dict[str, Any]:
        try:
            return json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            raise _gone() from None


def _gone() -> ServiceError:
    return ServiceError(Problem("server", "its fork server ended", "it running", "see the log; start it again"))


def _serve_forks(pipe: Connection, makers: Sequence[MakeOffering]) -> None:
    """Compile the offerings, then fork and end workers until the pipe closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # of a terminal or a service manager: the server decides
        signal.signal(number, signal.SIG_IGN)
    try:
        offerings = {offering.terms.name: offering for offering in (make() for make in makers)}
        if len(offerings) < len(makers):
            raise ParameterError(Problem("offers", "two of one name", "a name for each"))
    except PrivisError as error:
        pipe.send_bytes(json.dumps({"problems": as_data(error.problems)}).encode())
        return
    pipe.send_bytes(json.dumps({"terms": [offering.terms.to_json() for offering in offerings.values()]}).encode())
    children = _Children()
    try:
        while True:
            if not pipe.poll(_POLL_SECONDS):
                children.reap()
                continue
            order = json.loads(pipe.recv_bytes())
            if order["do"] == "fork":
                answer = {"pid": children.add(_fork(pipe, offerings, order))}
            else:
                answer = {"code": children.end(order["pid"])}
            pipe.send_bytes(json.dumps(answer).encode())
    except (EOFError, OSError):
        pass  # the server stopped, or was killed
    finally:
        children.end_all()


def _fork(pipe: Connection, offerings: Mapping[str, Offering], order: dict[str, Any]) -> int:
    with socket.socket(fileno=recv_handle(pipe)) as link:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                pipe.close()
            finally:
                work(link, offerings[order["offer"]], Path(order["keys"]), order["memory"], parent)
        return pid


class _Children:
    """The workers that run, and the exit statuses of those that ended and were not asked for yet."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._codes: dict[int, int] = {}

    def add(self, pid: int) -> int:
        self._running.add(pid)
        return pid

    def reap(self) -> None:
        for pid in tuple(self._running):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            with suppress(ProcessLookupError, PermissionError):  # its number is not free before it is waited for
                os.killpg(pid, signal.SIGKILL)
            self._codes[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            self._running.discard(pid)

    def end(self, pid: int) -> int:
        if pid in self._running:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.reap()
        return self._codes.pop(pid, 0)

    def end_all(self) -> None:
        for pid in tuple(self._running):
            self.end(pid)
