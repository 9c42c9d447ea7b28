"""Words of one file that name somebody: gathered where they must stand, looked for everywhere else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"[^\W_]+")
_LEAST, _LEAST_ID = 3, 4  # characters of a word of a name in Latin letters, and of a number
_IDS = frozenset(
    {
        *("PatientID", "OtherPatientIDs", "AccessionNumber", "AdmissionID", "MedicalRecordLocator", "ServiceEpisodeID"),
        *("PatientAddress", "PatientTelephoneNumbers", "StudyID"),
        *("PatientTelecomInformation", "FillerOrderNumberImagingServiceRequest"),
        *("PlacerOrderNumberImagingServiceRequest", "PersonAddress", "PersonTelephoneNumbers", "StaffID"),
    }
)
_COMMON = frozenset(
    "anonymous anonymized anonymised unknown none test patient male female removed prof doctor phantom".split()
)


@dataclass(frozen=True)
class IdentifyingWords:
    """Words of names and numbers of people, in one spelling.

    Args:
        names: single words.
        numbers: identifiers without spaces.
    """

    names: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, header: Any) -> IdentifyingWords:
        """Gather what elements at all levels say of people: all names, ids, addresses.

        Args:
            header: a pydicom data set.

        Returns:
            The words.
        """
        names: set[str] = set()
        numbers: set[str] = set()
        for element in elements_of(header):
            if element.VR == "PN":
                names.update(_words_of_names(str(element.value)))
            elif element.keyword in _IDS and element.VR != "SQ":
                values = element.value if isinstance(element.value, list | tuple) else [element.value]
                found = ("".join(spelled(str(value)).split()) for value in values)
                numbers.update(number for number in found if len(number) >= _LEAST_ID)
        return cls(frozenset(names - _COMMON), frozenset(numbers - _COMMON))

    def within(self, text: str) -> bool:
        """Whether a text has one of them.

        Args:
            text: of any spelling.

        Returns:
            True for a whole word of a name, or a number anywhere in it.
        """
        plain = spelled(text)
        if not self.names.isdisjoint(_WORD.findall(plain)):
            return True
        if not self.numbers:
            return False
        joined, words = "".join(plain.split()), set(_WORD.findall(plain))
        return any(number in words if len(number) < 6 else number in joined for number in self.numbers)


def elements_of(header: Any) -> Iterator[Any]:
    """Go over all elements of a data set that can be read, those in sequences included.

    Args:
        header: a pydicom data set.

    Yields:
        Elements.
    """
    for tag in list(header.keys()):
        try:
            element = header[tag]
            items = list(element.value) if element.VR == "SQ" and element.value else ()
        except Exception:  # a value that is not of its VR; who writes a file leaves it out
            continue
        yield element
        for item in items:
            yield from elements_of(item)


def spelled(text: str) -> str:
    """Give one spelling: no differences of case and width of letters, no accents.

    Args:
        text: any.

    Returns:
        The spelling.

    >>> spelled("MÜLLER")
    'muller'
    """
    parts = unicodedata.normalize("NFKD", text).casefold()
    return "".join(part for part in parts if not unicodedata.combining(part))


def _words_of_names(name: str) -> Iterable[str]:
    for word in _WORD.findall(spelled(name)):
        if len(word) >= _LEAST or (not word.isascii() and len(word) >= 2):
            yield word
