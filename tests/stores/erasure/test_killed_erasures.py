"""An erasure that is killed at any step is finished by the same command, and no receipt ever says more than is true.

Answers for `privis.stores.erasure.erasing` beside `privis.stores.parquet`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.stores import VectorSpace
from privis.stores.erasure.erasing import erased
from privis.stores.erasure.receipt_checks import checked
from privis.stores.erasure.receipt_key import ReceiptKey
from privis.stores.erasure.receipt_log import ReceiptFiles, ReceiptLog
from privis.stores.parquet import ParquetStore
from privis.stores.vector_store import ErasureStatus
from tests.stores.erasure.stored_rows import DIMENSION, rows_of, windows_found
from tests.stores.parquet.kills import every_kill

NAMES = ("ann", "bob", "cyd", "dora the fourth")
SPACE = VectorSpace(bytes(range(32)), "a network", DIMENSION)


def traces(place: Path, vectors: np.ndarray, names: tuple[str, ...]) -> int:
    """The scanner of the tests: windows of vectors, and names, in every file as it is."""
    contents = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    return windows_found(place, vectors) + sum(name.encode() in content for name in names for content in contents)


def test_an_index_in_a_folder_forgets_and_the_receipt_holds(tmp_path: Path) -> None:
    store = ParquetStore.create(tmp_path / "index", SPACE)
    rows = rows_of(NAMES)
    store.add(rows)
    backup = shutil.copytree(tmp_path / "index", tmp_path / "backup")
    files = ReceiptFiles.beside(tmp_path / "index")
    receipt = erased(store, ["dora the fourth", "ann"], files)
    assert (receipt.status, receipt.rows, receipt.unsearched) == (ErasureStatus.GONE, 6, ())
    shutil.move(backup, tmp_path.parent / f"{tmp_path.name}-backup")
    assert traces(tmp_path, rows.vectors[[0, 1, 2, 9, 10, 11]], ("dora the", "ann/")) == 0
    assert checked(receipt, files, ParquetStore.open(tmp_path / "index")).holds
    for fragment in (tmp_path.parent / f"{tmp_path.name}-backup").glob("fragment-*"):
        shutil.copy(fragment, tmp_path / "index" / "found-again")
    check = checked(receipt, files, ParquetStore.open(tmp_path / "index", partial=True))
    assert not check.holds and {each.rpartition(": ")[2] for each in check.remains} == {"sealed"}
    shutil.rmtree(tmp_path.parent / f"{tmp_path.name}-backup")


@pytest.mark.parametrize("stride", [17, pytest.param(1, marks=pytest.mark.long)])
def test_an_erasure_killed_at_any_step_gets_a_true_receipt(tmp_path: Path, stride: int) -> None:
    whole, place = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    rows = rows_of(NAMES)
    gone = rows.vectors[-3:]
    store = ParquetStore.create(whole / "index", SPACE)
    store.add(rows)
    erased(store, ["ann"], ReceiptFiles.beside(whole / "index"))
    files = ReceiptFiles.beside(place / "index")
    seen = set()

    def again() -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)

    def work() -> None:
        erased(ParquetStore.open(place / "index"), ["dora the fourth"], files)

    for step in every_kill(work, again, stride):
        opened = ParquetStore.open(place / "index")
        key = ReceiptKey.load(files.key)
        before = [each for each in ReceiptLog(files.log).receipts() if each.known_to(key, ["dora the fourth"])]
        if before:
            assert traces(place, gone, ("dora the",)) == 0, step
        try:
            receipt = erased(opened, ["dora the fourth"], files)
        except ParameterError:
            (receipt,) = before
        assert traces(place, gone, ("dora the",)) == 0, step
        assert checked(receipt, files, opened).holds and receipt.rows == 3, step
        assert not files.begun.exists() and set(opened.subjects()) == {"bob", "cyd"}
        seen.add(receipt.status)
    assert ErasureStatus.GONE in seen and ErasureStatus.UNSUPPORTED not in seen
