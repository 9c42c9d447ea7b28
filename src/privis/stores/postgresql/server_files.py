"""The search of a PostgreSQL server's files for what was erased: read here where they are here, else by the server.

Vectors and sealed blobs are looked for in every file. Texts are looked for in the files of the store, of the catalogue
and of nothing known; elsewhere an id or a name may rightly stand in tables of other applications, and in the log
because of them. The log is covered otherwise: that all of it was written over since is asked of the server.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.postgresql.postgresql_address import PostgresqlAddress
from privis.stores.postgresql.postgresql_connection import connected
from privis.stores.postgresql.postgresql_tables import StoreRow, read_store
from privis.stores.postgresql.server_log import log_copies, log_keepers, logs_parameters, may_overwrite
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Residue, ResidueSearch

if TYPE_CHECKING:
    from psycopg import Connection

_BLOCK, _OVERLAP = 8 << 20, 1 << 16
_RELATION = re.compile(r"(?:base/(\d+)|pg_tblspc/\d+/[^/]+/(\d+))/(\d+)(?:[._].*)?")
_OTHERS = """
SELECT c.relfilenode::text FROM pg_class c
LEFT JOIN pg_class t ON t.reltoastrelid = c.oid
LEFT JOIN pg_index x ON x.indexrelid = c.oid LEFT JOIN pg_class o ON o.reltoastrelid = x.indrelid
JOIN pg_namespace n ON n.oid = coalesce(t.relnamespace, o.relnamespace, c.relnamespace)
WHERE c.relfilenode <> 0 AND (n.nspname NOT IN (%s, 'pg_catalog', 'pg_toast')
  OR coalesce(t.relname, o.relname, c.relname) LIKE 'pg\\_statistic%%')
