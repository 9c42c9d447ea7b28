"""``privis search``: built, killed, built on, asked, measured; what is wrong is a sentence and an exit code.

Answers for `privis.cli.search.search_group`, `privis.cli.search.index_building`, `privis.cli.search.index_query`,
`privis.cli.search.evaluate_search_folder`, `privis.cli.search.search_words`, `privis.cli.search.search_options`,
`privis.cli.search.contact_sheet` and `privis.estimators.search.store_places`.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.cli.search.contact_sheet import MOST, contact_sheet
from tests.cli.files.every_file import network
from tests.estimators.search.test_search_index import painted

BUILD = ("--recipe", "colour", "--workers", "1")


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, ["search", *map(str, words)])


def document(*words: Any, code: int = 0) -> Any:
    done = run(*words, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two pictures of each of three colours, and columns of them."""
    folder = tmp_path_factory.mktemp("search") / "photos"
    lines = ["path,year,ward,code"]
    for hue, name in enumerate("rgb"):
        (folder / name).mkdir(parents=True)
        for seed in range(2):
            Image.fromarray(painted(hue, seed)).save(folder / name / f"{seed}.png")
            lines.append(f"photos/{name}/{seed}.png,{2020 + 2 * hue + seed},{name.upper()},0{seed}")
    (folder.parent / "columns.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def index(photos) -> Path:
    place = photos.parent / "photos.index"
    told = document("build", photos, "-o", place, *BUILD, "--metadata", photos.parent / "columns.csv")
    assert told == {
        "images": 6, "store": "parquet", "added": 6, "replaced": 0, "unchanged": 0, "refused": [], "rows": 6,
    }  # fmt: skip
    return place


def test_the_most_similar_come_first(index, photos, tmp_path):
    Image.fromarray(painted(1, 5)).save(tmp_path / "query.png")
    found = document("query", tmp_path / "query.png", "--index", index, "--top", 3)
    assert [set(each) for each in found] == [{"path", "rank", "distance", "metadata"}] * 3
    assert [each["rank"] for each in found] == [1, 2, 3]
    assert {each["path"] for each in found[:2]} == {str(photos / "g" / "0.png"), str(photos / "g" / "1.png")}
    assert found[0]["distance"] <= found[1]["distance"] < found[2]["distance"]
    text = run("query", tmp_path / "query.png", "--index", index).output
    assert "0.png" in text and "2022" in text
    diffused = document("query", tmp_path / "query.png", "--index", index, "--rerank", "diffusion")
    assert len(diffused) == 6 and {each["path"] for each in diffused[:2]} == {each["path"] for each in found[:2]}


def test_copies_and_their_exit_code(index, photos, tmp_path):
    shutil.copy(photos / "r" / "0.png", tmp_path / "copy.png")
    found = document("query", tmp_path / "copy.png", "--index", index, "--near-duplicates")
    assert found[0]["path"] == str(photos / "r" / "0.png") and found[0]["rank"] == 1 and "matches" in found[0]
    Image.fromarray(painted(1, 77)).save(tmp_path / "other.png")
    assert document("query", tmp_path / "other.png", "--index", index, "--near-duplicates", code=8) == []
    moved = document("query", tmp_path / "copy.png", "--index", index, "--rerank", "geometric", "--top", 2)
    assert moved[0]["path"] == str(photos / "r" / "0.png")
    done = run("query", tmp_path / "copy.png", "--index", index, "--near-duplicates", "--rerank", "diffusion")
    assert done.exit_code == 2 and "it alone" in done.output


def test_conditions_and_exit_code_8(index, photos):
    query = photos / "r" / "0.png"
    found = document("query", query, "--index", index, "--where", "year>=2022", "--where", "ward != 'B'")
    assert sorted(Path(each["path"]).parent.name for each in found) == ["g", "g"]
    found = document("query", query, "--index", index, "--where", "code=01")
    assert {each["metadata"]["code"] for each in found} == {"01"}, "leading zeros are no whole numbers"
    assert document("query", query, "--index", index, "--where", "year>2100", code=8) == []
    assert document("query", query, "--index", index, "--within", "0.0001")[0]["path"] == str(query)
    blue = [each["path"] for each in document("query", query, "--index", index, "--where", f"id={query}")]
    assert blue == [str(query)]
    done = run("query", query, "--index", index, "--where", "yaer>1", "--where", "year>old", "--where", "year")
    assert done.exit_code == 2 and [word in done.output for word in ("'yaer'", "'old'", "COLUMN=VALUE")] == [True] * 3


def test_the_same_command_changes_nothing_and_add_adds(photos, tmp_path):
    mine = tmp_path / "photos"
    shutil.copytree(photos, mine)
    (mine / "broken.jpg").write_text("no picture")
    told = document("build", mine, "-o", tmp_path / "i", *BUILD, code=1)
    assert told["images"] == 6 and [Path(each["path"]).name for each in told["refused"]] == ["broken.jpg"]
    assert "no known image format" in told["refused"][0]["why"]
    again = document("build", mine, "-o", tmp_path / "i", code=1)
    assert (again["images"], again["added"], again["unchanged"]) == (6, 0, 6)
    Image.fromarray(painted(1, 9)).save(tmp_path / "new.png")
    told = document("add", tmp_path / "new.png", "--index", tmp_path / "i")
    assert (told["images"], told["added"], told["rows"]) == (1, 1, 7)
    nothing = document("add", mine / "broken.jpg", "--index", tmp_path / "i", code=3)
    assert nothing["images"] == 0
    facts = document("info", tmp_path / "i")
    assert (facts["images"], facts["subjects"], facts["recipe"], facts["sealed"]) == (7, 7, "colour", True)
    assert "new.png" not in run("info", tmp_path / "i").output


def test_subjects_come_from_folders(photos, tmp_path):
    document("build", photos, "-o", tmp_path / "i", *BUILD, "--subject-from", "folder")
    facts = document("info", tmp_path / "i")
    assert (facts["images"], facts["subjects"]) == (6, 3)
    (photos.parent / "who.csv").write_text("path,who\nphotos/r/0.png,ann\nphotos/g/0.png,ann\nphotos/b/0.png,bob\n")
    told = document("build", photos.parent / "who.csv", "-o", tmp_path / "j", *BUILD, "--subject-from", "column:who")
    assert told["images"] == 3 and document("info", tmp_path / "j")["subjects"] == 2


def test_no_vector_and_no_name_is_in_the_folder(index, photos):
    assert sorted(path.name for path in index.iterdir()) == ["index.json", "vectors"]
    content = b"".join(path.read_bytes() for path in index.rglob("*") if path.is_file())
    assert b"photos/r" not in content and b"ward" in content + b"ward"
    keys = index.with_name("photos.index.keys")
    assert keys.is_file() and keys.stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("store", ["lancedb", "lancedb-open"])
def test_lancedb_holds_an_index(photos, tmp_path, store):
    pytest.importorskip("lancedb")
    words = ("build", photos, "-o", tmp_path / "i", *BUILD, "--metadata", photos.parent / "columns.csv")
    told = document(*words, "--store", store)
    assert (told["images"], told["store"]) == (6, "lancedb")
    assert document(*words)["unchanged"] == 6
    found = document("query", photos / "r" / "0.png", "--index", tmp_path / "i", "--where", "year<2022")
    assert found[0]["path"] == str(photos / "r" / "0.png") and len(found) == 2
    assert document("info", tmp_path / "i")["sealed"] is (store == "lancedb")
    done = run(*words, "--store", "parquet")
    assert done.exit_code == 2 and "which it was built with" in done.output


def test_an_index_knows_its_recipe(index, photos, tmp_path):
    done = run("build", photos, "-o", index, "--recipe", "texture", "--workers", "1")
    assert done.exit_code == 2 and "texture" in done.output and "colour" in done.output
    (tmp_path / "net.onnx").write_bytes(network())
    words = ("--recipe", "network", "--model", tmp_path / "net.onnx", "-p", "divisor=255", "--workers", "1")
    document("build", photos, "-o", tmp_path / "i", *words)
    (tmp_path / "net.onnx").unlink()
    found = document("query", photos / "r" / "0.png", "--index", tmp_path / "i", "--top", "1")
    assert found[0]["path"] == str(photos / "r" / "0.png") and found[0]["distance"] < 1e-6
    (tmp_path / "i" / "network.onnx").write_bytes(network().replace(b"Relu", b"Tanh"))
    done = run("query", photos / "r" / "0.png", "--index", tmp_path / "i")
    assert done.exit_code == 2 and "another network" in done.output


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("build", "{photos}", "-o", "{tmp}/i", "--recipe", "colours"), "one of colour-and-texture", 2),
        (("build", "{photos}", "-o", "{tmp}/i", "--recipe", "colour+colour"), "each part once", 2),
        (
            ("build", "{photos}", "-o", "{tmp}/i", "--store", "redis"),
            "parquet, lancedb, lancedb-open or postgresql://",
            2,
        ),
        (("build", "{photos}", "-o", "{tmp}/i", "--recipe", "network"), "--model FILE.onnx", 2),
        (("build", "{photos}", "-o", "{tmp}/full"), "letter.txt", 4),
        (("build", "{tmp}/none", "-o", "{tmp}/i"), "no such file or folder", 2),
        (("build", "{tmp}/bad.png", "-o", "{tmp}/i"), "an empty file", 3),
        (("query", "{photos}/r/0.png", "--index", "{tmp}/none"), "privis search build", 2),
        (("query", "{photos}/r/0.png", "--index", "{tmp}/full"), "a folder", 2),
        (("query", "{tmp}/bad.png", "--index", "{index}"), "an empty file", 3),
        (("query", "{photos}/r/0.png", "--index", "{index}", "--draw", "{tmp}/a.gif"), ".png", 2),
        (("add", "{photos}", "--index", "{index}", "--metadata", "{tmp}/odd.csv"), "none of the images", 2),
        (("evaluate", "{tmp}/single", "--recipe", "colour", "--workers", "1"), "class of at least two images", 2),
        (("evaluate", "{photos}", "--recipe", "colour", "--labels-from", "nowhere"), "folder, filename", 2),
        (("evaluate", "{photos}", "--rerank", "geometric"), "expected diffusion", 2),
        (("build", "{photos}", "-o", "{tmp}/i", "--store", "postgresql://ann:secret@h/d"), "a password in it", 2),
    ],
)
def test_what_is_wrong_is_a_sentence(index, photos, tmp_path, words, said, code):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    (tmp_path / "bad.png").write_bytes(b"")
    (tmp_path / "odd.csv").write_text("path,year\nnowhere.png,3\n")
    for name in "ab":
        (tmp_path / "single" / name).mkdir(parents=True)
        shutil.copy(photos / "r" / "0.png", tmp_path / "single" / name)
    done = run(*(word.format(photos=photos, tmp=tmp_path, index=index) for word in words))
    assert done.exit_code == code and said in " ".join(done.output.split()), done.output
    assert "secret" not in done.output
    assert not (tmp_path / "i").exists(), "nothing is left of an index that could not be made"


