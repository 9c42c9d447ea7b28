"""A classifier is fitted, measured, saved and read; it answers for the modules that it is made of.

`privis.estimators.classification.classifier`, `privis.estimators.classification.classifier_evaluation`,
`privis.estimators.classification.classifier_training`, `privis.estimators.classification.classifier_file`,
`privis.estimators.classification.trained_classifier`, `privis.estimators.classification.head_training`,
`privis.estimators.classification.default_feature`.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.base import clone

from privis import HOG, ColourHistogram
from privis.errors import ParameterError
from privis.estimators.classification.classifier import Classifier
from privis.estimators.classification.classifier_evaluation import evaluate_folds
from privis.estimators.classification.classifier_file import ClassifierFile
from privis.estimators.classification.classifier_training import (
    TrainingImages,
    TrainingPlan,
    calibrate_network,
    train_classifier,
)
from privis.estimators.classification.default_feature import default_feature
from privis.estimators.classification.head_training import LinearTraining, scores_of_folds
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.tasks.classification import CalibrationMethod

FEATURE = ColourHistogram(bins=4, density=True)


def pictures(each: int = 8, classes: int = 3, seed: int = 0):
    """Small images whose classes are shades that overlap a little."""
    rng = np.random.default_rng(seed)
    labels = [f"c{number}" for number in range(classes) for _ in range(each)]
    shades = [60 + 70 * number for number in range(classes) for _ in range(each)]
    return [rng.normal(shade, 40, (8, 8, 3)).clip(0, 255).astype(np.uint8) for shade in shades], labels


def made_up(images: int = 300, seed: int = 0, gap: float = 1.0) -> TrainingImages:
    rng = np.random.default_rng(seed)
    labels = tuple(rng.choice(["ill", "well"], images).tolist())
    shift = np.array([gap if each == "ill" else -gap for each in labels])
    return TrainingImages(rng.normal(size=(images, 4)) + shift[:, None] / 2, labels, np.arange(images))


def test_a_classifier_is_fitted_and_asked_as_scikit_learns_are():
    images, labels = pictures()
    model = clone(Classifier(FEATURE, folds=2)).fit(images, labels)
    assert model.classes_.tolist() == ["c0", "c1", "c2"] and model.score(images, labels) > 0.9
    shares = model.predict_proba(images)
    assert shares.sum(1) == pytest.approx(1) and (model.classes_[shares.argmax(1)] == model.predict(images)).all()
    assert model.decision_function(images).shape == (24, 3)
    assert model.evaluate(images, labels, subgroups=["x"] * 24).subgroups["x"].accuracy.tries == 24


def test_what_is_saved_is_what_is_read(tmp_path):
    images, labels = pictures(classes=2)
    model = Classifier(FEATURE, folds=2, watched="c1", sensitivity=0.9, abstain_below=0.6).fit(images, labels)
    model.save(tmp_path / "model")
    again = Classifier.load(tmp_path / "model", FEATURE)
    assert (again.predict_proba(images) == model.predict_proba(images)).all()
    assert again.model_.rule == model.model_.rule and again.model_.split == model.model_.split
    with pytest.raises(ParameterError, match="ColourHistogram with"):
        Classifier.load(tmp_path / "model")
    text = (tmp_path / "model").read_bytes()
    (tmp_path / "half").write_bytes(text[: len(text) // 2])
    with pytest.raises(ParameterError, match="half"):
        ClassifierFile.load(tmp_path / "half")


def test_a_model_says_nothing_of_single_images():
    images, labels = pictures(classes=2)
    groups = [f"Doe-{place}" for place in range(len(images))]
    model = Classifier(FEATURE, folds=2).fit(images, labels, groups).model_
    assert "Doe" not in json.dumps(dict(ClassifierFile.of(model).text))
    assert model.split["patients"] == 16 and model.split["classes"] == {"c0": 8, "c1": 8}


def test_equal_pixels_are_in_one_fold():
    images, labels = pictures(each=6, classes=2)
    linked, _ = Classifier(FEATURE)._images([*images, images[0]], [*labels, labels[0]], None)
    assert linked.groups[0] == linked.groups[-1] and len(set(linked.groups.tolist())) == 12


def test_calibrated_probabilities_are_right_as_often_as_they_say():
    report = evaluate_folds(made_up(2000, gap=0.8), TrainingPlan(LinearTraining(10.0))).report
    assert report.calibration_error is not None and report.calibration_error < 0.05


def test_calibration_is_in_the_numbers_of_the_head():
    images = made_up(400)
    plain = train_classifier(FEATURE, images, TrainingPlan(calibration=CalibrationMethod.NONE))
    scaled = train_classifier(FEATURE, images, TrainingPlan())
    ratio = scaled.scores_of(images.vectors) / plain.scores_of(images.vectors)
    assert ratio == pytest.approx(ratio[0, 0]) and ratio[0, 0] != pytest.approx(1, abs=0.01)


def test_the_sensitivity_is_about_kept_on_images_of_other_folds():
    plan = TrainingPlan(LinearTraining(1.0), watched="ill", sensitivity=0.95)
    plain = evaluate_folds(made_up(1500, gap=0.6), TrainingPlan(LinearTraining(1.0))).report.per_class["ill"]
    found = evaluate_folds(made_up(1500, gap=0.6), plan).report.per_class["ill"]
    assert plain.sensitivity.value < 0.9 and found.sensitivity.value == pytest.approx(0.95, abs=0.025)
    assert found.specificity.value < plain.specificity.value


def test_abstention_makes_the_rest_more_certain():
    plain = evaluate_folds(made_up(1000, gap=0.6), TrainingPlan()).report
    careful = evaluate_folds(made_up(1000, gap=0.6), TrainingPlan(abstain_below=0.9)).report
    assert careful.decided.hits < 1000 and careful.accuracy.value > plain.accuracy.value + 0.05


def test_a_patient_who_is_recognised_does_not_help():
    """Labels of patients are drawn by lot: what is learned of a patient must not show in others."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(40), 6)
    of = rng.choice(["ill", "well"], 40)
    vectors = np.repeat(rng.normal(size=(40, 60)), 6, 0) + 0.1 * rng.normal(size=(240, 60))
    labels = tuple(str(of[patient]) for patient in patients)
    plan = TrainingPlan(LinearTraining(10.0))
    leaky = evaluate_folds(TrainingImages(vectors, labels, np.arange(240)), plan).report.accuracy.value
    fair = evaluate_folds(TrainingImages(vectors, labels, patients), plan).report.accuracy.value
    assert leaky > 0.95 and fair < 0.75


