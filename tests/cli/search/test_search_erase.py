"""``privis search erase``: people are forgotten, the receipt holds, and a run that was killed is finished.

Answers for `privis.cli.search.erase` and `privis.estimators.search.store_places`.
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
from privis.estimators.search.search_index import Index
from privis.estimators.search.store_places import store_of_index
from privis.privacy import Budget, FileLedger
from privis.stores.vector_store import ErasureStatus
from tests.stores.erasure.stored_rows import windows_found
from tests.stores.parquet.kills import killed_at


def run(*words: Any) -> tuple[int, Any]:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout) if done.stdout.startswith("{") else done.output


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("erase")
    random = np.random.default_rng(1)
    for name in ("ann", "bob", "cyd"):
        (folder / "people" / name).mkdir(parents=True)
        for place in range(2):
            pixels = random.integers(0, 256, (16, 16, 3), np.uint8).repeat(3, 0).repeat(3, 1)
            Image.fromarray(pixels).save(folder / "people" / name / f"{place}.png")
    words = ("--recipe", "colour", "--subject-from", "folder", "--workers", "1")
    assert run("search", "build", folder / "people", "-o", folder / "index", *words)[0] == 0
    FileLedger.create(folder / "index.ledger", Budget(1.0, 1e-6))
    return folder


@pytest.fixture
def room(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "room")


def vectors_of(index: Path, subject: str) -> np.ndarray:
    store, _ = store_of_index(index)
    return np.concatenate([rows.vectors[[name == subject for name in rows.subjects]] for rows in store.rows()])


def test_somebody_is_erased_and_the_receipt_holds(room: Path) -> None:
    index, gone = room / "index", vectors_of(room / "index", "bob")
    code, receipt = run("search", "erase", "--index", index, "--subject", "bob", "-o", room / "receipt.json", "--json")
    assert code == 0 and receipt["status"] == "gone" and receipt["rows"] == 2 and receipt["remains"] == []
    assert any("index.json (bytes)" in each for each in receipt["searched"])
    assert "without names" in receipt["kept"][0] and "index.ledger" in receipt["kept"][0]
    shutil.rmtree(room / "people")
    assert windows_found(room, gone) == 0
    assert not any(b"people/bob" in path.read_bytes() for path in room.rglob("*") if path.is_file())
    assert json.loads((room / "receipt.json").read_text()) == receipt and "bob" not in json.dumps(receipt["subjects"])
    code, said = run("verify", room / "receipt.json", "--index", index, "--subject", "bob", "--json")
    assert (code, said["status"], said["remains"], said["about_subject"]) == (0, "gone", [], True)
    code, said = run("search", "erase", "--index", index, "--subject", "bob")
    assert code == 2 and "nobody" in said
    assert Index.open(index).info().subjects == 2


def test_a_copy_that_is_left_in_the_folder_is_found(room: Path) -> None:
    np.save(room / "index" / "cache.npy", vectors_of(room / "index", "ann").astype(np.float16))
    code, receipt = run("search", "erase", "--index", room / "index", "--subject", "ann")
    assert code == 8 and receipt["status"] == "unsupported"
    assert receipt["remains"] == [f"{room / 'index' / 'cache.npy'}: float16"]
    (room / "receipt.json").write_text(json.dumps(receipt))
    assert run("verify", room / "receipt.json", "--index", room / "index")[0] == 8


def test_a_backup_that_is_put_back_contradicts_the_receipt(room: Path) -> None:
    backup = shutil.copytree(room / "index", room / "backup"), shutil.copy(room / "index.keys", room / "keys")
    code, receipt = run("search", "erase", "--index", room / "index", "--subject", "ann")
    assert code == 0
    (room / "receipt.json").write_text(json.dumps(receipt))
    assert run("verify", room / "receipt.json", "--index", room / "index")[0] == 0
    shutil.copytree(backup[0] / "vectors", room / "index" / "old")
    code, said = run("verify", room / "receipt.json", "--index", room / "index")
    assert code == 8 and all("/old/" in each and each.endswith(": sealed") for each in said["remains"])
    shutil.rmtree(room / "index")
    shutil.copytree(backup[0], room / "index")
    shutil.copy(backup[1], room / "index.keys")
    code, said = run("verify", room / "receipt.json", "--index", room / "index")
    assert code == 8 and said["status"] == "unsupported"
    assert any("1 of the receipt are there" in each for each in said["remains"])
    assert any(each.endswith(": sealed") for each in said["remains"])


def test_an_image_that_is_its_own_subject_is_erased_by_its_path(room: Path) -> None:
    words = ("--recipe", "colour", "--workers", "1")
    assert run("search", "build", room / "people", "-o", room / "own", *words)[0] == 0
    code, receipt = run("search", "erase", "--index", room / "own", "--image", room / "people" / "ann" / "1.png")
    assert code == 0 and receipt["rows"] == 1 and Index.open(room / "own").info().rows == 5


@pytest.mark.parametrize("step", [5, 30, 60])
def test_a_killed_erasure_is_finished_by_the_same_command(room: Path, step: int) -> None:
    words = ("search", "erase", "--index", room / "index", "--subject", "cyd")
    gone = vectors_of(room / "index", "cyd")
    assert killed_at(step, lambda: run(*words))
    code, receipt = run(*words)
    assert code == 0 and receipt["rows"] == 2
    assert ErasureStatus(receipt["status"]) is not ErasureStatus.UNSUPPORTED
    shutil.rmtree(room / "people")
    assert windows_found(room, gone) == 0


def test_what_is_wrong_is_said_before_anybody_is_erased(room: Path) -> None:
    index = room / "index"
    for words in ((), ("--subject", "eve"), ("--subject", "ann", "--ledger", room / "index.keys"),
                  ("--subject", "ann", "-o", room / "none" / "x"), ("--image", "none.png")):  # fmt: skip
        assert run("search", "erase", "--index", index, *words)[0] in (2, 4), words
    assert Index.open(index).info().subjects == 3
