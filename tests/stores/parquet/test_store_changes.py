"""Answers for `privis.stores.parquet.store_changes`, `privis.stores.parquet.row_parts` and
`privis.stores.parquet.store_state`: what is killed, fails, or runs beside readers.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError
from privis.stores import Condition, ErasureStatus, Relation
from privis.stores.erasure.erasure_receipt import status_of
from privis.stores.parquet import ParquetStore, fragments
from privis.stores.parquet.store_files import StoreFolder
from tests.stores.parquet.kills import every_kill
from tests.stores.parquet.stored import content, made, people, rows


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(fragments, "LARGEST", 32 * 4 * 8)
    monkeypatch.setattr(fragments, "BLOCK", 4 * 4 * 8)


def traces(store: ParquetStore, subject: str) -> dict[str, bytes]:
    """What a person's rows look like in any file, by what they are; read without the product's own residue."""
    ring, found = store._current().ring, {"name": subject.encode()}
    place = int(ring.places_of([subject])[0])
    number = int(ring.numbers[place])
    found["key"], found["number of the key"] = ring._keys[32 * place :][:32], number.to_bytes(8, "little")
    for one in store._current().fragments:
        blocks = np.flatnonzero(one.keys == number)
        for block, sealed in zip(blocks, one.sealed(blocks), strict=True):
            for part in range(0, len(sealed), 64):
                found[f"{one.path.name} block {block} byte {part}"] = sealed[part : part + 64][:16]
    for some in store.rows([Condition("subject", Relation.EQUAL, subject)]):
        for row, name in enumerate(some.ids):
            found[f"id {name}"] = name.encode()
            found[f"digest of {name}"] = some.sources[row].encode()
            found[f"bytes of the digest of {name}"] = bytes.fromhex(some.sources[row])
            for kind in (np.float64, np.float32, np.float16):
                found[f"{kind.__name__} of {name}"] = some.vectors[row].astype(kind).tobytes()
            found[f"codes of {name}"] = (
                np.rint(some.vectors[row] / np.abs(some.vectors[row]).max() * 127).astype(np.int8).tobytes()
            )
    return found


def remains(folder: Path, looked_for: dict[str, bytes]) -> list[str]:
    """In which files below a folder something is found."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [f"{what} in {path}" for path in files for what, form in looked_for.items() if form in path.read_bytes()]


def test_an_erased_person_is_in_no_byte_of_any_file(tmp_path, small):
    store = made(tmp_path / "index", rows(people(30), year=tuple(range(90))), rows(["person-0007"] * 5, first=200))
    before, looked_for = content(store), traces(store, "person-0007")
    assert {form.split(" ")[0] for form in (what for what in looked_for)} >= {"name", "key", "float32", "codes"}
    assert remains(tmp_path, looked_for), "the control: name, key and sealed blocks are there"
    residue = store.erase(["person-0007"])
    assert remains(tmp_path, looked_for) == []
    gone = {name for name, told in before.items() if told[0] == "person-0007"}
    assert content(store) == {name: told for name, told in before.items() if name not in gone} and len(gone) == 8
    assert residue.vectors.shape == (8, 8) and set(residue.texts) > gone and "person-0007" in residue.texts
    assert len(residue.sealed) == len([each for each in looked_for if each.endswith("byte 0")])
    assert "person-0007" not in repr(residue)
    verified = store.verify_erased(residue)
    assert verified.remains == () == verified.unsearched and {"float32", "sealed", "key"} <= set(verified.forms)
    assert any("index.keys" in each for each in verified.searched)
    found = store.search(residue.vectors, 90)
    assert all(not gone & set(ids) for ids in found.ids) and {len(ids) for ids in found.ids} == {87}
    assert content(ParquetStore.open(tmp_path / "index")) == content(store)


def test_what_an_erasure_would_leave_is_found(tmp_path, small):
    store = made(tmp_path / "index", rows(people(30)))
    path = max((tmp_path / "index").glob("fragment-*"))
    stored = path.read_bytes()
    residue = store.erase(people(30, images=1)[:29])
    path.with_suffix(".copy").write_bytes(stored)
    (tmp_path / "index.keys-journal").write_bytes(b"person-0007")
    (tmp_path / "index.keys.backup").write_bytes(b"a copy: " + residue.keys[5])
    verified = store.verify_erased(residue)
    assert {where.rpartition(":")[0] for where in verified.remains} == {
        str(path.with_suffix(".copy")), str(tmp_path / "index.keys-journal"), str(tmp_path / "index.keys.backup"),
    }  # fmt: skip


