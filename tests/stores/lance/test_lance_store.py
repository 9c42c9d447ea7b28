"""Answers for `privis.stores.lance.lance_store` and what it is made of: `privis.stores.lance.open_rows`,
`privis.stores.lance.sealed_units`, `privis.stores.lance.lance_filters`, `privis.stores.lance.lance_tables`,
`privis.stores.lance.lance_reader` and `privis.stores.lance.lance_record`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from privis.errors import OutputError, ParameterError, Problem
from privis.stores import Condition, Relation, VectorRows, VectorSpace
from privis.stores.conditions import fitting

pytest.importorskip("lancedb")

from privis.stores.lance import LanceStore, lance_changes, open_rows
from privis.stores.lance.index_work import do_work
from privis.stores.lance.lance_record import BegunChange, LanceRecord
from tests.stores.lance.lance_rows import COMPONENTS, SPACE, content, made, rows

ALL = rows(0, 400)
QUERIES = np.random.default_rng(1).standard_normal((5, COMPONENTS))


@pytest.fixture(scope="module", params=[True, False], ids=["sealed", "open"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanceStore:
    """One that is only read."""
    folder = tmp_path_factory.mktemp("store") / "index"
    return made(folder, request.param, rows(0, 250), rows(250, 400))


def exact(given: VectorRows, query: np.ndarray, top: int, allowed: np.ndarray | None = None) -> list[str]:
    scores = given.vectors.astype(np.float64) @ query
    if allowed is not None:
        scores[~allowed] = -np.inf
    order = np.argsort(-scores)[:top]
    return [given.ids[row] for row in order if scores[row] > -np.inf]


def test_a_search_is_that_of_all_vectors_in_double_precision(store: LanceStore) -> None:
    found = store.search(QUERIES, 10)
    assert [list(ids) for ids in found.ids] == [exact(ALL, query, 10) for query in QUERIES]
    for ids, scores, query in zip(found.ids, found.scores, QUERIES, strict=True):
        taken = ALL.vectors[[ALL.ids.index(name) for name in ids]].astype(np.float64)
        np.testing.assert_allclose(scores, taken @ query, rtol=1e-12)
    assert found.metadata[0][0] == {"year": ALL.metadata["year"][ALL.ids.index(found.ids[0][0])]}
    assert found.recall is None and len(store.search(QUERIES, 1000).ids[0]) == 400


def test_it_says_what_it_holds(store: LanceStore) -> None:
    told = store.describe()
    assert (told.kind, told.rows, told.subjects, told.columns) == ("lancedb", 400, 20, {"year": "int"})
    assert told.space == SPACE and told.bytes > ALL.vectors.nbytes
    assert dict(store.subjects()) == {f"person-{number:05}": 20 for number in range(20)}
    assert content(store) == {
        name: (ALL.subjects[row], ALL.sources[row], ALL.vectors[row].tobytes(), ALL.metadata["year"][row])
        for row, name in enumerate(ALL.ids)
    }


def test_it_is_there_when_it_is_opened_again(store: LanceStore) -> None:
    again = LanceStore.open(store.describe().place, SPACE)
    assert again.search(QUERIES, 3).ids == store.search(QUERIES, 3).ids


def test_vectors_of_another_network_are_refused(store: LanceStore) -> None:
    place = store.describe().place
    with pytest.raises(ParameterError, match="vectors of a network, 32 components, expected another, 32"):
        LanceStore.open(place, VectorSpace(bytes(32), "another", COMPONENTS))
    with pytest.raises(ParameterError, match="3 components"):
        store.add(VectorRows(("x",), ("ann",), ("0" * 64,), np.ones((1, 3), np.float32)))
    with pytest.raises(ParameterError, match=r"shape \(1, 3\)"):
        store.search([[1, 2, 3]], 1)
    with pytest.raises(ParameterError, match="queries"):
        store.search(np.full((1, COMPONENTS), np.nan), 1)
    with pytest.raises(ParameterError, match="top"):
        store.search(QUERIES, 0)
    assert store.describe().rows == 400


@pytest.mark.parametrize("sealed", [True, False])
def test_conditions_are_those_of_rows_in_memory_and_values_are_never_sql(tmp_path: Path, sealed: bool) -> None:
    values = {
        "text": ("it's", '"q" \\ ; DROP TABLE x --', "é", "", None, "zz\n%"),
        "whole": (-(2**63), 2**63 - 1, 0, 5, None, 2**53 + 1),
        "real": (math.nan, math.inf, -math.inf, 0.0, None, -0.0),
        "truth": (True, False, True, None, None, False),
        "Select": (1, 2, 3, 4, 5, 6),
        "select": ("a", "b", "c", "d", "e", "f"),
    }
    types = {"text": pa.string(), "whole": pa.int64(), "real": pa.float64(), "truth": pa.bool_()}
    types |= {"Select": pa.int64(), "select": pa.string()}
    ids, subjects = tuple(f"o'b/{row}" for row in range(6)), tuple(f"su\"b'{row}" for row in range(6))
    given = VectorRows(ids, subjects, ("ab" * 32,) * 6, ALL.vectors[:6], values)
    store = LanceStore.create(tmp_path / "a b#c?d%20é", SPACE, sealed=sealed)
    store.add(given)
    for name, held in values.items():
        present = [value for value in held if value is not None]
        for value, relation in itertools.product(present, Relation):
            where = [Condition(name, relation, value)]
            wanted = {ids[row] for row in np.flatnonzero(fitting(where, {name: pa.array(held, types[name])}, 6))}
            assert {name for some in store.rows(where) for name in some.ids} == wanted, where
    where = [Condition("subject", Relation.EQUAL, subjects[3]), Condition("id", Relation.AT_LEAST, "o'b")]
    assert store.search(QUERIES[:1], 6, where).ids == ((ids[3],),)
    assert store.search(QUERIES[:1], 6, [Condition("real", Relation.GREATER, 0)]).ids == ((ids[1],),)
    for column, value in (("nothing", 1), ("whole", "x"), ("whole", None), ("whole", 1.5)):
        with pytest.raises(ParameterError, match=column):
            store.search(QUERIES, 1, [Condition(column, Relation.EQUAL, value)])


@pytest.mark.parametrize("sealed", [True, False])
def test_rows_are_added_and_replaced_without_a_rebuild(tmp_path: Path, sealed: bool) -> None:
    store, reader = made(tmp_path / "index", sealed, rows(0, 100)), None
    reader = LanceStore.open(tmp_path / "index")
    assert reader.search(QUERIES, 1).ids
    later = dataclasses.replace(rows(0, 150, seed=8), metadata={"place": ("home",) * 150, "year": (None,) * 150})
    some = [*range(90, 150)]
    added = VectorRows(
        tuple(later.ids[row] for row in some),
        ("new-one",) * 60,
        tuple(later.sources[row] for row in some),
        later.vectors[some],
        {"place": ("home",) * 60, "score": (1,) * 60},
    )
    assert store.add(added) == 10 and store.add(added) == 60
    assert store.describe().columns == {"year": "int", "place": "str", "score": "int"}
    joined = np.concatenate([rows(0, 100).vectors[:90], added.vectors])
    names = [*rows(0, 100).ids[:90], *added.ids]
    for each in (store, reader):  # one that was open all the time sees it, too
        (found,) = each.search(QUERIES[:1], 150).ids
        assert list(found) == [names[row] for row in np.argsort(-(joined.astype(np.float64) @ QUERIES[0]))]
        assert each.subjects()["new-one"] == 60
        where = [Condition("place", Relation.EQUAL, "home"), Condition("score", Relation.GREATER, 0)]
        assert len(each.search(QUERIES[:1], 150, where).ids[0]) == 60
    with pytest.raises(ParameterError, match=r"'year'.*values of type str.*int, as before"):
        store.add(dataclasses.replace(rows(0, 1), metadata={"year": ("x",)}))
    assert store.describe().rows == 150


def test_many_small_additions_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_changes, "_PARTS", 4)
    monkeypatch.setattr(lance_changes, "work_apart", lambda place, table, work, scratch: do_work(place, table, work))
    store, most = made(tmp_path / "index", False), 0
    for first in range(0, 60, 10):
        store.add(rows(first, first + 10))
        most = max(most, len(list((tmp_path / "index" / "rows-1.lance" / "data").iterdir())))
    assert most <= 5 and store.search(QUERIES, 60).ids[0] and store.describe().rows == 60
    monkeypatch.setattr(lance_changes, "work_apart", refused)
    assert store.add(rows(60, 99)) == 0 and store.add(rows(99, 100)) == 0 and store.describe().rows == 100


def refused(place: Path, table: str, work: str, scratch: Path) -> None:
    raise OutputError(Problem(str(place), "no space left", "room"))


def test_equal_and_nearly_equal_rows_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LanceDB's float32 orders them by chance: more candidates are asked for until nothing is left to chance."""
    given = rows(0, 120)
    vectors = np.repeat(given.vectors[:1], 120, axis=0)
    vectors[:, 0] += np.random.default_rng(3).permutation(120).astype(np.float32) * np.float32(2e-8)
    given = dataclasses.replace(given, vectors=vectors)
    store = made(tmp_path / "index", False, given)
    asked: list[int] = []
    search = open_rows._searched
    monkeypatch.setattr(open_rows, "_searched", lambda *words, **more: asked.append(words[2]) or search(*words, **more))
    scores = given.vectors.astype(np.float64) @ QUERIES[0]
    order = sorted(range(120), key=lambda row: (-scores[row], given.ids[row]))
    (found,) = store.search(QUERIES[:1], 5).ids
    assert list(found) == [given.ids[row] for row in order[:5]] and len(asked) > 1


