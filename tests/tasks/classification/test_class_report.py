"""Figures are those of scikit-learn, and undecided images are neither hits nor misses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from privis.errors import ParameterError
from privis.tasks.classification import classification_report

CLASSES = ("a", "b", "c")


def test_figures_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    true, called = (rng.choice(CLASSES, 200).tolist() for _ in range(2))
    report = classification_report(CLASSES, true, called)
    assert (report.confusion[:, :3] == confusion_matrix(true, called, labels=CLASSES)).all()
    precision, recall, _, counts = precision_recall_fscore_support(true, called, labels=CLASSES)
    figures = report.per_class.values()
    assert [each.precision.value for each in figures] == pytest.approx(precision)
    assert [each.sensitivity.value for each in figures] == pytest.approx(recall)
    assert [each.images for each in figures] == counts.tolist()
    others = [np.array(true) != name for name in CLASSES]
    right = [np.mean(np.array(called)[of] != name) for of, name in zip(others, CLASSES, strict=True)]
    assert [each.specificity.value for each in figures] == pytest.approx(right)


def test_undecided_images_have_a_column_of_their_own():
    report = classification_report(("a", "b"), ["a", "a", "b", "b"], ["a", None, "a", None])
    assert report.confusion.tolist() == [[1, 0, 1], [1, 0, 1]]
    assert (report.accuracy.hits, report.accuracy.tries, report.decided.hits) == (1, 2, 2)
    assert report.per_class["b"].undecided == 1
    document = json.loads(json.dumps(report.to_dict()))
    assert document["undecided"] == 2 and document["confusion"] == {"a": {"a": 1, "b": 0}, "b": {"a": 1, "b": 0}}
    assert document["per_class"]["b"]["precision"]["value"] is None


def test_subgroups_are_reports_of_their_own():
    report = classification_report(("a", "b"), ["a", "a", "b"], ["a", "b", "b"], subgroups=["x", "y", ""])
    assert {name: part.accuracy.value for name, part in report.subgroups.items()} == {"x": 1.0, "y": 0.0}
    assert set(report.to_dict()["subgroups"]) == {"x", "y"}


def test_calibration_is_measured():
    sure = classification_report(("a", "b"), ["a", "b"], ["a", "a"], np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert (sure.calibration_error, sure.brier) == (0.5, 1.0)
    rng = np.random.default_rng(1)
    shares = rng.random(20_000)
    rows = np.stack([shares, 1 - shares], 1)
    true = np.where(rng.random(20_000) < shares, "a", "b").tolist()
    error = classification_report(("a", "b"), true, true, rows).calibration_error
    assert error is not None and error < 0.02


def test_what_does_not_fit_is_said_at_once():
    with pytest.raises(ParameterError) as caught:
        classification_report(("a", "b"), ["a", "z"], ["a"], patients=["x"])
    assert len(caught.value.problems) == 3
