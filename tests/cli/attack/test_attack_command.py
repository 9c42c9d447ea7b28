"""``privis attack``: what is offered against what, exit codes, and a document that cards and reports take.

Answers for `privis.cli.attack.attack_command`, `privis.cli.attack.attack_results`, `privis.cli.attack.attacked_table`,
`privis.cli.attack.gallery_attacks`, `privis.cli.attack.inversion_attacks`, `privis.cli.attack.model_attacks`,
`privis.cli.attack.offered_attack`, `privis.cli.attack.pictures.same_pictures`, `privis.cli.attack.server_attacks` and
`privis.cli.attack.table_attacks`.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.attack.attack_finding import AttackFinding
from privis.cli.attack.attack_results import figure, interval
from privis.cli.attack.attacked_table import people_of_rows
from privis.cli.attack.offered_attack import AttackOptions
from privis.cli.main import app
from privis.io import tables


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with three pictures each, and a table of the first two of each."""
    folder = tmp_path_factory.mktemp("attack")
    random = np.random.default_rng(7)
    for person in range(4):
        own = random.integers(0, 256, (32, 32))
        for shot in range(3):
            kind = "extracted" if shot < 2 else "known"
            path = folder / kind / f"person{person}" / f"{person}{shot}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.clip(own + random.normal(0, 20, own.shape), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    assert run("extract", f"{folder}/extracted", "-f", "hog", "-p", "size=32x32", "-o", f"{folder}/hog.npz")[0] == 0
    return folder


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, done.stderr


def attack(*words: str) -> tuple[int, Any, str]:
    code, text, told = run("attack", *words)
    return code, json.loads(text) if "--json" in words and text else text, told


def test_rows_are_told_apart_by_pictures_of_known_people(place: Path) -> None:
    code, found, _ = attack("--against", f"{place}/hog.npz", "--known", f"{place}/known", "--json")
    assert code == 0 and found["format"] == "privis.attack/1"
    (finding,) = found["attacks"]
    assert (finding["attack"], finding["value"], finding["tries"]) == ("neighbour", 1.0, 8)
    assert finding["chance"] == pytest.approx(0.25)
    assert finding["guarantee"]["mechanism"] == "none"


def test_a_picture_is_never_found_by_itself(place: Path) -> None:
    """Known are the very pictures of the table: each is found by the other one of the same person."""
    code, found, _ = attack("--against", f"{place}/hog.npz", "--known", f"{place}/extracted", "--json")
    assert code == 0
    assert found["attacks"][0]["chance"] == pytest.approx(1 / 7)  # one other of the person, of seven others


def coded_again(folder: Path, to: Path) -> Path:
    """Every picture as a JPEG of another name, in a folder of another name."""
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        place = to / path.parent.name / f"renamed{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as picture:
            picture.save(place, quality=95)
    return to


@pytest.mark.parametrize("there", [True, False])
def test_copies_of_the_attacked_pictures_are_no_other_pictures(place: Path, tmp_path: Path, there: bool) -> None:
    """As a JPEG while rows' files are there; where they are not, a renamed copy still has the row itself."""
    table, known = place / "hog.npz", tmp_path / "known"
    if there:
        coded_again(place / "extracted", known)
    else:
        table, moved = tmp_path / "hog.npz", tmp_path / "moved"
        shutil.copytree(place / "extracted", moved)
        assert run("extract", str(moved), "-f", "hog", "-p", "size=32x32", "-o", str(table))[0] == 0
        moved.rename(known)
        for path in list(known.rglob("*.png")):
            path.rename(path.with_name(f"x{path.name}"))
    code, found, told = attack("--against", str(table), "--known", str(known), "--json")
    assert code == 0 and "8 pictures of --known are attacked, too" in told
    assert found["attacks"][0]["chance"] == pytest.approx(1 / 7)


def test_who_learns_from_copies_of_what_is_attacked_is_refused(place: Path, tmp_path: Path) -> None:
    copies, table = str(coded_again(place / "extracted", tmp_path / "copies")), f"{place}/hog.npz"
    for words in (("--originals", f"{place}/extracted"), ("--attribute-from", "folder", "--with", "attribute")):
        code, _, told = attack("--against", table, "--public", copies, *words)
        assert code == 2 and "no picture but those that are attacked" in told
    for path in (place / "known").rglob("*.png"):
        with Image.open(path) as picture:
            for name, turned in (("a", picture.rotate(90)), ("b", picture.rotate(180))):
                turned.save(tmp_path / "copies" / path.parent.name / f"{name}.png")
    words = ("--public", copies, "--attribute-from", "folder", "--with", "attribute", "--json")
    code, found, told = attack("--against", table, *words)
    assert "8 pictures of --public" in told
    assert code == 0 and "8 public pictures" in found["attacks"][0]["knows"][2]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("filename", ("ann_7", "bob_8")),
        (r"filename:_(\d)", ("7", "8")),
        (r"filename:(?P<end>n|b)_(?P<subject>\d)", ("7", "8")),
        ("filename:x(y*)", ("ann_7", "bob_8")),
        ("folder", ("ann", "2024")),
    ],
)
def test_rows_are_called_as_pictures_are(source: str, names: tuple[str, ...]) -> None:
    """Of a person's folder with folders in it, the one is taken that pictures have; names of files as everywhere."""
    table = tables.Table(("in/ann/2023/ann_7.png", "in/bob/2024/bob_8.png"), np.zeros((2, 1)), ("x",), {})
    options = AttackOptions("x.npz", None, subject_from=source)
    assert people_of_rows(table, options, {"ann", "carl"}) == names


