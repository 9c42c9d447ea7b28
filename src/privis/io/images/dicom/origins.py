"""Where DICOM files come from: patient, study and series, for splits and budgets, and never for eyes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from privis.errors import ImageError
from privis.io.images.dicom.opened import damaged, opened
from privis.io.images.dicom.patients import patient_of
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.file_parts import file_and_frame

_NOBODY = "\0nobody"  # no id has such a character


@dataclass(frozen=True)
class DicomOrigin:
    """What a header says of where a picture comes from; a repr shows nothing of it.

    Args:
        patient: Patient ID in the form of `privis.subjects`; None: the file names nobody.
        study: Study Instance UID; empty: none.
        series: Series Instance UID; empty: none.
    """

    patient: str | None = field(repr=False)
    study: str = field(repr=False)
    series: str = field(repr=False)


def origin_of(path: Path | str) -> DicomOrigin:
    """Read where a file comes from.

    Args:
        path: of a DICOM file, or one of its frames.

    Returns:
        Patient, study and series: to be compared, hashed under a key or thrown away.

    Raises:
        ImageError: its header cannot be read, or it has no pixels.
        MissingExtraError: pydicom is not installed.
    """
    with opened(file_and_frame(path)[0], str(path)) as given:
        try:
            told = [str(given.header.get(name) or "") for name in ("StudyInstanceUID", "SeriesInstanceUID")]
            return DicomOrigin(patient_of(given.header), *told)
        except Exception:  # whatever a damaged header does to pydicom
            raise damaged(str(path)) from None


def subjects_of(paths: Sequence[str], pseudonym: Callable[[str], str]) -> tuple[str, ...]:
    """Give a pseudonym for every file: equal for files of one Patient ID.

    Ids are taken as they stand, whoever issued them: two people whom two issuers gave one number count as one, which
    takes from their budget and never adds to it. Files that name no patient, that are no DICOM or that cannot be read
    share one pseudonym; a reading with ``patient=True`` refuses them one by one, so that nothing is charged for them.

    Args:
        paths: of files or frames.
        pseudonym: of an id, as of `privis.privacy.pseudonyms.site_key.SiteKey`.

    Returns:
        One for each.

    Raises:
        MissingExtraError: pydicom is not installed.
    """
    return tuple(pseudonym(_patient(path) or _NOBODY) for path in paths)


def _patient(path: str) -> str | None:
    if not is_dicom(file_and_frame(path)[0]):
        return None
    try:
        return origin_of(path).patient
    except ImageError:
        return None
