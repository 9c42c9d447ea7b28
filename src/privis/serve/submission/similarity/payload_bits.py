"""Payloads of the workload as bytes: seven numbers of nine bits each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem

WIDTH, BITS = 7, 9
BYTES = -(-WIDTH * BITS // 8)
"""Of a payload: 8."""


def packed(payloads: NDArray[np.int16]) -> list[bytes]:
    """Write each payload as 63 bits, the first number and its highest bit first, and a bit of zero.

    Args:
        payloads: int16 (rows, 7), each in [0, 512).

    Returns:
        8 bytes for each row.

    Raises:
        ParameterError: other numbers.

    >>> packed(np.array([[511, 0, 0, 0, 0, 0, 1]], np.int16))[0].hex()
    'ff80000000000002'
    """
    if payloads.ndim != 2 or payloads.shape[1] != WIDTH or ((payloads < 0) | (payloads >= 1 << BITS)).any():
        expected = f"whole numbers from 0 to {(1 << BITS) - 1} of shape (rows, {WIDTH})"
        raise ParameterError(Problem("payloads", f"values of shape {payloads.shape}", expected))
    bits = payloads[:, :, None] >> np.arange(BITS - 1, -1, -1) & 1
    return [row.tobytes() for row in np.packbits(bits.reshape(len(payloads), -1).astype(np.uint8), axis=1)]


def unpacked(held: list[bytes]) -> NDArray[np.int16]:
    """Read the numbers back that `packed` wrote.

    Args:
        held: 8 bytes for each row.

    Returns:
        Payloads int16 (rows, 7).
    """
    bits = np.unpackbits(np.frombuffer(b"".join(held), np.uint8).reshape(-1, BYTES), axis=1)[:, : WIDTH * BITS]
    return (bits.reshape(-1, WIDTH, BITS) @ (1 << np.arange(BITS - 1, -1, -1))).astype(np.int16)
