"""``--release privunit`` of ``privis face``: one charge a person, no refund, no second draw, whenever it is killed.

Answers for `privis.cli.faces.release_words` and `privis.cli.release_files`.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.faces import face_words
from privis.cli.main import app
from privis.io.face_gallery import FaceGallery
from privis.io.gallery_writer import GalleryFile
from privis.privacy import Budget, BudgetUnit, FileLedger, ReleaseKey
from privis.privacy.renewable.template_key import TemplateKey
from tests.estimators.faces.painted_faces import EXTRACTOR, impostors, picture

RELEASE = ("--release", "privunit", "--epsilon", "32")
RATE = ("--threshold", "fmr:0.01", "--calibration", "table.json")
PEOPLE = ("people", "--subject-from", "folder")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with people/{ann,bob}, and painted faces that need no network.

    Keys are 1, 2, and so on: of fresh ones a stranger would match one in fifty times, as is stated.
    """
    numbers = itertools.count(1)
    monkeypatch.setattr(ReleaseKey, "generate", lambda: ReleaseKey(next(numbers).to_bytes(32, "big")))
    monkeypatch.setattr(face_words, "extractor_of", lambda words: EXTRACTOR)
    impostors().save(tmp_path / "table.json")
    for person, name in enumerate(("ann", "bob")):
        (tmp_path / "people" / name).mkdir(parents=True)
        for shot in range(3):
            Image.fromarray(picture(person, shot)).save(tmp_path / "people" / name / f"{shot}.png")
    for name, person in (("probe", 0), ("other", 1), ("stranger", 9)):
        Image.fromarray(picture(person, 7)).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def face(*words: str) -> tuple[int, Any, str]:
    """Exit code, the JSON document or the text on stdout, and stderr."""
    done = CliRunner().invoke(app, ["face", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, json.loads(done.stdout) if "--json" in words and done.stdout else done.stdout, done.stderr


def charges(ledger: str = "gate.ledger") -> dict[str, int]:
    return {name: FileLedger(ledger).spent(name).charges for name in ("ann", "bob")}


def test_people_are_released_once_and_recognised_by_a_threshold_of_their_own(room: Path) -> None:
    code, made, _ = face("enrol", "gate", *PEOPLE, *RELEASE, "--json")
    assert code == 0 and (made["subjects"], made["images"]) == (2, 6)
    assert (
        made["guarantee"]["epsilon"] == 32 and made["guarantee"]["unit"] == FaceGallery.load("gate").guarantee["unit"]
    )
    assert charges() == {"ann": 1, "bob": 1}
    assert not Path("gate.release-key").exists(), "nobody can take the noise off once the gallery is written"
    assert [person["images"] for person in face("list", "gate", "--json")[1]["subjects"]] == [3, 3]
    code, found, _ = face("identify", "probe.png", "other.png", "stranger.png", "--gallery", "gate", *RATE, "--json")
    assert code == 0 and [each["subject"] for each in found] == ["ann", "bob", None]
    assert face("identify", "probe.png", "--gallery", "gate", *RATE, *RELEASE)[0] == 0
    code, _, said = face("identify", "probe.png", "--gallery", "gate", *RATE, "--release", "privunit", "--epsilon", "8")
    assert code == 2 and "PrivUnit(epsilon=8.0" in said
    told = face("enrol", "other", *PEOPLE, *RELEASE)[1]
    assert "Each template:" in told and "epsilon 32" in told


def test_somebody_who_is_enrolled_is_never_drawn_again(room: Path) -> None:
    assert face("enrol", "gate", *PEOPLE, *RELEASE)[0] == 0
    kept = Path("gate").read_bytes()
    Image.fromarray(picture(0, 5)).save("people/ann/more.png")
    code, _, said = face("enrol", "gate", *PEOPLE, *RELEASE)
    assert code == 3 and "'ann', whose template is released already" in said and "'bob'" in said
    assert (
        Path("gate").read_bytes() == kept
        and charges() == {"ann": 1, "bob": 1}
        and not Path("gate.release-key").exists()
    )
    Path("people/eve").mkdir()
    Image.fromarray(picture(4)).save("people/eve/0.png")
    code, made, _ = face("enrol", "gate", *PEOPLE, *RELEASE, "--json")
    assert (code, made["images"], len(made["refused"])) == (1, 1, 7), "the same command does what is left"
    after = FaceGallery.load("gate")
    assert after.subjects == ("ann", "bob", "eve") and charges() == {"ann": 1, "bob": 1}
    assert after.templates[:2].tobytes() in kept, "and the others are as they were"


def test_a_removed_person_has_no_budget_left(room: Path) -> None:
    assert face("enrol", "gate", *PEOPLE, *RELEASE)[0] == 0
    assert face("remove", "gate", "--subject", "ann")[0] == 0
    code, _, said = face("enrol", "gate", "people/ann", "--subject", "ann", *RELEASE)
    assert code == 5 and "ann" in said and FaceGallery.load("gate").subjects == ("bob",)
    assert face("remove", "gate", "--subject", "bob")[0] == 0
    assert face("enrol", "gate", "people/bob", "--subject", "bob", *RELEASE)[0] == 5
    assert charges() == {"ann": 1, "bob": 1}
    os.unlink("gate.ledger")
    code, _, said = face("enrol", "gate", "people/ann", "--subject", "ann", *RELEASE)
    assert code == 2 and "gate.ledger" in said and "put it back" in said and not Path("gate.ledger").exists()


def test_two_names_of_a_gallery_have_one_ledger(room: Path) -> None:
    (room / "elsewhere").mkdir()
    Path("elsewhere/door").symlink_to(room / "gate")
    assert face("enrol", "gate", "people/ann", "--subject", "ann", *RELEASE)[0] == 0
    assert face("enrol", "elsewhere/door", "people/bob", "--subject", "bob", *RELEASE)[0] == 0
    assert charges() == {"ann": 1, "bob": 1} and sorted(os.listdir("elsewhere")) == ["door"]
    Path("gate.ledger").write_text("nothing")
    code, _, said = face("enrol", "gate", "stranger.png", "--subject", "eve", *RELEASE)
    assert code == 5 and "gate.ledger" in said and FaceGallery.load("gate").subjects == ("ann", "bob")


def test_the_same_picture_of_two_people_is_nobodys(room: Path) -> None:
    Image.open("people/ann/0.png").save("people/bob/0.png")
    code, made, said = face("enrol", "gate", *PEOPLE, *RELEASE, "--json")
    assert code == 1 and made["images"] == 4 and "same image" in said and charges() == {"ann": 1, "bob": 1}


def _killed(words: tuple[str, ...]) -> None:
    GalleryFile.write = lambda self, gallery: os._exit(9)  # type: ignore[method-assign]
    face(*words)


def test_killed_between_charge_and_write_the_same_command_ends_it_for_nothing(room: Path) -> None:
    words = ("enrol", "gate", *PEOPLE, *RELEASE)
    child = multiprocessing.get_context("fork").Process(target=_killed, args=(words,))
    child.start()
    child.join(60)
    assert child.exitcode == 9 and not Path("gate").exists()
    assert charges() == {"ann": 1, "bob": 1} and os.stat("gate.release-key").st_mode & 0o777 == 0o600
    assert face(*words)[0] == 0
    assert charges() == {"ann": 1, "bob": 1} and not Path("gate.release-key").exists()
    assert FaceGallery.load("gate").subjects == ("ann", "bob")


def test_a_key_and_a_ledger_that_are_named_are_used_and_kept(room: Path) -> None:
    FileLedger.create("people.ledger", Budget(40.0, 1e-6, unit=BudgetUnit.PERSON))
    own = ("--key", "own.key", "--ledger", "people.ledger")
    assert face("enrol", "gate", *PEOPLE, *RELEASE, *own)[0] == 0
    first = FaceGallery.load("gate").templates
    assert charges("people.ledger") == {"ann": 1, "bob": 1} and not Path("gate.ledger").exists()
    assert face("enrol", "copy", *PEOPLE, *RELEASE, *own)[0] == 0
    assert np.array_equal(FaceGallery.load("copy").templates, first), (
        "the same key, the same templates, no other charge"
    )
    ReleaseKey.load("own.key")
    os.unlink("own.key")
    assert face("enrol", "third", *PEOPLE, *RELEASE, *own)[0] == 5
    assert charges("people.ledger") == {"ann": 1, "bob": 1} and not Path("third").exists()


def test_exact_and_released_templates_never_meet(room: Path) -> None:
    assert face("enrol", "exact", *PEOPLE)[0] == 0
    assert face("enrol", "gate", *PEOPLE, *RELEASE)[0] == 0
    code, _, said = face("enrol", "exact", "stranger.png", "--subject", "eve", *RELEASE)
    assert code == 2 and "exact templates" in said and not Path("exact.ledger").exists()
    code, _, said = face("enrol", "gate", "stranger.png", "--subject", "eve")
    assert code == 2 and "--release privunit --epsilon 32" in said
    code, _, said = face("enrol", "gate", "stranger.png", "--subject", "eve", "--release", "privunit", "--epsilon", "8")
    assert code == 2 and "PrivUnit(epsilon=8.0" in said
    code, _, said = face("identify", "probe.png", "--gallery", "exact", *RATE, *RELEASE)
    assert code == 2 and "exact templates" in said
    assert face("enrol", "gate", "stranger.png", "--subject", "eve", *RELEASE)[0] == 0
    assert FaceGallery.load("gate").subjects == ("ann", "bob", "eve")


def test_a_refused_enrolment_leaves_no_ledger_with_its_epsilon(room: Path) -> None:
    code, _, said = face("enrol", "gate", *PEOPLE, *RELEASE, "--limit", "1")
    assert code == 2 and "at most 1" in said
    assert not any(Path(f"gate{end}").exists() for end in ("", ".ledger", ".ledger.head", ".release-key"))


def test_one_against_one_by_a_released_reference(room: Path) -> None:
    own = ("--key", "own.key")
    for _ in range(2):  # the second time the key is there
        assert face("verify", "people/ann/0.png", "probe.png", *RATE, *RELEASE, *own)[0] == 0
        assert face("verify", "people/bob/0.png", "probe.png", *RATE, *RELEASE, *own)[0] == 8
    code, told, _ = face("verify", "people/ann/0.png", "probe.png", *RATE, *RELEASE, "--json")
    assert code == 0 and told["match"]
    FileLedger.create("small.ledger", Budget(1.0, 1e-6))
    assert face("verify", "people/ann/0.png", "probe.png", *RATE, *RELEASE, "--ledger", "small.ledger")[0] == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--epsilon", "8"), "no --release"),
        (("--release", "privunit"), "--epsilon"),
        (("--release", "laplace", "--epsilon", "8"), "privunit"),
        (("--release", "privunit", "--epsilon", "-1"), "above 0"),
        (("--release", "privunit", "--epsilon", "nan"), "above 0"),
        ((*RELEASE, "--ledger", "nowhere"), "nowhere"),
        ((*RELEASE, "--key", "table.json"), "table.json"),
    ],
)
def test_bad_words_are_refused_before_anything_is_read(room: Path, words: tuple[str, ...], said: str) -> None:
    code, _, told = face("enrol", "gate", *PEOPLE, *words)
    assert code == 2 and said in told and not Path("gate").exists() and not Path("gate.ledger").exists()


