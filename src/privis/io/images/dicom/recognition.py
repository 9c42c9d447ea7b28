"""Whether a file is DICOM, told by its content and never by its name."""

from __future__ import annotations

import re
from pathlib import Path

_MAGIC, _PREAMBLE = b"DICM", 128
_LOOK = 4096
# Without preamble and file meta: group 0008 comes first, the length of the group or one of its first elements, and the
# class of the object, (0008,0016), is a storage class of the standard. Little and big endian, implicit and explicit VR.
_LITTLE = re.compile(rb"(?=\x08\0[\0-\x16]\0).*?\x08\0\x16\0(?:UI..|..\0\0)1\.2\.840\.10008\.5\.1\.4\.", re.DOTALL)
_BIG = re.compile(rb"(?=\0\x08\0[\0-\x16]).*?\0\x08\0\x16UI..1\.2\.840\.10008\.5\.1\.4\.", re.DOTALL)


def has_preamble(start: bytes) -> bool:
    """Whether a file begins with 128 bytes of anything and DICM (DICOM PS3.10, 7.1).

    Args:
        start: its first bytes, at least 132.
    """
    return start[_PREAMBLE : _PREAMBLE + len(_MAGIC)] == _MAGIC


def begins_as_dicom(start: bytes) -> bool:
    """Whether a file is DICOM, with a file meta header or without one.

    Args:
        start: its first bytes, as many as 4,096.

    >>> begins_as_dicom(bytes(128) + b"DICM"), begins_as_dicom(b"GIF89a")
    (True, False)
    """
    return has_preamble(start) or bool(_LITTLE.match(start) or _BIG.match(start))


def is_dicom(path: Path | str) -> bool:
    """Whether the file at ``path`` is DICOM.

    Args:
        path: of a regular file.

    Returns:
        False also where it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return begins_as_dicom(file.read(_LOOK))
    except OSError:
        return False
