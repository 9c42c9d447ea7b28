"""Names of parts of files: ``scan.dcm#frame=2`` is the second frame of ``scan.dcm``."""

from __future__ import annotations

import os
import re

_PART = re.compile(r"(.+)#frame=([1-9][0-9]{0,8})", re.DOTALL)


def part_named(path: str | os.PathLike[str], frame: int) -> str:
    """Name one frame of a file.

    Args:
        path: of the file.
        frame: its number, from 1.

    Returns:
        What stands for the frame wherever a path does.

    >>> part_named("scan.dcm", 2)
    'scan.dcm#frame=2'
    """
    return f"{os.fspath(path)}#frame={frame}"


def file_and_frame(path: str | os.PathLike[str]) -> tuple[str, int | None]:
    """Take the name of a part apart; a file that has such a name itself is that file.

    Args:
        path: of a file, or what `part_named` made.

    Returns:
        Path of the file, and the number of the frame, from 1; None where none is named.

    >>> file_and_frame("scan.dcm#frame=2"), file_and_frame("scan.dcm")
    (('scan.dcm', 2), ('scan.dcm', None))
    """
    name = os.fspath(path)
    found = _PART.fullmatch(name) if "#frame=" in name else None
    if found is None or os.path.lexists(name):
        return name, None
    return found[1], int(found[2])
