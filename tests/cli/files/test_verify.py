"""A receipt is checked from the command line: genuine or not, about whom, and whether it still holds.

Answers for `privis.cli.files.verify`, `privis.cli.files.receipt_facts` and `privis.stores.erasure.gallery_erasure`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from privis.cli.main import app
from privis.io.face_gallery import FaceGallery
from privis.io.gallery_writer import changing
from tests.cli.files.every_file import erasable


def run(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    try:
        return done.exit_code, json.loads(done.output)
    except ValueError:
        return done.exit_code, done.output


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("gate").write_bytes(erasable().to_bytes())
    return tmp_path


def test_somebody_is_removed_and_the_receipt_holds(room: Path) -> None:
    template = erasable().templates[1]
    Path(".gate.99.unfinished").write_bytes(Path("gate").read_bytes())
    Path("gate2").write_bytes(Path("gate").read_bytes())
    code, removed = run("face", "remove", "gate", "--subject", "bob")
    assert (code, removed["status"], removed["remains"], removed["people"]) == (0, "gone", [], 1)
    for path in (path for path in room.iterdir() if path.name != "gate2"):
        for written in (template, template.astype(np.float16), template.astype(np.float64)):
            assert written.tobytes()[:16] not in path.read_bytes(), path
        assert b'"bob"' not in path.read_bytes()
    Path("receipt.json").write_text(json.dumps(removed))
    code, said = run("verify", "receipt.json", "--index", "gate", "--subject", "bob", "--write-salt", "bob.salt")
    assert (code, said["status"], said["remains"], said["about_subject"]) == (0, "gone", [], True)
    assert os.stat("bob.salt").st_mode & 0o777 == 0o600
    assert run("verify", "receipt.json", "--subject", "bob", "--salt", "bob.salt")[0] == 0
    assert run("verify", "receipt.json", "--subject", "ann", "--salt", "bob.salt")[0] == 8
    assert run("verify", "receipt.json", "--index", "gate", "--subject", "ann")[1]["about_subject"] is False
    code, said = run("verify", "receipt.json")
    assert code == 0 and "no index was given" in said["not_checked"][0]
    assert said["signed_by"] == removed["receipt"]["public_key"]
    code, said = run("verify", "gate.receipts")
    assert (code, said["status"], said["remains"]) == (0, "gone", [])
    Path("log").write_bytes(Path("gate.receipts").read_bytes().replace(b'"rows":1', b'"rows":2'))
    Path("log.head").write_bytes(Path("gate.receipts.head").read_bytes())
    assert run("verify", "log")[0] == 8
    edited = {**removed["receipt"], "rows": 1, "ended": "2020-01-01"}
    Path("edited.json").write_text(json.dumps(edited))
    assert run("verify", "edited.json")[0] == 8
    run("face", "remove", "gate2", "--subject", "bob")
    assert run("verify", "receipt.json", "--index", "gate2")[0] == 8, "of another gallery"
    with changing("gate") as file:
        file.write(erasable())
    code, said = run("verify", "receipt.json", "--index", "gate")
    assert code == 8 and said["status"] == "unsupported" and "there; not erased" in said["remains"][0]


def test_a_copy_beside_the_gallery_is_found(room: Path) -> None:
    Path("gate.bak").write_bytes(Path("gate").read_bytes())
    code, removed = run("face", "remove", "gate", "--subject", "bob")
    assert code == 8 and removed["status"] == "unsupported"
    assert {each.rsplit(": ", 1)[1] for each in removed["remains"]} >= {"float32", "text"}
    assert all("gate.bak" in each for each in removed["remains"])
    assert FaceGallery.load("gate").subjects == ("ann",)


@pytest.mark.parametrize("words", [("--subject", "ann"), ("--salt", "x"), ("--write-salt", "x"),
                                   ("--subject", "a", "--salt", "x", "--index", "gate")])  # fmt: skip
def test_options_that_do_not_go_together_are_said(room: Path, words: tuple[str, ...]) -> None:
    run("face", "remove", "gate", "--subject", "bob")
    code, said = run("verify", "nothing.json", *words)
    assert code == 2 and "--s" in said


def test_a_key_that_others_may_read_is_refused(room: Path) -> None:
    Path("receipt.json").write_text(json.dumps(run("face", "remove", "gate", "--subject", "bob")[1]))
    Path("gate.receipts.key").chmod(0o644)
    assert run("verify", "receipt.json", "--index", "gate")[0] == 2
    assert run("face", "remove", "gate", "--subject", "ann")[0] == 2
    assert FaceGallery.load("gate").subjects == ("ann",)
