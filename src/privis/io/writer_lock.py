"""One writer at a time: a lock on a folder, which ends with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from privis.errors import OutputError, Problem

WAIT_SECONDS = 30.0
"""How long a writer waits for another one."""

_PAUSE = 0.02


@contextlib.contextmanager
def one_writer(place: Path, wait: float = WAIT_SECONDS, what: str | None = None) -> Iterator[None]:
    """Be the only writer of what lies in a folder while the block runs; other processes and threads wait.

    Args:
        place: of the folder, or of a file; it is there.
        wait: seconds after which a waiting writer gives up; infinity: never.
        what: how messages call what is written; None: by its place.

    Yields:
        Nothing.

    Raises:
        OutputError: another writer holds it for longer.

    >>> with one_writer(Path("."), wait=0.0):
    ...     pass
    """
    held, end = os.open(place, os.O_RDONLY), time.monotonic() + wait
    try:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    got = f"another writer for {wait:g} seconds"
                    remedy = "run the same command again when the other one has ended"
                    raise OutputError(Problem(what or str(place), got, "one at a time", remedy)) from None
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(held)
