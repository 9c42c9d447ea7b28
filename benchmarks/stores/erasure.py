"""Erasing from an index in a folder: what it costs, what is found, and how fast files are searched.

``python -m benchmarks.erasure [ROWS] [MEGABYTES]``. Bar: 0 windows of what was erased in any file, by a scanner that
shares no code with the product. Times are of the processor and of the clock.
"""

from __future__ import annotations

import hashlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from privis.stores import VectorRows, VectorSpace
from privis.stores.erasure.erasing import erased
from privis.stores.erasure.receipt_checks import checked
from privis.stores.erasure.receipt_log import ReceiptFiles
from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.parquet import ParquetStore
from privis.stores.vector_store import Residue

COMPONENTS, IMAGES = 512, 10


def timed(what: str, work: Callable[[], object]) -> object:
    """Do something, and print what it took."""
    wall, used = time.perf_counter(), time.process_time()
    found = work()
    print(
        f"{what}: {time.process_time() - used:.2f} s of the processor, {time.perf_counter() - wall:.2f} s", flush=True
    )
    return found


def drawn(rows: int, seed: int = 0) -> VectorRows:
    """Random directions, ten images of each person."""
    vectors = np.random.default_rng(seed).normal(size=(rows, COMPONENTS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = tuple(f"photos/{place:07d}.jpg" for place in range(rows))
    subjects = tuple(f"person {place // IMAGES:07d}" for place in range(rows))
    return VectorRows(ids, subjects, tuple(hashlib.sha256(name.encode()).hexdigest() for name in ids), vectors)


def windows_found(folder: Path, rows: VectorRows, count: int) -> int:
    """How many 16-byte windows of the first rows lie in any file, as float32, float16, float64 and 8-bit codes."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    vectors = rows.vectors[:count]
    codes = np.rint(vectors / np.abs(vectors).max(1, keepdims=True) * 127).astype(np.int8)
    forms = (vectors, vectors.astype(np.float16), vectors.astype(np.float64), codes)
    windows = [row.tobytes()[start : start + 16] for form in forms for row in form for start in range(0, 500, 100)]
    windows += [text.encode() for text in (*rows.ids[:count], *rows.subjects[:count])]
    return sum(window in content for window in windows for content in contents)


def erase(folder: Path, rows: int) -> int:
    """Erase the first person of an index; gives how many windows are left."""
    held, store = drawn(rows), ParquetStore.create(folder / "index", VectorSpace(bytes(32), "random", COMPONENTS))
    timed(f"add {rows:,} x {COMPONENTS}", lambda: store.add(held))
    files = ReceiptFiles.beside(folder / "index")
    receipt = timed("erase one person, search and sign", lambda: erased(store, [held.subjects[0]], files))
    assert hasattr(receipt, "status")
    check = timed("privis verify --index", lambda: checked(receipt, files, store))  # type: ignore[arg-type]
    found = windows_found(folder, held, IMAGES)
    print(f"{receipt.status.value}, holds: {check.holds}; independent scanner: {found} found (bar 0)")  # type: ignore[attr-defined]
    return found


def scan(folder: Path, megabytes: int, rows: int, texts: int) -> None:
    """Search a file of random bytes for some rows."""
    path = folder / "noise"
    with open(path, "wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1 << 20))
    held = drawn(max(rows, IMAGES), 1)
    residue = Residue(held.vectors[:rows], (), tuple(f"a/{place}.jpg12" for place in range(texts)))

    def search() -> None:
        scanner = ResidueScanner(residue)
        scanner.search_file(path)
        assert not scanner.result().remains

    timed(f"search {megabytes:,} MiB for {rows} rows and {texts} short ids", search)
    path.unlink()


def main(rows: int = 100_000, megabytes: int = 1024) -> None:
    with tempfile.TemporaryDirectory() as folder:
        erase(Path(folder), rows)
        for count, texts in ((10, 0), (500, 0), (10, 10)):
            scan(Path(folder), megabytes, count, texts)
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:,} MiB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
