"""``privis video anomalies``. Answers for `privis.cli.video.anomalies`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from tests.io.video.video_files import write, write_sound

pytest.importorskip("av")


def called(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def moving(count: int = 40) -> list[np.ndarray]:
    made = []
    for number in range(count):
        frame = np.full((48, 64, 3), 60, np.uint8)
        frame[30:40, 4 + number : 8 + number] = 120
        if number >= 34:
            frame[8:24, 6 * (number - 34) : 6 * (number - 34) + 12] = 250
        made.append(frame)
    return made


def test_a_row_for_each_frame_and_a_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", tuple(range(0, 4000, 100)), frames=moving(), size=(48, 64))
    scores, heat = tmp_path / "scores.csv", tmp_path / "heat.png"
    code, said = called("video", "anomalies", path, "-o", scores, "--picture", heat, "--json")
    assert code == 0
    found = json.loads(said)
    assert found["frames"] == 40 and found["most_unusual"][0]["time"] >= 3.4
    with open(scores, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(number) for number in range(1, 41)]
    assert float(rows[36]["y"]) < 24 and float(rows[36]["score"]) > float(rows[2]["score"])
    with Image.open(heat) as picture:
        assert picture.size == (64, 48)
    code, said = called("video", "anomalies", path, "--every", "0.2s", "--from", "0.5s")
    assert code == 0 and "18 frames" in said and "times as much as is usual" in said


def test_a_folder_of_frames_has_a_rate(tmp_path: Path) -> None:
    for number, frame in enumerate(moving()):
        Image.fromarray(frame).save(tmp_path / f"{number:03}.png")
    code, said = called("video", "anomalies", tmp_path, "--rate", "5", "--json")
    assert code == 0
    best = json.loads(said)["most_unusual"][0]
    assert best["time"] == pytest.approx((best["frame"] - 1) / 5) and best["time"] >= 6.6


def test_what_cannot_be_looked_at_says_so(tmp_path: Path) -> None:
    assert called("video", "anomalies", write_sound(tmp_path / "a.m4a"))[0] == 3
    code, said = called("video", "anomalies", write(tmp_path / "one.mp4", (0,)))
    assert code == 3 and "1 frame" in said
    assert called("video", "anomalies", tmp_path / "none.mp4")[0] == 3
    code, said = called("video", "anomalies", tmp_path / "one.mp4", "--picture", tmp_path / "heat.txt")
    assert code == 2 and ".png" in said
    (tmp_path / "empty").mkdir()
    assert called("video", "anomalies", tmp_path / "empty")[0] == 2
