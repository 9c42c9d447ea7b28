"""Several features in one call, and what a call would do, as they are typed.

Answers for `privis.cli.extraction.several` and `privis.cli.extraction.plan`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.extraction.several import chosen_features, output_of
from privis.cli.main import app
from privis.errors import ParameterError
from privis.io.tables import read
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.file import FileLedger


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: object) -> Any:
    return CliRunner().invoke(app, [*map(str, words)])


def test_several_features_make_a_table_each(place):
    words = ["-f", "colour", "-f", "lbp", "-p", "lbp.patterns=uniform", "-p", "bins=4", "--workers", 1]
    done = typed("extract", "photos", *words, "-o", "all.npz", "--report", "all.html")
    assert done.exit_code == 0, done.output
    assert "in all.colour.npz" in done.stdout and "in all.lbp.npz" in done.stdout
    typed("extract", "photos", "-f", "lbp", "-p", "patterns=uniform", "-o", "lbp.npz", "--workers", 1)
    typed("extract", "photos", "-f", "colour", "-p", "bins=4", "-o", "colour.npz", "--workers", 1)
    for name in ("lbp", "colour"):
        assert (place / f"all.{name}.npz").read_bytes() == (place / f"{name}.npz").read_bytes()
        assert name in (place / f"all.{name}.html").read_text()


def test_several_tables_are_one_document(place):
    done = typed("extract", "photos", "-f", "colour", "-f", "lbp", "-o", "all.npz", "--json", "--workers", 1)
    document = json.loads(done.stdout)
    assert [table["output"] for table in document["tables"]] == ["all.colour.npz", "all.lbp.npz"]


@pytest.mark.parametrize(
    ("names", "words", "said"),
    [
        (["colour", "lbp"], ["size=8x8"], "one of -p colour.size=8x8, -p lbp.size=8x8, or each"),
        (["colour", "lbp"], ["hog.size=8x8"], "a parameter of hog, expected one of colour, lbp"),
        (["colour"], ["hog.size=8x8"], "a parameter of hog, expected one of colour"),
        (["colour", "lbp"], ["nothing=1"], "lbp.patterns=…"),
        (["colour", "colour"], [], "got 2 times, expected once"),
        (["colour", "lbp"], ["bins=4", "colour.bins=8"], "-p bins: got 2 values"),
        (["colour", "hug"], [], "'hug', expected one of"),
        (["colour", "lbp"], ["bins=x", "patterns=y"], "an integer"),
    ],
)
def test_words_that_do_not_say_whose_they_are_are_refused(names, words, said):
    with pytest.raises(ParameterError) as caught:
        chosen_features(names, words, None)
    assert said in str(caught.value)


def test_a_word_may_name_its_feature_even_if_it_is_the_only_one():
    (chosen,) = chosen_features(["hog"], ["hog.size=64x32", "cell=4"], "l2")
    assert chosen.feature.size == (64, 32) and "cell=4" in chosen.words
    assert "L2" in repr(chosen.feature)


def test_a_table_keeps_its_folder_and_its_suffix():
    assert output_of(Path("a.b/c.d.csv"), "hog", True) == Path("a.b/c.d.hog.csv")
    assert output_of(Path("c.csv"), "hog", False) == Path("c.csv")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_dry_run_says_what_would_be_and_does_nothing(place):
    FileLedger.create(place / "budget", Budget(5000.0, 1e-6))
    before = everything(place)
    words = ["-f", "colour", "-f", "lbp", "--release", "laplace", "--at", "feature", "--clip", "3", "--epsilon", "4"]
    done = typed("extract", "photos", *words, "--ledger", "budget", "--key", "key", "-o", "all.npz", "--dry-run")
    assert done.exit_code == 0, done.output
    for said in (
        "Reads 3 files: photos/0.png",
        "48x64 RGB (3)",
        "all.colour.npz: up to 3 rows of 48 components of colour",
        "all.lbp.npz: up to 3 rows of 256 components of lbp",
        "at epsilon 4",
        "release key would be made in key",
        "keeps epsilon 5000",
        "Nothing was read beyond headers, charged or written",
    ):
        assert said in done.stdout, done.stdout
    assert everything(place) == before


def test_a_dry_run_refuses_what_the_run_would(place):
    refused = typed("extract", "photos", "-f", "glcm", "-o", "none/t.npz", "--dry-run")
    assert refused.exit_code == 4 and "no such folder" in refused.stderr
    refused = typed("extract", "photos", "-f", "lbp", "-o", "t.npz", "--ledger", "photos/0.png", "--dry-run")
    assert refused.exit_code == 2 and "without a release" in refused.stderr
    small = typed("extract", "photos", "-f", "hog", "-p", "size=8x8", "-o", "t.npz", "--dry-run")
    assert small.exit_code == 2 and "at least 24x24" in small.stderr
    assert not list(place.glob("t.npz*"))


def test_a_dry_run_predicts_what_encryption_takes(place):
    pytest.importorskip("tenseal")
    words = ["-f", "colour", "-p", "size=8x8", "-p", "bins=2", "--under", "ckks", "--dry-run"]
    done = typed("extract", "photos", *words, "-o", "t.npz")
    assert done.exit_code == 0, done.output
    assert "s per image in the core" in done.stdout and "CKKS ciphertexts" in done.stdout


def test_sizes_that_give_other_vectors_are_said(place):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(place / "photos" / "other.png")
    done = typed("extract", "photos", "-f", "hog", "-p", "size=none", "-p", "cell=4", "-o", "t.npz", "--dry-run")
    assert "vectors of different lengths" in done.stdout and "48x64 RGB (3), 20x20 RGB (1)" in done.stdout


def test_more_words_say_what_is_done_on_stderr(place):
    quiet = typed("extract", "photos", "-f", "colour", "-o", "a.npz", "--workers", 1)
    loud = typed("extract", "photos", "-f", "colour", "-o", "b.npz", "--workers", 1, "-v")
    assert "Reads 3 files" in loud.stderr and "s for 3 files" in loud.stderr and "Reads" not in quiet.stderr
    assert "Nothing was read" not in loud.output
    assert read(place / "a.npz").features.tobytes() == read(place / "b.npz").features.tobytes()
