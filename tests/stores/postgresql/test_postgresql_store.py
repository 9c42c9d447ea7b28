"""A store in PostgreSQL against a scan by numpy: rows, conditions, replacements, columns, spaces, roles.

Answers for `privis.stores.postgresql.postgresql_store`, `privis.stores.postgresql.postgresql_tables`,
`privis.stores.postgresql.open_vectors`, `privis.stores.postgresql.sealed_blobs`.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError, ProtocolError, ServiceError
from privis.stores import Condition, Relation, VectorRows, VectorSpace
from privis.stores.postgresql.postgresql_store import PostgresqlStore
from privis.stores.postgresql.postgresql_tables import ApproximateIndex, Element
from tests.stores.postgresql.database_server import DatabaseServer
from tests.stores.postgresql.marked_rows import COMPONENTS, SPACE, rows

Address = Callable[[], str]
KINDS = (Element.SEALED, Element.SINGLE, Element.HALF)


def made(address: str, element: Element, folder: Path, space: VectorSpace = SPACE) -> PostgresqlStore:
    keys = folder / "index.keys" if element is Element.SEALED else None
    return PostgresqlStore.create(address, space, keys=keys, element=element)


def reopened(store: PostgresqlStore, space: VectorSpace | None = SPACE) -> PostgresqlStore:
    return PostgresqlStore.open(str(store.address), space, keys=store.keys and store.keys.path)


@pytest.mark.parametrize("element", KINDS)
def test_a_store_finds_what_a_scan_finds(element: Element, address: Address, tmp_path: Path) -> None:
    store, given = made(address(), element, tmp_path), rows(300)
    assert store.search(given.vectors[:1], 3).ids == ((),)
    assert store.add(given) == 0
    changed = rows(300, seed=8).vectors
    some = slice(10, 14)
    heights = {"height": (1.0, 2.5, None, 0.0)}
    again = VectorRows(given.ids[some], given.subjects[some], given.sources[some], changed[some], heights)
    assert store.add(again) == 4
    vectors = given.vectors.copy()
    vectors[10:14] = changed[10:14]
    if element is Element.HALF:
        vectors = vectors.astype(np.float16).astype(np.float32)
    store = pickle.loads(pickle.dumps(reopened(store)))
    said = store.describe()
    assert (said.kind, said.rows, said.subjects, said.sealed) == ("postgresql", 300, 60, element is Element.SEALED)
    assert said.columns == {"year": "int", "ward": "str", "height": "float"} and said.space == SPACE
    assert store.subjects() == {f"person-{number:04d}": 5 for number in range(60)}
    queries = np.random.default_rng(3).normal(size=(4, COMPONENTS))
    scores = queries @ vectors.astype(np.float64).T
    found = store.search(queries, 7)
    order = np.argsort(-scores, axis=1)[:, :7]
    assert found.ids == tuple(tuple(given.ids[row] for row in line) for line in order)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, order, 1), rtol=1e-12)
    assert found.recall is None
    held = {name: row for part in store.rows() for name, row in zip(part.ids, part.vectors, strict=True)}
    assert all(np.array_equal(held[name], vectors[row]) for row, name in enumerate(given.ids)) and len(held) == 300


@pytest.mark.parametrize("element", KINDS[:2])
def test_conditions_mean_what_they_mean_in_python(element: Element, address: Address, tmp_path: Path) -> None:
    given = rows(40)
    nan, texts = float("nan"), ("É", "a", "B", "b'; DROP TABLE images; --", None)
    metadata = {
        "size": tuple((nan, 1.0, -2.5, None)[row % 4] for row in range(40)),
        "tall": tuple((True, False, None)[row % 3] for row in range(40)),
        "Name": tuple(texts[row % 5] for row in range(40)),
        "number": tuple((2**63 - 1, -7, None)[row % 3] for row in range(40)),
        "one": (None,) * 40,
    }
    given = VectorRows(given.ids, given.subjects, given.sources, given.vectors, metadata)
    store = made(address(), element, tmp_path)
    store.add(given)
    python = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
    asked = [("size", 1), ("size", nan), ("tall", True), ("Name", texts[3]), ("Name", "Z"), ("number", 2**63 - 1)]
    fixed = {"id": given.ids, "subject": given.subjects}
    for column, value in [*asked, ("id", given.ids[3]), ("subject", "person-0001")]:
        for relation in Relation:
            held = {**metadata, **fixed}[column]
            wanted = {
                name
                for name, each in zip(given.ids, held, strict=True)
                if each is not None and getattr(type(each), python[relation.value])(each, type(each)(value))
            }
            condition = Condition(column, relation, value)
            assert {name for part in store.rows([condition]) for name in part.ids} == wanted, condition
            found = store.search(given.vectors[:1], 40, [condition])
            assert set(found.ids[0]) == wanted, condition
    for bad in (Condition('x"; DROP TABLE images', Relation.EQUAL, 1), Condition("tall", Relation.EQUAL, "x")):
        with pytest.raises(ParameterError, match="condition on"):
            store.search(given.vectors[:1], 1, [bad])
    assert store.describe().rows == 40


def test_scores_that_float32_cannot_tell_apart_are_ranked_in_double(address: Address, tmp_path: Path) -> None:
    """A hundred rows whose products with the query differ by less than pgvector's rounding."""
    random = np.random.default_rng(5)
    base = random.normal(size=COMPONENTS)
    vectors = (base + random.normal(size=(200, COMPONENTS)) * 3e-8).astype(np.float32)
    given = replace(rows(200), vectors=vectors)
    store = made(address(), Element.SINGLE, tmp_path)
    store.add(given)
    exact = vectors.astype(np.float64) @ base
    assert store.search(base[None], 10).ids[0] == tuple(
        given.ids[row] for row in np.argsort(-exact, kind="stable")[:10]
    )


