"""A store in a folder: Parquet files of rows sealed per person, the keys in a file beside it.

The codes of `privis.stores.ExactScan` are kept in memory by whoever searches; vectors stay in the files, and only those
that a search has to compare are read. So an answer is exact, and an approximate search is the same one.
"""

from __future__ import annotations

import contextlib
import glob
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, PrivisError, Problem
from privis.io.writer_lock import WAIT_SECONDS
from privis.stores.conditions import check_conditions
from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.parquet.fragments import FragmentGone
from privis.stores.parquet.row_reader import RowReader
from privis.stores.parquet.store_changes import add_rows, erase_subjects, finish, is_unfinished
from privis.stores.parquet.store_files import MANIFEST, StoreFolder, StoreManifest, size_of
from privis.stores.parquet.store_snapshot import ATTEMPTS, StoreSnapshot
from privis.stores.parquet.store_state import state_of
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition, Residue, ResidueSearch, SearchResult, StoreDescription, VectorSpace

T = TypeVar("T")


class ParquetStore:
    """An index in a folder; made with `create`, opened with `open`. Threads and processes may share it.

    Args:
        folder: of the index.
        keys: its file of keys.
        partial: whether damage is left out; then nothing can be changed.
        wait: seconds after which a writer that waits for another one gives up.
    """

    kind = "parquet"

    def __init__(
        self, folder: StoreFolder, keys: SubjectKeys, partial: bool = False, wait: float = WAIT_SECONDS
    ) -> None:
        self._folder, self._keys, self._partial, self._wait = folder, keys, partial, wait
        self._lock = threading.Lock()
        self._snapshot: StoreSnapshot | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._folder.path)!r})"

    @classmethod
    def create(cls, path: str | Path, space: VectorSpace, keys: str | Path | None = None) -> ParquetStore:
        """Make an empty index.

        Args:
            path: of a folder that is not there, or empty.
            space: what makes the vectors.
            keys: of the file of the keys, which is not there; None: ``path`` with ``.keys`` at its end.

        Returns:
            The store.

        Raises:
            OutputError: something is there, or cannot be written.
        """
        place = Path(os.path.realpath(path))
        key_file, store_id = Path(keys) if keys is not None else default_keys(place), uuid.uuid4().hex
        folder = StoreFolder(place)
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            for left in place.glob(f".{MANIFEST}.*.unfinished"):  # of a killed `create`
                left.unlink()
            there = [each.name for each in place.iterdir()]
        except OSError as error:
            remedy = "choose another name" if place.exists() else f"mkdir -p {place.parent}"
            raise OutputError(Problem(str(path), str(error.strerror), "a folder for an index", remedy)) from error
        with folder.changing():
            if there:
                got = f"{len(there)} files, {sorted(there)[0]} among them"
                raise OutputError(Problem(str(path), got, "no folder, or an empty one", "choose another name"))
            if keys is None:
                _remove_unused(key_file)
            made = SubjectKeys.create(key_file, store_id)
            folder.write_manifest(StoreManifest(store_id, space))
        return cls(folder, made)

    @classmethod
    def open(
        cls,
        path: str | Path,
        space: VectorSpace | None = None,
        keys: str | Path | None = None,
        partial: bool = False,
        wait: float = WAIT_SECONDS,
    ) -> ParquetStore:
        """Open an index; what a killed writer began is finished, or taken back.

        Args:
            path: of its folder.
            space: what made the vectors that are added or searched for; None: whatever made those of the index.
            keys: of the file of the keys; None: ``path`` with ``.keys`` at its end.
            partial: leave out what is damaged or lost, and read only; `damage` tells what that is.
            wait: seconds after which a writer that waits for another one gives up.

        Returns:
            The store.

        Raises:
            ParameterError: there is no index, another network made its vectors, or files are damaged or lost: the
                message names them, and what is still usable.
        """
        folder = StoreFolder(Path(os.path.realpath(path)))
        key_file = Path(keys) if keys is not None else default_keys(folder.path)
        try:
            store_id = StoreManifest.of_json(folder.read_bytes(), folder.manifest).store_id
        except ParameterError:
            if not partial or not folder.path.is_dir():
                raise
            store_id = None
        store = cls(folder, SubjectKeys.open(key_file, store_id), partial, wait)
        if not partial and is_unfinished(folder, store._keys):
            with contextlib.suppress(PrivisError), folder.changing(0):  # a writer is at work, or this is no writer
                finish(folder, store._keys)
        found = store._read(lambda now: now.manifest.space)
        if space is not None and (space.identity, space.components) != (found.identity, found.components):
            got = f"vectors of {found.words}, {found.components} components"
            expected = f"{space.words}, {space.components} components"
            remedy = "vectors of two networks cannot be compared: make an index for each"
            raise ParameterError(Problem(str(path), got, expected, remedy))
        return store

    @property
    def damage(self) -> tuple[Problem, ...]:
        """What could not be read of a store that was opened with ``partial``."""
        return self._read(lambda now: now.damage)

    def describe(self) -> StoreDescription:
        """Say what the index holds and how.

        Returns:
            Counts, columns, space and size.

        Raises:
            ParameterError: it is damaged.
        """
        now = self._read(lambda now: now)
        return StoreDescription(
            kind=self.kind,
            place=str(self._folder.path),
            store_id=now.manifest.store_id,
            space=now.manifest.space,
            rows=now.rows,
            subjects=len(now.rows_by_key()),
            columns=dict(now.manifest.columns),
            sealed=True,
            bytes=size_of(self._folder.path, self._keys.path),
        )

    def subjects(self) -> Mapping[str, int]:
        """Count the rows of each person.

        Returns:
            Rows by id, in the order of the ids.

        Raises:
            ParameterError: the index is damaged.
        """
        now = self._read(lambda now: now)
        counts = now.rows_by_key()
        names = now.ring.subjects(now.ring.places(np.array(list(counts), np.int64)))
        return dict(sorted(zip(names, counts.values(), strict=True)))

    def add(self, rows: VectorRows) -> int:
        """Add rows, all or none.

        Args:
            rows: of the index's space; one whose id is there takes its place. New columns are None in earlier rows.

        Returns:
            How many were replaced.

        Raises:
            ParameterError: they do not fit into the index.
            OutputError: it cannot be written, or another writer held it for too long; it is what it was.
        """
        return self._changed(lambda now: add_rows(now, self._keys, rows))

    def rows(self, where: Sequence[Condition] = ()) -> Iterator[VectorRows]:
        """Read what is stored.

        Args:
            where: conditions that all hold for what is read.

        Yields:
            Some thousand rows at a time, all as they were when the first were read.

        Raises:
            ParameterError: a condition cannot be asked, the index is damaged, or it was changed meanwhile.
        """
        now = self._read(lambda now: now)
        check_conditions(where, now.manifest.columns)
        try:
            yield from now.all_rows(where)
        except FragmentGone:
            got, expected = "a change while it was read", "an index that rests until its rows are read"
            raise ParameterError(Problem(str(self._folder.path), got, expected, "read it again")) from None

    def search(
        self, queries: NDArray[Any], top: int, where: Sequence[Condition] = (), approximate: bool = False
    ) -> SearchResult:
        """Find the rows with the largest inner products.

        Args:
            queries: (queries, components), finite.
            top: how many are wanted of each.
            where: conditions that all hold for what is found.
            approximate: changes nothing here: the exact search is fast, so recall is 1.

        Returns:
            What is found, exactly.

        Raises:
            ParameterError: a query, a condition or ``top`` cannot be asked, or the index is damaged.
        """

        def found(now: StoreSnapshot) -> SearchResult:
            check_conditions(where, now.manifest.columns)
            reader, allowed = RowReader(now), now.fitting(where) if where else None
            nearest = now.codes().search(queries, top, reader.vectors, allowed)
            told = [reader.described(rows) for rows in nearest.rows]
            return SearchResult(tuple(ids for ids, _ in told), tuple(nearest.scores), tuple(each for _, each in told))

        return self._read(found, coded=True)

    def erase(self, subjects: Sequence[str]) -> Residue:
        """Drop people's keys, then rewrite what holds their rows.

        Args:
            subjects: ids of people who have rows.

        Returns:
            What their rows looked like: for `verify_erased`.

        Raises:
            ParameterError: somebody has no rows, or a file that has to be rewritten is damaged; nobody is erased.
            OutputError: it cannot be written; a begun erasure is finished by the next change or opening.
        """
        return self._changed(lambda now: erase_subjects(now, self._keys, subjects))

    def verify_erased(self, residue: Residue) -> ResidueSearch:
        """Read every byte of the index's folder and of the file of its keys, journals and unfinished files among them.

        Args:
            residue: what was erased.

        Returns:
            Where it was looked for, and where something of it was found that rows which stay do not hold.

        Raises:
            ParameterError: the index is damaged.
        """
        scanner = ResidueScanner(residue)
        scanner.search_folder(self._folder.path)
        beside = self._keys.path.parent.glob(f"{glob.escape(self._keys.path.name)}*")
        for path in sorted({self._keys.path, *beside}):  # SQLite's journal has the name of its file and an ending
            scanner.search_file(path)
        return scanner.result(self.rows)

    def _changed(self, change: Callable[[StoreSnapshot], T]) -> T:
        if self._partial:
            remedy = "put the lost files back from a copy, or make a new index of the rows that are left"
            raise OutputError(Problem(str(self._folder.path), "an index opened with partial", "a whole one", remedy))
        with self._folder.changing(self._wait):
            finish(self._folder, self._keys)
            try:
                return change(self._current())
            finally:
                with contextlib.suppress(PrivisError):
                    self._current()  # so that what was erased is not in memory any more

    def _read(self, read: Callable[[StoreSnapshot], T], coded: bool = False) -> T:
        """What a function reads of the store at one moment; again where a writer replaced what it was reading."""
        for _ in range(ATTEMPTS):
            with contextlib.suppress(FragmentGone):
                return read(self._current(coded))
            with self._lock:
                seen = self._snapshot
                if seen is not None and seen.token == state_of(self._folder, self._keys, self._partial):
                    self._snapshot = None  # nobody replaced it: the next reading says what is lost
        got = "a change at every attempt to read it"
        raise ParameterError(Problem(str(self._folder.path), got, "an index that rests for a moment", "try again"))

    def _current(self, coded: bool = False) -> StoreSnapshot:
        """The store now: of an earlier snapshot only what is still the same is kept."""
        with self._lock:
            earlier = self._snapshot
            now = StoreSnapshot.read(self._folder, self._keys, earlier, self._partial)
            if now is not earlier:
                now = now.without_damage() if self._partial else now
                now.taking(earlier)
            if coded or (earlier is not None and earlier.has_codes):
                now.codes(earlier)
            self._snapshot = now
            return now


def default_keys(path: Path) -> Path:
    """Name the file of an index's keys.

    Args:
        path: of the index.

    Returns:
        Its path with ``.keys`` at its end.

    >>> default_keys(Path("faces")).name
    'faces.keys'
    """
    return path.with_name(path.name + ".keys")


def _remove_unused(key_file: Path) -> None:
    """Remove a file of keys that a killed `create` left: it holds no key."""
    with contextlib.suppress(ParameterError, FileNotFoundError):
        if not key_file.stat().st_size or not len(SubjectKeys.open(key_file).read()):
            key_file.unlink()