def test_a_key_that_is_found_is_no_destroyed_key(tmp_path):
    store = made(tmp_path / "index", rows(["ann", "bob"]))
    residue = store.erase(["ann"])
    (tmp_path / "index.keys.backup").write_bytes(residue.keys[0])
    found = store.verify_erased(residue)
    assert found.remains == (f"{tmp_path / 'index.keys.backup'}: key",)
    assert status_of(found, sealed=True) is ErasureStatus.UNSUPPORTED and str(residue.keys[0]) not in repr(residue)


def test_fragments_without_the_person_are_not_rewritten(tmp_path, small):
    store = made(tmp_path / "index", rows(["ann"] * 32), rows(["bob"] * 32, first=32), rows(["eve"] * 30, first=64))
    before = {path.name: path.stat().st_ino for path in (tmp_path / "index").glob("fragment-*")}
    store.erase(["bob"])
    after = {path.name: path.stat().st_ino for path in (tmp_path / "index").glob("fragment-*")}
    assert len(before) == 3 and len(after) == 2 and set(after.items()) < set(before.items())


def test_several_and_all_are_erased_and_may_come_again(tmp_path, small):
    store = made(tmp_path / "index", rows(people(12)))
    store.erase(["person-0001", " person-0003 ", "person-0001"])
    assert len(store.subjects()) == 10
    store.erase(list(store.subjects()))
    assert content(store) == {} and not list((tmp_path / "index").glob("fragment-*"))
    assert store.erase([]).vectors.shape == (0, 8)
    store.add(rows(["person-0001"]))
    assert store.subjects() == {"person-0001": 1}


def test_nobody_is_erased_where_somebody_is_unknown(tmp_path):
    store = made(tmp_path / "index", rows(["ann", "bob"]))
    with pytest.raises(ParameterError, match=r"'eve'[\s\S]*'joe'"):
        store.erase(["ann", "eve", "joe"])
    assert len(store.subjects()) == 2


def copied(folder: Path, place: Path) -> None:
    for path in (place / "index", place / "index.keys", place / "index.keys-journal"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.copytree(folder / "index", place / "index")
    shutil.copy(folder / "index.keys", place / "index.keys")


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.long)])
def test_an_erasure_killed_at_any_step_is_finished_or_never_began(tmp_path, small, stride):
    whole, place = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir(), place.mkdir()
    store = made(whole / "index", rows(people(12)), rows(["person-0003"] * 4, first=100))
    before, looked_for = content(store), traces(store, "person-0003")
    after = {name: told for name, told in before.items() if told[0] != "person-0003"}
    outcomes = []

    def erase() -> None:
        ParquetStore.open(place / "index").erase(["person-0003"])

    for step in every_kill(erase, lambda: copied(whole, place), stride):
        begun = (place / "index" / "erasure.json").exists()
        with StoreFolder(place / "index").changing():  # nobody else can finish it now
            seen = content(ParquetStore.open(place / "index"))
        assert seen in (before, after) and (seen == after or not begun), step
        finished = ParquetStore.open(place / "index")
        assert content(finished) == seen, step
        outcomes.append(seen == after)
        if seen == after:
            assert remains(place, looked_for) == [], step
        assert not (place / "index" / "erasure.json").exists()
        named = {finished._folder.fragment(name).name for name in finished._current().manifest.fragments}
        assert {path.name for path in (place / "index").iterdir()} == {*named, "store.json"}
    assert {True, False} == set(outcomes) and outcomes == sorted(outcomes)
    assert content(ParquetStore.open(place / "index")) == after, "the last one was not killed"


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.long)])
def test_an_addition_killed_at_any_step_is_whole_or_nothing(tmp_path, small, stride):
    whole, place = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir(), place.mkdir()
    before = content(made(whole / "index", rows(people(10))))
    new = rows(["newcomer"] * 40, first=25)
    after = {**before, **content(made(tmp_path / "other", new))}
    outcomes = []

    def add() -> None:
        ParquetStore.open(place / "index").add(new)

    for step in every_kill(add, lambda: copied(whole, place), stride):
        opened = ParquetStore.open(place / "index")
        seen = content(opened)
        assert seen in (before, after), step
        outcomes.append(seen == after)
        known = b"newcomer" in (place / "index.keys").read_bytes()
        assert known == (seen == after), "who has no row has no key"
        named = {opened._folder.fragment(name).name for name in opened._current().manifest.fragments}
        assert {path.name for path in (place / "index").iterdir()} == {*named, "store.json"}
    assert {True, False} == set(outcomes) and outcomes == sorted(outcomes)


