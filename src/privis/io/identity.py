"""Which images are one image, whatever they are called."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Hashable, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ImageError
from privis.io import headers, images


def file_identity(path: str | Path) -> Hashable:
    """Give what other spellings of ``path``, links to it and other mounts of its folder share; it need not exist.

    >>> file_identity("./a.png") == file_identity("b/../a.png")
    True
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return _real(path)
    return ("file", status.st_dev, status.st_ino) if status.st_ino else _real(path)


def image_identities(sources: Sequence[Any]) -> list[Hashable]:
    """Give a key for every source, as `images.load` takes them: equal keys are one image.

    Those are: one file, whatever its path is; files of equal bytes; images in memory with equal pixels; a file and an
    image in memory with equal pixels. Two files with equal pixels and other bytes have different keys. Files are opened
    only where another one is of the same size, or an image in memory has the same dimensions. What cannot be read is
    known by its place alone.
    """
    keys: list[Hashable] = []
    files: dict[Hashable, str | Path] = {}
    dimensions: set[tuple[int, ...]] = set()
    for place, source in enumerate(sources):
        if isinstance(source, str | Path):
            keys.append(file_identity(source))
            files[keys[-1]] = source
        elif (pixels := _pixels(source)) is not None:
            keys.append(pixels)
            dimensions.add(pixels[1])
        else:
            keys.append(("place", place))
    same = _equal_bytes(files) | _equal_pixels(files, dimensions)
    return [same.get(key, key) for key in keys]


def _equal_bytes(files: dict[Hashable, str | Path]) -> dict[Hashable, Hashable]:
    """For files of which another one has the same size: what they contain."""
    sizes: dict[int, list[Hashable]] = {}
    for key, path in files.items():
        sizes.setdefault(_size(path), []).append(key)
    found: dict[Hashable, Hashable] = {}
    for size, alike in sizes.items():
        for key in alike if size and len(alike) > 1 else ():
            try:
                with open(files[key], "rb") as file:
                    found[key] = ("bytes", hashlib.file_digest(file, "sha256").hexdigest())
            except OSError:
                continue
    return found


def _equal_pixels(files: dict[Hashable, str | Path], dimensions: Set[tuple[int, ...]]) -> dict[Hashable, Hashable]:
    """For files with the ``dimensions`` of an image in memory: their pixels."""
    found: dict[Hashable, Hashable] = {}
    for key, path in files.items() if dimensions else ():
        shape = headers.shape(str(path))
        pixels = _pixels(path) if shape is not None and _unturned(shape) in dimensions else None
        if pixels is not None:
            found[key] = pixels
    return found


def _pixels(source: Any) -> tuple[str, tuple[int, ...], str] | None:
    try:
        pixels = images.load(source)
    except ImageError:
        return None
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return ("pixels", _unturned(pixels.shape), digest.hexdigest())


def _unturned(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Height and width in the order of their size: headers do not tell whether a picture lies on its side."""
    return tuple(sorted(shape[:2]))


def _size(path: str | Path) -> int:
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
