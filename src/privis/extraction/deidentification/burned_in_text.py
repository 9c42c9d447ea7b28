"""Text that a device drew into a picture: rows of strokes of one value, which anatomy and its noise do not make.

`privis.tasks.redaction.text_lines.TextFinder` proposes rows of strokes in four directions. A row is drawn text where
its strokes have nearly one value in what is stored: devices draw with one colour, and scanners measure no two pixels
alike. Nothing is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from privis.tasks.redaction.painting import painted_mask
from privis.tasks.redaction.regions import ImageRegion, RegionKind
from privis.tasks.redaction.text_lines import TextFinder

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
_ALIKE = 0.03  # of the difference between strokes and ground
_ALIKE_LOSSY = 0.2
_OTHER = 0.1
_COLOURS = 3
_TALL_ROW = 48  # pixels with what lies around it
_TALLEST, _WIDEST = 42, 60  # pixels of a single character
_LEAST_PIXELS = 12


@dataclass(frozen=True)
class BurnedInText:
    """Finds rows of drawn text in one frame.

    No guarantee: shares are measured (docs/medical.md). Missed are words of one or two characters, handwriting, letters
    taller than a tenth of a picture, text without contrast.

    Args:
        rows: proposes rows of strokes.
        strokes: share of pixels of strokes that have nearly one value.
        sure: score of a row of noise-like anatomy from which it may be text.
        likely: score from which a row is text, whatever its values, in a screen's picture compressed with loss.
    """

    rows: TextFinder = TextFinder(contrast=12)
    strokes: float = 0.5
    sure: float = 0.75
    likely: float = 0.7

    def find(self, view: Grey, values: Floats, *, measured: bool, lossy: bool = False) -> tuple[ImageRegion, ...]:
        """Find drawn text.

        Args:
            view: uint8 (height, width), in which strokes are looked for.
            values: the same frame as it is stored, in grey, whatever its range.
            measured: whether values are a scanner's own (CT, MR, X-rays), so that anatomy has no pixels alike, and not
                a screen's.
            lossy: whether pixels were compressed with loss.

        Returns:
            A region for each row, in pixels.
        """
        most = max(_TALL_ROW, min(view.shape) / 10)
        proposed = [each for each in (*self.rows.find(view), *self._slanted(view)) if _height(each) <= most]
        if lossy and not measured:  # one colour is many there
            return tuple(
                each for each in proposed if each.score >= self.likely or self._is_drawn(each, values, lossy=True)
            )
        if measured:
            ground = _most_common(values)
            proposed = [each for each in proposed if each.score >= self.sure]
            drawn = [each for each in proposed if self._is_drawn(each, values, ground)]
        else:
            drawn = [each for each in proposed if self._is_drawn(each, values)]
        colours = _colours(drawn, values)
        beside = [each for colour in colours for each in self._of_colour(colour, values) if _height(each) <= most]
        if measured and not drawn:
            colours = []  # what is brightest may be bone or metal
        return (*drawn, *beside, *_single(colours, values, flat=not measured))

    def _of_colour(self, colour: float, values: Floats) -> list[ImageRegion]:
        """Rows of one colour alone: text goes on over bright tissue, where its contrast is small."""
        only = np.where(np.abs(values - colour) <= 0.5, np.uint8(255), np.uint8(0))
        return [each for each in self.rows.find(only) if each.score >= self.likely]

    def _slanted(self, view: Grey) -> list[ImageRegion]:
        """Rows between level and upright: the finder sees up to 27 degrees of either."""
        height, width = view.shape
        side = (height + width) * np.sqrt(0.5)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 45, 1.0)
        turn[:, 2] += (side - width) / 2, (side - height) / 2
        whole = int(np.ceil(side))
        turned = cv2.warpAffine(view, turn, (whole, whole), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        back = cv2.invertAffineTransform(turn)
        found = []
        for region in self.rows.find(np.asarray(turned, np.uint8)):
            corners = region.corners @ back[:, :2].T + back[:, 2]
            middle = corners.mean(axis=0)
            if 0 <= middle[0] < width and 0 <= middle[1] < height:
                found.append(ImageRegion(region.kind, corners, region.score))
        return found

    def _is_drawn(
        self, region: ImageRegion, values: Floats, ground: float | None = None, *, lossy: bool = False
    ) -> bool:
        """Whether strokes have one value, other than that of the ground around what was measured, where it is given."""
        x, y, width, height = region.box
        left, top = max(0, int(x)), max(0, int(y))
        cut = values[top : int(y + height) + 1, left : int(x + width) + 1]
        moved = ImageRegion(region.kind, region.corners - (left, top))
        inside = np.sort(cut[painted_mask(cut.shape, [moved])])
        if len(inside) < _LEAST_PIXELS or inside[0] == inside[-1]:
            return False
        scaled = np.round((inside - inside[0]) * (255 / (inside[-1] - inside[0]))).astype(np.uint8)
        threshold, _ = cv2.threshold(scaled.reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
        few, many = sorted((inside[scaled <= threshold], inside[scaled > threshold]), key=len)
        apart = abs(float(few.mean()) - float(many.mean()))
        share, value = _one_value(few, (_ALIKE_LOSSY if lossy else _ALIKE) * apart)
        return share >= self.strokes and (ground is None or abs(value - ground) > _OTHER * apart)


def _colours(rows: list[ImageRegion], values: Floats) -> list[float]:
    """What rows are drawn in, the commonest first, and the brightest there is, if that is no single pixel."""
    counted: Counter[float] = Counter()
    for region in rows:
        x, y, width, height = (int(each) for each in region.box)
        cut = values[max(0, y) : y + height + 1, max(0, x) : x + width + 1]
        found, counts = np.unique(np.round(cut), return_counts=True)
        order = counts.argsort()[::-1]
        counted.update({float(found[place]): int(counts[place]) for place in order[1:2]})  # behind the ground's
    colours = [colour for colour, _ in counted.most_common(_COLOURS)]
    brightest = float(np.round(values.max()))
    if brightest not in colours and int((values >= brightest - 0.5).sum()) >= _LEAST_PIXELS:
        colours.append(brightest)
    return colours


def _single(colours: list[float], values: Floats, *, flat: bool) -> list[ImageRegion]:
    """Characters that stand alone, on flat ground if wanted, in a colour of rows of text: a digit, initials, units."""
    made = []
    for colour in colours:
        same = (np.abs(values - colour) <= 1).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(same, connectivity=8)
        for left, top, width, height, area in stats[1:].tolist():
            if 5 <= max(width, height) and height <= _TALLEST and width <= _WIDEST and area >= 5:
                if not flat or _on_flat_ground(values, left, top, width, height):
                    box = ImageRegion.of_box(RegionKind.TEXT, left - 2, top - 2, width + 4, height + 4, 0.5)
                    made.append(box)
    return made


def _on_flat_ground(values: Floats, left: int, top: int, width: int, height: int) -> bool:
    """Whether what lies around a box has nearly one value."""
    cut = values[max(0, top - 3) : top + height + 3, max(0, left - 3) : left + width + 3]
    frame = np.concatenate([cut[0], cut[-1], cut[:, 0], cut[:, -1]])
    _, counts = np.unique(np.round(frame), return_counts=True)
    return bool(counts.max() >= 0.7 * len(frame))


def _one_value(ordered: Floats, width: float) -> tuple[float, float]:
    """Largest share of ascending values that lie within a width of each other, and the least of those."""
    if not len(ordered):
        return 0.0, 0.0
    counts = np.searchsorted(ordered, ordered + np.float32(width), side="right") - np.arange(len(ordered))
    best = int(counts.argmax())
    return float(counts[best] / len(ordered)), float(ordered[best])


def _most_common(values: Floats) -> float:
    found, counts = np.unique(values[::4, ::4], return_counts=True)
    return float(found[counts.argmax()])


def _height(region: ImageRegion) -> float:
    down = region.corners[3] - region.corners[0]
    across = region.corners[1] - region.corners[0]
    return float(min(np.hypot(*down), np.hypot(*across)))
