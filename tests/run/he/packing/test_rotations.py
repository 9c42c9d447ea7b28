"""`privis.run.he.packing.rotations`: different rotations are counted alike, and in little memory, however far apart."""

from __future__ import annotations

import tracemalloc

import numpy as np

from privis.run.he.packing import rotations


def _entries(span: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 9, 5000), random.choice([0, 3, 77], 5000), random.integers(0, 40, 5000) * (span // 40)


def test_a_sparse_set_is_counted_as_a_dense_one(monkeypatch) -> None:
    entries = _entries(4000)
    dense = rotations.distinct(*entries)
    monkeypatch.setattr(rotations, "_TABLE", 0)
    monkeypatch.setattr(rotations, "_SPARSE", 0)
    sparse = rotations.distinct(*entries)
    np.testing.assert_array_equal(sparse[0], dense[0])
    np.testing.assert_array_equal(sparse[1], dense[1])
    assert sorted(set(zip(*(each.tolist() for each in entries), strict=True))) == sorted(
        map(tuple, dense[0].T.tolist())
    )


def test_distances_far_apart_take_no_gigabytes() -> None:
    entries = _entries(1 << 24)
    tracemalloc.start()
    rotations.distinct(*entries)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
