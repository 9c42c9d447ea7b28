"""Typed key files: the first line says what is inside, and a secret is readable by its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from privis.errors import OutputError, ParameterError, Problem

SECRET, PUBLIC = 0o600, 0o644


def write_key(path: str | Path, kind: str, content: bytes, mode: int) -> None:
    """Write ``content`` behind the line ``kind`` to a new file of ``mode``.

    Raises OutputError when the file exists or cannot be written: a key is never overwritten.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(kind.encode() + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        remedy = "keys are never overwritten: choose another name, or load this one"
        raise OutputError(Problem(str(path), str(error.strerror), f"a new file for a {kind}", remedy)) from error


def read_key(path: str | Path, kind: str, mode: int, most: int) -> bytes:
    """Read what ``write_key`` wrote, at most ``most`` bytes of it.

    Raises ParameterError when the file cannot be read, holds anything else, or is secret and readable by others.
    """
    try:
        with open(path, "rb") as file:
            found = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(len(kind) + 1 + most + 1)
    except OSError as error:
        raise ParameterError(Problem(str(path), str(error.strerror), f"a file with a {kind}")) from error
    if mode == SECRET and found & 0o077:
        remedy = "run: chmod 600, if nobody else has read it"
        raise ParameterError(Problem(str(path), f"mode {found:04o}", "mode 0600", remedy))
    head, _, body = content.partition(b"\n")
    if head != kind.encode() or not 0 < len(body) <= most:
        got = f"a {head.decode()}" if head.startswith(b"privis ") and head.isascii() else "something else"
        raise ParameterError(Problem(str(path), got, f"a {kind}"))
    return body
