"""Sources of every kind by their names, and whole spans of them read a few ahead."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from privis.errors import ImageError, Problem
from privis.io.objects.http_objects import read_url
from privis.io.objects.image_tables import list_records, read_record
from privis.io.objects.object_store import read_object
from privis.io.objects.source_bytes import FileReader, SourceBytes, SourceReader
from privis.io.objects.source_names import SERVERS, TABLE, TAR, inside, is_elsewhere, refuse_secrets
from privis.io.objects.tar_shards import list_members, read_member

_THREADS = 8
_MOST_AHEAD = 64 << 20


@dataclass(frozen=True)
class AnySource:
    """Reads files, objects, what servers give, members of shards and records of tables."""

    def read(self, name: str) -> SourceBytes:
        """Read one source, as its name says where it is.

        Args:
            name: of the source, never of a part of it.

        Returns:
            Its bytes.

        Raises:
            ImageError: there is no such source, or it cannot be read now, however often it was tried.
            ParameterError: the name holds credentials.
            MissingExtraError: what reads it is not installed.
        """
        if not is_elsewhere(name):
            return FileReader().read(name)
        refuse_secrets([name])
        if (where := inside(name)) is not None:
            return read_record(name, where) if where.in_table else read_member(name, where)
        if name.lower().endswith((TAR, TABLE)):
            raise _unlisted(name)
        if name.partition("://")[0].lower() in SERVERS:
            return read_url(name)
        return read_object(name)


def _unlisted(container: str) -> ImageError:
    """Why a shard or table stands in a list of sources instead of its images."""
    try:
        is_table = container.lower().endswith(TABLE)
        found = list_records(container) if is_table else list_members(container, frozenset((".jpg",)))
    except ImageError as error:
        return error
    if found and container not in found:
        got = "a shard or table that could not be listed when the run began"
        return ImageError(Problem(container, got, "one that can be read", "run the same command again"))
    got = "a shard or table that is damaged, or of which no image was found"
    return ImageError(Problem(container, got, "a whole one, with images", "copy it again, uncompressed"))


class ReadAhead:
    """Reads some sources in their order, a few ahead of their turns, as a context.

    At most `_MOST_AHEAD` bytes lie ready besides the one whose turn it is, and those that `_THREADS` requests bring.

    Args:
        names: of sources, in the order of their turns.
        reader: reads one.
    """

    def __init__(self, names: Sequence[str], reader: SourceReader) -> None:
        self._names, self._reader = names, reader
        tables = any((found := inside(name)) is not None and found.in_table for name in names)
        self._threads = 1 if tables else _THREADS  # records of a table share what is read, one after another
        self._pool = ThreadPoolExecutor(self._threads)
        self._ahead: dict[str, Future[SourceBytes]] = {}
        self._next, self._ready = 0, 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def read(self, name: str) -> SourceBytes:
        """Give one source, when its turn has come; one that had its turn is read again.

        Args:
            name: of the source.

        Returns:
            Its bytes.

        Raises:
            ImageError: as the reader.
        """
        self._start(name)
        future = self._ahead.pop(name, None)
        if future is None:
            return self._reader.read(name)
        try:
            found = future.result()
        finally:
            self._start(None)
        with self._lock:
            self._ready -= len(found.data)
        return found

    def _start(self, wanted: str | None) -> None:
        """Ask for the sources that come next, and in any case for the wanted one if it is yet to come."""
        while self._next < len(self._names):
            with self._lock:
                full = self._ready > _MOST_AHEAD or len(self._ahead) >= self._threads
            if full and (wanted is None or wanted in self._ahead or wanted not in self._names[self._next :]):
                return
            name = self._names[self._next]
            self._next += 1
            if name not in self._ahead:
                self._ahead[name] = self._pool.submit(self._read, name)

    def _read(self, name: str) -> SourceBytes:
        found = self._reader.read(name)
        with self._lock:
            self._ready += len(found.data)
        return found