@pytest.mark.parametrize("index", ApproximateIndex)
def test_an_approximate_search_says_its_recall(index: ApproximateIndex, address: Address) -> None:
    store = PostgresqlStore.create(address(), SPACE, element=Element.HALF, index=index)
    given = rows(400)
    store.add(given)
    found = store.search(given.vectors[:20], 5, approximate=True)
    assert [ids[0] for ids in found.ids] == list(given.ids[:20])
    truth = store.search(given.vectors[:20:3], 5)
    shares = [len(set(a) & set(b)) for a, b in zip(found.ids[::3], truth.ids, strict=True)]
    assert found.recall == sum(shares) / (5 * len(shares)) > 0.9
    few = store.search(given.vectors[:2], 5, [Condition("year", Relation.EQUAL, 2003)], approximate=True)
    assert [len(ids) for ids in few.ids] == [5, 5]
    assert {told["year"] for each in few.metadata for told in each} == {2003}


def test_what_cannot_be_kept_is_refused_and_leaves_nothing(address: Address, tmp_path: Path) -> None:
    place = address()
    store = made(place, Element.HALF, tmp_path)
    given = rows(4)
    store.add(given)
    refused = [
        (replace(given, vectors=given.vectors * np.float32(1e6)), "65504"),
        (replace(given, vectors=given.vectors[:, :5].copy()), "5 components"),
        (replace(given, metadata={"year": ("a",) * 4}), "values of type str, expected int"),
        (replace(given, metadata={"ctid": (1,) * 4}), "every table of PostgreSQL has"),
    ]
    for bad, words in refused:
        with pytest.raises(ParameterError, match=words):
            store.add(replace(bad, ids=("n1", "n2", "n3", "n4")))
    assert [part.ids for part in store.rows()] == [given.ids]
    other = replace(SPACE, identity=b"b" * 32, words="another network")
    with pytest.raises(ParameterError, match=r"vectors of a test, expected those of another network"):
        PostgresqlStore.open(place, other)
    with pytest.raises(ParameterError, match="a store that is there"):
        made(place, Element.SINGLE, tmp_path)
    with pytest.raises(ParameterError, match="no store"):
        PostgresqlStore.open(address())
    with pytest.raises(ParameterError, match=r"pass keys=PATH"):
        PostgresqlStore.create(address(), SPACE)
    with pytest.raises(ParameterError, match=r"at most 16,000.*Element.SEALED"):
        PostgresqlStore.create(address(), replace(SPACE, components=16_001), element=Element.SINGLE)
    with pytest.raises(ParameterError, match="queries"):
        store.search(np.full((1, COMPONENTS), np.nan), 1)
    with pytest.raises(ParameterError, match=r"'eve'.*nobody was erased"):
        store.erase([given.subjects[0], "eve"])
    assert store.describe().rows == 4
    (tmp_path / "there").touch()
    with pytest.raises(OutputError, match="keys are never overwritten"):
        PostgresqlStore.create(fresh := address(), SPACE, keys=tmp_path / "there")
    assert (tmp_path / "there").exists()
    PostgresqlStore.create(fresh, SPACE, keys=tmp_path / "new")


