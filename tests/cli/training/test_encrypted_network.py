"""``privis train network --for ckks``: `privis.cli.training.encrypted_network`."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app

pytest.importorskip("torch")
pytest.importorskip("onnx")

BASE = ["train", "network", "--for", "ckks", "--image-size", "12x12", "--epochs", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty dark and bright pictures in two folders."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name, low in (("bright", 150), ("dark", 0)):
        (root / name).mkdir()
        for number in range(20):
            Image.fromarray(rng.integers(low, low + 100, (16, 16), np.uint8)).save(root / name / f"{number}.png")
    return root


def run(*words):
    return CliRunner().invoke(app, [*BASE, *([] if "--levels" in words else ["--levels", "3"]), *map(str, words)])


def test_it_tells_trains_and_writes(folder, tmp_path):
    made = run(folder, "-o", tmp_path / "net.onnx", "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert told["classes"] == ["bright", "dark"] and told["levels"] == 3 and told["images"] + told["held"] == 40
    assert {"seconds", "keys_mb", "changed", "accuracy"} <= told["forecast"].keys() == told["trained"].keys()
    assert told["trained"]["accuracy"] > 0.9 and (tmp_path / "net.onnx").exists()
    assert not list(tmp_path.glob("*.checkpoint"))


def test_a_forecast_trains_nothing_and_limits_refuse(folder, tmp_path):
    told = run(folder, "-o", tmp_path / "net.onnx", "--forecast")
    assert told.exit_code == 0 and "s an image" in told.output and "Training will take" in told.output
    refused = run(folder, "-o", tmp_path / "net.onnx", "--most-seconds", "1e-6", "--most-keys", "1e-6")
    assert refused.exit_code == 2 and "--most-seconds" in refused.output and "--most-keys" in refused.output
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_used_is_named_and_the_rest_is_learned(folder, tmp_path):
    bad = tmp_path / "dark" / "bad.png"
    bad.parent.mkdir()
    bad.write_bytes(b"no picture")
    told = run(folder, tmp_path / "dark", "-o", tmp_path / "net.onnx", "--forecast", "--json")
    assert told.exit_code == 1 and "bad.png" in told.stderr and json.loads(told.stdout)["failed"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epsilon", "1"], "--epsilon"),
        (["--levels", "40"], "levels"),
        (["--classes", "bright,light"], "--classes"),
        (["-o", "net.npz"], ".onnx"),
    ],
)
def test_wrong_words_are_refused(folder, tmp_path, words, said):
    output = [] if "-o" in words else ["-o", tmp_path / "net.onnx"]
    refused = run(folder, *output, *words)
    assert refused.exit_code == 2 and said in refused.output


def test_a_size_that_is_none_is_refused(folder, tmp_path):
    words = ["train", "network", str(folder), "--for", "ckks", "--image-size", "huge", "-o", str(tmp_path / "n.onnx")]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2 and "huge" in refused.output


def test_words_of_networks_and_tables_are_kept_apart(tmp_path):
    for words, said in (
        (["train", "table.npz", "--for", "ckks", "-o", "net.onnx"], ("the word network", "no picture")),
        (["train", "table.npz", "more", "-o", "head.npz"], ("1 words after table.npz", "--classes")),
        (["train", "table.npz", "-o", "head.npz"], ("--classes: got nothing",)),
    ):
        refused = CliRunner().invoke(app, words)
        assert refused.exit_code == 2 and all(each in refused.output for each in said)
