"""Which sources a name outside the file system, or a shard or table, stands for."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator

from privis.errors import ImageError
from privis.io.objects.http_objects import links_below
from privis.io.objects.image_tables import list_records
from privis.io.objects.object_store import bucket_and_key, list_objects
from privis.io.objects.source_names import SERVERS, TABLE, TAR, with_plain_scheme
from privis.io.objects.tar_shards import list_members

CONTAINERS = frozenset((TAR, TABLE))
"""Lower-case endings of names of shards and tables."""


def is_container(name: str) -> bool:
    """Whether a name ends as a tar shard's or a Parquet table's.

    >>> is_container("s3://bucket/000.tar"), is_container("a.jpg")
    (True, False)
    """
    return os.path.splitext(name)[1].lower() in CONTAINERS


def list_container(container: str, suffixes: frozenset[str]) -> list[str]:
    """List the images of a shard or table.

    Args:
        container: path or name of an object.
        suffixes: lower-case endings of images' names.

    Returns:
        Their names; for a container that is damaged its own, so that it is listed as what failed.

    Raises:
        MissingExtraError: what reads it is not installed.
    """
    try:
        is_table = container.lower().endswith(TABLE)
        return list_records(container) if is_table else list_members(container, suffixes)
    except ImageError:
        return [container]


def list_remote(name: str, suffixes: frozenset[str]) -> list[str]:
    """List what a name in a store or on a server stands for.

    Args:
        name: an object; a folder at any depth, which ends with ``/`` (a bucket alone is one); a glob; a shard or table.
        suffixes: lower-case endings of images' names.

    Returns:
        Names of sources; of folders and globs sorted, and only what is named like an image, by globs also what shards
        and tables hold.

    Raises:
        ImageError: a folder that cannot be listed.
        MissingExtraError: what reads it is not installed.
    """
    name = with_plain_scheme(name)
    server = name.partition("://")[0] in SERVERS
    if not server and not bucket_and_key(name)[1] and not name.endswith("/"):
        name += "/"
    magic = glob.has_magic(name.replace("?", "") if server else name)
    if not magic and not name.endswith("/"):
        return list_container(name, suffixes) if is_container(name) else [name]
    folder = _before_magic(name) if magic else name
    found: Iterable[str] = links_below(folder) if server else list_objects(folder)
    kept = sorted(
        each for each in found if each == name or (_is_shown(each[len(folder) :]) and (not magic or _fits(each, name)))
    )
    if magic and name in kept:  # a key may hold what globs are made of, as a file's name may
        return list_container(name, suffixes) if is_container(name) else [name]
    return list(_images(kept, suffixes, magic))


def _images(names: Iterable[str], suffixes: frozenset[str], containers: bool) -> Iterator[str]:
    for name in names:
        if os.path.splitext(name)[1].lower() in suffixes:
            yield name
        elif containers and is_container(name):
            yield from list_container(name, suffixes)


def _is_shown(below: str) -> bool:
    return not any(part.startswith(".") for part in below.split("/"))


def _before_magic(name: str) -> str:
    """The folder up to the first part of a glob."""
    head = name
    while glob.has_magic(head):
        head = head.rstrip("/").rpartition("/")[0]
    return head + "/"


def _fits(name: str, pattern: str) -> bool:
    return _parts_fit(name.split("/"), pattern.split("/"))


def _parts_fit(names: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return _parts_fit(names, pattern[1:]) or (bool(names) and _parts_fit(names[1:], pattern))
    return bool(names) and fnmatch.fnmatchcase(names[0], pattern[0]) and _parts_fit(names[1:], pattern[1:])
