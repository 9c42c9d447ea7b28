"""Kills a process before each of its steps: what it leaves is what a power cut may leave."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator

STEPS = {"fsync", "replace", "unlink", "execute", "executemany", "mkdir"}
"""Names of calls that change files, or tell SQLite to."""


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do ``work`` in a process that is killed at its ``step``-th step; False where it ended before."""
    process = os.fork()
    if not process:
        left = step

        def count(frame, event, argument) -> None:
            nonlocal left
            if event == "c_call" and getattr(argument, "__name__", "") in STEPS:
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.setprofile(count)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "it failed"
    return os.WIFSIGNALED(status)


def every_kill(work: Callable[[], object], again: Callable[[], None], stride: int = 1) -> Iterator[int]:
    """Kill ``work`` at each step (or each ``stride``-th) of what ``again`` prepared anew; gives how far it came."""
    step = 1
    while True:
        again()
        if not killed_at(step, work):
            return
        yield step
        step += stride
