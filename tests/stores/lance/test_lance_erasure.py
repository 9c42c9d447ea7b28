"""Answers for `privis.stores.lance.lance_changes`, `privis.stores.lance.lance_folder`,
`privis.stores.lance.lance_residue` and `privis.stores.lance.index_work`: who is erased is in no byte of any file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError

pytest.importorskip("lancedb")

from privis.stores import ErasureStatus
from privis.stores.erasure import erasing as receipts
from privis.stores.erasure.receipt_log import ReceiptFiles
from privis.stores.lance import LanceStore, lance_changes
from privis.stores.lance.index_work import OPTIMIZE, do_work
from privis.stores.lance.lance_record import BegunChange
from tests.stores.lance.lance_rows import content, made, rows, vectors_of, windows

ROOT = Path(__file__).resolve().parents[3]
COUNT = 200
SHARES = {"one row": 1, "5 %": COUNT // 20, "10 %": COUNT // 10, "50 %": COUNT // 2}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes are made in this process: sooner, and with temporary files elsewhere."""
    monkeypatch.setattr(lance_changes, "work_apart", lambda place, table, work, scratch: do_work(place, table, work))


def shared_out(count: int) -> tuple:
    """Rows of which the first ``count`` are of one person, and the others of twenty."""
    given = rows(0, COUNT)
    subjects = tuple("erased-one" if row < count else name for row, name in enumerate(given.subjects))
    return dataclasses.replace(given, subjects=subjects)


def erased(folder: Path, sealed: bool, count: int, index: str | None) -> None:
    given = shared_out(count)
    store = made(folder / "index", sealed, given, index=index)
    gone = vectors_of(given, ["erased-one"])
    texts = ["erased-one", *given.ids[:count], *given.sources[:count]]
    before = windows(folder, gone, texts)
    assert before >= (1 if sealed else count * 29), "the control: it is there"
    held = content(store)
    residue = store.erase(["erased-one"])
    assert windows(folder, gone, texts) == 0
    assert content(store) == {name: each for name, each in held.items() if each[0] != "erased-one"}
    assert len(residue.vectors) == count and set(residue.texts) == set(texts)
    assert bool(residue.sealed) == sealed and "erased-one" not in repr(residue)
    assert store.search(gone[:1], COUNT).ids[0] and not set(store.search(gone[:1], COUNT).ids[0]) & set(texts)
    assert content(LanceStore.open(folder / "index")) == content(store)
    if index is not None:
        found = store.search(given.vectors[-3:], 5, approximate=True)
        assert found.recall is not None and found.recall > 0.3
    told = store.verify_erased(residue)
    assert told.remains == () and told.unsearched == () and told.bytes > 10_000


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open"])
def test_who_is_erased_is_in_no_byte_of_any_file(tmp_path: Path, sealed: bool, share: str) -> None:
    erased(tmp_path, sealed, SHARES[share], None)


def test_nor_in_an_index(tmp_path: Path, here: None) -> None:
    erased(tmp_path, False, SHARES["one row"], "ivf-flat")


@pytest.mark.long
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("index", ["ivf-flat", "hnsw"])
def test_nor_in_any_index(tmp_path: Path, index: str, share: str) -> None:
    erased(tmp_path, False, SHARES[share], index)


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open"])
def test_what_was_replaced_is_erased_from_earlier_versions_too(tmp_path: Path, sealed: bool) -> None:
    first = rows(0, 60)
    ann = dataclasses.replace(first, subjects=("ann-lee",) * 60)
    store = made(tmp_path / "index", sealed, ann)
    store.add(dataclasses.replace(rows(0, 59, seed=8), subjects=("ann-lee",) * 59))
    residue = store.erase(["ann-lee"])
    assert len(residue.vectors) == 119 and windows(tmp_path, first.vectors) == 0 and not store.subjects()
    store = made(tmp_path / "other", sealed, ann)
    store.add(dataclasses.replace(rows(0, 60, seed=8), subjects=("bob",) * 60))
    if sealed:  # the last row went, and the key with it
        with pytest.raises(ParameterError, match="'ann-lee': got no rows"):
            store.erase(["ann-lee"])
    else:
        assert windows(tmp_path, first.vectors) > 0
        assert len(store.erase(["ann-lee"]).vectors) == 60 and windows(tmp_path, first.vectors) == 0
    assert dict(store.subjects()) == {"bob": 60}


def test_nobody_is_erased_where_one_is_unknown(tmp_path: Path) -> None:
    for sealed in (True, False):
        store = made(tmp_path / str(sealed), sealed, rows(0, 40))
        with pytest.raises(ParameterError, match="'nobody': got no rows"):
            store.erase(["person-00001", "nobody"])
        assert store.describe().rows == 40 and store.erase([]).texts == ()
        store.erase(["person-00001"])
        with pytest.raises(ParameterError, match="erased before"):
            store.erase(["person-00001"])


