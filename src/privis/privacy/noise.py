"""Integer noise from a table (`privis.privacy.tables`) and a keyed stream (`privis.privacy.keys`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from privis.privacy.compiled import kernels
from privis.privacy.keys import NoiseStream
from privis.privacy.tables import NoiseTable

_CHUNK = 1 << 15  # coordinates per turn: their keystream (4 or 8 bytes each) stays in the second-level cache


def sample(table: NoiseTable, stream: NoiseStream, count: int, start: int = 0) -> npt.NDArray[np.int64]:
    """Draw the noise of the coordinates start ... start + count - 1: int64, in grid steps.

    A coordinate's noise depends on the stream and the coordinate only, so chunks agree with the whole.
    Integer arithmetic throughout; each value is within ``table.total_variation`` of its exact law and values
    are independent. The time taken depends on the values: never let a stranger time single draws.

    >>> from privis.privacy.keys import ReleaseKey
    >>> from privis.privacy.tables import gaussian_table
    >>> stream = ReleaseKey(bytes(32)).stream("a.png", b"", b"")  # a test key
    >>> whole = sample(gaussian_table(20.0), stream, 100)
    >>> bool((sample(gaussian_table(20.0), stream, 40, start=60) == whole[60:]).all())
    True
    """
    return narrow_sample(table, stream, count, start).astype(np.int64, copy=False)


def narrow_sample(table: NoiseTable, stream: NoiseStream, count: int, start: int = 0) -> npt.NDArray[Any]:
    """Draw as `sample` does, into int32 where words of 32 bits suffice: values are then below 2**30."""
    out = np.empty(count, np.int32 if table.word_bits == 32 else np.int64)
    for first in range(0, count, _CHUNK):
        _fill(table, stream, start + first, out[first : first + _CHUNK])
    return out


def _fill(table: NoiseTable, stream: NoiseStream, start: int, out: npt.NDArray[Any]) -> None:
    compiled = kernels()
    each = 128 // table.word_bits  # coordinates to a block of the stream
    block, skipped = divmod(start, each)
    words = stream.words(block, -(-(skipped + out.size) // each)).view(f"<u{table.word_bits // 8}")
    left = np.empty(out.size + 8, np.int64)
    count = compiled.draw(
        words[skipped : skipped + out.size], table.prefix_bits, table.direct, table.first, table.offset_bits, out, left
    )
    if not count:
        return
    left = left[:count]
    late = np.empty(count, np.int64)
    count = compiled.settle(
        stream.extra(start + left, 1), table.threshold, table.codes,
        table.column_bits, table.threshold_bits, table.offset_bits, left, out, late,
    )  # fmt: skip
    if count:
        late, blocks = late[:count], 1 + table.late_blocks
        compiled.refine(
            stream.extra(start + (late >> 1), blocks), blocks, table.high, table.low,
            table.base, table.rank, table.of, table.offset_bits, late, out,
        )  # fmt: skip
