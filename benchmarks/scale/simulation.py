"""A run of many images on many workers, simulated span by span from rates that were measured on few.

Workers compute spans, one each at a time; whoever finishes hands the answer to the driver, which deals with one after
another and gives out the next span. So a driver that is too slow, a store that is too slow, workers that are slow or
die, and the tail of the last spans all show in the total.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cluster:
    """What is simulated; everything in seconds and bytes.

    Args:
        images: how many.
        workers: of one core each.
        span: images that a worker gets at once.
        per_image: seconds of a core for one image, reading from a fast disk included.
        driver_per_span: seconds of the driver's core for the answer of a span.
        join_per_row: seconds to write one row of the table, at the end, on one core.
        start_up: until a worker works, also one that takes the place of another.
        image_bytes: of one file.
        bandwidth: of the store, for all workers together.
        latency: until the first byte of an object comes.
        reads: objects that a worker asks for at a time.
        spread: standard deviation of the logarithm of a span's seconds.
        slow_share: of workers that are slow.
        slowness: how many times as long they take.
        deaths_per_hour: of one worker.
        seed: of everything random.
    """

    per_image: float
    driver_per_span: float
    join_per_row: float
    start_up: float
    image_bytes: float
    images: int = 10_000_000
    workers: int = 64
    span: int = 64
    bandwidth: float = 1.25e9
    latency: float = 0.02
    reads: int = 1
    spread: float = 0.15
    slow_share: float = 0.05
    slowness: float = 2.0
    deaths_per_hour: float = 0.05
    seed: int = 1

    def sentences(self) -> Iterator[str]:
        """Say what was measured and what was assumed."""
        size, store = self.image_bytes / 1000, 8 * self.bandwidth / 1e9
        yield f"measured: {1000 * self.per_image:.2f} ms of a core per image, files of {size:,.0f} kB,"
        yield f"  {1000 * self.driver_per_span:.2f} ms of the driver per span, start-up {self.start_up:.1f} s,"
        yield f"  {1e6 * self.join_per_row:.0f} µs per row of the table at the end"
        yield f"assumed: spans of {self.span}, a store of {store:.0f} Gbit/s for all,"
        yield f"  {1000 * self.latency:.0f} ms per object, 1 or 8 at a time, spans that vary by {self.spread:.0%},"
        yield f"  {self.slow_share:.0%} of workers {self.slowness:g} times slower,"
        yield f"  {self.deaths_per_hour:g} deaths of each worker an hour, its span anew"


@dataclass(frozen=True)
class Simulated:
    """What came of it.

    Args:
        seconds: in all.
        ideal: of the same cores that do nothing but compute, without a store, a driver and deaths.
        driver_busy: share of the time in which the driver works.
        deaths: of workers.
        wasted: seconds of workers for spans that were computed again, and for starting anew.
        joined: seconds of writing the table.
    """

    seconds: float
    ideal: float
    driver_busy: float
    deaths: int
    wasted: float
    joined: float

    @property
    def efficiency(self) -> float:
        """Share of the ideal."""
        return self.ideal / self.seconds


def simulated(cluster: Cluster) -> Simulated:
    """Simulate a run.

    Args:
        cluster: what is simulated.

    Returns:
        How long it takes, and why.
    """
    random = np.random.default_rng(cluster.seed)
    sizes = [cluster.span] * (cluster.images // cluster.span)
    sizes += [cluster.images % cluster.span] * bool(cluster.images % cluster.span)
    pace = np.where(random.random(cluster.workers) < cluster.slow_share, cluster.slowness, 1.0)
    fetch = cluster.latency / cluster.reads + cluster.image_bytes * cluster.workers / cluster.bandwidth
    spreads = np.exp(random.normal(-(cluster.spread**2) / 2, cluster.spread, len(sizes) + 1))
    death = math.inf if not cluster.deaths_per_hour else 3600 / cluster.deaths_per_hour

    def lifetime() -> float:
        return float(random.exponential(death)) if math.isfinite(death) else math.inf

    alive = [cluster.start_up + lifetime() for _ in range(cluster.workers)]
    events: list[tuple[float, int, int]] = []  # when a worker is ready, which, and the images of the span it did
    for worker in range(cluster.workers):
        heapq.heappush(events, (cluster.start_up, worker, 0))
    driver = busy = wasted = 0.0
    deaths, given, left = 0, 0, cluster.images
    finished = 0.0
    while left:
        now, worker, done = heapq.heappop(events)
        if done:
            driver = max(driver, now) + cluster.driver_per_span
            busy += cluster.driver_per_span
            left -= done
            finished = now = driver
        if not sizes:
            continue
        size = sizes.pop()
        seconds = size * (cluster.per_image * float(pace[worker]) * float(spreads[given % len(spreads)]) + fetch)
        given += 1
        if now + seconds > alive[worker]:
            sizes.append(size)
            deaths += 1
            back = max(now, alive[worker]) + cluster.start_up
            wasted += back - now
            alive[worker] = back + lifetime()
            heapq.heappush(events, (back, worker, 0))
        else:
            heapq.heappush(events, (now + seconds, worker, size))
    joined = cluster.join_per_row * cluster.images
    ideal = cluster.images * cluster.per_image / cluster.workers
    return Simulated(finished + joined, ideal, busy / finished, deaths, wasted, joined)
