"""A store of vectors in LanceDB: one table in a folder of this machine, sealed per person or open to LanceDB's search.

Sealed (the default): LanceDB holds encrypted units; a search unseals them into memory once and scans them exactly.
Open: LanceDB holds plain vectors and searches them itself, exactly or by an index; who reads the folder reads them.

>>> import importlib.util, tempfile
>>> from privis.stores.lance import LanceStore
>>> rows = VectorRows(("a.png", "b.png"), ("ann", "bob"), ("0" * 64,) * 2, np.eye(2, 4, dtype=np.float32))
>>> def found():
...     with tempfile.TemporaryDirectory() as folder:
...         store = LanceStore.create(folder + "/index", VectorSpace(b"colour", "colour", 4))
...         store.add(rows)
...         store.erase(["ann"])
...         return store.search([[1.0, 0.5, 0.0, 0.0]], 2).ids
>>> found() if importlib.util.find_spec("lancedb") else (("b.png",),)
(('b.png',),)
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from privis.errors import OutputError, ParameterError, PrivisError, Problem, refuse
from privis.io.writer_lock import WAIT_SECONDS
from privis.stores.conditions import check_conditions
from privis.stores.exact_scan import LARGEST
from privis.stores.lance.lance_changes import add_rows, build_index, erase_subjects, finish, is_unfinished, made_table
from privis.stores.lance.lance_filters import filter_of
from privis.stores.lance.lance_folder import LanceFolder
from privis.stores.lance.lance_reader import LanceReader
from privis.stores.lance.lance_record import LanceRecord
from privis.stores.lance.lance_tables import LANCE_ERRORS, connected, scanned
from privis.stores.lance.open_rows import FoundRows, nearest, nearly_nearest, plain_rows, recall_of, sampled
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition, Residue, ResidueSearch, SearchResult, StoreDescription, VectorSpace
from privis.validation import integer_problem

if TYPE_CHECKING:
    from lancedb.table import Table

T = TypeVar("T")


class LanceStore:
    """An index in LanceDB; made with `create`, opened with `open`. Threads and processes may share it.

    Args:
        folder: of the index.
        keys: its file of keys; None: the index is open.
        wait: seconds after which a writer that waits for another one gives up.
    """

    kind = "lancedb"

    def __init__(self, folder: LanceFolder, keys: SubjectKeys | None, wait: float = WAIT_SECONDS) -> None:
        self._folder, self._keys, self._wait = folder, keys, wait
        self._reader = LanceReader(folder, keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._folder.place)!r})"

    @classmethod
    def create(
        cls, path: str | Path, space: VectorSpace, keys: str | Path | None = None, sealed: bool = True
    ) -> LanceStore:
        """Make an empty index.

        Args:
            path: of a folder that is not there, or empty.
            space: what makes the vectors.
            keys: of the file of the keys, which is not there; None: ``path`` with ``.keys`` at its end.
            sealed: encrypt rows per person; without it LanceDB's own search works, and whoever reads the folder reads
                the vectors.

        Returns:
            The store.

        Raises:
            MissingExtraError: LanceDB is not installed.
            OutputError: something is there, or cannot be written.
            ParameterError: keys are named for an open index.
        """
        place = Path(os.path.realpath(path))
        if keys is not None and not sealed:
            raise ParameterError(Problem("LanceStore.create keys", str(keys), "none: an open index has no keys"))
        connected(place.parent)
        key_file = Path(keys) if keys is not None else place.with_name(place.name + ".keys")
        folder, store_id = LanceFolder(place), uuid.uuid4().hex
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            there = sorted(each.name for each in place.iterdir())
        except OSError as error:
            remedy = "choose another name" if place.exists() else f"mkdir -p {place.parent}"
            raise OutputError(Problem(str(path), str(error.strerror), "a folder for an index", remedy)) from error
        with folder.changing():
            if there:
                got = f"{len(there)} files, {there[0]} among them"
                raise OutputError(Problem(str(path), got, "no folder, or an empty one", "choose another name"))
            record = LanceRecord(store_id, space, sealed)
            if sealed and keys is None:
                _remove_unused(key_file)
            made = SubjectKeys.create(key_file, store_id) if sealed else None
            made_table(folder, record, record.table)
            folder.write_record(record)
        return cls(folder, made)

    @classmethod
    def open(
        cls,
        path: str | Path,
        space: VectorSpace | None = None,
        keys: str | Path | None = None,
        wait: float = WAIT_SECONDS,
    ) -> LanceStore:
        """Open an index; what a killed writer began is finished, or taken back.

        Args:
            path: of its folder.
            space: what made the vectors that are added or searched for; None: whatever made those of the index.
            keys: of the file of the keys; None: ``path`` with ``.keys`` at its end.
            wait: seconds after which a writer that waits for another one gives up.

        Returns:
            The store.

        Raises:
            MissingExtraError: LanceDB is not installed.
            ParameterError: there is no index, another network made its vectors, or files are damaged: the message
                names them, and what is still usable.
        """
        folder = LanceFolder(Path(os.path.realpath(path)))
        connected(folder.place)
        record = folder.record()
        found = record.space
        if space is not None and (space.identity, space.components) != (found.identity, found.components):
            got = f"vectors of {found.words}, {found.components} components"
            remedy = "vectors of two networks cannot be compared: make an index for each"
            raise ParameterError(Problem(str(path), got, f"{space.words}, {space.components} components", remedy))
        key_file = Path(keys) if keys is not None else folder.place.with_name(folder.place.name + ".keys")
        store = cls(folder, SubjectKeys.open(key_file, record.store_id) if record.sealed else None, wait)
        if is_unfinished(folder, store._keys):
            with contextlib.suppress(PrivisError), folder.changing(0):  # a writer is at work, or this is no writer
                finish(folder, store._keys)
        store._reader.read(lambda record, table: table.count_rows())
        return store

    def describe(self) -> StoreDescription:
        """Say what the index holds and how.

        Returns:
            Counts, columns, space and size.

        Raises:
            ParameterError: it is damaged.
        """
        counts = self.subjects()
        record = self._folder.record()
        return StoreDescription(
            kind=self.kind,
            place=str(self._folder.place),
            store_id=record.store_id,
            space=record.space,
            rows=sum(counts.values()),
            subjects=len(counts),
            columns=dict(record.columns),
            sealed=record.sealed,
            bytes=self._folder.size(self._keys.path if self._keys is not None else None),
        )

    def subjects(self) -> Mapping[str, int]:
        """Count the rows of each person.

        Returns:
            Rows by id, in the order of the ids.

        Raises:
            ParameterError: the index is damaged.
        """

        def counted(record: LanceRecord, table: Table) -> dict[str, int]:
            counts: dict[str, int] = {}
            if self._keys is None:
                for batch in scanned(table, ["subject"], filter_of((), {}, (), self._reader.erasing())):
                    for name in batch.column(0).to_pylist():
                        counts[name] = counts.get(name, 0) + 1
                return counts
            ring = self._reader.ring()
            for batch in scanned(table, ["key", "rows"]):
                places = ring.places(np.asarray(batch.column(0), np.int64))
                rows = np.asarray(batch.column(1))[places >= 0].tolist()
                for name, each in zip(ring.subjects(places[places >= 0]), rows, strict=True):
                    counts[name] = counts.get(name, 0) + each
            return counts

        return dict(sorted(self._reader.read(counted).items()))

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
        return self._changed(lambda: add_rows(self._folder, self._keys, rows, self._reader.unsealed))

    def rows(self, where: Sequence[Condition] = ()) -> Iterator[VectorRows]:
        """Read what is stored.

        Args:
            where: conditions that all hold for what is read.

        Yields:
            Some thousand rows at a time, as they were when the first were read.

        Raises:
            ParameterError: a condition cannot be asked, the index is damaged, or it was rewritten meanwhile.
        """

        def begun(record: LanceRecord, table: Table) -> Iterator[VectorRows]:
            check_conditions(where, record.columns)
            if self._keys is not None:
                return self._reader.unsealed(record, table).rows(where, record)
            return plain_rows(table, record.columns, self._reader.fits(where, record, table))

        yield from self._streamed(self._reader.read(begun))

    def _streamed(self, parts: Iterator[VectorRows]) -> Iterator[VectorRows]:
        try:
            yield from parts
        except PrivisError:
            raise
        except LANCE_ERRORS as error:
            self._reader.forget()
            self._reader.read(lambda record, table: sum(part.num_rows for part in scanned(table, table.schema.names)))
            got, expected = "a change while it was read", "an index that rests until its rows are read"
            raise ParameterError(Problem(str(self._folder.place), got, expected, "read it again")) from error

    def search(
        self, queries: npt.ArrayLike, top: int, where: Sequence[Condition] = (), approximate: bool = False
    ) -> SearchResult:
        """Find the rows with the largest inner products.

        Args:
            queries: (queries, components), finite.
            top: how many are wanted of each.
            where: conditions that all hold for what is found; in an open index LanceDB evaluates them.
            approximate: by LanceDB's index, which is made when first asked for; recall is told from a sample of the
                queries. A sealed store is always searched exactly.

        Returns:
            What is found.

        Raises:
            ParameterError: a query, a condition or ``top`` cannot be asked, or the store is damaged.
            OutputError: there is no approximate index yet, and it cannot be made.
        """
        asked = np.asarray(queries, np.float64)
        if approximate and self._keys is None and self._folder.record().index is None and self.subjects():
            self.build_index()

        def found(record: LanceRecord, table: Table) -> tuple[list[FoundRows], float | None]:
            check_conditions(where, record.columns)
            self._check_queries(asked, top, record)
            if self._keys is not None:
                return self._reader.unsealed(record, table).nearest(asked, top, where, record), None
            fits = self._reader.fits(where, record, table)
            if not approximate or record.index is None:  # where there is no row, there is none
                return [nearest(table, query, top, record, fits) for query in asked], None
            rows = [nearly_nearest(table, query, top, record, fits) for query in asked]
            sample = sampled(len(asked))
            exact = [nearest(table, asked[place], top, record, fits) for place in sample]
            return rows, recall_of([rows[place] for place in sample], exact)

        rows, recall = self._reader.read(found)
        return SearchResult(
            tuple(each.ids for each in rows),
            tuple(each.scores for each in rows),
            tuple(each.metadata for each in rows),
            recall,
        )

    def _check_queries(self, asked: npt.NDArray[np.float64], top: int, record: LanceRecord) -> None:
        problems = integer_problem("LanceStore.search top", top, 1)
        components = record.space.components
        if asked.ndim != 2 or asked.shape[1] != components or not (np.abs(asked) <= LARGEST).all():
            expected = f"finite numbers, (queries, {components})"
            problems.append(Problem("LanceStore.search queries", f"shape {asked.shape}", expected))
        refuse(ParameterError, problems)

    def build_index(self, kind: str = "ivf-flat") -> None:
        """Make the approximate index of an open store; rows that are added later are found without it.

        Args:
            kind: "ivf-flat", lists of vectors near a centre, or "hnsw", a graph in each list.

        Raises:
            ParameterError: the store is sealed, or there is no such kind.
            OutputError: it cannot be written.
        """
        self._changed(lambda: build_index(self._folder, kind))

    def erase(self, subjects: Sequence[str]) -> Residue:
        """Drop people's keys, then write a whole new table without their rows and remove every file of the old one.

        Args:
            subjects: ids of people who have rows, or had some in a version that is still there.

        Returns:
            What their rows looked like: for `verify_erased`.

        Raises:
            ParameterError: somebody has no rows, or the table is damaged; nobody is erased.
            OutputError: it cannot be written; a begun erasure is finished by the next change or opening.
        """
        return self._changed(lambda: erase_subjects(self._folder, self._keys, subjects))

    def verify_erased(self, residue: Residue) -> ResidueSearch:
        """Read every byte of the folder and of the keys, and every column of every version through LanceDB.

        Args:
            residue: what `erase` gave.

        Returns:
            Where was searched, and what was found.

        Raises:
            ParameterError: the index is damaged.
        """
        from privis.stores.lance.lance_residue import searched

        return searched(self._folder, self._keys, residue, self.rows)

    def _changed(self, change: Callable[[], T]) -> T:
        with self._folder.changing(self._wait):
            finish(self._folder, self._keys)
            try:
                return change()
            finally:
                self._reader.forget()  # so that what was erased is not in memory any more


def _remove_unused(key_file: Path) -> None:
    """Remove a file of keys that a killed `create` left: it holds no key."""
    with contextlib.suppress(ParameterError, FileNotFoundError):
        if not key_file.stat().st_size or not len(SubjectKeys.open(key_file).read()):
            key_file.unlink()