def test_an_index_killed_while_it_is_made_can_be_made_again(tmp_path):
    def again() -> None:
        shutil.rmtree(tmp_path / "index", ignore_errors=True)
        for path in tmp_path.glob("index.keys*"):
            path.unlink()

    for _ in every_kill(lambda: made(tmp_path / "index"), again, 7):
        if not (tmp_path / "index" / "store.json").exists():
            made(tmp_path / "index", rows(["ann"]))
        ParquetStore.open(tmp_path / "index").add(rows(["bob"]))


def test_readers_beside_an_erasure_see_everybody_or_all_but_the_erased(tmp_path, small):
    store = made(tmp_path / "index", rows(people(40, images=2)))
    reader, problems, seen = ParquetStore.open(tmp_path / "index"), [], []
    query, done = np.ones((1, 8)), threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                seen.append(reader.search(query, 1000).ids[0])
                rows_read = [name for some in reader.rows() for name in some.ids]
                assert len(rows_read) == len(set(rows_read))
                seen.append(tuple(rows_read))
            except ParameterError as error:
                if "read it again" not in str(error):
                    problems.append(error)
            except Exception as error:
                problems.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    owners = {name: told[0] for name, told in content(store).items()}
    for number in range(12):
        store.erase([f"person-{number:04}"])
    done.set()
    thread.join()
    assert problems == [] and len({len(ids) for ids in seen}) > 1
    for ids in seen:
        there = {owners[name] for name in ids}
        erased = 40 - len(there)
        assert there == {f"person-{number:04}" for number in range(erased, 40)} and len(ids) == 2 * len(there)


def test_a_full_disk_loses_nothing(tmp_path, small, monkeypatch):
    store = made(tmp_path / "index", rows(people(12)))
    before = content(store)
    real, left = os.replace, [0]

    def full(source, target, **options) -> None:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        real(source, target, **options)

    monkeypatch.setattr(os, "replace", full)
    for allowed in range(2):  # a fragment, then the manifest
        left[0] = allowed
        with pytest.raises(OutputError, match="No space left"):
            store.add(rows(["newcomer"] * 3, first=500))
        assert content(store) == before and b"newcomer" not in b"".join(
            path.read_bytes() for path in (tmp_path / "index").iterdir()
        )
    left[0] = 0
    with pytest.raises(OutputError, match="No space left"):
        store.erase(["person-0001"])
    assert content(store) == before, "no erasure is begun"
    left[0] = 1
    with pytest.raises(OutputError, match="No space left"):
        store.erase(["person-0001"])
    assert set(store.subjects()) == set(people(12)) - {"person-0001"}, "unreadable from now on"
    assert set(ParquetStore.open(tmp_path / "index").subjects()) == set(people(12)) - {"person-0001"}
    monkeypatch.setattr(os, "replace", real)
    assert "person-0001" not in ParquetStore.open(tmp_path / "index").subjects()
    assert not (tmp_path / "index" / "erasure.json").exists()
    assert b"newcomer" not in (tmp_path / "index.keys").read_bytes()


def test_a_limit_of_file_sizes_loses_nothing(tmp_path):
    store = made(tmp_path / "index", rows(people(12)))
    before, (_, hard) = content(store), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"File too large|disk I/O|full"):
            store.add(rows(people(500), first=500))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert content(store) == before
    assert store.add(rows(["newcomer"], first=500)) == 0


def test_a_manifest_that_names_another_fragment_costs_no_fragment(tmp_path):
    before = content(made(tmp_path / "index", rows(people(3))))
    manifest, (fragment,) = tmp_path / "index" / "store.json", (tmp_path / "index").glob("fragment-*.parquet")
    whole = manifest.read_bytes()
    name = fragment.stem.removeprefix("fragment-").encode()
    for place in (0, 7, len(name) - 1):
        other = name[:place] + (b"0" if name[place : place + 1] != b"0" else b"1") + name[place + 1 :]
        manifest.write_bytes(whole.replace(name, other))
        with pytest.raises((ParameterError, OutputError)):
            content(ParquetStore.open(tmp_path / "index"))
        assert fragment.exists()
    manifest.write_bytes(whole)
    assert content(ParquetStore.open(tmp_path / "index")) == before
