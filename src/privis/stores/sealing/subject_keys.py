"""The file of a store's keys, one per person: SQLite, readable by its owner alone, away from what the keys seal.

A key that is dropped is overwritten in its place with zeros, and so is the name beside it. Rows are only appended and
never deleted or moved: a page that SQLite splits or joins keeps copies of rows in its gaps, which ``secure_delete``
does not overwrite. The journal of a change holds the earlier pages only until it ends; copies and backups of the file
keep what they have. Changes are transactions: a kill at any moment leaves all of one or nothing of it.

Evolution of the file: its format stands in the table ``about``, and a reader refuses any other. Entries of that table
may be added under the same number.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import flush
from privis.stores.sealing.key_ring import KEY_BYTES, KeyRing

FORMAT = "privis.subject-keys/1"
APPLICATION = 0x50525653
"""SQLite's ``application_id`` of these files."""
WAIT_SECONDS = 30.0
"""How long one process waits while another changes the file."""

_ABOUT = "CREATE TABLE about (name TEXT PRIMARY KEY, text TEXT NOT NULL)"
# the number's upper half counts, so that rows are appended; its lower half is random
_KEYS = "CREATE TABLE keys (number INTEGER PRIMARY KEY, key BLOB NOT NULL, subject TEXT NOT NULL)"
_UNSETTLED = "unsettled"  # entry of the table about: a change of the store is begun
_COUNTER = slice(24, 28)  # of the header: it changes with every transaction
_AT_ONCE = 10_000
_HELD = "key <> zeroblob(32)"
# as long as what was there: SQLite overwrites a row in its place then
_DROP = "UPDATE keys SET key = zeroblob(32), subject = zeroblob(length(CAST(subject AS BLOB))) WHERE number = ?"
_FEWEST_DROPPED = 1000  # and as many as are held: the file is written anew without them


