"""``--release privunit`` of ``privis search``: one charge an image or a person, no second draw, and what is refused.

Answers for `privis.cli.search.index_release_words`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.features.postprocessing.projection import Projection
from privis.privacy import FileLedger, ReleaseKey
from privis.stores import VectorRows
from privis.stores.parquet import ParquetStore
from tests.estimators.search.test_search_index import painted

BUILD = ("--recipe", "colour", "--workers", "1")
RELEASE = ("--release", "privunit", "--epsilon", "40", "--projection", "directions.npz")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures of each of three people of one colour each, and directions that tell colours apart."""
    numbers = iter(range(1, 99))
    monkeypatch.setattr(ReleaseKey, "generate", lambda: ReleaseKey(next(numbers).to_bytes(32, "big")))
    for hue, name in enumerate("rgb"):
        (tmp_path / "people" / name).mkdir(parents=True)
        for seed in range(2):
            Image.fromarray(painted(hue, seed)).save(tmp_path / "people" / name / f"{seed}.png")
    Projection(np.random.default_rng(0).normal(size=(6, 512)), np.zeros(512), "made up").save(
        tmp_path / "directions.npz"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["search", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if "--json" in words and done.stdout else " ".join(done.output.split())


def build(*words: str, code: int = 0) -> Any:
    return search("build", "people", "-o", "i", *BUILD, *RELEASE, *words, "--json", code=code)


def charges() -> list[float]:
    return [spent.epsilon for _, spent in FileLedger("i.ledger").worst()]


def test_every_image_is_charged_once_and_the_key_is_gone(room):
    told = build()
    assert (told["images"], told["rows"], told["guarantee"]["epsilon"]) == (6, 6, 40.0)
    assert charges() == [40.0] * 6 and not os.path.exists("i.release-key")
    again = build()
    assert (again["added"], again["unchanged"]) == (0, 6) and charges() == [40.0] * 6
    found = search("query", "people/g/1.png", "--index", "i", "--top", "2", "--json")
    assert {Path(each["path"]).parent.name for each in found} == {"g"} and found[0]["distance"] > 1e-6
    assert "6 components" in search("info", "i") and "made up" in search("info", "i")


def test_nothing_that_is_stored_is_the_exact_vector_or_the_digest_of_a_file(room, monkeypatch):
    stored: list[VectorRows] = []
    add = ParquetStore.add
    monkeypatch.setattr(ParquetStore, "add", lambda self, rows: (stored.append(rows), add(self, rows))[1])
    build()
    (rows,) = stored
    assert set(rows.sources) == {"0" * 64} and rows.vectors.shape == (6, 6)


def test_a_person_is_released_once_and_other_images_are_refused(room):
    told = build("--unit", "subject", "--subject-from", "folder")
    assert (told["images"], told["rows"]) == (6, 3) and charges() == [40.0] * 3
    found = search("query", "people/b/1.png", "--index", "i", "--json")
    assert found[0]["path"] == "b" and len(found) == 3
    Image.fromarray(painted(0, 9)).save("people/r/new.png")
    told = search("add", "people/r/new.png", "--index", "i", "--subject-from", "folder", "--json", code=3)
    assert "'r'" in told["refused"][0]["why"] and charges() == [40.0] * 3


def test_a_new_image_is_added_and_a_second_release_is_refused(room):
    build()
    Image.fromarray(painted(0, 9)).save("new.png")
    told = search("add", "new.png", "--index", "i", "--json")
    assert (told["added"], told["rows"]) == (1, 7)
    Image.fromarray(painted(0, 9)).save("copy.png")  # the same image under another name, without its key
    assert "spent epsilon 40 of 40" in search("add", "copy.png", "--index", "i", code=5)
    os.unlink("i.ledger")
    assert "no ledger" in search("add", "new.png", "--index", "i", code=2)


def test_with_a_key_the_same_image_is_free(room):
    build("--key", "mine")
    Image.fromarray(np.asarray(Image.open("people/r/0.png"))).save("copy.png")
    assert search("add", "copy.png", "--index", "i", "--key", "mine", "--json")["added"] == 1
    assert charges() == [40.0] * 6 and os.path.exists("mine")


def test_directions_of_other_vectors_and_broken_photographs_are_named(room):
    Projection(np.eye(3, 7), np.zeros(7), "made up").save("short.npz")
    words = ("build", "people", "-o", "n", *BUILD, "--release", "privunit", "--epsilon", "9", "--projection")
    assert "short.npz: got a projection of vectors of 7 components" in search(*words, "short.npz", code=2)
    (room / "public").mkdir()
    (room / "public" / "broken.png").write_text("no picture")
    for seed in range(9):
        Image.fromarray(painted(seed % 3, 40 + seed)).save(room / "public" / f"{seed}.png")
    assert "broken.png: got" in search(*words, "public", code=2)
    os.unlink("public/broken.png")
    assert "9 public images" in search(*words, "public", "--components", "9", code=2)
    assert not any(name.startswith("n") for name in os.listdir())


def test_two_subjects_of_one_image_are_refused_and_the_next_try_has_a_ledger(room):
    Image.open("people/r/0.png").save("people/g/copy.png")
    build("--unit", "subject", "--subject-from", "folder", code=2)
    os.unlink("people/g/copy.png")
    assert build("--unit", "subject", "--subject-from", "folder")["rows"] == 3 and charges() == [40.0] * 3


def test_several_processes_make_the_same_release(room):
    build("--key", "mine")
    search("build", "people", "-o", "k", "--recipe", "colour", "--workers", "2", *RELEASE, "--key", "mine")
    one, two = (search("query", "people/g/1.png", "--index", place, "--json") for place in "ik")
    assert [each["path"] for each in one] == [each["path"] for each in two]
    assert all(abs(a["distance"] - b["distance"]) < 1e-6 for a, b in zip(one, two, strict=True))


def test_what_is_killed_after_its_charges_goes_on_with_the_same_noise(room, monkeypatch):
    def killed(self: Any, rows: VectorRows) -> int:
        raise KeyboardInterrupt

    add = ParquetStore.add
    monkeypatch.setattr(ParquetStore, "add", killed)
    CliRunner().invoke(app, ["search", "build", "people", "-o", "i", *BUILD, *RELEASE])
    assert charges() == [40.0] * 6 and os.path.exists("i.release-key")
    monkeypatch.setattr(ParquetStore, "add", add)
    assert build()["added"] == 6 and charges() == [40.0] * 6 and not os.path.exists("i.release-key")


def test_queries_are_released_where_somebody_wants_it(room):
    build()
    words = ("query", "people/g/1.png", "--index", "i", "--top", "1", "--json")
    release = ("--release", "privunit", "--epsilon", "40", "--key", "mine")
    exact, first, again = search(*words), search(*words, *release), search(*words, *release)
    assert first == again != exact
    assert "eight releases" in search(*words, *release, "--near-duplicates", code=2)


def test_evaluation_says_what_is_left(room):
    told = search("evaluate", "people", *BUILD, *RELEASE, "--draws", "3", "--json")
    assert told["exact"]["mean_average_precision"] == 1.0 and told["map"] > 0.8 and told["draws"] == 3
    assert told["guarantee"]["epsilon"] == 40 and told["both"]["deviation"] >= 0
    assert "not private" in search("evaluate", "people", *BUILD, *RELEASE, "--draws", "1")


def test_public_photographs_are_not_those_of_the_index(room):
    (room / "public").mkdir()
    for seed in range(4):
        Image.fromarray(painted(seed % 3, 20 + seed)).save(room / "public" / f"{seed}.png")
    words = ("build", "people", "-o", "k", *BUILD, "--release", "privunit", "--epsilon", "9", "--components", "2")
    search(*words, "--projection", "public")
    assert "4 images of the folder public, sha256" in search("info", "k")
    search(*words, "--projection", "public")  # the same ones are no other release
    os.rename("people/r/0.png", "public/x.png")
    os.link("public/x.png", "people/r/0.png")
    other = ("build", "people", "-o", "l", *BUILD, "--release", "privunit", "--epsilon", "9", "--projection", "public")
    assert "people/r/0.png of the index" in search(*other, code=2)
    assert "--projection" in search(*words, "--projection", "public", code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--epsilon", "1"), "--release"),
        (("--release", "privunit"), "--epsilon"),
        (("--release", "laplace", "--epsilon", "1"), "privunit"),
        (("--release", "privunit", "--epsilon", "0"), "epsilon"),
        (("--release", "privunit", "--epsilon", "1", "--unit", "subject"), "--subject-from"),
        (("--key", "k"), "--key"),
    ],
)
def test_words_that_fit_nothing(room, words, said):
    assert said in search("build", "people", "-o", "n", *BUILD, *words, code=2)
    assert not any(name.startswith("n") for name in os.listdir())


def test_another_release_than_the_index_has(room):
    build()
    assert "40.0, as it was built with" in search(
        "build", "people", "-o", "i", *BUILD, "--release", "privunit", "--epsilon", "3", code=2
    )
    search("build", "people", "-o", "e", *BUILD)
    assert "exact vectors" in search("build", "people", "-o", "e", *BUILD, *RELEASE, code=2)
    assert "exact vectors" in search(
        "query", "people/r/0.png", "--index", "e", "--release", "privunit", "--epsilon", "1", code=2
    )
    assert "--ledger" in search("add", "people", "--index", "e", "--ledger", "x", code=2)
    (room / "i" / "projection.npz").write_bytes(b"")
    assert "projection.npz" in search("info", "i", code=2)
