"""Whose picture a DICOM file is: the Patient ID, study and series, which are never shown."""

from __future__ import annotations

from typing import Any

from privis.errors import ImageError, ParameterError, Problem
from privis.subjects import subject_ids

_REMEDY = "name whose it is in a CSV file with --subject-column, or leave it out"


def refuse_without_patient(header: Any, where: str) -> None:
    """Raise where a header names no patient.

    Args:
        header: the data set.
        where: the file, in messages.

    Raises:
        ImageError: no Patient ID, an empty one, or one that stands for none.
    """
    if patient_of(header) is None:
        raise no_patient(where)


def no_patient(where: str) -> ImageError:
    """The error of a picture of nobody known.

    Args:
        where: the file.

    Returns:
        The error, to be raised by the caller.
    """
    return ImageError(Problem(where, "no Patient ID", "one, as subjects come from DICOM", _REMEDY))


def patient_of(header: Any) -> str | None:
    """Give the Patient ID in the one form that ids have, or None; a secret of the caller.

    Args:
        header: the data set.
    """
    value = header.get("PatientID")
    if value is None or not str(value).strip("\0 "):
        return None
    try:
        return subject_ids([str(value).strip("\0 ")])[0]
    except ParameterError:  # what stands for a missing value
        return None
