"""A classifier of images as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.estimators.classification.classifier_evaluation import (
    FoldEvaluation,
    evaluate_folds,
    evaluate_scores,
)
from privis.estimators.classification.classifier_file import ClassifierFile
from privis.estimators.classification.classifier_training import TrainingImages, TrainingPlan, train_classifier
from privis.estimators.classification.default_feature import default_feature
from privis.estimators.classification.head_training import HeadTraining, LinearTraining
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.extraction.images import extract, image_record
from privis.extras import optional_import
from privis.features.feature import Feature
from privis.run.protocol import Executor
from privis.subjects import subject_ids
from privis.tasks.classification.class_report import ClassificationReport
from privis.tasks.classification.patient_splits import linked_images
from privis.tasks.classification.probability_calibration import CalibrationMethod

with optional_import("sklearn", "Classifier"):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.validation import check_is_fitted


class Classifier(ClassifierMixin, BaseEstimator):
    """Classify images by a feature and a linear head, with calibrated probabilities.

    ``X`` holds one image each: paths, PIL images or uint8 arrays (H, W) or (H, W, 3). Images of one patient, and images
    with the same pixels, stay on one side of every split that is made here. Without a release, trained numbers may tell
    of every image that they were trained on: no guarantee is stated.

    Args:
        feature: what is extracted; None: that of `default_feature`.
        training: makes the head; None: `LinearTraining`.
        calibration: how scores become probabilities.
        folds: for calibration and threshold.
        watched: class that must not be missed.
        sensitivity: for it.
        abstain_below: probability below which nothing is said: `predict` gives an empty name.
        under: who computes scores in `predict`; None: this process.
        seed: of the folds.

    >>> dark, bright = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    >>> images = [dark + shade for shade in range(4)] + [bright - shade for shade in range(4)]
    >>> from privis import ColourHistogram
    >>> model = Classifier(ColourHistogram(bins=4), folds=2).fit(images, ["dark"] * 4 + ["bright"] * 4)
    >>> model.predict([dark, bright]).tolist()
    ['dark', 'bright']
    """

    def __init__(
        self,
        feature: Feature | None = None,
        *,
        training: HeadTraining | None = None,
        calibration: CalibrationMethod = CalibrationMethod.TEMPERATURE,
        folds: int = 5,
        watched: str | None = None,
        sensitivity: float | None = None,
        abstain_below: float = 0.0,
        under: Executor | None = None,
        seed: int = 0,
    ) -> None:
        self.feature = feature
        self.training = training
        self.calibration = calibration
        self.folds = folds
        self.watched = watched
        self.sensitivity = sensitivity
        self.abstain_below = abstain_below
        self.under = under
        self.seed = seed

    def fit(self, X: Sequence[Any], y: Sequence[Any], groups: Sequence[Any] | None = None) -> Self:
        """Extract images, and train and calibrate a head on what was extracted.

        Args:
            X: images.
            y: class of each.
            groups: whose each image is; None: each of its own.

        Returns:
            The classifier itself; ``model_`` is a `TrainedClassifier`, ``classes_`` the names.

        Raises:
            ParameterError: lengths differ, or there are too few images of too few classes.
            PrivisError: what `privis.extract` raises.
        """
        images, _ = self._images(X, y, groups)
        self.model_ = train_classifier(self._feature, images, self._plan)
        self.classes_ = np.array(self.model_.classes)
        return self

    def cross_validate(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        groups: Sequence[Any] | None = None,
        subgroups: Sequence[str] | None = None,
    ) -> FoldEvaluation:
        """Say how good a training on such images is, each image decided by heads that did not see its fold.

        Args:
            X: images.
            y: class of each.
            groups: whose each image is; None: each of its own.
            subgroups: such as the scanner of each.

        Returns:
            Figures with intervals.

        Raises:
            ParameterError: lengths differ, or there are too few images of too few classes.
            PrivisError: what `privis.extract` raises.
        """
        images, patients = self._images(X, y, groups)
        return evaluate_folds(images, self._plan, patients, subgroups)

    def decision_function(self, X: Sequence[Any]) -> NDArray[np.float64]:
        """Score images; calibrated, so that `predict_proba` follows from it.

        Args:
            X: images.

        Returns:
            Float64 (images, classes), or (images,) for two classes.
        """
        scores = self._trained.scores(X, self.under)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict_proba(self, X: Sequence[Any]) -> NDArray[np.float64]:
        """Give calibrated probabilities.

        Args:
            X: images.

        Returns:
            Float64 (images, classes), in the order of ``classes_``.
        """
        return self._trained.probabilities(self._trained.scores(X, self.under))

    def predict(self, X: Sequence[Any]) -> NDArray[np.str_]:
        """Name the class of every image; an empty name is no answer.

        Args:
            X: images.

        Returns:
            Names (images,).
        """
        return np.array([label or "" for label in self._trained.decide(self.predict_proba(X)).labels])

    def evaluate(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        groups: Sequence[Any] | None = None,
        subgroups: Sequence[str] | None = None,
    ) -> ClassificationReport:
        """Compare what images are called with what they are. They must not be among those of the training.

        Args:
            X: images.
            y: class of each.
            groups: whose each image is; None: each of its own.
            subgroups: such as the scanner of each.

        Returns:
            Figures with intervals.

        Raises:
            ParameterError: a class is unknown, or lengths differ.
        """
        patients = None if groups is None else subject_ids(groups)
        scores = self._trained.scores(X, self.under)
        return evaluate_scores(self._trained, scores, [str(each) for each in y], patients, subgroups)

    def save(self, path: str | Path) -> None:
        """Write the trained classifier as one file.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        ClassifierFile.of(self._trained).save(Path(path))

    @classmethod
    def load(cls, path: str | Path, feature: Feature | None = None, *, under: Executor | None = None) -> Self:
        """Read a trained classifier.

        Args:
            path: of a file that `save` or ``privis classify train`` wrote.
            feature: what it extracts; None: that of `default_feature`.
            under: who computes scores.

        Returns:
            A classifier that is fitted.

        Raises:
            ParameterError: the file is something else, or of another feature.
        """
        model = ClassifierFile.load(Path(path)).opened(feature)
        found = cls(model.feature, abstain_below=model.rule.abstain_below, under=under)
        found.model_ = model
        found.classes_ = np.array(model.classes)
        return found

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that samples are images, not rows of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True
        return tags

    @property
    def _feature(self) -> Feature:
        return self.feature or default_feature()

    @property
    def _plan(self) -> TrainingPlan:
        return TrainingPlan(
            self.training or LinearTraining(), self.calibration, self.folds, self.watched, self.sensitivity,
            self.abstain_below, self.seed,
        )  # fmt: skip

    @property
    def _trained(self) -> TrainedClassifier:
        check_is_fitted(self, "model_")
        return self.model_

    def _images(
        self, X: Sequence[Any], y: Sequence[Any], groups: Sequence[Any] | None
    ) -> tuple[TrainingImages, Sequence[Hashable] | None]:
        labels = tuple(str(each) for each in y)
        if len(labels) != len(X):
            raise ParameterError(Problem("Classifier.y", f"{len(labels)} labels", f"{len(X)}, one for each image"))
        patients = None if groups is None else subject_ids(groups)
        linked = linked_images(len(labels), patients, [image_record(each) for each in X])
        vectors = extract(self._feature, X).features
        known = None if patients is None else len(set(patients))
        return TrainingImages(vectors, labels, linked, known), patients
