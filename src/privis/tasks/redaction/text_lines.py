"""Where text is, without a network: strokes of a character's size, dark or light, that stand in a row or a column.

At each of several scales what is brighter (top hat) or darker (black hat) than its surroundings, and thinner than a
stroke, is cut out by a threshold of its own neighbourhood. Connected parts of a character's size are joined to rows
of parts of like height and stroke width. A row is text where a linear score of five measures says so: its length, how
straight it is, how alike its heights and its contrasts are, and how well its pixels fall into two tones, which leaves
and bricks do not. Nothing is read, and no language or alphabet is assumed.

References: Epshtein, Ofek and Wexler, "Detecting text in natural scenes with stroke width transform", 2010,
doi:10.1109/CVPR.2010.5540041, for rules of sizes; Otsu, 1979, doi:10.1109/TSMC.1979.4310076, for the two tones; Serra,
"Image analysis and mathematical morphology", 1982, for top hats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from privis.errors import ParameterError, Problem
from privis.tasks.redaction.regions import ImageRegion, RegionKind
from privis.validation import whole_number

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_STROKE = 15
"""Side of the square that strokes are thinner than, in pixels of a scale."""
_SMALLEST, _LARGEST = 5, 42
"""Heights of characters at one scale, in pixels: those of neighbouring scales, which halve, overlap."""
_LENGTH, _BEND, _HEIGHTS, _CONTRASTS, _TONES, _OFFSET = 3.4, -4.0, -6.6, -20.2, 29.2, -23.9
"""Logistic regression of rows of receipts and of rendered pages against rows in photographs and X-rays."""


@dataclass(frozen=True)
class TextFinder:
    """Finds rows of text in a grey picture.

    No guarantee: which share is found is measured (docs/redaction.md). Handwriting, text on texture, and words of one
    or two characters are often missed.

    Args:
        contrast: smallest difference of a stroke from what surrounds it, in grey levels of 0 to 255.
        least: characters of a row; fewer are no text.
        score: of a row that is text; lower finds more, and paints more of what is none.

    Raises:
        ParameterError: ``contrast`` or ``least`` is no integer of at least 1.

    >>> TextFinder().find(np.full((80, 200), 255, np.uint8))
    ()
    """

    identifier: ClassVar[str] = "privis.text-finder/1"

    contrast: int = 20
    least: int = 3
    score: float = -1.0

    def __post_init__(self) -> None:
        problems = whole_number("TextFinder.contrast", self.contrast)
        problems += whole_number("TextFinder.least", self.least)
        if problems:
            raise ParameterError(*problems)

    def find(self, grey: Grey) -> tuple[ImageRegion, ...]:
        """Find rows and columns of text.

        Args:
            grey: uint8 (height, width).

        Returns:
            A region for each row, tilted as it is, accents and points included; rows of several scales may lie on
            each other. The score is that of the row as a probability.

        Raises:
            ParameterError: it is no grey picture.
        """
        if not isinstance(grey, np.ndarray) or grey.dtype != np.uint8 or grey.ndim != 2 or not grey.size:
            got = f"{grey.dtype} {grey.shape}" if isinstance(grey, np.ndarray) else type(grey).__name__
            raise ParameterError(Problem("TextFinder.find", got, "uint8 (height, width)", "see grey_view"))
        found: list[ImageRegion] = []
        scale = 2.0 if max(grey.shape) <= 1600 else 1.0
        while min(grey.shape) * scale >= 2 * _LARGEST or scale > 1:
            shape = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
            how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            at = grey if scale == 1 else np.asarray(cv2.resize(grey, shape, interpolation=how), np.uint8)
            for operation in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT):
                for corners, score in self._rows(at, operation):
                    found.append(ImageRegion(RegionKind.TEXT, corners / scale, score))
            scale /= 2
        return tuple(found)

    def _rows(self, grey: Grey, operation: int) -> Iterator[tuple[Floats, float]]:
        strokes = np.asarray(cv2.morphologyEx(grey, operation, np.ones((_STROKE, _STROKE), np.uint8)), np.uint8)
        parts = _parts(strokes, self.contrast)
        for turned in (False, True):
            seen = parts.turned() if turned else parts
            pixels = grey.T if turned else grey
            for members in _groups(seen, self.least, min(_LARGEST, max(grey.shape) / 8)):
                score = _score(seen, members, pixels)
                if score >= self.score + turned:  # rows of windows and of bricks stand upright more often than text
                    corners = _around(seen.boxes[members], seen.boxes)
                    yield (corners[:, ::-1] if turned else corners), 1 / (1 + float(np.exp(-score)))


@dataclass(frozen=True, eq=False)
class _Parts:
    """Connected parts of a character's size: boxes (parts, 4), widths of strokes in pixels, mean contrasts."""

    boxes: Floats
    widths: Floats
    contrasts: Floats

    def turned(self) -> _Parts:
        return _Parts(self.boxes[:, [1, 0, 3, 2]], self.widths, self.contrasts)


