"""The search for what was erased: every byte of files, and what lies inside them, in the forms that stores write.

What could not be read, or could not be told from other bytes, is said; a store that has such places never counts as
one that everything is gone from.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from privis.stores.erasure.byte_patterns import BytePatterns, Found, blocks_of, pieces_of
from privis.stores.erasure.packed_contents import MEMBERS, Inside, Unpacked, inside_of, member_at
from privis.stores.erasure.written_forms import (
    KEY,
    OF_LENGTH_ONE,
    SEALED,
    SHORTEST_TEXT,
    TEXT,
    VECTOR_FORMS,
    Pattern,
    sealed_patterns,
    text_patterns,
    vector_patterns,
)
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Residue, ResidueSearch

MOST_BYTES = 4_000_000
"""Of patterns: of more, two pieces of each are looked for and not every 16 bytes."""
_BYTES_OF_A_NUMBER = 190  # in all forms
_BLOCK = 8 << 20
_DEEPEST, _LARGEST_INSIDE = 3, 64 << 20  # members in members, and their bytes, that are looked into
_ROUNDS = 4
_MOST_NAMED = 8
_QUOTED = 3  # letters of a text that is looked for between quotes anywhere
_TEXT_HEAD = 4096  # bytes by which a text is told from other content

Kept = Callable[[], Iterable[VectorRows]]
"""Gives the rows that stay in the store."""


class ResidueScanner:
    """Looks for erased vectors, blobs and texts in whatever bytes it is given.

    Args:
        residue: what was erased.

    >>> residue = Residue(np.linspace(-1, 1, 64, dtype=np.float32)[None], (), ())
    >>> scanner = ResidueScanner(residue)
    >>> scanner.search_bytes("page 1", b"..." + residue.vectors.astype(np.float16).tobytes())
    >>> scanner.result().remains
    ('page 1: float16',)
    """

    def __init__(self, residue: Residue) -> None:
        self._residue = residue
        rows = np.unique(residue.vectors, axis=0) if residue.vectors.size else residue.vectors
        hidden = chain(sealed_patterns(residue.sealed), sealed_patterns(residue.keys, KEY))
        given = chain(vector_patterns(rows), hidden, text_patterns(residue.texts))
        self._every_run = rows.size * _BYTES_OF_A_NUMBER + 6 * sum(map(len, residue.sealed)) <= MOST_BYTES
        if not self._every_run:  # cut one by one, as all of them together need not fit into memory
            given = (piece for each in given for piece in pieces_of(each))
        self._patterns = BytePatterns.of(given)
        self._texts = frozenset(residue.texts)
        self._values, self._quoted = _whole_values(residue.texts)
        self._found: dict[str, set[Found]] = {}
        self._cells: dict[str, set[str]] = {}
        self._searched: dict[str, None] = {}
        self._unsearched: dict[str, None] = {}
        self._bytes = 0

    def search_bytes(self, where: str, data: bytes | memoryview, how: str = "bytes") -> None:
        """Search bytes that are in memory, and what is inside them.

        Args:
            where: what they are.
            data: all of them.
            how: how they were read.
        """
        self._searched[f"{where} ({how})"] = None
        self._look(where, data)
        if len(data) <= _LARGEST_INSIDE:
            self._inside(where, io.BytesIO(data), None, 1)

    def search_file(self, path: Path) -> None:
        """Search a file, some megabytes at a time, and what is inside it; its name is searched, too.

        Args:
            path: of the file.
        """
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return  # a pipe, socket or device keeps nothing
            self._look(str(path), os.fsencode(path.name))
            self._values_found(str(path), map(os.fsencode, {path.name, path.stem}))
            with open(path, "rb") as file:
                self._searched[f"{path} (bytes)"] = None
                offsets = self._all_bytes(str(path), file)
                self._inside(str(path), file, path, 0, offsets)
        except FileNotFoundError:
            if path.is_symlink():
                self.not_searched(str(path), "a link to nothing")
        except OSError as error:
            self.not_searched(str(path), error.strerror or "an error")

    def search_folder(self, path: Path) -> None:
        """Search every file below a folder, hidden ones too; files that change meanwhile are searched again.

        Args:
            path: of the folder.
        """
        seen: dict[Path, tuple[int, ...]] = {}
        for _ in range(_ROUNDS):
            there = self._files_of(path)
            new = {each: state for each, state in there.items() if seen.get(each) != state}
            if not new:
                return
            for each in sorted(new):
                self.search_file(each)
            seen = there
        self.not_searched(str(path), f"files that still changed when they were read for the {_ROUNDS}th time")

    def not_searched(self, where: str, reason: str) -> None:
        """Say that something could not be read: nothing counts as gone then.

        Args:
            where: what.
            reason: why.
        """
        self._unsearched[f"{where}: {reason}"] = None

    def result(self, kept: Kept | None = None) -> ResidueSearch:
        """Sum up what all calls so far have searched and found.

        Args:
            kept: gives the rows that stay: bytes that those hold, too, are no finding. None: whatever was found counts.

        Returns:
            Where was searched, in which forms, and what was found.
        """
        vague = self._patterns.untold
        remains: dict[str, None] = {}
        shared, equal = self._shared(kept)
        for where, found in self._found.items():
            forms = {self._patterns.patterns[each.pattern].form for each in found - shared}
            forms -= {f"{form}{OF_LENGTH_ONE}" for form in forms}
            remains |= dict.fromkeys(f"{where}: {form}" for form in sorted(forms))
        for where, texts in self._cells.items():
            if texts - equal:
                remains[f"{where}: {TEXT}"] = None
        unsearched = dict(self._unsearched)
        if equal & self._texts or any(each in equal for each in range(len(self._residue.vectors))):
            unsearched["rows that are kept: some equal those that were erased, which cannot be told from them"] = None
        for sentence in self._vague(vague):
            unsearched[sentence] = None
        forms = (*VECTOR_FORMS,) * bool(self._residue.vectors.size)
        forms += (SEALED,) * bool(self._residue.sealed) + (TEXT,) * bool(self._residue.texts)
        forms += (KEY,) * bool(self._residue.keys)
        if not self._every_run:
            forms += ("two pieces of 24 bytes of each row and form",)
        return ResidueSearch(tuple(self._searched), forms, self._bytes, tuple(remains), tuple(unsearched))

    def _vague(self, untold: frozenset[tuple[str, int]]) -> Iterator[str]:
        rows = {row for form, row in untold if form not in (SEALED, TEXT, KEY)}
        if rows:
            forms = [form for form in VECTOR_FORMS if any((form, row) in untold for row in rows)]
            named = ", ".join(forms) if len(forms) < _MOST_NAMED else f"{len(forms)} of {len(VECTOR_FORMS)} forms"
            yield f"{len(rows)} vectors: constant, zero, sparse or short, not to be told from other bytes in {named}"
        if blobs := {row for form, row in untold if form == SEALED}:
            yield f"{len(blobs)} sealed blobs: too short to be told from other bytes"

    def _files_of(self, folder: Path) -> dict[Path, tuple[int, ...]]:
        found: dict[Path, tuple[int, ...]] = {}

        def refused(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                self.not_searched(str(error.filename), error.strerror or "an error")

        if not folder.is_dir():
            self.not_searched(str(folder), "no such folder")
        for root, folders, files in os.walk(folder, onerror=refused):
            for name in folders:
                place = Path(root, name)
                self._look(str(place), os.fsencode(name))
                self._values_found(str(place), [os.fsencode(name)])
                if place.is_symlink():
                    self.not_searched(str(place), "a link to a folder")
            for name in files:
                try:
                    state = os.stat(Path(root, name))
                    found[Path(root, name)] = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
                except OSError:
                    found[Path(root, name)] = ()
        return found

    def _all_bytes(self, where: str, file: BinaryIO) -> list[int]:
        """Search a file's bytes; gives where compressed members may begin."""
        overlap, offsets, end = self._patterns.longest + 8, dict[int, None](), 0
        for block in blocks_of(iter(lambda: file.read(_BLOCK), b""), overlap):
            begin = max(0, end - overlap)
            end = begin + len(block)
            self._look(where, block, len(block) - (overlap if begin else 0))
            offsets |= dict.fromkeys(begin + found.start() for found in MEMBERS.finditer(block))
        return list(offsets)

    def _look(self, where: str, data: bytes | memoryview, new: int | None = None) -> None:
        self._bytes += len(data) if new is None else new
        if len(data) >= SHORTEST_TEXT and (found := self._patterns.search(data)):
            self._found.setdefault(where, set()).update(found)
        values = self._quoted if b"\0" in bytes(data[:_TEXT_HEAD]) else self._values
        if values is not None:
            self._values_found(where, {found[1] for found in values.finditer(data)})

    def _values_found(self, where: str, values: Iterable[bytes]) -> None:
        """Whole values of text are findings where they are short, too."""
        if texts := self._texts & {value.decode("utf-8", "replace") for value in values}:
            self._cells.setdefault(where, set()).update(texts)

    def _inside(
        self, where: str, file: BinaryIO, path: Path | None, depth: int, offsets: list[int] | None = None
    ) -> None:
        if offsets is None:
            offsets = [found.start() for found in MEMBERS.finditer(file.read())]
        self._inside_part(where, inside_of(file, path, self._texts), depth, streamed=False)
        for offset in offsets:
            self._inside_part(where, member_at(file, offset), depth, streamed=True)

    def _inside_part(self, where: str, part: Inside, depth: int, streamed: bool) -> None:
        """Search what a reader gives; what is packed in it once more is looked into as long as it fits into memory."""
        ahead, joined = b"", bytearray()
        for each in part:
            if not isinstance(each, Unpacked):
                self.not_searched(f"{where} ({each.how})", each.reason)
                continue
            self._searched[f"{where} ({each.how})"] = None
            data = ahead + bytes(each.content)
            self._look(where, data, len(each.content))
            self._values_found(where, (text.encode() for text in each.texts))
            ahead = data[-self._patterns.longest - 8 :] if streamed else b""
            if not streamed:
                joined.clear()
            if len(joined) + len(each.content) <= _LARGEST_INSIDE:
                joined += each.content
            if not streamed and depth < _DEEPEST:
                self._inside(where, io.BytesIO(joined), None, depth + 1)
        if streamed and joined and depth < _DEEPEST:
            self._inside(where, io.BytesIO(joined), None, depth + 1)

    def _shared(self, kept: Kept | None) -> tuple[set[Found], set[str | int]]:
        """What was found and rows that stay hold, too; and texts and numbers of vectors that equal theirs."""
        every = sorted(
            {each for found in self._found.values() for each in found}, key=lambda each: (each.pattern, each.start)
        )
        runs = [self._patterns.run_of(each) for each in every]
        same: dict[tuple[str, bytes], list[Found]] = {}
        for each, run in zip(every, runs, strict=True):
            same.setdefault((run.form, run.content), []).append(each)
        if kept is None or not (self._cells or any(run.form not in (SEALED, KEY) for run in runs)):
            return set(), set()
        wanted = BytePatterns.of(Pattern(form, 0, content, whole=True) for form, content in same)
        listed = list(same.values())
        forms = {run.form for run in runs} - {SEALED, TEXT, KEY}
        vectors = {row.tobytes(): place for place, row in enumerate(self._residue.vectors)}
        held: set[Found] = set()
        equal: set[str | int] = set()
        for rows in kept():
            if forms:
                held |= wanted.search(_joined(vector_patterns(rows.vectors, forms)))
            texts = [*rows.ids, *rows.subjects, *rows.sources]
            texts += [text for column in rows.metadata.values() for text in column if isinstance(text, str)]
            held |= wanted.search(_joined(text_patterns(texts)))
            equal |= self._texts & set(texts)
            if forms:
                equal |= {vectors[row.tobytes()] for row in rows.vectors if row.tobytes() in vectors}
        return {each for found in held for each in listed[found.pattern]}, equal


