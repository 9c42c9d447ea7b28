"""A worker: the process that holds one client's evaluation keys and runs its jobs, one at a time.

It reads paths from its socket and writes events to it, a JSON object on each line, and never anything else: what
arrives from a worker that a hostile ciphertext took over is data. It has no token, no TLS key and no secret key.
"""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import json
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from privis.errors import PrivisError, Problem, ProtocolError
from privis.serve.offerings.offering import Offering, Runner

READY, PROGRESS, DONE, FAILED = "ready", "progress", "done", "failed"
PROTOCOL, MEMORY, INTERNAL = "protocol", "memory", "internal"

_PROGRESS_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
_LOG = logging.getLogger("privis.serve.workers.worker")


def work(link: socket.socket, offering: Offering, keys: Path, memory: int, parent: int) -> None:
    """Serve ``link`` until it closes; never returns. ``parent`` is the process this one was forked from."""
    code = 1
    try:
        _confine(memory)
        if os.getppid() != parent:
            return  # it died before it could be asked to take this one with it
        with link.makefile("r", encoding="utf-8") as orders:
            runner = _attempt(link, lambda: offering.open(keys))
            if runner is not None:
                _send(link, event=READY)
                for line in orders:
                    _run(link, runner, json.loads(line))
        code = 0
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server is gone
    finally:
        os._exit(code)  # nothing of the process this one was forked from may run its clean-up here


def _confine(memory: int) -> None:
    """Confine this process: own group, no core dump, first victim when memory runs out, killed with its fork server.

    It may take ``memory`` bytes more than now. RLIMIT_DATA counts private writable memory, the pages shared with the
    fork server among it.
    """
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = _data_bytes() + memory
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        _LOG.debug("no oom_score_adj here")


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _run(link: socket.socket, runner: Runner, order: dict[str, Any]) -> None:
    last, own = 0.0, os.getpid()

    def progress(fraction: float) -> None:
        nonlocal last
        now = time.monotonic()
        # an engine may work in children of its own, which must not write between our lines
        if now - last >= _PROGRESS_SECONDS and os.getpid() == own:
            last = now
            _send(link, event=PROGRESS, done=min(1.0, max(0.0, float(fraction))))

    def reply() -> bytes:
        answer = runner.run(Path(order["message"]).read_bytes(), progress)
        if len(answer) > order["most"]:
            raise ProtocolError(Problem("reply", f"{len(answer):,} bytes", f"at most {order['most']:,}"))
        Path(order["reply"]).write_bytes(answer)
        return answer

    start = time.monotonic()
    answer = _attempt(link, reply)
    if answer is not None:
        digest = hashlib.sha256(answer).hexdigest()
        _send(link, event=DONE, bytes=len(answer), sha256=digest, seconds=time.monotonic() - start)


def _attempt(link: socket.socket, step: Callable[[], Any]) -> Any:
    """The result of ``step``, or None after telling the server what was wrong."""
    try:
        return step()
    except (BrokenPipeError, ConnectionResetError):
        raise
    except ProtocolError as error:
        _send(link, event=FAILED, kind=PROTOCOL, problems=as_data(error.problems))
    except MemoryError:
        limit = Problem("job", "more memory than a worker may take", "less", "raise job-memory at the server")
        _send(link, event=FAILED, kind=MEMORY, problems=as_data([limit]))
    except Exception as error:
        _LOG.exception("a job failed")
        reason = Problem("job", f"an unexpected {type(error).__name__}", "a result", "see the server's log")
        problems = as_data(error.problems) if isinstance(error, PrivisError) else as_data([reason])
        _send(link, event=FAILED, kind=INTERNAL, problems=problems)
    sys.stderr.flush()
    return None


def as_data(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Convert problems to JSON values."""
    return [dataclasses.asdict(problem) for problem in problems]


def _send(link: socket.socket, **event: Any) -> None:
    link.sendall(json.dumps(event).encode() + b"\n")
