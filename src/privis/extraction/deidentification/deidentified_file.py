"""One DICOM file without whom it is of: header after the table, text in pixels painted, and a second look at both."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ImageError, Problem
from privis.extraction.deidentification.attribute_table import EDITION, Retained
from privis.extraction.deidentification.burned_in_text import BurnedInText
from privis.extraction.deidentification.export_key import patient_form
from privis.extraction.deidentification.header_check import leftovers
from privis.extraction.deidentification.header_rules import HeaderAction, HeaderRules, patient_of_header
from privis.extraction.deidentification.identifying_words import IdentifyingWords, elements_of
from privis.extraction.deidentification.stored_pixels import StoredPixels
from privis.extraction.deidentification.text_painting import PaintedFrames, paint_text
from privis.extras import optional_import
from privis.io.atomic import replacing
from privis.io.images.dicom.opened import WHOLE, damaged, opened, quiet
from privis.io.images.dicom.recognition import is_dicom

IMPLEMENTATION = "2.25.193171254738160231877212911904561290497"
"""Of this program, in file meta headers; drawn once."""
_LITTLE = "1.2.840.10008.1.2.1"
_DIRECTORY = "1.2.840.10008.1.3.10"
_METHODS = {  # PS3.16, CID 7050
    Retained.UIDS: ("113110", "Retain UIDs Option"),
    Retained.DEVICE: ("113109", "Retain Device Identity Option"),
    Retained.INSTITUTION: ("113112", "Retain Institution Identity Option"),
    Retained.CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Retained.DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Retained.DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Retained.PRIVATE: ("113111", "Retain Safe Private Option"),
}
_HAS_NO_PICTURE = ("EncapsulatedDocument", "MIMETypeOfEncapsulatedDocument", "WaveformSequence")


@dataclass(frozen=True)
class Deidentified:
    """What was done with one file, without anything that was removed.

    Args:
        actions: on elements of the header.
        frames: pictures in it; 0: it has none.
        regions: of drawn text that was painted, by frame, as (frame from 1, corners, score).
        left: what the second look found; then nothing is written.
        look: what a person has to look at.
        patient: pseudonym of whom it is.
        person: of name and date of birth under the export's key, so that several ids of one person show; may be empty.
    """

    actions: tuple[HeaderAction, ...] = field(repr=False)
    frames: int
    regions: tuple[tuple[int, list[list[float]], float], ...] = field(repr=False)
    left: tuple[str, ...]
    look: tuple[str, ...]
    patient: str
    person: str

    @property
    def written(self) -> bool:
        """Whether the file may have its name."""
        return not self.left


@dataclass(frozen=True)
class Deidentifier:
    """De-identifies files of one export.

    No guarantee that nobody can be recognised: it does what DICOM PS3.15, Annex E, asks, and checks that; what it does
    not promise is in docs/medical.md.

    Args:
        rules: for headers.
        finder: of text in pixels.
        passes: looks at a frame at most.
    """

    rules: HeaderRules
    finder: BurnedInText = BurnedInText()
    passes: int = 8

    def __call__(
        self,
        source: Path | str,
        place: Callable[[str], Path] | None,
        before: Callable[[Deidentified, Path], None] | None = None,
        draw: Callable[[int, Any, PaintedFrames], None] | None = None,
    ) -> Deidentified:
        """De-identify one file.

        Args:
            source: the file; it is only read.
            place: is given the patient's pseudonym and says where the file goes, whole or not at all; None: nowhere.
            before: is given the result and the finished file just before that gets its name.
            draw: is given the number of a frame, its picture before, and what was painted.

        Returns:
            What was done; where something is left, nothing has been written.

        Raises:
            ImageError: the file is no DICOM, damaged, of a kind that is not known, or cannot be decoded. Nothing that
                its header says of a person is in it.
            MissingExtraError: pydicom or a decoder is not installed.
            OutputError: the output cannot be written.
        """
        where = str(source)
        header = read_header(source, where)
        words = IdentifyingWords.of(header)
        patient = patient_of_header(header)
        with quiet():
            made, actions = self.rules(header, words, patient)
        pixels, painted = None, None
        if _has_pixels(header):
            with opened(source, where) as given:
                pixels = StoredPixels.read(given)
            if pixels.clear_unused_bits():
                actions.append(HeaderAction("(7FE0,0010)", "unused bits of pixels", "cleared"))
            originals = pixels.frames.copy() if draw is not None else None
            painted = paint_text(pixels, self.finder, self.passes)
            if draw is not None and originals is not None:
                copy = StoredPixels(originals, originals, *_rest(pixels))
                for number in range(len(originals)):
                    draw(number, copy.view(copy.grey(number)), painted)
        with quiet():
            _complete(made, header, self.rules, pixels, painted)
            content = _encoded(made, where)
            left = self._second_look(header, content, words, patient, pixels, painted)
        done = Deidentified(
            tuple(actions), 0 if pixels is None else len(pixels.frames), _regions(painted), tuple(left),
            tuple(_to_look_at(header, made, pixels, painted)), self.rules.key.pseudonym(patient), self._person(header),
        )  # fmt: skip
        if place is not None and done.written:
            with replacing(place(done.patient)) as temporary:
                temporary.write_bytes(content)
                if before is not None:
                    before(done, temporary)
        return done

    def _person(self, header: Any) -> str:
        name, born = (str(header.get(keyword) or "") for keyword in ("PatientName", "PatientBirthDate"))
        return self.rules.key.file_name(f"{patient_form(name)}\0{born}") if name.strip("^ ") and born else ""

    def _second_look(
        self, header: Any, content: bytes, words: IdentifyingWords, patient: str, pixels: StoredPixels | None,
        painted: PaintedFrames | None,
    ) -> list[str]:  # fmt: skip
        """Read what is to be written, and look for what should be gone."""
        import pydicom

        again = pydicom.dcmread(io.BytesIO(content))
        ids = {patient_form(str(each.value)) for each in elements_of(header) if each.keyword == "PatientID"}
        pseudonyms = {self.rules.key.pseudonym(form) for form in (*ids, patient)}
        value = b"" if pixels is None else again[pixels.keyword].value
        text = content if pixels is None else content[: len(content) - len(value)]
        left = leftovers(header, again, text, words, pseudonyms, self.rules.retained)
        if pixels is None or painted is None:
            return left
        if value != pixels.element():
            left.append("pixels that were not read again as they were written")
        if not painted.settled:
            left.append("text in pixels: something new was found in every look")
        return left  # the last look at every frame saw these very pixels


def read_header(source: Path | str, where: str) -> Any:
    """Read a header, and refuse what is no instance of one patient.

    Args:
        source: the file.
        where: what messages call it.

    Returns:
        The pydicom data set, without pixels.

    Raises:
        ImageError: it is no DICOM, is damaged, a directory, or of no class of the standard.
        MissingExtraError: pydicom is not installed.
    """
    with optional_import("dicom", f"{where}, a DICOM file"):
        import pydicom
    from pydicom.uid import UID_dictionary

    if not os.path.isfile(source) or not is_dicom(source):
        raise ImageError(Problem(where, "something else", "a DICOM file", "leave it out"))
    with quiet():
        try:
            header = pydicom.dcmread(source, stop_before_pixels=True, force=True)
            header.decode()
        except Exception:  # whatever a hostile header does; its text may name a person
            raise damaged(where) from None
    kind = str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    if kind == _DIRECTORY:
        remedy = "leave it out: it lists files under their old names; make a new one of the export"
        raise ImageError(Problem(where, "a DICOM directory", "an instance", remedy))
    if kind not in UID_dictionary:
        got = "a class of object that is not in the standard" if kind else "no class of object"
        raise ImageError(Problem(where, got, "a storage class of DICOM", "export it as such"))
    if any(keyword in header for keyword in _HAS_NO_PICTURE):
        got = "a document, sound or curve inside, which cannot be looked through"
        raise ImageError(Problem(where, got, "pictures, and headers", "leave it out, or clean it by hand"))
    return header


def _has_pixels(header: Any) -> bool:
    return "Rows" in header and "Columns" in header and "BitsAllocated" in header


def _rest(pixels: StoredPixels) -> tuple[str, Any, str, bool, bool, bool]:
    return pixels.photometric, pixels.header, pixels.keyword, pixels.packed, pixels.unpacked, pixels.lossy


def _complete(made: Any, header: Any, rules: HeaderRules, pixels: StoredPixels | None, painted: Any) -> None:
    """Say what was done, as the standard wants it (PS3.15, E.1.1), and put pixels in."""
    from pydicom.dataelem import DataElement
    from pydicom.sequence import Sequence

    made.SOPClassUID = header.get("SOPClassUID") or header.file_meta.MediaStorageSOPClassUID
    stated = header.get("SOPInstanceUID") or header.file_meta.get("MediaStorageSOPInstanceUID")
    if not made.get("SOPInstanceUID"):
        made.SOPInstanceUID = rules.key.uid(str(stated or patient_of_header(header)))
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientIdentityRemoved = "YES"
    options = [option for option in Retained if option in rules.retained]
    made.DeidentificationMethod = [f"Privis, PS3.15 {EDITION} Basic Profile", *(f"{each} option" for each in options)]
    codes = [("113100", "Basic Application Confidentiality Profile")]
    codes += [("113101", "Clean Pixel Data Option")] if pixels is not None else []
    made.DeidentificationMethodCodeSequence = Sequence([_code(*each) for each in (*codes, *map(_METHODS.get, options))])  # type: ignore[misc]
    made.LongitudinalTemporalInformationModified = "MODIFIED" if Retained.DATES in rules.retained else "REMOVED"
    if pixels is None:
        return
    made.BurnedInAnnotation = "NO"
    if painted.painted and "ImageType" in made:
        made.ImageType = ["DERIVED", *list(np.atleast_1d(np.array(made.ImageType, object)))[1:]]
    if pixels.unpacked:
        made.PhotometricInterpretation = pixels.photometric
        if pixels.frames.shape[3] == 3:
            made.PlanarConfiguration = 0
    tag = {"PixelData": 0x7FE00010, "FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009}[pixels.keyword]
    word = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(tag, "OW" if pixels.raw.dtype.itemsize > 1 else "OB")
    made[tag] = DataElement(tag, word, pixels.element())


def _code(value: str, meaning: str) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _encoded(made: Any, where: str) -> bytes:
    """The bytes of a new file: empty preamble, a file meta header of its own, explicit little endian."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = UID(_LITTLE), UID(IMPLEMENTATION)
    buffer = io.BytesIO()
    try:
        whole = FileDataset(buffer, made, preamble=bytes(128), file_meta=meta)
        pydicom.dcmwrite(buffer, whole, enforce_file_format=True)
    except Exception as error:  # a value that its VR cannot hold; its text may name a person
        got = f"a header that cannot be written again ({type(error).__name__})"
        raise ImageError(Problem(where, got, "elements of the standard's value representations", WHOLE)) from None
    return buffer.getvalue()


def _regions(painted: PaintedFrames | None) -> tuple[tuple[int, list[list[float]], float], ...]:
    if painted is None:
        return ()
    return tuple(
        (number, [[round(value, 1) for value in corner] for corner in region.corners.tolist()], round(region.score, 3))
        for number, regions in enumerate(painted.regions, 1)
        for region in regions
    )


def _to_look_at(header: Any, made: Any, pixels: StoredPixels | None, painted: PaintedFrames | None) -> list[str]:
    found = []
    if painted is not None and painted.painted:
        found.append("text in pixels was painted over: is some left beside it?")
    if str(header.get("BurnedInAnnotation") or "") == "YES" and painted is not None and not painted.painted:
        found.append("the file says that text is in its pixels, and none was found")
    if str(header.get("RecognizableVisualFeatures") or "") == "YES":
        found.append("the file says that features of a person can be recognised in its pixels")
    if pixels is None:
        found.append("no pixels: a report or plan, whose texts were removed")
    if not str(header.get("PatientID") or "").strip():
        found.append("no Patient ID: files of one patient may have got several pseudonyms")
    return found
