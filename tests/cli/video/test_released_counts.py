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


def test_equal_counts_of_two_questions_have_noise_of_their_own(clip: Path, tmp_path: Path) -> None:
    """Nobody is in either corner: one noise for both would say so for nothing."""
    ledger = FileLedger.create(tmp_path / "ledger", Budget(1000.0, 1e-6, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON))
    noisy = ("--epsilon", 0.001, "--key", tmp_path / "key", "--ledger", tmp_path / "ledger", "--json")
    words = ("video", "count", clip, *HEIGHT, *noisy)
    corner, other = ("--zone", "a=0,0 2,0 2,2", "--inside", "a"), ("--zone", "a=0,0 2,0 2,3", "--inside", "a")
    spelled = ("--zone", "b=0,0 2.0,0 2,2", "--inside", "b", "--from", "0ms")
    told = [called(*words, "--window", "1s", *place)[1] for place in (corner, other, corner)]
    assert told[0] == told[2] == called(*words, "--window", "1000ms", *spelled)[1] != told[1]
    assert ledger.spent().charges == 2
    another = tmp_path / "elsewhere" / clip.name
    another.parent.mkdir()
    another.write_bytes(clip.read_bytes())
    assert called(*words[:2], another, *words[3:], "--window", "1s", *corner)[1] == told[0], "a copy is the same"
    another.write_bytes(clip.read_bytes() + bytes(8))
    assert called(*words[:2], another, *words[3:], "--window", "1s", *corner)[1] != told[0], "another day of one name"
    assert ledger.spent().charges == 3
    cells = ("video", "map", clip, *HEIGHT, *noisy, "--unit", "person-day:1", "-o", tmp_path / "map.csv")
    maps = [json.loads(called(*cells, "--grid", grid)[1])["people"] for grid in ("4x1", "1x4", "4x1")]
    assert maps[0] == maps[2] and np.ravel(maps[0]).tolist() != np.ravel(maps[1]).tolist()
