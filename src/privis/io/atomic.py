"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from privis.errors import OutputError, Problem


@contextmanager
def replacing(path: Path, scratch: Path | None = None) -> Iterator[Path]:
    """Give a temporary path to write to; afterwards it takes the place of ``path``, unless there was an error.

    The bytes are on the disk before the name changes, so that even a power cut leaves the earlier file or the
    new one. ``scratch`` is the folder of the temporary file, by default that of ``path``; both must be on one
    file system.

    Raises:
        OutputError: it could not be written; the earlier file is untouched and the temporary one removed.
    """
    temporary = (scratch or path.parent) / f"{unfinished_prefix(path.name)}.{os.getpid()}.unfinished"
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def unfinished_prefix(name: str) -> str:
    """How names of temporary files for ``name`` begin; of one that fills a file system's 255 bytes with its digest.

    Args:
        name: of the file that is written.

    Returns:
        A hidden name, to which a process and an ending are added.

    >>> unfinished_prefix("a.png"), len(unfinished_prefix("照" * 80))
    ('.a.png', 33)
    """
    encoded = os.fsencode(name)
    return f".{name}" if len(encoded) <= 220 else f".{hashlib.sha256(encoded).hexdigest()[:32]}"


def check_writable(path: Path) -> None:
    """Refuse a ``path`` that could not be written at the end of long work, before that begins.

    Raises:
        OutputError: it is a folder, or its own folder is missing or may not be written.
    """
    if path.is_dir():
        remedy = f"try {path / ('features' + path.suffix)}"
        raise OutputError(Problem(str(path), "a folder", "a file name", remedy))
    if not path.parent.is_dir():
        got = "no such folder" if not path.parent.exists() else "a place inside a file"
        raise OutputError(Problem(str(path), got, "a folder that exists", f"mkdir -p {path.parent}"))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(Problem(str(path), "a folder you may not write", "one you may", "choose another folder"))


def flush(path: Path) -> None:
    """Have a file's bytes, or names that were added to a folder or removed from it, on the disk.

    Args:
        path: of the file or folder.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> OutputError:
    """Say in one sentence why ``path`` cannot be written and what to do."""
    remedies = {
        errno.ENOSPC: "free some space or choose another disk, then run the same command again",
        errno.EDQUOT: "free some of your quota or choose another disk, then run the same command again",
        errno.EFBIG: "raise the limit on file sizes (ulimit -f) or choose another disk",
        errno.EACCES: f"chmod u+w {path.parent}, or choose another folder",
        errno.EROFS: "choose a folder on a disk that can be written",
        errno.ENOENT: f"mkdir -p {path.parent}",
        errno.EISDIR: "choose another name",
    }
    reason = error.strerror or str(error)
    remedy = remedies.get(error.errno or 0, "choose another place")
    return OutputError(Problem(str(path), reason, "a file that can be written", remedy))
