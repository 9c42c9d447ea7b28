"""Work in forked processes: they inherit keys and encoded constants, which cannot be sent, and send bytes back.

The lattice library holds the interpreter lock while it computes, so that threads gain nothing.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import struct
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

from privis.errors import PrivisError

Part = TypeVar("Part")
_HEAD = struct.Struct(">qQ")  # which part (-1: an error), and how many bytes follow
_BLOCK = 1 << 20


class WorkerError(RuntimeError):
    """A forked process ended before its work was done, or raised: the text is what it said."""


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C come after the block: within a fork it would be lost, or leave a child that nobody knows of.

    Masks are a thread's own: where another thread takes the signal, Python still interrupts the main one.
    """
    came: list[tuple[int, FrameType | None]] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handler = signal.getsignal(signal.SIGINT)
    noted = handler is not None and threading.current_thread() is threading.main_thread()
    if noted:
        signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if noted:
            signal.signal(signal.SIGINT, handler)
        if came and callable(handler):
            handler(*came[0])


def forked(work: Callable[[Part], bytes], parts: Sequence[Part], processes: int) -> Iterator[tuple[int, bytes]]:
    """Yield ``(index, work(part))`` as the parts are done, by at most ``processes`` processes.

    With one process, or one part, it is this one. Raises WorkerError when a process fails, and a PrivisError that
    ``work`` raises in any; leaving the iterator early ends them all.
    """
    processes = min(processes, len(parts))
    if processes <= 1:
        yield from ((index, work(part)) for index, part in enumerate(parts))
        return
    children: dict[int, int] = {}
    try:
        for rank in range(processes):
            with interrupts_held():
                reader, process = _start(work, parts, range(rank, len(parts), processes), list(children))
                children[reader] = process
        yield from _received(list(children), len(parts))
    finally:
        for reader, process in children.items():
            os.close(reader)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _start(
    work: Callable[[Part], bytes], parts: Sequence[Part], mine: range, inherited: Sequence[int]
) -> tuple[int, int]:
    """Fork a child that works on its own parts; the pipe to read from and the process.

    Interrupts do not reach it: whoever is interrupted ends it.
    """
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return reader, process
    try:
        for other in (reader, *inherited):
            os.close(other)
        with os.fdopen(writer, "wb") as pipe:
            try:
                for index in mine:
                    _send(pipe.write, index, work(parts[index]))
                    pipe.flush()
            except PrivisError as error:  # bad input is told as if there were one process
                _send(pipe.write, -1, pickle.dumps(error))
            except BaseException:
                _send(pipe.write, -1, pickle.dumps(WorkerError(traceback.format_exc())))
    finally:
        os._exit(0)  # nothing of the parent's may be cleaned up here


def _send(write: Callable[[bytes], object], index: int, data: bytes) -> None:
    write(_HEAD.pack(index, len(data)))
    write(data)


def _received(readers: Sequence[int], expected: int) -> Iterator[tuple[int, bytes]]:
    pending = {reader: bytearray() for reader in readers}
    missing = expected
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ)
        while missing:
            if not selector.get_map():
                raise WorkerError(f"a process ended with {missing} of {expected} parts missing")
            for key, _ in selector.select():
                block = os.read(key.fd, _BLOCK)
                if not block:
                    selector.unregister(key.fd)
                pending[key.fd] += block
                for index, data in _messages(pending[key.fd]):
                    if index < 0:
                        raise pickle.loads(data)  # of a process that this one forked
                    missing -= 1
                    yield index, data


def _messages(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Whole messages, taken out of ``buffer``."""
    while len(buffer) >= _HEAD.size:
        index, length = _HEAD.unpack_from(buffer)
        if len(buffer) < _HEAD.size + length:
            return
        data = bytes(buffer[_HEAD.size : _HEAD.size + length])
        del buffer[: _HEAD.size + length]
        yield index, data
