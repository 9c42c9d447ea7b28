"""Words that may stay in a text: the standard's own terms, units, small numbers. All others are dropped."""

from __future__ import annotations

import functools
import re
from collections import Counter

from privis.extraction.deidentification.identifying_words import IdentifyingWords, spelled

_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_SMALL = re.compile(r"\d{1,3}(\.\d{1,2})?(mm|cm|kv|kvp|ma|mas|ms|s|hz|mhz|t|d|ml|%|min)?|[a-z]\d{0,2}|\d[a-z]")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_TERMS = frozenset(
    "ct mr mri pet us cr dx mg xa nm rf ax axial axi sag sagittal cor coronal obl oblique tra transversal ap pa lat "
    "w wo with without contrast pre post flair tse fse se gre epi stir dwi adc swi tof mip mpr mra cta hrct fs fat sat "
    "t1w t2w pdw t2star localizer scout topogram survey series recon reconstruction abd abdomen pelvis chest thorax "
    "head neck brain spine cervical lumbar thoracic knee hip shoulder ankle wrist hand foot elbow lung bone soft "
    "tissue kernel standard arterial venous portal delayed phase late early left right lt rt bilateral and of the for "
    "to in on study exam protocol routine screening mammo mammography echo ultrasound doppler xray 2d 3d 4d".split()
)
_USES = 4
"""In names of the standard: what stands there less often is, too often, the name of somebody."""
_NAMES = frozenset(  # of people, places and firms of the standard, and words that are often names
    "allen black brown green white young long short may june april august grace grant frank mark rose ray bill "
    "williams miller taylor moore lee harris lewis robinson walker flores nelson hall campbell james robert "
    "george jacob alexander jack lawrence bruce albert russell mason cooper richardson gray cruz murray simpson "
    "hunter boyd kennedy burns gordon robertson stone hill wood field park lane cross king knight page price rice "
    "best love day west north south east".split()
)


@functools.cache
def allowed_words() -> frozenset[str]:
    """Give words of the standard: of names of attributes and of codes (PS3.6, PS3.16), as pydicom holds them.

    Returns:
        In one spelling, without those that are common names of people.
    """
    from pydicom.datadict import DicomDictionary
    from pydicom.sr import _concepts_dict

    counts: Counter[str] = Counter()
    for entry in DicomDictionary.values():
        counts.update(spelled(word) for word in _WORD.findall(entry[2]))
    for scheme in _concepts_dict.concepts.values():
        for keyword in scheme:
            counts.update(spelled(word) for word in _CAMEL.findall(keyword))
    frequent = {word for word, count in counts.items() if count >= _USES and len(word) > 1 and not word.isdigit()}
    return frozenset((frequent - _NAMES) | _TERMS)


def cleaned_text(text: str, words: IdentifyingWords) -> str:
    """Keep of a text what the standard's vocabulary has, in its order.

    Args:
        text: any.
        words: that name people in this file; they never stay.

    Returns:
        The rest, which may be empty; the text itself where every word may stay.
    """
    found = _WORD.findall(text)
    kept = [word for word in found if _allowed(spelled(word)) and not words.within(word)]
    if not kept or words.within("".join(kept)):
        return ""
    return text if len(kept) == len(found) else " ".join(kept)


def _allowed(word: str) -> bool:
    return word in allowed_words() or _SMALL.fullmatch(word) is not None
