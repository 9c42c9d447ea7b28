"""Rows of a matrix have the streams of its rows one by one, however many blocks there are."""

from __future__ import annotations

import numpy as np

from privis.extraction.vectors.row_blocks import MatrixRows
from privis.identity import identity
from privis.privacy import ReleaseKey


def test_every_block_has_the_streams_of_its_rows() -> None:
    matrix = np.random.default_rng(0).standard_normal((2100, 3)).astype(np.float32)
    records, key = [f"record {number}" for number in range(len(matrix))], ReleaseKey(bytes(32))
    rows = MatrixRows(matrix, records, None, False, key, b"purpose", [])
    assert [row.release_id for row in rows] == [row.release_id for row in rows]
    last = list(rows)[-1]
    stream = key.stream(identity((records[-1], None)).hex(), identity(matrix[-1]), b"purpose")
    assert last.stream.words(0, 4).tolist() == stream.words(0, 4).tolist()
