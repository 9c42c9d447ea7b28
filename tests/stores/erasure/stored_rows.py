"""A small store for tests: a folder that is written anew, and does what a test wants after it erased somebody."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition, Residue, ResidueSearch, SearchResult, StoreDescription, VectorSpace

DIMENSION = 48
Lie = Callable[[Path, VectorRows], None]


def rows_of(names: Sequence[str], seed: int = 0, each: int = 3) -> VectorRows:
    subjects = tuple(name for name in names for _ in range(each))
    ids = tuple(f"{name}/picture-{place}.png" for place, name in enumerate(subjects))
    drawn = np.random.default_rng(seed).normal(size=(len(ids), DIMENSION)).astype(np.float32)
    return VectorRows(
        ids, subjects, tuple(hashlib.sha256(f"{seed} {name}".encode()).hexdigest() for name in ids), drawn
    )


def some(rows: VectorRows, wanted: Callable[[str], bool]) -> VectorRows:
    places = [place for place, name in enumerate(rows.subjects) if wanted(name)]
    columns = ([values[place] for place in places] for values in (rows.ids, rows.subjects, rows.sources))
    ids, subjects, sources = map(tuple, columns)
    told = {name: tuple(cells[place] for place in places) for name, cells in rows.metadata.items()}
    return VectorRows(ids, subjects, sources, rows.vectors[places], told)


def windows_found(folder: Path, vectors: np.ndarray) -> int:
    """The scanner of the tests: how many 16-byte windows of what was erased lie in the files as they are."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    codes = np.rint(vectors / np.abs(vectors).max(1, keepdims=True) * 127).astype(np.int8)
    count = 0
    for written in (vectors, vectors.astype(np.float16), vectors.astype(np.float64), codes):
        for row in written:
            windows = [row.tobytes()[start : start + 16] for start in range(0, row.nbytes - 15, row.itemsize)]
            windows = [window for window in windows if len(set(window)) > 6]  # zeros and repeats are everywhere
            count += sum(content.find(window) >= 0 for window in windows for content in contents)
    return count


@dataclass
class FolderStore:
    """Rows in memory and their bytes in a folder: open, or as blobs that look encrypted."""

    folder: Path
    held: VectorRows
    sealed: bool = False
    lie: Lie | None = None
    tells: bool = True
    store_id: str = "a" * 32
    blobs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.blobs = {name: os.urandom(3000) for name in dict.fromkeys(self.held.subjects)} if self.sealed else {}
        self._write()

    def _write(self) -> None:
        content = b"".join(self.blobs.values()) if self.sealed else self.held.vectors.tobytes()
        names = b"" if self.sealed else "\n".join((*self.held.ids, *self.held.subjects, *self.held.sources)).encode()
        (self.folder / "rows").write_bytes(content)
        (self.folder / "names").write_bytes(names)

    def describe(self) -> StoreDescription:
        space = VectorSpace(bytes(32), "a test", DIMENSION)
        counts = len(self.held), len(self.subjects())
        return StoreDescription("test", str(self.folder), self.store_id, space, *counts, {}, self.sealed, 0)

    def subjects(self) -> Mapping[str, int]:
        return {name: self.held.subjects.count(name) for name in self.held.subjects}

    def add(self, rows: VectorRows) -> int:
        raise NotImplementedError

    def rows(self, where: Sequence[Condition] = ()) -> Iterator[VectorRows]:
        wanted = {each.value for each in where}
        yield some(self.held, lambda name: not where or name in wanted)

    def search(
        self, queries: Any, top: int, where: Sequence[Condition] = (), approximate: bool = False
    ) -> SearchResult:
        raise NotImplementedError

    def erase(self, subjects: Sequence[str]) -> Residue:
        gone, blobs = some(self.held, lambda name: name in subjects), [self.blobs.get(name) for name in subjects]
        self.held = some(self.held, lambda name: name not in subjects)
        self.blobs = {name: blob for name, blob in self.blobs.items() if name not in subjects}
        self._write()
        if self.lie is not None:
            self.lie(self.folder, gone)
        found = tuple(blob for blob in blobs if blob is not None)
        return Residue(gone.vectors if self.tells else gone.vectors[:0], found, gone.ids if self.tells else ())

    def verify_erased(self, residue: Residue) -> ResidueSearch:
        scanner = ResidueScanner(residue)
        scanner.search_folder(self.folder)
        return scanner.result(self.rows)
