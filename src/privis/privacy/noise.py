"""Integer noise from a table (`privis.privacy.tables`) and a keyed stream (`privis.privacy.keys`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privis.privacy.keys import NoiseStream
from privis.privacy.tables import NoiseTable

_CHUNK = 1 << 15  # coordinates per turn: their keystream (8 bytes each, rarely 16) stays in the second-level cache


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
    out = np.empty(count, np.int64)
    for first in range(0, count, _CHUNK):
        _fill(table, stream, start + first, out[first : first + _CHUNK])
    return out


def _fill(table: NoiseTable, stream: NoiseStream, start: int, out: npt.NDArray[np.int64]) -> None:
    from privis.privacy.kernels import draw, refine

    block, skipped = divmod(table.words * start, 2)  # a block of the stream is two words
    needed = table.words * out.size
    keystream = stream.words(block, (skipped + needed + 1) // 2)[skipped : skipped + needed]
    late = np.empty(out.size, np.int64)
    left = draw(
        keystream, table.words, table.threshold, table.codes,
        table.column_bits, table.threshold_bits, table.offset_bits, out, late,
    )  # fmt: skip
    if left:
        late = late[:left]
        refine(
            stream.extra(start + (late >> 1), table.late_blocks), table.late_blocks, table.high, table.low,
            table.base, table.rank, table.of, table.offset_bits, late, out,
        )  # fmt: skip