@dataclass(frozen=True)
class SubjectKeys:
    """Keys of the people of one store.

    Args:
        path: of the file.
        store_id: 32 hexadecimal digits of the store that the keys belong to.
    """

    path: Path
    store_id: str

    @classmethod
    def create(cls, path: str | Path, store_id: str) -> SubjectKeys:
        """Make a file without a key, mode 0600.

        Args:
            path: of a file that is not there.
            store_id: of the store.

        Returns:
            The keys.

        Raises:
            OutputError: the file is there, or cannot be written.
        """
        made = cls(Path(path), store_id)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            remedy = "keys are never overwritten: choose another name"
            raise OutputError(Problem(str(path), str(error.strerror), "a new file for keys", remedy)) from error
        with made._changing() as connection:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            for table in (_ABOUT, _KEYS):
                connection.execute(table)
            connection.executemany("INSERT INTO about VALUES (?, ?)", [("format", FORMAT), ("store", store_id)])
        flush(made.path.parent)
        return made

    @classmethod
    def open(cls, path: str | Path, store_id: str | None = None) -> SubjectKeys:
        """Open a file that is there.

        Args:
            path: of the file.
            store_id: of the store that it should belong to; None: of any.

        Returns:
            The keys.

        Raises:
            ParameterError: there is no such file, others can read it, it is damaged, something else or of another
                store.
        """
        place = Path(path)
        with _reading(place) as connection:
            about = dict(connection.execute("SELECT name, text FROM about"))
        if about.get("format") != FORMAT:
            raise ParameterError(Problem(str(path), f"format {about.get('format')!r}", FORMAT, "update Privis"))
        if store_id is not None and about.get("store") != store_id:
            remedy = "every index has keys of its own: give the file that was made with this one"
            raise ParameterError(Problem(str(path), "keys of another index", f"those of {store_id}", remedy))
        return cls(place, str(about.get("store")))

    def read(self) -> KeyRing:
        """Read all keys as they are at one moment.

        Returns:
            The keys.

        Raises:
            ParameterError: the file is gone or damaged.
        """
        numbers: list[np.ndarray] = [np.empty(0, np.int64)]
        keys: list[bytes] = []
        subjects: list[str] = []
        with _reading(self.path) as connection:
            found = connection.execute(f"SELECT number, key, subject FROM keys WHERE {_HELD} ORDER BY number")
            while some := found.fetchmany(_AT_ONCE):
                numbers.append(np.array([number for number, _, _ in some], np.int64))
                keys.append(b"".join(key for _, key, _ in some))
                subjects += [subject for _, _, subject in some]
        held = np.frombuffer(b"".join(keys), np.uint8)
        if held.size != len(subjects) * KEY_BYTES:
            raise ParameterError(Problem(str(self.path), "a key of another length", f"{KEY_BYTES} bytes each"))
        return KeyRing(np.concatenate(numbers), held.reshape(-1, KEY_BYTES), subjects)

    def version(self) -> bytes:
        """Tell this content of the file from every other that it had or will have.

        Returns:
            Some bytes, equal only while nothing was changed.

        Raises:
            ParameterError: the file cannot be read.
        """
        try:
            with open(self.path, "rb", 0) as file:
                return b"%d " % os.fstat(file.fileno()).st_ino + file.read(_COUNTER.stop)[_COUNTER]
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def draw(self, subjects: Sequence[str], ring: KeyRing | None = None) -> KeyRing:
        """Begin a change of the store: draw keys from the operating system's generator for those who have none.

        The caller is the only writer of the store, and settles the change when it is done.

        Args:
            subjects: ids of people.
            ring: all keys of the file, where the caller has just read them.

        Returns:
            All keys of the file.

        Raises:
            OutputError: the file cannot be written.
        """
        ring = self.read() if ring is None else ring
        wanted = list(dict.fromkeys(subjects))
        new = [name for name, place in zip(wanted, ring.places_of(wanted), strict=True) if place < 0]
        with self._changing() as connection:
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM keys").fetchone()
            counted = itertools.count((last >> 32) + 1)
            rows = [
                (next(counted) << 32 | secrets.randbits(32), AESGCM.generate_key(8 * KEY_BYTES), name) for name in new
            ]
            connection.executemany("INSERT INTO keys VALUES (?, ?, ?)", rows)
            connection.execute("INSERT OR REPLACE INTO about VALUES (?, '')", (_UNSETTLED,))
        numbers, keys, names = zip(*rows, strict=True) if rows else ((), (), ())
        return ring.appended(numbers, keys, names)

    def unsettled(self) -> bool:
        """Tell whether a change was begun and nobody said how it ended: there may be keys that seal nothing.

        Returns:
            Whether keys were drawn and not settled.
        """
        return self.text(_UNSETTLED) is not None

    def settle(self, unused: Sequence[int] = (), **about: str) -> None:
        """End a change of the store: drop keys that seal nothing, keep the others, and keep texts beside them.

        Args:
            unused: numbers of keys without a row.
            about: texts by name, in the place of earlier ones.

        Raises:
            OutputError: the file cannot be written.
        """
        with self._changing() as connection:
            connection.executemany(_DROP, [(number,) for number in unused])
            connection.execute("DELETE FROM about WHERE name = ?", (_UNSETTLED,))
            connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())
            held, rows = connection.execute(f"SELECT coalesce(sum({_HELD}), 0), count(*) FROM keys").fetchone()
        if rows - held > max(_FEWEST_DROPPED, held):
            self._rewrite()

    def text(self, name: str) -> str | None:
        """Give a text that was kept with `settle`.

        Args:
            name: of the text.

        Returns:
            The text; None where there is none.
        """
        with _reading(self.path) as connection:
            found = connection.execute("SELECT text FROM about WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def drop(self, numbers: Sequence[int]) -> None:
        """Drop keys: what they sealed is unreadable from now on, by AES-256, wherever it lies.

        Args:
            numbers: of the keys; those that are not there are no error.

        Raises:
            OutputError: the file cannot be written; no key was dropped.
        """
        with self._changing() as connection:
            connection.executemany(_DROP, [(number,) for number in sorted(numbers)])

    def _rewrite(self) -> None:
        """Leave rows of zeros out of a table that is written anew; they cost only room, so a full disk is no error."""
        with contextlib.suppress(OutputError), self._changing() as connection:
            connection.execute("ALTER TABLE keys RENAME TO earlier")
            connection.execute(_KEYS)
            connection.execute(f"INSERT INTO keys SELECT * FROM earlier WHERE {_HELD} ORDER BY number")
            connection.execute("DROP TABLE earlier")  # whole pages that are freed are overwritten

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: whole, and on the disk, when the block ends."""
        try:
            with _connected(self.path) as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            remedy = "make room, or see that you may write the file and its folder; nothing of it was changed"
            raise OutputError(
                Problem(str(self.path), str(error), "a file of keys that can be written", remedy)
            ) from error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode):
            raise ParameterError(misfit(path, FileFormat.SUBJECT_KEYS, "no file"))
        mode = stat.S_IMODE(about.st_mode)
        if mode & 0o077:
            remedy = "run: chmod 600, if nobody else has read it"
            raise ParameterError(Problem(str(path), f"mode {mode:04o}", "mode 0600", remedy))
        with _connected(path) as connection:
            yield connection
    except OSError as error:
        raise _unreadable(path, error) from error
    except sqlite3.Error as error:
        raise ParameterError(misfit(path, FileFormat.SUBJECT_KEYS, str(error))) from error


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that leaves no earlier page in the file, in a log or in temporary files."""
    place = f"file:{quote(str(path))}?mode=rw"
    with contextlib.closing(sqlite3.connect(place, WAIT_SECONDS, isolation_level=None, uri=True)) as connection:
        for pragma in ("secure_delete = ON", "journal_mode = DELETE", "synchronous = FULL", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        yield connection


def _unreadable(path: Path, error: OSError) -> ParameterError:
    remedy = "without the keys no vector can be read: give the place of the file that was made with the index"
    return ParameterError(misfit(path, FileFormat.SUBJECT_KEYS, str(error.strerror), "", remedy))
