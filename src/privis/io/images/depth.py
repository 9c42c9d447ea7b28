"""Which bits of deep samples become the eight of a pixel."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray


class DepthWarning(UserWarning):
    """An image whose values leave the top bits of their type unused: it comes out dark unless its depth is said."""


def top_bits(values: NDArray[np.int64], bits: int, lowest: int, depth: int | None) -> NDArray[np.uint8]:
    """Keep the top 8 bits of samples, or of the ``depth`` bits that are said to be used.

    Args:
        values: samples, counted from the lowest value of their type, in [0, 2**bits).
        bits: of the type, more than 8.
        lowest: value of the type at which 0 stands.
        depth: bits that are used, public; None: all.
    """
    if depth is None or depth >= bits:
        if depth is None:
            _warn_of_unused(values, bits, lowest)
        return (values >> (bits - 8)).astype(np.uint8)
    if lowest:
        values = values + lowest + (1 << depth - 1)
    return np.clip(values >> (depth - 8), 0, 255).astype(np.uint8)


def _warn_of_unused(values: NDArray[np.int64], bits: int, lowest: int) -> None:
    """Warn at the owner's console of top bits that nothing uses; the pixels stay what the type says."""
    if not values.size:
        return
    low, high = int(values.min()) + lowest, int(values.max()) + lowest
    used = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (1 if lowest else 0)
    if (high or low) and used <= bits - 2:
        text = f"{bits}-bit samples of which {used} bits are used: the image comes out dark; say bits={max(used, 8)}"
        warnings.warn(f"{text} (--bits {max(used, 8)}) if that is its depth", DepthWarning, stacklevel=2)
