"""Shards and tables as files that can be read at any place, on this machine and in a store."""

from __future__ import annotations

import io
import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from privis.errors import ImageError, Problem
from privis.io.objects.object_store import ObjectFile, object_stamp, read_range
from privis.io.objects.source_names import SERVERS, is_remote

_BUFFER = 1 << 16


@contextmanager
def opened(container: str) -> Iterator[BinaryIO]:
    """Open a container for reading at any place.

    Args:
        container: path or name of an object.

    Returns:
        The file, closed with the context.

    Raises:
        ImageError: it cannot be read, or is on a plain HTTP server.
    """
    if not is_remote(container):
        try:
            file = open(container, "rb")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ImageError(Problem(container, f"a file that cannot be read ({reason})", "a readable one")) from None
        with file:
            yield file
        return
    if container.partition("://")[0].lower() in SERVERS:
        remedy = "download it, or put it into a store"
        raise ImageError(Problem(container, "a shard on an HTTP server", "a file, or an object of a store", remedy))
    with cast(BinaryIO, io.BufferedReader(ObjectFile(container), _BUFFER)) as file:
        yield file


def bytes_at(container: str, start: int, length: int) -> bytes:
    """Read some bytes of a container; fewer at its end; raises as `opened`."""
    if is_remote(container):
        return read_range(container, start, length)
    with opened(container) as file:
        return os.pread(file.fileno(), length, start)


def stamp_of(container: str) -> Hashable:
    """Give what is another value when a container was written anew: its size, its times, its etag; never its identity.

    Args:
        container: path or name of an object.

    Returns:
        The stamp; None where there is none.
    """
    if is_remote(container):
        return object_stamp(container)
    try:
        status = os.stat(container)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
