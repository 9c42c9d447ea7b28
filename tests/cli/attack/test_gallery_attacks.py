"""``privis attack`` against galleries and indexes: what answers give, and what is left of people who were removed.

Answers for `privis.cli.attack.gallery_attacks`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.faces import face_words
from privis.cli.main import app
from privis.estimators.faces import shipped_calibration
from privis.io.face_gallery import EnrolledPerson, FaceGallery
from privis.tasks.verification import CalibrationTable
from privis.tasks.verification.score_calibration import STEPS
from tests.estimators.faces.painted_faces import EXTRACTOR, picture


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery of three painted people, pictures of four others, and a threshold of 0.7 for their embedding."""
    monkeypatch.setattr(face_words, "extractor_of", lambda words: EXTRACTOR)
    counts = np.zeros(STEPS, np.int64)
    counts[1000], counts[1699] = 60_000, 1
    table = CalibrationTable(EXTRACTOR.embedding_identity, "painted", "nobody", 9, counts)
    monkeypatch.setattr(shipped_calibration, "shipped_calibration", lambda embedding: table)
    for person in range(7):
        folder = tmp_path / ("people" if person < 3 else "others") / f"p{person}"
        folder.mkdir(parents=True)
        for shot in range(2):
            Image.fromarray(picture(person, shot)).save(folder / f"{person}{shot}.png")
    monkeypatch.chdir(tmp_path)
    assert run("face", "enrol", "gate", "people", "--subject-from", "folder")[0] == 0
    return tmp_path


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, done.stderr


def attack(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    code, text, told = run("attack", "--against", *words, "--json")
    return code, json.loads(text)["attacks"] if text else [], told


def test_answers_of_a_gallery_are_attacked_with_and_without_known_faces(room: Path) -> None:
    code, found, told = attack("gate", "--with", "answers")
    assert code == 0 and not told
    assert {each["attack"] for each in found} == {"answers"} and found[0]["against"] == "face gallery, exact templates"
    by = {each["measure"]: each for each in found}
    whole = next(each for measure, each in by.items() if measure.startswith("template rebuilt from"))
    assert whole["value"] == 1.0 and whole["tries"] == 3
    until = by["scores until half of the templates are passed by what was rebuilt"]
    assert until["value"] >= 1 and "no template at all" in until["knows"]
    code, known, told = attack("gate", "--public", "others", "--with", "answers")
    assert code == 0 and "8 public templates" in known[0]["knows"]


def test_pictures_of_enrolled_people_are_no_guesses(room: Path) -> None:
    code, found, told = attack("gate", "--known", "people", "--with", "answers")
    assert code == 0 and "6 pictures of people who are in the gallery were left out" in told
    assert "no template at all" in found[0]["knows"]


def test_a_removed_person_is_found_in_a_copy_alone(room: Path) -> None:
    shutil.copy("gate", "gate.bak")
    assert run("face", "remove", "gate", "--subject", "p1")[0] in (0, 8)
    code, found, _ = attack("gate", "--originals", "people/p1", "--with", "erased")
    assert code == 0 and found[0]["value"] > 0 and "gate.bak" in found[0]["sentence"]
    Path("gate.bak").unlink()
    code, found, _ = attack("gate", "--originals", "people/p1", "--with", "erased")
    assert code == 0 and [each["value"] for each in found] == [0.0, 0.0]
    code, found, _ = attack("gate", "--originals", "people/p2", "--with", "erased")
    assert found[1]["value"] > 0, "the control: somebody who is there"


def test_people_of_two_galleries_are_told_apart_or_not(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    middles = random.normal(size=(24, 32))
    people = tuple(EnrolledPerson(f"p{number}", 1, "2026-11-30") for number in range(24))

    def gallery(name: str, rows: np.ndarray, who: tuple[EnrolledPerson, ...] = people) -> str:
        unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        (tmp_path / name).write_bytes(FaceGallery(bytes(32), "toy", who, unit).to_bytes())
        return str(tmp_path / name)

    shots = [middles + 0.2 * random.normal(size=middles.shape) for _ in range(2)]
    turns = [np.linalg.qr(random.normal(size=(32, 32)))[0] for _ in range(2)]
    plain = gallery("one", shots[0]), gallery("two", shots[1])
    turned = gallery("three", shots[0] @ turns[0]), gallery("four", shots[1] @ turns[1])
    for (first, second), linked in ((plain, True), (turned, False)):
        code, found, told = attack(first, "--release-of", second, "--with", "unlinkability")
        assert code == 0, told
        alone, whole = found
        assert (alone["value"] > 0.6) == linked and (alone["interval"][0] > alone["chance"]) == linked
        assert whole["measure"] == "D_sys of whole sets" and whole["value"] > 0.2
    few = gallery("few", shots[1][:19], people[:19])
    code, _, told = attack(plain[0], "--release-of", few, "--with", "unlinkability")
    assert code == 2 and "19 people of the same id" in told
    code, _, told = attack(plain[0], "--release-of", __file__, "--with", "unlinkability")
    assert code == 2 and "a gallery of faces" in told


@pytest.mark.long
def test_an_erased_picture_is_found_in_a_copy_alone(room: Path) -> None:
    assert run("search", "build", "people", "-o", "index", "--subject-from", "folder")[0] == 0
    code, found, _ = attack("index", "--originals", "people/p0")
    assert code == 0 and found[0]["against"].startswith("search index in parquet")
    assert found[2]["measure"] == "vectors that the index still holds" and found[2]["value"] == 1.0
    shutil.copytree("index", "before")
    assert run("search", "erase", "--index", "index", "--subject", "p0")[0] == 0
    code, found, _ = attack("index", "--originals", "people/p0")
    assert code == 0 and [each["value"] for each in found] == [0.0, 0.0], found
    from privis.cli.search.search_words import opened

    vectors = opened(Path("index")).vectors([str(path) for path in sorted(Path("people/p0").iterdir())])
    Path("index/cache.bin").write_bytes(vectors[0].astype(np.float16).tobytes())
    code, found, _ = attack("index", "--originals", "people/p0")
    assert [each["value"] for each in found] == [0.5, 1.0] or found[0]["value"] == 0.5
    assert "cache.bin" in found[0]["sentence"]


def test_what_does_not_fit_is_refused(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, told = attack("gate", "--with", "erased")
    assert code == 2 and "--originals" in told
    monkeypatch.setattr(shipped_calibration, "shipped_calibration", lambda embedding: None)
    code, _, told = attack("gate", "--with", "answers")
    assert code == 2 and "no calibration comes with Privis, of 3 people" in told
    assert run("face", "enrol", "gate", "others", "--subject-from", "folder")[0] == 0
    code, found, told = attack("gate", "--with", "answers")
    assert code == 0 and found and "is estimated from the gallery" in told
