"""Speed of the noise: processor milliseconds per megapixel, beside numpy's normal generator.

Run ``python -m benchmarks.noise [--baseline WORKTREE]``. numpy's PCG64 is the yardstick only: it is neither secret nor
exact. With a baseline, a checkout of an older commit (the bar is for cbca4a7), processes of both take turns at each
sampler and at PrivUnit of 128 components; the ratio of processor seconds is the median over the turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from privis.privacy import ReleaseKey
from privis.privacy.sampling.integer_noise import sample
from privis.privacy.sampling.noise_tables import gaussian_table, laplace_table

SCALES = (1.0, 20.0, 3000.0, 1e6)
BAR = 60.0
"""Milliseconds that noise may take per megapixel."""
ROOT = Path(__file__).resolve().parents[2]
TURNS = """
import json, sys, time
import numpy as np
from privis.privacy import DirectionRelease, PrivUnit, ReleaseKey
try:
    from privis.privacy.sampling.integer_noise import sample
    from privis.privacy.sampling.noise_tables import gaussian_table, laplace_table
except ImportError:  # as of cbca4a7
    from privis.privacy.noise import sample
    from privis.privacy.tables import gaussian_table, laplace_table
pixels, vectors, scales = json.loads(sys.argv[1])
key = ReleaseKey(bytes(32))
stream = key.stream("benchmark", b"", b"")
works = {}
for name, table_of in (("discrete Laplace", laplace_table), ("rounded Gaussian", gaussian_table)):
    for scale in scales:
        works[f"{name}, scale {scale:g}"] = lambda table=table_of(scale): sample(table, stream, pixels)
rows = np.random.default_rng(0).standard_normal((vectors, 128)).astype(np.float32)
streams = [key.stream(f"{number}", b"", b"") for number in range(vectors)]
release = DirectionRelease(PrivUnit(8.0))
works[f"PrivUnit, {vectors:,} vectors"] = lambda: release.apply_many(rows, streams)
for work in works.values():
    work()
for _ in sys.stdin:
    took = {}
    for name, work in works.items():
        begun = time.process_time()
        work()
        took[name] = time.process_time() - begun
    print(json.dumps(took), flush=True)
"""


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


def compared(
    trees: Sequence[Path], pixels: int = 1_000_000, vectors: int = 4096, repeats: int = 31
) -> dict[str, tuple[float, float]]:
    """Let two checkouts take turns: by sampler, this one's processor seconds and its share of the other's."""
    turns: list[list[dict[str, float]]] = [[] for _ in trees]
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(_child(tree, pixels, vectors)) for tree in trees]
        for _ in range(repeats):
            for child, kept in zip(children, turns, strict=True):
                assert child.stdin is not None and child.stdout is not None
                child.stdin.write("\n")
                child.stdin.flush()
                kept.append(json.loads(child.stdout.readline()))
        for child in children:
            assert child.stdin is not None
            child.stdin.close()
    ours, others = turns
    return {
        name: (
            statistics.median(turn[name] for turn in ours),
            statistics.median(turn[name] / other[name] for turn, other in zip(ours, others, strict=True)),
        )
        for name in ours[0]
    }


def _child(tree: Path, pixels: int, vectors: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-W", "ignore", "-c", TURNS, json.dumps([pixels, vectors, SCALES])]
    return subprocess.Popen(
        command, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", type=Path)
    chosen = parser.parse_args()
    if chosen.baseline is None:
        report(run())
        return
    for name, (seconds, ratio) in compared([ROOT, chosen.baseline.resolve()]).items():
        verdict = "ok" if ratio <= 1 else "SLOWER"
        print(f"{name:32} {1000 * seconds:8.1f} ms, {ratio:.2f} of the baseline's time (at most 1)  {verdict}")


if __name__ == "__main__":
    main()
