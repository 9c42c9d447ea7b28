"""Processes that are forked once and work together on one run after another.

A worker inherits what cannot be sent, keys and programs, whose memory it shares with the process that forked it. What
they pass to each other are descriptors of anonymous files in memory, over a socket for each two of them: no byte is
copied that the lattice library does not copy itself. That library holds the interpreter lock while it computes, so
that threads gain nothing.

The process that forks the others is member 0 and works as they do. When a member fails or is killed, the run and all
others end, and the caller is told; the next run forks new ones. Workers also end when the group is closed or no longer
referred to, and when the process that forked them is gone.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import socket
import struct
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import combinations
from threading import Lock
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from privis.errors import PrivisError
from privis.run.he.evaluation.forked_map import WorkerError, interrupts_held

Result = TypeVar("Result", covariant=True)
_MESSAGE = struct.Struct(">qqq")  # number of the run, kind, number of what is passed
_DESCRIPTOR = struct.Struct("=i")
_DATA, _ORDER, _FAILURE = range(3)
_ORPHAN_CHECK = 2.0  # seconds after which a worker that waits looks whether its parent is still there
_MOST_TEXT = 2_500  # characters of a traceback
_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.ETOOMANYREFS)


def _nobody_told(share: float) -> None:
    """Nobody asks for a worker's progress."""


class _ParentGone(Exception):
    """The process that forked this one is no longer there."""


