"""Predictions as a file: of every kind of head, from tables and from a server's scores."""

import csv

import numpy as np
from typer.testing import CliRunner

from privis.cli.files.predictions import write_predictions
from privis.cli.main import app
from privis.io.tables import write
from privis.tasks import LinearHead, LinearMap, Link
from privis.tasks.decisions import Predictions

VECTORS = np.array([[1.0, 0.0], [0.0, 3.0]], np.float32)


def told(tmp_path, link, classes=("well", "ill")):
    write(tmp_path / "t.npz", ["a.png", "b.png"], [VECTORS], names=["x", "y"], metadata={})
    LinearHead(classes, (LinearMap(np.eye(2), np.zeros(2)),), link).save(tmp_path / "head.npz")
    words = ["predict", tmp_path / "t.npz", "--head", tmp_path / "head.npz", "-o", tmp_path / "p.csv"]
    return CliRunner().invoke(app, list(map(str, words)))


def test_a_linear_head_names_classes_and_their_probabilities_where_it_has_them(tmp_path):
    for link, share in ((Link.SOFTMAX, "0.7311"), (Link.LARGEST, "")):
        assert told(tmp_path, link).exit_code == 0
        with open(tmp_path / "p.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["label"] for row in rows] == ["well", "ill"]
        assert rows[0]["probability"] == share


def test_values_are_no_classes(tmp_path):
    done = told(tmp_path, Link.VALUES)
    assert done.exit_code == 2 and "it names no classes" in done.output
    assert not (tmp_path / "p.csv").exists()


def test_the_class_alone_has_no_probability(tmp_path):
    write_predictions(tmp_path / "p.csv", ["a"], ["no", "yes"], Predictions(("yes",)))
    assert (tmp_path / "p.csv").read_text() == "path,label,probability\na,yes,\n"
