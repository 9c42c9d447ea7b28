"""How a region cuts maps into cells, recognised by its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from privis.program import ops


class MapCells(NamedTuple):
    """``rows`` x ``columns`` cells of ``height`` x ``width`` pixels, from the first pixel on, and the ops after it."""

    rows: int
    columns: int
    height: int
    width: int
    rest: tuple[ops.Op, ...]


def map_cells(found: Sequence[ops.Op], shape: tuple[int, ...]) -> MapCells | None:
    """Recognise ``(maps, H, W) -> (maps, rows, columns, pixels)``, as `privis.features.cells` writes it.

    Args:
        found: ops of which each reads the one before it.
        shape: (maps, H, W) that the first one reads.

    Returns:
        The grid; None where the ops begin with anything else.
    """
    rest = list(found)
    maps, *area = shape
    if rest and isinstance(inner := rest[0], ops.Slice):
        area = [stop for _, stop, _ in inner.index[1:]]
        if inner.index != ((0, maps, 1), *((0, stop, 1) for stop in area)):
            return None
        rest = rest[1:]
    match rest:
        case [ops.Reshape((lead, rows, height, columns, width)), *rest]:
            if (lead, rows * height, columns * width) != (maps, *area):
                return None
        case _:
            return None
    match rest:
        case [ops.Transpose((0, 1, 3, 2, 4)), ops.Reshape(side_by_side), *rest]:
            pass
        case [ops.Reshape(side_by_side), *rest] if columns == 1:
            pass
        case _:
            return None
    if side_by_side != (maps, rows, columns, height * width):
        return None
    if rest and isinstance(shown := rest[0], ops.Slice):
        (_, (_, rows, _), (_, columns, _), _) = shown.index
        if shown.index != tuple((0, length, 1) for length in (maps, rows, columns, height * width)):
            return None
        rest = rest[1:]
    return MapCells(rows, columns, height, width, tuple(rest))
