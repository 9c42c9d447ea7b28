"""Lines of a zone and their characters, as pictures of one size: what a reader of characters reads.

Characters of a zone stand in columns of one width, so that columns are found even where characters touch or are
broken: a comb is fitted to the centres of what is dark.

Reference: ICAO Doc 9303, part 3, section 4.2 (OCR-B, ten characters an inch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

SIZE = (20, 16)
"""Height and width in pixels of the picture of a character."""
HEIGHT = 14
"""Pixels that the height of capital letters has in it."""
LENGTHS = (30, 36, 44)
"""Characters of a line of a zone."""
_EVEN = 0.85
"""How well characters of a zone stand in columns: length of the mean of their places as angles of the pitch."""

Grey = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""


@dataclass(frozen=True, eq=False)
class ZoneLine:
    """A line of characters.

    Args:
        glyphs: uint8 (characters, 20, 16), dark on light, stretched to 0..255.
        box: around the line in the picture that it was cut from.
    """

    glyphs: Grey
    box: Box


def lines_of(grey: Grey, lengths: Sequence[int] | None = LENGTHS) -> tuple[ZoneLine, ...]:
    """Cut lines and characters out of a picture of a zone.

    Args:
        grey: uint8 (height, width), upright, as `ZoneArea.cut` gives it.
        lengths: characters that a line may have; None: any number.

    Returns:
        The lines, from the top; none where nothing looks like one.
    """
    scale = 1.0
    if grey.shape[1] < 1200:  # strokes of a pixel are lost in a threshold
        scale = 1200 / max(grey.shape[1], 1)
        grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    found = []
    for boxes in _rows(_characters(grey)):
        line = _line(grey, boxes, lengths, scale)
        if line is not None:
            found.append(line)
    return tuple(found)


def _characters(grey: Grey) -> npt.NDArray[np.float64]:
    """Return x, y, width, height of dark parts."""
    window = max(15, grey.shape[1] // 40) | 1
    flat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((2 * window + 1, 2 * window + 1), np.uint8))
    binary = cv2.threshold(flat, 0, 255, cv2.THRESH_OTSU)[1]
    stats = cv2.connectedComponentsWithStats(binary, connectivity=8)[2][1:].astype(np.float64)
    return stats[(stats[:, 4] >= 12) & (stats[:, 3] >= 8), :4]


def _rows(boxes: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Group parts of about one height that stand beside each other."""
    if len(boxes) < 8:
        return []
    heights = boxes[:, 3]
    votes = [((heights > 0.85 * h) & (heights < 1.18 * h)).sum() for h in heights]
    usual = float(heights[int(np.argmax(votes))])
    boxes = boxes[(heights > 0.55 * usual) & (heights < 1.5 * usual) & (boxes[:, 2] < 6 * usual)]
    rows: list[list[npt.NDArray[np.float64]]] = []
    for box in boxes[np.argsort(boxes[:, 0], kind="stable")]:
        middle = box[1] + box[3] / 2
        for row in rows:
            last = np.median([each[1] + each[3] / 2 for each in row[-5:]])
            if abs(last - middle) < 0.5 * usual:
                row.append(box)
                break
        else:
            rows.append([box])
    kept = [np.array(row) for row in rows if len(row) >= 8]
    return sorted(kept, key=lambda row: float(np.median(row[:, 1])))


def _line(grey: Grey, boxes: npt.NDArray[np.float64], lengths: Sequence[int] | None, scale: float) -> ZoneLine | None:
    usual = float(np.median(boxes[:, 3]))
    tall = float(np.percentile(boxes[:, 3], 75))
    single = boxes[boxes[:, 2] < 1.1 * usual]
    if len(single) < 6:
        return None
    centres = single[:, 0] + single[:, 2] / 2
    comb = _comb(centres, tall, lengths)
    if comb is None:
        return None
    first, pitch, count = comb
    places = _bent(centres, first, pitch, count)
    across = single[:, 0] + single[:, 2] / 2
    middle = np.polynomial.Polynomial.fit(across, single[:, 1] + single[:, 3] / 2, 1)
    glyphs = np.stack([_glyph(grey, x, float(middle(x)), pitch, tall) for x in places])
    top, bottom = float(boxes[:, 1].min()), float((boxes[:, 1] + boxes[:, 3]).max())
    box = (places[0] - pitch / 2, top, pitch * count, bottom - top)
    x, y, width, height = (float(v) / scale for v in box)
    return ZoneLine(glyphs, (x, y, width, height))


