"""The benchmark of the releases runs, and PrivUnit keeps its bar of 2 seconds for 10,000 vectors of 512 numbers."""

from __future__ import annotations

import pytest

from benchmarks import releases

pytestmark = pytest.mark.alone


def test_privunit_takes_less_than_2_seconds_for_10_000_vectors() -> None:
    measured = releases.run(vectors=1000, dimension=512, pixels=100_000, repeats=2)
    assert len(measured) == 7
    assert 10 * measured["PrivUnit, 1,000 x 512"] < 2.0, measured
    # Usually four to five times PrivUnit; it has no bar of its own, and a slow machine is slow for both.
    assert measured["von Mises-Fisher, 1,000 x 512"] < 12 * measured["PrivUnit, 1,000 x 512"], measured
    assert max(value for name, value in measured.items() if "pixels" in name) < 0.06, measured
