"""Speed of the noise: processor milliseconds per megapixel, beside numpy's normal generator.

Run ``python -m benchmarks.noise``. numpy's PCG64 is the yardstick only: it is neither secret nor exact.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from privis.privacy import ReleaseKey
from privis.privacy.sampling.integer_noise import sample
from privis.privacy.sampling.noise_tables import gaussian_table, laplace_table

SCALES = (1.0, 20.0, 3000.0, 1e6)
BAR = 60.0
"""Milliseconds that noise may take per megapixel."""


def run(pixels: int = 1_000_000, repeats: int = 7) -> dict[str, float]:
    """Measure processor milliseconds per megapixel (median over ``repeats``) by name of the sampler."""
    generator = np.random.Generator(np.random.PCG64())
    measured = {"numpy PCG64 normal (reference)": _milliseconds(lambda: generator.standard_normal(pixels), repeats)}
    stream = ReleaseKey.generate().stream("benchmark", b"", b"")
    for name, table_of in (("discrete Laplace", laplace_table), ("rounded Gaussian", gaussian_table)):
        for scale in SCALES:
            table = table_of(scale)  # built once per scale and kept, so it is not part of the time per pixel
            measured[f"{name}, scale {scale:g}"] = _milliseconds(lambda t=table: sample(t, stream, pixels), repeats)
    return {name: milliseconds * 1e6 / pixels for name, milliseconds in measured.items()}


def _milliseconds(work: Callable[[], object], repeats: int) -> float:
    work()  # compiles, warms caches
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


def report(measured: dict[str, float]) -> None:
    print(f"{'noise':32} {'ms per megapixel':>18}")
    for sampler, cost in measured.items():
        verdict = "" if "reference" in sampler else f"  (at most {BAR:g})  {'ok' if cost < BAR else 'TOO SLOW'}"
        print(f"{sampler:32} {cost:18.1f}{verdict}")


if __name__ == "__main__":
    report(run())