def test_an_approximate_search_reports_its_recall(tmp_path: Path) -> None:
    store = made(tmp_path / "index", False)
    assert store.search(QUERIES, 5, approximate=True).ids == ((),) * 5
    store.add(ALL)
    with pytest.raises(ParameterError, match="'pq'"):
        store.build_index("pq")
    found = store.search(QUERIES, 5, approximate=True)
    right = [len(set(ids) & set(exact(ALL, query, 5))) for ids, query in zip(found.ids, QUERIES, strict=True)]
    assert found.recall == sum(right) / 25 and found.recall > 0.5
    where = [Condition("year", Relation.EQUAL, 2003)]
    allowed = np.array([year == 2003 for year in ALL.metadata["year"]])
    assert [list(ids) for ids in store.search(QUERIES, 5, where).ids] == [
        exact(ALL, each, 5, allowed) for each in QUERIES
    ]
    narrowed = store.search(QUERIES, 5, where, approximate=True)
    assert all(year == {"year": 2003} for each in narrowed.metadata for year in each)
    store.add(rows(400, 401))
    (best,) = store.search(rows(400, 401).vectors, 1, approximate=True).ids
    assert best == rows(400, 401).ids, "rows that came after the index are found"
    assert not (tmp_path / "index" / "scratch").exists()
    with pytest.raises(ParameterError, match="sealed"):
        made(tmp_path / "sealed", True, rows(0, 3)).build_index()