@dataclass(eq=False)
class GroupChannel:
    """A member's side of the sockets to all others; ``rank``: its number, ``parent``: of the process, None in it."""

    rank: int
    sockets: dict[int, socket.socket]
    parent: int | None = None
    run: int = 0
    early: dict[tuple[int, int, int], int] = field(default_factory=dict)  # by run, sender and number
    orders: list[tuple[int, int]] = field(default_factory=list)

    def send(self, receiver: int, number: int, file: int) -> None:
        """Pass the file open as ``file`` on to a member, by a number; it may be closed afterwards."""
        self.tell(receiver, _DATA, number, file)

    def receive(self, sender: int, number: int, meanwhile: Callable[[], bool] = lambda: False) -> int:
        """The file that a member passes on by a number, for the caller to close; waits for it.

        ``meanwhile`` does something useful that is done soon, and says whether there was anything to do.

        Raises WorkerError when a member fails or ends, and a PrivisError that it raised.
        """
        key, is_idle = (self.run, sender, number), False
        while key not in self.early:
            if not self._wait(seconds=_ORPHAN_CHECK if is_idle else 0.0):
                is_idle = is_idle or not meanwhile()
        return self.early.pop(key)

    def next_order(self) -> int:
        """The file of the next run; waits for it."""
        while not self.orders:
            self._wait()
        self.run, file = self.orders.pop(0)
        return file

    def tell(self, receiver: int, kind: int, number: int, file: int) -> None:
        """Send a message; while the other's queue is full, take in what others send."""
        message, descriptor = _MESSAGE.pack(self.run, kind, number), _DESCRIPTOR.pack(file)
        attached = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)]
        while receiver in self.sockets:
            try:  # `socket.send_fds` of CPython 3.11 forgets the flags that it is given
                self.sockets[receiver].sendmsg([message], attached, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                return
            except OSError as error:
                if error.errno in _FULL:
                    self._wait(receiver)
                elif error.errno in (errno.EPIPE, errno.ECONNRESET):
                    self._take(receiver)  # before it ended it may have said why
                else:
                    raise

    def _wait(self, writable: int | None = None, seconds: float = _ORPHAN_CHECK) -> bool:
        """Until a message was taken in, or the socket to ``writable`` has room; whether there was anything."""
        poll, ranks = select.poll(), {own.fileno(): rank for rank, own in self.sockets.items()}
        for number, rank in ranks.items():
            poll.register(number, select.POLLIN | (select.POLLOUT if rank == writable else 0))
        found = poll.poll(1000 * seconds)
        if self.parent is not None and os.getppid() != self.parent:
            raise _ParentGone
        for number, events in found:
            if events & ~select.POLLOUT:
                self._take(ranks[number])
        return bool(found)

    def _take(self, sender: int) -> None:
        data, files = _received(self.sockets[sender])
        if len(data) < _MESSAGE.size or not files:
            self._ended(sender)
            return
        run, kind, number = _MESSAGE.unpack(data)
        if kind == _FAILURE:
            raise pickle.loads(content(files[0]))  # of a process that this one forked
        if kind == _ORDER:
            self.orders.append((run, files[0]))
        else:
            self.early[run, sender, number] = files[0]

    def _ended(self, sender: int) -> None:
        """Another member ended: its parent tells the caller, and ends all others; they wait for that."""
        self.sockets.pop(sender).close()
        if self.parent is None:
            raise WorkerError("a process ended before its work was done")
        if sender == 0:
            raise _ParentGone

    def close(self) -> None:
        """Close all that is open."""
        for own in self.sockets.values():
            own.close()
        for file in (*self.early.values(), *(file for _, file in self.orders)):
            os.close(file)
        self.sockets, self.early, self.orders = {}, {}, []


class Work(Protocol[Result]):
    """What every member does in a run; ``progress`` is told the share of member 0 that is done, in [0, 1]."""

    def __call__(self, channel: GroupChannel, data: bytes, progress: Callable[[float], None]) -> Result:
        """Work on the data of the run."""
        ...


@dataclass(eq=False)
class WorkerGroup(Generic[Result]):
    """``processes`` processes, this one among them, which all do ``work`` in every run.

    Args:
        processes: at least one; the others are forked with the first run.
        work: what each does with the data of a run; what it returns counts in this process alone. It must not refer to
            the group.
        prepare: done once in this process, before others are forked.
    """

    processes: int
    work: Work[Result]
    prepare: Callable[[], None] = lambda: None
    _running: _Running | None = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def run(self, data: bytes, progress: Callable[[float], None] = _nobody_told) -> Result:
        """Let all do their work on ``data``; runs of several threads take turns.

        Raises:
            WorkerError: a process failed, or was killed. What is raised here ends the others, too.
            PrivisError: as the work says, in whichever process.
        """
        with self._lock:
            try:
                channel = self._started().channel
                channel.run += 1
                for rank in range(1, self.processes):
                    with as_file(data) as file:
                        channel.tell(rank, _ORDER, 0, file)
                return self.work(channel, data, progress)
            except BaseException:
                self._close()
                raise

    @property
    def workers(self) -> tuple[int, ...]:
        """Process numbers of the workers that are there now."""
        return self._running.pids if self._running is not None else ()

    def close(self) -> None:
        """End the workers; another run would fork new ones."""
        with self._lock:
            self._close()

    def _started(self) -> _Running:
        if self._running is not None and self._running.owner != os.getpid():  # forked since: they are the parent's
            self._running.ending.detach()
            self._running.channel.close()
            self._running = None
        if self._running is None:
            self.prepare()
            with interrupts_held():
                self._running = _started(self.processes, self.work, self)
        return self._running

    def _close(self) -> None:
        if self._running is not None:
            self._running.ending()
            self._running = None


@dataclass(frozen=True, eq=False)
class _Running:
    owner: int
    channel: GroupChannel
    pids: tuple[int, ...]
    ending: weakref.finalize  # type: ignore[type-arg]


def _started(processes: int, work: Work[Any], group: object) -> _Running:
    """Fork the workers of a group."""
    parent, ends = os.getpid(), _sockets(processes)
    pids: list[int] = []
    for rank in range(1, processes):
        pid = os.fork()
        if pid == 0:
            _serve(GroupChannel(rank, _own(ends, rank), parent), work)
        pids.append(pid)
    channel = GroupChannel(0, _own(ends, 0))
    return _Running(parent, channel, tuple(pids), weakref.finalize(group, _end, channel, tuple(pids), parent))


def _sockets(processes: int) -> dict[tuple[int, int], socket.socket]:
    """For each two members the ends of a socket: (whose, to whom)."""
    ends = {}
    for one, other in combinations(range(processes), 2):
        ends[one, other], ends[other, one] = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ends


def _own(ends: Mapping[tuple[int, int], socket.socket], rank: int) -> dict[int, socket.socket]:
    """The ends of one member; the others are closed here, so that each notices when another ends."""
    for (whose, _), end in ends.items():
        if whose != rank:
            end.close()
    return {to: end for (whose, to), end in ends.items() if whose == rank}


def _serve(channel: GroupChannel, work: Work[Any]) -> NoReturn:
    """A worker's life."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever is interrupted ends the workers
        while True:
            data = content(channel.next_order())
            try:
                work(channel, data, _nobody_told)
            except _ParentGone:
                break
            except PrivisError as error:  # bad input is told as if there were one process
                _tell_failure(channel, error)
                break
            except BaseException:
                _tell_failure(channel, WorkerError(traceback.format_exc()[-_MOST_TEXT:]))
                break
    except _ParentGone:
        pass
    finally:
        os._exit(0)  # nothing of the parent's may be cleaned up here


def _tell_failure(channel: GroupChannel, error: Exception) -> None:
    with as_file(pickle.dumps(error)) as file:
        channel.tell(0, _FAILURE, 0, file)


def _received(own: socket.socket) -> tuple[bytes, list[int]]:
    """A message and what is attached; nothing where the other side is closed and all it sent was taken in."""
    for _ in range(2):  # that it was closed too early is said once, before what it sent
        with suppress(ConnectionResetError):
            data, files, _, _ = socket.recv_fds(own, _MESSAGE.size, 1)
            return data, files
    return b"", []


def _end(channel: GroupChannel, pids: tuple[int, ...], owner: int) -> None:
    """Kill the workers and wait until they are gone; a process that was forked since has none."""
    channel.close()
    if os.getpid() != owner:
        return
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


@contextmanager
def as_file(data: bytes = b"") -> Iterator[int]:
    """The descriptor of an anonymous file in memory with ``data``, open within the block."""
    file = os.memfd_create("privis")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        yield file
    finally:
        os.close(file)


def content(file: int) -> bytes:
    """What an open file holds; closes it."""
    with os.fdopen(file, "rb") as opened:
        opened.seek(0)
        return opened.read()
