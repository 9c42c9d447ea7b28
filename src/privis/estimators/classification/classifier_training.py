"""From vectors whose classes are known to a classifier with calibrated probabilities and a decision rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.classification.head_training import HeadTraining, LinearTraining, scores_of_folds
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.features.feature import Feature
from privis.tasks.classification.decision_rule import DecisionRule, threshold_for
from privis.tasks.classification.patient_splits import stratified_folds
from privis.tasks.classification.probability_calibration import CalibrationMethod, ScoreScaling, fit_scaling
from privis.tasks.decisions import Link, probabilities

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainingPlan:
    """How a classifier is trained and decides.

    Args:
        training: makes the head.
        calibration: how scores become probabilities.
        folds: of the images, each scored by a head that was trained on the others, for calibration and threshold.
        watched: class that must not be missed; None: the likeliest is named.
        sensitivity: for it, in (0, 1].
        abstain_below: probability below which nothing is said.
        seed: of the folds.

    Raises:
        ParameterError: a value is out of its range; all at once.
    """

    training: HeadTraining = LinearTraining()
    calibration: CalibrationMethod = CalibrationMethod.TEMPERATURE
    folds: int = 5
    watched: str | None = None
    sensitivity: float | None = None
    abstain_below: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        if isinstance(self.folds, bool) or not isinstance(self.folds, int) or self.folds < 2:
            problems.append(Problem("TrainingPlan.folds", repr(self.folds), "an integer of at least 2"))
        if (self.watched is None) != (self.sensitivity is None):
            got = f"watched={self.watched!r} and sensitivity={self.sensitivity!r}"
            problems.append(Problem("TrainingPlan", got, "both: a class and the sensitivity for it, or neither"))
        if self.sensitivity is not None and not 0 < self.sensitivity <= 1:
            problems.append(Problem("TrainingPlan.sensitivity", repr(self.sensitivity), "a share in (0, 1]"))
        if not 0 <= self.abstain_below <= 1:
            problems.append(Problem("TrainingPlan.abstain_below", repr(self.abstain_below), "a probability"))
        refuse(ParameterError, problems)

    def check(self, classes: Sequence[str]) -> None:
        """Refuse what does not fit the classes.

        Args:
            classes: names.

        Raises:
            ParameterError: the watched class is none of them, or Platt's method is asked for more than two.
        """
        problems = []
        if self.watched is not None and self.watched not in classes:
            problems.append(Problem("watched class", repr(self.watched), f"one of {', '.join(classes)}"))
        if self.calibration is CalibrationMethod.PLATT and len(classes) != 2:
            got, remedy = f"platt for {len(classes)} classes", "take the temperature"
            problems.append(Problem("calibration", got, "two classes", remedy))
        refuse(ParameterError, problems)

    def deal(self, labels: Sequence[str], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Deal images out to as many of the folds as their groups allow.

        Args:
            labels: class of each.
            groups: of images that stay together.

        Returns:
            Int64 (images,): number of the fold of each.
        """
        most = max(len({int(of) for of, each in zip(groups, labels, strict=True) if each == name}) for name in labels)
        return stratified_folds(labels, groups, min(self.folds, most), self.seed)

    def rule(
        self, scores: Floats, labels: Sequence[str], classes: Sequence[str], link: Link | None = None
    ) -> tuple[ScoreScaling, DecisionRule]:
        """Choose scaling and threshold by scores of images that were not trained on.

        Args:
            scores: (images, scores).
            labels: class of each.
            classes: names.
            link: how probabilities follow from scores; None: as of a head of these classes.

        Returns:
            The scaling and the rule.
        """
        link = link or link_of(classes)
        numbers = [list(classes).index(each) for each in labels]
        scaling = fit_scaling(scores, numbers, link, self.calibration)
        if self.watched is None or self.sensitivity is None:
            return scaling, DecisionRule(abstain_below=self.abstain_below)
        found = probabilities(link, scaling.scores(scores))
        assert found is not None
        column = found[:, list(classes).index(self.watched)]
        threshold = threshold_for(column, [each == self.watched for each in labels], self.sensitivity)
        return scaling, DecisionRule(self.watched, threshold, self.abstain_below, self.sensitivity)


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Vectors with what is known of their images.

    Args:
        vectors: float (images, components).
        labels: class of each.
        groups: number of the group of each; images of one group stay on one side of a split.
        patients: how many there are, as far as it is known.
    """

    vectors: npt.NDArray[np.floating] = field(repr=False)
    labels: tuple[str, ...]
    groups: npt.NDArray[np.int64] = field(repr=False)
    patients: int | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted."""
        return tuple(sorted(set(self.labels)))


