"""Paired timing: contestants take turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def medians(
    contestants: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median milliseconds of each contestant over ``repeats`` rounds in which each runs once.

    ``clock`` may be ``time.process_time``: what contestants of one thread take on a machine that others use, too.
    """
    for run in contestants.values():
        run()  # compiles, fills caches
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return {name: 1000 * statistics.median(taken) for name, taken in seconds.items()}
