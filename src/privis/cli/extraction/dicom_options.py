"""Options of commands that read DICOM files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from privis.errors import ParameterError, Problem, refuse
from privis.io.images.dicom.frames import Frames
from privis.io.images.dicom.origins import subjects_of
from privis.io.images.dicom.reading import FILE, FULL, PRESETS, DicomReading

FROM_DICOM = "dicom"

Window = Annotated[str, typer.Option(help=f"DICOM, grey: {FILE}, {FULL}, {', '.join(PRESETS)} (CT), or CENTRE,WIDTH.")]
FramesToRead = Annotated[str, typer.Option("--frames", help="DICOM: which frame of each file, from 1, or all.")]
Overlays = Annotated[bool, typer.Option("--overlays", help="DICOM: draw overlays, in white.")]
SubjectFromDicom = Annotated[
    str | None, typer.Option("--subject-from", help="dicom: the Patient ID, under --site-key, says whose image it is.")
]
SiteKeyFile = Annotated[
    Path | None,
    typer.Option("--site-key", help="Key of pseudonyms of patients; `privis keygen --for site` makes one."),
]


@dataclass(frozen=True)
class DicomWords:
    """What users said of DICOM files.

    Args:
        window: of grey pictures.
        frames: to read.
        overlays: whether they are drawn.
        subject_from: where it stands whose an image is.
        site_key: file of the key of pseudonyms.
        subject_column: of a list of images, which says it, too.
    """

    window: str
    frames: str
    overlays: bool
    subject_from: str | None
    site_key: Path | None
    subject_column: str | None

    def reading(self) -> DicomReading:
        """Check the words.

        Returns:
            How files are read.

        Raises:
            ParameterError: words that do not fit, all at once.
        """
        problems = []
        if self.subject_from not in (None, FROM_DICOM):
            remedy = "for a list of images say --subject-column"
            problems.append(Problem("--subject-from", repr(self.subject_from), FROM_DICOM, remedy))
        if self.subject_from is not None and self.subject_column is not None:
            problems.append(Problem("--subject-from", "with --subject-column", "one of them"))
        if (self.subject_from is None) is not (self.site_key is None):
            got = "no --site-key" if self.site_key is None else "--site-key without --subject-from dicom"
            remedy = "privis keygen FILE --for site makes a key; keep it inside"
            problems.append(Problem("--subject-from", got, "both or neither", remedy))
        refuse(ParameterError, problems)
        return DicomReading(self.window, self.overlays, self.subject_from is not None)

    def sources(
        self, paths: Sequence[str], subjects: Sequence[str] | None
    ) -> tuple[Sequence[str], Sequence[str] | None]:
        """Name the frames to read, and whose they are.

        Args:
            paths: of files.
            subjects: whose each is; None: not known.

        Returns:
            Paths or names of frames, and their subjects.

        Raises:
            ParameterError: frames of no form, or a key that cannot be read.
            MissingExtraError: pydicom is not installed.
        """
        frames = Frames.named(self.frames)
        if self.site_key is not None:
            from privis.privacy.pseudonyms.site_key import SiteKey

            subjects = subjects_of(paths, SiteKey.load(self.site_key).pseudonym)
        return frames.of_all(paths, subjects)
