"""``privis search`` under encryption and on shares: what is found, what is said, and options that do not fit.

Answers for `privis.cli.search.private.private_words`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.cli.scores.run_record import RunRecord
from tests.estimators.search.test_search_index import painted


def run(*words, record=None):
    return CliRunner().invoke(app, ["search", *map(str, words)], obj=record)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("private") / "photos"
    for hue, name in enumerate("rgb"):
        (folder / name).mkdir(parents=True)
        for seed in range(2):
            Image.fromarray(painted(hue, seed)).save(folder / name / f"{seed}.png")
    done = run("build", folder, "-o", folder.parent / "photos.index", "--recipe", "colour", "--workers", "1")
    assert done.exit_code == 0, done.output
    return folder


def asked(photos, *words, code=0, record=None):
    index = photos.parent / "photos.index"
    done = run("query", photos / "g" / "1.png", "--index", index, "--json", *words, record=record)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if done.stdout else None, done.stderr


def test_scores_under_encryption_are_those_in_the_clear(photos):
    clear, _ = asked(photos, "--top", "100")
    assert len(clear) == 6
    for gallery in ("plain", "encrypted"):
        record = RunRecord()
        found, told = asked(photos, "--top", "100", "--under", "ckks", "--gallery", gallery, record=record)
        (note,) = record.notes
        assert (note.command, note.under, note.rows) == ("search query", "ckks", 6)
        assert note.what == ("colour encrypted" if gallery == "encrypted" else "colour")
        assert [row["rank"] for row in found] == [1, 2, 3, 4, 5, 6] and found[0]["path"] == clear[0]["path"]
        distances = {row["path"]: row["distance"] for row in clear}
        expected = [distances[row["path"]] for row in found]
        np.testing.assert_allclose([row["distance"] for row in found], expected, atol=1e-4)
        assert "learns the cosine of every row" in told


def test_the_top_on_shares_tells_no_distance(photos):
    found, told = asked(photos, "--top", "2", "--under", "cheetah")
    assert [row["path"][-7:] for row in found] == ["g/1.png", "g/0.png"]
    assert [row["distance"] for row in found] == [None, None] and "no party learns anything" in told
    shown = run(
        "query", photos / "r" / "0.png", "--index", photos.parent / "photos.index", "--top", 1, "--under", "aby3"
    )
    assert shown.exit_code == 0 and "r/0.png" in shown.stdout.replace("\n", "")


@pytest.mark.long
def test_decisions_and_the_top_under_encryption(photos):
    found, told = asked(photos, "--under", "ckks", "--learn", "decisions", "--threshold", "0.9")
    assert {Path(row["path"]).parent.name for row in found if "undecided" not in row} == {"g"}
    assert all(row["rank"] is None and row["distance"] is None for row in found) and "at least 0.9" in told
    top = ("--under", "ckks", "--learn", "top", "--threshold", "-0.5")
    none, told = asked(photos, *top, "--top", "2", code=8)
    assert none == [] and "more than 2 images reach -0.5" in told


def test_evaluation_under_encryption_gives_what_it_gives_in_the_clear(photos):
    shown = {}
    for under in ("clear", "ckks"):
        done = run("evaluate", photos, "--recipe", "colour", "--workers", 1, "--under", under, "--json")
        assert done.exit_code == 0, done.output
        shown[under] = json.loads(done.stdout)
    assert shown["ckks"].pop("under") == "ckks" and shown["clear"].pop("under") == "clear"
    assert shown["ckks"] == shown["clear"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--gallery", "plain", "--learn", "top"), ("--gallery", "--learn", "which it is about")),
        (("--under", "ckks", "--rerank", "diffusion", "--within", "0.5"), ("--rerank", "--within", "--under clear")),
        (("--under", "aby3", "--near-duplicates"), ("--near-duplicates", "--under clear")),
        (("--under", "aby3", "--gallery", "encrypted", "--gap", "0.1"), ("--gallery", "--gap", "--under ckks")),
        (("--under", "ckks", "--learn", "top"), ("no --threshold", "--under aby3")),
        (("--under", "aby3", "--learn", "decisions"), ("no --threshold",)),
        (("--under", "ckks", "--threshold", "0.5"), ("--learn decisions or top",)),
        (("--under", "ckks", "--gap", "0.1"), ("--gap", "not decided")),
        (("--under", "server"), ("clear", "cheetah")),
    ],
)
def test_options_that_do_not_fit(photos, words, told):
    done = run("query", photos / "r" / "0.png", "--index", photos.parent / "photos.index", *words)
    assert done.exit_code == 2
    assert all(word in done.output for word in told), done.output


def test_an_evaluation_re_ranks_in_the_clear_alone(photos):
    done = run("evaluate", photos, "--recipe", "colour", "--rerank", "diffusion", "--under", "ckks")
    assert done.exit_code == 2 and "--rerank" in done.output