def kills(folder: Path, sealed: bool, index: str | None, stride: int) -> list[list]:
    command = [sys.executable, "-m", "tests.stores.lance.lance_kills", str(folder), "sealed" if sealed else "open"]
    done = subprocess.run([*command, index or "none", str(stride)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def judged(told: list[list], sealed: bool) -> None:
    assert told[-1][0] == 0 and len(told) > 2, "the last one was not killed"
    for step, begun, erased, found, others, searched, files in told:
        assert others and searched, f"step {step}: rows of others"
        assert erased or not begun, f"step {step}: what was begun is finished"
        assert found == 0 or not erased, f"step {step}: {found} windows"
        table = [name for name in files if name.startswith("rows-")]
        assert files == ["index", *["index.keys"] * sealed, *table, "store.json"] and len(table) == 1, files
    assert sum(erased for _, _, erased, *_ in told) > 1


def test_a_killed_erasure_is_finished_when_it_is_opened(tmp_path: Path) -> None:
    judged(kills(tmp_path, True, None, 36), True)


@pytest.mark.long
@pytest.mark.parametrize(("sealed", "index"), [(True, None), (False, None), (False, "ivf-flat")])
def test_an_erasure_that_is_killed_at_any_step_is_finished(tmp_path: Path, sealed: bool, index: str | None) -> None:
    judged(kills(tmp_path, sealed, index, 1), sealed)


READER = """
import sys
from pathlib import Path
from privis.stores.lance import LanceStore
from tests.stores.lance.lance_rows import rows
folder, query = Path(sys.argv[1]), rows(0, 1).vectors
stores, searches = [LanceStore.open(folder / name) for name in ("sealed", "open")], 0
(folder / "ready").touch()
while not (folder / "stop").exists():
    gone = int((folder / "gone").read_text()) if (folder / "gone").exists() else 0
    for store in stores:
        (found,) = store.search(query, 200).ids
        people = {int(name[-9:-4]) % 20 for name in found}
        assert min(people) >= gone, f"{min(people)} was erased and is found"
        assert people >= set(range(3, 20)) and len(found) == 10 * len(people), "others are missing"
    searches += 1
print(searches)
"""


def test_a_reader_keeps_searching_and_finds_nobody_who_is_erased(tmp_path: Path) -> None:
    stores = [made(tmp_path / name, name == "sealed", rows(0, 200)) for name in ("sealed", "open")]
    command = [sys.executable, "-c", READER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        while not (tmp_path / "ready").exists() and reader.poll() is None:
            time.sleep(0.05)
        for person in range(3):
            for store in stores:
                store.erase([f"person-{person:05}"])
            (tmp_path / "new").write_text(str(person + 1))
            os.replace(tmp_path / "new", tmp_path / "gone")
            assert windows(tmp_path, rows(0, 200).vectors[person::20]) == 0
        (tmp_path / "stop").touch()
        said, wrong = reader.communicate(timeout=120)
    assert reader.returncode == 0, wrong
    assert int(said) > 0 and [store.describe().rows for store in stores] == [170, 170]


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open"])
def test_a_receipt_says_that_everything_is_gone(tmp_path: Path, sealed: bool) -> None:
    store = made(tmp_path / "index", sealed, rows(0, 60))
    receipt = receipts.erased(store, ["person-00004"], ReceiptFiles.beside(tmp_path / "index"))
    assert (receipt.status, receipt.remains, receipt.unsearched) == (ErasureStatus.GONE, (), ())
    assert windows(tmp_path, vectors_of(rows(0, 60), ["person-00004"]), ["person-00004"]) == 0


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open"])
def test_a_full_disk_loses_nothing(tmp_path: Path, sealed: bool) -> None:
    store = made(tmp_path / "index", sealed, rows(0, 60))
    before, files = content(store), sorted(map(str, (tmp_path / "index").rglob("*")))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limit[1]))
        with pytest.raises(OutputError, match=r"rows-1\.lance: got a file too large"):
            store.add(rows(100, 400))
        assert sorted(map(str, (tmp_path / "index").rglob("*"))) == files and content(store) == before
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert content(LanceStore.open(tmp_path / "index")) == before
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
        with pytest.raises(OutputError):
            store.erase(["person-00001"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "person-00001" not in store.subjects(), "what is begun counts"
    assert store.add(rows(100, 400)) == 0
    gone = vectors_of(rows(0, 60), ["person-00001"])
    assert windows(tmp_path, gone) == 0 and store.describe().rows == 360 - len(gone)


def test_a_killed_addition_is_taken_back(tmp_path: Path) -> None:
    store = made(tmp_path / "index", False, rows(0, 60))
    folder = store._folder
    version = len(list((tmp_path / "index" / "rows-1.lance" / "_versions").glob("*.manifest")))
    folder.begin(BegunChange("write", "rows-1", version, folder.files("rows-1")))
    (tmp_path / "index" / "rows-1.lance" / "data" / "half.lance").write_bytes(rows(60, 80).vectors.tobytes())
    (tmp_path / "index" / "scratch").mkdir()
    (tmp_path / "index" / "scratch" / "shuffle.spill").write_bytes(rows(60, 80).vectors.tobytes())
    assert windows(tmp_path, rows(60, 80).vectors) > 0
    again = LanceStore.open(tmp_path / "index")
    assert windows(tmp_path, rows(60, 80).vectors) == 0 and again.describe().rows == 60
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == ["rows-1.lance", "store.json"]


def test_what_is_left_somewhere_is_found(tmp_path: Path, here: None) -> None:
    given = rows(0, 100)
    store = made(tmp_path / "index", False, given, index="ivf-flat")
    gone = vectors_of(given, ["person-00002"])
    residue = store.erase(["person-00002"])
    table = store._folder.record().table
    store.add(dataclasses.replace(rows(100, 140), subjects=("new-one",) * 40))
    do_work(tmp_path / "index", table, OPTIMIZE)
    index, *_ = sorted(store._folder.table_path(table).glob("_indices/*/auxiliary.idx"))
    assert store.verify_erased(residue).unsearched == (), "neither in parts of an index that hold only what was added"
    held = index.read_bytes()
    index.write_bytes(held + gone[0].astype(np.float16).tobytes())
    (tmp_path / "index" / "note.txt").write_text("of person-00002")
    told = store.verify_erased(residue)
    assert any("auxiliary.idx: float16" in each for each in told.remains)
    assert any("note.txt" in each for each in told.remains)
    index.write_bytes(bytes(len(held)))
    assert any("auxiliary.idx" in each and "no kept vector" in each for each in store.verify_erased(residue).unsearched)


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open"])
def test_a_damaged_index_names_the_file_and_what_is_usable(tmp_path: Path, sealed: bool) -> None:
    store = made(tmp_path / "index", sealed, rows(0, 60))
    (first,) = (tmp_path / "index" / "rows-1.lance" / "data").iterdir()
    store.add(rows(60, 100))
    held = first.read_bytes()
    first.write_bytes(held[: len(held) // 3])
    with pytest.raises(ParameterError) as caught:
        list(LanceStore.open(tmp_path / "index").rows())
    usable = "40 of its 100 rows" if not sealed else "20 of its 40 units of sealed rows"
    assert first.name in str(caught.value) and usable in str(caught.value), str(caught.value)
    first.unlink()
    with pytest.raises(ParameterError, match=first.name):
        LanceStore.open(tmp_path / "index").search(rows(0, 1).vectors, 1)
    with pytest.raises(ParameterError):
        LanceStore.open(tmp_path / "index").erase(["person-00001"])
    first.write_bytes(held)
    assert LanceStore.open(tmp_path / "index").describe().rows == 100
    record = tmp_path / "index" / "store.json"
    record.write_text(record.read_text()[:-20])
    with pytest.raises(ParameterError, match=r"store\.json.*rows-1\.lance"):
        LanceStore.open(tmp_path / "index")


def test_sealed_rows_that_were_changed_are_told(tmp_path: Path) -> None:
    made(tmp_path / "index", True, rows(0, 60))
    (first,) = (tmp_path / "index" / "rows-1.lance" / "data").iterdir()
    held = bytearray(first.read_bytes())
    held[2000] ^= 1
    first.write_bytes(held)
    with pytest.raises(ParameterError, match=r"3 of 60 sealed rows that are damaged.*usable are the other 57"):
        LanceStore.open(tmp_path / "index").search(rows(0, 1).vectors, 1)
    first.write_bytes(bytes(held[:2000]) + bytes([held[2000] ^ 1]) + bytes(held[2001:]))
    assert LanceStore.open(tmp_path / "index").search(rows(0, 1).vectors, 1).ids
    os.rename(tmp_path / "index.keys", tmp_path / "away")
    with pytest.raises(ParameterError, match=r"index\.keys"):
        LanceStore.open(tmp_path / "index")
    assert LanceStore.open(tmp_path / "index", keys=tmp_path / "away").describe().rows == 60
    made(tmp_path / "second", True)
    with pytest.raises(ParameterError, match="keys of another index"):
        LanceStore.open(tmp_path / "index", keys=tmp_path / "second.keys")
