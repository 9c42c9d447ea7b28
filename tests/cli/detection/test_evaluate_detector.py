"""`privis detect evaluate`: measures of a detector; answers for `privis.cli.detection.evaluate_detector`."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.tasks.detection import DetectedBoxes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures; a detector finds one of three boxes in each, and something else in the first."""
    for name, grey in (("a", 10), ("b", 20)):
        Image.fromarray(np.full((60, 80), grey, np.uint8)).save(tmp_path / f"{name}.png")
    rows = ["a.png,5,5,20,40,person", "a.png,40,5,20,40,dog", "b.png,5,5,20,40,person"]
    (tmp_path / "boxes.csv").write_text("path,x,y,w,h,label\n" + "\n".join(rows))

    class Finder:
        labels = ("person",)

        def detect(self, image):
            if image[0, 0] == 10:
                return DetectedBoxes([[5, 5, 20, 40], [50, 5, 20, 40]], [0.8, 0.9], "person")
            return DetectedBoxes.none()

    monkeypatch.setattr("privis.cli.detection.detect_words.DetectWords.finder", lambda self: Finder())
    return tmp_path


def evaluate(*words):
    done = CliRunner().invoke(app, ["detect", "evaluate", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_measures_as_json(folder):
    done = evaluate(folder, "--boxes", folder / "boxes.csv", "--label", "person", "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == 0 and said["average_precision"] == pytest.approx(0.25)  # a half found, at a half right
    assert (said["recall"], said["false_per_image"], said["boxes"], said["images"]) == (0.5, 0.5, 2, 2)


def test_a_label_that_is_looked_for_is_the_one_to_be_found(folder):
    done = evaluate(folder, "--boxes", folder / "boxes.csv", "--what", "person", "--at-least", 0.3)
    assert done.exit_code == 8 and "average precision 0.250" in done.stdout


def test_several_labels_and_none_said_is_refused(folder):
    done = evaluate(folder, "--boxes", folder / "boxes.csv", "--what", "cat")
    assert done.exit_code == 2 and "dog, person" in done.output and "--label dog" in done.output


def test_images_that_cannot_be_read_are_listed(folder):
    (folder / "b.png").write_bytes(b"none")
    done = evaluate(folder, "--boxes", folder / "boxes.csv", "--label", "person")
    assert done.exit_code == 1 and "b.png" in done.output


def test_boxes_of_other_kinds_are_no_false_ones(folder, monkeypatch):
    class Finder:
        labels = ("dog", "person")

        def detect(self, image):
            return DetectedBoxes([[5, 5, 20, 40], [50, 5, 20, 40]], [0.8, 0.9], ("person", "dog"))

    monkeypatch.setattr("privis.cli.detection.detect_words.DetectWords.finder", lambda self: Finder())
    done = evaluate(folder, "--boxes", folder / "boxes.csv", "--what", "all", "--label", "person", "--json")
    said = json.loads(done.stdout)
    assert (said["average_precision"], said["false_per_image"]) == (1.0, 0.0)


@pytest.mark.parametrize("words", [("--at", 0), ("--at", 1.5)])
def test_an_overlap_outside_0_to_1_is_refused(folder, words):
    done = evaluate(folder, "--boxes", folder / "boxes.csv", "--label", "person", *words)
    assert done.exit_code == 2


def test_images_of_equal_pixels_count_once(folder):
    Image.fromarray(np.full((60, 80), 20, np.uint8)).save(folder / "c.png")
    with open(folder / "boxes.csv", "a") as file:
        file.write("\nc.png,5,5,20,40,person\n")
    done = evaluate(folder, "--boxes", folder / "boxes.csv", "--label", "person", "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == 0 and said["repeated"] == [str(folder / "c.png")] and said["images"] == 2