"""
"""Files of tables, indexes and TOAST tables of this database that are no part of the store; statistics are of all."""
_STATISTICS = "SELECT attname::text FROM pg_stats WHERE schemaname = %s AND tablename = 'images' ORDER BY 1"

Rows = Callable[[], Iterable[VectorRows]]


@dataclass(frozen=True)
class _Files:
    """Which files of a server may hold texts of the store, by their paths below the data directory."""

    database: str
    others: frozenset[str]

    def may_hold_texts(self, path: str) -> bool:
        if path.startswith("pg_wal/"):
            return False
        found = _RELATION.fullmatch(path)
        if found is None:
            return True
        database, number = found[1] or found[2], found[3]
        return database == self.database and number not in self.others


def search_server(address: PostgresqlAddress, residue: Residue, kept: Rows, keys: Path | None) -> ResidueSearch:
    """Search every file of a server.

    Args:
        address: of the store.
        residue: what was erased.
        kept: gives the rows that stay.
        keys: file of a sealed store's keys.

    Returns:
        What was searched and found; of a server whose files the role may not read, what would have had to be searched.
    """
    whole, vectors = ResidueScanner(residue), ResidueScanner(replace(residue, texts=()))
    with connected(address) as connection:
        store = read_store(connection, address.schema)
        files = _Files(
            str(_value(connection, "SELECT oid FROM pg_database WHERE datname = current_database()")),
            frozenset(str(name) for (name,) in connection.execute(_OTHERS, (address.schema,)).fetchall()),
        )
        here = _directory(connection)
        if here is not None:
            for path in _local_files(here):
                scanner = whole if files.may_hold_texts(path.relative_to(here).as_posix()) else vectors
                scanner.search_file(path)
        elif _reads_files(connection):
            _search_remote(connection, files, whole, vectors)
        else:
            role = _value(connection, "SELECT current_user")
            reason = (
                f"not on this machine, or not to be read here, and role {role!r} may not read them through the server"
            )
            whole.not_searched("the server's files", reason)
            _search_rows(connection, address.schema, whole)
        for sentence in _beyond(connection, address.schema, store):
            whole.not_searched(*sentence)
    if keys is not None:
        for path in sorted(keys.parent.glob(f"{keys.name}*")):
            whole.search_file(path)
    return _joined(whole.result(kept), vectors.result(kept))


def _beyond(connection: Connection[Any], schema: str, store: StoreRow) -> Iterator[tuple[str, str]]:
    """What is no file of the data directory, or what its bytes do not tell."""
    if store.erasing:
        yield "an erasure that was begun", "not finished: open the store with its keys"
    if store.erased_until is not None:
        names = log_keepers(connection, store.erased_until)
        if names:
            reason = f"replication slot {', '.join(map(repr, names))} keeps what it held: until its reader goes on"
            reason += ", or the slot is dropped, and the store is opened again"
        elif not may_overwrite(connection):
            role = _value(connection, "SELECT current_user")
            reason = f"role {role!r} may not have it written over: it stays until the server has done so by itself. "
            reason += "Open the store as a superuser, or as a role with pg_checkpoint, pg_switch_wal and pg_ls_waldir"
        else:
            reason = "segments from before the erasure are there: open the store again"
        yield "write-ahead log", reason
    if names := [name for (name,) in connection.execute(_STATISTICS, (schema,)).fetchall()]:
        reason = f"somebody had ANALYZE copy values of {', '.join(names)}: SET STATISTICS 0 again, and run ANALYZE"
        yield "pg_statistic", reason
    for each in log_copies(connection):
        yield each, "on no disk that was searched"
    if logs_parameters(connection):
        reason = "log_statement or log_min_duration_statement has values of parameters logged: queries, and values of "
        yield "the server's log of messages", f"{reason}conditions; a superuser's sessions leave them out"


def _value(connection: Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    return None if row is None else row[0]


def _directory(connection: Connection[Any]) -> Path | None:
    """The data directory, if it is on this machine and this server's, by the number and the start of both."""
    name = _value(connection, "SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    if not name:
        return None
    number = _value(connection, "SELECT system_identifier FROM pg_control_system()")
    started = _value(connection, "SELECT floor(extract(epoch FROM pg_postmaster_start_time()))::bigint")
    folder = Path(name)
    try:
        control = (folder / "global" / "pg_control").read_bytes()[:8]
        said = int((folder / "postmaster.pid").read_text().splitlines()[2])
    except (OSError, ValueError, IndexError):
        return None
    return (
        folder if number in (_signed(control, "little"), _signed(control, "big")) and abs(said - started) <= 2 else None
    )


def _signed(content: bytes, order: Any) -> int:
    return int.from_bytes(content, order, signed=True)


def _local_files(folder: Path) -> Iterator[Path]:
    """Every file, behind links too: tablespaces and a log that lies elsewhere."""
    for root, _, names in os.walk(folder, followlinks=True):
        yield from (Path(root, name) for name in sorted(names))


def _reads_files(connection: Connection[Any]) -> bool:
    names = ("pg_read_binary_file(text, bigint, bigint, boolean)", "pg_ls_dir(text, boolean, boolean)",
             "pg_stat_file(text, boolean)")  # fmt: skip
    return all(_value(connection, f"SELECT has_function_privilege('{name}', 'EXECUTE')") for name in names)


def _search_remote(connection: Connection[Any], files: _Files, whole: ResidueScanner, vectors: ResidueScanner) -> None:
    folders = [""]
    while folders:
        folder = folders.pop()
        named = (folder or ".",)
        for (name,) in connection.execute("SELECT pg_ls_dir(%s, true, true)", named).fetchall():
            path = f"{folder}/{name}".lstrip("/")
            state = connection.execute("SELECT isdir FROM pg_stat_file(%s, true)", (path,)).fetchone()
            if name in (".", "..") or state is None or state[0] is None:
                continue  # gone meanwhile
            if state[0]:
                folders.append(path)
                continue
            scanner = whole if files.may_hold_texts(path) else vectors
            for number, part in enumerate(_parts(connection, path)):
                scanner.search_bytes(f"{path}, part {number}" if number else path, part, "bytes, by the server")


def _search_rows(connection: Connection[Any], schema: str, whole: ResidueScanner) -> None:
    """What the role can read at least: the rows of the table, without what is deleted and not yet overwritten."""
    from psycopg.sql import SQL, Identifier

    where, how = f"{schema}/images", "rows by COPY"
    copied = SQL("COPY {}.images TO STDOUT (FORMAT BINARY)").format(Identifier(schema))
    parts, size = [b""], 0
    with connection.cursor().copy(copied) as copy:
        for row in copy:
            parts.append(bytes(row))
            size += len(parts[-1])
            if size > _BLOCK:
                together = b"".join(parts)
                whole.search_bytes(where, together, how)
                parts, size = [together[-_OVERLAP:]], 0
    whole.search_bytes(where, b"".join(parts), how)


def _parts(connection: Connection[Any], path: str) -> Iterator[bytes]:
    offset = 0
    while True:
        with connection.cursor(binary=True) as cursor:
            query = "SELECT pg_read_binary_file(%s, %s, %s, true)"
            row = cursor.execute(query, (path, offset, _BLOCK + _OVERLAP)).fetchone()
        if row is None or not row[0]:
            return
        yield row[0]
        if len(row[0]) < _BLOCK + _OVERLAP:
            return
        offset += _BLOCK


def _joined(whole: ResidueSearch, vectors: ResidueSearch) -> ResidueSearch:
    """Both as one; the files of a folder in one line, as a server has thousands."""
    folders: Counter[str] = Counter()
    for search, ending in ((whole, ""), (vectors, ", without texts")):
        for each in search.searched:
            path, _, how = each.rpartition(" (")
            folders[f"{os.path.dirname(path) or '.'}/: {{}} files ({how.removesuffix(')')}{ending})"] += 1
    searched = tuple(words.format(count) for words, count in sorted(folders.items()))
    remains = tuple(dict.fromkeys((*whole.remains, *vectors.remains)))
    unsearched = tuple(dict.fromkeys((*whole.unsearched, *vectors.unsearched)))
    return ResidueSearch(searched, whole.forms, whole.bytes + vectors.bytes, remains, unsearched)
