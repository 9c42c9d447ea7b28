"""`privis detect train`: a model that `privis detect` reads, and what is wrong with images and boxes at once.

Answers for `privis.cli.detection.train_detector` and `privis.cli.detection.train_options`.
"""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from tests.estimators.detection.training.discs import discs

pytest.importorskip("sklearn")


def detect(*words):
    done = CliRunner().invoke(app, ["detect", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def pictures(folder: Path, seeds: range) -> Path:
    folder.mkdir()
    rows = ["path,x,y,w,h,label"]
    for seed in seeds:
        picture, boxes = discs(seed)
        Image.fromarray(picture).save(folder / f"{seed}.png")
        rows += [f"{seed}.png,{x:.2f},{y:.2f},{w:.2f},{h:.2f},disc" for x, y, w, h in boxes]
    (folder / "boxes.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("trained")
    folder = pictures(place / "known", range(6))
    words = ["--boxes", folder / "boxes.csv", "-o", place / "discs.model", "--strength", 0.3, "--rounds", 1]
    done = detect("train", folder, *words, "--folds", 2, "--json")
    assert done.exit_code == 0, done.output
    return place, json.loads(done.stdout)


def test_what_was_trained_is_said_and_finds_things_in_new_pictures(trained, tmp_path):
    place, said = trained
    assert (said["label"], said["images"], said["boxes"]) == ("disc", 6, 12)
    assert 0 <= said["held_out"]["average_precision"] <= 1
    new = pictures(tmp_path / "new", range(100, 102))
    done = detect(new, "--model", place / "discs.model", "--score", 0.3)
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    truth = list(csv.DictReader((new / "boxes.csv").read_text().splitlines()))
    assert {row["label"] for row in rows} == {"disc"} and all(0.3 <= float(row["score"]) <= 1 for row in rows)
    for word in ("faces", "plates", "discs"):  # also a word that has a detector of its own
        done = detect(new / "100.png", "--model", place / "discs.model", "--what", word, "--json")
        assert {box["label"] for box in json.loads(done.stdout)[0]["boxes"]} == {word}, done.output
    near = [
        any(
            Path(row["path"]).name == box["path"] and abs(float(row["x"]) - float(box["x"])) < 12
            and abs(float(row["y"]) - float(box["y"])) < 12
            for row in rows
        )
        for box in truth
    ]  # fmt: skip
    assert sum(near) >= 3, (rows, truth)
    other = detect(new, "--model", place / "discs.model", "--what", "ball")
    assert {row["label"] for row in csv.DictReader(io.StringIO(other.stdout))} == {"ball"}


def test_words_that_mean_nothing_for_a_trained_detector_are_refused(trained):
    place, _ = trained
    for words in (["--enlarge", 2], ["--score", 2]):
        done = detect(place / "known", "--model", place / "discs.model", *words)
        assert done.exit_code == 2, done.output


def test_info_says_what_a_detector_finds(trained):
    done = CliRunner().invoke(app, ["info", str(trained[0] / "discs.model")])
    assert done.exit_code == 0 and "finds disc" in done.stdout and "12 boxes of 6 images" in done.stdout


def _words(folder, output, *more):
    return ["train", folder, "--boxes", folder / "boxes.csv", "-o", output, *more]


@pytest.mark.parametrize(
    ("rows", "words", "said"),
    [
        ("0.png,1,1,20,20,disc", (), "at least 2"),
        ("0.png,1,1,20,20,disc", ("--what", "ball"), "'ball'"),
        ("0.png,1,1,20,20,disc\n1.png,150,1,40,40,disc", (), "line 3"),
        ("0.png,1,1,20,20,disc\n1.png,1,1,20,20,square", (), "--what"),
        ("0.png,1,1,x,20,disc\n1.png,1,1,20,-2,disc", (), "line 3"),
        ("0.png,1,1,20,20,disc\n1.png,1,1,20,20,disc", ("--window", "100"), "--window"),
        ("0.png,1,1,20,20,disc\n1.png,1,1,20,20,disc", ("--window", "100x100"), "multiples of 8"),
        ("0.png,1,1,20,20,disc\n1.png,1,1,20,20,disc", ("--strength", "-1"), "above 0"),
        ("other.png,1,1,20,20,disc", (), "names or paths"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, rows, words, said):
    for name in ("0.png", "1.png"):
        Image.fromarray(np.zeros((96, 160), np.uint8)).save(tmp_path / name)
    (tmp_path / "boxes.csv").write_text(f"path,x,y,w,h,label\n{rows}\n")
    more = () if "1.png" in rows or "other" in rows or said != "at least 2" else ("--background",)
    done = detect(*_words(tmp_path, tmp_path / "new.model", *words, *more))
    assert done.exit_code == 2 and said in done.output, done.output
    assert not (tmp_path / "new.model").exists()


def test_images_that_the_list_does_not_name_are_refused_unless_they_are_background(tmp_path):
    folder = pictures(tmp_path / "known", range(2))
    Image.fromarray(np.zeros((96, 160), np.uint8)).save(folder / "empty.png")
    done = detect(*_words(folder, tmp_path / "new.model"))
    assert done.exit_code == 2 and "empty.png" in done.output and "--background" in done.output
