"""``privis video count --epsilon`` and ``privis video map``: exact without noise, released and charged with it.

Answers for `privis.cli.video.counts.released_counts` and `privis.cli.video.counts.people_map`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from privis import Budget, BudgetUnit, FileLedger, Per
from privis.cli.main import app
from tests.estimators.video.test_people_tracking import walkers

pytest.importorskip("av")
HEIGHT = ("--person-height", "40")


def called(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walkers(tmp_path_factory.mktemp("walkers") / "a.mp4", frames=40)


def test_counts_with_noise_are_charged_and_their_guarantee_is_said(clip: Path, tmp_path: Path) -> None:
    budget = Budget(100.0, 1e-6, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON)
    ledger = FileLedger.create(tmp_path / "ledger", budget)
    noisy = ("--epsilon", 60, "--key", tmp_path / "key", "--ledger", tmp_path / "ledger", "--unit", "person-day:2:2")
    words = ("video", "count", clip, "--window", "1s", *HEIGHT, "--json")
    _, exact, _ = called(*words)
    code, first, said = called(*words, *noisy, "--card", tmp_path / "card.json")
    assert code == 0 and "people were in more windows than count" in said and "of each of their at most 2 ids" in said
    assert "nobody has more than 2 ids" in said
    windows = json.loads(first)
    assert [set(w) for w in windows] == [{"start", "end", "count"}] * 4
    bounded = np.minimum([w["count"] for w in json.loads(exact)], [2, 2, 0, 0])
    assert np.abs(np.array([w["count"] for w in windows]) - bounded).max() <= 1
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["guarantee"]["epsilon"] == 60.0 and abs(card["people_cut_off"] - 2) <= 3
    assert called(*words, *noisy)[1] == first and ledger.spent().charges == 1
    code, _, said = called(*words, "--epsilon", 60, "--ledger", tmp_path / "ledger", "--key", tmp_path / "key")
    assert code == 5, "another unit is another release, which the ledger cannot pay"
    assert ledger.spent().charges == 1


def test_a_map_has_every_cell_and_each_person_once(clip: Path, tmp_path: Path) -> None:
    words = ("video", "map", clip, "--grid", "4x3", *HEIGHT)
    code, said, _ = called(*words, "-o", tmp_path / "exact.csv", "--json")
    people = np.array(json.loads(said)["people"])
    assert code == 0 and people.shape == (3, 4) and people.sum(axis=0).min() >= 1 and people.max() == 2
    lines = list(csv.DictReader((tmp_path / "exact.csv").read_text().splitlines()))
    assert [int(line["people"]) for line in lines] == people.ravel().tolist()
    assert (lines[5]["x"], lines[5]["w"], lines[5]["h"]) == ("50.00", "50.00", "40.00")
    noisy = ("--epsilon", 90, "--unit", "person-day:12")
    code, said, guarantee = called(*words, *noisy, "-o", tmp_path / "noisy.csv", "--json")
    assert code == 0 and np.abs(np.array(json.loads(said)["people"]) - people).max() <= 1
    assert "at most 12 windows count" in guarantee


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--epsilon", 1, "--unit", "person:4"), "person-day:WINDOWS"),
        (("--epsilon", 1, "--release", "gaussian"), "--delta"),
        (("--epsilon", 1, "--delta", "1e-6"), "--delta"),
        (("--key", "k"), "--epsilon as well"),
        (("--epsilon", 1, "--line", "gate=1,1 2,2"), "cross a line any number of times"),
        (("--epsilon", 0), "epsilon"),
    ],
)
def test_words_that_do_not_fit_are_named_before_the_video_is_read(tmp_path: Path, words: tuple, told: str) -> None:
    code, _, said = called("video", "count", tmp_path / "none.mp4", "--window", "10s", *words)
    assert code == 2 and told in said and "none.mp4" not in said
    if "--line" not in words:
        code, _, said = called("video", "map", tmp_path / "none.mp4", "-o", tmp_path / "m.csv", *words)
        assert code == 2 and told in said


def test_a_grid_and_a_ledger_that_do_not_fit_are_named(clip: Path, tmp_path: Path) -> None:
    words = ("video", "map", tmp_path / "none.mp4", "-o", tmp_path / "map.csv")
    for grid in ("axb", "4", "0x3", "4x1001"):
        assert "COLUMNSxROWS" in called(*words, "--grid", grid)[2]
    FileLedger.create(tmp_path / "images", Budget(9.0, 1e-6))
    code, _, said = called(*words, "--epsilon", 1, "--ledger", tmp_path / "images")
    assert code == 2 and "one per corpus" in said and "ledger init" in said
