"""Whether a file is still the one that was read."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from privis.io.images.file_parts import file_part

UNREADABLE = "unreadable"
UNSTEADY = "unsteady"  # changed while it was read: equal to nothing, not even to itself

_THREADS = 8  # reading and hashing leave the interpreter to others


@dataclass(frozen=True)
class Observed:
    """A file before it is read: the digest of its bytes, and its signature in the file system."""

    path: str
    digest: str
    signature: tuple[int, ...]

    @classmethod
    def of(cls, path: str) -> Observed:
        """Look at the file, before it is read for good."""
        signature = _signature(path)  # first, so that a change while it is hashed shows
        return cls(path, content(path), signature)

    def read(self) -> str:
        """What was read since, as `content` gives it; `UNSTEADY` when that cannot be said."""
        return self.digest if _signature(self.path) == self.signature else UNSTEADY


def content(path: str) -> str:
    """SHA-256 of the file's bytes in hex; `UNREADABLE` when it is missing, no regular file, or cannot be read.

    The bytes, not size and time: an edit may keep both.
    """
    part = file_part(path)
    if part.kind and (signature := _signature(path)):
        return _of_whole(part.path, signature)
    return _of_bytes(part.path)


@functools.lru_cache(maxsize=8)
def _of_whole(path: str, signature: tuple[int, ...]) -> str:
    """Thousands of parts of a file share its bytes: they are read again when its size or one of its times differs."""
    return _of_bytes(path)


def _of_bytes(path: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe or a device could wait for ever
            return UNREADABLE
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return UNREADABLE


def contents(groups: Iterable[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """`content` of each path of each group, a group at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for paths in groups:
            yield tuple(pool.map(content, paths))


def _signature(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(file_part(path).path)
    except (OSError, ValueError):
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
