"""``privis release`` as a user types it, in this process: tables of Privis and of others, accounts, refusals.

Answers for `privis.cli.extraction.release_table`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import privis
from privis.cli.main import app
from privis.io import tables
from privis.privacy import Budget, BudgetUnit, FileLedger, Per

RUNNER = CliRunner()
VECTORS = np.random.default_rng(2).normal(size=(6, 5)).astype(np.float32)


def run(*words: object) -> tuple[int, str, str]:
    done = RUNNER.invoke(app, ["release", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def faces(here: Path) -> Path:
    """A table of another tool: six embeddings of three people."""
    path = here / "faces.csv"
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "person", *[f"e{n}" for n in range(5)]])
        rows.writerows([[f"f{n}", "abc"[n // 2], *row.astype(float)] for n, row in enumerate(VECTORS)])
    return path


ENROL = (
    "--release", "privunit", "--epsilon", "16", "--unit", "enrolment", "--record-column", "file", "--subject-column",
    "person", "--feature", "network 7", "--key", "key",
)  # fmt: skip


def test_people_of_another_tools_table_are_enrolled_and_charged_once(faces: Path, here: Path) -> None:
    book = FileLedger.create("book", Budget(16.0, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))
    code, told, _ = run(faces, *ENROL, "--ledger", "book", "-o", "templates.parquet")
    assert code == 0, told
    assert "3 rows of 5 components in templates.parquet" in told and "all enrolled images of one person" in told
    table = tables.read(here / "templates.parquet")
    assert table.paths == ("a", "b", "c") and table.names == ("e0", "e1", "e2", "e3", "e4")
    card = json.loads(table.metadata["privis.card"])
    assert card["feature"] == {"name": "network 7"} and card["guarantee"]["unit"] == "enrolment"
    release = privis.DirectionRelease(privis.PrivUnit(16.0), privis.Enrolment())
    same = privis.release(
        VECTORS, release, records=[f"f{n}" for n in range(6)], subjects=list("aabbcc"), key="key", feature="network 7"
    )
    assert np.array_equal(table.features, same.features), "the command asks what the function asks"
    assert run(faces, *ENROL, "--ledger", "book", "-o", "again.npz")[0] == 0, "a repeat is free"
    assert np.array_equal(tables.read(here / "again.npz").features, table.features)
    assert [book.spent(name).charges for name in "abc"] == [1, 1, 1]
    other = [word if word != "network 7" else "network 8" for word in ENROL]
    code, _, refused = run(faces, *other, "--ledger", "book", "-o", "other.npz")
    assert code == 5 and "a: ledger" in refused and not (here / "other.npz").exists()


@pytest.mark.parametrize("suffix", ["npz", "parquet", "csv"])
def test_a_table_of_privis_is_released_for_its_images(here: Path, suffix: str) -> None:
    """The account is that which `privis extract` charges, whatever the files are called."""
    (here / "pictures").mkdir()
    images = [np.random.default_rng(n).integers(0, 256, (20, 20), np.uint8) for n in range(2)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(here / "pictures" / f"{number}.png")
    paths = [f"pictures/{number}.png" for number in range(2)]
    privis.extract_folder(privis.LBP(), paths, here / f"exact.{suffix}")
    book = FileLedger.create("book", Budget(9.0, 1e-6))
    options = ("--release", "laplace", "--clip", "400", "--epsilon", "8", "--key", "key", "--ledger", "book")
    code, told, refused = run(f"exact.{suffix}", *options, "-o", f"released.{suffix}")
    assert code == 0, refused
    table = tables.read(here / f"released.{suffix}")
    assert table.paths == tuple(paths) and json.loads(table.metadata["privis.card"])["feature"]["name"] == "lbp"
    assert [book.spent(privis.image_record(image)).charges for image in images] == [1, 1]
    assert "without feature=" not in told, "the table says what it holds"
    code, _, refused = run(f"released.{suffix}", *options, "-o", "twice.npz")
    assert code == 2 and "released already" in refused
    (here / "pictures" / "1.png").unlink()
    code, _, refused = run(f"exact.{suffix}", *options, "-o", "gone.npz")
    assert code == 2 and "pictures/1.png" in refused and "--record-column path" in refused
    code, _, refused = run(f"exact.{suffix}", *options[:-2], "--record-column", "path", "-o", "named.npz")
    assert code == 0, refused


def test_people_of_a_table_of_privis_stand_in_a_list(here: Path) -> None:
    for number in range(2):
        Image.fromarray(np.full((20, 20), 40 * number, np.uint8)).save(here / f"{number}.png")
    (here / "people.csv").write_text("path,person\n0.png,ann\n1.png,ann\n")
    privis.extract_folder(privis.LBP(), ["0.png", "1.png"], here / "exact.npz")
    words = ["exact.npz", *ENROL[:6], "--key", "key", "-o", "t.npz"]
    code, _, refused = run(*words, "--subject-column", "person", "--subjects", "people.csv")
    assert code == 0, refused
    assert tables.read(here / "t.npz").paths == ("ann",)
    assert run(*words)[0] == 2 and run(*words, "--subjects", "people.csv")[0] == 2
    assert run(*words, "--subject-column", "person")[0] == 2, "a table of Privis has no such column"


def test_counts_of_people_who_come_or_go(here: Path) -> None:
    (here / "visits.csv").write_text("person,visit\n" + "ann,1\n" * 5 + "bob,1\n")
    options = (
        "--release", "laplace", "--clip", "1", "--epsilon", "1", "--aggregate", "sum", "--corpus", "ward 7", "--unit",
        "add-or-remove-person:3", "--subject-column", "person", "--key", "key", "--yes",
    )  # fmt: skip
    FileLedger.create("book", Budget(1.0, 1e-6, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON))
    code, told, more = run("visits.csv", *options, "--ledger", "book", "-o", "counts.csv", "--json")
    assert code == 0, more
    document = json.loads(told)
    assert document["card"]["guarantee"]["unit"] == "person added or removed" and document["rows"] == 1
    assert "2 rows were beyond" in more and "for you alone" in more and "2 rows" not in told
    assert tables.read(here / "counts.csv").paths == ("ward 7",)


def test_steps_come_before_the_release(faces: Path, here: Path) -> None:
    words = (faces, "--record-column", "file", "--leave-out", "person", "--release", "gaussian", "--delta", "1e-6")
    words += ("--epsilon", "8", "--clip", "1", "--key", "key", "--feature", "network 7")
    assert run(*words, "--post", "l2", "-o", "unit.npz")[0] == 0
    assert run(*words, "-o", "plain.npz")[0] == 0
    table = tables.read(here / "unit.npz")
    assert json.loads(table.metadata["privis.card"])["feature"] == {"name": "network 7", "then": [{"class": "L2"}]}
    assert not np.array_equal(table.features, tables.read(here / "plain.npz").features)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--release", "privunit", "--epsilon", "8"), "--record-column: got nothing"),
        (("--release", "privunit", "--epsilon", "8", "--record-column", "name"), "also name"),
        (("--release", "privunit", "--epsilon", "8", "--record-column", "file"), "--leave-out person"),
        (("--release", "laplace", "--epsilon", "8", "--record-column", "file"), "--clip: got nothing"),
        (("--release", "other", "--epsilon", "8"), "--release: got 'other'"),
        (("--release", "laplace", "--epsilon", "1", "--clip", "1", "--unit", "pixels:3"), "FeatureRelease.unit"),
        (("--release", "laplace", "--epsilon", "1", "--aggregate", "sum"), "--aggregate alone"),
        (("--release", "privunit", "--epsilon", "1", "--aggregate", "median", "--corpus", "w"), "one of sum, mean"),
        (
            (
                "--release",
                "laplace",
                "--epsilon",
                "1e-6",
                "--clip",
                "1",
                "--record-column",
                "file",
                "--leave-out",
                "person",
            ),
            "noise that leaves something",
        ),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(faces: Path, here: Path, words, told: str) -> None:
    code, _, refused = run(faces, *words, "--key", "key", "-o", "out.npz")
    assert code == 2 and told in refused, refused
    assert not (here / "out.npz").exists()


def test_an_output_that_cannot_be_written_is_refused_before_a_charge(faces: Path) -> None:
    book = FileLedger.create("book", Budget(99.0, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))
    assert run(faces, *ENROL, "--ledger", "book", "-o", "nowhere/t.npz")[0] in (2, 4)
    assert book.accounts == 0


def test_people_per_window_of_a_day(here: Path) -> None:
    (here / "seen.csv").write_text("person,window,camera\nann,0,x\nann,3,x\nann,5,y\nbob,3,x\n")
    day = (
        "--aggregate", "windows", "--windows", "6", "--corpus", "camera 3, Monday", "--unit", "person-day:2",
        "--subject-column", "person", "--leave-out", "camera", "--release", "laplace", "--epsilon", "5", "--key", "key",
    )  # fmt: skip
    code, told, more = run("seen.csv", *day, "-o", "day.npz", "--yes")
    assert code == 0, more
    table = tables.read(here / "day.npz")
    assert table.features.shape == (1, 7) and table.names[3] == "window 3" and table.names[6] == "people cut off"
    assert "1 rows were beyond" in more and "at most 2 windows count" in told
    for changed in (day[:2] + day[4:], ("--aggregate", "sum", *day[2:]), (*day[:7], "person:2", *day[8:])):
        assert run("seen.csv", *changed, "-o", "other.npz", "--yes")[0] == 2
