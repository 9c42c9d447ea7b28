"""``privis face``: galleries, who is on a picture, exit codes, and bad input that loses nothing.

Answers for `privis.cli.faces.face`, `privis.cli.faces.face_options`, `privis.cli.faces.face_words`,
`privis.cli.faces.gallery_commands`, `privis.cli.faces.recognise`, `privis.cli.faces.matcher_words`,
`privis.cli.faces.release_words` and `privis.cli.faces.transform_words`.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.faces import face_words
from privis.cli.main import app
from privis.io.face_gallery import FaceGallery
from privis.io.gallery_writer import changing
from tests.estimators.faces.painted_faces import EXTRACTOR, impostors, picture


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with people/{ann,bob}, a table, and painted faces that need no network."""
    monkeypatch.setattr(face_words, "extractor_of", lambda words: EXTRACTOR)
    impostors().save(tmp_path / "table.json")
    for person, name in enumerate(("ann", "bob")):
        (tmp_path / "people" / name).mkdir(parents=True)
        for shot in range(2):
            Image.fromarray(picture(person, shot)).save(tmp_path / "people" / name / f"{shot}.png")
    Image.fromarray(picture(0, 7)).save(tmp_path / "probe.png")
    Image.fromarray(picture(9)).save(tmp_path / "stranger.png")
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(tmp_path / "dark.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def face(*words: str) -> tuple[int, Any, str]:
    """Exit code, the JSON document or the text on stdout, and stderr."""
    done = CliRunner().invoke(app, ["face", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, json.loads(done.stdout) if "--json" in words and done.stdout else done.stdout, done.stderr


RATE = ("--threshold", "fmr:0.01", "--calibration", "table.json")


def test_enrol_identify_list_and_remove(room: Path) -> None:
    code, made, _ = face("enrol", "gate", "people", "--subject-from", "folder", "--json")
    assert code == 0 and {key: made[key] for key in ("subjects", "images", "refused")} == {
        "subjects": 2, "images": 4, "refused": [],
    }  # fmt: skip
    assert (made["people"], made["until_filing"]) == (2, 99_998)
    before = Path("gate").read_bytes()
    assert face("enrol", "gate", "people", "--subject-from", "folder", "--json")[1]["images"] == 4
    again = FaceGallery.load("gate")
    assert [person.images for person in again.people] == [2, 2], "the same command again adds nothing"
    assert len(before) == len(Path("gate").read_bytes()) and os.stat("gate").st_mode & 0o777 == 0o600
    code, found, said = face("identify", "probe.png", "stranger.png", "dark.png", "--gallery", "gate", *RATE, "--json")
    assert code == 1 and "dark.png: got no face" in said
    assert found[0] == {"path": "probe.png", "subject": "ann", "undecided": False}
    assert found[1] == {"path": "stranger.png", "subject": None, "undecided": False}
    assert found[2]["subject"] is None and "no face" in found[2]["refused"]
    assert face("identify", "probe.png", "--gallery", "gate", *RATE, "--top", "2", "--json")[1][0]["subjects"] == [
        "ann"
    ]
    assert face("identify", "stranger.png", "--gallery", "gate", *RATE)[0] == 8
    assert face("identify", "dark.png", "--gallery", "gate", *RATE)[0] == 3
    code, told, _ = face("identify", "probe.png", "--gallery", "gate", *RATE)
    assert code == 0 and "probe.png: ann" in told and "up to 0.02, as far as" in told
    people = face("list", "gate", "--json")[1]
    assert [each["subject"] for each in people["subjects"]] == ["ann", "bob"] and people["until_filing"] == 99_998
    assert "ann" in face("list", "gate")[1]
    code, receipt, _ = face("remove", "gate", "--subject", "ann", "--json")
    assert (code, receipt["status"], receipt["subjects"], receipt["remains"]) == (0, "gone", ["ann"], [])
    assert b"ann" not in Path("gate").read_bytes()
    kept = Path("gate").read_bytes()
    code, _, said = face("remove", "gate", "--subject", "ann")
    assert code == 2 and "got nobody" in said and Path("gate").read_bytes() == kept, "removing twice"
    assert face("identify", "probe.png", "--gallery", "gate", *RATE)[0] == 8
    assert face("remove", "gate", "--subject", "bob")[0] == 0
    code, _, said = face("identify", "probe.png", "--gallery", "gate", *RATE)
    assert code == 2 and "got nobody, expected at least one person" in said


def test_verify_says_yes_and_no(room: Path) -> None:
    code, same, _ = face("verify", "people/ann/0.png", "probe.png", *RATE, "--json")
    assert (code, same) == (0, {"match": True, "fmr": 0.01, "undecided": False})
    code, other, _ = face("verify", "people/bob/0.png", "probe.png", *RATE, "--json", "--show-score")
    assert code == 8 and not other["match"] and -1 <= other["score"] < 0.9
    assert face("verify", "people/bob/0.png", "probe.png", *RATE)[:2] == (
        8,
        "no match (at the false-match rate 0.01)\n",
    )
    code, _, said = face("verify", "dark.png", "probe.png", *RATE)
    assert code == 3 and "dark.png: got no face" in said
    code, _, said = face("verify", "nothing.png", "gone.png", *RATE)
    assert code == 3 and "nothing.png" in said and "gone.png" in said, "all at once"
    for wrong in ("0.4", "fmr:", "fmr:2", "cosine:0.4", "fmr:nan"):
        code, _, said = face("verify", "probe.png", "probe.png", "--threshold", wrong)
        assert code == 2 and "fmr:1e-4" in said
    code, _, said = face("verify", "probe.png", "people/ann/0.png", "--calibration", "table.json")
    assert code == 2 and "at least 0.0017, which so many pairs support" in said
    code, _, said = face("verify", "probe.png", "probe.png", *RATE, "--under", "magic")
    assert code == 2 and "--under: got 'magic'" in said


def test_several_faces_in_a_picture_are_told_of(room: Path) -> None:
    Image.fromarray(np.concatenate([picture(1), picture(0, 3)], 1)).save("two.png")
    for words in (("verify", "two.png", "probe.png", *RATE), ("enrol", "gate", "two.png", "--subject", "ann")):
        code, _, said = face(*words)
        assert code == 0 and "privis: warning: several faces of about one size" in said and "two.png" in said


def test_a_picture_is_held_against_a_person_of_a_gallery(room: Path) -> None:
    face("enrol", "gate", "people", "--subject-from", "folder")
    claim = ("verify", "probe.png", "--gallery", "gate", *RATE)
    assert face(*claim, "--subject", "ann", "--json")[:2] == (0, {"match": True, "fmr": 0.01, "undecided": False})
    assert face(*claim, "--subject", "bob")[0] == 8
    code, _, said = face(*claim, "--subject", "eve")
    assert code == 2 and "subject 'eve': got nobody" in said
    for words in (
        claim,
        ("verify", "probe.png"),
        ("verify", "a.png", "b.png", "--subject", "ann", "--gallery", "gate"),
    ):
        code, _, said = face(*words)
        assert code == 2 and "A --gallery GALLERY --subject ID" in said, words


def test_bad_pictures_are_listed_and_the_others_enrolled(room: Path) -> None:
    Image.fromarray(picture(1, 5)).save(room / "people" / "bob" / "copy.png")
    Image.fromarray(picture(0, 0)).save(room / "people" / "bob" / "of_ann.png")
    (room / "people" / "bob" / "broken.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(room / "people" / "ann" / "dark.png")
    Image.fromarray(picture(3)).save(room / "people" / "beside.png")
    deep = np.kron(np.random.default_rng(5).integers(0, 65536, (4, 4)), np.ones((28, 28))).astype(np.uint16)
    (room / "people" / "deep").mkdir()
    Image.fromarray(deep).save(room / "people" / "deep" / "16.png")
    code, made, said = face("enrol", "gate", "people", "--subject-from", "folder", "--json")
    refused = {Path(each["path"]).name: each["why"] for each in made["refused"]}
    assert code == 1 and sorted(refused) == ["0.png", "beside.png", "broken.png", "dark.png", "of_ann.png"]
    assert "'ann' and 'bob'" in refused["of_ann.png"] and refused["of_ann.png"] in said, "nobody knows whose it is"
    assert "beside the folders of people" in refused["beside.png"]
    assert (made["subjects"], made["images"]) == (3, 5)
    code, made, said = face("enrol", "other", "dark.png", "--subject", "ann", "--json")
    assert code == 3 and made["images"] == 0 and not Path("other").exists()


def test_names_that_are_no_text_are_told_of(room: Path) -> None:
    strange = os.fsdecode(b"people/ann/\xff.png")
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save("dark2.png")
    os.rename("dark2.png", strange)
    code, made, _ = face("enrol", "gate", "people", "--subject-from", "folder", "--json")
    assert code == 1 and [each["path"] for each in made["refused"]] == [strange]
    assert face("identify", strange, "probe.png", "--gallery", "gate", *RATE, "--json")[0] == 1
    os.rename(strange, os.fsdecode(b"people/\xff.png"))
    code, _, said = face("enrol", "other", os.fsdecode(b"people/\xff.png"), "--subject-from", "filename")
    assert code == 2 and "U+DCFF" in said


def test_whose_a_picture_is(room: Path) -> None:
    for words in ((), ("--subject", "a", "--subject-from", "folder"), ("--subject-from", "colour")):
        code, _, said = face("enrol", "gate", "people", *words)
        assert code == 2 and "column:NAME" in said
    for name in ("nan", " ", "a\x07b"):
        code, _, said = face("enrol", "gate", "probe.png", "--subject", name)
        assert code == 2 and "--subject" in said and not Path("gate").exists()
    Path("list.csv").write_text("path,who\nprobe.png,ann\nstranger.png,Ann\n")
    code, made, said = face("enrol", "gate", "list.csv", "--subject-from", "column:who", "--json")
    assert (code, made["subjects"]) == (0, 2) and "'Ann' and 'ann' are two people" in said.replace("\n", " ")
    code, _, said = face("enrol", "gate", "people", "--subject-from", "folder", "--retain-until", "tomorrow")
    assert code == 2 and "YYYY-MM-DD" in said


def test_a_gallery_that_is_not_right_stays_as_it_is(room: Path) -> None:
    assert face("enrol", "gate", "people", "--subject-from", "folder")[0] == 0
    kept = Path("gate").read_bytes()
    Path("gate").write_bytes(kept[: len(kept) // 2])
    for words in (
        ("enrol", "gate", "probe.png", "--subject", "ann"), ("list", "gate"), ("remove", "gate", "--subject", "ann"),
        ("identify", "probe.png", "--gallery", "gate", *RATE),
    ):  # fmt: skip
        code, _, said = face(*words)
        assert code == 2 and "gate" in said, words
        assert Path("gate").read_bytes() == kept[: len(kept) // 2]
    Path("gate").write_bytes(FaceGallery(bytes(32), "another network").to_bytes())
    for words in (
        ("enrol", "gate", "probe.png", "--subject", "a"),
        ("identify", "probe.png", "--gallery", "gate", *RATE),
    ):
        code, _, said = face(*words)
        assert code == 2 and "templates of another network" in said
    Path("gate").write_bytes(kept)
    code, _, said = face("enrol", "gate", "stranger.png", "probe.png", "--subject-from", "filename", "--limit", "2")
    assert code == 2 and "at most 2, its limit" in said and Path("gate").read_bytes() == kept
    code, _, said = face("list", "nothing")
    assert code == 2 and "the first enrolment makes one" in said


def test_people_whose_date_has_passed_are_not_recognised(room: Path) -> None:
    code, _, said = face("enrol", "gate", "people/ann", "--subject-from", "folder", "--retain-until", "2020-01-01")
    assert code == 2 and "which has passed" in said
    today = date.today().isoformat()
    assert face("enrol", "gate", "people/ann", "--subject-from", "folder", "--retain-until", today)[0] == 0
    assert face("identify", "probe.png", "--gallery", "gate", *RATE)[0] == 0, "it is the last day, and counts"
    face("enrol", "gate", "people/bob", "--subject-from", "folder")
    old = FaceGallery.load("gate")
    ann = dataclasses.replace(old.people[0], retain_until="2020-01-01")
    Path("gate").write_bytes(dataclasses.replace(old, people=(ann, *old.people[1:])).to_bytes())
    assert face("identify", "probe.png", "--gallery", "gate", *RATE)[0] == 8
    assert "which has passed" in face("list", "gate")[1]
    assert face("remove", "gate")[0] == 2 and face("remove", "gate", "--expired", "--subject", "ann")[0] == 2
    receipt = json.loads(face("remove", "gate", "--expired")[1])
    assert (receipt["subjects"], receipt["people"]) == (["ann"], 1)
    assert json.loads(face("remove", "gate", "--expired")[1])["subjects"] == []


def _enrol_many(path: str, first: int) -> None:
    face_words.extractor_of = lambda words: EXTRACTOR  # type: ignore[assignment]
    for person in range(first, first + 6):
        Image.fromarray(picture(person)).save(f"{path}/{person}.png")
        assert face("enrol", f"{path}/gate", f"{path}/{person}.png", "--subject-from", "filename")[0] == 0


def test_two_writers_lose_nothing(room: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_enrol_many, args=(str(room), first)) for first in (20, 30)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    assert sorted(map(int, FaceGallery.load("gate").subjects)) == [*range(20, 26), *range(30, 36)]


def test_another_writer_is_waited_for_and_then_named(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from privis.io import gallery_writer

    face("enrol", "gate", "people", "--subject-from", "folder")
    with changing("gate"):
        monkeypatch.setattr(gallery_writer.changing.__wrapped__, "__defaults__", (0.05,))
        code, _, said = face("enrol", "gate", "probe.png", "--subject", "cy")
    assert code == 4 and "another writer" in said and len(FaceGallery.load("gate").people) == 2


def _killed_while_writing(path: str) -> None:
    from privis.io import face_gallery

    face_words.extractor_of = lambda words: EXTRACTOR  # type: ignore[assignment]
    whole = face_gallery.FaceGallery.to_bytes

    def half(self: FaceGallery) -> bytes:
        left = next(Path(path).glob(".gate.*.unfinished"))
        left.write_bytes(whole(self)[:100] + b"cy")
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    face_gallery.FaceGallery.to_bytes = half  # type: ignore[method-assign]
    face("enrol", f"{path}/gate", f"{path}/probe.png", "--subject", "cy")


def test_a_killed_enrolment_leaves_the_gallery_and_the_next_one_clears_up(room: Path) -> None:
    face("enrol", "gate", "people", "--subject-from", "folder")
    kept = Path("gate").read_bytes()
    killed = multiprocessing.get_context("fork").Process(target=_killed_while_writing, args=(str(room),))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL and Path("gate").read_bytes() == kept
    assert len(list(room.glob(".gate.*.unfinished"))) == 1
    assert face("enrol", "gate", "probe.png", "--subject", "cy")[0] == 0
    assert len(FaceGallery.load("gate").people) == 3 and not list(room.glob(".gate.*.unfinished"))


def test_own_networks_are_named_in_what_is_wrong_with_them(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(room)
    Path("net.onnx").write_bytes(b"nothing")
    for option in ("--detector", "--embedder"):
        code, _, said = face("verify", "probe.png", "probe.png", option, "net.onnx")
        assert code == 2 and "net.onnx" in said
    code, _, said = face("verify", "probe.png", "probe.png", "--embedder", "net.onnx", "--embedder-input", "cmyk:0..1")
    assert code == 2 and "rgb or bgr" in said
