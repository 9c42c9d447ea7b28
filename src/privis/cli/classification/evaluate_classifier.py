"""``privis classify evaluate``: how good a model is on other images, or a training on such images by folds."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.classification.classify_options import (
    AbstainBelow,
    AsJson,
    Balanced,
    Bits,
    Calibrated,
    Calibration,
    FeatureName,
    Images,
    LabelsFrom,
    MaxPixels,
    Metadata,
    OnLeak,
    Parameters,
    Seed,
    Sensitivity,
    Strength,
    SubgroupFrom,
    SubjectFrom,
    Watched,
    Workers,
)
from privis.cli.classification.classify_words import (
    FeatureWords,
    FileReading,
    decoding_of,
    kept_beside,
    listed,
    opened_model,
    plan_of,
    tell_notes,
    tell_refused,
    tell_report,
    without_leaks,
)
from privis.cli.classification.hidden_words import (
    HiddenWords,
    Learn,
    LearnedOfImages,
    asked,
)
from privis.cli.classification.labelled_words import labelled_images
from privis.cli.console import NO, SOME_FAILED, err, explained, out, working
from privis.cli.extraction.dicom_options import FROM_DICOM, Overlays, SiteKeyFile, Window
from privis.cli.extraction.hidden_options import ExtractedBy, ExtractingSide, Under
from privis.errors import ParameterError, Problem, refuse
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.dicom.reading import FILE, DicomReading

if TYPE_CHECKING:
    from privis.cli.classification.labelled_words import LabelledWords
    from privis.estimators.classification.classifier_training import TrainingPlan
    from privis.estimators.classification.labelled_images import LabelledImages
    from privis.estimators.classification.trained_classifier import TrainedClassifier
    from privis.tasks.classification.class_report import ClassificationReport

FOLDS = 5
Model = Annotated[
    Path | None,
    typer.Option("--model", help="What `privis classify train` wrote; without it, a training is judged by folds."),
]
Folds = Annotated[
    int | None, typer.Option(min=2, help=f"Without --model: parts, split by patient; {FOLDS} unless said.")
]
Leaks = Annotated[
    OnLeak,
    typer.Option("--on-leak", help="With --model: what becomes of images whose patient or pixels it was trained on."),
]
AtLeast = Annotated[float | None, typer.Option(min=0, max=1, help="Leave with exit code 8 if the accuracy is below.")]


def evaluate(
    images: Images,
    model: Model = None,
    folds: Folds = None,
    labels_from: LabelsFrom = "folder",
    subject_from: SubjectFrom = None,
    subgroup_from: SubgroupFrom = None,
    metadata: Metadata = None,
    feature: FeatureName = None,
    parameter: Parameters = None,
    strength: Strength | None = None,
    balanced: Balanced = False,
    calibration: Calibration | None = None,
    sensitivity: Sensitivity = None,
    watched: Watched = None,
    abstain_below: AbstainBelow = None,
    seed: Seed = 0,
    on_leak: Leaks = OnLeak.LEAVE_OUT,
    at_least: AtLeast = None,
    under: Under = "clear",
    learn: Learn = LearnedOfImages.SCORES,
    extracted_by: ExtractedBy = ExtractingSide.SERVER,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    bits: Bits = None,
    window: Window | None = None,
    overlays: Overlays = False,
    site_key: SiteKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Say how many images are called what they are: by class, by subgroup, with intervals. Nothing is written.

    privis classify evaluate others/ --model scans.model

    privis classify evaluate others/ --model scans.model --under ckks

    privis classify evaluate scans/ --folds 5 --subject-from 'filename:(p[0-9]+)' --subgroup-from column:scanner
    """
    with explained():
        patient = subject_from == FROM_DICOM
        decoding = Decoding(max_pixels, bits, DicomReading(window or FILE, overlays, patient))
        of_training = {
            "--folds": folds, "-f": feature, "-p": parameter, "--strength": strength, "--calibration": calibration,
            "--sensitivity": sensitivity, "--for": watched, "--balanced": balanced or None, "--bits": bits,
            "--window": window, "--overlays": overlays or None,
        }  # fmt: skip
        hidden = HiddenWords(under, learn, extracted_by)
        hidden.check()
        if model is None and hidden != HiddenWords():
            expected = "--model, a trained one: a training by folds is in the clear"
            raise ParameterError(Problem(f"--under {under}", "no --model", expected))
        if model is not None:
            refuse(
                ParameterError,
                [
                    Problem(option, "with --model", "without it: the training decided", "leave one of them out")
                    for option, value in of_training.items()
                    if value is not None
                ],
            )
            opened = opened_model(model)
            decoding = decoding_of(opened, max_pixels, patient)
        else:
            opened = None
            plan = plan_of(
                0.003 if strength is None else strength, balanced, calibration or Calibrated.TEMPERATURE,
                folds or FOLDS, sensitivity, watched, abstain_below, seed,
            )  # fmt: skip
            words = FeatureWords(feature, tuple(parameter or ()))
            words.feature()
        known = labelled_images(images, labels_from, subject_from, subgroup_from, metadata, sys.stdin, site_key)
        reading = FileReading(decoding, workers, "privis classify evaluate")
        if opened is not None:
            if abstain_below is not None:
                opened = replace(opened, rule=replace(opened.rule, abstain_below=abstain_below))
            assert model is not None
            read, report, document = _of_model(opened, model, known, reading, on_leak, hidden)
            title = str(model)
        else:
            read, report, document = _of_folds(plan, words, known, reading)
            title = f"{len(document['folds']['accuracy'])} folds"
        tell_refused(read.refused)
        refused = [{"path": path, "why": why} for path, why in read.refused.items()]
        if as_json:
            print(json.dumps({**document, "repeated": read.repeated, "refused": refused}, ensure_ascii=False))
        else:
            tell_report(report, title)
            if "folds" in document:
                each = ", ".join(f"{share:.3f}" for share in document["folds"]["accuracy"])
                out.print(f"accuracy in each fold: {each}", markup=False, soft_wrap=True)
        if at_least is not None and not report.accuracy.value >= at_least:
            err.print(f"no: the accuracy {report.accuracy.value:.4f} is below {at_least}", markup=False)
            raise SystemExit(NO)
        if refused:
            raise SystemExit(SOME_FAILED)


