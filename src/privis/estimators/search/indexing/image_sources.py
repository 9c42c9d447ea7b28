"""Images that go into an index: each with an id, whose it is, and what else is known of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.extraction.images import image_record, listed_images
from privis.io.images.file_parts import file_part
from privis.io.images.sources import find
from privis.io.resumable.contents import UNREADABLE, content
from privis.stores.vector_rows import Value
from privis.subjects import shortened, subject_ids

Metadata = Mapping[str, Sequence[Value]]
"""Columns by name, a value for each image."""


@dataclass(frozen=True, eq=False)
class ImageSources:
    """Images with what is known of them.

    Args:
        images: paths, PIL images or arrays.
        ids: of each, once: its path, or the digest of its pixels.
        subjects: whose each is; where nobody was named, each image is its own subject, called like its id.
        metadata: further columns, a value for each.
        refused: images that have no place here, and why.
        own: whether nobody was named.
    """

    images: tuple[Any, ...] = field(repr=False)
    ids: tuple[str, ...]
    subjects: tuple[str, ...]
    metadata: dict[str, tuple[Value, ...]]
    refused: dict[str, str]
    own: bool = False

    def __len__(self) -> int:
        return len(self.ids)


def image_sources(
    images: Any,
    ids: Sequence[str] | None = None,
    subjects: Sequence[Any] | None = None,
    metadata: Metadata | None = None,
) -> ImageSources:
    """Give every image an id and a subject.

    Args:
        images: a folder, or paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB.
        ids: of each; None: a file's path, and of anything else the digest of its pixels.
        subjects: whose each is, by the rules of `privis.subjects`; None: each image is its own.
        metadata: further columns, a value for each.

    Returns:
        The images, each id once; one that is given twice with the same subject counts once.

    Raises:
        ParameterError: no image, lengths that differ, ids that are none, or one id with two subjects; all at once.
    """
    listed = _listed(images)
    columns = {"ids": ids, "subjects": subjects, **{f"metadata {name}": c for name, c in (metadata or {}).items()}}
    problems = [
        Problem(f"Index {name}", f"{len(values)} values", f"{len(listed)}, one for each image")
        for name, values in columns.items()
        if values is not None and len(values) != len(listed)
    ]
    refuse(ParameterError, problems)
    refused: dict[str, str] = {}
    named = (
        [str(each) for each in ids]
        if ids is not None
        else [_id_of(n, image, refused) for n, image in enumerate(listed)]
    )
    given = None if subjects is None else subject_ids(subjects)
    kept: dict[str, tuple[int, str]] = {}
    for place, name in enumerate(named):
        if not name or not _is_text(name, refused):
            continue
        whose = given[place] if given is not None else _own_subject(name, refused)
        if whose is None:
            continue
        other = kept.setdefault(name, (place, whose))
        if other[0] != place and other[1] != whose:
            problems.append(Problem(name, f"under {other[1]!r} and {whose!r}", "one subject per image"))
        elif other[0] != place and ids is not None and not _same(listed[other[0]], listed[place]):
            problems.append(Problem("Index ids", f"{name!r} for two images", "each id once"))
    refuse(ParameterError, shortened(problems, "Index images"))
    places = [place for place, _ in kept.values()]
    extra = {name: tuple(values[place] for place in places) for name, values in (metadata or {}).items()}
    return ImageSources(
        tuple(listed[place] for place in places),
        tuple(kept),
        tuple(whose for _, whose in kept.values()),
        extra,
        refused,
        subjects is None,
    )


def source_digest(image: Any) -> str:
    """Digest what an image is: the bytes of a file, or pixels.

    Args:
        image: a path, the name of a part of a file (`privis.io.images.file_parts`), a PIL image or an array.

    Returns:
        SHA-256, hexadecimal.

    Raises:
        ImageError: it cannot be read.
    """
    if not isinstance(image, str | Path):
        return image_record(image).rpartition(" ")[2]
    part = file_part(image)
    if part.kind:
        whole = content(part.name)
        if whole == UNREADABLE:
            raise ImageError(Problem(part.name, "an error", "a file that can be read"))
        return hashlib.sha256(f"{whole} {part.kind}={part.words}".encode()).hexdigest()
    try:
        with open(image, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImageError(Problem(str(image), error.strerror or "an error", "a file that can be read")) from None


def _listed(images: Any) -> list[Any]:
    if isinstance(images, str | Path):
        return list(find([str(images)]))
    if isinstance(images, Iterable) and not hasattr(images, "shape"):
        images = [str(each) if isinstance(each, Path) else each for each in images]
    return listed_images(images)


def _id_of(number: int, image: Any, refused: dict[str, str]) -> str:
    if isinstance(image, str):
        return image
    try:
        return image_record(image)
    except ImageError as error:
        refused[f"image {number}"] = str(error)
        return ""


def _is_text(name: str, refused: dict[str, str]) -> bool:
    """Whether a store can hold an id; a name in bytes that are no Unicode is refused."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode(errors="backslashreplace").decode()
        refused[shown] = str(Problem(shown, "a name that is no Unicode", "text of UTF-8", "rename the file"))
        return False
    return True


def _own_subject(name: str, refused: dict[str, str]) -> str | None:
    try:
        return subject_ids([name], "path")[0]
    except ParameterError as error:
        refused[name] = f"{error}; or say whose it is"
        return None


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, str) and isinstance(second, str):
        return os.path.abspath(first) == os.path.abspath(second)
    return first is second or source_digest(first) == source_digest(second)
