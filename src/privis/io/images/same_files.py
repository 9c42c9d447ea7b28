"""Which files are one file, whatever their paths are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from privis.errors import PrivisError
from privis.io.images.file_parts import file_part, part_of_source
from privis.io.objects.any_source import AnySource
from privis.io.objects.object_store import object_size
from privis.io.objects.source_names import STORES, inside, is_elsewhere, is_remote, source_key

_REQUESTS = 8


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

    Objects of stores are asked for their sizes; what else is no file of this machine is read.

    Args:
        files: a path for each `file_identity`, or the name of a source that is no file.

    Returns:
        For those that could be read, what files of equal bytes share.
    """
    parts = {key: part_of_source(str(path)) if _is_away(path) else file_part(path) for key, path in files.items()}
    sizes: dict[int, list[str]] = {}
    wholes = list(dict.fromkeys(part.path for part in parts.values()))
    with ThreadPoolExecutor(_REQUESTS) as pool:
        asked = dict(
            zip(away := [whole for whole in wholes if _is_away(whole)], pool.map(_size_away, away), strict=True)
        )
        for whole in wholes:
            sizes.setdefault(asked[whole] if whole in asked else _size(whole), []).append(whole)
        opened = [whole for size, alike in sizes.items() if size and len(alike) > 1 for whole in alike]
        digests = {whole: _digest(whole) for whole in opened if whole not in asked}
        away = [whole for whole in opened if whole in asked]
        digests.update(zip(away, pool.map(_digest, away), strict=True))
    return {
        key: ("bytes", digests[part.path], *((part.kind, part.words) if part.kind else ()))
        for key, part in parts.items()
        if digests.get(part.path) is not None
    }


def _is_away(path: str | Path) -> bool:
    return is_elsewhere(str(path))


def _size_away(name: str) -> int:
    """Bytes of a source that is no file; 0 for what cannot be read, which a run says in its turn."""
    try:
        if name.lower().startswith(tuple(f"{scheme}://" for scheme in STORES)) and inside(name) is None:
            return object_size(name)
        return len(AnySource().read(name).data)
    except PrivisError:
        return 0


def _digest(whole: str) -> str | None:
    try:
        if _is_away(whole):
            return AnySource().read(whole).digest
        with open(whole, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, PrivisError):
        return None


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
