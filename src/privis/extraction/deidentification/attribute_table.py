"""What DICOM PS3.15 2024b, Table E.1-1, says is done with each attribute, and the options of Annex E that change it.

The codes of the table were read from its parsed form in the public repository ``innolitics/dicom-standard``. Numbers
that private elements may keep (Table E.3.10-1) are from a rendering of the standard of 2020; that they are those of
2024b was not checked.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Collection, Mapping
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType

EDITION = "2024b"
"""Of DICOM PS3.15, whose Table E.1-1 is held."""
_HERE = "privis.extraction.deidentification"


class Action(StrEnum):
    """What is done with an attribute, as Table E.1-1a means it."""

    REMOVE = "removed"
    EMPTY = "emptied"
    DUMMY = "replaced by a dummy"
    UID = "replaced by a new UID"
    CLEAN = "cleaned"
    KEEP = "kept"


class Retained(StrEnum):
    """Options of Annex E by which more stays than under the Basic Profile alone."""

    UIDS = "uids"
    DEVICE = "device"
    INSTITUTION = "institution"
    CHARACTERISTICS = "characteristics"
    DATES = "dates"
    """Modified: moved by a number of days that is the patient's own."""
    DESCRIPTORS = "descriptors"
    """Cleaned: words of the standard's vocabulary stay, others go."""
    PRIVATE = "private"
    """Only numbers of elements that the standard lists as safe."""


# Where the standard offers several actions for one attribute, the one that keeps every object valid: present and empty
# is allowed where absent is, a dummy where empty is.
_ACTIONS = {
    "X": Action.REMOVE,
    "Z": Action.EMPTY,
    "D": Action.DUMMY,
    "U": Action.UID,
    "X/Z": Action.EMPTY,
    "X/D": Action.DUMMY,
    "Z/D": Action.DUMMY,
    "X/Z/D": Action.DUMMY,
    "X/Z/U": Action.UID,
    "C": Action.CLEAN,
    "K": Action.KEEP,
}


def action_of(tag: int, retained: Collection[Retained]) -> Action | None:
    """Say what the table does with an attribute.

    Args:
        tag: group and element as one number.
        retained: options that are chosen.

    Returns:
        The action, or None for an attribute that the table does not name.

    >>> action_of(0x00100010, ())
    <Action.EMPTY: 'emptied'>
    >>> action_of(0x00080022, {Retained.DATES})
    <Action.CLEAN: 'cleaned'>
    """
    row = attribute_actions().get(tag)
    if row is None:
        return None
    for option in Retained:
        if option in retained and row.get(option):
            return _ACTIONS[row[option]]
    return _ACTIONS[row["basic"]]


@functools.cache
def attribute_actions() -> Mapping[int, Mapping[str, str]]:
    """Give the table: codes of the standard by tag, then by ``basic`` and names of options.

    Returns:
        The table; groups 50xx, 60xx and odd ones, which it names as a whole, are not in it.
    """
    rows = csv.DictReader((files(_HERE) / f"attribute_actions_{EDITION}.csv").read_text().splitlines())
    return MappingProxyType({int(row.pop("tag"), 16): MappingProxyType(row) for row in rows})


@functools.cache
def safe_private() -> Mapping[tuple[int, int, str], str]:
    """Give the numbers that private elements may keep.

    Returns:
        Value representations by group, last two digits of the element, and creator: of Table E.3.10-1 those that are
        numbers.
    """
    rows = csv.DictReader((files(_HERE) / "safe_private_elements.csv").read_text().splitlines())
    keys = ((int(row["group"], 16), int(row["element"], 16), row["creator"], row["vr"]) for row in rows)
    return MappingProxyType({(group, element, creator): vr for group, element, creator, vr in keys})
