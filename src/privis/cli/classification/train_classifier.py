"""``privis classify train``: a classifier of images, saved as one file."""

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
    Classes,
    CorpusName,
    Delta,
    Epsilon,
    FeatureName,
    Folds,
    Groups,
    Images,
    ImagesPerPatient,
    Key,
    LabelsFrom,
    LedgerPath,
    MaxPixels,
    Metadata,
    NetworkScores,
    OnLeak,
    Parameters,
    Patients,
    Seed,
    Sensitivity,
    Strength,
    SubjectFrom,
    Watched,
    Workers,
)
from privis.cli.classification.classify_words import (
    NETWORK,
    FeatureWords,
    FileReading,
    kept_beside,
    listed,
    plan_of,
    tell_notes,
    tell_refused,
    tell_report,
    without_leaks,
)
from privis.cli.classification.labelled_words import labelled_images
from privis.cli.classification.private_classifier import private_words, tell, train_under_privacy
from privis.cli.console import SOME_FAILED, err, explained, out, working
from privis.cli.extraction.dicom_options import FROM_DICOM, Overlays, SiteKeyFile, Window
from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.dicom.reading import FILE, DicomReading

if TYPE_CHECKING:
    from privis.estimators.classification.classifier_training import TrainingImages, TrainingPlan
    from privis.estimators.classification.trained_classifier import TrainedClassifier
    from privis.features.feature import Feature
    from privis.tasks.classification.class_report import ClassificationReport

Output = Annotated[
    Path, typer.Option("-o", "--output", help="File for the classifier; MODEL.split beside it says what it saw.")
]
Test = Annotated[
    list[str] | None,
    typer.Option(help="Images of the test alone: refused before training if one is on both sides; repeatable."),
]
Leaks = Annotated[
    OnLeak, typer.Option("--on-leak", help="What becomes of images of --test whose patient or pixels are trained on.")
]


