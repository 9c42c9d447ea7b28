"""The loop of an exact search, compiled: inner products of 8-bit rows with 16-bit queries.

Imported only where it runs, because this loads the compiler. Both are small integers, so sums are exact and the
processor multiplies many at a time; a quarter of the bytes of float32 are read.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def scan(
    codes: NDArray[np.int8],
    queries: NDArray[np.int16],
    row_scales: NDArray[np.float32],
    query_scales: NDArray[np.float32],
    first: int,
    last: int,
    scores: NDArray[np.float32],
) -> None:
    """Fill ``scores[:, first:last]`` with the scaled inner products of these rows."""
    for row in range(first, last):
        for query in range(queries.shape[0]):
            total = np.int32(0)
            for place in range(codes.shape[1]):
                # said once more, as the compiler's own type of a product is twice as wide, and twice as slow
                total = np.int32(total + np.int32(codes[row, place]) * np.int32(queries[query, place]))
            scores[query, row] = np.float32(total) * row_scales[row] * query_scales[query]
