"""The store in LanceDB, sealed and open: adding, searching beside numpy, an approximate search, erasing.

``python -m benchmarks.lance_store``, with 100,000 x 512. The bars of the store by default are an addition of 10,000
vectors in at most 1 s and a search in at most half of numpy's time; here both are told for comparison. Erasing writes a
whole new table, so that its time grows with the rows that stay. Wall and processor milliseconds.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.stores.exact_search import peers, vectors
from benchmarks.stores.parquet_store import rows, taken
from privis.stores import VectorSpace
from privis.stores.lance import LanceStore

T = TypeVar("T")
TOP = 10


def spent(work: Callable[[], T]) -> tuple[T, float, float]:
    """What it gives; milliseconds by the wall, and of the processor by this process and those that it started."""

    def processor() -> float:
        every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(each.ru_utime + each.ru_stime for each in every)

    wall, before = time.perf_counter(), processor()
    given = work()
    return given, 1e3 * (time.perf_counter() - wall), 1e3 * (processor() - before)


def measured(folder: Path, sealed: bool, count: int, components: int, more: int, rounds: int) -> dict[str, str]:
    """By what was done: what it took."""
    store = LanceStore.create(folder / "index", VectorSpace(bytes(32), "made up", components), sealed=sealed)
    values = np.concatenate([vectors(min(50_000, count - at), components, at) for at in range(0, count, 50_000)])
    store.add(rows(values, 0, 10))
    told, added = {}, rows(vectors(more, components, 7), count, 10)
    replaced, wall, processor = spent(lambda: store.add(added))
    told[f"{more:,} added"] = f"{wall:.0f} ms, {processor:.0f} of the processor; {replaced} replaced"
    _, wall, processor = spent(lambda: LanceStore.open(folder / "index").search(values[:1], TOP))
    told["opened and searched once"] = f"{wall:.0f} ms, {processor:.0f} of the processor"
    queries = vectors(rounds + 2, components, 9)
    asked = {name: [query[None] for query in queries] for name in ("privis", "numpy", "approximate")}
    every = np.concatenate([values, added.vectors])
    numpy = peers(every)["numpy"]
    contestants = {
        "privis": lambda: store.search(asked["privis"].pop(), TOP),
        "numpy": lambda: numpy(asked["numpy"].pop()),
    }
    found = taken(contestants, rounds)
    ours, theirs = found["privis"][0], found["numpy"][0]
    told["one query, exact"] = f"{ours:.1f} ms, numpy {theirs:.1f}: {ours / theirs:.2f} of it"
    best = {int(name[-11:-4]) for name in store.search(queries[:1], TOP).ids[0]}
    told["equal to numpy's"] = str(best == set(np.argsort(-(every.astype(np.float64) @ queries[0]))[:TOP].tolist()))
    if not sealed:
        _, wall, processor = spent(store.build_index)
        told["index made"] = f"{wall:.0f} ms, {processor:.0f} of the processor"
        nearly, wall, _ = spent(lambda: store.search(queries, TOP, approximate=True))
        told["approximate, with exact ones of a sample"] = (
            f"{wall / len(queries):.1f} ms a query, recall {nearly.recall}"
        )
    residue, wall, processor = spent(lambda: store.erase(["person-0000003"]))
    told["one person erased"] = f"{wall:.0f} ms, {processor:.0f} of the processor; {len(residue.vectors)} rows"
    search, wall, processor = spent(lambda: store.verify_erased(residue))
    told["searched for residue"] = f"{wall:.0f} ms, {processor:.0f} of the processor; {len(search.remains)} found"
    return told


def main() -> None:
    for sealed in (True, False):
        with tempfile.TemporaryDirectory() as made:
            for name, took in measured(Path(made), sealed, 100_000, 512, 10_000, 10).items():
                print(f"{'sealed' if sealed else 'open':7} {name:42} {took}", flush=True)


if __name__ == "__main__":
    main()