def test_error_rates_of_a_release_come_with_intervals_over_draws(room: Path) -> None:
    for person in range(2, 6):
        (room / "people" / f"p{person}").mkdir()
        for shot in range(3):
            Image.fromarray(picture(person, shot)).save(room / "people" / f"p{person}" / f"{shot}.png")
    words = ("evaluate", "people", "--calibration", "table.json", "--threshold", "fmr:0.05", "--draws", "4")
    code, exact, _ = face(*words[:-2], "--json")
    code, high, said = face(*words, *RELEASE, "--json")
    assert code == 0 and said == "" and high["exact"]["eer"] == exact["eer"] == 0
    assert high["pairs"] == {"genuine": 12, "impostor": 60} and (high["people"], high["draws"]) == (6, 4)
    assert high["guarantee"]["epsilon"] == 32 and high["eer_interval"][0] <= high["eer"] <= high["eer_interval"][1]
    assert high["at_threshold"]["false_matches"] < 0.2 and high["at_threshold"]["fmr"] == 0.05
    low = face(*words, "--release", "privunit", "--epsilon", "1", "--json")[1]
    assert low["eer"] > 0.25 > high["eer"] and low["rank_1"] < 0.6 < high["rank_1"]
    assert low["at_threshold"]["true_accepts"] < high["at_threshold"]["true_accepts"]
    assert face(*words, *RELEASE, "--json")[1] == high, "draws are fixed"
    code, told, _ = face(*words, *RELEASE, "--images", "2")
    assert code == 0 and "rank 1 of 6" in told and "Each template:" in told and "not private themselves" in told
    code, _, said = face(*words, *RELEASE, "--images", "3")
    assert code == 2 and "one picture more" in said
    (room / "pairs.csv").write_text("a,b,same\nprobe.png,stranger.png,0\n")
    assert face("evaluate", "pairs.csv", *RELEASE)[0] == 2
    assert face("evaluate", "people", "--epsilon", "8")[0] == 2


