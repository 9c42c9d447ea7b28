"""Work in forked processes that inherit keys and weights: SEAL holds the interpreter lock, so threads gain nothing."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO


def in_processes(tasks: Sequence[Callable[[], list[bytes]]]) -> list[list[bytes]]:
    """Run ``tasks`` at the same time, the first one here and each other one in a child; their results in order.

    Raises what the first failing task raised, RuntimeError where a child was killed; no child outlives the call.
    """
    children = [_fork(task) for task in tasks[1:]]
    try:
        return [tasks[0](), *(_result(pipe) for _, pipe in children)]
    finally:
        for child, pipe in children:
            pipe.close()
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)  # already gone unless something failed
            os.waitpid(child, 0)


def _fork(task: Callable[[], list[bytes]]) -> tuple[int, BinaryIO]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, os.fdopen(reading, "rb")
    status = 1
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            try:
                made: object = task()
            except BaseException as error:
                made = error
            pickle.dump(made, pipe, protocol=5)
        status = 0
    finally:
        os._exit(status)


def _result(pipe: BinaryIO) -> list[bytes]:
    try:
        made = pickle.load(pipe)  # our own child's
    except EOFError:
        raise RuntimeError("a child process was killed; out of memory?") from None
    if isinstance(made, BaseException):
        raise made
    return made
