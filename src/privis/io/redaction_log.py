"""What was painted in which picture: JSON lines beside the folder of painted pictures, from which a run goes on.

A line stands on the disk before the picture has its name, and holds digests of both files. So after a kill a picture
in the folder is known as made here, and one that is not in the log is never replaced. The first line has the number of
the format: a reader refuses any other; new keys of lines keep it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from privis.errors import OutputError, Problem
from privis.io.atomic import unwritable

FORMAT = "privis redaction 1"


@dataclass(frozen=True)
class LogKind:
    """One kind of such logs.

    Args:
        format: its name and number, in the first line.
        suffix: of the file beside the folder.
    """

    format: str
    suffix: str


REDACTION = LogKind(FORMAT, ".redaction.jsonl")
DEIDENTIFICATION = LogKind("privis deidentification 1", ".deidentification.jsonl")


@dataclass(frozen=True, eq=False)
class RedactionLog:
    """The log of one folder, open for this process alone.

    Args:
        path: of the file.
        entries: the last line of each picture, by its name below the folder.
        digests: of all files that were made under each name.
    """

    path: Path
    entries: dict[str, dict[str, Any]]
    digests: dict[str, set[str]] = field(repr=False)
    _file: IO[bytes] = field(repr=False)

    def append(self, entry: dict[str, Any]) -> None:
        """Write a line and wait until it is on the disk.

        Args:
            entry: what is said of one picture, with its ``name``.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")  # names that are no UTF-8 as escapes
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.entries[entry["name"]] = entry
        self.digests.setdefault(entry["name"], set()).add(entry["output"])

    def own(self, name: str, output: Path) -> bool:
        """Whether the file at ``output`` was made there by this run or an earlier one, and may be replaced.

        Args:
            name: of the picture below the folder.
            output: its path.

        Returns:
            Whether it is there and has the digest of one of its lines: a kill may have come between the last one and
            the file.
        """
        return name in self.digests and output.is_file() and digest_of(output) in self.digests[name]

    def made(self, name: str, output: Path) -> bool:
        """Whether the file at ``output`` is what this log says was made there.

        Args:
            name: of the picture below the folder.
            output: its path.

        Returns:
            Whether it is there and has the digest of its line.
        """
        entry = self.entries.get(name)
        return entry is not None and output.is_file() and digest_of(output) == entry["output"]


@contextmanager
def redaction_log(folder: Path, settings: str, kind: LogKind = REDACTION) -> Iterator[RedactionLog]:
    """Open the log of a folder, or begin it.

    Args:
        folder: of the painted pictures; the log is the file of its name with ``.redaction.jsonl`` beside it.
        settings: a digest of everything that decides what is painted.
        kind: of the log.

    Yields:
        The log.

    Raises:
        OutputError: it is no such log, was begun with other settings, is in use, or cannot be written.
    """
    path = log_path(folder, kind)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+b")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(Problem(str(path), "a log that another run writes", "one run at a time")) from None
        lines = _read(path, file, settings, kind)
        digests: dict[str, set[str]] = {}
        for line in lines:
            digests.setdefault(line["name"], set()).add(line["output"])
        yield RedactionLog(path, {line["name"]: line for line in lines}, digests, file)


def log_path(folder: Path, kind: LogKind = REDACTION) -> Path:
    """Where the log of a folder is.

    Args:
        folder: of the painted pictures.
        kind: of the log.

    Returns:
        The path beside it.

    >>> str(log_path(Path("out/painted/")))
    'out/painted.redaction.jsonl'
    """
    whole = Path(os.path.abspath(folder)) if folder.name in ("", "..") else folder
    return whole.with_name(whole.name + kind.suffix)


def digest_of(path: Path | str) -> str:
    """Compute the SHA-256 of a file.

    Args:
        path: of the file.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, file: IO[bytes], settings: str, kind: LogKind) -> list[dict[str, Any]]:
    file.seek(0)
    content = file.read()
    whole, _, torn = content.rpartition(b"\n")
    head = json.dumps({"format": kind.format, "settings": settings}).encode() + b"\n"
    if not whole and head.startswith(torn):
        file.truncate(0)
        file.write(head)
        file.flush()
        return []
    try:
        first, *lines = [json.loads(line) for line in whole.split(b"\n")]
        known = first["format"] == kind.format
        known &= all(isinstance(line["name"], str) and isinstance(line["output"], str) for line in lines)
        same = first["settings"] == settings
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        remedy = "move it away, or choose another folder for the output"
        raise OutputError(Problem(str(path), "a file of another kind, or a damaged one", "a log of redaction", remedy))
    if not same:
        remedy = "choose another folder for the output, or delete this one and its log"
        raise OutputError(Problem(str(path), "a run with other options", "the options that it was begun with", remedy))
    file.truncate(len(content) - len(torn))  # a kill in the middle of a line: its picture was not written
    return lines
