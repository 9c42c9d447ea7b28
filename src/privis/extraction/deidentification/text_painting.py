"""All frames of a file painted over where text is drawn, until a look at the result finds nothing new."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.extraction.deidentification.burned_in_text import BurnedInText
from privis.extraction.deidentification.stored_pixels import StoredPixels
from privis.tasks.redaction.painting import covered, painted_mask
from privis.tasks.redaction.regions import ImageRegion, Margins

_COVERED, _PAINTED = 0.95, 0.5
_MARGINS = Margins(text=0.05)


@dataclass(frozen=True, eq=False)
class PaintedFrames:
    """What became of the frames of one file.

    Args:
        regions: of each frame, as they were found.
        masks: bool (rows, columns) of each frame: what was painted.
        settled: whether the last look at every frame found nothing new.
    """

    regions: tuple[tuple[ImageRegion, ...], ...] = field(repr=False)
    masks: tuple[npt.NDArray[np.bool_], ...] = field(repr=False)
    settled: bool

    @property
    def painted(self) -> int:
        """How many regions were found, of all frames."""
        return sum(map(len, self.regions))


def paint_text(pixels: StoredPixels, finder: BurnedInText, passes: int) -> PaintedFrames:
    """Paint over drawn text.

    What is found in two frames at one place is painted in all: a device draws it in all, and noise hides it in some.

    Args:
        pixels: of the file; they are painted in place.
        finder: of text in a frame.
        passes: looks at a frame at most.

    Returns:
        What was found and painted.
    """
    count, shape = len(pixels.frames), pixels.frames.shape[1:3]
    masks = [np.zeros(shape, np.bool_) for _ in range(count)]
    regions: list[list[ImageRegion]] = [[] for _ in range(count)]
    settled = [_settle(pixels, finder, number, masks[number], regions[number], passes) for number in range(count)]
    if count > 1:
        times = np.sum(masks, axis=0, dtype=np.int32)
        common = times >= 2
        for number in range(count):
            if (common & ~masks[number]).any():
                masks[number] |= common
                pixels.paint(number, masks[number])
                settled[number] = _settle(pixels, finder, number, masks[number], regions[number], passes)
    return PaintedFrames(tuple(map(tuple, regions)), tuple(masks), all(settled))


def _settle(
    pixels: StoredPixels, finder: BurnedInText, number: int, mask: npt.NDArray[np.bool_], regions: list[ImageRegion],
    passes: int,
) -> bool:  # fmt: skip
    for _ in range(passes):
        new = found_beside(pixels, finder, number, mask)
        if not new:
            return True
        regions += new
        mask |= painted_mask(mask.shape, _MARGINS.around(new))
        pixels.paint(number, mask)
    return False


def found_beside(
    pixels: StoredPixels, finder: BurnedInText, number: int, mask: npt.NDArray[np.bool_]
) -> list[ImageRegion]:
    """Look for text of a frame where nothing is painted yet.

    Args:
        pixels: of the file.
        finder: of text.
        number: of the frame, from 0.
        mask: bool (rows, columns) of what is painted.

    Returns:
        Regions, the surest of those on each other.
    """
    grey = pixels.grey(number)
    found = finder.find(pixels.view(grey), grey, measured=pixels.measured, lossy=pixels.lossy)
    kept, seen, enough = [], mask.copy(), _PAINTED if mask.any() else _COVERED
    for region in sorted(found, key=lambda each: -each.score):
        if covered(region, seen) < enough:
            kept.append(region)
            seen |= painted_mask(seen.shape, _MARGINS.around([region]))
    return kept
