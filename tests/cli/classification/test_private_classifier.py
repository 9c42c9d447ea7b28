"""`privis classify train --epsilon` learns, charges its ledger once, and lets nothing out that noise does not cover.

Answers for `privis.cli.classification.private_classifier`, `privis.estimators.classification.private_training` and
`privis.cli.training.private_runs`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis import LBP, Person, WholeImage
from privis.cli.main import app
from privis.errors import ParameterError
from privis.estimators.classification.classifier_file import ClassifierFile
from privis.estimators.classification.private_training import PrivatePlan, train_privately

pytestmark = pytest.mark.usefixtures("coarse_accounting")
FAST = ["-f", "colour", "-p", "bins=4", "--workers", "1"]
PRIVATE = ["--epsilon", "8", "--classes", "ill,well"]


def run(*words: object, code: int = 0):
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Two classes of 75 patients with two images each, and one image of a third class."""
    root, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(0)
    for name, shade, count in (("ill", 40, 150), ("well", 210, 150), ("odd", 100, 1)):
        (root / name).mkdir()
        for number in range(count):
            pixels = rng.normal(shade, 20, (8, 8)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{name[0]}{number // 2}-{number % 2}.png")
    return root


def test_a_model_is_charged_once_and_says_its_guarantee(scans, tmp_path):
    ledger, place = tmp_path / "scans.ledger", tmp_path / "scans.model"
    run("ledger", "init", ledger, "--epsilon", 16, "--delta", "2e-5", "--per", "corpus", "--unit", "person")
    words = ["classify", "train", scans, "-o", place, "--subject-from", "filename:(.+)-", "--patients", 150]
    words += [*PRIVATE, "--images-per-patient", 2, "--ledger", ledger, "--key", tmp_path / "noise.key", *FAST, "--json"]
    told = json.loads(run(*words, code=1).stdout)  # one image is of a class that is not on the list
    assert [each["path"].rpartition("/")[2] for each in told["refused"]] == ["o0-0.png"]
    assert told["guarantee"]["epsilon"] <= 8 and "person" in told["guarantee"]["relation"]
    before = run("ledger", "show", ledger).output
    run(*words, code=1)
    assert run("ledger", "show", ledger).output == before  # the same training: the same release
    text = ClassifierFile.load(place).text
    assert set(text["split"]) == {"record"} and text["calibration"] == "none" and text["guarantee"] == told["guarantee"]
    assert "whole-image epsilon 8" in run("info", place).output and not (tmp_path / "scans.model.checkpoint").exists()
    run("classify", "predict", scans, "--model", place, "-o", tmp_path / "t.csv", "--workers", 1)
    rows = (tmp_path / "t.csv").read_text().splitlines()[1:]
    right = [line.split(",")[1] in line.split(",")[0] for line in rows if "odd" not in line]
    assert np.mean(right) > 0.9


def test_everything_that_does_not_fit_is_said_at_once(scans, tmp_path):
    words = ["classify", "train", scans, "-o", tmp_path / "m", "--subject-from", "filename:(.+)-", *FAST]
    found = run(*words, "--epsilon", 3, "--folds", 3, "--balanced", "--test", scans, code=2).output
    for option in ("--folds", "--balanced", "--test", "--classes", "--patients"):
        assert f"{option}: got" in found
    assert "--delta: got" in run(*words, "--delta", 1e-6, code=2).output
    assert not list(tmp_path.iterdir())


def test_a_ledger_that_is_full_leaves_no_model(scans, tmp_path):
    ledger = tmp_path / "scans.ledger"
    run("ledger", "init", ledger, "--epsilon", 1, "--delta", "1e-5", "--per", "corpus", "--unit", "image")
    done = run("classify", "train", scans, "-o", tmp_path / "m", *PRIVATE, "--ledger", ledger, *FAST, code=5)
    assert "repeating an earlier release with its key is free" in done.output and not (tmp_path / "m").exists()


def test_units_follow_from_whose_images_are_known():
    plan = PrivatePlan(3.0, ("ill", "well"))
    assert plan.training(4, 900).unit == WholeImage() and plan.training(4, 900).size == 900
    known = PrivatePlan(3.0, ("ill", "well"), patients=500, images_per_patient=3).training(4, 900)
    assert known.unit == Person(3) and known.size == 500
    with pytest.raises(ParameterError) as found:
        PrivatePlan(3.0, ("ill", "ill"), images_per_patient=2)
    assert len(found.value.problems) == 2
    with pytest.raises(ParameterError, match="both or neither"):
        train_privately(LBP(), np.eye(4), ["ill", "well"] * 2, list("abcd"), plan, corpus="ward")
