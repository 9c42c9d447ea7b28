"""A store in PostgreSQL: adding, searching and erasing, sealed and open, beside a scan by numpy.

``python -m benchmarks.postgresql_store postgresql://USER@HOST/DATABASE``: of a database in which schemas may be
made and dropped, with pgvector for the open store. Wall seconds, and processor seconds of this process; those of the
server are its own to tell (``pg_stat_activity`` has its process ids).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.stores.exact_search import vectors
from benchmarks.stores.parquet_store import rows
from privis.stores import VectorSpace
from privis.stores.postgresql import Element, PostgresqlStore

TOP = 10


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the wall and by this process."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def measured(
    address: str, element: Element, keys: Path, count: int, components: int, added: int
) -> dict[str, tuple[float, float]]:
    """Fill a new store, add to it, search it and erase somebody of 20 images; answers are those of numpy."""
    space = VectorSpace(bytes(32), "made up", components)
    store = PostgresqlStore.create(address, space, keys=keys, element=element)
    held = vectors(count, components, 0)
    found = {"fill": taken(lambda: store.add(rows(held[added:], added, 20)))}
    found["add"] = taken(lambda: store.add(rows(held[:added], 0, 20)))
    opened = PostgresqlStore.open(address, space, keys=keys)
    queries = vectors(11, components, seed=1)
    found["first search"] = taken(lambda: opened.search(queries[:1], TOP))
    found["ten searches"] = taken(lambda: opened.search(queries[1:], TOP))
    order = np.argsort(-(queries.astype(np.float64) @ held.astype(np.float64).T), axis=1)[:, :TOP]
    names = rows(held, 0, 20).ids
    assert opened.search(queries, TOP).ids == tuple(tuple(names[row] for row in line) for line in order)
    found["erase"] = taken(lambda: opened.erase(["person-0000001"]))
    return found


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: python -m {__spec__.name} postgresql://USER@HOST/DATABASE")
    for element in (Element.SEALED, Element.SINGLE):
        schema = f"benchmark_{element.value}_{int(time.time())}"
        with tempfile.TemporaryDirectory() as folder:
            found = measured(f"{sys.argv[1]}#{schema}", element, Path(folder, "keys"), 100_000, 512, 10_000)
        for name, (wall, processor) in found.items():
            print(
                f"100,000 x 512     {element.value:8} {name:13} {wall:7.2f} s, {processor:6.2f} of the processor here"
            )
        print(f"                  schema {schema} stays until it is dropped")


if __name__ == "__main__":
    main()
