"""``privis report`` from files to a page; what it is not given, what does not verify, and what is wrong at once.

Answers for `privis.cli.reports.report`, `privis.cli.reports.report_attacks` and `privis.cli.reports.report_files`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.io.face_gallery import EnrolledPerson, FaceGallery
from privis.privacy import no_release
from privis.training.heads import Head


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released table with a signed card and its ledger, an exact table, a gallery, a classifier."""
    folder = tmp_path_factory.mktemp("made")
    values = np.random.default_rng(0).integers(0, 256, (2, 12, 12), dtype=np.uint8)
    (folder / "in").mkdir()
    for number, each in enumerate(values):
        Image.fromarray(each).save(folder / "in" / f"Jane Roe {number}.png")
    images, words = str(folder / "in"), ("-f", "colour", "-p", "bins=4", "--workers", "1")
    noise = ("--release", "laplace", "--epsilon", "2", "--at", "feature", "--yes")
    assert run("ledger", "init", str(folder / "budget"), "--epsilon", "8", "--delta", "1e-6")[0] == 0
    assert run("answers", "init", str(folder / "answers"))[0] == 0
    ledger = ("--ledger", str(folder / "budget"))
    assert run("extract", images, *words, *noise, *ledger, "-o", str(folder / "t.npz"))[0] == 0
    assert run("extract", images, *words, "-o", str(folder / "exact.npz"))[0] == 0
    assert run("keygen", str(folder / "card.key"), "--for", "card")[0] == 0
    assert run("card", str(folder / "t.npz"), "--key", str(folder / "card.key"), *ledger)[0] == 0
    people = tuple(EnrolledPerson(f"Jane Roe {number}", 1, "2026-11-01") for number in range(3))
    gallery = FaceGallery(bytes(32), "made up", people, np.eye(3, dtype=np.float32))
    (folder / "faces.gallery").write_bytes(gallery.to_bytes())
    Head(("well", "ill"), np.ones((2, 7)), no_release()).save(folder / "head.npz")
    return folder


