"""The folder of a LanceDB store: who may write, what was begun, and what lies in it.

::

    INDEX/store.json     what the store is, and which table is its own
    INDEX/rows-1.lance/  the table, in LanceDB's files
    INDEX/change.json    while something changes
    INDEX/scratch/       LanceDB's temporary files while an index is built

LanceDB leaves what it deleted in files of earlier versions, of indexes and of fragments with few deleted rows. So a
person is erased by writing a whole new table and removing every file of the old one; the name in ``store.json`` changes
in between, at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit
from privis.io.atomic import flush, replacing, unwritable
from privis.io.writer_lock import WAIT_SECONDS, one_writer
from privis.stores.lance.lance_record import BegunChange, LanceRecord


@dataclass(frozen=True)
class LanceFolder:
    """The folder of one store.

    Args:
        place: its path.
    """

    place: Path

    @property
    def record_path(self) -> Path:
        """Of the text that says what the store is."""
        return self.place / "store.json"

    @property
    def change_path(self) -> Path:
        """Of the text that says what was begun."""
        return self.place / "change.json"

    @property
    def scratch(self) -> Path:
        """Of temporary files."""
        return self.place / "scratch"

    def table_path(self, table: str) -> Path:
        """Say where LanceDB keeps a table.

        Args:
            table: its name.

        Returns:
            Path of its folder.
        """
        return self.place / f"{table}.lance"

    def record(self) -> LanceRecord:
        """Read what the store is.

        Returns:
            The record.

        Raises:
            ParameterError: there is no store, or its record is damaged; it says which tables are there.
        """
        if not self.record_path.is_file():
            found = format_of(self.place)
            got = str(found) if found is not FileFormat.FOLDER else "a folder without store.json"
            raise ParameterError(Problem(str(self.place), got, "a store of vectors in LanceDB"))
        try:
            return LanceRecord.from_bytes(self.record_path.read_bytes())
        except ValueError as error:
            tables = sorted(path.name for path in self.place.glob("rows-*.lance"))
            remedy = f"its rows are in {', '.join(tables)}: put back store.json from a copy" if tables else ""
            problem = misfit(self.record_path, FileFormat.LANCE_STORE, str(error), "", remedy)
            raise ParameterError(problem) from error
        except OSError as error:
            raise ParameterError(Problem(str(self.record_path), str(error.strerror), "a file you may read")) from error

    def write_record(self, record: LanceRecord) -> None:
        """Put ``record`` in the place of what is there, at once.

        Args:
            record: what the store is from now on.

        Raises:
            OutputError: it cannot be written; the earlier one is untouched.
        """
        with replacing(self.record_path) as temporary:
            temporary.write_bytes(record.to_bytes())

    def begun(self) -> BegunChange | None:
        """Read what was begun and not ended.

        Returns:
            The change; None where there is none.

        Raises:
            ParameterError: its file is damaged.
        """
        try:
            return BegunChange.from_bytes(self.change_path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            remedy = "nobody can tell whether an erasure was begun: erase again whom you erased last, after removing it"
            raise ParameterError(misfit(self.change_path, FileFormat.LANCE_CHANGE, str(error), "", remedy)) from error
        except OSError as error:
            raise ParameterError(Problem(str(self.change_path), str(error.strerror), "a file you may read")) from error

    def begin(self, change: BegunChange) -> None:
        """Write down what begins, so that the next opening finishes or undoes it.

        Args:
            change: what begins.

        Raises:
            OutputError: it cannot be written.
        """
        with replacing(self.change_path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(change.to_bytes())

    def end(self) -> None:
        """Say that nothing is begun any more."""
        self.change_path.unlink(missing_ok=True)
        flush(self.place)

    def files(self, table: str) -> tuple[str, ...]:
        """List the files of a table.

        Args:
            table: its name.

        Returns:
            Their paths in the table's folder, in order.
        """
        top = self.table_path(table)
        found = (Path(folder, name) for folder, _, names in os.walk(top) for name in names)
        return tuple(sorted(str(path.relative_to(top)) for path in found))

    def size(self, keys: Path | None) -> int:
        """Add up the bytes of the store's files.

        Args:
            keys: file of its keys; None: there is none.

        Returns:
            Bytes; of what is gone meanwhile, none.
        """
        found = [Path(folder, name) for folder, _, names in os.walk(self.place) for name in names]
        total = 0
        for path in found if keys is None else [*found, keys]:
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def flush(self, table: str, earlier: tuple[str, ...] = ()) -> None:
        """See that a table is on the disk: LanceDB leaves that to the system.

        Args:
            table: its name.
            earlier: files that are there already.

        Raises:
            OutputError: it cannot be done.
        """
        top = self.table_path(table)
        new = [top / name for name in self.files(table) if name not in set(earlier)]
        try:
            for path in [*new, *sorted({path.parent for path in new}), top, self.place]:
                flush(path)
        except OSError as error:
            raise unwritable(top, error) from error

    def remove(self, table: str, names: tuple[str, ...] | None = None) -> None:
        """Remove a table, or some files of it.

        Args:
            table: its name.
            names: of files in its folder; None: all, and the folder.

        Raises:
            OutputError: one cannot be removed.
        """
        top = self.table_path(table)
        try:
            if names is None:
                shutil.rmtree(top)
            else:
                for name in names:
                    (top / name).unlink(missing_ok=True)
            flush(self.place)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritable(top, error) from error

    def strays(self, table: str) -> list[Path]:
        """List what is in the folder and belongs to nothing.

        Args:
            table: the one that the store has.

        Returns:
            Other tables, temporary files and the like.
        """
        known = {self.record_path, self.change_path, self.table_path(table)}
        return sorted(path for path in self.place.iterdir() if path not in known)

    def sweep(self, table: str) -> None:
        """Remove what an earlier writer left behind when it was killed; the caller is the only writer.

        Args:
            table: the one that the store has.

        Raises:
            OutputError: something cannot be removed.
        """
        for path in self.strays(table):
            ours = path.name == self.scratch.name or path.suffix in (".lance", ".unfinished")
            try:
                if ours and path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif ours:
                    path.unlink()
            except OSError as error:
                raise unwritable(path, error) from error

    @contextlib.contextmanager
    def changing(self, wait: float = WAIT_SECONDS) -> Iterator[None]:
        """Be the only writer while the block runs.

        Args:
            wait: seconds after which a waiting writer gives up.

        Yields:
            Nothing.

        Raises:
            OutputError: the folder cannot be written, or another writer holds it for longer.
        """
        if not os.access(self.place, os.W_OK | os.X_OK):
            got = "a folder you may not write" if self.place.is_dir() else "no such folder"
            raise OutputError(Problem(str(self.place), got, "a folder you may write"))
        with one_writer(self.place, wait):
            yield
