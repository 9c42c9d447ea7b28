"""``privis ledger``: what is written, shown and returned."""

import csv
import json
import shutil
import stat
import tarfile

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from privis.cli.ledger import ledger
from privis.privacy import FeatureRelease, Laplace
from privis.privacy.ledger.file import FileLedger
from privis.privacy.ledger.records import record_of_pixels

COSTLY = FeatureRelease(Laplace(0.3), clip=1.0).guarantee((8,))


@pytest.fixture
def run():
    runner = CliRunner()
    app = typer.Typer()
    app.add_typer(ledger)
    return lambda *words: runner.invoke(app, ["ledger", *map(str, words)])


@pytest.fixture
def path(run, tmp_path):
    path = tmp_path / "budget"
    result = run("init", path, "--epsilon", 1, "--delta", 1e-6)
    assert result.exit_code == 0, result.output
    return path


def test_init_says_what_the_budget_means_and_makes_a_private_file(run, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.with_name("budget.head").stat().st_mode) == 0o600
    other = path.with_name("people")
    result = run("init", other, "--epsilon", 2, "--delta", 1e-6, "--unit", "person")
    assert "about all images of one person" in result.output
    assert FileLedger(other).budget.epsilon == 2


def test_init_never_overwrites(run, path):
    before = path.read_bytes()
    result = run("init", path, "--epsilon", 9, "--delta", 1e-6)
    assert result.exit_code == 4 and "never overwritten" in result.stderr
    assert path.read_bytes() == before


def test_all_wrong_options_are_named(run, tmp_path):
    result = run("init", tmp_path / "x", "--epsilon", 0, "--delta", 2, "--unit", "dataset")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in ("Budget.epsilon", "Budget.delta", "Budget.unit"))
    assert not (tmp_path / "x").exists()


def test_show_gives_worst_first_and_one_record_by_name(run, path, tmp_path, monkeypatch):
    opened, image = FileLedger(path), np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(image).save(tmp_path / "b.png")
    for record, count in (("ann", 1), (record_of_pixels(image), 3)):
        for index in range(count):
            opened.charge(record, COSTLY, f"{record} {index}")
    lines = run("show", path).output.splitlines()
    rows = [line.split() for line in lines if "basic" in line]
    assert [row[3] for row in rows] == ["3", "1"] and [row[5] for row in rows] == ["0.9", "0.3"]
    assert rows[0][7] == "0.1" and "ann" not in run("show", path).output, "a table need not name people"
    assert len([line for line in run("show", path, "--most", 1).output.splitlines() if "basic" in line]) == 1
    monkeypatch.chdir(tmp_path)
    shutil.copy("b.png", "copy.png")
    assert " 0.9 " in run("show", path, "b.png").output and " 0.9 " in run("show", path, "copy.png").output
    assert " 0.3 " in run("show", path, "ann").output
    assert " 0 " in run("show", path, "nobody").output


def test_verify_returns_1_for_a_damaged_ledger(run, path):
    FileLedger(path).charge("ann", COSTLY, "one")
    result = run("verify", path)
    assert result.exit_code == 0 and "intact, charges: 1, records: 1" in result.output
    head = FileLedger(path).verify().head
    assert head in result.output
    FileLedger(path).charge("ann", COSTLY, "two")
    assert run("verify", path, "--head", head).exit_code == 0
    assert run("verify", path, "--head", "0" * 63 + "1").exit_code == 1
    path.write_bytes(path.read_bytes().replace(b'"epsilon": 0.3', b'"epsilon": 0.1', 1))
    result = run("verify", path)
    assert result.exit_code == 1 and "line 3 does not follow" in result.stderr


def test_show_finds_an_image_that_is_no_file_of_its_own(run, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.full((8, 8), 5, np.uint8)
    Image.fromarray(pixels).save("a.png")
    Image.fromarray(pixels).save("a.tif")
    with tarfile.open("s.tar", "w") as shard:
        shard.add("a.png")
    FileLedger(path).charge(record_of_pixels(pixels), COSTLY, "1")
    for name in ("a.png", "s.tar#member=a.png", "a.tif#page=1"):
        assert " 0.3 " in run("show", path, name).output, name


def test_a_damaged_ledger_is_not_shown_or_exported(run, path, tmp_path):
    FileLedger(path).charge("ann", COSTLY, "one")
    path.write_bytes(path.read_bytes()[:-1])
    for words in (("show", path), ("export", path, "-o", tmp_path / "t.csv")):
        result = run(*words)
        assert result.exit_code == 5 and "privis ledger verify" in result.stderr
    assert not (tmp_path / "t.csv").exists()


def test_export_for_an_auditor(run, path, tmp_path):
    opened = FileLedger(path)
    opened.charge("ann", COSTLY, "one")
    opened.charge("bob", COSTLY, "two")
    assert run("export", path, "-o", tmp_path / "t.csv").exit_code == 0
    assert run("export", path, "-o", tmp_path / "t.json").exit_code == 0
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()))
    document = json.loads((tmp_path / "t.json").read_text())
    assert [row["record"] for row in rows] == [opened.hashed("ann"), opened.hashed("bob")]
    assert [float(row["epsilon"]) for row in rows] == [0.3, 0.3]
    assert [charge["release"] for charge in document["charges"]] == ["one", "two"]
    assert document["budget"] == {"epsilon": 1.0, "delta": 1e-06, "per": "subject", "unit": "image"}
    assert document["head"] == opened.verify().head
    assert run("export", path, "-o", tmp_path / "t.txt").exit_code == 2


def test_no_ledger_is_a_sentence(run, tmp_path):
    result = run("show", tmp_path / "none")
    assert result.exit_code == 2 and "privis ledger init" in result.stderr


def test_show_says_how_many_it_does_not_show(run, path):
    book = FileLedger(path)
    for number in range(5):
        book.charge(f"image {number}", COSTLY, f"{number:032x}")
    assert "3 of 5, those that spent most; --most 5 shows all" in run("show", path, "--most", 3).output
    assert " of 5" not in run("show", path).output
