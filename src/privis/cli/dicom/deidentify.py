"""``privis dicom deidentify``."""

from __future__ import annotations

from privis.cli.console import explained
from privis.cli.dicom.deidentify_options import (
    AsJson,
    Dates,
    DatesOption,
    DryRun,
    Inputs,
    KeyFile,
    Output,
    Passes,
    Retain,
    Review,
)


def deidentify(
    inputs: Inputs,
    output: Output,
    retain: Retain = None,
    dates: DatesOption = Dates.SHIFT,
    key: KeyFile = None,
    passes: Passes = 8,
    review: Review = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write copies without the people in them: headers after DICOM PS3.15 Annex E, text in pixels painted over.

    Each copy is read again and looked through; where anything is left, it is not written, and the exit code is 8. What
    is not promised is in docs/medical.md: faces in heads, handwriting, and what a detector misses.

    privis dicom deidentify study -o export

    privis dicom deidentify study -o export --retain device --key trial.key --review check
    """
    with explained():
        from privis.cli.dicom.deidentify_run import WantedExport, deidentify_files

        kept = tuple(str(each) for each in retain or ())
        deidentify_files(
            inputs, output, WantedExport(kept, dates is Dates.SHIFT, key, passes, review, dry_run), as_json
        )
