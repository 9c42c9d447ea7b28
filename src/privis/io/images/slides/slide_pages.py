"""TIFFs that are slides: their further pages are levels, and photographs of the glass with its label."""

from __future__ import annotations

from typing import Any

_DESCRIPTION, _SOFTWARE, _XMP = 270, 305, 700
_NDPI = 65420
_WORDS = (
    (_DESCRIPTION, ("Aperio", "leica-microsystems.com/scn")),
    (_SOFTWARE, ("MedScan", "Philips", "NDP.scan")),
    (_XMP, ("iScan", "EncodeInfo")),
)


def is_slide_page(tags: Any) -> bool:
    """Whether a scanner of slides wrote a page, as far as its tags say (OpenSlide, descriptions of formats).

    Args:
        tags: values by number, as Pillow's ``tag_v2``.

    >>> is_slide_page({270: "Aperio Image Library v11.2.1"}), is_slide_page({270: "a photo"})
    (True, False)
    """
    if _NDPI in tags:
        return True
    return any(word in _text(tags.get(number)) for number, words in _WORDS for word in words)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        value = value[0] if value else ""
    return value[:4096].decode("latin-1") if isinstance(value, bytes) else str(value or "")[:4096]
