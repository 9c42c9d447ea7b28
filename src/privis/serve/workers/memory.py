"""Memory of a worker and the processes it forked, measured."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def group_memory(group: int) -> int:
    """Bytes that only the processes of a process group hold: what would be free without them.

    Pages that several of them share, or that they share with the process they were forked from, do not count. 0 when
    the group is gone.
    """
    return sum(_private_bytes(pid) for pid in _members(group))


def _members(group: int) -> list[str]:
    found = []
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                # the command's name is in brackets and may hold anything; state, parent and group follow
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group:
                found.append(folder.name)
    return found


def _private_bytes(pid: str) -> int:
    try:
        lines = (_PROC / pid / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))
