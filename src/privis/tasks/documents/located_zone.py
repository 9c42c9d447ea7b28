"""The machine-readable zone of a picture: of areas that look like one, that whose lines have a zone's lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.tasks.documents.glyphs import ZoneLine, lines_of
from privis.tasks.documents.zone_finding import ZoneArea, zone_areas
from privis.tasks.documents.zone_formats import FORMATS

_SHAPES = {each.shape for each in FORMATS}


@dataclass(frozen=True, eq=False)
class LocatedZone:
    """A zone before it is read.

    Args:
        area: where it is in the image.
        lines: its lines and their characters, from the top.
    """

    area: ZoneArea
    lines: tuple[ZoneLine, ...]

    @property
    def whole(self) -> bool:
        """Whether the lines are those of a format of the standard."""
        return self.equal and (len(self.lines), len(self.lines[0].glyphs)) in _SHAPES

    @property
    def equal(self) -> bool:
        """Whether all lines have the same number of characters."""
        return len({len(line.glyphs) for line in self.lines}) == 1


def locate_zone(grey: npt.NDArray[np.uint8], turns: int = 0) -> LocatedZone | None:
    """Find the machine-readable zone of a document and cut it into characters.

    No guarantee: on 25 specimens 20 are found, and none on 24 receipts. Whether a zone stands on its head is known
    when it is read.

    Args:
        grey: uint8 (height, width).
        turns: quarters, counterclockwise, by which the picture has to be turned for the document to be upright.

    Returns:
        The zone, its corners in the picture as it was given; None where nothing looks like one.

    Raises:
        ParameterError: ``grey`` is no grey image.

    >>> import numpy as np
    >>> locate_zone(np.full((200, 300), 255, np.uint8)) is None
    True
    """
    if not isinstance(grey, np.ndarray) or grey.dtype != np.uint8 or grey.ndim != 2 or not grey.size:
        got = (
            f"{grey.dtype} values of shape {grey.shape}" if isinstance(grey, np.ndarray) else repr(type(grey).__name__)
        )
        raise ParameterError(Problem("grey", got, "uint8 (height, width)", "turn the image to luma first"))
    turned = np.ascontiguousarray(np.rot90(grey, turns))
    partly = None
    for apart in (False, True):
        found = [LocatedZone(area, _lines(area.cut(turned))) for area in zone_areas(turned, apart)]
        whole = next((each for each in found if each.whole), None)
        if whole is not None:
            return _turned_back(whole, turns, turned.shape)
        if not apart:  # of three lines one is hidden
            partly = next((each for each in found if len(each.lines) == 2 and each.equal), None)
    return None if partly is None else _turned_back(partly, turns, turned.shape)


def _lines(cut: npt.NDArray[np.uint8]) -> tuple[ZoneLine, ...]:
    """The lines; where their lengths differ, those of one length if all have it on a second look."""
    lines = lines_of(cut)
    for count in sorted({len(line.glyphs) for line in lines}, reverse=True):
        same = lines_of(cut, (count,))
        if len(same) == len(lines):
            return same
    return lines


def _turned_back(found: LocatedZone, turns: int, shape: tuple[int, ...]) -> LocatedZone:
    """Give corners in the picture before it was turned, ``shape`` being that of the turned one."""
    corners = found.area.corners
    height, width = shape[:2]
    for _ in range(turns % 4):  # a quarter clockwise each
        corners = np.stack([height - 1 - corners[:, 1], corners[:, 0]], 1).astype(np.float32)
        height, width = width, height
    return LocatedZone(ZoneArea(corners), found.lines)
