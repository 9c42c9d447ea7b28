"""Exact search beside numpy and faiss on the same vectors, in turn: equal neighbours, milliseconds, resident memory.

``python -m benchmarks.exact_search``. Bars: 100,000 x 512, one query, at most half of numpy's time and at most that of
faiss's IndexFlatIP; 1,000,000 x 128 in at most 1 GiB resident; 10,000 vectors added in at most 1 s.
faiss is measured where it is installed: pip install faiss-cpu.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from privis.stores import ExactScan

TOP = 10
AT_A_TIME = 10
Search = Callable[[np.ndarray], np.ndarray]


def vectors(rows: int, components: int, seed: int = 0) -> np.ndarray:
    """Unit vectors about some hundred centres, as embeddings lie."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(200, components)).astype(np.float32)
    made = centres[random.integers(0, 200, rows)] + random.normal(size=(rows, components)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def peers(index: np.ndarray) -> dict[str, Search]:
    """How each answers one query: the rows of the largest inner products."""
    codes = ExactScan.of(index)

    def ours(query: np.ndarray) -> np.ndarray:
        return codes.search(query, TOP, index.__getitem__).rows[0]

    def with_numpy(query: np.ndarray) -> np.ndarray:
        scores = index @ query[0]
        near = np.argpartition(-scores, TOP)[:TOP]
        return near[np.argsort(-scores[near])]

    found: dict[str, Search] = {"privis": ours, "numpy": with_numpy}
    try:
        import faiss
    except ImportError:
        print("faiss is not installed: its row is left out")
        return found
    flat = faiss.IndexFlatIP(index.shape[1])
    flat.add(index)
    return found | {"faiss": lambda query: flat.search(query, TOP)[1][0]}


def measure(searches: Mapping[str, Search], queries: np.ndarray) -> tuple[dict[str, list[float]], int]:
    """Seconds of each on every query, ten queries at a time; and the queries that all answer with the same rows.

    Threads of a library spin for a while after its call, on a core that the next one's call would have had.
    """
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    equal = 0
    for first in range(0, len(queries), AT_A_TIME):
        some = queries[first : first + AT_A_TIME]
        answers: list[set[frozenset[int]]] = [set() for _ in some]
        for name, search in searches.items():
            for answer, query in zip(answers, some, strict=True):
                start = time.perf_counter()
                rows = search(query[None])
                seconds[name].append(time.perf_counter() - start)
                answer.add(frozenset(rows.tolist()))
        equal += sum(len(answer) == 1 for answer in answers)
    return seconds, equal


def resident(rows: int, components: int) -> tuple[float, float]:
    """MiB at the most while an index of a file is built and searched, and seconds of a search."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.f16"
        step = 50_000
        with path.open("wb") as file:
            for start in range(0, rows, step):
                file.write(vectors(min(step, rows - start), components, start).astype(np.float16).tobytes())
        index = np.memmap(path, np.float16, "r", shape=(rows, components))
        codes = ExactScan.of(index)
        start_time = time.perf_counter()
        codes.search(np.asarray(index[:1], np.float64), TOP, index.__getitem__)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - start_time


def main() -> None:
    if "--resident" in sys.argv:  # in a process of its own, whose memory is only this
        memory, seconds = resident(1_000_000, 128)
        print(f"1,000,000 x 128   {memory:.0f} MiB resident at the most (bar 1024), {1e3 * seconds:.1f} ms a query")
        return
    index = vectors(100_000, 512)
    queries = vectors(40, 512, seed=1)
    searches = peers(index)
    measure(searches, queries[:3])  # compiles
    seconds, equal = measure(searches, queries)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        ratios = [ours / theirs for ours, theirs in zip(seconds["privis"], seconds[name], strict=True)]
        bar = {"numpy": " (bar 0.5)", "faiss": " (bar 1.0)"}.get(name, "")
        ratio = "" if name == "privis" else f", privis takes {statistics.median(ratios):.2f} of that{bar}"
        print(f"100,000 x 512     {name:7} {1e3 * median:6.2f} ms{ratio}")
    print(f"                  equal rows in {equal} of {len(queries)} queries")
    codes, more = ExactScan.of(index), vectors(10_000, 512, seed=2)
    start = time.perf_counter()
    codes.appended(more)
    print(f"10,000 x 512      added in {time.perf_counter() - start:.2f} s (bar 1)")


if __name__ == "__main__":
    main()