def _comb(
    centres: npt.NDArray[np.float64], tall: float, lengths: Sequence[int] | None
) -> tuple[float, float, int] | None:
    """Fit first place, pitch and number of columns of one width."""
    spread = float(centres.max() - centres.min())
    pitches = np.arange(0.6 * tall, 1.7 * tall, max(0.02, tall * tall / (40 * max(spread, tall))))
    if spread < 4 * tall or not len(pitches):
        return None
    turns = np.exp(2j * np.pi * centres[None] / pitches[:, None]).mean(1)
    # a half of the pitch fits as well as the pitch itself: of those that fit, the widest
    good = np.abs(turns) >= 0.85 * np.abs(turns).max()
    best = int(np.flatnonzero(good)[-1])
    while best > 0 and np.abs(turns[best - 1]) > np.abs(turns[best]):
        best -= 1
    pitch = float(pitches[best])
    columns = np.round((centres - centres.min()) / pitch)
    fitted = np.polynomial.Polynomial.fit(columns, centres, 1).convert().coef
    if len(fitted) < 2 or fitted[1] <= 0:
        return None
    first, pitch = float(fitted[0]), float(fitted[1])
    count = int(columns.max()) + 1
    if lengths is not None and np.abs(np.exp(2j * np.pi * centres / pitch).mean()) < _EVEN:
        return None
    if lengths is not None and count not in lengths:
        longer = [n for n in lengths if count < n <= count + 2]
        shorter = [n for n in lengths if count - 4 <= n < count]
        if longer:  # a last filler was lost
            count = longer[0]
        elif shorter:
            first, count = _densest(columns, first, pitch, shorter[-1])
        else:
            return None
    return first, pitch, count


def _densest(columns: npt.NDArray[np.float64], first: float, pitch: float, count: int) -> tuple[float, int]:
    """Leave out specks beyond the ends of a line."""
    taken = np.bincount(columns.astype(int)) > 0
    filled = [int(taken[start : start + count].sum()) for start in range(len(taken) - count + 1)]
    return first + pitch * int(np.argmax(filled)), count


def _bent(centres: npt.NDArray[np.float64], first: float, pitch: float, count: int) -> npt.NDArray[np.float64]:
    """Follow a line whose columns grow narrower or wider, as perspective has it."""
    columns = (centres - first) / pitch
    near = np.abs(columns - np.round(columns)) < 0.35
    numbers = np.round(columns[near])
    if near.sum() < 12:
        return first + pitch * np.arange(count)
    fitted = np.polynomial.Polynomial.fit(numbers, centres[near], 3 if near.sum() > 24 else 1)
    straight = first + pitch * np.arange(count)
    bent = fitted(np.arange(count))
    return np.where(np.abs(bent - straight) < pitch, bent, straight)


def _glyph(grey: Grey, x: float, y: float, pitch: float, tall: float) -> Grey:
    """Cut one character out: its column, with room above and below."""
    height, width = SIZE
    scale = HEIGHT / tall
    # pixel centres lie on whole numbers
    move = np.array([[scale, 0, (width - 1) / 2 - scale * x], [0, scale, (height - 1) / 2 - scale * y]])
    flags = cv2.INTER_LINEAR
    if scale < 0.75:
        blurred = max(1, round(1 / scale))
        reach = int(np.ceil(max(height, width) / scale)) + blurred
        left, top = max(0, int(x) - reach), max(0, int(y) - reach)
        part = cv2.blur(grey[top : int(y) + reach, left : int(x) + reach], (blurred, blurred))
        move[:, 2] += scale * np.array([left, top])
        cut = cv2.warpAffine(part, move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    else:
        cut = cv2.warpAffine(grey, move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    side = round((width - pitch * scale * 1.1) / 2)
    levels = cut.astype(np.float64)
    if side > 0:  # neighbours
        levels[:, :side] = levels[:, side : side + 1]
        levels[:, -side:] = levels[:, -side - 1 : -side]
    low, high = np.percentile(levels, 3), np.percentile(levels, 90)
    return np.clip(np.round(255 * (levels - low) / max(high - low, 24.0)), 0, 255).astype(np.uint8)