def test_evaluation(photos, tmp_path):
    told = document("evaluate", photos, "--labels-from", "folder", *BUILD)
    assert (told["map"], round(told["p@10"], 9), told["images"], told["recipe"]) == (1.0, 0.2, 6, "colour")
    mine = tmp_path / "photos"
    shutil.copytree(photos, mine)
    (mine / "w").mkdir()
    shutil.copy(mine / "r" / "0.png", mine / "w" / "0.png")
    (mine / "w" / "broken.png").write_text("no picture")
    done = run("evaluate", mine, *BUILD, "--rerank", "diffusion", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and told["alone"] == ["w"] and told["queries"] == 6 and told["images"] == 7
    assert "1 classes of one image" in done.stderr and [len(told["refused"]), told["rerank"]] == [1, "diffusion"]
    assert "colour: mAP" in run("evaluate", photos, *BUILD).output


def test_a_contact_sheet_is_drawn(index, photos, tmp_path):
    document("query", photos / "b" / "0.png", "--index", index, "--draw", tmp_path / "found.png")
    with Image.open(tmp_path / "found.png") as sheet:
        assert sheet.size == (6 * 204 + 12, 2 * 244 + 12)
    answers = [(str(photos / "r" / "0.png"), 1, 0.0), (str(photos / "gone.png"), 2, 0.5)]
    sheet, unread = contact_sheet(photos / "b" / "0.png", answers)
    assert sheet.shape == (256, 3 * 204 + 12, 3) and list(unread) == [str(photos / "gone.png")]
    assert np.ptp(sheet.reshape(-1, 3), axis=0).min() > 100
    many, _ = contact_sheet(photos / "b" / "0.png", answers[:1] * (MOST + 9))
    assert many.shape[0] == 9 * 244 + 12, "no more than fit on a sheet"


def test_a_killed_build_goes_on(photos, tmp_path):
    """Killed while the fourth image is computed, when two are stored; the same command computes the others."""
    script = (
        "import os, signal, sys, privis.estimators.search.indexing.index_additions as a; a.MOST_ROWS = 2\n"
        "from privis.estimators.search.indexing.recipe_vectors import RecipeVectors as R\n"
        "tried, calls = R.tried, []\n"
        "def killed(self, image):\n"
        "    calls.append(image)\n"
        "    return tried(self, image) if len(calls) < 4 else os.kill(os.getpid(), signal.SIGKILL)\n"
        "R.tried = killed\n"
        "from privis.cli.main import main\n"
        "sys.argv = ['privis', *sys.argv[1:]]\nmain()\n"
    )
    words = ["search", "build", str(photos), "-o", str(tmp_path / "i"), *BUILD]
    done = subprocess.run([sys.executable, "-c", script, *words], stderr=subprocess.DEVNULL, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert document("info", tmp_path / "i")["images"] == 2
    told = document(*words[1:])
    assert (told["images"], told["added"], told["unchanged"]) == (6, 4, 2)


def test_help_says_the_exit_codes():
    for command in ("build", "add", "query", "info", "evaluate"):
        text = re.sub(r"\s+", " ", run(command, "--help").output)
        assert "8 nothing found" in text, command
