"""Bytes of a ledger on the disk, and what is said when they cannot be read or written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from privis.errors import DamagedLedgerError, OutputError, Problem
from privis.file_formats import FileFormat

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Wording:
    """What errors call a kind of ledger, what does not happen where one refuses, and its command.

    ``released`` and ``again`` are what happens on an entry, and what to do when the disk refused one.
    """

    noun: str
    entry: str
    released: str
    again: str
    command: str
    form: FileFormat


PRIVACY = Wording("ledger", "charge", "released", "then run the same command again", "privis ledger", FileFormat.LEDGER)
"""Words about privacy budgets."""


def damaged(path: Path, what: str, words: Wording = PRIVACY) -> DamagedLedgerError:
    """The error of a ledger at ``path`` that is not what was written."""
    remedy = f"nothing is {words.released} on its account; see: {words.command} verify {path}"
    return DamagedLedgerError(Problem(f"{words.noun} {path}", what, "an unbroken chain", remedy))


@contextlib.contextmanager
def written(path: Path, words: Wording = PRIVACY) -> Iterator[None]:
    """Raise OutputError, which says that nothing was released, where the disk refuses."""
    try:
        yield
    except OSError as error:
        remedy = f"nothing was {words.released}; free space or mend the disk, {words.again}"
        expected = f"a {words.entry} on the disk"
        raise OutputError(Problem(f"{words.noun} {path}", str(error.strerror), expected, remedy)) from error


def write(file: int, data: bytes, start: int) -> None:
    """Write all of ``data`` at the offset ``start``."""
    while data:
        count = os.pwrite(file, data, start)
        data, start = data[count:], start + count


def contents(file: int, start: int = 0) -> bytes:
    """Read a file from ``start`` to its end."""
    data = bytearray()
    while part := os.pread(file, _READ_BYTES, start + len(data)):
        data += part
    return bytes(data)


def head_path(path: str | os.PathLike[str]) -> Path:
    """The file that holds the head of the ledger at ``path``."""
    return Path(f"{os.fspath(path)}.head")


def sync_folder(path: Path) -> None:
    """Have a new file's name on the disk."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
