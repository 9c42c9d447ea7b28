"""Options of ``privis dicom deidentify``, apart from its work, which needs pydicom and the vision libraries."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class RetainedOption(StrEnum):
    """Options of DICOM PS3.15, Annex E, by which more stays."""

    UIDS = "uids"
    DEVICE = "device"
    INSTITUTION = "institution"
    CHARACTERISTICS = "characteristics"
    DESCRIPTORS = "descriptors"
    PRIVATE = "private"


class Dates(StrEnum):
    """What becomes of dates."""

    SHIFT = "shift"
    REMOVE = "remove"


Inputs = Annotated[list[str], typer.Argument(metavar="IN...", help="DICOM files, or folders of them.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder for the copies, under new names.")]
Retain = Annotated[
    list[RetainedOption] | None,
    typer.Option(
        "--retain", help="Keep more: uids, device, institution, characteristics, descriptors (cleaned), private (safe)."
    ),
]
DatesOption = Annotated[
    Dates, typer.Option("--dates", help="shift: by one number of days for each patient; remove: empty.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="Key of pseudonyms, made where there is none; without it, it is drawn and dropped."),
]
Passes = Annotated[int, typer.Option(help="Looks at a frame at most, until no new text is found.")]
Review = Annotated[
    Path | None,
    typer.Option(help="Folder for originals with outlines beside copies, to check by eye. Keep it inside."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing: say what would be done.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
