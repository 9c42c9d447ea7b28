"""Files of an index on disk: its manifest, the journal of a begun erasure, and the lock of its one writer.

====================================  ==================================================================================
file                                  what it holds
====================================  ==================================================================================
``store.json``                        what made the vectors, the columns, and the fragments that count; replaced whole
``fragment-<32 digits>.parquet``      sealed rows; written once, never changed, removed when no manifest names it
``erasure.json``                      the numbers of the keys that a begun erasure drops; there only until it is done
====================================  ==================================================================================

None of them names a person or an image. Evolution: ``format`` in the manifest and in the journal names each, and a
reader refuses any other number. Keys may be added to a manifest under the same number; one that goes, or means
something else, takes the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import flush, replacing
from privis.io.writer_lock import WAIT_SECONDS, one_writer
from privis.stores.vector_store import VectorSpace

FORMAT = "privis.store/1"
JOURNAL_FORMAT = "privis.store-journal/1"
MANIFEST, JOURNAL = "store.json", "erasure.json"

_NAME = re.compile(r"[0-9a-f]{32}")
_TYPES = {"str", "int", "float", "bool"}


@dataclass(frozen=True)
class StoreManifest:
    """What a store is made of at one moment.

    Args:
        store_id: 32 hexadecimal digits, drawn when it was made.
        space: what made the vectors.
        columns: types of the metadata by column.
        fragments: rows by the name of each fragment, in the order of the rows.
    """

    store_id: str
    space: VectorSpace
    columns: Mapping[str, str] = field(default_factory=dict)
    fragments: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write it as text.

        Returns:
            JSON that `of_json` reads.
        """
        space = {
            "identity": self.space.identity.hex(),
            "words": self.space.words,
            "components": self.space.components,
            "guarantee": self.space.guarantee,
        }
        told = {"format": FORMAT, "store": self.store_id, "space": space, "columns": dict(self.columns)}
        return json.dumps({**told, "fragments": dict(self.fragments)}, indent=1)

    @classmethod
    def of_json(cls, text: bytes | str, where: Path) -> StoreManifest:
        """Read what `to_json` wrote.

        Args:
            text: JSON.
            where: its file, in messages.

        Returns:
            The manifest.

        Raises:
            ParameterError: it is damaged, something else, or of another version.
        """
        try:
            told = json.loads(text)
            number = told["format"]
            if number == FORMAT:
                space = told["space"]
                identity, components = bytes.fromhex(space["identity"]), int(space["components"])
                made = cls(
                    str(told["store"]),
                    VectorSpace(identity, str(space["words"]), components, space["guarantee"]),
                    {str(name): str(kind) for name, kind in told["columns"].items()},
                    {str(name): int(rows) for name, rows in told["fragments"].items()},
                )
                if made._is_whole():
                    return made
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            number = None
        if isinstance(number, str) and number.startswith("privis.store/") and number != FORMAT:
            raise ParameterError(Problem(str(where), f"format {number!r}", FORMAT, "update Privis"))
        remedy = "open what is left, read-only, with partial=True: the file of the keys has a copy of the manifest"
        raise ParameterError(misfit(where, FileFormat.STORE_MANIFEST, "not what was written", "", remedy))

    def _is_whole(self) -> bool:
        names = [self.store_id, *self.fragments]
        known = all(_NAME.fullmatch(name) for name in names) and set(self.columns.values()) <= _TYPES
        return known and self.space.components > 0 and all(rows > 0 for rows in self.fragments.values())


