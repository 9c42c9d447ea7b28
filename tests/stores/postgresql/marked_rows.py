"""Rows of several people, and a search for their bytes that shares nothing with the product's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.stores import VectorRows, VectorSpace

COMPONENTS = 128
SPACE = VectorSpace(b"a" * 32, "a test", COMPONENTS)


def rows(count: int, first: int = 0, each: int = 5, seed: int = 7, components: int = COMPONENTS) -> VectorRows:
    """``each`` rows of every person in turn, of length 1."""
    vectors = np.random.default_rng((seed, first)).normal(size=(count, components)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    numbers = range(first, first + count)
    return VectorRows(
        tuple(f"folder/picture{number:05d}.png" for number in numbers),
        tuple(f"person-{number // each:04d}" for number in numbers),
        tuple(hashlib.sha256(str(number).encode()).hexdigest() for number in numbers),
        vectors,
        {
            "year": tuple(2000 + number % 10 for number in numbers),
            "ward": tuple("AB"[number % 2] for number in numbers),
        },
    )


def windows(vectors: NDArray[np.float32], kind: str = "<f4", step: int = 16) -> list[bytes]:
    """Runs of 16 bytes of vectors as they are in memory."""
    found = []
    for vector in vectors.astype(kind):
        content = vector.tobytes()
        found += [content[start : start + 16] for start in range(0, len(content) - 15, step)]
    return found


def count_in(folder: Path, wanted: list[bytes]) -> int:
    """How many of these byte strings some file below a folder holds."""
    left = set(wanted)
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            left -= {each for each in left if each in content}
    return len(set(wanted)) - len(left)
