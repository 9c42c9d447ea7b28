"""A second look at a written file, by other rules than those that made it: is anything left of whom it was?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from privis.extraction.deidentification.attribute_table import Action, Retained, action_of, safe_private
from privis.extraction.deidentification.header_rules import REMOVED
from privis.extraction.deidentification.identifying_words import IdentifyingWords, elements_of, spelled

_META = frozenset({0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013})
_OWN = frozenset({0x00120063, 0x00120064, 0x00080005, 0x00080060, 0x00280004})
"""What this program writes, and enumerations that a name may be like."""
_LONG = frozenset({"LT", "ST", "UT", "UC", "UR", "UN", "OB"})
_BYTES_SEARCHED = 4  # characters of a word that is looked for in bytes


def leftovers(
    original: Any,
    made: Any,
    content: bytes,
    words: IdentifyingWords,
    pseudonyms: Collection[str],
    retained: Collection[Retained],
) -> list[str]:
    """Look for what should be gone.

    Args:
        original: data set of the input.
        made: data set of the output, as it was read from the disk.
        content: bytes of the output without those of the pixels.
        words: that name people in the input.
        pseudonyms: what patients are called now.
        retained: options by which more stays.

    Returns:
        Places and kinds of what is left, without values; empty where nothing is.
    """  # fmt: skip
    found = [f"file meta header: {tag}" for tag in made.file_meta.keys() if int(tag) not in _META]
    if made.preamble and made.preamble.strip(b"\0"):
        found.append("preamble")
    before = _values_of(original, "UI")
    days = _placed(original)
    for place, element in _walk(made, ""):
        kind = _kind(element, place, words, pseudonyms, retained)
        if kind is None and element.VR == "UI" and Retained.UIDS not in retained:
            kind = "a UID of the original" if _values_of_element(element) & before else None
        if kind is None and element.VR in ("DA", "DT") and days.get(place) == str(element.value) != "":
            kind = "a date of the original" if action_of(int(element.tag), retained) is not Action.DUMMY else None
        if kind is not None:
            found.append(f"{place}: {kind}")
    return found + _in_bytes(content, words)


def _kind(
    element: Any, place: str, words: IdentifyingWords, pseudonyms: Collection[str], retained: Collection[Retained]
) -> str | None:
    tag, word, text = element.tag, str(element.VR), _text(element)
    if tag.is_private:
        listed = any(group == tag.group for group, _, _ in safe_private())
        return None if Retained.PRIVATE in retained and listed and not words.within(text) else "a private element"
    if 0x5000 <= tag.group <= 0x50FF or 0x6000 <= tag.group <= 0x60FF:
        return "a curve or overlay"
    if int(tag) in _OWN or word == "SQ" or int(tag) >= 0x7FE00000 or not text:
        return None
    if word == "PN" and text not in {*pseudonyms, REMOVED}:
        return "a name"
    action = action_of(int(tag), retained)
    if action is Action.REMOVE or (action is Action.EMPTY and text not in pseudonyms):
        return "an element that the table removes"
    if action is None and word in _LONG and text not in (REMOVED,) and not text.startswith("urn:oid:2.25."):
        return "free text" if word != "OB" or "LookupTable" not in element.keyword else None
    return "a word that names somebody" if word not in ("UI", "OW", "OF") and words.within(text) else None


def _text(element: Any) -> str:
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1").strip("\0")
    if isinstance(value, str) or not hasattr(value, "__iter__") or element.VR == "PN":
        return str(value)
    return "\\".join(str(each) for each in value)


def _walk(header: Any, place: str) -> Iterator[tuple[str, Any]]:
    for element in header:
        where = f"{place}({element.tag.group:04X},{element.tag.element:04X})"
        yield where, element
        if element.VR == "SQ":
            for number, item in enumerate(element.value or ()):
                yield from _walk(item, f"{where}[{number}].")


def _placed(header: Any) -> dict[str, str]:
    """Dates of the original by place; what cannot be read stands nowhere in the output."""
    try:
        return {place: str(element.value) for place, element in _walk(header, "") if element.VR in ("DA", "DT")}
    except Exception:  # a value that is none of its VR
        return {}


def _values_of(header: Any, word: str) -> set[str]:
    return {text for element in elements_of(header) if element.VR == word for text in _values_of_element(element)}


def _values_of_element(element: Any) -> set[str]:
    from pydicom.uid import UID_dictionary

    values = (
        element.value if hasattr(element.value, "__iter__") and not isinstance(element.value, str) else [element.value]
    )
    return {str(value) for value in values if value and str(value) not in UID_dictionary}


def _in_bytes(content: bytes, words: IdentifyingWords) -> list[str]:
    """Whole words, in one-byte alphabets and in both orders of two bytes, wherever they stand."""
    texts = {each for each in words.names | words.numbers if len(each) >= _BYTES_SEARCHED}
    plain = spelled(content.decode("latin-1"))
    wide = spelled(content.replace(b"\0", b"").decode("latin-1"))
    there = set(re.findall(r"[^\W_]+", plain)) | set(re.findall(r"[^\W_]+", wide))
    utf = set(re.findall(r"[^\W_]+", spelled(content.decode("utf-8", "ignore"))))
    return ["bytes of the file: a word that names somebody"] if texts & (there | utf) else []