def test_an_address_says_how_vectors_are_kept(address: Address, tmp_path: Path) -> None:
    plain = address()
    place = plain.replace("postgresql:", "postgresql+vector:")
    store = PostgresqlStore.create(place, SPACE, keys=tmp_path / "keys")
    assert not store.describe().sealed and not (tmp_path / "keys").exists()
    store.add(rows(5))
    for each in (plain, place, store.describe().place):
        opened = PostgresqlStore.open(each, SPACE, keys=tmp_path / "keys")
        assert opened.search(rows(5).vectors[:1], 1, approximate=True).ids == ((rows(5).ids[0],),)
    with pytest.raises(ParameterError, match=r"a store that is vector, expected halfvec"):
        PostgresqlStore.open(plain.replace("postgresql:", "postgresql+halfvec:"))


@pytest.mark.parametrize("element, most", [(Element.SINGLE, 2000), (Element.HALF, 4000)])
def test_longer_vectors_than_an_index_holds_are_searched_exactly(element: Element, most: int, address: Address) -> None:
    for components in (most, most + 1):
        store = PostgresqlStore.create(address(), replace(SPACE, components=components), element=element)
        vectors = np.eye(3, components, dtype=np.float32)
        store.add(replace(rows(3), vectors=vectors))
        assert store.search(vectors, 1).ids == tuple((name,) for name in rows(3).ids)
        if components == most:
            assert store.search(vectors, 1, approximate=True).recall == 1.0
            continue
        with pytest.raises(ParameterError, match=f"at most {most}"):
            store.search(vectors, 1, approximate=True)


def _write(store: PostgresqlStore, first: int) -> None:
    for begin in range(first, first + 40, 10):
        store.add(rows(10, begin))
        store.add(replace(rows(2, 1000), subjects=(f"writer-{first}",) * 2))


