"""Erasure in a PostgreSQL server, found out by a search for plain bytes below its data directory.

Answers for `privis.stores.postgresql.server_erasure`, `privis.stores.postgresql.server_log`,
`privis.stores.postgresql.server_files`.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from privis.errors import ParameterError
from privis.stores import Condition, Relation, Residue, VectorRows
from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.postgresql import postgresql_store, server_erasure, server_files
from privis.stores.postgresql.postgresql_store import PostgresqlStore
from privis.stores.postgresql.postgresql_tables import Element
from tests.stores.postgresql.database_server import DatabaseServer
from tests.stores.postgresql.marked_rows import COMPONENTS, SPACE, count_in, rows, windows
from tests.stores.postgresql.test_postgresql_store import made, reopened

Address = Callable[[], str]
WHO = "person-0003"
_SEEDS = itertools.count(100)
FORMS = {Element.SINGLE: "<f4", Element.HALF: "<f2"}


@pytest.fixture
def seed() -> int:
    """Of vectors that no other store on the server holds."""
    return next(_SEEDS)


def connected(address: str) -> psycopg.Connection[Any]:
    return psycopg.connect(address.partition("#")[0], autocommit=True)


def marks(store: PostgresqlStore, element: Element) -> list[bytes]:
    """What the files of the server hold of somebody: pieces of vectors, or of blobs."""
    if element is not Element.SEALED:
        mine = next(store.rows([Condition("subject", Relation.EQUAL, WHO)]))
        return windows(mine.vectors[:1], FORMS[element], 32)
    with connected(str(store.address)) as connection:
        blobs = connection.execute(f"SELECT key, sealed FROM {store.address.schema}.images").fetchall()
    ring = store.keys.read()  # type: ignore[union-attr]
    number = ring.numbers[ring.places_of([WHO])[0]]
    mine = b"".join(blob for key, blob in blobs if key == number)
    return [mine[start : start + 16] for start in range(0, len(mine) - 15, 64)]


@pytest.mark.parametrize("element", [Element.SEALED, Element.SINGLE, Element.HALF])
def test_nothing_is_left_below_the_data_directory(
    element: Element, address: Address, database: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    size = 600 if element is Element.SINGLE else COMPONENTS  # these lie in a TOAST table, as blobs do
    store = made(address(), element, tmp_path, replace(SPACE, components=size))
    given = rows(200, components=size, seed=seed)
    store.add(given)
    store.add(rows(40, seed=9000 + seed, components=size))  # what was replaced is erased, too
    wanted = marks(store, element)
    if element is Element.SINGLE:
        wanted += windows(given.vectors[15:16], step=64)
    if element is Element.SINGLE:
        store.search(given.vectors[:1], 3, approximate=True)
    table = f"{store.address.schema}.images"
    with connected(str(store.address)) as old, connected(str(store.address)) as connection:
        connection.execute("CHECKPOINT")
        assert count_in(database.data, wanted) > 0.9 * len(wanted)  # some lie across the ends of pages
        connection.execute(f"ANALYZE {table}")  # as autovacuum does: copies no value of these columns
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM pg_class")  # of a snapshot that is older than the erasure
        residue = store.erase([WHO])
        assert count_in(database.data, wanted) == 0
    found = store.verify_erased(residue)
    assert (found.remains, found.unsearched) == ((), ())
    assert found.bytes > sum(path.stat().st_size for path in (database.data / "base").rglob("*") if path.is_file())
    assert any("pg_wal" in each for each in found.searched) and any("base" in each for each in found.searched)
    assert residue.vectors.shape == (5, size) and {WHO, given.ids[15], given.sources[15]} <= set(residue.texts)
    assert store.describe().rows == 195 and WHO not in store.subjects()
    assert store.search(given.vectors[60:61], 1).ids == ((given.ids[60],),)
    with pytest.raises(ParameterError, match=WHO):
        store.erase([WHO])


def test_what_is_there_is_found(address: Address, tmp_path: Path, seed: int) -> None:
    """The control of the test above: a copy that somebody made in another table is found, by its form."""
    store = made(address(), Element.SINGLE, tmp_path)
    store.add(rows(100, seed=seed))
    with connected(str(store.address)) as connection:
        schema = store.address.schema
        connection.execute(f"CREATE TABLE public.copied_{schema} AS SELECT vector FROM {schema}.images LIMIT 20")
        residue = store.erase([WHO])
        connection.execute("CHECKPOINT")
        found = store.verify_erased(residue)
        assert any("base" in each and each.endswith(": float32") for each in found.remains)
        connection.execute(f"DROP TABLE public.copied_{schema}")


STEPS = {
    "once it was begun": (postgresql_store.server_erasure, "begin", True),
    "before keys are dropped": (postgresql_store.SubjectKeys, "drop", False),
    "once keys are dropped": (postgresql_store.SubjectKeys, "drop", True),
    "while rows are written anew": (server_erasure, "_refilled", True),
    "before the log is written over": (server_erasure, "overwrite_log", False),
    "once the log was written over": (server_erasure, "overwrite_log", True),
}


def killed_at(store: PostgresqlStore, step: str) -> None:
    """Erase in a child that is killed before or after a function."""
    place, name, after = STEPS[step]
    real = getattr(place, name)

    def kill(*words: Any, **options: Any) -> None:
        if after:
            real(*words, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            setattr(place, name, kill)
            store.erase([WHO])
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize(
    "element, step",
    [
        *((Element.SEALED, step) for step in STEPS),
        (Element.SINGLE, "while rows are written anew"),
        (Element.SINGLE, "before the log is written over"),
    ],
)
def test_a_killed_erasure_is_finished_by_whoever_opens_the_store(
    element: Element, step: str, address: Address, database: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    store = made(address(), element, tmp_path)
    store.add(rows(60, seed=seed))
    wanted = marks(store, element)[:8]
    mine = Condition("subject", Relation.EQUAL, WHO)
    before = next(store.rows([mine]))
    killed_at(store, step)
    store = reopened(store)
    if element is Element.SINGLE and step == "while rows are written anew":  # its transaction never ended
        assert store.subjects()[WHO] == 5 and store.describe().rows == 60
        assert np.array_equal(next(store.rows([mine])).vectors, before.vectors)
        store.erase([WHO])
    assert WHO not in store.subjects() and store.describe().rows == 55
    assert count_in(database.data, wanted) == 0
    store.add(rows(5, 500))
    assert store.describe().rows == 60


def test_a_role_that_may_not_write_the_log_over_never_says_gone(
    address: Address, database: DatabaseServer, tmp_path: Path, seed: int
) -> None:
    with connected(database.address("x")) as connection:
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute("GRANT CREATE ON DATABASE postgres TO clerk")
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
    schema = address().partition("#")[2]
    store = PostgresqlStore.create(database.address(schema, "clerk"), SPACE, element=Element.SINGLE)
    store.add(rows(60, seed=seed))
    wanted = windows(rows(60, seed=seed).vectors[15:16], step=32)
    residue = store.erase([WHO])
    found = store.verify_erased(residue)
    assert any("may not read them through the server" in each for each in found.unsearched)
    assert any("'clerk' may not have it written over" in each for each in found.unsearched)
    assert any("log_statement" in each for each in found.unsearched) and "rows by COPY" in found.searched[0]
    scanner = ResidueScanner(Residue(rows(60, seed=seed).vectors[40:41], (), ()))  # the control: what is in the rows
    with connected(str(store.address)) as connection:
        server_files._search_rows(connection, schema, scanner)
    assert scanner.result().remains == (f"{schema}/images: float32 big-endian",)
    log = (database.data.parent / "log").read_text()
    assert "COPY" in log and not [each for each in residue.texts if each in log], "names travel by COPY alone"
    again = PostgresqlStore.open(database.address(schema))  # a superuser finishes it
    assert count_in(database.data, wanted) == 0
    with connected(database.address("x")) as connection:
        connection.execute("ALTER SYSTEM RESET log_statement")
        connection.execute("SELECT pg_reload_conf()")
    assert again.verify_erased(residue).unsearched == ()


def test_a_replication_slot_keeps_the_log_and_is_named(address: Address, tmp_path: Path, seed: int) -> None:
    store = made(address(), Element.SINGLE, tmp_path)
    with connected(str(store.address)) as connection:
        connection.execute("SELECT pg_create_physical_replication_slot('mirror', true)")
        try:
            store.add(rows(30, seed=seed))
            residue = store.erase([WHO])
            found = store.verify_erased(residue)
            assert any("'mirror' keeps what it held" in each for each in found.unsearched)
            assert any("pg_wal" in each for each in found.remains)
        finally:
            connection.execute("SELECT pg_drop_replication_slot('mirror')")
    found = reopened(store).verify_erased(residue)
    assert (found.remains, found.unsearched) == ((), ())


def test_files_of_another_machine_are_read_by_the_server(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(server_files, "_directory", lambda connection: None)
    store = made(address(), Element.SINGLE, tmp_path)
    store.add(rows(30, seed=seed))
    residue = store.erase([WHO])
    found = store.verify_erased(residue)
    assert (found.remains, found.unsearched) == ((), ()) and found.bytes > 1 << 24
    assert any("by the server" in each for each in found.searched)


def test_receipts_say_what_was_searched(address: Address, database: DatabaseServer, tmp_path: Path, seed: int) -> None:
    """Gone where everything could be read; where it could not, a sealed store's key is destroyed, and that is all."""
    from privis.stores import ErasureStatus
    from privis.stores.erasure.erasing import erased
    from privis.stores.erasure.receipt_checks import checked
    from privis.stores.erasure.receipt_log import ReceiptFiles

    with connected(database.address("x")) as connection:
        connection.execute("CREATE ROLE nurse LOGIN")
        connection.execute("GRANT CREATE ON DATABASE postgres TO nurse")
    wanted = {
        ("postgres", Element.SEALED): ErasureStatus.GONE,
        ("postgres", Element.SINGLE): ErasureStatus.GONE,
        ("nurse", Element.SEALED): ErasureStatus.KEY_DESTROYED,
        ("nurse", Element.SINGLE): ErasureStatus.UNSUPPORTED,
    }
    for number, ((role, element), status) in enumerate(wanted.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = database.address(address().partition("#")[2], role)
        store = made(place, element, folder)
        store.add(rows(20, seed=1000 * seed + number))
        files = ReceiptFiles.beside(folder / "index")
        receipt = erased(store, [WHO], files)
        assert receipt.status is status, (role, element, receipt.unsearched, receipt.remains)
        assert checked(receipt, files).status is status
        assert WHO not in str(receipt.to_dict())


def _read(store: PostgresqlStore, given: VectorRows, done: threading.Event, failed: list[BaseException]) -> None:
    try:
        while not done.is_set():
            found = store.search(given.vectors[:1], 300).ids[0]
            assert len(found) in (300, 295) and set(given.ids) - set(found) <= set(given.ids[15:20])
            names = [name for part in store.rows() for name in part.ids]
            assert len(set(names)) == len(names) in (300, 295)
    except BaseException as error:
        failed.append(error)


def test_readers_go_on_while_somebody_is_erased(address: Address, tmp_path: Path, seed: int) -> None:
    """Of each read all rows are there but those of whoever is erased, and of him all or none."""
    for element in (Element.SEALED, Element.SINGLE):
        store = made(address(), element, tmp_path)
        given = rows(300, seed=seed)
        store.add(given)
        failed: list[BaseException] = []
        done = threading.Event()

        readers = [threading.Thread(target=_read, args=(reopened(store), given, done, failed)) for _ in range(2)]
        for each in readers:
            each.start()
        store.erase([WHO])
        done.set()
        for each in readers:
            each.join(30)
        assert failed == [] and len(store.search(given.vectors[:1], 300).ids[0]) == 295