def test_released_templates_go_under_a_key_and_under_another_one(room: Path) -> None:
    """A transform before the release, and a renewal after it: no second charge, and thresholds that hold for both."""
    TemplateKey(bytes(range(32))).save("first.template-key")
    under = ("--template-key", "first.template-key")
    done = face("enrol", "gate", *PEOPLE, *RELEASE, *under)
    assert done[0] == 0, done
    found = face("identify", "probe.png", "other.png", "--gallery", "gate", *RATE, *under, "--json")[1]
    assert [each["subject"] for each in found] == ["ann", "bob"]
    assert face("identify", "probe.png", "--gallery", "gate", *RATE)[0] == 2, "without the key nothing is compared"
    assert face("rekey", "gate", *under, "--new-key", "second.template-key", "--json")[0] == 0
    second = ("--template-key", "second.template-key")
    assert charges() == {"ann": 1, "bob": 1} and FaceGallery.load("gate").guarantee is not None
    found = face("identify", "probe.png", "other.png", "--gallery", "gate", *RATE, *second, "--json")[1]
    assert [each["subject"] for each in found] == ["ann", "bob"]
    assert face("enrol", "gate", "stranger.png", "--subject", "eve", *RELEASE, *second)[0] == 0
    one = ("verify", "other.png", "--gallery", "gate", "--subject", "bob", *RATE, *second)
    assert face(*one)[0] == 0 and face("verify", "stranger.png", *one[2:])[0] == 8
