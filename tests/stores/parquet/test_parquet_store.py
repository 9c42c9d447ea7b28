"""Answers for `privis.stores.parquet.parquet_store` and `privis.stores.parquet.row_reader`: add, search, read."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import stat
import threading
import time

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError
from privis.stores import Condition, Relation, VectorSpace
from privis.stores.parquet import ParquetStore, fragments
from tests.stores.parquet.stored import SPACE, content, made, people, rows

AT_LEAST, EQUAL = Relation.AT_LEAST, Relation.EQUAL


@pytest.fixture
def small(monkeypatch):
    """Fragments of 32 rows and blocks of 4, so that a few rows fill several."""
    monkeypatch.setattr(fragments, "LARGEST", 32 * 4 * 8)
    monkeypatch.setattr(fragments, "BLOCK", 4 * 4 * 8)


def test_what_is_added_is_read_searched_and_there_after_reopening(tmp_path, small):
    given = rows(people(20), year=tuple(range(60)))
    store = made(tmp_path / "index", given)
    for opened in (store, ParquetStore.open(tmp_path / "index", SPACE)):
        read = content(opened)
        assert set(read) == set(given.ids)
        for row, name in enumerate(given.ids):
            told = (given.subjects[row], given.sources[row], given.vectors[row].tobytes(), {"year": row})
            assert read[name] == told
        assert opened.subjects() == {f"person-{number:04}": 3 for number in range(20)}
        found = opened.search(given.vectors[:5].astype(np.float64), 7)
        scores = given.vectors[:5].astype(np.float64) @ given.vectors.astype(np.float64).T
        for query, (ids, values) in enumerate(zip(found.ids, found.scores, strict=True)):
            best = np.argsort(-scores[query])[:7]
            assert list(ids) == [given.ids[row] for row in best]
            np.testing.assert_allclose(values, scores[query][best], rtol=1e-14)
            assert [each["year"] for each in found.metadata[query]] == best.tolist()
        assert opened.search(given.vectors[:1], 3, approximate=True).recall is None, "it is exact"
    told = store.describe()
    assert (told.kind, told.rows, told.subjects, told.columns, told.sealed) == (
        "parquet",
        60,
        20,
        {"year": "int"},
        True,
    )
    assert told.space == SPACE and told.bytes > 60 * 32
    assert len(list((tmp_path / "index").glob("fragment-*"))) == 2


def test_nothing_but_the_key_file_names_a_person_an_image_or_a_number(tmp_path):
    given = rows(["ann", "bob"], note=("Karzinom", "gesund"))
    made(tmp_path / "index", given)
    for path in (tmp_path / "index").iterdir():
        stored, numbers = path.read_bytes(), [bytes.fromhex(given.sources[0]), given.vectors[0].tobytes()]
        for secret in (b"ann", b"bob", b"picture", b"Karzinom", *numbers):
            assert secret not in stored, path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "index.keys").stat().st_mode) == 0o600
    assert b"ann" in (tmp_path / "index.keys").read_bytes(), "the control"


def test_an_id_that_is_there_is_replaced_and_everything_else_stays(tmp_path, small):
    store = made(tmp_path / "index", rows(people(30)))
    before = content(store)
    again = rows(["person-0001", "somebody", "person-0002"], first=40)
    assert store.add(again) == 3
    after = content(store)
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} == set(again.ids)
    assert sum(store.subjects().values()) == 90
    found = store.search(again.vectors[1:2], 1)
    assert found.ids[0][0] == again.ids[1]


def test_who_loses_the_last_row_to_a_replacement_loses_the_key(tmp_path):
    store = made(tmp_path / "index", rows(["ann", "bob"]))
    store.add(rows(["bob"], first=0))
    assert store.subjects() == {"bob": 2}
    assert b"ann" not in (tmp_path / "index.keys").read_bytes()


def test_many_small_additions_make_few_fragments(tmp_path):
    store = made(tmp_path / "index", *(rows(["ann", "bob", "eve"], first=3 * number) for number in range(20)))
    assert len(content(store)) == 60 and len(list((tmp_path / "index").glob("fragment-*"))) <= 6


def test_conditions_choose_rows_of_a_search_and_of_a_reading(tmp_path, small):
    given = rows(people(20), year=tuple(range(60)), kind=tuple("ab" * 30), score=(None,) * 30 + (0.5,) * 30)
    store = made(tmp_path / "index", given)
    where = [Condition("year", AT_LEAST, 20), Condition("kind", EQUAL, "a")]
    assert {name for name, told in content(store).items() if told[3]["year"] >= 20 and told[3]["kind"] == "a"} == set(
        content(store, *where)
    )
    found = store.search(given.vectors[:3], 60, where)
    assert all(set(ids) == set(content(store, *where)) for ids in found.ids)
    assert len(content(store, Condition("score", AT_LEAST, 0))) == 30
    assert set(content(store, Condition("subject", EQUAL, "person-0003"))) == {given.ids[row] for row in (3, 23, 43)}
    assert set(content(store, Condition("source", EQUAL, given.sources[4]))) == {given.ids[4]}
    assert store.search(given.vectors[4:5], 5, [Condition("id", EQUAL, given.ids[9])]).ids == ((given.ids[9],),)
    with pytest.raises(ParameterError, match=r"yaer[\s\S]*'2024', a str"):
        store.search(given.vectors[:1], 1, [Condition("yaer", EQUAL, 1), Condition("year", EQUAL, "2024")])


def test_new_columns_are_none_in_earlier_rows_and_other_types_are_refused(tmp_path):
    store = made(tmp_path / "index", rows(["ann"], year=(2024,)))
    store.add(rows(["bob"], first=1, ward=("west",), year=(None,)))
    told = content(store)
    assert told["picture-0.png"][3] == {"year": 2024, "ward": None}
    assert told["picture-1.png"][3] == {"year": None, "ward": "west"}
    assert store.search(rows(["x"]).vectors, 2).metadata[0][0].keys() == {"year", "ward"}
    with pytest.raises(ParameterError, match=r"9 components[\s\S]*'year'\S* got str, expected int[\s\S]*'ward'"):
        store.add(rows(["eve"], first=2, components=9, year=("2024",), ward=(1,)))
    assert content(store) == told


def test_vectors_of_another_network_are_refused(tmp_path):
    made(tmp_path / "index")
    with pytest.raises(ParameterError, match=r"vectors of a network, 8 components, expected another one, 8"):
        ParquetStore.open(tmp_path / "index", VectorSpace(bytes(32), "another one", 8))
    with pytest.raises(ParameterError, match="32"):
        ParquetStore.open(tmp_path / "index").search(np.zeros((1, 32)), 1)


def test_an_empty_index_answers(tmp_path):
    store = made(tmp_path / "index")
    assert store.search(np.zeros((2, 8)), 3).ids == ((), ()) and content(store) == {} and store.subjects() == {}
    assert store.add(rows([])) == 0 and store.describe().rows == 0
    assert store.search(np.zeros((1, 8)), 3, [Condition("id", EQUAL, "x")]).ids == ((),)


def test_an_index_is_made_only_where_nothing_is(tmp_path):
    store = made(tmp_path / "index", rows(["ann"]))
    with pytest.raises(OutputError, match=r"store\.json|fragment"):
        ParquetStore.create(tmp_path / "index", SPACE)
    (tmp_path / "other.keys").write_bytes((tmp_path / "index.keys").read_bytes())
    (tmp_path / "other.keys").chmod(0o600)
    with pytest.raises(OutputError, match="never overwritten"):
        ParquetStore.create(tmp_path / "other", SPACE)
    with pytest.raises(OutputError, match="mkdir -p"):
        ParquetStore.create(tmp_path / "nowhere" / "index", SPACE)
    with pytest.raises(ParameterError, match="no such file"):
        ParquetStore.open(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(tmp_path / "index")
    assert content(ParquetStore.open(tmp_path / "link")) == content(store)
    with pytest.raises(ParameterError, match="a folder"):
        ParquetStore.open(tmp_path)


def test_keys_lie_elsewhere_if_one_likes_and_belong_to_one_index(tmp_path):
    (tmp_path / "safe").mkdir()
    store = ParquetStore.create(tmp_path / "index", SPACE, tmp_path / "safe" / "k")
    store.add(rows(["ann"]))
    assert not (tmp_path / "index.keys").exists()
    with pytest.raises(ParameterError, match="without the keys no vector"):
        ParquetStore.open(tmp_path / "index")
    made(tmp_path / "second")
    with pytest.raises(ParameterError, match="another index"):
        ParquetStore.open(tmp_path / "index", keys=tmp_path / "second.keys")
    assert len(content(ParquetStore.open(tmp_path / "index", keys=tmp_path / "safe" / "k"))) == 1
    (tmp_path / "safe" / "k").chmod(0o644)
    with pytest.raises(ParameterError, match="chmod 600"):
        ParquetStore.open(tmp_path / "index", keys=tmp_path / "safe" / "k")


def test_an_index_that_was_made_anew_under_an_open_one_is_told(tmp_path):
    store = made(tmp_path / "index", rows(["ann"]))
    shutil.rmtree(tmp_path / "index")
    (tmp_path / "index.keys").unlink()
    made(tmp_path / "index", rows(["eve"]))
    for use in (lambda: content(store), lambda: store.add(rows(["bob"])), lambda: store.erase(["eve"])):
        with pytest.raises(ParameterError, match="another index than was opened"):
            use()


def test_an_opened_store_sees_what_another_one_adds(tmp_path, small):
    writer = made(tmp_path / "index", rows(people(10)))
    reader = ParquetStore.open(tmp_path / "index")
    query = rows(["eve"], first=900)
    assert query.ids[0] not in reader.search(query.vectors, 100).ids[0]
    writer.add(query)
    assert reader.search(query.vectors, 1).ids == (query.ids,)


def _adds(path, first):
    ParquetStore.open(path).add(rows(people(5), first=first))


def test_writers_take_turns_and_one_that_waits_too_long_says_so(tmp_path):
    store = made(tmp_path / "index")
    writers = [threading.Thread(target=_adds, args=(tmp_path / "index", 100 * number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(content(store)) == 60
    waiting = ParquetStore.open(tmp_path / "index", wait=0.05)
    with store._folder.changing(), pytest.raises(OutputError, match="another writer"):
        waiting.add(rows(["ann"]))
    with store._folder.changing():
        assert len(content(waiting)) == 60, "readers do not wait"


def test_readers_beside_a_writer_get_whole_answers(tmp_path, small):
    """Each addition is of one person with as many rows as numbers; a reader sees all of one or none."""
    store = made(tmp_path / "index", rows(["person"] * 6))
    reader, seen, problems = ParquetStore.open(tmp_path / "index"), [], []

    def read() -> None:
        while not done.is_set():
            try:
                found = reader.search(np.ones((1, 8)), 1000, [Condition("subject", Relation.NOT_EQUAL, "x")])
                seen.append(len(found.ids[0]))
            except Exception as error:
                problems.append(error)

    done = threading.Event()
    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 15):
        store.add(rows([f"new-{number}"] * 6, first=6 * number))
    time.sleep(0.05)
    done.set()
    thread.join()
    assert problems == [] and {count % 6 for count in seen} == {0} and len(set(seen)) > 1


def test_another_process_adds(tmp_path):
    store = made(tmp_path / "index", rows(["ann"]))
    process = multiprocessing.get_context("fork").Process(target=_adds, args=(tmp_path / "index", 50))
    process.start()
    process.join()
    assert len(content(store)) == 16


def test_a_store_shows_no_key(tmp_path):
    store = made(tmp_path / "index", rows(["ann"]))
    assert "ann" not in repr(store) and "ann" not in repr(store._current().ring)
    with pytest.raises(TypeError):
        pickle.dumps(store._current().ring)
