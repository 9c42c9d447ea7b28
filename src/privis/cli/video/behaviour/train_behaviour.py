"""``privis video behaviour train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privis.cli.classification import train_classifier
from privis.cli.classification.classify_options import (
    AbstainBelow,
    AsJson,
    Calibrated,
    Calibration,
    Classes,
    CorpusName,
    Delta,
    Epsilon,
    Folds,
    Groups,
    ImagesPerPatient,
    Key,
    LabelsFrom,
    LedgerPath,
    MaxPixels,
    OnLeak,
    Patients,
    Seed,
    Sensitivity,
    Strength,
    SubjectFrom,
    Watched,
    Workers,
)
from privis.cli.console import explained
from privis.cli.video.behaviour.clip_words import FEATURE, Clips, clip_names
from privis.features.motion.clip_motion import ClipMotion
from privis.io.atomic import check_writable
from privis.io.images.decode import MAX_PIXELS

Output = Annotated[
    Path, typer.Option("-o", "--output", help="File for the classifier; MODEL.split beside it says what it saw.")
]
Test = Annotated[
    list[str] | None,
    typer.Option(help="Clips of the test alone: refused before training if one is on both sides; repeatable."),
]
Leaks = Annotated[
    OnLeak, typer.Option("--on-leak", help="What becomes of clips of --test whose person or pixels are trained on.")
]


def train(
    context: typer.Context,
    clips: Clips,
    output: Output,
    labels_from: LabelsFrom = "folder",
    subject_from: SubjectFrom = None,
    test: Test = None,
    on_leak: Leaks = OnLeak.REFUSE,
    strength: Strength = 0.003,
    calibration: Calibration = Calibrated.TEMPERATURE,
    folds: Folds = 5,
    sensitivity: Sensitivity = None,
    watched: Watched = None,
    abstain_below: AbstainBelow = None,
    seed: Seed = 0,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    epsilon: Epsilon = None,
    delta: Delta = 1e-5,
    classes: Classes = None,
    patients: Patients = None,
    images_per_patient: ImagesPerPatient = 1,
    groups: Groups = 0,
    corpus: CorpusName = "corpus",
    ledger: LedgerPath = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Train a classifier of what people do, on the few seconds of each clip in which most moves.

    privis video behaviour train clips/ --labels-from folder -o falls.model

    privis video behaviour train clips/ --subject-from 'filename:(p[0-9]+)' --sensitivity 0.95 --for fall -o falls.model

    Options are those of privis classify train; a clip is one image of 48 frames, 15 a second. Classes count equally.
    """
    with explained():
        check_writable(output)
        feature = ClipMotion()
        names = clip_names(clips, feature, max_pixels)
        tested = None if test is None else list(clip_names(test, feature, max_pixels))
        train_classifier.train(
            context, list(names), output, labels_from, subject_from, feature=FEATURE, test=tested, on_leak=on_leak,
            strength=strength, balanced=True, calibration=calibration, folds=folds, sensitivity=sensitivity,
            watched=watched, abstain_below=abstain_below, seed=seed, workers=workers, max_pixels=max_pixels,
            epsilon=epsilon, delta=delta, classes=classes, patients=patients, images_per_patient=images_per_patient,
            groups=groups, corpus=corpus, ledger=ledger, key=key, as_json=as_json,
        )  # fmt: skip
