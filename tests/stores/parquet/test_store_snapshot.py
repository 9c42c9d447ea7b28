"""Answers for `privis.stores.parquet.store_snapshot`, `privis.stores.parquet.fragments` and
`privis.stores.parquet.store_files`: what is damaged is named, and the rest can still be read.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from privis.errors import OutputError, ParameterError
from privis.stores.parquet import ParquetStore
from tests.stores.parquet.stored import content, made, rows


@pytest.fixture
def index(tmp_path: Path) -> ParquetStore:
    """Three fragments, of ann, bob and eve."""
    added = (rows([name] * count, first=100 * count) for name, count in (("ann", 50), ("bob", 20), ("eve", 8)))
    return made(tmp_path / "index", *added)


def fragment_of(index: ParquetStore, person: str) -> Path:
    number = index._current().ring.numbers[index._current().ring.places_of([person])[0]]
    (found,) = (one.path for one in index._current().fragments if number in one.keys)
    return found


def refused(folder: Path, *words: str) -> None:
    """Reading all of it is refused with these words."""
    with pytest.raises(ParameterError) as caught:
        content(ParquetStore.open(folder))
    for word in words:
        assert word in str(caught.value), word


def test_a_lost_fragment_is_named_and_the_others_can_be_read(index, tmp_path):
    before = content(index)
    for path in (fragment_of(index, "bob"), fragment_of(index, "eve")):
        path.unlink()
        refused(tmp_path / "index", str(path), "no such file")
    refused(tmp_path / "index", "50 of 78 rows", "partial=True")
    left = ParquetStore.open(tmp_path / "index", partial=True)
    assert content(left) == {name: told for name, told in before.items() if told[0] == "ann"}
    assert len(left.damage) == 2 and left.describe().rows == 50
    for change in (lambda: left.add(rows(["joe"])), lambda: left.erase(["ann"])):
        with pytest.raises(OutputError, match="partial"):
            change()
    with pytest.raises(ParameterError, match="no such file"):
        index.search(rows(["x"]).vectors, 5)


@pytest.mark.parametrize("damage", ["cut", "bytes", "another", "footer"])
def test_a_damaged_fragment_is_named_and_the_others_can_be_read(index, tmp_path, damage):
    before, path = content(index), fragment_of(index, "ann")
    stored = path.read_bytes()
    if damage == "cut":
        path.write_bytes(stored[: len(stored) // 2])
    elif damage == "footer":
        path.write_bytes(stored[:-600] + bytes(300) + stored[-300:])
    elif damage == "bytes":
        path.write_bytes(stored[:900] + bytes(byte ^ 1 for byte in stored[900:901]) + stored[901:])
    else:
        shutil.copy(fragment_of(index, "bob"), path)
    refused(tmp_path / "index", str(path), "28 of 78 rows")
    left = ParquetStore.open(tmp_path / "index", partial=True)
    assert content(left) == {name: told for name, told in before.items() if told[0] != "ann"}
    assert [str(path) in problem.where for problem in left.damage] == [True]
    assert set(left.search(rows(["x"]).vectors, 100).ids[0]) == set(content(left))


def test_sealed_blocks_cannot_be_moved(index, tmp_path):
    """Two blocks of one person, put in each other's place by somebody who can write the files."""
    for _ in range(2):
        index.add(rows(["ann"] * 3000, first=10_000))
    path = max((tmp_path / "index").glob("fragment-*"), key=lambda path: path.stat().st_size)
    table = pq.read_table(path)
    order = list(range(len(table)))
    order[0], order[1] = order[1], order[0]
    pq.write_table(
        table.take(order), path, compression="none", use_dictionary=False, write_statistics=False,
        column_encoding=dict.fromkeys(table.column_names, "PLAIN"),
    )  # fmt: skip
    refused(tmp_path / "index", str(path), "2 of")


def test_a_damaged_manifest_is_read_from_its_copy(index, tmp_path):
    before, manifest = content(index), tmp_path / "index" / "store.json"
    manifest.write_text(manifest.read_text()[:-30])
    refused(tmp_path / "index", str(manifest), "partial=True")
    left = ParquetStore.open(tmp_path / "index", partial=True)
    assert content(left) == before and len(left.damage) == 1
    manifest.unlink()
    assert content(ParquetStore.open(tmp_path / "index", partial=True)) == before


@pytest.mark.parametrize("name", ["store.json", "erasure.json"])
def test_another_version_is_refused(index, tmp_path, name):
    if name == "erasure.json":
        index._folder.write_journal((1,))
    told = json.loads((tmp_path / "index" / name).read_text())
    (tmp_path / "index" / name).write_text(json.dumps({**told, "format": told["format"][:-1] + "2"}))
    refused(tmp_path / "index", name, told["format"], "update Privis")


@pytest.mark.parametrize(
    "changed",
    [{"fragments": {"x": 1}}, {"fragments": {"a" * 32: 0}}, {"columns": {"year": "date"}}, {"store": 1}, {"space": {}}],
)
def test_a_manifest_that_is_none_is_refused(index, tmp_path, changed):
    manifest = tmp_path / "index" / "store.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, **changed}))
    refused(tmp_path / "index", str(manifest))


def test_an_older_copy_of_the_keys_is_told(tmp_path):
    index = made(tmp_path / "index", rows(["ann"]))
    shutil.copy(tmp_path / "index.keys", tmp_path / "copy")
    index.add(rows(["bob"] * 3, first=50))
    shutil.copy(tmp_path / "copy", tmp_path / "index.keys")
    refused(tmp_path / "index", str(tmp_path / "index.keys"), "no keys for 3 rows", "1 of 4 rows")
    assert ParquetStore.open(tmp_path / "index", partial=True).subjects() == {"ann": 1}


def test_an_erasure_does_not_begin_where_a_fragment_cannot_be_rewritten(tmp_path):
    index = made(tmp_path / "index", rows(["ann", "bob"]))
    path = fragment_of(index, "bob")
    stored = path.read_bytes()
    last = max(index._current().fragments[0].offsets.tolist())
    path.write_bytes(stored[: last + 40] + bytes([stored[last + 40] ^ 1]) + stored[last + 41 :])
    with pytest.raises(ParameterError, match="1 of 1 sealed blocks"):
        ParquetStore.open(tmp_path / "index").erase(["ann"])
    assert not (tmp_path / "index" / "erasure.json").exists()
    assert ParquetStore.open(tmp_path / "index", partial=True).subjects() == {"ann": 1}
