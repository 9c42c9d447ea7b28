"""Reading a LanceDB store while others change it: whatever was replaced meanwhile is read again, as it is now."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from privis.errors import ParameterError, PrivisError, Problem
from privis.stores.lance.lance_filters import filter_of
from privis.stores.lance.lance_folder import LanceFolder
from privis.stores.lance.lance_record import LanceRecord
from privis.stores.lance.lance_tables import LANCE_ERRORS, connected, damaged
from privis.stores.lance.sealed_units import UnsealedRows
from privis.stores.sealing.key_ring import KeyRing
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_store import Condition

if TYPE_CHECKING:
    from lancedb.expr import Expr
    from lancedb.table import Table

T = TypeVar("T")

_ATTEMPTS = 20  # how often a reader begins again because a writer replaced what it was reading


class LanceReader:
    """What one process keeps of a store that it reads: its table, and what is unsealed of it.

    Args:
        folder: of the store.
        keys: its keys; None: it is open.
    """

    def __init__(self, folder: LanceFolder, keys: SubjectKeys | None) -> None:
        self._lock = threading.RLock()
        self._folder, self._keys = folder, keys
        self._opened: tuple[str, Table] | None = None
        self._unsealed: UnsealedRows | None = None
        self._read_at: tuple[object, ...] = ()

    def read(self, read: Callable[[LanceRecord, Table], T]) -> T:
        """Read the store as it is at one moment.

        Args:
            read: gives something of the record and LanceDB's table.

        Returns:
            What it gives.

        Raises:
            ParameterError: the store is damaged, or changed at every attempt.
        """
        seen: tuple[str, tuple[str, ...]] | None = None
        for _ in range(_ATTEMPTS):
            record = self._folder.record()
            try:
                return read(record, self._table(record))
            except PrivisError:
                raise
            except LANCE_ERRORS as error:
                with self._lock:
                    self._opened = None
                now = (record.table, self._folder.files(record.table))
                if now == seen and self._folder.record().table == record.table:  # and nobody is changing it
                    raise damaged(self._folder.place, record.table, error) from error
                seen = now
        got = "a change at every attempt to read it"
        raise ParameterError(Problem(str(self._folder.place), got, "an index that rests for a moment", "try again"))

    def fits(self, where: Sequence[Condition], record: LanceRecord, table: Table) -> Expr | None:
        """Write conditions for LanceDB; rows of people whose erasure was begun fit none.

        Args:
            where: the conditions.
            record: of the store, which is open.
            table: of LanceDB.

        Returns:
            An expression of LanceDB; None where every row fits.
        """
        return filter_of(where, record.columns, table.schema.names, self.erasing())

    def erasing(self) -> tuple[str, ...]:
        """Say whose erasure was begun: their rows are nobody's any more, wherever they still are.

        Returns:
            Subjects, of an open store.
        """
        begun = self._folder.begun()
        return begun.subjects if begun is not None and begun.work == "erase" else ()

    def ring(self) -> KeyRing:
        """Read the keys of everybody whose erasure was not begun.

        Returns:
            The keys of a sealed store.
        """
        if self._keys is None:
            raise TypeError("an open store has no keys")
        begun = self._folder.begun()
        return self._keys.read().without(begun.keys if begun is not None and begun.work == "erase" else ())

    def unsealed(self, record: LanceRecord, table: Table) -> UnsealedRows:
        """Unseal a table; of what was read earlier only what is new is read again.

        Args:
            record: of the store, which is sealed.
            table: of LanceDB.

        Returns:
            Its rows.
        """
        with self._lock:
            state = self._state(record, table)
            if self._unsealed is None or self._read_at != state:
                earlier = UnsealedRows.none(record) if self._unsealed is None else self._unsealed
                self._unsealed, self._read_at = earlier.refreshed(table, record, self.ring()), state
            return self._unsealed

    def _state(self, record: LanceRecord, table: Table) -> tuple[object, ...]:
        """Equal only while neither table, keys, columns nor begun erasures changed."""
        keys = b"" if self._keys is None else self._keys.version()
        return record.table, table.version, dict(record.columns), keys, self._folder.begun()

    def forget(self) -> None:
        """Keep in memory only what the store holds now."""
        with self._lock:
            self._opened = None
            if self._unsealed is not None:
                with contextlib.suppress(PrivisError, *LANCE_ERRORS):
                    record = self._folder.record()
                    self.unsealed(record, self._table(record))

    def _table(self, record: LanceRecord) -> Table:
        with self._lock:
            if self._opened is None or self._opened[0] != record.table:
                self._opened = (record.table, connected(self._folder.place).open_table(record.table))
            return self._opened[1]