def test_writers_take_turns_and_nobody_loses_a_row(tmp_path: Path) -> None:
    made(tmp_path / "index", False)
    stores = [LanceStore.open(tmp_path / "index") for _ in range(3)]
    threads = [
        threading.Thread(target=each.add, args=(rows(100 * place, 100 * place + 50),))
        for place, each in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].describe().rows == 150
    impatient = LanceStore.open(tmp_path / "index", wait=0.05)
    with stores[0]._folder.changing(), pytest.raises(OutputError, match=r"another writer for 0\.05 seconds"):
        impatient.add(rows(900, 901))


def test_what_is_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "letter").write_text("mine")
    with pytest.raises(OutputError, match="letter among them"):
        LanceStore.create(tmp_path / "index", SPACE)
    assert (tmp_path / "index" / "letter").read_text() == "mine"
    (tmp_path / "b.keys").write_text("mine")
    with pytest.raises(OutputError, match=r"b\.keys"):
        LanceStore.create(tmp_path / "b", SPACE)
    with pytest.raises(ParameterError, match="open index has no keys"):
        LanceStore.create(tmp_path / "c", SPACE, keys=tmp_path / "k", sealed=False)
    with pytest.raises(ParameterError, match="expected a store of vectors in LanceDB"):
        LanceStore.open(tmp_path / "nothing")


def test_texts_of_the_folder_are_read_as_they_were_written() -> None:
    record = LanceRecord("ab" * 16, SPACE, True, "rows-3", {"year": "int"}, 1.5, "hnsw")
    assert LanceRecord.from_bytes(record.to_bytes()) == record
    change = BegunChange("erase", "rows-3", 4, ("data/x",), ("ann",), (2**62,))
    assert BegunChange.from_bytes(change.to_bytes()) == change
    for wrong in (b"", b"{}", b"[1]", record.to_bytes()[:-9], record.to_bytes().replace(b"rows-3", b"../../x")):
        with pytest.raises(ValueError):
            LanceRecord.from_bytes(wrong)
    for wrong in (b"{", record.to_bytes(), change.to_bytes().replace(b"erase", b"burn")):
        with pytest.raises(ValueError):
            BegunChange.from_bytes(wrong)
