"""Framing: several byte strings in one, as their number, the length of each, and their bytes.

Layout: magic with the format's number, the count (32 bits), the lengths (64 bits each, big-endian), the bytes. A change
takes a new number in the magic; readers refuse any other.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from typing import BinaryIO

from privis.errors import Problem, ProtocolError

_MAGIC = b"PRIVIS frames 1\n"
_COUNT = struct.Struct(">I")
_LENGTH = struct.Struct(">Q")


def join(parts: Sequence[bytes]) -> bytes:
    """One byte string of all ``parts``.

    >>> split(join([b"first", b"", b"third"]), "a message")
    [b'first', b'', b'third']
    """
    return b"".join([_MAGIC, _COUNT.pack(len(parts)), *(_LENGTH.pack(len(part)) for part in parts), *parts])


def write_joined(file: BinaryIO, writers: Sequence[Callable[[BinaryIO], None]]) -> None:
    """Write what ``join`` would make of parts that are written one after the other; ``file`` can seek.

    >>> import io
    >>> file = io.BytesIO()
    >>> write_joined(file, [lambda own: own.write(b"first"), lambda own: None])
    >>> file.getvalue() == join([b"first", b""])
    True
    """
    start, lengths = file.tell(), []
    file.write(bytes(overhead(len(writers))))
    for write in writers:
        before = file.tell()
        write(file)
        lengths.append(file.tell() - before)
    end = file.tell()
    file.seek(start)
    file.write(b"".join([_MAGIC, _COUNT.pack(len(lengths)), *map(_LENGTH.pack, lengths)]))
    file.seek(end)


def overhead(count: int) -> int:
    """Bytes that ``join`` adds to ``count`` parts."""
    return len(_MAGIC) + _COUNT.size + count * _LENGTH.size


def split(data: bytes | memoryview, what: str, count: int | None = None) -> list[bytes]:
    """The parts that were joined; ProtocolError unless ``data`` is exactly that, of ``count`` parts if given."""
    where = places(lambda start, length: data[start : start + length], len(data), what, count)
    return [bytes(data[start : start + length]) for start, length in where]


def places(
    read: Callable[[int, int], bytes | memoryview], size: int, what: str, count: int | None = None
) -> tuple[tuple[int, int], ...]:
    """First byte and length of each part that was joined, by reading what stands before the parts.

    Args:
        read: gives the bytes from a first one on, of a length.
        size: bytes that there are.
        what: it is, for sentences.
        count: parts that there must be; None: any number.

    Returns:
        The places of the parts.

    Raises:
        ProtocolError: it is anything else.
    """
    start = len(_MAGIC) + _COUNT.size
    expected = "a message as it was made" if count is None else f"a message of {count} parts"
    wrong = ProtocolError(Problem(what, f"{size:,} bytes that are none", expected, "make and send it again"))
    head = bytes(read(0, min(start, size)))
    if len(head) < start or head[: len(_MAGIC)] != _MAGIC:
        raise wrong
    (found,) = _COUNT.unpack_from(head, len(_MAGIC))
    if count not in (None, found) or size < overhead(found):
        raise wrong
    words = bytes(read(start, found * _LENGTH.size))
    if len(words) != found * _LENGTH.size:
        raise wrong
    lengths = [length for (length,) in _LENGTH.iter_unpack(words)]
    if overhead(found) + sum(lengths) != size:
        raise wrong
    ends = list(itertools.accumulate(lengths, initial=overhead(found)))
    return tuple(zip(ends, lengths, strict=False))
