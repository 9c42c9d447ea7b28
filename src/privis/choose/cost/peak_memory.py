"""How much memory processes took at most, as the kernel counts it."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

KIBIBYTE = 1024


def peak_of_this_process() -> int:
    """Most bytes that this process had in memory at once.

    The kernel's mark of this program, not ``getrusage``, which counts what the process was before it began it.

    Returns:
        Bytes.
    """
    return _peak("self") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE


def peak_of_children() -> int:
    """Most bytes that one of the processes had at once that this one started and that have ended.

    Returns:
        Bytes; pages that they share with others count. 0 where none has ended.
    """
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KIBIBYTE


def peaks_of_running_children() -> int:
    """Most bytes that each of the processes had at once that this one started and that still run, added up.

    Returns:
        Bytes; pages that they share count for each. 0 where none runs, or the system does not say.
    """
    own, total = os.getpid(), 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                stated = Path("/proc", name, "stat").read_text(encoding="utf-8", errors="replace")
                if int(stated.rpartition(")")[2].split()[1]) == own:
                    total += _peak(name)
    return total


def _peak(process: str) -> int:
    """The kernel's high-water mark of a process; 0 where there is none."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc", process, "status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIBIBYTE
    return 0
