"""The benchmark of ledgers in PostgreSQL runs, counts what it charged, and leaves nothing."""

import pytest

pytest.importorskip("psycopg")

import psycopg

from benchmarks.stores import postgresql_ledger


def test_every_case_is_measured_and_the_schema_is_dropped(ledger_server, monkeypatch):
    monkeypatch.setattr(postgresql_ledger, "CLIENTS", 2)
    address = ledger_server.address("unused")
    measured = postgresql_ledger.run(address, 20, 2)
    assert len(measured) == 4 and all(rate > 0 for rate in measured.values())
    with psycopg.connect(address.partition("#")[0]) as connection:
        left = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'bench%'").fetchone()
    assert left == (0,)
