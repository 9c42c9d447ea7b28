"""Rows and indexes that tests of the store in a folder begin with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from privis.stores import VectorRows, VectorSpace
from privis.stores.parquet import ParquetStore

SPACE = VectorSpace(bytes(range(32)), "a network", 8)


def rows(subjects: Sequence[str], first: int = 0, components: int = 8, **columns: tuple) -> VectorRows:
    """A row per subject; ids are numbered from ``first`` on."""
    ids = tuple(f"picture-{number}.png" for number in range(first, first + len(subjects)))
    random = np.random.default_rng(first)
    vectors = random.normal(size=(len(subjects), components)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sources = tuple(hashlib.sha256(name.encode()).hexdigest() for name in ids)
    return VectorRows(ids, tuple(subjects), sources, vectors, columns)


def people(count: int, images: int = 3) -> list[str]:
    """Names, each some times, one person after the other in turn."""
    return [f"person-{number:04}" for _ in range(images) for number in range(count)]


def made(folder: Path, *added: VectorRows) -> ParquetStore:
    store = ParquetStore.create(folder, SPACE)
    for some in added:
        store.add(some)
    return store


def content(store: ParquetStore, *where) -> dict[str, tuple]:
    """All that is stored, by id."""
    return {
        name: (subject, source, vector.tobytes(), {column: values[row] for column, values in some.metadata.items()})
        for some in store.rows(where)
        for row, (name, subject, source, vector) in enumerate(
            zip(some.ids, some.subjects, some.sources, some.vectors, strict=True)
        )
    }
