"""Which files are one file, whatever their paths are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Hashable, Mapping
from pathlib import Path

from privis.io.images.file_parts import file_and_frame


def file_identity(path: str | Path) -> Hashable:
    """Give what other spellings of ``path``, links to it and other mounts of its folder share; it need not exist.

    Frames of a file, as `privis.io.images.file_parts` names them, are apart.

    >>> file_identity("./a.png") == file_identity("b/../a.png")
    True
    """
    whole, frame = file_and_frame(path)
    if frame is not None:
        return ("frame", frame, file_identity(whole))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return _real(path)
    return ("file", status.st_dev, status.st_ino) if status.st_ino else _real(path)


def equal_bytes(files: Mapping[Hashable, str | Path]) -> dict[Hashable, Hashable]:
    """Give what the files contain of which another one has the same size; the others are not opened.

    Args:
        files: a path for each `file_identity`.

    Returns:
        For those that could be read, what files of equal bytes share.
    """
    sizes: dict[int, list[Hashable]] = {}
    for key, path in files.items():
        sizes.setdefault(_size(path), []).append(key)
    found: dict[Hashable, Hashable] = {}
    for size, alike in sizes.items():
        for key in alike if size and len(alike) > 1 else ():
            try:
                whole, frame = file_and_frame(files[key])
                with open(whole, "rb") as file:
                    found[key] = ("bytes", hashlib.file_digest(file, "sha256").hexdigest(), *([frame] if frame else []))
            except OSError:
                continue
    return found


def _size(path: str | Path) -> int:
    """Bytes of a file; 0 for whatever else there is, which is not to be opened."""
    try:
        status = os.stat(file_and_frame(path)[0])
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _real(path: str | Path) -> Hashable:
    try:
        return ("path", os.path.realpath(path))
    except ValueError:  # a NUL character
        return ("path", str(path))
