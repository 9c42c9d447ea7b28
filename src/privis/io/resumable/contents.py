"""Whether a file is still the one that was read."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from privis.errors import ImageError, PrivisError
from privis.io.images.decode import Decoding, Pixels, Size
from privis.io.images.file_parts import file_part, part_of_source
from privis.io.objects.any_source import AnySource, ReadAhead
from privis.io.objects.source_bytes import SourceBytes
from privis.io.objects.source_names import is_elsewhere

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


class Observation:
    """Sources of a span while they are decoded, as a context: each of them is observed, and what is not a file is read
    once, so that what is decoded is what is hashed.

    Args:
        paths: of sources, in the order in which they are decoded.
        decoding: how they become pixels.
    """

    def __init__(self, paths: Sequence[str], decoding: Decoding) -> None:
        self._paths, self._decoding = paths, decoding
        self._files = {path: Observed.of(path) for path in paths if not is_elsewhere(path)}
        others = [source_of(path) for path in paths if path not in self._files]
        self._ahead = ReadAhead(list(dict.fromkeys(others)), AnySource())
        self._latest: SourceBytes | None = None
        self._digests: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._ahead.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ahead.__exit__(kind, error, trace)

    def __call__(self, path: str | SourceBytes, at_least: Size | None = None) -> Pixels:
        """Decode a source, as ``decoding`` does."""
        if isinstance(path, SourceBytes) or path in self._files:
            return self._decoding(path, at_least)
        try:
            found = self._whole(source_of(path))
        except PrivisError:
            self._seen(path, UNREADABLE)
            raise
        self._seen(path, found.digest)
        return self._decoding(SourceBytes(path, found.data), at_least)

    def _whole(self, name: str) -> SourceBytes:
        """The bytes of a source; of the latest one again, for its other parts and sizes."""
        if self._latest is None or self._latest.name != name:
            self._latest = None  # before the next one is waited for
            self._latest = self._ahead.read(name)
        return self._latest

    def contents(self) -> list[str]:
        """What was read of each path, as `content` gives it; `UNSTEADY` when that cannot be said."""
        return [
            self._files[path].read() if path in self._files else self._digests.get(path) or content(path)
            for path in self._paths
        ]

    def _seen(self, path: str, digest: str) -> None:
        self._digests[path] = digest if self._digests.get(path, digest) == digest else UNSTEADY


def source_of(path: str) -> str:
    """Name the source that a path, or the name of a part, is about; where it was listed stays with it.

    >>> source_of("s3://bucket/scan.dcm#frame=2")
    's3://bucket/scan.dcm'
    """
    part = part_of_source(path) if is_elsewhere(path) else file_part(path)
    return part.path if part.kind else path


def content(path: str) -> str:
    """SHA-256 of the source's bytes in hex; `UNREADABLE` when it is missing, no regular file, or cannot be read.

    The bytes, not size, time or etag: an edit may keep all of them.
    """
    if is_elsewhere(path):
        try:
            return AnySource().read(source_of(path)).digest
        except ImageError:
            return UNREADABLE
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