def link_of(classes: Sequence[str]) -> Link:
    """Say how probabilities follow from the scores of a head.

    Args:
        classes: names.

    Returns:
        The link: of one score where there are two classes.
    """
    return Link.LOGISTIC if len(classes) == 2 else Link.SOFTMAX


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Scores of images by heads that were trained on the other folds.

    Args:
        folds: number of the fold of each image.
        scores: (images, scores).
    """

    folds: npt.NDArray[np.int64]
    scores: Floats = field(repr=False)


def score_folds(images: TrainingImages, plan: TrainingPlan) -> FoldScores:
    """Score every image by a head that did not see its fold.

    Args:
        images: vectors and classes.
        plan: how heads are trained, and of how many folds.

    Returns:
        The scores.

    Raises:
        ParameterError: the plan does not fit the classes, or there are too few images.
    """
    plan.check(images.classes)
    folds = plan.deal(images.labels, images.groups)
    return FoldScores(folds, scores_of_folds(plan.training, images.vectors, images.labels, images.classes, folds))


def train_classifier(
    feature: Feature,
    images: TrainingImages,
    plan: TrainingPlan,
    words: Mapping[str, Any] | None = None,
    scored: FoldScores | None = None,
) -> TrainedClassifier:
    """Train a head on all images; calibrate it by heads that were trained on parts of them.

    Args:
        feature: what the vectors are of.
        images: that are trained on.
        plan: how.
        words: from which the command line makes the feature again.
        scored: of `score_folds`, where it was called already.

    Returns:
        The classifier.

    Raises:
        ParameterError: the plan does not fit the classes, or there are too few images.
    """
    classes = images.classes
    known = scored or score_folds(images, plan)
    scaling, rule = plan.rule(known.scores, images.labels, classes)
    head = scaling.head(plan.training.fit(images.vectors, images.labels, classes))
    split = {
        "images": len(images.labels), "patients": images.patients, "groups": int(images.groups.max()) + 1,
        "classes": {name: images.labels.count(name) for name in classes}, "folds": int(known.folds.max()) + 1,
        "seed": plan.seed,
    }  # fmt: skip
    return TrainedClassifier(
        feature, classes, head, ScoreScaling(), head.link, rule, plan.calibration, split, None, dict(words or {})
    )


def calibrate_network(
    feature: Feature,
    classes: Sequence[str],
    images: TrainingImages,
    plan: TrainingPlan,
    words: Mapping[str, Any] | None = None,
) -> TrainedClassifier:
    """Calibrate a network whose outputs are scores; nothing else is learned.

    Args:
        feature: the network.
        classes: names, in the order of its outputs.
        images: their vectors are the scores, and the network was not trained on them.
        plan: how probabilities and decisions are made.
        words: from which the command line makes the feature again.

    Returns:
        The classifier.

    Raises:
        ParameterError: there is another number of outputs, or the plan does not fit the classes.
    """
    model = TrainedClassifier(feature, tuple(classes), link=link_of(classes) if _single(images) else Link.SOFTMAX)
    plan.check(model.classes)
    scores = model.scores_of(images.vectors)
    scaling, rule = plan.rule(scores, images.labels, model.classes, model.link)
    split = {
        "images": len(images.labels), "patients": images.patients, "groups": int(images.groups.max()) + 1,
        "classes": {name: images.labels.count(name) for name in classes}, "folds": 1, "seed": plan.seed,
    }  # fmt: skip
    return replace(
        model, scaling=scaling, rule=rule, calibration=plan.calibration, split=split, words=dict(words or {})
    )


def _single(images: TrainingImages) -> bool:
    return images.vectors.ndim == 2 and images.vectors.shape[1] == 1