def _of_folds(
    plan: TrainingPlan, words: FeatureWords, known: LabelledWords, reading: FileReading
) -> tuple[LabelledImages, ClassificationReport, dict[str, Any]]:
    from privis.estimators.classification.classifier_evaluation import evaluate_folds
    from privis.estimators.classification.classifier_training import TrainingImages

    read = reading.pixels(known.images)
    tell_notes(read, known.notes)
    read = read.with_classes(least=plan.folds)
    plan.check(read.classes)
    with kept_beside(None) as table:
        usable, vectors = reading.vectors(words.feature(), read, table)
    read = usable.with_classes(least=plan.folds)
    places = {path: place for place, path in enumerate(usable.paths)}
    patients = None if read.patients is None else len(set(read.patients))
    images = TrainingImages(vectors[[places[path] for path in read.paths]], read.labels, read.groups, patients)
    with working("privis classify evaluate: heads"):
        found = evaluate_folds(images, plan, read.patients, read.subgroups)
    return read, found.report, found.to_dict()


def _of_model(
    opened: TrainedClassifier,
    model: Path,
    known: LabelledWords,
    reading: FileReading,
    on_leak: OnLeak,
    hidden: HiddenWords,
) -> tuple[LabelledImages, ClassificationReport, dict[str, Any]]:
    from privis.estimators.classification.classifier_evaluation import evaluate_scores
    from privis.estimators.classification.split_record import SplitRecord, record_place
    from privis.tasks.classification.class_report import classification_report

    read = reading.pixels(known.images)
    tell_notes(read, known.notes)
    read = read.with_classes(opened.classes, 1)
    place = record_place(model)
    record = SplitRecord.load(place) if place.exists() else None
    checked = record is not None and record.name == opened.split.get("record")
    leaks = record.leaks(read.patients, read.pixels) if record is not None and checked else ()
    if not checked:
        why = "is not there" if record is None else "is of another training"
        told = f"{place} {why}: nobody checked whether these images were trained on"
        err.print(f"privis: warning: {told}", markup=False, soft_wrap=True)
    found = listed(read, leaks)
    read = without_leaks(read, leaks, on_leak)
    with kept_beside(None) as table:
        answer = asked(hidden, opened, read, reading, table)
    read = answer.images
    if answer.scores is None:
        called = answer.labels or ()
        report = classification_report(opened.classes, read.labels, called, None, read.patients, read.subgroups)
    else:
        report = evaluate_scores(opened, answer.scores, read.labels, read.patients, read.subgroups)
    told = {"hidden": answer.document} if answer.document else {}
    document = {**report.to_dict(), **told, "model": str(model), "leaks": found, "leaks_checked": checked}
    return read, report, document
