"""How much memory processes took at most, as the kernel counts it."""

from __future__ import annotations

import resource
from pathlib import Path

KIBIBYTE = 1024


def peak_of_this_process() -> int:
    """Most bytes that this process had in memory at once.

    The kernel's mark of this program, not ``getrusage``, which counts what the process was before it began it.

    Returns:
        Bytes.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIBIBYTE
    except (OSError, ValueError, IndexError):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE


def peak_of_children() -> int:
    """Most bytes that one of the processes had at once that this one started and that have ended.

    Returns:
        Bytes; pages that they share with others count. 0 where none has ended.
    """
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KIBIBYTE
