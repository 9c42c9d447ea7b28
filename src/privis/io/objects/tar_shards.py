"""Members of tar shards, as WebDataset writes them: each image by its name, read by its place alone."""

from __future__ import annotations

import io
import os
import tarfile
from collections import Counter
from collections.abc import Iterator

from privis.errors import ImageError, Problem
from privis.io.objects.containers import bytes_at, opened
from privis.io.objects.object_store import MOST_BYTES
from privis.io.objects.source_bytes import SourceBytes
from privis.io.objects.source_names import MEMBER, Inside, PlacedName


def list_members(shard: str, suffixes: frozenset[str]) -> list[str]:
    """List the images of a shard; only headers are read.

    Args:
        shard: path or name of an object.
        suffixes: lower-case endings of images' names.

    Returns:
        Names of members in the order of the shard. A name that several members have is there once, and reading it says
        so. A shard that is damaged ends the list with its own name, and reading that says so.

    Raises:
        ImageError: it cannot be read at all.
    """
    found: list[str] = []
    with opened(shard) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # else it keeps every header
                    name = member.name
                    shown = not any(part.startswith(".") for part in name.split("/") if part not in (".", ".."))
                    if member.isreg() and shown and os.path.splitext(name)[1].lower() in suffixes:
                        place = (member.offset, tar.offset - member.offset)  # type: ignore[attr-defined]
                        found.append(PlacedName(f"{shard}{MEMBER}{name}", place))
        except (tarfile.TarError, ValueError, OverflowError):
            found.append(shard)
    often = {name for name, count in Counter(found).items() if count > 1}
    return list(dict.fromkeys(str(name) if name in often else name for name in found))


def read_member(name: str, where: Inside) -> SourceBytes:
    """Read one member of a shard.

    Args:
        name: of the source; one that says its place costs one request, else the headers of the shard are searched.
        where: its shard and its name there.

    Returns:
        Its bytes.

    Raises:
        ImageError: there is no such member, or several, or the shard is damaged or cannot be read.
    """
    if isinstance(name, PlacedName) and name.place[1] <= MOST_BYTES:
        data = bytes_at(where.container, *name.place)
        found = next(_members(io.BytesIO(data), where), None)  # its header says whose bytes these are
        if found is not None:
            return SourceBytes(name, found)
    with opened(where.container) as file:
        members = list(_two(_members(file, where)))
    if len(members) != 1:
        got = f"{'two members' if members else 'no member'} of this name in the shard"
        raise ImageError(Problem(name, got, "one"))
    return SourceBytes(name, members[0])


def _two(members: Iterator[bytes]) -> Iterator[bytes]:
    for _, member in zip(range(2), members, strict=False):
        yield member


def _members(file: io.BufferedIOBase | io.BytesIO, where: Inside) -> Iterator[bytes]:  # type: ignore[type-arg]
    """Whole members of the name that is asked for; a place that is no header has none."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                if member.name != where.name or not member.isreg():
                    continue
                if member.size > MOST_BYTES:
                    raise ImageError(
                        Problem(where.name, f"a member of {member.size:,} bytes", f"at most {MOST_BYTES:,}")
                    )
                content = tar.extractfile(member)
                data = b"" if content is None else content.read()
                if len(data) == member.size:
                    yield data
    except (tarfile.TarError, ValueError, OverflowError):
        return
