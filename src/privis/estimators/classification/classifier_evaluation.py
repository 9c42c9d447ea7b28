"""How good a classifier is on images that it was not trained on: by folds, or on a set of its own."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.estimators.classification.classifier_training import (
    FoldScores,
    TrainingImages,
    TrainingPlan,
    link_of,
    score_folds,
)
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.tasks.classification.class_report import ClassificationReport, classification_report
from privis.tasks.decisions import probabilities

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldEvaluation:
    """What cross-validation says of a plan.

    Args:
        report: over all images, each decided by a head that was trained without its fold.
        folds: accuracy in each fold, of its decided images.
        called: what each image was called; None: undecided.
        probabilities: float64 (images, classes).
    """

    report: ClassificationReport
    folds: tuple[float, ...]
    called: tuple[str | None, ...] = field(repr=False)
    probabilities: Floats = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        deviation = float(np.std(self.folds, ddof=1)) if len(self.folds) > 1 else None
        return {**self.report.to_dict(), "folds": {"accuracy": list(self.folds), "deviation": deviation}}


def evaluate_folds(
    images: TrainingImages,
    plan: TrainingPlan,
    patients: Sequence[Hashable] | None = None,
    subgroups: Sequence[str] | None = None,
    scored: FoldScores | None = None,
) -> FoldEvaluation:
    """Cross-validate: heads, calibration and threshold of a fold are chosen without its images.

    Args:
        images: vectors and classes; images of one group are in one fold.
        plan: how heads are trained and decide.
        patients: whose each image is; None: each of its own.
        subgroups: of each image; None: none.
        scored: of `score_folds`, where it was called already.

    Returns:
        The figures.

    Raises:
        ParameterError: the plan does not fit the classes, or there are too few images.
    """
    classes = images.classes
    known = scored or score_folds(images, plan)
    folds, scores = known.folds, known.scores
    called: list[str | None] = [None] * len(images.labels)
    found = np.zeros((len(images.labels), len(classes)))
    for number in np.unique(folds):
        tested = folds == number
        others = [each for each, out in zip(images.labels, tested, strict=True) if not out]
        scaling, rule = plan.rule(scores[~tested], others, classes)
        rows = probabilities(link_of(classes), scaling.scores(scores[tested]))
        assert rows is not None
        found[tested] = rows
        for place, label in zip(np.flatnonzero(tested), rule.decide(classes, rows).labels, strict=True):
            called[place] = label
    report = classification_report(classes, images.labels, called, found, patients, subgroups)
    return FoldEvaluation(report, _accuracies(images.labels, called, folds), tuple(called), found)


def _accuracies(labels: Sequence[str], called: Sequence[str | None], folds: npt.NDArray[np.int64]) -> tuple[float, ...]:
    found = []
    for number in np.unique(folds):
        decided = [place for place in np.flatnonzero(folds == number) if called[place] is not None]
        if decided:
            found.append(sum(labels[place] == called[place] for place in decided) / len(decided))
    return tuple(found)


def evaluate_scores(
    model: TrainedClassifier,
    scores: npt.NDArray[np.floating],
    labels: Sequence[str],
    patients: Sequence[Hashable] | None = None,
    subgroups: Sequence[str] | None = None,
) -> ClassificationReport:
    """Compare what a classifier says of images with what they are.

    Args:
        model: that decides.
        scores: (images, scores), by whomever they were computed.
        labels: class of each image, each one that the model knows.
        patients: whose each image is; None: each of its own.
        subgroups: of each image; None: none.

    Returns:
        The figures.
    """
    found = model.probabilities(scores)
    decided = model.decide(found)
    return classification_report(model.classes, labels, decided.labels, found, patients, subgroups)
