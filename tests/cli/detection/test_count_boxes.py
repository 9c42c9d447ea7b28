"""``privis detect count``: every picture has its count, and with noise its guarantee and one charge.

Answers for `privis.cli.detection.count_boxes`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis import Budget, FileLedger
from privis.cli.main import app


def called(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "street").mkdir()
    for number, name in enumerate(("a.png", "b b.png", "ü.png")):
        Image.fromarray(np.full((40, 60, 3), 50 * number, np.uint8)).save(tmp_path / "street" / name)
    lines = ["path,x,y,w,h,score,label", "street/a.png,0,0,10,10,1,person", "street/a.png,50,5,10,30,1,person",
             "street/a.png,20,0,9,9,1,car", "street/ü.png,0,30,100,10,1,person"]  # fmt: skip
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def table(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def test_pictures_without_boxes_are_counted_too(place: Path) -> None:
    words = ("detect", "count", place / "street", "--boxes", place / "boxes.csv", "-o", place / "counts.csv")
    code, said, _ = called(*words, "--json")
    assert code == 0 and json.loads(said)["images"] == 3 and json.loads(said)["card"] is None
    assert [row[1] for row in table(place / "counts.csv")] == ["count", "3", "0", "1"]
    assert called(*words, "--grid", "2x1", "--label", "person")[0] == 0
    found = table(place / "counts.csv")
    assert found[0][1:] == ["cell_0_0", "cell_1_0"] and [row[1:] for row in found[1:]] == [
        ["1", "1"], ["0", "0"], ["0", "1"]
    ]  # fmt: skip


def test_noise_hides_a_picture_and_is_charged_once_each(place: Path) -> None:
    FileLedger.create(place / "ledger", Budget(30.0, 1e-6))
    words = ("detect", "count", place / "street", "--boxes", place / "boxes.csv", "-o", place / "counts.csv",
             "--epsilon", 25, "--total", 2, "--key", place / "key", "--ledger", place / "ledger", "--json")  # fmt: skip
    code, said, _ = called(*words)
    card = json.loads(said)["card"]
    digest = hashlib.sha256((place / "boxes.csv").read_bytes()).hexdigest()
    assert digest not in said, "whoever has a card could test guesses of boxes with it"
    assert code == 0 and card["guarantee"]["epsilon"] == 25.0 and "whole image" in card["guarantee"]["relation"]
    first = table(place / "counts.csv")
    assert all(abs(int(row[1]) - exact) <= 2 for row, exact in zip(first[1:], (2, 0, 1), strict=True))
    assert called(*words)[0] == 0 and table(place / "counts.csv") == first
    code, _, said = called(*words, "--label", "car")
    assert code == 5 and "spent epsilon 25 of 30" in said, "counts of another label are another release"


def test_two_questions_of_equal_counts_have_noise_of_their_own(place: Path) -> None:
    """Else equal answers would say that as many cars as people are there, and nobody was charged for it."""
    lines = (place / "boxes.csv").read_text(encoding="utf-8").splitlines()
    (place / "boxes.csv").write_text("\n".join([lines[0], lines[1], lines[3]]) + "\n", encoding="utf-8")
    words = ("detect", "count", place / "street", "--boxes", place / "boxes.csv", "-o", place / "counts.csv",
             "--epsilon", 0.1, "--total", 50, "--key", place / "key", "--grid", "3x3")  # fmt: skip
    answers = []
    for label in ("person", "car", "person"):
        assert called(*words, "--label", label)[0] == 0
        answers.append(table(place / "counts.csv")[2])  # of the picture in which there is neither
    assert answers[0] == answers[2] != answers[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--grid", "0x1"), "COLUMNSxROWS"),
        (("--key", "k"), "--epsilon as well"),
        (("--epsilon", 1, "--release", "gaussian"), "--delta"),
        (("--epsilon", 1, "--release", "vmf"), "laplace or gaussian"),
    ],
)
def test_words_that_do_not_fit_are_named(place: Path, words: tuple, told: str) -> None:
    made = ("detect", "count", place / "street", "--boxes", place / "boxes.csv", "-o", place / "counts.csv")
    code, _, said = called(*made, *words)
    assert code == 2 and told in said and not (place / "counts.csv").exists()


def test_a_picture_that_cannot_be_read_costs_its_row(place: Path) -> None:
    (place / "street" / "c.png").write_bytes(b"no picture")
    code, said, errors = called("detect", "count", place / "street", "--boxes", place / "boxes.csv", "-o",
                                place / "counts.csv", "--json")  # fmt: skip
    assert code == 1 and json.loads(said)["images"] == 3 and "c.png" in errors
