"""Connections to a PostgreSQL server: one for each call, and errors that say what became of the work and nothing else.

What a call sends stays out of the server's log as far as the role may say so: vectors, names and digests travel as
parameters or by binary COPY, never in the text of a statement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

from privis.errors import PrivisError, Problem, ServiceError
from privis.extras import optional_import
from privis.stores.postgresql.postgresql_address import PostgresqlAddress

if TYPE_CHECKING:
    from psycopg import Connection, Error

Given = TypeVar("Given")
Work = Callable[["Connection[Any]"], Given]

WAIT = 60
"""Seconds that a call waits for another writer, or an erasure for readers."""
_PATIENCE = 10.0  # seconds in which a server that was cut off says what became of a transaction

SETTINGS: LiteralString = """
SELECT set_config('lock_timeout', %s, false), set_config('synchronous_commit', 'on', false),
  set_config('search_path', concat_ws(', ', 'pg_catalog', (
    SELECT quote_ident(nspname::text) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n
    ON n.oid = extnamespace WHERE extname = 'vector'), 'pg_temp'), false),
  (SELECT set_config('log_parameter_max_length', '0', false) FROM pg_catalog.pg_roles
    WHERE rolname = current_user AND rolsuper)
"""


@contextmanager
def connected(address: PostgresqlAddress) -> Iterator[Connection[Any]]:
    """Connect for the body of a ``with``, each statement a transaction of its own.

    Args:
        address: where to.

    Yields:
        The connection, with vectors' types and operators in its search path.

    Raises:
        ServiceError: there is no server, or it refused, or was lost.
        MissingExtraError: psycopg is not installed.
    """
    with optional_import("postgresql", "a PostgreSQL store"):
        import psycopg
        from psycopg.conninfo import make_conninfo
    try:
        with psycopg.connect(make_conninfo("", **address.parameters), autocommit=True) as connection:
            connection.execute(SETTINGS, (f"{WAIT}s",))
            yield connection
    except psycopg.Error as error:
        raise said(error, address) from None


def transacted(address: PostgresqlAddress, work: Work[Given]) -> Given:
    """Do work in one transaction: all of it is stored, or nothing.

    Where the connection is lost before the server said that it had committed, another one asks what became of it.

    Args:
        address: where.
        work: what is done, by the connection.

    Returns:
        What the work gives.

    Raises:
        ServiceError: nothing was stored; or nobody can say, and the message does.
    """
    with optional_import("postgresql", "a PostgreSQL store"):
        import psycopg
        from psycopg.conninfo import make_conninfo
    number: list[str] = []
    given: list[Given] = []
    try:
        with psycopg.connect(make_conninfo("", **address.parameters), autocommit=True) as connection:
            connection.execute(SETTINGS, (f"{WAIT}s",))
            with connection.transaction():
                given.append(work(connection))
                number.append(_scalar(connection, "SELECT pg_current_xact_id()::text"))
    except psycopg.Error as error:
        if not (number and isinstance(error, psycopg.OperationalError)):
            raise said(error, address) from None
        lost = said(error, address)
    else:
        return given[0]
    if not _is_committed(address, number[0], lost):
        raise lost
    return given[0]


def _is_committed(address: PostgresqlAddress, number: str, lost: PrivisError) -> bool:
    until = time.monotonic() + _PATIENCE
    state = None
    while time.monotonic() < until:
        try:
            with connected(address) as connection:
                state = _scalar(connection, "SELECT pg_xact_status(%s::xid8)", (number,))
        except ServiceError:
            time.sleep(0.5)
            continue
        if state != "in progress":
            return bool(state == "committed")
        time.sleep(0.1)
    expected = "an answer to a transaction that was about to be stored"
    remedy = "do it again once the server is there: either all of it is stored or nothing, and again changes nothing"
    raise ServiceError(Problem(str(address), lost.problems[0].got, expected, remedy)) from None


def _scalar(connection: Connection[Any], query: Any, parameters: Any = None) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def said(error: Error, address: PostgresqlAddress) -> PrivisError:
    """Say what a server's error means, without its details, which quote rows.

    Args:
        error: of psycopg.
        address: of the server.

    Returns:
        What to raise instead.
    """
    import psycopg.errors as known

    stored = "nothing of this call was stored"
    primary = error.diag.message_primary
    if isinstance(error, known.LockNotAvailable):
        got, expected = f"no lock within {WAIT} seconds", "that others who write to the store, or read it, finish"
        remedy = f"{stored}; do it again later, or look for the others in pg_stat_activity"
    elif isinstance(error, known.InsufficientPrivilege):
        got, expected, remedy = (
            primary or "no permission",
            "a role that may",
            f"{stored}; grant it, or ask as its owner",
        )
    elif isinstance(error, known.ReadOnlySqlTransaction):
        got, expected = "a server that only reads: a standby, or one set to read-only", "the server that writes"
        remedy = f"{stored}; name the primary, or all its servers with ?target_session_attrs=read-write"
    elif isinstance(error, known.DiskFull | known.OutOfMemory):
        got, expected, remedy = primary or "a full disk", "room on the server", f"{stored}; make room and do it again"
    elif primary is None or isinstance(error, known.AdminShutdown | known.CrashShutdown | known.CannotConnectNow):
        got, expected = " ".join(str(error).split()) or "no connection", "a server that answers"
        remedy = f"{stored}; do it again once the server is there"
    else:
        got, expected = f"{primary} ({error.sqlstate})", "what PostgreSQL accepts"
        remedy = stored
    return ServiceError(Problem(str(address), got, expected, remedy))
