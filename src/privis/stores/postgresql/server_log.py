"""The write-ahead log of a PostgreSQL server, and what else copies it: what holds erased rows after the tables do not.

The server keeps log segments until a checkpoint, then renames most of them to be written again, with their old bytes. A
switch fills the rest of the segment with zeros, so that as many switches and checkpoints as there are segments leave
nothing of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

MOST_BYTES = 1 << 34
"""Of the log that are written over in one erasure."""

_RIGHTS = """
SELECT rolsuper OR (
  has_function_privilege('pg_switch_wal()', 'EXECUTE') AND has_function_privilege('pg_ls_waldir()', 'EXECUTE')
  AND coalesce((SELECT pg_has_role(oid, 'USAGE') FROM pg_roles r WHERE r.rolname = 'pg_checkpoint'), false))
FROM pg_roles WHERE rolname = current_user
"""
_SEGMENTS = "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"
_OLDER = """
SELECT count(*) FROM pg_ls_waldir()
WHERE name ~ '^[0-9A-F]{24}$' AND substr(name, 9) < substr(pg_walfile_name(%s::pg_lsn), 9)
"""


def may_overwrite(connection: Connection[Any]) -> bool:
    """Whether the role may make checkpoints and switch segments.

    Args:
        connection: to the server.

    Returns:
        True for superusers, and for those who were granted all that it takes.
    """
    row = connection.execute(_RIGHTS).fetchone()
    return bool(row and row[0])


def overwrite_log(connection: Connection[Any], until: str) -> bool:
    """Have all of the log that was written before a place written over.

    Args:
        connection: outside a transaction, of a role that may.
        until: the place, as ``pg_current_wal_insert_lsn`` gave it.

    Returns:
        Whether the server has no such segment any more.
    """
    size = connection.execute("SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'").fetchone()
    most = MOST_BYTES // int(size[0] if size else MOST_BYTES)
    for _ in range(most):  # until a checkpoint has renamed or removed what is older
        _next_segment(connection)
        if not _has_older(connection, until):
            break
    (count,) = connection.execute(_SEGMENTS).fetchone() or (0,)
    for _ in range(min(int(count) + 1, most)):
        _next_segment(connection)
    return count < most and not _has_older(connection, until)


def _next_segment(connection: Connection[Any]) -> None:
    connection.execute("SELECT pg_switch_wal()")
    connection.execute("CHECKPOINT")


def _has_older(connection: Connection[Any], until: str) -> bool:
    row = connection.execute(_OLDER, (until,)).fetchone()
    return bool(row and row[0])


def log_keepers(connection: Connection[Any], until: str) -> tuple[str, ...]:
    """Say who makes the server keep what the log held before a place.

    Args:
        connection: to the server.
        until: the place.

    Returns:
        Names of replication slots.
    """
    slots = "SELECT slot_name FROM pg_replication_slots WHERE restart_lsn < %s::pg_lsn ORDER BY 1"
    return tuple(str(name) for (name,) in connection.execute(slots, (until,)).fetchall())


def log_copies(connection: Connection[Any]) -> tuple[str, ...]:
    """Say who else has what the log held.

    Args:
        connection: to the server.

    Returns:
        Standbys and archives, in words.
    """
    said = []
    (standbys,) = connection.execute("SELECT count(*) FROM pg_stat_replication").fetchone() or (0,)
    if standbys:
        said.append(f"{standbys} standby servers: they have the log, and files of their own")
    if connection.execute("SELECT current_setting('archive_mode')").fetchone() != ("off",):
        said.append("archive of the write-ahead log: archive_mode is on; remove from it what is older than the erasure")
    return tuple(said)


def logs_parameters(connection: Connection[Any]) -> bool:
    """Whether the server's log of messages may hold what statements were given.

    Args:
        connection: to the server.

    Returns:
        False where statements are not logged, or this connection's parameters are not.
    """
    row = connection.execute(
        "SELECT (current_setting('log_statement') IN ('all', 'mod') OR current_setting('log_duration')::boolean "
        "OR current_setting('log_min_duration_statement') <> '-1' "
        "OR current_setting('log_min_duration_sample') <> '-1') "
        "AND current_setting('log_parameter_max_length') <> '0'"
    ).fetchone()
    return bool(row and row[0])
