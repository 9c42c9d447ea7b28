"""``privis attack --release-of``: rows of two releases are linked by picture or by person.

Answers for `privis.cli.attack.linkage_attack`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app

FEATURE = ("-f", "hog", "-p", "size=32x32")


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, done.stderr


def extract(folder: Path, table: Path, *words: str) -> Path:
    code, _, told = run("extract", str(folder), *FEATURE, *words, "--workers", "1", "-o", str(table))
    assert code == 0, told
    return table


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight people with two pictures each, in two folders that both have a first picture, and one that is public."""
    folder = tmp_path_factory.mktemp("linkage")
    random = np.random.default_rng(3)
    for person in range(8):
        own = random.integers(0, 256, (32, 32))
        for shot in range(2):
            path = folder / f"shot{shot}" / f"person{person}" / f"{shot}.png"
            path.parent.mkdir(parents=True)
            pixels = np.clip(own + random.normal(0, 20, own.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path)
    shutil.copytree(folder / "shot0", folder / "moved" / "again")
    shutil.copytree(folder / "shot1", folder / "public")
    return folder


def link(first: Path, second: Path, *words: str) -> list[dict]:
    code, text, told = run("attack", "--against", f"{first}", "--release-of", f"{second}", "--json", *words)
    assert code == 0, told
    found = json.loads(text)["attacks"]
    assert {each["attack"] for each in found} == {"linkage"}
    return found


def test_a_picture_released_twice_is_linked_wherever_its_folder_lies(place: Path, tmp_path: Path) -> None:
    first, second = extract(place / "shot0", tmp_path / "a.npz"), extract(place / "moved", tmp_path / "b.npz")
    rank, rate = link(first, second)
    assert (rank["value"], rank["tries"], rank["chance"]) == (1.0, 8, pytest.approx(1 / 8))
    assert rank["measure"] == "linked to the same picture, first guess"
    assert rate["measure"] == "linked at 10 % false links"


def test_other_pictures_of_people_are_linked_by_person(place: Path, tmp_path: Path) -> None:
    first, second = extract(place / "shot0", tmp_path / "a.npz"), extract(place / "shot1", tmp_path / "b.npz")
    rank, _ = link(first, second)
    assert (rank["measure"], rank["value"]) == ("linked to the same person, first guess", 1.0)


def test_little_epsilon_hides_and_public_pictures_are_rehearsed(place: Path, tmp_path: Path) -> None:
    private = ("--release", "privunit", "--epsilon", "1", "--yes")
    first = extract(place / "shot0", tmp_path / "a.npz", *private)
    second = extract(place / "moved", tmp_path / "b.npz", *private)
    rank, _ = link(first, second, "--public", str(place / "public"), "--with", "linkage")
    assert rank["value"] < 0.7
    assert rank["guarantee"]["epsilon"] == 1.0
    assert rank["against"] == "hog, release=privunit epsilon=1 unit=WholeImage"
    assert rank["knows"][1] == "the mechanism"


def test_tables_that_cannot_be_linked_are_refused(place: Path, tmp_path: Path) -> None:
    first = extract(place / "shot0", tmp_path / "a.npz")
    code, _, _ = run("extract", str(place / "shot1"), "-f", "lbp", "--workers", "1", "-o", str(tmp_path / "lbp.npz"))
    assert code == 0
    code, _, told = run("attack", "--against", str(first), "--release-of", str(tmp_path / "lbp.npz"))
    assert code != 0 and "another feature" in told
    code, _, told = run("attack", "--against", str(first), "--release-of", str(place / "shot0" / "person0" / "0.png"))
    assert code != 0 and "a table" in told
    strangers = tmp_path / "strangers"
    shutil.copytree(place / "shot1" / "person0", strangers / "nobody")
    second = extract(strangers, tmp_path / "c.npz")
    code, _, told = run("attack", "--against", str(first), "--release-of", str(second))
    assert code != 0 and "nobody of the first table" in told


def test_without_a_second_table_linkage_says_what_it_needs(place: Path, tmp_path: Path) -> None:
    first = extract(place / "shot0", tmp_path / "a.npz")
    code, _, told = run("attack", "--against", str(first), "--with", "linkage")
    assert code != 0 and "--release-of" in told
