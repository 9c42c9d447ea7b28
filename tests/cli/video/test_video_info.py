"""``privis video info``, and frames of videos as rows of ``privis extract``.

Answers for `privis.cli.video.video_group`, `privis.cli.video.video_info`, `privis.io.video.video_facts` and
`privis.cli.extraction.picture_parts`; for `privis.cli.files.video_lines` with `tests.cli.files.test_info`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from privis.cli.main import app
from privis.privacy import Budget, FileLedger
from tests.io.video.video_files import B_FRAMES, cut, turned, write, write_sound

pytest.importorskip("av")
SMALL = ("-f", "colour", "-p", "size=8x8", "--workers", "1")


def called(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def rows(path: Path) -> list[str]:
    with open(path, newline="", encoding="utf-8") as file:
        return [row[0] for row in list(csv.reader(file))[1:]]


def test_what_a_video_is(tmp_path: Path) -> None:
    path = turned(write(tmp_path / "a.mp4", (0, 100, 250, 300), sound=True), "b.mp4", 0, 1, -1, 0)
    code, said = called("video", "info", path)
    assert code == 0 and "48 x 64 pixels, stored turned; h264 (yuv420p) in mov" in said
    assert "4 frames, shown from 0 s to 0.3 s, 10 a second, 50 to 150 ms apart" in said and "never read" in said
    code, said = called("video", "info", path, "--json")
    found = json.loads(said)
    assert found["frames"] == 4 and found["variable"] and found["width"] == 48 and "encoder" in found["tags"]


def test_what_is_wrong_with_a_video(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", options={**B_FRAMES, "bf": "0"}, noise=12)
    assert "it was cut off" in called("video", "info", cut(path, 0.6))[1]
    assert called("video", "info", write_sound(tmp_path / "a.m4a"))[0] == 3
    code, said = called("video", "info", tmp_path / "none.mp4")
    assert code == 3 and "no such file" in said


def test_a_row_for_a_frame_of_every_second_and_bad_videos_cost_their_row(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = write(tmp_path / "in" / "a.mp4", tuple(range(0, 3000, 250)))
    write_sound(tmp_path / "in" / "b.mp4")
    code, said = called("extract", tmp_path / "in", "--every", "1s", *SMALL, "-o", tmp_path / "t.csv")
    assert rows(tmp_path / "t.csv") == [f"{path}#time={second}" for second in range(3)]
    assert code == 1 and "3 frames of 1 video" in said and "b.mp4#times=1,0,,1" in said and "sound alone" in said
    again = (*SMALL[:-1], "2")
    assert called("extract", tmp_path / "in", "--every", "1s", *again, "-o", tmp_path / "w.csv")[0] == 1
    assert (tmp_path / "w.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()
    words = ("--every", "0.5s", "--from", "1s", "--to", "0:02", "--stack", 2)
    assert called("extract", path, *words, "-f", "colour", "--workers", 1, "-o", tmp_path / "u.csv")[0] == 0
    assert rows(tmp_path / "u.csv") == [f"{path}#time=1,1.5"]


def test_features_of_motion_read_frames_below_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", tuple(range(0, 1000, 100)))
    words = ("--every", "0.1s", "--stack", 2, "-f", "frame-difference", "-p", "grid=1x1", "-p", "threshold=5")
    code, said = called("extract", path, *words, "--workers", 1, "-o", tmp_path / "t.csv")
    assert code == 0 and "5 pictures of 2 frames of 1 video" in said
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        found = [row[1:] for row in csv.reader(file)][1:]
    assert found == [["0.0", "0.0", "3072.0"]] * 5


def test_a_video_that_was_cut_off_gives_its_frames_and_a_warning(tmp_path: Path) -> None:
    path = cut(write(tmp_path / "a.mkv", options={**B_FRAMES, "bf": "0"}, noise=12), 0.6)
    code, said = called("extract", path, "--every", "200ms", *SMALL, "-o", tmp_path / "t.csv")
    assert code == 0 and "warning:" in said and "cut off" in said and 3 <= len(rows(tmp_path / "t.csv")) <= 7


def test_people_are_hidden_only_where_it_is_said_who_is_who(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", tuple(range(0, 3000, 250)))
    noise = ("--release", "laplace", "--at", "pixels", "--epsilon", "4", "--yes", "--key", tmp_path / "key")
    words = ("--every", "1s", *SMALL, *noise)
    code, said = called("extract", tmp_path / "a.mp4", *words, "--unit", "image", "-o", tmp_path / "a.csv")
    assert code == 0 and "hides a picture of frames, not its whole file, and nobody who is seen in several" in said
    code, said = called("extract", tmp_path / "a.mp4", *words, "--unit", "person:2", "-o", tmp_path / "b.csv")
    assert code == 2 and "subject" in said and not (tmp_path / "b.csv").exists()
    (tmp_path / "who.csv").write_text("path,who\na.mp4,ann\n")
    FileLedger.create(tmp_path / "budget", Budget(100.0, 1e-6))
    people = ("--unit", "person:2", "--subject-column", "who", "--ledger", tmp_path / "budget")
    code, said = called("extract", tmp_path / "who.csv", *words, *people, "-o", tmp_path / "c.csv")
    assert code == 1 and "one more image of a person who already gave 2" in said, said
    assert rows(tmp_path / "c.csv") == [f"{tmp_path / 'a.mp4'}#time={second}" for second in (0, 1)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "1s"), "--from: got no --every"),
        (("--stack", "2"), "--stack: got no --every"),
        (("--every", "1x"), "every: got '1x', expected a time such as"),
        (("--every", "0s"), "every: got 0 s, expected more than 0 s"),
        (("--every", "1s", "--from", "3s", "--to", "2s"), "to: got 2 s"),
        (("--every", "1s", "--pages", "all"), "--every: got also --pages"),
        (("--every", "1s", "--subject-from", "dicom", "--site-key", "x"), "--subject-from: got also --every"),
    ],
)
def test_words_that_do_not_fit(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    code, told = called("extract", tmp_path / "a.mp4", *words, *SMALL, "-o", tmp_path / "t.csv")
    assert code == 2 and said in told