def test_no_regular_expression_is_refused(place: Path) -> None:
    words = ("--known", f"{place}/known", "--subject-from", "filename:(")
    code, _, told = attack("--against", f"{place}/hog.npz", *words)
    assert code == 2 and "--subject-from" in told


def test_attacked_people_in_the_public_folder_are_told_in_the_document(place: Path) -> None:
    words = ("--public", f"{place}/known", "--originals", f"{place}/extracted", "--with", "ridge", "--json")
    code, found, told = attack("--against", f"{place}/hog.npz", *words)
    assert code == 0 and "in --public and --originals" in told
    assert found["attacks"][0]["knows"][2] == "4 other pictures of 4 people, 4 of whom are attacked"


def test_only_hits_among_tries_are_shown_in_per_cent() -> None:
    share = AttackFinding.of_share("ridge", "x", (), "re-identified", 1, 4)
    bound = AttackFinding("epsilon", "x", (), "epsilon, lower bound", 0.92, (0.92, float("inf")), 0.0, 800)
    area = AttackFinding("membership", "x", (), "area under the curve", 0.7, (0.65, 0.75), 0.5, 100)
    assert (figure(share), interval(share)) == ("25.0 % of 4", "0.6 % to 80.6 %")
    assert (figure(bound), interval(bound)) == ("0.92 (800 tries)", "at least 0.92")
    assert (figure(area), interval(replace(area, confidence=0.9))) == ("0.7 (100 tries)", "0.65 to 0.75 (90 %)")


@pytest.mark.parametrize("post", [(), ("--post", "random:16,l2")])
def test_released_rows_are_attacked_with_the_feature_of_their_card(
    place: Path, tmp_path: Path, post: tuple[str, ...]
) -> None:
    table = f"{tmp_path}/released.npz"
    words = ("-f", "hog", "-p", "size=32x32", *post, "--release", "privunit", "--epsilon", "1", "--yes", "-o", table)
    code, _, told = run("extract", f"{place}/extracted", *words)
    assert code == 0, told
    code, found, _ = attack("--against", table, "--known", f"{place}/known", "--with", "neighbour", "--json")
    finding = found["attacks"][0]
    assert code == 0 and finding["against"] == "hog, release=privunit epsilon=1 unit=WholeImage"
    assert finding["knows"][0] == "released rows" and finding["guarantee"]["epsilon"] == 1.0
    assert finding["value"] < 1.0


def test_the_table_and_the_page_say_the_figures(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, text, _ = attack("--against", f"{place}/hog.npz", "--known", f"{place}/known", "-o", str(page))
    assert code == 0 and "100.0 % of 8" in text and "25.0 %" in text
    assert "8 of 8 rows give away whose they are" in page.read_text()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("known", "a folder"),
        ("nothing", "no such file"),
    ],
)
def test_what_has_no_attack_is_refused(place: Path, target: str, said: str) -> None:
    code, _, told = attack("--against", str(place / target), "--known", str(place / "known"))
    assert code == 2 and said in told and "expected a table of features" in told


def test_an_attack_says_what_it_lacks(place: Path) -> None:
    code, _, told = attack("--against", f"{place}/hog.npz")
    assert code == 2 and "neighbour" in told and "--known" in told
    code, _, told = attack("--against", "https://host:1")
    assert code == 2 and "limits" in told and "--keys and --token-file" in told
    code, _, told = attack("--against", f"{place}/hog.npz", "--with", "magic")
    assert code == 2 and "'magic'" in told and "neighbour" in told


def test_a_feature_that_the_card_contradicts_is_refused(place: Path) -> None:
    words = ("--against", f"{place}/hog.npz", "--known", f"{place}/known")
    code, _, told = attack(*words, "-f", "hog", "-p", "size=32x32", "-p", "cell=4")
    assert code == 2 and "cell 8" in told
    assert attack(*words, "-f", "hog", "-p", "size=32x32")[0] == 0


def test_a_table_of_unknown_origin_needs_its_feature(place: Path, tmp_path: Path) -> None:
    table = tables.read(place / "hog.npz")
    tables.write(tmp_path / "bare.npz", table.paths, [table.features], names=table.names, metadata={})
    words = ("--against", f"{tmp_path}/bare.npz", "--known", f"{place}/known")
    code, _, told = attack(*words)
    assert code == 2 and "-f, -p and --post" in told
    assert attack(*words, "-f", "hog", "-p", "size=32x32")[0] == 0


