"""Connections that break: what was stored is known, and what is said names nobody.

Answers for `privis.stores.postgresql.postgresql_connection`, `privis.stores.postgresql.sql_conditions`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from privis.errors import ServiceError
from privis.stores.postgresql import postgresql_connection, postgresql_store
from privis.stores.postgresql.postgresql_store import PostgresqlStore
from privis.stores.postgresql.postgresql_tables import Element
from tests.stores.postgresql.database_server import DatabaseServer
from tests.stores.postgresql.line_cutter import cut_off
from tests.stores.postgresql.marked_rows import SPACE, rows

Address = Callable[[], str]


@pytest.mark.parametrize(
    "word, before, stored", [(b"COMMIT\0", False, True), (b"COMMIT\0", True, False), (b"COPY", True, False)]
)
def test_a_lost_connection_loses_nothing_and_says_so(
    word: bytes, before: bool, stored: bool, address: Address, database: DatabaseServer
) -> None:
    store, given = PostgresqlStore.create(address(), SPACE, element=Element.SINGLE), rows(10)
    store.add(rows(3, 50))
    with cut_off(database.port, word, before) as port:
        far = PostgresqlStore.open(database.address(store.address.schema).replace(f":{database.port}/", f":{port}/"))
        if stored:  # the server says afterwards that it has them
            assert far.add(given) == 0
        else:
            with pytest.raises(ServiceError, match=r"nothing of this call was stored; do it again") as caught:
                far.add(given)
            assert not [text for text in given.ids if text in str(caught.value)]
    assert store.describe().rows == (13 if stored else 3)
    store.add(given)
    assert store.describe().rows == 13


def test_no_server_is_said(database: DatabaseServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ServiceError, match=r"postgresql://ann@127.0.0.1:\d+/x: .*refused.*once the server is there"):
        PostgresqlStore.open(f"postgresql://ann@127.0.0.1:{port}/x")


def test_a_writer_waits_for_another_one_and_not_for_ever(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr(postgresql_connection, "WAIT", 1)
    store = PostgresqlStore.create(address(), SPACE, element=Element.SINGLE)
    with psycopg.connect(str(store.address).partition("#")[0]) as other:
        other.execute(f"SELECT 1 FROM {store.address.schema}.store FOR UPDATE")
        with pytest.raises(ServiceError, match=r"no lock within 1 seconds.*nothing of this call was stored"):
            store.add(rows(3))
    store.add(rows(3))


def test_a_failure_while_rows_are_sent_leaves_those_that_were_there(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, given = PostgresqlStore.create(address(), SPACE, element=Element.SINGLE), rows(10)
    store.add(given)

    def broken(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(postgresql_store, "note_columns", broken)
        with pytest.raises(KeyboardInterrupt):
            store.add(rows(10, seed=2))
    assert (next(store.rows()).vectors == given.vectors).all()
