"""``privis search`` of an index whose vectors are in PostgreSQL: built, asked, erased from, receipts checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from tests.estimators.search.test_search_index import painted


def document(*words: Any, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def built(store: str, folder: Path) -> tuple[Path, Path]:
    """An index of two pictures of each of three people, and one of the pictures."""
    photos, place = folder / "photos", folder / "photos.index"
    for hue, name in enumerate(("anna", "berta", "carla")):
        (photos / name).mkdir(parents=True)
        for seed in range(2):
            Image.fromarray(painted(hue, seed)).save(photos / name / f"{seed}.png")
    words = ("--recipe", "colour", "--workers", "1", "--subject-from", "folder", "--store", store)
    told = document("search", "build", photos, "-o", place, *words)
    assert (told["images"], told["store"]) == (6, "postgresql")
    again = document("search", "build", photos, "-o", place, *words)
    assert (again["added"], again["unchanged"]) == (0, 6)
    return place, photos / "anna" / "0.png"


def test_an_index_lives_in_a_database(address: Callable[[], str], tmp_path: Path) -> None:
    place, image = built(address().replace("postgresql:", "postgresql+vector:"), tmp_path)
    found = document("search", "query", image, "--index", place, "--top", 2)
    assert {Path(row["path"]).parent.name for row in found} == {"anna"}
    near = document("search", "query", image, "--index", place, "--top", 2, "--approximate")
    assert [row["path"] for row in near] == [row["path"] for row in found]


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["postgresql:", "postgresql+vector:"])
def test_people_are_erased_from_it(scheme: str, address: Callable[[], str], tmp_path: Path) -> None:
    place, image = built(address().replace("postgresql:", scheme), tmp_path)
    sealed = scheme == "postgresql:"
    erased = CliRunner().invoke(app, ["search", "erase", "--index", str(place), "--subject", "anna"])
    receipt = json.loads(erased.stdout)
    # histograms are sparse: not every form of them can be told from other bytes, and nothing is claimed of those
    assert (receipt["status"], receipt["remains"]) == ("key-destroyed" if sealed else "unsupported", [])
    assert all("not to be told from other bytes" in each for each in receipt["unsearched"])
    assert erased.exit_code == (0 if sealed else 8) and "anna" not in json.dumps(receipt)
    assert len(document("search", "query", image, "--index", place, "--top", 9)) == 4
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    checked = CliRunner().invoke(app, ["verify", str(tmp_path / "receipt.json"), "--index", str(place)])
    assert checked.exit_code == (0 if sealed else 8)