def search_places(residue: Residue, places: Iterable[Path], kept: Kept | None = None) -> ResidueSearch:
    """Search files and folders.

    Args:
        residue: what was erased.
        places: files, and folders with all that is in them.
        kept: gives the rows that stay; None: whatever was found counts.

    Returns:
        Where was searched, in which forms, and what was found.
    """
    scanner = ResidueScanner(residue)
    for path in places:
        scanner.search_folder(path) if path.is_dir() else scanner.search_file(path)
    return scanner.result(kept)


def _joined(patterns: Iterable[Pattern]) -> bytes:
    return b"".join(each.content + bytes(16) for each in patterns)


def _whole_values(texts: Iterable[str]) -> tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None]:
    """Find short texts as whole values of JSON or CSV; and between quotes in any bytes, if that is no chance there."""
    short = sorted({plain for text in texts if len(plain := text.encode("utf-8", "surrogatepass")) < SHORTEST_TEXT})
    some = [plain for plain in short if len(plain) >= _QUOTED]
    between = rb"(?<![^\"',;\t\r\n])(%s)(?![^\"',;\t\r\n])"
    return (
        re.compile(between % b"|".join(map(re.escape, short))) if short else None,
        re.compile(rb"[\"'](%s)[\"']" % b"|".join(map(re.escape, some))) if some else None,
    )
