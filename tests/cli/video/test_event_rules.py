"""``privis video events``. Answers for `privis.cli.video.event_rules`; for `read_tracks` too."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from privis.cli.main import app
from privis.errors import ParameterError
from privis.estimators.video.track_table import read_tracks, track_table
from privis.tasks.tracking import Tracks

pytest.importorskip("av")
PLACES = ("--zone", "till=140,0 260,0 260,200 140,200", "--line", "gate=100,0 100,200")


def called(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["video", "events", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def tracks() -> Tracks:
    """Ten frames a second: one stays at x 200; two crosses x 100 to the right, walking; three to the left, running."""
    rows = []
    for number in range(100):
        for person, x in ((1, 200.0), (2, 20 + 3.0 * number), (3, 390 - 12.0 * number)):
            if -20 <= x <= 420:
                rows.append((number + 1, person, x - 8, 60.0, 16.0, 40.0))
    values = np.array(rows)
    frames, people = values[:, 0].astype(int), values[:, 1].astype(int)
    return Tracks(frames, people, values[:, 2:], np.ones(len(rows)), (frames - 1) / 10)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    with track_table(tmp_path / "tracks.csv") as writer:
        writer.add(tracks())
    return tmp_path / "tracks.csv"


def test_all_rules_on_a_table(table: Path, tmp_path: Path) -> None:
    rules = ("--loitering", "5s", "--running", 1.5, "--against", "gate=to-right")
    code, said = called(table, "--rate", 10, *PLACES, *rules, "-o", tmp_path / "events.csv", "--json")
    found = [(each["event"], each["id"], each["place"]) for each in json.loads(said)["events"]]
    assert code == 0 and ("loitering", 1, "till") in found and ("running", 3, "") in found
    other = called(table, "--rate", 10, *PLACES, "--against", "gate=to-left", "--json")[1]
    assert ("wrong-direction", 3, "gate") in found
    assert [each["id"] for each in json.loads(other)["events"]] == [2]  # to the right of the picture
    with open(tmp_path / "events.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(found) == 3
    code, said = called(table, "--rate", 10, *PLACES, "--loitering", "5s", "--from", "6s")
    assert code == 0 and "0 events of" in said
    metres = "0,0=0,0 400,0=40,0 400,200=40,20 0,200=0,20"
    code, said = called(table, "--rate", 10, "--running", 10, "--ground", metres, "--json")
    (run,) = json.loads(said)["events"]
    assert run["id"] == 3 and run["value"] == pytest.approx(12.0, rel=0.01)


@pytest.mark.parametrize(
    "words, said",
    [
        (("--rate", 10), "at least one rule"),
        (("--rate", 10, "--loitering", "5s"), "no zone"),
        (("--rate", 10, "--loitering", "soon", *PLACES), "--loitering"),
        (("--running", 2), "--rate"),
        (("--rate", 10, *PLACES, "--against", "door=to-left"), "one of gate"),
        (("--rate", 10, *PLACES, "--against", "gate=left"), "LINE=to-left"),
        (("--rate", 10, *PLACES, "--against", "gate=to-left", "--against", "gate=to-right"), "twice"),
        (("--rate", 10, "--running", 2, "--ground", "1,2=3"), "--ground"),
        (("--rate", 10, *PLACES, "--loitering", "5s", "--ground", "0,0=0,0 1,0=1,0 1,1=1,1 0,1=0,1"), "no --running"),
        (("--rate", 10, "--running", -1), "RunningRule.speed"),
    ],
)
def test_words_that_do_not_fit(table: Path, words: tuple[object, ...], said: str) -> None:
    code, output = called(table, *words)
    assert code == 2 and said in output


def test_tables_of_the_mot_challenge_are_read_and_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mot.txt").write_text("2,1,0,0,4,8,0.5,-1,-1,-1\n1,1,1,0,4,8,1,-1,-1,-1\n")
    found = read_tracks(tmp_path / "mot.txt", 4.0)
    assert found.frames.tolist() == [1, 2] and found.times.tolist() == [0.0, 0.25] and found.boxes[0, 0] == 1
    for text in ("frame,id\n1,2\n", "1,1,0,0,4,8\n", "1.5,1,0,0,4,8,1\n", "1,1,0,0,4,nan,1\n"):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(ParameterError, match=r"line [12]"):
            read_tracks(tmp_path / "bad.csv", 4.0)
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("bad.csv", "none.csv"):
        with pytest.raises(ParameterError, match=re.escape(name)):
            read_tracks(tmp_path / name, 4.0)
    (tmp_path / "empty.csv").write_text("frame,id,x,y,w,h,score\n")
    assert len(read_tracks(tmp_path / "empty.csv", 4.0)) == 0


def test_what_spreadsheets_make_of_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spreadsheet.csv"
    path.write_bytes("\ufeffID,Frame,note,x,y,w,h,score\r\n7.0,2,a,1,2,3,4,1\r\n,,,,,,,\r\n".encode())
    tracks = read_tracks(path, 10.0)
    assert tracks.ids.tolist() == [7] and tracks.frames.tolist() == [2] and tracks.boxes.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("row", ["1e30,1,0,0,1,1,1", "1,1e30,0,0,1,1,1", "1,1,0,0,-3,1,1", "1,,0,0,3,1,1", "", ",,,"])
def test_rows_that_are_none_are_refused(tmp_path: Path, row: str) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(row)
    with pytest.raises(ParameterError, match="a table of"):
        read_tracks(path, 10.0)