def _parts(strokes: Grey, contrast: int) -> _Parts:
    square = np.ones((_STROKE, _STROKE), np.uint8)
    # nearly half of the strongest stroke nearby: strokes of one word are alike, noise beside them is not
    nearby = cv2.blur(cv2.dilate(strokes, square), (_STROKE, _STROKE))
    binary = ((strokes >= contrast) & (strokes >= 0.45 * nearby)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    width, height, area = stats[1:, 2:5].T.astype(np.float64)
    distance = cv2.distanceTransform(binary, cv2.DIST_L2, 3)
    widths, inside = np.zeros(count), binary > 0
    np.maximum.at(widths, labels[inside], 2 * distance[inside].astype(np.float64))
    mean = np.bincount(labels[inside], strokes[inside], count)[1:] / np.maximum(area, 1)
    long, short, fill = np.maximum(width, height), np.minimum(width, height), area / np.maximum(width * height, 1)
    kept = (long >= _SMALLEST) & (short <= _LARGEST) & (long <= 3 * _LARGEST) & (area >= 6)
    kept &= (fill > 0.12) & (fill <= 0.95) & (widths[1:] <= 0.5 * long)
    return _Parts(stats[1:, :4][kept].astype(np.float64), widths[1:][kept], mean[kept])


def _groups(parts: _Parts, least: int, largest: float) -> Iterator[npt.NDArray[np.int64]]:
    """Numbers of parts that stand in one row."""
    boxes, widths = parts.boxes, parts.widths
    chosen = np.flatnonzero((boxes[:, 3] >= _SMALLEST) & (boxes[:, 3] <= largest))
    if len(chosen) < least:
        return
    middle, height = boxes[chosen, :2] + boxes[chosen, 2:] / 2, boxes[chosen, 3]
    first, second = cKDTree(middle).query_pairs(2.2 * _LARGEST, output_type="ndarray").reshape(-1, 2).T
    apart = np.abs(middle[first] - middle[second])
    gap = apart[:, 0] - (boxes[chosen[first], 2] + boxes[chosen[second], 2]) / 2
    larger, smaller = np.maximum(height[first], height[second]), np.minimum(height[first], height[second])
    alike = (gap <= 0.9 * larger) & (apart[:, 1] <= 0.35 * larger) & (smaller >= 0.5 * larger)
    strokes = widths[chosen[first]], widths[chosen[second]]
    alike &= np.maximum(*strokes) <= 2.2 * np.minimum(*strokes)
    links = coo_array((np.ones(alike.sum()), (first[alike], second[alike])), shape=(len(chosen),) * 2)
    _, group = connected_components(links, directed=False)
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(members) >= least:
            yield chosen[members]


def _score(parts: _Parts, members: npt.NDArray[np.int64], grey: Grey) -> float:
    boxes, contrasts = parts.boxes[members], parts.contrasts[members]
    slope, rest = _slope(boxes)
    if abs(slope) > 0.5:
        return -np.inf
    left, top = (int(max(0, value - 2)) for value in boxes[:, :2].min(axis=0))
    right, bottom = (int(value + 2) for value in (boxes[:, :2] + boxes[:, 2:]).max(axis=0))
    heights = boxes[:, 3]
    return float(
        _OFFSET
        + _LENGTH * np.log(len(members))
        + _BEND * rest / np.median(heights)
        + _HEIGHTS * heights.std() / heights.mean()
        + _CONTRASTS * contrasts.std() / max(contrasts.mean(), 1.0)
        + _TONES * _two_tones(grey[top:bottom, left:right])
    )


def _two_tones(cut: Grey) -> float:
    """Share of the variance that Otsu's two classes explain, in [0, 1]."""
    cut = np.ascontiguousarray(cut)
    threshold, _ = cv2.threshold(cut, 0, 255, cv2.THRESH_OTSU)
    above = cut > threshold
    share = float(above.mean())
    if not 0 < share < 1:
        return 0.0
    apart = float(cut[above].mean()) - float(cut[~above].mean())
    return share * (1 - share) * apart**2 / max(float(cut.var()), 1e-9)


def _slope(boxes: Floats) -> tuple[float, float]:
    """Of the line through the middles of boxes, and the root mean square of what they are off it, in pixels."""
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    across, down = (middle - middle.mean(axis=0)).T
    slope = float(across @ down) / max(float(across @ across), 1e-9)
    return slope, float(np.sqrt(np.mean((down - slope * across) ** 2)))


def _around(boxes: Floats, all_boxes: Floats) -> Floats:
    """The parallelogram around a row and single characters on its line, with accents and points.

    It is half a height longer at its ends, and a third of one higher and lower.
    """
    slope, _ = _slope(boxes)
    centre = (boxes[:, :2] + boxes[:, 2:] / 2).mean(axis=0)
    height = float(np.median(boxes[:, 3]))
    middle = all_boxes[:, :2] + all_boxes[:, 2:] / 2
    off = np.abs(centre[1] + slope * (middle[:, 0] - centre[0]) - middle[:, 1])
    alike = (off <= 0.45 * height) & (all_boxes[:, 3] >= 0.5 * height) & (all_boxes[:, 3] <= 1.6 * height)
    reach = 2.5 * height
    for _ in range(2):  # a character beside one that was added
        left, right = boxes[:, 0].min(), (boxes[:, 0] + boxes[:, 2]).max()
        near = (all_boxes[:, 0] <= right + reach) & (all_boxes[:, 0] + all_boxes[:, 2] >= left - reach)
        boxes = np.concatenate([boxes, all_boxes[alike & near]])
    left, right = boxes[:, 0].min() - 0.5 * height, (boxes[:, 0] + boxes[:, 2]).max() + 0.5 * height
    line = centre[1] + slope * (boxes[:, 0] + boxes[:, 2] / 2 - centre[0])
    up = float((line - boxes[:, 1]).max()) + 0.35 * height
    down = float((boxes[:, 1] + boxes[:, 3] - line).max()) + 0.35 * height
    ends = centre[1] + slope * (np.array([left, right]) - centre[0])
    return np.array([[left, ends[0] - up], [right, ends[1] - up], [right, ends[1] + down], [left, ends[0] + down]])
