"""Elements of a DICOM header by frame: per-frame functional groups before shared ones, before the top level."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PER_FRAME, SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"


def group_of(header: Any, group: str, frame: int) -> Any:
    """Give the item that says something of one frame (DICOM PS3.3, C.7.6.16).

    Args:
        header: the data set.
        group: keyword of the functional group's sequence.
        frame: number, from 0.

    Returns:
        The item of that frame, the shared one, or the data set itself.
    """
    frames = header.get(PER_FRAME) or ()
    places = [frames[frame]] if frame < len(frames) else []
    places += list(header.get(SHARED) or ())[:1]
    for place in places:
        items = place.get(group) or ()
        if len(items):
            return items[0]
    return header


def first_number(item: Any, keyword: str) -> float | None:
    """Give the first value of a number, or None where there is none.

    Args:
        item: a data set.
        keyword: of the element.

    Raises:
        ValueError: it is no finite number.
    """
    value = item.get(keyword)
    if value is None or value == "":
        return None
    if not isinstance(value, str | float | int):
        listed = list(value)
        if not listed:
            return None
        value = listed[0]
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(keyword)
    return number


def whole_number(header: Any, keyword: str, default: int) -> int:
    """Give an integer of the header, or ``default`` where it is absent or empty.

    Args:
        header: a data set.
        keyword: of the element.
        default: without it.

    Raises:
        ValueError: it is none.
    """
    value = first_number(header, keyword)
    if value is None:
        return default
    if value != int(value):
        raise ValueError(keyword)
    return int(value)


def lookup_table(item: Any, signed: bool, big_endian: bool) -> tuple[int, NDArray[np.int64], int]:
    """Read a Modality or VOI LUT (DICOM PS3.3, C.11.1 and C.11.2).

    Args:
        item: of the LUT's sequence.
        signed: whether the values that it maps have a sign.
        big_endian: whether words of the file are.

    Returns:
        The first value that is mapped, what values from there on become, and bits of that.

    Raises:
        ValueError: table and descriptor do not fit.
    """
    entries, first, bits = (int(value) for value in item.LUTDescriptor)
    entries = (entries & 0xFFFF) or 1 << 16
    first &= 0xFFFF
    if signed and first >= 1 << 15:
        first -= 1 << 16
    data = item.LUTData
    if isinstance(data, bytes):
        narrow = len(data) < 2 * entries
        table = np.frombuffer(data, "u1" if narrow else ">u2" if big_endian else "<u2").astype(np.int64)
    else:
        table = np.atleast_1d(np.asarray(data)).astype(np.int64) & 0xFFFF
    if not 1 <= bits <= 16 or len(table) < entries:
        raise ValueError("LUTDescriptor")
    return first, np.minimum(table[:entries], (1 << bits) - 1), bits
