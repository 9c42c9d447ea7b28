"""Options that several commands of classification have, with their words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.parsing import FEATURES

CLASSIFY_EXIT_CODES = """Exit codes: 0 done · 8 the accuracy is below --at-least · 1 done, but some images could not be
used (they are listed) · 2 a wrong option, a leak between training and test, or a model that is missing, damaged or of
something else · 3 no image could be used · 4 the output could not be written · 130 interrupted (the same command goes
on)."""


class Calibrated(StrEnum):
    """How scores become probabilities."""

    TEMPERATURE = "temperature"
    PLATT = "platt"
    NONE = "none"


class OnLeak(StrEnum):
    """What becomes of a tested image that is on the side of the training, too."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"
    COUNT = "count"


Images = Annotated[
    list[str],
    typer.Argument(metavar="IMAGES…", help="Images, folders, globs, - for a list on stdin, or CSV files of column:."),
]
LabelsFrom = Annotated[
    str, typer.Option(help="Where it stands which class an image is of: folder, filename:REGEX, or column:NAME.")
]
SubjectFrom = Annotated[
    str | None,
    typer.Option(
        help="Where it stands whose an image is: folder, filename:REGEX, column:NAME, or dicom (the Patient ID, under "
        "--site-key). Images of one patient stay on "
        "one side of every split. Without it each image is its own patient."
    ),
]
SubgroupFrom = Annotated[
    str | None, typer.Option(help="Also report by subgroup, such as a scanner: column:NAME, folder or filename:REGEX.")
]
Metadata = Annotated[
    Path | None,
    typer.Option(
        help="CSV file that column: is of, with a row for each path, or with the column subject for each patient. "
        "Without it the images themselves are given as CSV files with the column path."
    ),
]
FeatureName = Annotated[
    str | None,
    typer.Option(
        "-f", "--feature",
        help=f"What is extracted: one of {', '.join(FEATURES)}; unless said, uniform local binary patterns over 8 x 8 "
        "cells of 256 x 256 pixels.",
    ),
]  # fmt: skip
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="Parameter of the feature, NAME=VALUE; repeatable.")
]
NetworkScores = Annotated[
    str | None,
    typer.Option(
        "--network-scores", metavar="CLASSES",
        help="The outputs of -f cnn are scores of these classes, as in cat,dog: nothing but calibration is learned.",
    ),
]  # fmt: skip
Strength = Annotated[
    float, typer.Option(help="Inverse of the regularisation of the linear head (C of scikit-learn's regression).")
]
Balanced = Annotated[bool, typer.Option("--balanced", help="Classes count equally, however many images each has.")]
Calibration = Annotated[
    Calibrated, typer.Option(help="How scores become probabilities: by one temperature, or of two classes by Platt's.")
]
Folds = Annotated[int, typer.Option(min=2, help="Parts of the images, split by patient.")]
Seed = Annotated[int, typer.Option(min=0, help="Decides which patient is in which part.")]
Sensitivity = Annotated[
    float | None, typer.Option(help="Share of the class of --for that must be found; decides its threshold.")
]
Watched = Annotated[str | None, typer.Option("--for", metavar="CLASS", help="The class of --sensitivity.")]
AbstainBelow = Annotated[
    float | None, typer.Option(min=0, max=1, help="Name no class where its probability is below this.")
]
ModelOption = Annotated[Path, typer.Option("--model", help="What `privis classify train` wrote.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes; 0 is one per core.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse images of more pixels before decoding them.")]
Bits = Annotated[int | None, typer.Option(help="Depth of samples that are stored in more than 8 bits, as 12.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Epsilon = Annotated[
    float | None,
    typer.Option(
        help="Train under differential privacy: what the whole training may cost a patient. Needs --classes, and with "
        "--subject-from --patients; without it each image is hidden as a person of its own."
    ),
]
Delta = Annotated[float, typer.Option(help="With --epsilon: failure probability of the guarantee.")]
Classes = Annotated[str | None, typer.Option(help="With --epsilon: the public list of classes, as in ill,well.")]
Patients = Annotated[int | None, typer.Option(min=1, help="With --epsilon: about how many there are, a public figure.")]
ImagesPerPatient = Annotated[
    int, typer.Option(min=1, help="With --epsilon: images of a patient that count at most; the first ones.")
]
Groups = Annotated[
    int, typer.Option(min=0, help="With --epsilon: runs of components that share a deviation; 81 of scattering.")
]
CorpusName = Annotated[str, typer.Option(help="With --epsilon: what the ledger calls the images.")]
LedgerPath = Annotated[Path | None, typer.Option("--ledger", help="With --epsilon: privacy ledger to charge.")]
Key = Annotated[
    Path | None, typer.Option(help="With --epsilon: release key, made if there is none. Equal key, equal training.")
]
