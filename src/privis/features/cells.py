"""Cutting a map into cells, within the vocabulary."""

from __future__ import annotations

from privis.program import Value


def cells(x: Value, height: int, width: int) -> Value:
    """``(..., H, W) -> (..., H // height, W // width, height * width)``; what does not fill a cell is left out."""
    *lead, rows, columns = x.shape
    down, across = rows // height, columns // width
    whole = tuple(slice(None) for _ in lead)
    x = x[(*whole, slice(0, down * height), slice(0, across * width))]
    n = len(lead)
    x = x.reshape(*lead, down, height, across, width)
    if across > 1:  # one column of cells is in order as it stands
        x = x.transpose(*range(n), n, n + 2, n + 1, n + 3)
    return x.reshape(*lead, down, across, height * width)
