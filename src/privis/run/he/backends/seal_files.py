"""Files of Microsoft SEAL, put together from several: one set of rotation keys from sets of one key each.

Layout of a file: 16 bytes of header (magic, its size, version, compression, the size of the whole file), then the
content, compressed. That of keys: the name of their ring (32 bytes), how many places there are (64 bits,
little-endian), and for each place how many ciphertexts it has, and these; a rotation by the Galois element ``e`` has
the place ``(e - 1) / 2``, and a set ends with the last one that is there.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from privis.errors import Problem, ProtocolError

_HEADER, _COMPRESSION = 16, 5  # bytes of the header, and where it names the compression
_NAME, _NUMBER = 32, struct.Struct("<Q")
_START = _NAME + _NUMBER.size  # where the first place begins
PLAIN, _ZSTD = 0, 2
_BLOCK = 1 << 20


@contextmanager
def saved(saveable: Any) -> Iterator[BinaryIO]:
    """What ``saveable.save(path)`` writes, as a file in memory, open within the block."""
    with os.fdopen(os.memfd_create("ckks"), "r+b") as file:
        saveable.save(f"/proc/self/fd/{file.fileno()}")
        yield file


def to_bytes(saveable: Any) -> bytes:
    """What ``saveable.save(path)`` would write."""
    with saved(saveable) as file:
        return file.read()


def plain_content(file: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The header of a file of the library, and its content as it is uncompressed, to be read once.

    Raises ProtocolError where it is compressed in another way than Zstandard.
    """
    header = file.read(_HEADER)
    kind = header[_COMPRESSION] if len(header) == _HEADER else -1
    if kind not in (PLAIN, _ZSTD):
        raise ProtocolError(Problem("SEAL file", f"compression {kind}", "none or Zstandard"))
    if kind == PLAIN:
        return header, file
    import pyarrow  # here alone: its start takes as long as an encrypted image of a small network

    return header, pyarrow.CompressedInputStream(pyarrow.PythonFile(_Unclosed(file), "r"), "zstd")


def write_galois_keys(file: BinaryIO, sets: Iterable[tuple[int, BinaryIO]]) -> None:
    """Write the keys of several sets as one, through a few megabytes of memory.

    Args:
        file: can seek; what is before its position stays.
        sets: Galois elements, ascending, and files of the library with the key of each.

    Raises:
        ProtocolError: a file is none with this key.
    """
    import pyarrow

    start, header, at, places = file.tell(), b"", 0, 0
    compressed = None
    for element, own in sets:
        found, content = plain_content(own)
        place, head = (element - 1) // 2, content.read(_START)
        if compressed is None:
            header = found[:_COMPRESSION] + bytes([_ZSTD]) + found[_COMPRESSION + 1 : -_NUMBER.size]
            file.write(header + bytes(_NUMBER.size))
            compressed = pyarrow.CompressedOutputStream(pyarrow.PythonFile(_Unclosed(file), "w"), "zstd")
            compressed.write(head)
            (places,) = _NUMBER.unpack_from(head, _NAME)
        is_there = at <= place < places and not any(_exactly(content, _NUMBER.size * place))
        if not is_there or not any(count := _exactly(content, _NUMBER.size)):
            raise ProtocolError(Problem("rotation keys", f"no key for the automorphism {element}", "a set with it"))
        compressed.write(bytes(_NUMBER.size * (place - at)) + count)
        _copy(content, compressed, _NUMBER.size * (places - place - 1))
        at = place + 1
    if compressed is not None:
        compressed.write(bytes(_NUMBER.size * (places - at)))
        compressed.close()
        end = file.tell()
        file.seek(start + len(header))
        file.write(_NUMBER.pack(end - start))
        file.seek(end)


def _exactly(content: BinaryIO, count: int) -> bytes:
    data = content.read(count)
    if len(data) < count:
        raise ProtocolError(Problem("rotation keys", "a file cut short", "what the library wrote"))
    return data


def _copy(content: BinaryIO, target: Any, left: int) -> None:
    """All but the last ``left`` bytes."""
    waiting = b""
    while block := content.read(_BLOCK):
        waiting += block
        if len(waiting) > left:
            target.write(waiting[: len(waiting) - left])
            waiting = waiting[len(waiting) - left :]


class _Unclosed(io.RawIOBase):
    """A file that stays open when what reads or writes it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        """Asked for by pyarrow, as all of these."""
        return True

    def writable(self) -> bool:
        """Whether the file may be written to, of which only `write` knows more."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes."""
        return self._file.read(size)

    def write(self, data: Any) -> int:
        """Write ``data``, all of it."""
        return self._file.write(data)
