"""``privis video behaviour`` on drawn clips: something falls, or walks.

Answers for `privis.cli.video.behaviour.behaviour_group`, `privis.cli.video.behaviour.clip_words`,
`privis.cli.video.behaviour.train_behaviour`, `privis.cli.video.behaviour.predict_behaviour`,
`privis.cli.video.behaviour.evaluate_behaviour` and `privis.tasks.classification.balanced_accuracy`.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.cli.video.behaviour import predict_behaviour
from privis.tasks.classification import balanced_accuracy, classification_report
from tests.io.video.video_files import write, write_sound

pytest.importorskip("av")
TIMES = tuple(range(0, 2000, 66))


def called(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["video", "behaviour", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def clip(path: Path, falls: bool, seed: int) -> Path:
    """A person of 8 x 20 pixels who walks, and at a moment falls."""
    random = np.random.default_rng(seed)
    begins, start = int(random.integers(6, 12)), float(random.integers(4, 20))
    frames = []
    for number in range(len(TIMES)):
        x = start + number * 0.8 if not falls or number < begins else start + begins * 0.8
        sunk = min(max(number - begins, 0) * 4, 14) if falls else 0
        frame = np.full((48, 64, 3), 80, np.uint8) + random.integers(0, 4, (48, 64, 3), np.uint8)
        high, wide = 20 - sunk, 8 + sunk
        frame[42 - high : 42, round(x) : round(x) + wide] = np.linspace(140, 230, high)[:, None, None]
        frames.append(frame)
    path.parent.mkdir(exist_ok=True)
    return write(path, TIMES, frames=frames, size=(48, 64), codec="ffv1", pixel_format="bgr0", options={})


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(5):
        clip(folder / "fall" / f"f{number}.mkv", True, number)
        clip(folder / "walk" / f"w{number}.mkv", False, 50 + number)
    return folder


@pytest.fixture(scope="module")
def model(clips: Path) -> Path:
    path = clips.parent / "falls.model"
    code, said = called("train", clips, "-o", path, "--folds", 3, "--workers", 1, "--json")
    document = json.loads(said)
    assert code == 0 and document["classes"] == ["fall", "walk"] and document["split"]["images"] == 10
    return path


def test_clips_are_called_what_they_are(clips: Path, model: Path, tmp_path: Path) -> None:
    new = [clip(tmp_path / "new" / "a.mkv", True, 90), clip(tmp_path / "new" / "b.mkv", False, 91)]
    code, said = called("predict", tmp_path / "new", "--model", model, "-o", tmp_path / "found.csv")
    assert code == 0 and "2 clips" in said
    with open(tmp_path / "found.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["class"]) for row in rows] == [(str(new[0]), "fall"), (str(new[1]), "walk")]
    assert 0 <= float(rows[0]["start"]) < float(rows[0]["end"]) <= 2
    code, said = called("evaluate", tmp_path / "new", "--labels-from", "filename:(a|b)", "--model", model, "--json")
    assert code == 2  # classes that the model does not know


def test_what_the_model_saw_is_left_out_of_its_test(clips: Path, model: Path) -> None:
    code, said = called("evaluate", clips, "--model", model, "--json")
    assert code == 2 and not said
    code, said = called("evaluate", clips, "--model", model, "--on-leak", "count", "--json")
    assert code == 0 and json.loads(said)["accuracy"] == 1.0 and len(json.loads(said)["leaks"]) == 10


def test_each_clip_is_left_out_in_its_turn(clips: Path) -> None:
    code, said = called("evaluate", clips, "--workers", 1, "--json")
    found = json.loads(said)
    assert code == 0 and found["folds"] == 10 and found["balanced_accuracy"]["value"] >= 0.9
    low, high = found["balanced_accuracy"]["interval"]
    assert 0.5 < low < found["balanced_accuracy"]["value"] <= high
    code, said = called("evaluate", clips, "--subject-from", r"filename:(\d)", "--workers", 1, "--json")
    assert code == 0 and json.loads(said)["folds"] == 5
    assert called("evaluate", clips, "--folds", 2, "--at-least", 1.01)[0] == 2
    assert called("evaluate", clips, "--under", "aby3")[0] == 2


def test_a_recording_is_looked_at_throughout(model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "long.mkv", tuple(range(0, 10_000, 66)), noise=6)
    code, said = called("predict", path, "--throughout", "--model", model, "--json")
    rows = json.loads(said)
    assert code == 0 and len(rows) == 3 and [row["path"] for row in rows] == [str(path)] * 3
    assert rows[1]["start"] > rows[0]["end"]


def test_a_classifier_is_asked_without_being_shown(clips: Path, model: Path) -> None:
    asked = ("predict", clips / "fall" / "f0.mkv", clips / "walk" / "w0.mkv", "--model", model, "--json")
    clear, hidden = (json.loads(called(*asked, "--under", under)[1]) for under in ("clear", "ckks"))
    for seen, unseen in zip(clear, hidden, strict=True):
        assert seen["class"] == unseen["class"] and math.isclose(
            seen["probability"], unseen["probability"], abs_tol=0.01
        )


@pytest.mark.long
def test_a_private_training_says_its_guarantee(clips: Path, tmp_path: Path) -> None:
    words = (
        "--subject-from",
        r"filename:(.+?)\.",
        "--epsilon",
        8,
        "--delta",
        0.01,
        "--classes",
        "fall,walk",
        "--patients",
        10,
    )
    code, said = called("train", clips, *words, "-o", tmp_path / "m", "--workers", 1, "--json")
    assert code == 0 and json.loads(said)["guarantee"]["epsilon"] <= 8


def test_what_is_no_clip_is_said(clips: Path, model: Path, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    Image.new("RGB", (8, 8)).save(picture)
    assert called("predict", picture, "--model", model)[0] == 2
    assert called("predict", tmp_path, "--model", model)[0] == 2  # pictures alone
    code, said = called("predict", write_sound(tmp_path / "a.mp4"), clips / "fall", "--model", model, "--json")
    rows = json.loads(said)
    assert code == 1 and len(rows) == 6 and "sound alone" in rows[-1]["why"] and rows[-1]["path"].endswith("a.mp4")
    assert called("predict", clips, "--model", picture)[0] == 2


def test_balanced_accuracy_of_classes_without_images() -> None:
    report = classification_report(["a", "b"], ["a", "a"], ["a", "b"])
    assert math.isnan(balanced_accuracy(report).value) and balanced_accuracy(report).to_dict()["value"] is None
    found: Any = balanced_accuracy(classification_report(["a", "b"], ["a"] * 90 + ["b"] * 10, ["a"] * 90 + ["b"] * 10))
    assert found.value == 1.0 and found.interval[1] == 1.0 and 0.8 < found.interval[0] < 0.9


def test_times_late_in_a_recording_keep_their_fractions(tmp_path: Path) -> None:
    with open(tmp_path / "late.csv", "w") as file:
        late = {"start": 12345.066667, "end": 12348.0, "class": "fall", "probability": 0.5}
        predict_behaviour._write(file, [{"path": "a.mp4", **late}])
    assert (tmp_path / "late.csv").read_text().splitlines()[1] == "a.mp4,12345.066667,12348,fall,0.500000"


def test_of_a_video_of_one_frame_it_is_said_that_nothing_moves(model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "one.mkv", (0,), size=(48, 64))
    longer = write(tmp_path / "longer.mkv", (0, 100, 200), size=(48, 64))
    done = CliRunner().invoke(app, ["video", "behaviour", "predict", str(path), str(longer), "--model", str(model)])
    said = " ".join(done.stderr.split())
    assert done.exit_code == 0 and "one.mkv has one frame" in said and "longer.mkv has" not in said
