"""The benchmark runs, and noise keeps its bar of 60 ms per megapixel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "noise.py"


def test_noise_takes_less_than_60_ms_per_megapixel() -> None:
    specification = importlib.util.spec_from_file_location("noise_benchmark", BENCHMARK)
    assert specification is not None and specification.loader is not None
    benchmark = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(benchmark)
    measured = benchmark.run(pixels=300_000, repeats=5)
    ours = [milliseconds for name, milliseconds in measured.items() if "reference" not in name]
    assert len(ours) == 8 and max(ours) < 60.0, measured