def test_a_class_that_a_fold_does_not_know_gets_no_score():
    rng = np.random.default_rng(0)
    labels, folds = ["a", "b"] * 10 + ["c"] * 2, np.array([0, 0, 1, 1] * 5 + [1, 1])
    scores = scores_of_folds(LinearTraining(), rng.normal(size=(22, 3)), labels, ("a", "b", "c"), folds)
    assert scores.shape == (22, 3) and (scores[folds == 1, 2] == -1e4).all() and (scores[folds == 0] > -100).all()


def test_a_network_whose_outputs_are_scores_is_calibrated_alone():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 600)
    scores = 10 * (np.eye(3)[true] + rng.normal(scale=0.8, size=(600, 3)))
    labels = tuple("abc"[number] for number in true)
    images = TrainingImages(scores, labels, np.arange(600))
    model = calibrate_network(FEATURE, ("a", "b", "c"), images, TrainingPlan())
    assert model.head is None and model.scored is FEATURE and 0.02 < model.scaling.factor < 0.9
    again = ClassifierFile.of(model).opened(FEATURE)
    assert (again.probabilities(scores) == model.probabilities(scores)).all()
    with pytest.raises(ParameterError, match="score per class"):
        calibrate_network(FEATURE, ("a", "b"), images, TrainingPlan())


def test_the_feature_with_its_head_is_one_program():
    images, labels = pictures(classes=2)
    model = Classifier(FEATURE, folds=2).fit(images, labels).model_
    from privis import extract

    assert extract(model.scored, images).features == pytest.approx(model.scores(images), abs=1e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TrainingPlan(folds=1),
        lambda: TrainingPlan(watched="a"),
        lambda: TrainingPlan(abstain_below=2),
        lambda: LinearTraining(0),
        lambda: TrainedClassifier(HOG(), ("a",)),
        lambda: train_classifier(FEATURE, made_up(), TrainingPlan(watched="x", sensitivity=0.9)),
        lambda: Classifier(FEATURE).fit(*pictures(each=1)),
        lambda: Classifier(FEATURE).fit(pictures()[0], ["a"]),
        lambda: Classifier(FEATURE, calibration=CalibrationMethod.PLATT, folds=2).fit(*pictures()),
    ],
)
def test_what_cannot_be_trained_is_refused(make):
    with pytest.raises(ParameterError):
        make()


def test_the_default_feature_is_what_it_was():
    from privis.identity import identity

    assert default_feature().program((256, 256)).output_shapes == ((8, 8, 10),)
    assert identity(default_feature()).hex() == identity(default_feature()).hex()
