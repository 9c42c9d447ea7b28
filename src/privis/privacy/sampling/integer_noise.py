"""Integer noise from a table (`noise_tables`) and a keyed stream (`keys`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from privis.privacy.sampling.alias_table import CHAPTER, NoiseTable
from privis.privacy.sampling.lazy_kernels import kernels
from privis.privacy.sampling.release_key import NoiseStream

_TURN = 8  # chapters: their keystream, 4 or 8 bytes a value, stays in the second-level cache
_WORDS = {32: np.dtype("<u4"), 64: np.dtype("<u8")}


def sample(table: NoiseTable, stream: NoiseStream, count: int, start: int = 0) -> npt.NDArray[np.int64]:
    """Draw the noise of the coordinates start ... start + count - 1: int64, in grid steps.

    A coordinate's noise depends on the stream and the coordinate only, so chunks agree with the whole.
    Integer arithmetic throughout; each value is within ``table.total_variation`` of its exact distribution and values
    are independent. Not constant-time: the timing of single draws leaks the noise.

    >>> from privis.privacy.sampling.release_key import ReleaseKey
    >>> from privis.privacy.sampling.noise_tables import gaussian_table
    >>> stream = ReleaseKey(bytes(32)).stream("a.png", b"", b"")  # a test key
    >>> whole = sample(gaussian_table(20.0), stream, 100)
    >>> bool((sample(gaussian_table(20.0), stream, 40, start=60) == whole[60:]).all())
    True
    """
    return narrow_sample(table, stream, count, start).astype(np.int64, copy=False)


def narrow_sample(table: NoiseTable, stream: NoiseStream, count: int, start: int = 0) -> npt.NDArray[Any]:
    """Draw as `sample` does, into int32 where words of 32 bits suffice: values are then below 2**30."""
    first, skipped = divmod(start, CHAPTER)
    out = np.empty(skipped + count, np.int32 if table.word_bits == 32 else np.int64)
    for chapter in range(0, -(-out.size // CHAPTER), _TURN):
        _fill(table, stream, first + chapter, out[chapter * CHAPTER :][: _TURN * CHAPTER])
    return out[skipped:]


def _fill(table: NoiseTable, stream: NoiseStream, chapter: int, out: npt.NDArray[Any]) -> None:
    chapters, begun = divmod(out.size, CHAPTER)
    each = 128 // table.word_bits  # coordinates to a block of the stream
    whole = table.reserve + CHAPTER // each
    blocks = chapters * whole + (table.reserve + -(-begun // each) if begun else 0)
    words = stream.words(chapter * whole, blocks)
    left = np.empty(out.size, np.int64)
    count = kernels().draw(
        words.view(_WORDS[table.word_bits]), words, table.reserve, table.prefix_bits, table.direct, table.first,
        table.second, table.third, out, left,
    )  # fmt: skip
    if count:
        further = stream.extra(chapter * CHAPTER + left[:count], 1 + table.late_blocks)
        kernels().finish(further, table.second, table.third, left[:count], out)
