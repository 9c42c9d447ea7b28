"""The store in a folder: adding, reading beside pyarrow, searching beside numpy and faiss, memory, dropped keys.

``python -m benchmarks.parquet_store``, and ``--resident`` for the memory of 1,000,000 x 128. Bars: 10,000 vectors added
in at most 1 s; 100,000 x 512 read in at most twice pyarrow's own time for the same numbers in plain Parquet; one query
in at most half of numpy's time and at most that of faiss's IndexFlatIP; 1,000,000 x 128 in at most 1 GiB resident; 500
keys dropped in at most 2.5 ms. Wall and processor milliseconds, medians of contestants that take turns. Memory that
pyarrow keeps from one reading to the next is given back in between: each reading asks for its own, as a new process.
faiss is measured where it is installed: pip install faiss-cpu.
"""

from __future__ import annotations

import hashlib
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.stores.exact_search import Search, peers, vectors
from privis.stores import VectorRows, VectorSpace
from privis.stores.parquet import ParquetStore
from privis.stores.sealing import SubjectKeys

TOP = 10


def rows(values: np.ndarray, first: int, images: int) -> VectorRows:
    """Rows of people with some images each."""
    numbers = range(first, first + len(values))
    ids = tuple(f"folder/picture-{number:07}.jpg" for number in numbers)
    sources = tuple(hashlib.sha256(name.encode()).hexdigest() for name in ids)
    people = tuple(f"person-{number // images:07}" for number in numbers)
    return VectorRows(ids, people, sources, values, {"year": tuple(2000 + number % 25 for number in numbers)})


def filled(folder: Path, count: int, components: int, images: int, step: int = 50_000) -> ParquetStore:
    store = ParquetStore.create(folder, VectorSpace(bytes(32), "made up", components))
    for start in range(0, count, step):
        store.add(rows(vectors(min(step, count - start), components, start), start, images))
    return store


def taken(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each, by the wall and by the processor; a first round is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, run in contestants.items():
            pa.default_memory_pool().release_unused()
            wall, processor = time.perf_counter(), time.process_time()
            run()
            found[name].append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)))
    return {
        name: tuple(statistics.median(each) for each in zip(*values[1:], strict=True))  # type: ignore[misc]
        for name, values in found.items()
    }


def readings(folder: Path, count: int, components: int, images: int, rounds: int) -> dict[str, tuple[float, float]]:
    """All rows of a store, opened anew, beside pyarrow's reading of the same numbers in plain Parquet."""
    filled(folder / "index", count, components, images)
    plain = folder / "plain.parquet"
    numbers = np.concatenate([some.vectors for some in ParquetStore.open(folder / "index").rows()])
    column = pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), components)
    pq.write_table(pa.table({"vector": column}), plain, compression="none", use_dictionary=False)

    def ours() -> int:
        return sum(len(some) for some in ParquetStore.open(folder / "index").rows())

    def theirs() -> int:
        table = pq.read_table(plain)
        return len(table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, components))

    assert ours() == theirs() == count
    return taken({"privis": ours, "pyarrow": theirs}, rounds)


def searches(store: ParquetStore, index: np.ndarray) -> dict[str, Search]:
    """One query of the store beside numpy's and faiss's; the store gives ids, and rows are their numbers."""

    def ours(query: np.ndarray) -> np.ndarray:
        return np.array([int(name[-11:-4]) for name in store.search(query, TOP).ids[0]])

    return {"privis": ours, **{name: search for name, search in peers(index).items() if name != "privis"}}


def resident(folder: Path, count: int, components: int, images: int = 10) -> tuple[float, float]:
    """MiB at the most while an index is filled, opened anew and searched; milliseconds of a search."""
    filled(folder / "index", count, components, images)
    store = ParquetStore.open(folder / "index")
    query = vectors(1, components, seed=1)
    store.search(query, TOP)
    (wall, _) = taken({"search": lambda: store.search(query, TOP)}, 3)["search"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, wall


def dropping(folder: Path, people: int, at_once: int, rounds: int) -> tuple[float, float]:
    """Median milliseconds of dropping keys, by the wall and by the processor."""
    keys = SubjectKeys.create(folder / f"{people}.keys", "0" * 32)
    ring = keys.draw([f"person-{number}" for number in range(people)])
    numbers = np.random.default_rng(0).permutation(ring.numbers).tolist()
    parts = iter([numbers[start : start + at_once] for start in range(0, people, at_once)])
    return taken({"drop": lambda: keys.drop(next(parts))}, rounds)["drop"]


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "--resident" in sys.argv:  # in a process of its own, whose memory is only this
            memory, wall = resident(folder, 1_000_000, 128)
            print(f"1,000,000 x 128   {memory:.0f} MiB resident at the most (bar 1024), {wall:.1f} ms a query")
            return
        for people in (1000, 100_000):
            wall, processor = dropping(folder, people, 500, 1 if people == 1000 else 10)
            print(f"500 of {people:7,} keys dropped: {wall:.2f} ms, {processor:.2f} of the processor (bar 2.5)")
        for images in (10, 1):
            place = folder / str(images)
            place.mkdir()
            found = readings(place, 100_000, 512, images, 5)
            (wall, processor), (their_wall, their_processor) = found["privis"], found["pyarrow"]
            times = f"{wall:.0f} ms, pyarrow {their_wall:.0f}: {wall / their_wall:.2f} of it (bar 2)"
            print(f"100,000 x 512     read, {images} a person: {times}; processor {processor / their_processor:.2f}")
        store = ParquetStore.open(folder / "10" / "index")
        more = [rows(vectors(10_000, 512, seed), 200_000 + 10_000 * seed, 10) for seed in range(4)]
        wall, processor = taken({"add": lambda: store.add(more.pop())}, 3)["add"]
        print(f"10,000 x 512      added to 100,000 in {wall:.0f} ms, {processor:.0f} of the processor (bar 1000)")
        index = np.concatenate([vectors(50_000, 512, start) for start in (0, 50_000)])
        contestants = searches(ParquetStore.open(folder / "1" / "index"), index)
        queries = iter(vectors(64, 512, seed=1))
        equal = [set(each(query[None]).tolist()) for query in [next(queries)] for each in contestants.values()]
        at_once = {name: [query[None] for query in vectors(21, 512, seed=2)] for name in contestants}
        found = taken({name: (lambda n=name: contestants[n](at_once[n].pop())) for name in contestants}, 20)
        for name, (wall, processor) in found.items():
            bar = {"numpy": " (bar 0.5)", "faiss": " (bar 1.0)"}.get(name, "")
            ratio = "" if name == "privis" else f", privis takes {found['privis'][0] / wall:.2f} of that{bar}"
            print(f"100,000 x 512     one query, {name:7} {wall:6.2f} ms, {processor:.2f} of the processor{ratio}")
        print(f"                  equal rows: {all(each == equal[0] for each in equal)}")


if __name__ == "__main__":
    main()
