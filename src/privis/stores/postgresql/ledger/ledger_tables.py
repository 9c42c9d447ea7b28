"""Tables of a privacy ledger in PostgreSQL, and what the server itself refuses: a line that does not follow, a change.

``ledger_line`` holds the very lines of a ledger file (`privis.privacy.ledger.entries`), by number. The server computes
from each line, which is ASCII, what it is looked up by: the record and the SHA-256 of the release. So they never say
anything else, and a release of a record stands there once. ``ledger_head`` is one row, how far the lines go, and the
lock of all who charge. A role that charges may read both, insert lines, and lock the head by a function; it changes
neither: triggers, which have their owner's rights, check that new lines follow the head, move it, and refuse UPDATE,
DELETE and TRUNCATE.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from privis.errors import OutputError, ParameterError, Problem
from privis.privacy.ledger.chain import NO_LINE, LedgerHead

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

_TRIGGERS = 4
_MADE = r"""
CREATE TABLE {s}.ledger_line (
  number bigint PRIMARY KEY CHECK (number > 0),
  line text COLLATE "C" NOT NULL CHECK (line LIKE E'{{%\n'),
  record text COLLATE "C" GENERATED ALWAYS AS (substr(line, nullif(strpos(line, '"record": "'), 0) + 11, 64)) STORED,
  release bytea GENERATED ALWAYS AS
    (sha256(replace(substring(line from '"release": ("[^"\\]*(?:\\.[^"\\]*)*")'), '\', '\\')::bytea)) STORED,
  CHECK (number = 1 OR (record IS NOT NULL AND release IS NOT NULL)),
  UNIQUE (release, record)
);
CREATE INDEX ON {s}.ledger_line (record);
CREATE TABLE {s}.ledger_head (
  one boolean PRIMARY KEY CHECK (one), lines bigint NOT NULL, size bigint NOT NULL, digest text NOT NULL
);
CREATE FUNCTION {s}.locked_ledger_head() RETURNS TABLE (lines bigint, size bigint, digest text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT h.lines, h.size, h.digest FROM {s}.ledger_head AS h FOR UPDATE
$$;
CREATE FUNCTION {s}.ledger_lines_added() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  head {s}.ledger_head;
  wrong bigint;
BEGIN
  SELECT h.* INTO head FROM {s}.ledger_head AS h FOR UPDATE;
  SELECT min(number) INTO wrong FROM (
    SELECT number, line, lag(number, 1, head.lines) OVER w AS before,
      lag(encode(sha256(convert_to(line, 'UTF8')), 'hex'), 1, head.digest) OVER w AS digest
    FROM added WINDOW w AS (ORDER BY number)
  ) AS chained
  WHERE number <> before + 1 OR (number > 1 AND left(line, 79) <> '{{"previous": "' || digest || '"');
  IF wrong IS NOT NULL THEN
    RAISE check_violation USING MESSAGE = 'line ' || wrong || ' does not follow the line before it';
  END IF;
  UPDATE {s}.ledger_head AS h SET (lines, size, digest) = (
    SELECT max(number), head.size + sum(octet_length(line)),
      (SELECT encode(sha256(convert_to(line, 'UTF8')), 'hex') FROM added ORDER BY number DESC LIMIT 1)
    FROM added
  ) WHERE EXISTS (SELECT FROM added);
  RETURN NULL;
END
$$;
CREATE FUNCTION {s}.ledger_unchanged() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE insufficient_privilege USING MESSAGE = 'lines of a privacy ledger are added, never changed and never removed';
END
$$;
CREATE TRIGGER added AFTER INSERT ON {s}.ledger_line REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION {s}.ledger_lines_added();
CREATE TRIGGER unchanged BEFORE UPDATE OR DELETE ON {s}.ledger_line
  FOR EACH STATEMENT EXECUTE FUNCTION {s}.ledger_unchanged();
CREATE TRIGGER kept BEFORE TRUNCATE ON {s}.ledger_line
  FOR EACH STATEMENT EXECUTE FUNCTION {s}.ledger_unchanged();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON {s}.ledger_head
  FOR EACH STATEMENT EXECUTE FUNCTION {s}.ledger_unchanged();
REVOKE ALL ON FUNCTION {s}.locked_ledger_head(), {s}.ledger_lines_added(), {s}.ledger_unchanged() FROM PUBLIC;
"""
_CHECKED = """
SELECT
  (SELECT encode(sha256(convert_to(line, 'UTF8')), 'hex') FROM {s}.ledger_line WHERE number = %(since)s),
  (SELECT encode(sha256(convert_to(line, 'UTF8')), 'hex') FROM {s}.ledger_line WHERE number = %(last)s),
  (SELECT max(number) FROM {s}.ledger_line),
  (SELECT min(number) FROM (
    SELECT number, line, lag(number, 1, %(since)s - 1) OVER w AS before,
      lag(encode(sha256(convert_to(line, 'UTF8')), 'hex')) OVER w AS digest
    FROM {s}.ledger_line WHERE number >= %(since)s WINDOW w AS (ORDER BY number)
  ) AS chained
  WHERE number <> before + 1 OR (number > %(since)s AND left(line, 79) <> '{{"previous": "' || digest || '"'))
"""
_FOUND = """
SELECT number, line FROM {s}.ledger_line WHERE record = ANY(%s)
UNION
SELECT one.number, one.line FROM unnest(%s::bytea[]) AS wanted(release)
CROSS JOIN LATERAL (SELECT number, line FROM {s}.ledger_line AS l WHERE l.release = wanted.release LIMIT 1) AS one
ORDER BY number
"""


def statement(text: str, schema: str) -> Composed:
    """Give a statement of this module about the tables in a schema."""
    from psycopg.sql import SQL, Identifier

    return SQL(text).format(s=Identifier(schema))  # type: ignore[arg-type]


def create_ledger(connection: Connection[Any], schema: str, line: bytes) -> None:
    """Make the tables of a ledger, in the transaction that is open.

    Args:
        connection: to the server.
        schema: which is made unless it is there.
        line: the first one.

    Raises:
        OutputError: there is a ledger.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"privis {schema}",))
    if connection.execute("SELECT to_regclass(%s)", (f"{schema}.ledger_line",)).fetchone() != (None,):
        remedy = "ledgers are never overwritten: name another schema after # in the address, or go on with that one"
        raise OutputError(Problem(f"schema {schema}", "a ledger that is there", "none", remedy))
    if connection.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,):
        connection.execute(statement("CREATE SCHEMA {s}", schema))
    connection.execute(statement(_MADE, schema))
    connection.execute(statement("INSERT INTO {s}.ledger_head VALUES (true, 0, 0, %s)", schema), (NO_LINE,))
    add_lines(connection, schema, 0, [line])


def role_statements(schema: str, role: str) -> str:
    """Give the statements that let a role charge a ledger, read it, and nothing more.

    Args:
        schema: of the ledger.
        role: that is to charge.

    Returns:
        SQL, for the ledger's owner.

    Raises:
        ParameterError: the role's name has a character that no name has.

    >>> print(role_statements("ward", "worker"))
    GRANT USAGE ON SCHEMA "ward" TO "worker";
    GRANT SELECT ON "ward".ledger_line, "ward".ledger_head TO "worker";
    GRANT INSERT (number, line) ON "ward".ledger_line TO "worker";
    GRANT EXECUTE ON FUNCTION "ward".locked_ledger_head() TO "worker";
    """
    if not role or "\0" in role:
        raise ParameterError(Problem("role", repr(role), "the name of a role of the server"))
    s, to = (f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (schema, role))
    return "\n".join(
        (
            f"GRANT USAGE ON SCHEMA {s} TO {to};",
            f"GRANT SELECT ON {s}.ledger_line, {s}.ledger_head TO {to};",
            f"GRANT INSERT (number, line) ON {s}.ledger_line TO {to};",
            f"GRANT EXECUTE ON FUNCTION {s}.locked_ledger_head() TO {to};",
        )
    )


def read_head(connection: Connection[Any], schema: str, for_writing: bool = False) -> LedgerHead | None:
    """Read how far a ledger is written.

    Args:
        connection: to the server.
        schema: of the ledger.
        for_writing: whether to wait for others who charge, and to hold them off until the transaction ends.

    Returns:
        The head; None: its row is gone.
    """
    text = "{s}.locked_ledger_head()" if for_writing else "{s}.ledger_head"
    row = connection.execute(statement(f"SELECT lines, size, digest FROM {text}", schema)).fetchone()
    return None if row is None else LedgerHead(*row)


def chain_problem(connection: Connection[Any], schema: str, head: LedgerHead, seen: LedgerHead | None) -> str:
    """Let the server follow the chain from what was seen before to the head.

    Args:
        connection: to the server.
        schema: of the ledger.
        head: as it is written.
        seen: the head of an earlier look; None: all lines are followed.

    Returns:
        What is wrong; empty: nothing.
    """
    since = seen.lines if seen else 1
    row = connection.execute(statement(_CHECKED, schema), {"since": since, "last": head.lines}).fetchone()
    first, last, most, broken = row or (None,) * 4
    if seen is not None and first != seen.digest:
        return f"no line {seen.lines} as seen before: an earlier or another ledger was put in its place"
    if most != head.lines:
        return f"{most or 0} lines where {head.lines} were written"
    if broken is not None:
        return f"line {broken} does not follow the line before it"
    return "" if last == head.digest else f"another line {head.lines} than was written"


def release_digest(release_id: str) -> bytes:
    """Give what the server computes from a line with this release: lines have only ASCII characters in them."""
    return hashlib.sha256(json.dumps(release_id).encode()).digest()


def found_lines(
    connection: Connection[Any], schema: str, records: Sequence[str], releases: Sequence[str]
) -> list[bytes]:
    """Read all lines of some records, and one of every release.

    Args:
        connection: to the server.
        schema: of the ledger.
        records: as the ledger hashes them.
        releases: their ids.

    Returns:
        Lines, each once, in their order.
    """
    wanted = list({release_digest(each) for each in releases})
    rows = connection.execute(statement(_FOUND, schema), (list(set(records)), wanted))
    return [str(line).encode() for _, line in rows]


def lines_after(connection: Connection[Any], schema: str, number: int) -> list[bytes]:
    """Read all lines after one, in their order."""
    text = "SELECT line FROM {s}.ledger_line WHERE number > %s ORDER BY number"
    return [str(line).encode() for (line,) in connection.execute(statement(text, schema), (number,))]


def digests_there(connection: Connection[Any], schema: str, digests: Sequence[str]) -> set[str]:
    """Which of some SHA-256 are those of lines."""
    text = (
        "SELECT digest FROM (SELECT encode(sha256(convert_to(line, 'UTF8')), 'hex') AS digest FROM {s}.ledger_line) "
        "AS each WHERE digest = ANY(%s)"
    )
    return {str(digest) for (digest,) in connection.execute(statement(text, schema), (list(digests),))}


def add_lines(connection: Connection[Any], schema: str, after: int, lines: Sequence[bytes]) -> None:
    """Add lines after the line of a number; the server refuses what does not follow."""
    text = "COPY {s}.ledger_line (number, line) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement(text, schema)) as copy:
        for number, line in enumerate(lines, after + 1):
            copy.write_row((number, line.decode()))


def is_guarded(connection: Connection[Any], schema: str) -> bool:
    """Whether the triggers that check and refuse are there and on."""
    row = connection.execute(
        "SELECT count(*) FROM pg_trigger "
        "WHERE tgrelid = ANY(%s::regclass[]) AND NOT tgisinternal AND tgenabled IN ('O', 'A')",
        ([f"{schema}.ledger_line", f"{schema}.ledger_head"],),
    ).fetchone()
    return row == (_TRIGGERS,)
