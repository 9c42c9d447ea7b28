"""What lies inside files: pages of Parquet and Arrow, compressed members at any place, cells of SQLite.

Nothing that is found is executed. What cannot be opened is named, so that nothing is claimed of it.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MOST_UNPACKED = 1 << 33
"""Bytes that one member may unpack to; of what is longer the rest counts as not searched."""
_BLOCK = 1 << 20
_PIECE = 1 << 16  # of a stream that may break off: the piece in which it does is lost
_LEAST = 64  # bytes that a member has to give to be one
_BATCH_ROWS = 4096
_ZSTD, _LZ4 = b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"

MEMBERS = re.compile(
    rb"\x1f\x8b\x08[\x00-\x1f]|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|BZh[1-9]1AY|\xfd7zXZ\x00|\x78[\x01\x5e\x9c\xda]"
)
"""How gzip, zstd, LZ4, bzip2, xz and zlib begin."""


@dataclass(frozen=True)
class Unpacked:
    """A part of what was inside.

    Args:
        how: how it was read.
        content: bytes.
        texts: whole values of text, where there are some.
    """

    how: str
    content: bytes | memoryview
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Unreadable:
    """Something inside that could not be read.

    Args:
        how: how it would have been read.
        reason: why it was not.
    """

    how: str
    reason: str


Inside = Iterator[Unpacked | Unreadable]


def inside_of(file: BinaryIO, path: Path | None, texts: frozenset[str]) -> Inside:
    """Read what a file of a known kind holds inside.

    Args:
        file: open for reading; its position changes.
        path: where it is; None: it is in memory only.
        texts: whole values that are looked for.

    Yields:
        Contents, and what could not be read.
    """
    file.seek(0)
    start = file.read(16)
    if start.startswith(b"PAR1"):
        yield from _told("decompressed pages", lambda: _parquet(file, texts))
    elif start.startswith(b"ARROW1"):
        yield from _told("Arrow batches", lambda: _arrow(file, texts))
    elif start.startswith(b"SQLite format 3\0") and path is not None:
        yield from _told("cells", lambda: _sqlite(path, texts))
    elif start.startswith(b"PK"):
        yield from _told("unpacked members", lambda: _zip(file))


def _told(how: str, read: Callable[[], Inside]) -> Inside:
    try:
        yield from read()
    except Exception as error:  # whatever damaged bytes do to a reader, they are not searched
        if isinstance(error, MemoryError):
            raise
        yield Unreadable(how, f"{type(error).__name__}: {error}"[:200])


def _parquet(file: BinaryIO, texts: frozenset[str]) -> Inside:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as held:
        for batch in held.iter_batches(_BATCH_ROWS, use_threads=False):
            yield _batch("decompressed pages", batch, texts)


def _arrow(file: BinaryIO, texts: frozenset[str]) -> Inside:
    import pyarrow

    file.seek(0)
    reader = pyarrow.ipc.open_file(file)
    for place in range(reader.num_record_batches):
        yield _batch("Arrow batches", reader.get_batch(place), texts)


def _batch(how: str, batch: Any, texts: frozenset[str]) -> Unpacked:
    import pyarrow
    import pyarrow.compute

    found: set[str] = set()
    wanted = pyarrow.array(sorted(texts), pyarrow.string())
    for column in batch.columns:
        if pyarrow.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if texts and (pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type)):
            cells = column.cast(pyarrow.string())
            found |= set(cells.filter(pyarrow.compute.is_in(cells, value_set=wanted)).to_pylist())
    return Unpacked(how, memoryview(batch.serialize()), frozenset(found))


def _sqlite(path: Path, texts: frozenset[str]) -> Inside:
    link = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        link.text_factory = bytes
        tables = link.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0").fetchall()
        wanted = {text.encode("utf-8", "surrogatepass"): text for text in texts}
        for (name,) in tables:
            quoted = name.decode().replace('"', '""')
            rows = link.execute(f'SELECT * FROM "{quoted}"')
            while some := rows.fetchmany(256):
                cells = [cell for row in some for cell in row if isinstance(cell, bytes)]
                content = b"".join(cell + bytes(16) for cell in cells)
                yield Unpacked("cells", content, frozenset(wanted[cell] for cell in cells if cell in wanted))
    finally:
        link.close()


def _zip(file: BinaryIO) -> Inside:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.compress_type == zipfile.ZIP_STORED:
                continue  # its bytes are those of the file
            with archive.open(member) as opened:
                yield from _blocks("unpacked members", iter(lambda: opened.read(_BLOCK), b""))


def member_at(file: BinaryIO, offset: int) -> Inside:
    """Decompress what may begin somewhere in a file.

    Args:
        file: open for reading; its position changes.
        offset: where `MEMBERS` matched.

    Yields:
        Contents; nothing where these bytes are no compressed member.
    """
    file.seek(offset)
    start = file.read(4)
    file.seek(offset)
    read = _streamed(file) if start in (_ZSTD, _LZ4) else _inflated(file, start)
    yield from _blocks("unpacked members", read)


def _blocks(how: str, blocks: Iterator[bytes]) -> Inside:
    total, first = 0, b""
    for block in blocks:
        total += len(block)
        if total < _LEAST:
            first += block
            continue
        yield Unpacked(how, first + block)
        first = b""
        if total > MOST_UNPACKED:
            yield Unreadable(how, f"a member of more than {MOST_UNPACKED >> 30} GiB")
            return


def _inflated(file: BinaryIO, start: bytes) -> Iterator[bytes]:
    engine: Any = zlib.decompressobj(47)  # zlib or gzip by their header
    if start.startswith(b"BZh"):
        engine = bz2.BZ2Decompressor()
    elif start.startswith(b"\xfd7zX"):
        engine = lzma.LZMADecompressor()
    limit = 512  # most of what only looks like a member ends within some bytes
    while not engine.eof and (block := file.read(limit)):
        limit = _BLOCK
        try:
            while block or not getattr(engine, "needs_input", True):
                part = engine.decompress(block, _BLOCK)
                if part:
                    yield part
                block = getattr(engine, "unconsumed_tail", b"")
                if engine.eof:
                    return
        except (zlib.error, OSError, lzma.LZMAError, EOFError):
            return


def _streamed(file: BinaryIO) -> Iterator[bytes]:
    """Decompress one frame of zstd or LZ4: its reader would take what follows for another one, and give nothing."""
    import pyarrow

    begin, kind = file.tell(), "zstd" if file.read(4) == _ZSTD else "lz4"
    end = _zstd_end(file) if kind == "zstd" else _lz4_end(file)
    file.seek(begin)
    if end is None:
        return
    try:
        with pyarrow.CompressedInputStream(pyarrow.PythonFile(_Part(file, end - begin), "r"), kind) as stream:
            while block := stream.read(_PIECE):
                yield block
    except (OSError, pyarrow.ArrowException):
        return


def _zstd_end(file: BinaryIO) -> int | None:
    """Where a frame ends, by the lengths of its blocks (RFC 8878, section 3.1.1); None: it is none."""
    flags = file.read(1)
    if not flags or flags[0] & 0x08:
        return None
    single, size = flags[0] >> 5 & 1, flags[0] >> 6
    file.seek((not single) + (0, 1, 2, 4)[flags[0] & 3] + ((1 if single else 0), 2, 4, 8)[size], io.SEEK_CUR)
    while len(head := file.read(3)) == 3:
        word = int.from_bytes(head, "little")
        kind, length = word >> 1 & 3, word >> 3
        if kind == 3 or length > 1 << 17:
            return None
        file.seek(1 if kind == 1 else length, io.SEEK_CUR)
        if word & 1:
            return file.tell() + 4 * (flags[0] >> 2 & 1)
    return file.seek(0, io.SEEK_END)  # a frame that was cut off


def _lz4_end(file: BinaryIO) -> int | None:
    """Where a frame of LZ4 ends, by the lengths of its blocks; None: it is none."""
    flags = file.read(2)
    if len(flags) < 2 or flags[0] >> 6 != 1:
        return None
    file.seek(8 * (flags[0] >> 3 & 1) + 4 * (flags[0] & 1) + 1, io.SEEK_CUR)
    while len(head := file.read(4)) == 4:
        length = int.from_bytes(head, "little") & 0x7FFFFFFF
        if not length:
            return file.tell() + 4 * (flags[0] >> 2 & 1)
        if length > 1 << 23:
            return None
        file.seek(length + 4 * (flags[0] >> 4 & 1), io.SEEK_CUR)
    return file.seek(0, io.SEEK_END)


class _Part(io.RawIOBase):
    """The next bytes of a file, as one that its reader does not close."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block