def train(
    context: typer.Context,
    images: Images,
    output: Output,
    labels_from: LabelsFrom = "folder",
    subject_from: SubjectFrom = None,
    metadata: Metadata = None,
    feature: FeatureName = None,
    parameter: Parameters = None,
    network_scores: NetworkScores = None,
    test: Test = None,
    on_leak: Leaks = OnLeak.REFUSE,
    strength: Strength = 0.003,
    balanced: Balanced = False,
    calibration: Calibration = Calibrated.TEMPERATURE,
    folds: Folds = 5,
    sensitivity: Sensitivity = None,
    watched: Watched = None,
    abstain_below: AbstainBelow = None,
    seed: Seed = 0,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    bits: Bits = None,
    window: Window = FILE,
    overlays: Overlays = False,
    site_key: SiteKeyFile = None,
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
    """Train a classifier of images. The same command goes on where it was stopped.

    privis classify train scans/ --labels-from folder --subject-from 'filename:(p[0-9]+)' -o scans.model

    privis classify train scans/ --labels-from column:finding --metadata list.csv -f hog -p size=64x64 -o scans.model

    privis classify train scans/ -o scans.model --sensitivity 0.95 --for ill --abstain-below 0.7

    privis classify train scans/ --subject-from folder --epsilon 3 --classes ill,well --patients 5000 -o scans.model
    """
    with explained():
        from privis.estimators.classification.split_record import SplitRecord, record_place

        check_writable(output)
        private = private_words(context, subject_from)
        plan = plan_of(strength, balanced, calibration, folds, sensitivity, watched, abstain_below, seed)
        words = FeatureWords(feature, tuple(parameter or ()))
        extracted = words.feature()
        known = labelled_images(images, labels_from, subject_from, None, metadata, sys.stdin, site_key)
        decoding = Decoding(max_pixels, bits, DicomReading(window, overlays, subject_from == FROM_DICOM))
        reading = FileReading(decoding, workers, "privis classify train")
        given = _classes(network_scores, words) if private is None else private.plan.classes
        read = reading.pixels(known.images)
        tell_notes(read, known.notes)
        read = read.with_classes(given, 2 if given is None else 1)
        plan.check(given or read.classes)
        record = SplitRecord.of(read.patients, read.pixels)
        tested, leaks = None, ()
        if test:
            tested = reading.pixels(
                labelled_images(test, labels_from, subject_from, None, metadata, None, site_key).images
            )
            tested = tested.with_classes(given or read.classes, 1)
            leaks = record.leaks(tested.patients, tested.pixels)
            found = listed(tested, leaks)
            tested = without_leaks(tested, leaks, on_leak)
        if private is not None:
            model, read = train_under_privacy(private, read, words, reading, output, record)
            tell(model, private, read.refused, output, as_json)
            raise SystemExit(SOME_FAILED if read.refused else 0)
        with kept_beside(output) as table:
            read, vectors = reading.vectors(extracted, read, table)
        if given is None:
            read, vectors = _with_classes(read, vectors)
        with working("privis classify train: heads"):
            model, report = _trained(extracted, read, vectors, plan, words.to_dict(decoding), given)
        model = replace(model, split={**model.split, "record": record.name})
        record.with_images(read.patients, read.pixels).save(record_place(output))
        _save(model, output)
        document: dict[str, Any] = {
            "output": str(output), "classes": list(model.classes), "split": dict(model.split),
            "calibration": model.calibration.value, "rule": _rule(model), "cross_validated": report.to_dict(),
            "repeated": read.repeated,
        }  # fmt: skip
        refused = dict(read.refused)
        if tested is not None:
            from privis.estimators.classification.classifier_evaluation import evaluate_scores

            with kept_beside(None) as table:
                tested, scores = reading.scores(model, tested, table)
            own = evaluate_scores(model, scores, tested.labels, tested.patients)
            refused |= tested.refused
            document |= {"test": own.to_dict(), "leaks": found}
        tell_refused(refused)
        if as_json:
            document["refused"] = [{"path": path, "why": why} for path, why in refused.items()]
            print(json.dumps(document, ensure_ascii=False))
        else:
            _tell(document, model, report, output)
            if tested is not None:
                tell_report(own, "test")
        if refused:
            raise SystemExit(SOME_FAILED)


def _classes(text: str | None, words: FeatureWords) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if words.name != NETWORK:
        expected = f"-f {NETWORK} -p path=FILE.onnx, whose outputs they are"
        raise ParameterError(Problem("--network-scores", f"-f {words.name or 'lbp'}", expected))
    if len(set(names)) < max(2, len(names)) or not all(names):
        raise ParameterError(Problem("--network-scores", repr(text), "at least two names, all different, with commas"))
    return names


def _with_classes(read: Any, vectors: Any) -> tuple[Any, Any]:
    """Images that a failed extraction leaves alone in their class are left out as well."""
    kept = read.with_classes()
    places = {path: place for place, path in enumerate(read.paths)}
    return kept, vectors[[places[path] for path in kept.paths]]


def _trained(
    feature: Feature, read: Any, vectors: Any, plan: TrainingPlan, words: dict[str, Any], given: tuple[str, ...] | None
) -> tuple[TrainedClassifier, ClassificationReport]:
    from privis.estimators.classification.classifier_evaluation import evaluate_folds, evaluate_scores
    from privis.estimators.classification.classifier_training import (
        TrainingImages,
        calibrate_network,
        score_folds,
        train_classifier,
    )

    known = None if read.patients is None else len(set(read.patients))
    images: TrainingImages = TrainingImages(vectors, read.labels, read.groups, known)
    if given is not None:
        model = calibrate_network(feature, given, images, plan, words)
        return model, evaluate_scores(model, vectors, read.labels, read.patients)
    scored = score_folds(images, plan)
    report = evaluate_folds(images, plan, read.patients, None, scored).report
    return train_classifier(feature, images, plan, words, scored), report


def _save(model: TrainedClassifier, output: Path) -> None:
    from privis.estimators.classification.classifier_file import ClassifierFile

    ClassifierFile.of(model).save(output)


def _rule(model: TrainedClassifier) -> dict[str, Any]:
    rule = model.rule
    return {
        "for": rule.watched, "threshold": None if rule.watched is None else rule.threshold,
        "sensitivity": rule.sensitivity, "abstain_below": rule.abstain_below,
    }  # fmt: skip


def _tell(document: dict[str, Any], model: TrainedClassifier, report: ClassificationReport, output: Path) -> None:
    tell_report(report, f"cross-validated, {model.split['folds']} folds" if model.head else "images of the calibration")
    counts = ", ".join(f"{name} {count:,}" for name, count in model.split["classes"].items())
    out.print(f"{output}: {model.split['images']:,} images ({counts})", markup=False, soft_wrap=True)
    if model.rule.watched is not None:
        told = (
            f"{model.rule.watched} is named from probability {model.rule.threshold:.4f} on, for a sensitivity of "
            f"{model.rule.sensitivity}"
        )
        out.print(told, markup=False, soft_wrap=True)
    told = "No guarantee: the classifier may tell of every image that it was trained on."
    err.print(f"privis: {told}", markup=False, soft_wrap=True)
