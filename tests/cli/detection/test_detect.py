"""`privis detect`: boxes as CSV or JSON, words that choose a detector, and a first word that may be a picture.

Answers for `privis.cli.detection.detect`, `privis.cli.detection.detect_group`, `privis.cli.detection.detect_options`,
`privis.cli.detection.detect_words` and `privis.cli.shell.first_word`.
"""

import csv
import io
import json
import os

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.tasks.detection import installed_people_weights
from tests.estimators.detection.test_detector import figure


def detect(*words, stdin=None):
    done = CliRunner().invoke(app, ["detect", *map(str, words)], input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "train"  # the name of a command
    place.mkdir()
    Image.fromarray(figure()).save(place / "a.png")
    Image.fromarray(np.full((200, 200), 99, np.uint8)).save(place / "b ё.png")
    return place


def test_people_as_a_table_on_stdout_and_in_a_file(folder, tmp_path):
    done = detect(folder, "--what", "people")
    assert done.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows and {row["path"] for row in rows} == {str(folder / "a.png")}
    assert set(rows[0]) == {"path", "x", "y", "w", "h", "score", "label"} and rows[0]["label"] == "person"
    again = detect(folder, "-o", tmp_path / "boxes.csv")
    assert again.exit_code == 0 and (tmp_path / "boxes.csv").read_text() == done.stdout
    assert "2 pictures" in again.stdout


def test_json_names_every_picture_and_bad_ones_with_a_reason(folder):
    (folder / "c.png").write_bytes(b"none")
    done = detect(folder, "--json")
    assert done.exit_code == 1
    rows = json.loads(done.stdout)
    assert [os.path.basename(row["path"]) for row in rows] == ["a.png", "b ё.png", "c.png"]
    assert rows[0]["boxes"][0]["label"] == "person" and rows[1]["boxes"] == [] and "PNG" in rows[2]["why"]
    assert "c.png" in done.stderr


def test_a_model_of_ones_own_has_a_label_of_ones_own(folder, tmp_path):
    np.save(tmp_path / "w.npy", installed_people_weights())
    rows = json.loads(detect(folder / "a.png", "--what", "guard", "--model", tmp_path / "w.npy", "--json").stdout)
    assert {box["label"] for box in rows[0]["boxes"]} == {"guard"}


def test_options_of_the_detector_count(folder):
    def boxes(*words):
        return json.loads(detect(folder / "a.png", "--json", *words).stdout)[0]["boxes"]

    assert len(boxes("--score", "-1.5")) > len(boxes()) > len(boxes("--score", "50")) == 0
    assert len(boxes("--score", "-2", "--most", "2")) == 2
    assert len(boxes("--score", "-1.5", "--overlap", "0.9")) > len(boxes("--score", "-1.5"))
    assert boxes("--step", "1.5") != boxes() and boxes("--enlarge", "2", "--score", "-1") != boxes("--score", "-1")
    assert boxes("--border", "0", "--score", "-2") != boxes("--score", "-2")


def test_plates_and_lists_on_stdin(folder):
    done = detect("-", "--what", "plates", "--json", stdin=f"{folder / 'a.png'}\n")
    assert done.exit_code == 0 and json.loads(done.stdout)[0]["path"] == str(folder / "a.png")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--what", "cars"], "--model"),
        (["--what", ""], "no word"),
        (["--what", "faces", "--step", "1.2", "--border", "8"], "--border"),
        (["--what", "plates", "--model", "x.onnx"], "--model"),
        (["--step", "0.5"], "step"),
        (["--overlap", "3"], "overlap"),
        (["--model", "/no/such"], "such"),
        (["-o", "boxes.txt"], ".csv"),
    ],
)
def test_words_that_do_not_fit_are_refused(folder, words, said):
    done = detect(folder, *words)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split())


def test_nothing_usable_is_an_exit_code_of_its_own(tmp_path):
    (tmp_path / "a.png").write_bytes(b"none")
    assert detect(tmp_path).exit_code == 3
    assert detect(tmp_path / "nothing").exit_code == 2


def test_the_first_word_may_be_a_picture_an_option_or_help(folder):
    assert detect("--what", "people", folder).exit_code == detect(folder).exit_code == 0
    for words in ([], ["--help"], ["-h"]):
        shown = detect(*words)
        assert shown.exit_code == 0 and "--what" in shown.stdout and "IMAGES" in shown.stdout
        assert "privis detect evaluate --help" in " ".join(shown.stdout.split())  # what else there is
    assert detect(folder, "--what", "people", "--what", "faces").exit_code == 2
