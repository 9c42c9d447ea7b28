"""Calibration tables that come with Privis, each for one embedding."""

from __future__ import annotations

import functools
from pathlib import Path

from privis.tasks.verification import CalibrationTable

FOLDER = Path(__file__).with_name("calibration")


@functools.cache
def _tables() -> dict[bytes, CalibrationTable]:
    tables = (CalibrationTable.load(path) for path in sorted(FOLDER.glob("*.json")))
    return {table.embedding: table for table in tables}


def shipped_calibration(embedding: bytes) -> CalibrationTable | None:
    """Find the table of an embedding.

    Args:
        embedding: its identity, 32 bytes.

    Returns:
        The table; None where none comes with Privis.

    >>> shipped_calibration(bytes(32)) is None
    True
    """
    return _tables().get(embedding)