@pytest.mark.parametrize("element", KINDS[:2])
def test_several_processes_write_at_once(element: Element, address: Address, tmp_path: Path) -> None:
    store = made(address(), element, tmp_path)
    store.add(rows(5, 500))
    several = multiprocessing.get_context("fork")
    writers = [several.Process(target=_write, args=(store, first)) for first in (0, 100, 200)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(60)
    assert [each.exitcode for each in writers] == [0, 0, 0]
    ids = [name for part in store.rows() for name in part.ids]
    wanted = [*rows(5, 500).ids, *rows(2, 1000).ids, *(name for first in (0, 100, 200) for name in rows(40, first).ids)]
    assert sorted(ids) == sorted(wanted)


def test_a_sealed_store_shows_the_server_nothing(address: Address, database: DatabaseServer, tmp_path: Path) -> None:
    import psycopg

    store, given = made(address(), Element.SEALED, tmp_path), rows(20)
    store.add(given)
    with psycopg.connect(str(store.address).partition("#")[0]) as connection:
        told = connection.execute(f"SELECT * FROM {store.address.schema}.images").fetchall()
        row = connection.execute(f"SELECT * FROM {store.address.schema}.store").fetchall()
    seen = b"".join(bytes(sealed) for *_, sealed in told) + repr(row).encode()
    assert not [text for text in (*given.ids, *given.subjects) if text.encode() in seen]
    assert given.vectors[0, :4].tobytes() not in seen and bytes.fromhex(given.sources[0]) not in seen
    without = PostgresqlStore.open(str(store.address))
    assert without.describe().rows == 20
    with pytest.raises(ParameterError, match="keys=PATH"):
        without.search(given.vectors[:1], 1)
    with psycopg.connect(str(store.address).partition("#")[0]) as connection:  # one person's blob in another's place
        query = "UPDATE {0}.images SET sealed = (SELECT sealed FROM {0}.images WHERE fragment = 2) WHERE fragment = 1"
        connection.execute(query.format(store.address.schema))
    with pytest.raises(ProtocolError, match=r"fragment 1: got a damaged blob"):
        reopened(store).search(given.vectors[:1], 1)


def test_a_database_without_pgvector_says_what_to_do(database: DatabaseServer, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(database.address("x").partition("#")[0], autocommit=True) as connection:
        connection.execute("CREATE ROLE visitor LOGIN")
        connection.execute("CREATE DATABASE bare OWNER visitor")
    place = database.address("faces", "visitor").replace("/postgres#", "/bare#")
    with pytest.raises(ParameterError, match=r"a superuser run CREATE EXTENSION vector.*or keep vectors sealed"):
        PostgresqlStore.create(place, SPACE, element=Element.SINGLE)
    store = made(place, Element.SEALED, tmp_path)  # needs none, and the failure left nothing
    store.add(rows(5))
    assert store.search(rows(5).vectors[:1], 1).ids == ((rows(5).ids[0],),)


def test_a_password_comes_from_a_file_and_is_in_no_message(
    address: Address, database: DatabaseServer, tmp_path: Path
) -> None:
    import psycopg

    word = "w0rd-of-a-role"
    with psycopg.connect(database.address("x").partition("#")[0], autocommit=True) as connection:
        connection.execute("CREATE ROLE locked LOGIN SUPERUSER")
        connection.execute(f"ALTER ROLE locked PASSWORD '{word}'")
        rules = (database.data / "pg_hba.conf").read_text()
        (database.data / "pg_hba.conf").write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{rules}")
        connection.execute("SELECT pg_reload_conf()")
    given = tmp_path / "word"
    schema = address().partition("#")[2]
    place = database.address(schema, "locked").replace("#", f"?passfile={given}#")
    for content in (f"*:*:*:*:{word}x", ""):
        given.write_text(content)
        given.chmod(0o600)
        with pytest.raises(ServiceError, match=r"password") as caught:
            PostgresqlStore.create(place, SPACE, element=Element.SINGLE)
        assert word not in str(caught.value) and word not in repr(caught.value)
    given.write_text(f"*:*:*:*:{word}")
    store = PostgresqlStore.create(place, SPACE, element=Element.SINGLE)
    store.add(rows(5))
    told = (repr(store), str(store.describe()), pickle.dumps(store).decode("latin-1"))
    assert not [each for each in told if word in each] and reopened(store).describe().rows == 5


def test_a_role_that_may_only_read_searches_and_does_not_write(address: Address, database: DatabaseServer) -> None:
    import psycopg

    store, given = PostgresqlStore.create(address(), SPACE, element=Element.SINGLE), rows(20)
    store.add(given)
    name = store.address.schema
    with psycopg.connect(database.address("x").partition("#")[0], autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {name} TO reader")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO reader")
    reader = PostgresqlStore.open(database.address(name, "reader"))
    assert reader.search(given.vectors[:1], 1).ids == ((given.ids[0],),)
    with pytest.raises(ServiceError, match=r"permission denied.*nothing of this call was stored"):
        reader.add(given)
    store.erase([given.subjects[0]])
    assert reader.describe().rows == 15  # what was granted is still granted


@pytest.mark.parametrize("element", KINDS[:2])
def test_its_benchmark_runs_on_a_few_vectors(element: Element, address: Address, tmp_path: Path) -> None:
    from benchmarks.stores.postgresql_store import measured

    found = measured(address(), element, tmp_path / "keys", 60, 16, 20)
    assert set(found) == {"fill", "add", "first search", "ten searches", "erase"}
