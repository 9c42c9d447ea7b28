"""``privis video track`` and ``privis video count``.

Answers for `privis.cli.video.track`, `privis.cli.video.counts.count_people`, `privis.cli.video.following`,
`privis.cli.video.place_words`, `privis.cli.video.tracking_options` and `privis.cli.video.track_drawing`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from privis.cli.main import app
from privis.cli.video.following import person_scale
from privis.cli.video.place_words import EXAMPLE, watched_places
from privis.errors import ParameterError
from privis.io.images.decode import load
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import video_frames
from tests.estimators.video.test_people_tracking import walkers
from tests.io.video.video_files import cut

av = pytest.importorskip("av")
HEIGHT = ("--person-height", "40")


def called(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walkers(tmp_path_factory.mktemp("walkers") / "a.mp4")


def test_tracks_zones_lines_and_pictures(clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "tracks.csv"
    code, said, _ = called(
        "video", "track", clip, "-o", table, *HEIGHT, "--line", "gate=100,60 100,120", "--zone",
        "middle=60,80 140,80 140,119 60,119", "--ways", tmp_path / "w.png", "--heat-map", tmp_path / "h.jpg",
        "--timeline", tmp_path / "t.png", "--json",
    )  # fmt: skip
    found = json.loads(said)
    assert (code, found["frames"], found["people"], found["seconds"]) == (0, 70, 2, 7.0)
    assert found["lines"] == [{"line": "gate", "to-right": 1, "to-left": 1}]
    assert [(each["people"], each["visits"]) for each in found["zones"]] == [(2, 2)]
    assert all(2.5 < each["seconds"] < 4.0 for each in found["visits"])
    lines = table.read_text().splitlines()
    assert lines[0] == "frame,id,x,y,w,h,score" and len(lines) - 1 == found["rows"] > 120
    assert load(tmp_path / "w.png").shape == load(tmp_path / "h.jpg").shape == (120, 200, 3)
    assert load(tmp_path / "t.png").shape[1] > 900


def test_an_annotated_video_has_all_frames_and_boxes_and_pipes_give_none(clip: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.mp4"
    code, _, _ = called(
        "video", "track", clip, "-o", tmp_path / "t.csv", *HEIGHT, "--annotated", drawn, "--from", "2s", "--to", "4s"
    )
    before, after = list(video_frames(clip, FrameChoice.named(start="2s", end="4s"))), list(video_frames(drawn))
    assert code == 0 and len(before) == len(after) == 20
    assert [each.time for each in after] == pytest.approx([each.time - 2 for each in before], abs=1e-4)
    with av.open(str(drawn)) as file:
        assert file.start_time == 0, "players begin with the first frame"
    changed = np.abs(after[14].pixels.astype(int) - before[14].pixels).max(axis=2) > 60
    assert 50 < changed.sum() < 0.1 * changed.size
    columns = np.nonzero(changed[78:96].any(axis=0))[0]
    sides = np.array([85, 101, 105, 121])  # of the walkers by then
    assert len(columns) >= 4 and np.abs(columns[:, None] - sides).min(axis=1).max() <= 4
    os.mkfifo(tmp_path / "pipe")
    code, _, said = called("video", "track", tmp_path / "pipe", "-o", tmp_path / "p.csv", "--annotated", drawn)
    assert code == 2 and "read once" in said


def test_people_are_counted_by_windows(clip: Path) -> None:
    code, said, _ = called("video", "count", clip, "--window", "2s", *HEIGHT, "--json")
    windows = json.loads(said)
    assert code == 0 and [(each["start"], each["end"]) for each in windows] == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert [each["count"] for each in windows] == [2, 2, 2, 2]
    code, said, _ = called(
        "video", "count", clip, "--window", "2s", *HEIGHT, "--from", "2s", "--inside", "left", "--zone",
        "left=0,80 70,80 70,120 0,120", "--line", "gate=100,60 100,120", "--json",
    )  # fmt: skip
    windows = json.loads(said)
    assert code == 0 and windows[0]["start"] == 2 and windows[-1]["end"] == 7
    assert [each["count"] for each in windows] == [1, 1, 1]
    assert sum(each["crossings"]["gate"]["to-left"] for each in windows) == 1
    code, said, _ = called("video", "count", clip, "--window", "5s", *HEIGHT)
    assert code == 0 and "people" in said


def test_a_line_that_nobody_crosses_is_counted_as_that(clip: Path) -> None:
    code, said, _ = called("video", "count", clip, "--window", "7s", *HEIGHT, "--line", "top=0,2 200,2", "--json")
    assert code == 0 and json.loads(said)[0]["crossings"] == {"top": {"to-right": 0, "to-left": 0}}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--zone", "door"), "--zone: got 'door'"),
        (("--zone", "door=0,0 1,1"), "at least three corners"),
        (("--line", "gate=0,0 1,1 2,2"), "3 points"),
        (("--zone", "a=0,0 9,0 9,9", "--zone", "a=0,0 9,0 9,9"), "twice"),
        (("--person-height", "tall"), "--person-height: got 'tall'"),
        (("--person-height", "7"), "at least 8 pixels"),
        (("--model", "a.npy"), "--what people"),
        (("--what", "people", "--whatever-moves"), "one of them"),
        (("--what", "dogs"), "its --model"),
        (("--person-height", "5:1,5:2"), "ROW:PIXELS"),
        (("--from", "5s", "--to", "2s"), "more than the 5 s of from"),
        (("--ways", "w.csv"), "ends in"),
        (("--ways", "w.png", "--heat-map", "w.png"), "one name for two files"),
    ],
)
def test_wrong_words_are_told_before_anything_is_read(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    code, _, said = called("video", "track", "no.mp4", "-o", tmp_path / "t.csv", *words)
    assert code == 2 and told in said and not (tmp_path / "t.csv").exists(), said


def test_wrong_windows_and_zones_are_told(clip: Path) -> None:
    for words, told in ((("--window", "0s"), "above 0"), (("--window", "2 cats"), "--window"),
                        (("--window", "2s", "--inside", "till"), "a zone that is given: none")):  # fmt: skip
        code, _, said = called("video", "count", clip, *words)
        assert code == 2 and told in said, said


def test_what_is_no_video_leaves_what_was_there(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("mine")
    (tmp_path / "no.mp4").write_bytes(b"no video at all, but some bytes")
    for source in (tmp_path / "no.mp4", tmp_path / "missing.mp4"):
        code, _, said = called("video", "track", source, "-o", table)
        assert code in (2, 3) and str(source) in said and table.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


def test_a_camera_that_stops_leaves_what_was_read_and_a_warning(clip: Path, tmp_path: Path) -> None:
    short = cut(walkers(clip.with_name("b.mkv")), 0.6)
    code, _, said = called("video", "track", short, "-o", tmp_path / "t.csv", *HEIGHT)
    assert code == 0 and said.count("cut off") == 1
    assert len((tmp_path / "t.csv").read_text().splitlines()) > 40


def test_an_interrupt_keeps_what_was_read(clip: Path, tmp_path: Path) -> None:
    data = walkers(tmp_path / "a.ts", form="mpegts").read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    table = tmp_path / "t.csv"
    words = [sys.executable, "-m", "privis", "video", "track", str(pipe), "-o", str(table), *HEIGHT]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as running:
        with open(pipe, "wb") as file:
            file.write(data)
            file.flush()
            time.sleep(2.0)
            running.send_signal(signal.SIGINT)
            time.sleep(0.2)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130 and "what was read is kept" in said, said
    assert table.read_text().startswith("frame,id,")


def test_places_come_from_a_file_and_all_that_is_wrong_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "places.toml"
    path.write_text(EXAMPLE)
    places = watched_places(path, (), ("more=0,0 5,5",))
    assert [zone.name for zone in places.zones] == ["door"] and [line.name for line in places.lines] == ["gate", "more"]
    path.write_text("[[zone]]\nname = 'a'\n[[line]]\nname = 'b'\npoints = [[0, 0]]\n[[gate]]\n")
    with pytest.raises(ParameterError) as caught:
        watched_places(path, ("c",), ())
    assert len(caught.value.problems) == 4
    for text in ("[[zone", ""):
        path.write_text(text)
        with pytest.raises(ParameterError, match=r"zones and lines|an empty file"):
            watched_places(path, (), ())


def test_heights_are_read_as_a_line_over_rows() -> None:
    scale = person_scale("100:30,300:55")
    assert scale is not None and scale.heights([100, 300]).tolist() == [30, 55]
    assert person_scale(None) is None


def test_detectors_of_privis_detect_are_followed(clip: Path, tmp_path: Path) -> None:
    words = ("--what", "people", "--score", "99", "--to", "0.5s", "--json")
    code, said, _ = called("video", "track", clip, "-o", tmp_path / "t.csv", *words)
    assert code == 0 and (json.loads(said)["people"], json.loads(said)["frames"]) == (0, 5)
