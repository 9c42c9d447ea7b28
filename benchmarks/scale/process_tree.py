"""Memory of a process and of all that it started, pages that they share counted once."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

MEBIBYTE = 1 << 20


class PeakMemory:
    """Looks at a tree of processes again and again, from a thread, until it is stopped.

    Args:
        root: id of the process.
        seconds: between two looks.
    """

    def __init__(self, root: int, seconds: float = 0.4) -> None:
        self.bytes = 0
        self.processes = 0
        self._root, self._seconds = root, seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            tree = descendants(self._root)
            total = sum(map(proportional, tree))
            if total > self.bytes:
                self.bytes, self.processes = total, len(tree)
            if self._stopped.wait(self._seconds):
                return


def descendants(root: int) -> list[int]:
    """The process and all that it started, directly or not, and that still run."""
    found, pending = [], [root]
    while pending:
        process = pending.pop()
        found.append(process)
        with suppress(OSError):
            for task in os.listdir(f"/proc/{process}/task"):
                with suppress(OSError):
                    pending += map(int, Path(f"/proc/{process}/task/{task}/children").read_text().split())
    return found


def proportional(process: int) -> int:
    """Bytes of a process, of shared pages its share (PSS); 0 where it has ended."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
