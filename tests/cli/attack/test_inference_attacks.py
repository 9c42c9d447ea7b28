"""``privis attack`` on classifiers, heads and attributes: who was trained on, what was not asked for, epsilon.

Answers for `privis.cli.attack.models.attacked_model` and `privis.cli.attack.release_attacks`.
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

from privis.cli.main import app

HOG = ("-f", "hog", "-p", "size=32x32")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with a bar that stands or lies, faintly: a head has to learn its pictures by heart. And models of it."""
    folder = tmp_path_factory.mktemp("inference")
    random = np.random.default_rng(3)
    for part, count in (("members", 20), ("others", 40), ("public", 30)):
        for name, axis in (("lying", 0), ("standing", 1)):
            (folder / part / name).mkdir(parents=True)
            for shot in range(count):
                pixels = random.normal(128, 40, (32, 32))
                index = [slice(None), slice(None)]
                index[axis] = slice(14, 18)
                pixels[tuple(index)] += 25 * random.random()
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / part / name / f"{shot}.png")
    members = f"{folder}/members"
    train = ("classify", "train", members, *HOG, "--strength", "1000", "--folds", "2", "-o", f"{folder}/m.model")
    assert run(*train)[0] == 0
    assert run("extract", members, *HOG, "-o", f"{folder}/members.npz")[0] == 0
    private = ("--labels-from", "folder", "--classes", "lying,standing", "--epsilon", "8", "--full-batch")
    code, _, told = run("train", f"{folder}/members.npz", *private, "-o", f"{folder}/private.npz")
    assert code == 0, told
    return folder


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, done.stderr


def attack(*words: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Findings by attack and measure."""
    code, text, told = run("attack", *words, "--json")
    found = json.loads(text)["attacks"] if text else []
    return code, {f"{each['attack']}: {each['measure']}": each for each in found}, told


def sides(place: Path) -> tuple[str, ...]:
    return ("--members", f"{place}/members", "--non-members", f"{place}/others")


def test_members_of_an_overfitted_classifier_are_told_and_the_rate_is_honest(place: Path) -> None:
    words = ("--against", f"{place}/m.model", *sides(place), "--public", f"{place}/public")
    code, found, _ = attack(*words)
    assert code == 0
    area = found["membership: area under the curve"]
    assert area["interval"][0] > 0.6 and area["chance"] == 0.5 and area["tries"] == 120
    assert "60 public pictures" in area["knows"][-1] and area["against"].endswith("trained in the clear")
    rate = found["membership: true positive rate at 1.2 % false positives"]
    assert "0.1 % false positives was not measured: it takes 1,000" in rate["sentence"]
    assert rate["chance"] == pytest.approx(2 / 81) and rate["tries"] == 40
    bound = found["epsilon: epsilon, lower bound at delta 0"]
    assert bound["value"] > 0 and bound["interval"] == [bound["value"], None] and "claims none" in bound["sentence"]


def test_a_private_head_keeps_its_epsilon_and_its_feature_is_rebuilt(place: Path) -> None:
    words = ("--against", f"{place}/private.npz", *sides(place), "--public", f"{place}/public", "--with", "epsilon")
    code, found, _ = attack(*words)
    (bound,) = found.values()
    assert code == 0 and bound["value"] < 8 and "nothing contradicts the claim" in bound["sentence"]
    assert bound["guarantee"]["epsilon"] == pytest.approx(8, rel=1e-3) and "epsilon=8" in bound["against"]
    assert "a coin decided" in bound["knows"][-1]


def test_without_public_pictures_the_attacker_is_said_to_be_weak(place: Path) -> None:
    code, found, told = attack("--against", f"{place}/m.model", *sides(place), "--with", "membership")
    assert code == 0 and len(found) == 2 and "a weak one" in told


def test_roles_that_lie_are_refused(place: Path, tmp_path: Path) -> None:
    """The same picture under another name on both sides; a class that the model does not know."""
    for part in ("members", "others"):
        shutil.copytree(place / part, tmp_path / part)
    shutil.copy(place / "members/lying/3.png", tmp_path / "others/lying/new.png")
    code, _, told = attack("--against", f"{place}/m.model", *sides(tmp_path))
    assert code == 2 and "new.png" in told and "--members" in told
    (tmp_path / "others/lying/new.png").unlink()
    with Image.open(place / "members/lying/3.png") as picture:
        picture.convert("RGB").save(tmp_path / "others/lying/new.bmp")
    code, _, told = attack("--against", f"{place}/m.model", *sides(tmp_path))
    assert code == 2 and "new.bmp" in told and "the same picture" in told
    (tmp_path / "others/lying/new.bmp").unlink()
    (tmp_path / "others/lying").rename(tmp_path / "others/sitting")
    code, _, told = attack("--against", f"{place}/m.model", *sides(tmp_path))
    assert code == 2 and "sitting" in told and "lying, standing" in told


def test_what_is_needed_is_told(place: Path) -> None:
    code, _, told = attack("--against", f"{place}/m.model")
    assert code == 2 and "--members and --non-members" in told
    code, _, told = attack("--against", f"{place}/members.npz", "--with", "attribute")
    assert code == 2 and "--public and --attribute-from" in told


def test_an_attribute_is_named_from_exact_rows_and_hardly_from_released_ones(place: Path, tmp_path: Path) -> None:
    asked = ("--public", f"{place}/public", "--attribute-from", "folder", "--with", "attribute", "--with", "epsilon")
    code, found, told = attack("--against", f"{place}/members.npz", *asked)
    (finding,) = found.values()
    assert code == 0 and finding["measure"] == "attribute named, of 2" and finding["chance"] == 0.5
    assert "epsilon: got exact rows" in told
    assert attack("--against", f"{place}/members.npz", "--with", "epsilon")[0] == 2
    table = f"{tmp_path}/released.npz"
    release = ("--release", "privunit", "--epsilon", "1", "--yes")
    assert run("extract", f"{place}/members", *HOG, *release, "-o", table)[0] == 0
    code, found, told = attack("--against", table, *asked)
    assert code == 0, told
    assert found["attribute: attribute named, of 2"]["value"] < 0.88  # of 40 rows: below 1 in a million by chance
    (bound,) = (each for each in found.values() if each["attack"] == "epsilon")
    assert 0 < bound["value"] <= 1 and bound["confidence"] > 0.9999 and "nothing contradicts" in bound["sentence"]


def test_noise_on_pixels_is_audited_on_the_smallest_image_that_shows_it(place: Path, tmp_path: Path) -> None:
    table = f"{tmp_path}/pixels.npz"
    release = ("--release", "laplace", "--epsilon", "2", "--unit", "pixels:3", "--yes")
    code, _, told = run("extract", f"{place}/members", *HOG, *release, "-o", table)
    assert code == 0, told
    code, found, told = attack("--against", table, "--with", "epsilon")
    (bound,) = found.values()
    assert code == 0 and 0.5 < bound["value"] <= 2
