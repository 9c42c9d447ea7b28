"""Runs of numbers that are near to a vector are found in bytes, pages and cells, and noise is not taken for them.

Answers for `privis.attack.erasure.near_vectors`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from privis.attack.erasure.near_vectors import nearest_in_bytes, nearest_in_files

RANDOM = np.random.default_rng(5)
ROWS = RANDOM.normal(size=(3, 64)).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)
NOISE = RANDOM.bytes(20_000)


@pytest.mark.parametrize("width", [np.float32, np.float16])
@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_a_noisy_copy_is_found_wherever_it_lies(width: type, offset: int) -> None:
    copy = (5 * ROWS[1] + 0.2 * RANDOM.normal(size=64)).astype(width)
    found = nearest_in_bytes(NOISE[: 4000 + offset] + copy.tobytes() + NOISE, ROWS)
    assert found[1] > 0.9 and found[0] < 0.7 and found[2] < 0.7


def test_noise_and_short_or_empty_bytes_hold_nothing() -> None:
    assert nearest_in_bytes(NOISE, ROWS).max() < 0.75
    assert nearest_in_bytes(bytes(5000), ROWS).tolist() == [-1, -1, -1]
    assert nearest_in_bytes(b"abc", ROWS).tolist() == [-1, -1, -1]
    assert nearest_in_bytes(b"\xff" * 5000, ROWS).max() <= 0.75


def test_pages_and_cells_are_opened_and_what_is_too_large_is_said(tmp_path: Path) -> None:
    kept = np.repeat(RANDOM.normal(size=(40, 64)).astype(np.float32), 20, axis=0)
    rows = np.vstack([kept, ROWS[:1]])
    values = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 64)
    pq.write_table(pa.table({"vector": values}), tmp_path / "a.parquet", compression="zstd")
    link = sqlite3.connect(tmp_path / "b.db")
    link.execute("create table t (held blob)")
    link.execute("insert into t values (?)", (ROWS[1].astype(np.float16).tobytes(),))
    link.commit()
    link.close()
    found = nearest_in_files([tmp_path], ROWS)
    assert found.cosines[0] > 0.999 and "a.parquet" in found.places[0]
    assert found.cosines[1] > 0.999 and "b.db" in found.places[1]
    assert found.cosines[2] < 0.8 and found.skipped == () and found.searched > 0
    few = nearest_in_files([tmp_path / "a.parquet"], ROWS, 1000)
    assert few.skipped == (str(tmp_path / "a.parquet"),) and few.cosines.max() == -1


@pytest.mark.parametrize("place", [0, 16_384 - 64, 16_384 - 30, 16_384 - 1, 16_384, 40_000 - 64])
def test_copies_across_blocks_are_found(place: int) -> None:
    numbers = RANDOM.normal(size=40_000).astype(np.float32)
    numbers[place : place + 64] = 3 * ROWS[2]
    assert nearest_in_bytes(numbers.tobytes(), ROWS)[2] > 0.999