@pytest.fixture
def room(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in made.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
            os.chmod(tmp_path / path.name, 0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*words: str) -> dict[str, Any]:
    code, said = run("report", *words, "--json")
    assert code == 0, said
    return json.loads(said)


def public_key() -> str:
    found = re.search("[0-9a-f]{64}", run("info", "card.key")[1])
    assert found is not None
    return found[0]


def test_one_report_of_tables_a_gallery_a_classifier_and_ledgers(room: Path) -> None:
    files = ("t.npz", "exact.npz", "faces.gallery", "head.npz", "budget", "--answers", "answers")
    said = told(*files, "--public-key", public_key(), "-o", "report.html")
    standings = {each["file"]: each["standing"] for each in said["files"]}
    assert standings == {"t.npz": "signed", "exact.npz": "recomputed", "faces.gallery": "without_card",
                         "head.npz": "recomputed"}  # fmt: skip
    assert said["stored_people"] == 3
    page = Path("report.html").read_text("utf-8")
    assert "2 releases were charged to 2 accounts" in page and "99,997" in page
    assert "the chain of budget, to line 3" in page
    assert run("info", "report.html")[0] != 0, "a report is a page, and nothing else of Privis"


def test_a_signed_classifier_is_checked_and_a_changed_one_is_found(room: Path) -> None:
    assert run("card", "head.npz", "--key", "card.key")[0] == 0
    said = told("head.npz", "head.npz.card.json", "--public-key", public_key(), "-o", "a.html")
    assert [each["standing"] for each in said["files"]] == ["signed", "signed"]
    Head(("well", "ill"), np.full((2, 7), 2.0), no_release()).save(Path("head.npz"))
    assert told("head.npz", "-o", "b.html", "--language", "zh")["files"][0]["standing"] == "broken"
    assert "收到该分类器的人" in Path("b.html").read_text("utf-8")


def test_nothing_private_is_on_the_page(room: Path) -> None:
    told(str(room / "t.npz"), "faces.gallery", "--ledger", str(room / "budget"), "-o", "report.html")
    page = Path("report.html").read_text("utf-8")
    assert "the chain of budget, to line 3" in page
    assert "Jane Roe" not in page and str(room) not in page
    assert Path("card.key").read_bytes().split()[-1].decode("latin-1") not in page


def test_a_changed_byte_is_shown_and_not_believed(room: Path) -> None:
    data = bytearray(Path("t.npz").read_bytes())
    data[len(data) // 2] ^= 1
    Path("t.npz").write_bytes(data)
    assert told("t.npz", "-o", "report.html")["files"][0]["standing"] == "broken"
    page = Path("report.html").read_text("utf-8")
    assert "t.npz does not verify" in page and '<p class="warns">t.npz' in page
    code, said = run("report", "t.npz", "-o", "report.html")
    assert code == 0 and "does not verify" in said


def test_a_damaged_card_and_a_foreign_signature_are_shown(room: Path) -> None:
    card = Path("t.npz.card.json")
    assert told("t.npz.card.json", "--public-key", "ab" * 32, "-o", "a.html")["files"][0]["standing"] == "broken"
    card.write_bytes(card.read_bytes().replace(b'"rows": 2', b'"rows":  2'))
    assert told("t.npz", "-o", "b.html")["files"][0]["standing"] == "broken"
    assert told("t.npz.card.json", "-o", "c.html", "--language", "zh")["files"][0]["standing"] == "broken"
    assert "卡片的字节与签署时不同" in Path("c.html").read_text("utf-8")


def test_a_ledger_that_the_card_is_not_chained_to_is_found(room: Path) -> None:
    assert run("ledger", "init", "other", "--epsilon", "8", "--delta", "1e-6")[0] == 0
    assert told("t.npz", "--ledger", "other", "-o", "a.html")["files"][0]["standing"] == "broken"
    both = told("t.npz", "--ledger", "other", "--ledger", "budget", "-o", "b.html")
    assert both["files"][0]["standing"] == "signed_by_anybody", "of several, the one that fits is compared"


def test_a_damaged_ledger_is_shown_without_sums(room: Path) -> None:
    lines = Path("budget").read_bytes().splitlines(keepends=True)
    Path("budget").write_bytes(b"".join(lines[:-1]))
    told("exact.npz", "budget", "-o", "report.html")
    page = Path("report.html").read_text("utf-8")
    assert "The ledger budget is damaged" in page and "releases were charged" not in page


def test_figures_of_a_file_that_is_not_reported_are_refused(room: Path) -> None:
    found = {"attack": "ridge", "against": "colour", "measure": "re-identified", "value": 0.4, "tries": 10}
    document = {"format": "privis.attack/1", "against": "t.npz", "attacks": [found]}
    for digest, expected in ((hashlib.sha256(Path("t.npz").read_bytes()).hexdigest(), 0), ("ab" * 32, 2)):
        Path("of.json").write_text(json.dumps({**document, "sha256": digest}))
        code, said = run("report", "t.npz", "--attack", "of.json", "-o", "of.html")
        assert code == expected and ("figures of another file" in said) == (expected == 2)
    bound = {**found, "attack": "epsilon", "measure": "epsilon, lower bound at delta 0", "interval": [0.4, None]}
    for value, standing in ((1.9, False), (2.1, True)):
        figure = {**bound, "value": value, "interval": [value, None]}
        digest = hashlib.sha256(Path("t.npz").read_bytes()).hexdigest()
        Path("of.json").write_text(json.dumps({**document, "sha256": digest, "attacks": [figure]}))
        (file,) = told("t.npz", "--attack", "of.json", "-o", "of.html")["files"]
        assert (file["standing"] == "broken") == standing


def test_what_is_declared_for_the_registry_may_stand_in_the_same_file(room: Path) -> None:
    Path("words.toml").write_text('site = "Ward 7"\n[registry]\nname = "Gait of ward 7"\n')
    told("t.npz", "--declared", "words.toml", "-o", "words.html")
    assert "Ward 7" in Path("words.html").read_text() and "Gait" not in Path("words.html").read_text()
    Path("words.toml").write_text('registry = "Gait"')
    code, said = run("report", "t.npz", "--declared", "words.toml", "-o", "words.html")
    assert code == 2 and "a table" in said


def test_figures_of_attacks_are_drawn_once(room: Path) -> None:
    found = {"attack": "ridge", "against": "colour", "measure": "re-identified", "value": 0.4, "interval": [0.3, 0.5],
             "chance": 0.1, "tries": 10}  # fmt: skip
    document = {"format": "privis.attack/1", "against": "t.npz", "attacks": [found]}
    Path("found.json").write_text(json.dumps(document))
    words = ("--key", "card.key", "--ledger", "budget", "--attack", "found.json", "-o", "t.npz.card.json")
    assert run("card", "t.npz", *words)[0] == 0
    assert told("t.npz", "-o", "a.html")["attacks"] == 1, "of the signed card"
    assert told("t.npz", "--attack", "found.json", "-o", "b.html")["attacks"] == 1
    assert "above guessing" in Path("b.html").read_text("utf-8")


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_written(room: Path) -> None:
    Path("bad.json").write_text('{"format": "privis.attack/1", "attacks": [{"value": "x", "interval": [2, 1]}]}')
    Path("bad.toml").write_text('sight = "x"\npurpose = 3\n[cost.guessed]\nseconds = 1\n')
    code, said = run(
        "report", "none.npz", "card.key", "--attack", "bad.json", "--declared", "bad.toml", "--use", "war",
        "--language", "fr", "--public-key", "zz", "--image-size", "big", "--ledger", "answers", "-o", "report.html",
    )  # fmt: skip
    assert code == 2
    for word in ("none.npz", "card.key", "attacks[0].value", "attacks[0].interval", "attacks[0].attack", "sight",
                 "purpose", "cost.guessed", "'war'", "'fr'", "--public-key", "--image-size",
                 "an answer ledger"):  # fmt: skip
        assert word in said, word
    assert not Path("report.html").exists()


@pytest.mark.parametrize("name", ["t.npz", "budget", "./t.npz"])
def test_a_report_never_replaces_what_it_is_made_of(room: Path, name: str) -> None:
    before = Path(name).read_bytes()
    code, said = run("report", "t.npz", "--ledger", "budget", "-o", name)
    assert code == 2 and "which the report is made of" in said
    assert Path(name).read_bytes() == before


def test_ledgers_alone_are_no_subject(room: Path) -> None:
    code, said = run("report", "budget", "-o", "report.html")
    assert code == 2 and "ledgers alone" in said
