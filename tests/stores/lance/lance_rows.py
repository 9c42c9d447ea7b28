"""Rows and indexes that tests of the LanceDB store begin with, and a scan that knows nothing of the product."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from privis.stores import VectorRows, VectorSpace
from privis.stores.lance import LanceStore

COMPONENTS = 32
SPACE = VectorSpace(bytes(range(32)), "a network", COMPONENTS)
WINDOW = 16
"""Bytes of which one find is enough."""


def rows(first: int, end: int, people: int = 20, seed: int = 7) -> VectorRows:
    """Rows ``first`` to ``end`` of a fixed list; one person's are ``people`` apart."""
    numbers = range(first, end)
    vectors = np.random.default_rng(seed).standard_normal((end, COMPONENTS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return VectorRows(
        tuple(f"folder/picture-{number:05}.png" for number in numbers),
        tuple(f"person-{number % people:05}" for number in numbers),
        tuple(hashlib.sha256(b"%d" % number).hexdigest() for number in numbers),
        vectors[first:],
        {"year": tuple(2000 + number % 9 if number % 5 else None for number in numbers)},
    )


def made(folder: Path, sealed: bool, *added: VectorRows, index: str | None = None) -> LanceStore:
    store = LanceStore.create(folder, SPACE, sealed=sealed)
    for some in added:
        store.add(some)
    if index is not None:
        store.build_index(index)
    return store


def content(store: LanceStore) -> dict[str, tuple[str, str, bytes, object]]:
    """All that is stored, by id."""
    return {
        name: (some.subjects[row], some.sources[row], some.vectors[row].tobytes(), some.metadata["year"][row])
        for some in store.rows()
        for row, name in enumerate(some.ids)
    }


def vectors_of(given: VectorRows, subjects: Iterable[str]) -> np.ndarray:
    wanted = set(subjects)
    return given.vectors[[subject in wanted for subject in given.subjects]]


def windows(folder: Path, vectors: np.ndarray, texts: Iterable[str] = ()) -> int:
    """How many windows of 16 bytes of vectors, and of texts, are in the files below a folder: every byte is read.

    Vectors are looked for as float32, float64, float16 and codes of 8 bits.
    """
    every = b"\0\0\0\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    found = 0
    for vector in vectors:
        scaled = np.rint(vector / np.abs(vector).max() * 127).astype(np.int8)
        for form in (vector, vector.astype(np.float64), vector.astype(np.float16), scaled):
            written, step = form.tobytes(), form.dtype.itemsize
            found += sum(written[at : at + WINDOW] in every for at in range(0, len(written) - WINDOW + 1, step))
    return found + sum(text.encode() in every for text in texts)
