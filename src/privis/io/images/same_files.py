"""Which files are one file, whatever their paths are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Hashable, Mapping
from pathlib import Path

from privis.io.images.file_parts import file_part
from privis.io.objects.source_names import inside, is_elsewhere, is_remote, source_key


def file_identity(path: str | Path) -> Hashable:
    """Give what other spellings of ``path``, links to it and other mounts of its folder share; it need not exist.

    Parts of a file, as `privis.io.images.file_parts` names them, are apart.

    >>> file_identity("./a.png") == file_identity("b/../a.png")
    True
    """
    name = str(path)
    if is_remote(name):
        return ("elsewhere", source_key(name))
    if is_elsewhere(name) and (found := inside(name)) is not None:
        return ("inside", file_identity(found.container), name[len(found.container) :])
    part = file_part(path)
    if part.kind:
        return (part.kind, part.words, file_identity(part.path))
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
    parts = {key: file_part(path) for key, path in files.items()}
    sizes: dict[int, list[str]] = {}
    for whole in dict.fromkeys(part.path for part in parts.values()):
        sizes.setdefault(_size(whole), []).append(whole)
    digests: dict[str, str] = {}
    for size, alike in sizes.items():
        for whole in alike if size and len(alike) > 1 else ():
            try:
                with open(whole, "rb") as file:
                    digests[whole] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                continue
    return {
        key: ("bytes", digests[part.path], *((part.kind, part.words) if part.kind else ()))
        for key, part in parts.items()
        if part.path in digests
    }


def _size(path: str | Path) -> int:
    """Bytes of a file; 0 for whatever else there is, which is not to be opened."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _real(path: str | Path) -> Hashable:
    try:
        return ("path", os.path.realpath(path))
    except ValueError:  # a NUL character
        return ("path", str(path))
