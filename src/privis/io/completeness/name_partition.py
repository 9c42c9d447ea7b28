"""Names by the order of their digests, in bounded memory: what cannot be sorted at once is parted on disk first."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from enum import IntEnum
from pathlib import Path
from typing import IO, NamedTuple

from privis.errors import OutputError, Problem
from privis.io.atomic import unwritable

BUCKETS = 64
_IN_MEMORY = 1 << 19  # bytes of a bucket before it goes to the disk
_DIGEST = hashlib.sha256().digest_size


class RecordRole(IntEnum):
    """What a name stands for in a run."""

    SOURCE = 0
    ROW = 1
    REFUSED = 2


class TaggedName(NamedTuple):
    """One name: its SHA-256 (32 bytes), what it stands for, and itself."""

    digest: bytes
    role: RecordRole
    name: str


def partitioned(names: Iterable[tuple[RecordRole, str]], scratch: Path | None = None) -> Iterator[list[TaggedName]]:
    """Give all ``names`` in groups by the first bits of their SHA-256, in the order of these bits.

    So equal names are in one group, and a group that is sorted follows the one before it. Memory holds one group, a
    64th of everything, and half a mebibyte for each that still grows; the rest is in temporary files without a name.

    Args:
        names: each with what it stands for.
        scratch: folder of the temporary files; None: that of the system.

    Yields:
        The groups, unsorted.

    Raises:
        OutputError: the temporary files cannot be written.

    >>> names = [(RecordRole.SOURCE, "a"), (RecordRole.ROW, "a"), (RecordRole.ROW, "b")]
    >>> [[(tagged.role.name, tagged.name) for tagged in group] for group in partitioned(names) if group]
    [[('ROW', 'b')], [('SOURCE', 'a'), ('ROW', 'a')]]
    """
    with ExitStack() as stack:
        try:
            files = [
                stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=scratch)) for _ in range(BUCKETS)
            ]
            for role, name in names:
                encoded = name.encode("utf-8", "surrogatepass")
                digest = hashlib.sha256(encoded).digest()
                files[digest[0] * BUCKETS >> 8].write(
                    digest + bytes([role]) + len(encoded).to_bytes(4, "little") + encoded
                )
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise unwritable((scratch or Path(tempfile.gettempdir())) / "names", error) from error
        for file in files:
            file.seek(0)
            yield list(_read(file))
            file.close()


def _read(file: IO[bytes]) -> Iterator[TaggedName]:
    while head := file.read(_DIGEST + 5):
        size = int.from_bytes(head[_DIGEST + 1 :], "little")
        encoded = file.read(size)
        if len(encoded) != size:
            where = "temporary files of names"
            raise OutputError(Problem(where, "one that lost its end", "a whole one", "run the same command again"))
        yield TaggedName(head[:_DIGEST], RecordRole(head[_DIGEST]), encoded.decode("utf-8", "surrogatepass"))