@dataclass(frozen=True)
class StoreFolder:
    """The folder of an index, and what lies in it under fixed names.

    Args:
        path: of the folder.
    """

    path: Path

    @property
    def manifest(self) -> Path:
        """Path of the manifest."""
        return self.path / MANIFEST

    @property
    def journal(self) -> Path:
        """Path of the journal of a begun erasure."""
        return self.path / JOURNAL

    def fragment(self, name: str) -> Path:
        """Path of a fragment.

        Args:
            name: 32 hexadecimal digits.

        Returns:
            Its file.
        """
        return self.path / f"fragment-{name}.parquet"

    def read_bytes(self) -> bytes:
        """Read the manifest's bytes: two that are equal mean the same fragments.

        Returns:
            Bytes of its file.

        Raises:
            ParameterError: there is none.
        """
        try:
            return self.manifest.read_bytes()
        except OSError as error:
            remedy = "make an index there first, or give the folder of one"
            where = self.manifest if os.path.lexists(self.manifest) else self.path
            raise ParameterError(misfit(where, FileFormat.STORE, str(error.strerror), "", remedy)) from error

    def read_journal(self) -> tuple[int, ...]:
        """Read which keys a begun erasure drops.

        Returns:
            Their numbers; none where no erasure is begun.

        Raises:
            ParameterError: the journal is damaged.
        """
        try:
            told = json.loads(self.journal.read_bytes())
            if told["format"] == JOURNAL_FORMAT:
                return tuple(int(number) for number in told["keys"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ParameterError(misfit(self.journal, FileFormat.STORE_JOURNAL, str(error))) from error
        raise ParameterError(Problem(str(self.journal), f"format {told['format']!r}", JOURNAL_FORMAT, "update Privis"))

    def write_manifest(self, manifest: StoreManifest) -> None:
        """Put a manifest in the place of the one that is there.

        Args:
            manifest: the new one; all its fragments are on the disk.

        Raises:
            OutputError: it cannot be written; the earlier one is untouched.
        """
        self._write(self.manifest, manifest.to_json())

    def write_journal(self, keys: tuple[int, ...]) -> None:
        """Write down that an erasure is begun.

        Args:
            keys: numbers of the keys that it drops.

        Raises:
            OutputError: it cannot be written; no erasure is begun.
        """
        self._write(self.journal, json.dumps({"format": JOURNAL_FORMAT, "keys": list(keys)}))

    def end_journal(self) -> None:
        """Remove the journal: the erasure is done."""
        self.journal.unlink(missing_ok=True)
        flush(self.path)

    def remove_leftovers(self, manifest: StoreManifest) -> None:
        """Remove files that a killed writer left: fragments that the manifest does not name, and unfinished files.

        The caller holds the lock of the writer. Where a fragment that the manifest names is missing, nothing is
        removed: fragments are written before the manifest, so that it is the manifest that is damaged, and what looks
        like a leftover may be the fragment.

        Args:
            manifest: what counts.
        """
        kept = {self.fragment(name).name for name in manifest.fragments}
        if not all((self.path / name).exists() for name in kept):
            return
        gone = False
        for path in [*self.path.glob("fragment-*.parquet"), *self.path.glob(".*.unfinished")]:
            if path.name not in kept:
                path.unlink(missing_ok=True)
                gone = True
        if gone:
            flush(self.path)

    @contextlib.contextmanager
    def changing(self, wait: float = WAIT_SECONDS) -> Iterator[None]:
        """Be the one writer while the block runs; another process or thread waits.

        Args:
            wait: seconds after which a waiting writer gives up.

        Yields:
            Nothing.

        Raises:
            OutputError: another writer holds the store for longer, or the folder may not be written.
        """
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise OutputError(Problem(str(self.path), "a folder you may not write", "one you may"))
        with one_writer(self.path, wait):
            yield

    def _write(self, path: Path, text: str) -> None:
        with replacing(path) as temporary:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)


def size_of(*places: Path) -> int:
    """Add up the bytes of files.

    Args:
        places: files, or folders of files.

    Returns:
        Bytes; of what is gone meanwhile, none.
    """
    total = 0
    for place in places:
        for path in place.iterdir() if place.is_dir() else [place]:
            with contextlib.suppress(OSError):
                total += path.stat().st_size
    return total
