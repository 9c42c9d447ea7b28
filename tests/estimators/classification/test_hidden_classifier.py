"""`privis.estimators.classification.hidden_classifier` and `privis classify --under`: nobody sees what is another's.

Answers for `privis.estimators.classification.hidden_classifier` and `privis.cli.classification.hidden_words`.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis import CKKS, HOG, MPC, ColourHistogram
from privis.cli.main import app
from privis.errors import ParameterError, UnsupportedError
from privis.estimators.classification.classifier_file import ClassifierFile
from privis.estimators.classification.hidden_classifier import HiddenClassifier
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.tasks import LinearHead, LinearMap, Link, Revealed, UnitLength
from privis.tasks.classification import DecisionRule

FEATURE = ColourHistogram(bins=4, size=(8, 8))
MATRIX = np.array([[0.1, 0, 0, -0.1] * 3, [0, 0.05, 0.05, 0] * 3, [-0.1, 0, 0, 0.1] * 3])
HEAD = LinearHead(("dark", "middle", "bright"), (LinearMap(MATRIX, np.array([0.2, -0.1, 0.3])),), Link.SOFTMAX)
WORDS = {"feature": "colour", "parameters": ["bins=4", "size=8x8"]}
MODEL = TrainedClassifier(FEATURE, HEAD.classes, HEAD, words=WORDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("hidden"), np.random.default_rng(0)
    for name, low in (("dark", 0), ("middle", 90), ("bright", 190)):
        (root / "photos" / name).mkdir(parents=True)
        Image.fromarray(rng.integers(low, low + 60, (8, 8, 3), np.uint8)).save(root / "photos" / name / "0.png")
    ClassifierFile.of(MODEL).save(root / "colour.model")
    return root


def run(folder, *words, command="predict"):
    given = ["classify", command, str(folder / "photos"), "--model", str(folder / "colour.model"), *words]
    return CliRunner().invoke(app, given)


def test_ciphertexts_give_the_classes_and_probabilities_of_the_clear(folder):
    clear = json.loads(run(folder, "--json").stdout)
    hidden = run(folder, "--json", "--under", "ckks")
    assert hidden.exit_code == 0, hidden.output
    for one, other in zip(clear, json.loads(hidden.stdout), strict=True):
        assert one["class"] == other["class"] and abs(one["probability"] - other["probability"]) < 1e-3
    said = hidden.stderr
    assert "Predicted under ckks" in said and "keys of" in said and "it does not see the model" in said


def test_parties_tell_the_class_alone_and_the_report_is_that_of_the_clear(folder):
    report = run(folder, "--under", "aby3", "--learn", "decisions", "--json", command="evaluate")
    assert report.exit_code == 0, report.output
    told = json.loads(report.stdout)
    assert told["accuracy"] == 1.0 and told["hidden"]["learned"] == "decisions" and "brier" not in told
    assert "the class of each and nothing else" in report.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--under", "colours"], ("--under", "clear, ckks, aby3, cheetah")),
        (["--learn", "decisions", "--extracted-by", "owner"], ("--learn decisions", "--extracted-by owner")),
        (["--under", "ckks", "--learn", "decisions"], ("no maximum is computed",)),
        (["--under", "aby3", "--learn", "decisions", "--every-class"], ("--every-class",)),
    ],
)
def test_words_that_hide_nothing_or_cannot_be_are_refused(folder, words, said):
    refused = run(folder, *words)
    assert refused.exit_code == 2 and all(each in refused.output for each in said), refused.output
    folds = CliRunner().invoke(app, ["classify", "evaluate", str(folder / "photos"), "--under", "ckks"])
    assert folds.exit_code == 2 and "--model" in folds.output


def test_what_a_model_cannot_hide_is_refused():
    decided = replace(MODEL, rule=DecisionRule("dark", 0.2, 0.0, 0.9))
    with pytest.raises(ParameterError, match="likeliest"):
        HiddenClassifier(decided, MPC(), Revealed.CLASS)
    with pytest.raises(ParameterError, match="nothing is public"):
        HiddenClassifier(TrainedClassifier(FEATURE, HEAD.classes), MPC(), extracted_by_owner=True)
    hog, stage = HOG(size=(24, 24)), LinearMap(np.ones((2, 81)), np.zeros(2))
    normalised = TrainedClassifier(hog, ("a", "b"), LinearHead(("a", "b"), (UnitLength(), stage), Link.SOFTMAX))
    with pytest.raises(UnsupportedError, match="left to whoever holds the key"):
        HiddenClassifier(normalised, CKKS(promised=True, signs=3)).check((24, 24, 3))


def test_parties_are_told_what_they_see_of_a_network():
    network = HiddenClassifier(TrainedClassifier(FEATURE, HEAD.classes), MPC())
    assert any("The parties see the network" in each for each in network.told())
    assert not any("see the network" in each for each in HiddenClassifier(MODEL, MPC()).told())
    assert HiddenClassifier(MODEL, MPC()).labels(np.array([[2.0], [0.0]])) == ("bright", "dark")
