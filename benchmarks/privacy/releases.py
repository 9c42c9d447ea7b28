"""Speed of the releases that are no plain noise: processor seconds for 10,000 vectors, and noise per megapixel.

Run ``python -m benchmarks.releases``. PrivUnit and von Mises-Fisher take all vectors in one call; randomised response
and noise on features take them one by one, as an extraction does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Laplace,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    ReleaseKey,
    VonMisesFisher,
)

BARS = {"PrivUnit, 10": 2.0, "Laplace on pixels": 0.06, "Gaussian on pixels": 0.06}
"""Seconds that a release may take, by the beginning of its name: for 10,000 vectors of 512 numbers or a megapixel."""


def run(vectors: int = 10_000, dimension: int = 512, pixels: int = 1_000_000, repeats: int = 3) -> dict[str, float]:
    """Measure the least of ``repeats`` times, in seconds: per ``vectors`` vectors, or per megapixel of an image."""
    generator = np.random.Generator(np.random.PCG64(0))  # for the inputs; the noise is keyed
    inputs = generator.normal(size=(vectors, dimension)).astype(np.float32)
    image = generator.integers(0, 256, (pixels // 1000, 1000), dtype=np.uint8)
    key = ReleaseKey.generate()
    streams = [key.stream(str(row), b"", b"") for row in range(vectors)]

    def together(release: DirectionRelease) -> Callable[[], object]:
        return lambda: release.apply_many(inputs, streams)

    def one_by_one(release: FeatureRelease | CodeRelease | DirectionRelease) -> Callable[[], object]:
        return lambda: [release.apply(vector, stream) for vector, stream in zip(inputs, streams, strict=True)]

    many = {
        "PrivUnit": together(DirectionRelease(PrivUnit(8.0))),
        "PrivUnit, one by one": one_by_one(DirectionRelease(PrivUnit(8.0))),
        "von Mises-Fisher": together(DirectionRelease(VonMisesFisher(20.0))),
        "randomised response, one by one": one_by_one(CodeRelease(RandomisedResponse(8.0))),
        "Gaussian on the feature, one by one": one_by_one(FeatureRelease(Gaussian(8.0, 1e-6), clip=1.0)),
    }
    measured = {f"{name}, {vectors:,} x {dimension}": _seconds(work, repeats) for name, work in many.items()}
    for name, noise in (("Laplace", Laplace(4.0)), ("Gaussian", Gaussian(4.0, 1e-6))):
        release = PixelRelease(noise, unit=Pixels(16), block=1)
        seconds = _seconds(lambda made=release: made.apply(image, streams[0]), repeats)
        measured[f"{name} on pixels, per megapixel"] = seconds * 1e6 / image.size
    return measured


def _seconds(work: Callable[[], object], repeats: int) -> float:
    work()  # compiles, builds tables
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def report(measured: dict[str, float]) -> None:
    print(f"{'release':58} {'seconds':>9}")
    for name, seconds in measured.items():
        bar = next((bar for start, bar in BARS.items() if name.startswith(start)), None)
        verdict = "" if bar is None else f"  (at most {bar:g})  {'ok' if seconds < bar else 'TOO SLOW'}"
        print(f"{name:58} {seconds:9.3f}{verdict}")


if __name__ == "__main__":
    report(run())
