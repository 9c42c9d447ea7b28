"""The port to whatever holds images: the name of a source in, its bytes out.

A *source* is what a run makes one row of: a file, an object of a store, a member of a tar shard, a row of a Parquet
table. Everything else about it (its place, its number, its etag) may change; its bytes are what it is.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from privis.errors import ImageError, Problem


@dataclass(frozen=True, eq=False)
class SourceBytes:
    """The bytes of one source, read once: what is decoded is what is hashed.

    Args:
        name: what messages and tables call it; the name of a part (`privis.io.images.file_parts`) may be one.
        data: all bytes of the file, object or member.

    >>> SourceBytes("s3://photos/a.jpg", b"abc").digest[:16]
    'ba7816bf8f01cfea'
    """

    name: str
    data: bytes = field(repr=False)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex: equal for equal bytes, whatever store, name or etag they come under."""
        return hashlib.sha256(self.data).hexdigest()

    @contextmanager
    def as_file(self) -> Generator[str]:
        """Give the bytes a path for as long as the context lasts; they stay in memory.

        Returns:
            The path of an anonymous file in memory, which disappears with the context or the process.
        """
        descriptor = os.memfd_create("privis", os.MFD_CLOEXEC)
        try:
            rest = memoryview(self.data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)


class SourceReader(Protocol):
    """Reads sources by their names; picklable, so that workers of any engine may have it."""

    def read(self, name: str) -> SourceBytes:
        """Read one source.

        Args:
            name: of the source, never of a part of it.

        Returns:
            Its bytes.

        Raises:
            ImageError: there is no such source, or it cannot be read now, however often it was tried.
        """
        ...


@dataclass(frozen=True)
class FileReader:
    """Reads files of this machine."""

    def read(self, name: str) -> SourceBytes:
        """Read a regular file; nothing else is opened, as a pipe or a device could wait for ever.

        Args:
            name: its path.

        Returns:
            Its bytes.

        Raises:
            ImageError: it is missing, no regular file, or may not be read.
        """
        try:
            if not stat.S_ISREG(os.stat(name).st_mode):
                raise ImageError(Problem(name, "no regular file", "an image file"))
            return SourceBytes(name, Path(name).read_bytes())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ImageError(Problem(name, f"a file that cannot be read ({reason})", "a readable file")) from None
