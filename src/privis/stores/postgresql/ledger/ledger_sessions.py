"""Connections of a ledger: kept between charges, never shared with a fork, and made anew where one is lost.

A charge that is made twice is one charge, so whatever was begun when a connection broke is done again, and nobody has
to ask what became of it.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from privis.errors import PrivisError
from privis.extras import optional_import
from privis.stores.postgresql import postgresql_connection
from privis.stores.postgresql.postgresql_address import PostgresqlAddress
from privis.stores.postgresql.postgresql_connection import SETTINGS, said

if TYPE_CHECKING:
    from psycopg import Connection, Error

Given = TypeVar("Given")

PATIENCE = 30.0
"""Seconds in which a server that was there before may come back: it was restarted, or another one takes over."""
_PAUSE = 0.2
_VANISHED = "30s"  # who stops in the middle of a charge holds others up for less than they wait
_PASSING = ("40001", "40P01", "57P01", "57P02", "57P03")  # conflicts, and a server that stops or starts
_SESSION = "SELECT set_config('idle_in_transaction_session_timeout', %s, false)"


class LedgerSessions:
    """Connections to one server, for the threads of this process; forks have their own.

    Args:
        address: of the ledger.
    """

    def __init__(self, address: PostgresqlAddress) -> None:
        self._address = address
        self._idle: list[tuple[int, Connection[Any]]] = []
        self._met = 0  # by which process the server was there
        weakref.finalize(self, _close, self._idle)

    def transacted(self, work: Callable[[Connection[Any]], Given], *, reading: bool = False) -> Given:
        """Do work in one transaction, and again where the connection is lost: it must be of the kind that may be.

        Args:
            work: what is done, by the connection.
            reading: work only reads, and sees the ledger as it is at one moment.

        Returns:
            What the work gives.

        Raises:
            ServiceError: the server refused, or was not there again in time. It may have stored what was done.
            PrivisError: of the work.
        """
        with optional_import("postgresql", "a ledger in PostgreSQL"):
            import psycopg
        until = None
        while True:
            connection = None
            try:
                connection = self._taken() or self._made()
                with connection.transaction():
                    if reading:
                        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    given = work(connection)
            except psycopg.Error as error:
                passing = self._met == os.getpid() and _passes(error, connection)
                if connection is not None:
                    connection.close()
                until = time.monotonic() + PATIENCE if until is None else until
                if not passing or time.monotonic() > until:
                    raise said(error, self._address) from None
                time.sleep(_PAUSE)
                continue
            except PrivisError:
                self._idle.append((os.getpid(), connection))  # type: ignore[arg-type]
                raise
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            self._idle.append((os.getpid(), connection))
            return given

    def _taken(self) -> Connection[Any] | None:
        while self._idle:
            made_by, connection = self._idle.pop()
            if made_by == os.getpid():  # that of a parent is left alone
                return connection
        return None

    def _made(self) -> Connection[Any]:
        import psycopg
        from psycopg.conninfo import make_conninfo

        connection = psycopg.connect(
            make_conninfo("", **self._address.parameters), autocommit=True, prepare_threshold=None
        )
        try:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # whatever the server's default
            connection.execute(SETTINGS, (f"{postgresql_connection.WAIT}s",))
            connection.execute(_SESSION, (_VANISHED,))
        except BaseException:
            connection.close()
            raise
        self._met = os.getpid()
        return connection


def _passes(error: Error, connection: Connection[Any] | None) -> bool:
    return connection is None or connection.closed or error.sqlstate in _PASSING


def _close(idle: list[tuple[int, Connection[Any]]]) -> None:
    for made_by, connection in idle:
        if made_by == os.getpid():
            connection.close()
