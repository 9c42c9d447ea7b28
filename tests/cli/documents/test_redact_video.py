"""`privis redact` of videos, of people and with boxes: names, files of boxes, and what is refused.

Answers for `privis.cli.documents.redact_video`, `privis.cli.documents.redact_boxes` and
`privis.cli.documents.redact_told`.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from tests.io.video.video_files import write

av = pytest.importorskip("av")


def redact(*words: object) -> tuple[int, str, list]:
    done = CliRunner().invoke(app, ["redact", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    rows = json.loads(done.stdout) if "--json" in words and done.stdout.startswith("[") else []
    return done.exit_code, done.output, rows


def card(number: int) -> np.ndarray:
    pixels = np.full((120, 400, 3), 235, np.uint8)
    cv2.putText(pixels, "SECRET 12345678", (20 + number, 70), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (30, 30, 30), 2)
    return pixels


def dark(pixels: np.ndarray) -> int:
    return int(((pixels.max(axis=2) > 25) & (pixels.max(axis=2) < 100)).sum())


def shown(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    place.mkdir()
    Image.fromarray(card(0)).save(place / "a.png")
    write(
        place / "clip.mp4", [40 * n for n in range(6)], frames=[card(n) for n in range(6)], size=(120, 400), sound=True
    )
    return place


def test_pictures_and_videos_of_a_folder(folder: Path, tmp_path: Path) -> None:
    out, boxes = tmp_path / "out", tmp_path / "boxes.csv"
    code, said, rows = redact(folder, "-o", out, "--text", "--json", "--boxes", boxes, "--review", tmp_path / "check")
    assert code == 0, said
    still, video = rows
    assert video["output"] == str(out / "clip.mp4") and video["kinds"] == {"text": video["painted"]}
    assert video["frames"] == 6 and video["painted"] <= 3 and still["pages"] == 1
    frames = shown(out / "clip.mp4")
    assert len(frames) == 6 and max(map(dark, frames)) < 40 < min(dark(card(n)) for n in range(6))
    with av.open(str(out / "clip.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video"]
    with open(boxes, newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["path"] for line in lines} == {row["path"] for row in rows}
    assert {line["frame"] for line in lines if line["path"].endswith("mp4")} == {str(n) for n in range(1, 7)}
    assert (tmp_path / "check" / "clip.mp4.jpg").exists()
    before = (out / "clip.mp4").stat().st_mtime_ns
    coco = tmp_path / "boxes.json"
    code, _, again = redact(folder, "-o", out, "--text", "--json", "--boxes", coco)
    assert code == 0 and again == rows and (out / "clip.mp4").stat().st_mtime_ns == before
    made = json.loads(coco.read_text())
    assert len(made["annotations"]) == len(lines) and made["categories"] == [{"id": 1, "name": "text"}]
    assert {(each["width"], each["height"]) for each in made["images"]} == {(400, 120)}
    assert [each.get("frame") for each in made["images"]] == [None, 1, 2, 3, 4, 5, 6]
    code, _, _ = redact(folder, "-o", tmp_path / "same", "--regions", boxes)  # what was found, painted again
    assert code == 0 and max(map(dark, shown(tmp_path / "same" / "clip.mp4"))) < 40


def test_names_of_other_formats_and_sound(folder: Path, tmp_path: Path) -> None:
    write(folder / "clip.ts", [40 * n for n in range(4)], frames=[card(n) for n in range(4)], size=(120, 400))
    moving = [Image.fromarray(card(n)) for n in (0, 9)]
    moving[0].save(folder / "moving.gif", save_all=True, append_images=moving[1:], duration=100)
    out = tmp_path / "out"
    (tmp_path / "own.csv").write_text("path,x,y,w,h\nin/clip.mp4,10,30,380,60\nin/moving.gif,10,30,380,60\n")
    code, said, rows = redact(folder, "-o", out, "--regions", tmp_path / "own.csv", "--keep-audio", "--json")
    names = {Path(row["path"]).name: Path(row["output"]).name for row in rows}
    assert code == 0, said
    assert names == {
        "a.png": "a.png", "clip.mp4": "clip.mp4", "clip.ts": "clip.ts.mp4", "moving.gif": "moving.gif.mp4",
    }  # fmt: skip
    assert max(map(dark, shown(out / "clip.mp4"))) < 40 < min(map(dark, shown(out / "clip.ts.mp4")))
    assert max(map(dark, shown(out / "moving.gif.mp4"))) < 60 and len(shown(out / "moving.gif.mp4")) == 2
    with av.open(str(out / "clip.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]


def test_people_by_their_outlines_and_below_their_faces(shared: Path, tmp_path: Path) -> None:
    with Image.open(shared / "detection" / "penn_fudan" / "FudanPed00001.jpg") as image:
        image.resize((image.width // 2, image.height // 2)).save(tmp_path / "street.png")
    out, boxes = tmp_path / "out", tmp_path / "boxes.json"
    words = ("--people", "--require", "person", "--json", "--boxes", boxes)
    code, said, rows = redact(tmp_path / "street.png", "-o", out, *words)
    assert code == 0 and rows[0]["kinds"]["person"] >= 1 and 0.05 < rows[0]["share"] < 0.7, said
    assert json.loads(boxes.read_text())["categories"] == [{"id": 1, "name": "person"}]


def test_words_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for words in (("--boxes", out / "boxes.csv"), ("--boxes", tmp_path / "boxes.txt"), ("--hold", "soon"),
                  ("--every", "-1s"), ("--hold", "2min"),
                  ("--people-model", tmp_path / "none.npy")):  # fmt: skip
        code, said, _ = redact(folder, "-o", out, "--text", *words)
        assert code == 2 and not out.exists(), (words, said)


def test_a_video_that_is_none_costs_only_itself(folder: Path, tmp_path: Path) -> None:
    (folder / "text.mp4").write_text("no video at all")
    (folder / "cut.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(200))
    code, said, _ = redact(folder, "-o", tmp_path / "out", "--text")
    assert code == 1 and "text.mp4" in said and "cut.mkv" in said and (tmp_path / "out" / "clip.mp4").exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "clip.mp4"]


def test_a_kill_leaves_no_video_and_the_run_goes_on(folder: Path, tmp_path: Path) -> None:
    frames = [card(n % 6) for n in range(40)]
    write(folder / "long.mp4", [40 * n for n in range(40)], frames=frames, size=(120, 400))
    out = tmp_path / "out"
    call = [sys.executable, "-m", "privis", "redact", str(folder / "long.mp4"), "-o", str(out), "--text"]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    started = subprocess.Popen(call, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(out.glob(".long.mp4*")) and time.monotonic() < until and started.poll() is None:
        time.sleep(0.005)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert not (out / "long.mp4").exists() and list(out.glob(".long.mp4*.unfinished"))
    (folder / "long.mp4").unlink()
    write(folder / "long.mp4", [0, 40], frames=frames[:2], size=(120, 400))
    code, _, rows = redact(folder / "long.mp4", "-o", out, "--text", "--json")
    assert code == 0 and rows[0]["frames"] == 2 and not list(out.glob(".*"))