def test_a_file_that_is_no_picture_is_named_and_the_others_are_used(place: Path, tmp_path: Path) -> None:
    for person in range(2):
        (tmp_path / f"person{person}").mkdir()
        source = place / "known" / f"person{person}" / f"{person}2.png"
        (tmp_path / f"person{person}" / "a.png").write_bytes(source.read_bytes())
    (tmp_path / "person0" / "broken.png").write_bytes(b"no picture")
    code, found, told = attack("--against", f"{place}/hog.npz", "--known", str(tmp_path), "--json")
    assert code == 1 and "broken.png" in told
    assert found["attacks"][0]["tries"] == 4  # rows of the two people who are known


def test_rows_find_their_originals_by_the_ends_of_their_paths(place: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    (place / "extracted").rename(moved)
    try:
        words = ("--against", f"{place}/hog.npz", "--known", f"{place}/known")
        code, found, _ = attack(*words, "--originals", str(moved), "--json")
        assert code == 0 and found["attacks"][0]["value"] == 1.0
        code, _, told = attack(*words, "--originals", f"{place}/known")
        assert code == 2 and "no picture" in told
    finally:
        moved.rename(place / "extracted")


@pytest.fixture(scope="module")
def inverted(place: Path) -> tuple[str, ...]:
    """Words of an inversion: twelve other people's pictures beside those of the table."""
    random = np.random.default_rng(8)
    for person in range(12):
        path = place / "others" / f"other{person}" / "one.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(random.integers(0, 256, (32, 32)).astype(np.uint8)).save(path)
    return "--against", f"{place}/hog.npz", "--public", f"{place}/others", "--originals", f"{place}/extracted"


def test_pictures_are_made_of_rows_and_drawn_beside_originals(inverted: tuple[str, ...], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, found, told = attack(*inverted, "--with", "ridge", "-o", str(page), "--json")
    assert code == 0, told
    matched = {each["measure"]: each for each in found["attacks"]}["matched to its original"]
    assert matched["tries"] == 8 and matched["chance"] == 1 / 8
    assert matched["knows"] == ["exact rows", "the program", "12 pictures of 12 other people"]
    text = page.read_text()
    assert text.count("data:image/") == 8 and "person3/31.png" in text and "http" not in text.split("</style>")[1]


def test_an_attacker_of_released_rows_learns_from_pictures_released_alike(
    place: Path, inverted: tuple[str, ...], tmp_path: Path
) -> None:
    table = f"{tmp_path}/released.npz"
    words = ("-f", "hog", "-p", "size=32x32", "--release", "laplace", "--at", "pixels", "--epsilon", "1")
    code, _, told = run("extract", f"{place}/extracted", *words, "--yes", "-o", table)
    assert code == 0, told
    code, found, told = attack("--against", table, *inverted[2:], "--with", "ridge", "--json")
    assert code == 0 and "warning" not in told, told
    (matched,) = (each for each in found["attacks"] if each["measure"] == "matched to its original")
    assert matched["knows"][0] == "released rows" and matched["guarantee"]["epsilon"] == 1.0
    assert matched["against"].startswith("hog, release=laplace epsilon=1")


def test_pictures_of_nobody_are_attacked_too(place: Path, inverted: tuple[str, ...], tmp_path: Path) -> None:
    """Folders without sub-folders: things, of which each is told from all others."""
    for name, source in (("a", "extracted"), ("b", "others")):
        (tmp_path / name).mkdir()
        for path in (place / source).rglob("*.png"):
            (tmp_path / name / f"{path.parent.name}{path.name}").write_bytes(path.read_bytes())
    table = f"{tmp_path}/things.csv"
    assert run("extract", f"{tmp_path}/a", "-f", "hog", "-p", "size=32x32", "-o", table)[0] == 0
    words = ("--against", table, "--public", f"{tmp_path}/b", "--originals", f"{tmp_path}/a")
    code, found, told = attack(*words, "--with", "ridge", "--json")
    assert code == 0, told
    (matched,) = found["attacks"]
    assert matched["tries"] == 8 and matched["knows"][-1] == "12 other pictures"


def test_the_descent_looks_at_as_many_rows_as_said(inverted: tuple[str, ...]) -> None:
    pytest.importorskip("torch")
    code, found, _ = attack(*inverted, "--with", "gradient", "--most", "2", "--json")
    matched = {each["measure"]: each for each in found["attacks"]}["matched to its original"]
    assert code == 0 and matched["tries"] == 2 and matched["processor_seconds"] > 0


def test_without_pytorch_the_rest_runs(inverted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    code, found, told = attack(*inverted, "--json")
    assert code == 0 and "privis[train]" in told
    assert {each["attack"] for each in found["attacks"]} == {"ridge"}
    code, _, told = attack(*inverted, "--with", "gradient")
    assert code == 2 and "privis[train]" in told


def test_an_attacker_who_learned_from_the_attacked_pictures_is_refused(place: Path) -> None:
    words = ("--public", f"{place}/extracted", "--originals", f"{place}/extracted")
    code, _, told = attack("--against", f"{place}/hog.npz", *words)
    assert code == 2 and "pictures of other people" in told


def test_an_interrupted_attack_tells_what_was_finished(
    inverted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("privis.attack.inversion.gradient_inversion.feature_program", stop)
    code, text, told = attack(*inverted)
    assert code == 130 and "ridge" in text and "interrupted" in told
