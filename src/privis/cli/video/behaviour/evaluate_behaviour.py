"""``privis video behaviour evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.classification import evaluate_classifier
from privis.cli.classification.classify_options import (
    AsJson,
    Calibrated,
    LabelsFrom,
    MaxPixels,
    OnLeak,
    Seed,
    Strength,
    SubjectFrom,
    Workers,
)
from privis.cli.classification.classify_words import (
    FileReading,
    kept_beside,
    opened_model,
    plan_of,
    tell_notes,
    tell_refused,
    tell_report,
)
from privis.cli.classification.hidden_words import Learn, LearnedOfImages
from privis.cli.classification.labelled_words import labelled_images
from privis.cli.console import NO, SOME_FAILED, err, explained, out, working
from privis.cli.extraction.hidden_options import CLEAR, ExtractingSide, Under
from privis.cli.video.behaviour.clip_words import Clips, clip_feature, clip_names
from privis.errors import ParameterError, Problem
from privis.features.motion.clip_motion import ClipMotion
from privis.io.images.decode import MAX_PIXELS, Decoding

if TYPE_CHECKING:
    from privis.estimators.classification.classifier_evaluation import FoldEvaluation
    from privis.estimators.classification.labelled_images import LabelledImages

Model = Annotated[
    Path | None,
    typer.Option("--model", help="What `privis video behaviour train` wrote; without it, a training is judged."),
]
Folds = Annotated[
    int | None,
    typer.Option(min=2, help="Without --model: parts, split by person; unless said, each clip (person) is one."),
]
Leaks = Annotated[
    OnLeak,
    typer.Option("--on-leak", help="With --model: what becomes of clips whose person or pixels it was trained on."),
]
AtLeast = Annotated[
    float | None, typer.Option(min=0, max=1, help="Leave with exit code 8 if the (balanced) accuracy is below.")
]


def evaluate(
    clips: Clips,
    model: Model = None,
    labels_from: LabelsFrom = "folder",
    subject_from: SubjectFrom = None,
    folds: Folds = None,
    strength: Strength = 0.003,
    seed: Seed = 0,
    on_leak: Leaks = OnLeak.LEAVE_OUT,
    at_least: AtLeast = None,
    under: Under = CLEAR,
    learn: Learn = LearnedOfImages.SCORES,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Say how often clips are called what they are, with intervals: by a model, or leaving each clip out in its turn.

    privis video behaviour evaluate clips/ --labels-from folder --subject-from 'filename:(fall-[0-9]+|adl-[0-9]+)'

    privis video behaviour evaluate others/ --model falls.model
    """
    with explained():
        if model is not None:
            if folds is not None:
                raise ParameterError(Problem("--folds", "with --model", "without it: the training decided"))
            names = clip_names(clips, clip_feature(opened_model(model)), max_pixels)
            side = ExtractingSide.SERVER if under == CLEAR else ExtractingSide.OWNER
            evaluate_classifier.evaluate(
                list(names), model, labels_from=labels_from, subject_from=subject_from, on_leak=on_leak,
                at_least=at_least, under=under, learn=learn, extracted_by=side, workers=workers,
                max_pixels=max_pixels, as_json=as_json,
            )  # fmt: skip
            return
        if under != CLEAR:
            raise ParameterError(Problem(f"--under {under}", "no --model", "--model: a training is in the clear"))
        feature = ClipMotion()
        names = clip_names(clips, feature, max_pixels)
        known = labelled_images(names, labels_from, subject_from)
        reading = FileReading(Decoding(max_pixels), workers, "privis video behaviour evaluate")
        read = reading.pixels(known.images)
        tell_notes(read, known.notes)
        read, found = _evaluated(read.with_classes(), feature, reading, folds, strength, seed)
        from privis.tasks.classification.balanced_accuracy import balanced_accuracy

        balanced = balanced_accuracy(found.report)
        refused = [{"path": path, "why": why} for path, why in read.refused.items()]
        tell_refused(read.refused)
        if as_json:
            document: dict[str, Any] = {**found.to_dict(), "balanced_accuracy": balanced.to_dict(), "refused": refused}
            document["folds"] = len(found.folds)
            print(json.dumps(document, ensure_ascii=False))
        else:
            low, high = balanced.interval
            out.print(f"balanced accuracy {balanced.value:.3f} ({low:.3f} to {high:.3f})", markup=False)
            tell_report(found.report, "each left out in its turn" if folds is None else f"{len(found.folds)} folds")
        if at_least is not None and not balanced.value >= at_least:
            err.print(f"no: the balanced accuracy {balanced.value:.4f} is below {at_least}", markup=False)
            raise SystemExit(NO)
        if refused:
            raise SystemExit(SOME_FAILED)


def _evaluated(
    known: LabelledImages, feature: ClipMotion, reading: FileReading, folds: int | None, strength: float, seed: int
) -> tuple[LabelledImages, FoldEvaluation]:
    from privis.estimators.classification.classifier_evaluation import evaluate_folds
    from privis.estimators.classification.classifier_training import FoldScores, TrainingImages, score_folds
    from privis.estimators.classification.head_training import scores_of_folds

    with kept_beside(None) as table:
        read, vectors = reading.vectors(feature, known, table)
    places = {path: place for place, path in enumerate(read.paths)}
    read = read.with_classes()
    vectors = vectors[[places[path] for path in read.paths]]
    images = TrainingImages(vectors, read.labels, read.groups)
    plan = plan_of(strength, True, Calibrated.TEMPERATURE, folds or 2, None, None, None, seed)
    with working("privis video behaviour evaluate: heads"):
        if folds is None:
            scores = scores_of_folds(plan.training, vectors, read.labels, images.classes, images.groups)
            scored = FoldScores(images.groups, scores)
        else:
            scored = score_folds(images, plan)
        return read, evaluate_folds(images, plan, read.patients, read.subgroups, scored)
