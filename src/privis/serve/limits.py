"""Limits of a server: bytes, memory, time and jobs in the queue."""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass
from pathlib import Path

from privis.errors import ParameterError, Problem, refuse

MIB, GIB = 1 << 20, 1 << 30
_UNITS = {"": 1, "kib": 1 << 10, "mib": MIB, "gib": GIB, "kb": 1000, "mb": 1000**2, "gb": 1000**3}
_SHARE_OF_MEMORY = 0.7


@dataclass(frozen=True)
class Limits:
    """Every bound of a server; a request beyond one is refused with its name, and nothing is kept of it.

    Sizes are in bytes, times in seconds. What all clients share (``arriving_bytes``, ``spool_bytes``, ``queued_jobs``,
    ``uploads_at_once``) is divided as `privis.serve.fair_shares` says: a part is set aside for each. ``memory`` is for
    all workers together (0: seven tenths of what the machine has free at start), ``job_memory`` for one worker (0:
    twice the offering's estimate and 256 MiB).
    """

    message_bytes: int = 64 * MIB  # one encrypted input
    keys_bytes: int = 2 * GIB  # one bundle of evaluation keys
    reply_bytes: int = 256 * MIB
    key_cache_bytes: int = 20 * GIB  # on disk, of bundles that are whole; `privis.serve.evictions` says which go first
    keys_per_client: int = 64  # bundles of one client; the one that it did not use for longest goes first
    arriving_bytes: int = 16 * GIB  # on disk, of bundles that are still coming; of one client at most keys_bytes
    spool_bytes: int = 4 * GIB  # on disk: messages and results together
    disk_reserve_bytes: int = 256 * MIB  # never filled
    memory: int = 0
    job_memory: int = 0
    job_seconds: float = 900.0
    jobs_at_once: int = os.cpu_count() or 1
    queued_jobs: int = 256
    queued_jobs_per_client: int = 64
    jobs_per_client: int = 256  # results that wait to be fetched included
    uploads_at_once: int = 64
    uploads_per_client: int = 16
    upload_idle_seconds: float = 30.0  # without a byte
    upload_bytes_per_second: int = 4096  # slower clients are not waited for, after upload_idle_seconds
    upload_seconds: float = 3600.0
    answer_idle_seconds: float = 30.0  # how long a client may read nothing of its answer
    header_seconds: float = 10.0  # for a whole head of a request
    connections: int = 1024
    connections_per_client: int = 64  # of an address, where no token was shown yet
    result_seconds: float = 600.0  # how long a result waits to be fetched
    idle_worker_seconds: float = 120.0  # how long keys stay in memory after a job
    grace_seconds: float = 30.0  # at a stop, for jobs that run

    def __post_init__(self) -> None:
        problems = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("memory", "job_memory", "disk_reserve_bytes") else 1e-3
            if not least <= value < float("inf"):
                problems.append(Problem(f"Limits.{field.name}", str(value), f"at least {least:g}"))
        refuse(ParameterError, problems)

    @property
    def memory_budget(self) -> int:
        """Bytes for all workers together."""
        return self.memory or int(_SHARE_OF_MEMORY * available_memory())

    def memory_of_job(self, estimate: int) -> int:
        """Bytes one worker may take whose offering expects ``estimate``."""
        return self.job_memory or 2 * estimate + 256 * MIB


def limits_of(words: list[str]) -> Limits:
    """Limits from ``name=value`` words; ParameterError lists every word that does not fit.

    >>> limits_of(["message-bytes=8MiB", "job-seconds=60"]).message_bytes
    8388608
    """
    known = {field.name.replace("_", "-"): field for field in dataclasses.fields(Limits)}
    values: dict[str, int | float] = {}
    problems = []
    for word in words:
        name, _, text = word.partition("=")
        if name in known and known[name].name in values:
            problems.append(Problem(f"--limit {word}", f"{name} again", "every limit once"))
        if name not in known:
            problems.append(Problem(f"--limit {word}", repr(name), f"one of {', '.join(known)}"))
            continue
        field = known[name]
        number = _number(text)
        if number is None:
            problems.append(Problem(f"--limit {word}", repr(text), "a number, of bytes also as in 512MiB or 2GB"))
        else:
            values[field.name] = number if "seconds" in field.name else int(number)
    refuse(ParameterError, problems)
    return Limits(**values)  # type: ignore[arg-type]


def _number(text: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _UNITS:
        return None
    return float(match[1]) * _UNITS[match[2]]


def available_memory() -> int:
    """Bytes of memory that are free now, for this process's control group if it has a limit."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    group = Path("/sys/fs/cgroup")
    most, used = (_lines(group / name) for name in ("memory.max", "memory.current"))
    if most and used and most[0].isdecimal():
        free = min(free, max(0, int(most[0]) - int(used[0])))
    return free


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
