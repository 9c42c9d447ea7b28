"""A header without the people in it: the table first, then what value representations tell, at every level."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from privis.extraction.deidentification.allowed_words import cleaned_text
from privis.extraction.deidentification.attribute_table import Action, Retained, action_of, safe_private
from privis.extraction.deidentification.export_key import ExportKey, patient_form
from privis.extraction.deidentification.identifying_words import IdentifyingWords

REMOVED = "REMOVED"
"""Where the standard wants a text of at least one character."""
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_TEXTS = frozenset({"LT", "ST", "UT", "UC", "UR", "UN", "PN", "AE"})
_BYTES = frozenset({"OB", "OW"})
_BINARY = frozenset(  # that hold numbers alone; what else is in bytes goes
    {
        *("LUTData", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "WaveformData"),
        *("BluePaletteColorLookupTableData", "AlphaPaletteColorLookupTableData", "WaveformPaddingValue"),
        *("SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData"),
        *("SegmentedBluePaletteColorLookupTableData", "ChannelMinimumValue", "ChannelMaximumValue"),
        *("PixelPaddingValue", "PixelPaddingRangeLimit", "SmallestImagePixelValue", "LargestImagePixelValue"),
    }
)
_TECHNICAL = frozenset(  # short texts that devices write and programs need; words that name somebody never stay
    {
        *("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel", "SequenceName"),
        *("PulseSequenceName", "RescaleType", "ReceiveCoilName", "TransmitCoilName", "ImagingFrequency"),
        *("TransducerType", "RadionuclideTotalDose", "Units", "FilterType", "CodingSchemeVersion", "ContextIdentifier"),
        *("PositionReferenceIndicator", "WindowCenterWidthExplanation", "LUTExplanation", "ImagedNucleus"),
    }
)
_SCHEMES = frozenset(
    "DCM SRT SCT SNM3 99SDM LN UCUM ICD10 ICD9 I9C I10 FMA NEU RADLEX BI BARI MDC UMLS NCIt RFC3881".split()
)
_CODE = re.compile(r"[A-Za-z0-9.\-/%\[\]{}*^']{1,16}")
_CODE_STRING = re.compile(r"[A-Z0-9_ ./+\-&]{1,16}")  # a little more than the standard has, as devices write it
_DECIMAL = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *")
_AGE = re.compile(r"(\d{3})([DWMY])")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"\d{2}:?(\d{2}:?(\d{2}(\.\d{1,6})?)?)? *")
_DATE_TIME = re.compile(r"(\d{8})(\d{0,6}(\.\d{1,6})?([+-]\d{4})?)")
_OLDEST = 89  # years; more are told as 90 and above
_DUMMIES = {"DA": "19000101", "DT": "19000101000000", "TM": "000000", "AS": "000Y", "IS": "0", "DS": "0"}
_NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})


@dataclass(frozen=True)
class HeaderAction:
    """What was done with one element; its value is nowhere in it.

    Args:
        place: tags and numbers of items from the top, as ``(0008,1140)[0].(0008,1155)``.
        name: keyword of the standard, or what kind of element it was.
        done: what became of it.
    """

    place: str
    name: str
    done: str


@dataclass(frozen=True)
class HeaderRules:
    """What is done with headers of one export.

    Args:
        key: of the export.
        retained: options of Annex E by which more stays.
    """

    key: ExportKey
    retained: Collection[Retained] = (Retained.DATES,)

    def __call__(self, header: Any, words: IdentifyingWords, patient: str) -> tuple[Any, list[HeaderAction]]:
        """Make a new data set of what may stay.

        Args:
            header: a pydicom data set; it stays as it is.
            words: that name people in it.
            patient: as `patient_form` gives it.

        Returns:
            The new data set without pixels, and every action.
        """
        walk = _Walk(self, words, patient)
        return walk.data_set(header, ""), walk.actions


def patient_of_header(header: Any) -> str:
    """Say whose a file is: by Patient ID, else by name and date of birth, else by study.

    Args:
        header: a pydicom data set.

    Returns:
        One form for all spellings.
    """
    for keywords in (("PatientID",), ("PatientName", "PatientBirthDate"), ("StudyInstanceUID",), ("SOPInstanceUID",)):
        found = [patient_form(str(header.get(keyword) or "").strip("^ ")) for keyword in keywords]
        if found[0]:
            return "\0".join((keywords[0], *found)) if keywords[0] != "PatientID" else found[0]
    return ""


@dataclass
class _Walk:
    """One file on its way; actions are gathered."""

    rules: HeaderRules
    words: IdentifyingWords
    patient: str
    actions: list[HeaderAction] = field(default_factory=list)

    def data_set(self, source: Any, place: str) -> Any:
        from pydicom.dataset import Dataset

        made = Dataset()
        for tag in list(source.keys()):
            where = f"{place}({tag.group:04X},{tag.element:04X})"
            name, done, value, word = self._element(source, tag, where)
            if done is not Action.KEEP:
                self.actions.append(HeaderAction(where, name, str(done)))
            if word is not None:
                _add(made, tag, word, value)
        return made

    def _element(self, source: Any, tag: Any, where: str) -> tuple[str, Action, Any, str | None]:
        """Name of an element, what is done, its new value, and the VR of that; None: it goes."""
        from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

        gone: tuple[Action, Any, None] = (Action.REMOVE, None, None)
        if tag.is_private:
            return "private", *self._private(source, tag)
        if 0x5000 <= tag.group <= 0x50FF or 0x6000 <= tag.group <= 0x60FF:
            return "curve" if tag.group < 0x6000 else "overlay", *gone
        if tag.element == 0 or tag.group < 8 or not dictionary_has_tag(tag):
            return "group length" if tag.element == 0 else "not in the standard", *gone
        name = keyword_for_tag(tag) or "retired"
        if int(tag) in PIXELS or name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            return name, *(gone if "." in where else (Action.KEEP, None, None))
        try:
            element = source[tag]
            word, value = str(element.VR), element.value
        except Exception:  # a value that is none of its VR
            return name, *gone
        if name == "DataSetTrailingPadding" or (
            word not in dictionary_VR(tag) and word not in ("OB or OW", "US or SS")
        ):
            return name, *gone
        action = action_of(int(tag), self.rules.retained)
        if word == "SQ":
            return name, *self._sequence(value, action, where)
        if value is None or value == "" or value == b"" or (isinstance(value, list | tuple) and not len(value)):
            return name, Action.KEEP, value, word
        if name in ("PatientID", "PatientName"):
            return name, Action.DUMMY, self._pseudonym(source), word
        return name, *self._decided(name, word, value, action, source)

    def _pseudonym(self, source: Any) -> str:
        stated = str(source.get("PatientID") or "")
        return self.rules.key.pseudonym(patient_form(stated) if stated.strip() else self.patient)

    def _sequence(self, value: Any, action: Action | None, where: str) -> tuple[Action, Any, str | None]:
        from pydicom.sequence import Sequence

        if action is Action.REMOVE:
            return action, None, None
        if action is Action.EMPTY:
            return (action if value else Action.KEEP), Sequence(), "SQ"
        items = [self.data_set(item, f"{where}[{number}].") for number, item in enumerate(value or ())]
        return Action.KEEP, Sequence(items), "SQ"

    def _private(self, source: Any, tag: Any) -> tuple[Action, Any, str | None]:
        gone = Action.REMOVE, None, None
        if Retained.PRIVATE not in self.rules.retained:
            return gone
        try:
            if tag.is_private_creator:
                creator = str(source[tag].value).strip()
                known = any(
                    group == tag.group and name == creator and (tag.group, tag.element << 8 | low) in source
                    for group, low, name in safe_private()
                )
                return (Action.KEEP, creator, "LO") if known else gone
            creator = str(source[tag.group, tag.element >> 8].value).strip()
            word = safe_private().get((tag.group, tag.element & 0xFF, creator))
            element = source[tag]
            if word is None or element.VR != word or self._names(element.value) or not _is_valid(word, element.value):
                return gone
            return Action.KEEP, element.value, word
        except Exception:  # no creator, or a value that is none
            return gone

    def _decided(
        self, name: str, word: str, value: Any, action: Action | None, source: Any
    ) -> tuple[Action, Any, str | None]:
        gone = Action.REMOVE, None, None
        if action is Action.REMOVE:
            return gone
        if action is Action.EMPTY:
            return action, _empty(word), word
        if action is Action.DUMMY:
            return gone if word == "AT" else (action, _dummy(word), word)
        if word == "UI":
            return self._uids(value, action)
        if word in ("DA", "DT", "TM"):
            return self._dates(word, value, action)
        if word == "AS":
            age = _AGE.fullmatch(str(value).strip())
            if age is None:
                return Action.EMPTY, "", word
            capped = f"{_OLDEST + 1:03d}Y" if age[2] == "Y" and int(age[1]) > _OLDEST else str(value).strip()
            return (Action.KEEP if capped == value else Action.CLEAN), capped, word
        if action is not None and word in ("LO", "SH", "LT", "ST", "UT", "UC"):
            return self._text(word, value, keep=action is Action.KEEP)
        if word in ("LO", "SH"):
            return self._short_text(name, word, value, source)
        if word in _TEXTS and not (action is Action.KEEP and word == "AE"):
            return self._code_part(name, word) or gone
        if word in _BYTES and name not in _BINARY:
            return gone
        if word == "CS":
            return self._code_strings(name, value)
        if not _is_valid(word, value) or (word in ("IS", "DS") and self._names(value)):
            return gone
        return Action.KEEP, value, word

    def _code_part(self, name: str, word: str) -> tuple[Action, Any, str] | None:
        if name in ("LongCodeValue", "TextValue"):  # their items are not valid without
            return Action.DUMMY, REMOVED, word
        return (Action.DUMMY, f"urn:oid:{self.rules.key.uid(name)}", word) if name == "URNCodeValue" else None

    def _uids(self, value: Any, action: Action | None) -> tuple[Action, Any, str]:
        from pydicom.uid import UID_dictionary

        kept = action is Action.KEEP or (action is None and Retained.UIDS in self.rules.retained)
        uids = [str(uid) for uid in _values(value)]
        made = [uid if kept or uid in UID_dictionary else self.rules.key.uid(uid) for uid in uids]
        if kept and any(self.words.within(uid) for uid in uids):
            made = [self.rules.key.uid(uid) for uid in uids]
        return (Action.KEEP if made == uids else Action.UID), made if len(made) > 1 else made[0], "UI"

    def _dates(self, word: str, value: Any, action: Action | None) -> tuple[Action, Any, str]:
        if Retained.DATES not in self.rules.retained:
            return Action.EMPTY, "", word
        texts = [str(each).strip("\0 ") for each in _values(value)]
        if word == "TM":
            fine = all(_TIME.fullmatch(text) for text in texts)
            return (Action.KEEP, value, word) if fine else (Action.EMPTY, "", word)
        days = self.rules.key.days(self.patient)
        made = [_moved(text, days) for text in texts]
        if not all(made):
            return Action.EMPTY, "", word
        return Action.CLEAN, made if len(made) > 1 else made[0], word

    def _text(self, word: str, value: Any, *, keep: bool) -> tuple[Action, Any, str | None]:
        texts = [str(each) for each in _values(value)]
        if keep and not any(self.words.within(text) for text in texts):
            return Action.KEEP, value, word
        made = [cleaned_text(text, self.words) for text in texts]
        if made == texts:
            return Action.KEEP, value, word
        return Action.CLEAN, made if len(made) > 1 else made[0], word

    def _short_text(self, name: str, word: str, value: Any, source: Any) -> tuple[Action, Any, str | None]:
        """Texts that the table does not name."""
        scheme = str(source.get("CodingSchemeDesignator") or "")
        if name == "CodingSchemeDesignator":
            fine = all(str(each) in _SCHEMES for each in _values(value))
            return (Action.KEEP, value, word) if fine else (Action.DUMMY, "99REMOVED", word)
        if name == "CodeValue":
            fine = scheme in _SCHEMES and _CODE.fullmatch(str(value)) and not self._names(value)
            return (Action.KEEP, value, word) if fine else (Action.DUMMY, REMOVED, word)
        if name in _TECHNICAL and not self._names(value):
            return Action.KEEP, value, word
        action, made, word_made = self._text(word, value, keep=False)
        if name == "CodeMeaning" and not made:
            return Action.DUMMY, REMOVED, word
        return (action, made, word_made) if any(_values(made)) else (Action.REMOVE, None, None)

    def _code_strings(self, name: str, value: Any) -> tuple[Action, Any, str]:
        texts = [str(each) for each in _values(value)]
        fixed = name in ("SpecificCharacterSet", "Modality", "PhotometricInterpretation")
        made = [
            text if not text or (_CODE_STRING.fullmatch(text) and (fixed or not self._names(text))) else REMOVED
            for text in texts
        ]
        done = Action.KEEP if made == texts else Action.CLEAN
        return done, made if len(made) > 1 else made[0], "CS"

    def _names(self, value: Any) -> bool:
        return any(self.words.within(str(each)) for each in _values(value))


def _add(made: Any, tag: Any, word: str, value: Any) -> None:
    from pydicom import config
    from pydicom.dataelem import DataElement

    made[tag] = DataElement(tag, word, value, validation_mode=config.IGNORE)


def _values(value: Any) -> list[Any]:
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__") or hasattr(value, "family_name"):
        return [value]
    return list(value)


def _empty(word: str) -> Any:
    return b"" if word in _BYTES | {"UN", "OF", "OD", "OL", "OV"} else None if word in _NUMBERS else ""


def _dummy(word: str) -> Any:
    if word in _BYTES or word in ("UN", "OF", "OD", "OL", "OV"):
        return b"\0\0"
    if word in _NUMBERS or word == "US or SS":
        return 0
    return "http://removed.invalid" if word == "UR" else _DUMMIES.get(word, REMOVED)


def _is_valid(word: str, value: Any) -> bool:
    """Whether what should be a number is one."""
    if word in ("IS", "DS"):
        return all(
            _DECIMAL.fullmatch(str(getattr(each, "original_string", each))) for each in _values(value) if each != ""
        )
    return word in _NUMBERS or word in {*_BYTES, "OF", "OD", "OL", "OV", "AT", "US or SS", "OB or OW"} or word == "AE"


def _moved(text: str, days: int) -> str:
    """A date or a time with one, days earlier; empty for what is none."""
    only = _DATE.fullmatch(text)
    longer = None if only else _DATE_TIME.fullmatch(text)
    if only is None and longer is None:
        return ""
    plain = "".join(only.groups()) if only else longer[1]  # type: ignore[index]
    try:
        moved = date(int(plain[:4]), int(plain[4:6]), int(plain[6:])) - timedelta(days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}" + (longer[2] if longer else "")
