"""Where the machine-readable zone of a document is: dark characters in long lines, in its lower part.

Black-hat filtering keeps what is dark and thin, closing joins characters to bars, and Otsu's threshold cuts them out.
Candidates are the long bars; of these the reader's first choice is the lowest. No guarantee: a zone in a picture that
is turned by a quarter, or blurred, is not found.

Reference: Otsu, 1979, doi:10.1109/TSMC.1979.4310076; OpenCV's morphological transformations.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]
"""(4, 2): x, y in pixels of top left, top right, bottom right, bottom left."""
_Tilted = tuple[tuple[float, float], tuple[float, float], float]
"""Centre, size and angle of a rectangle, in pixels and degrees."""

_WIDTH = 600
_LONGEST = 1400
_LINES = (2, 3)
"""Lines of a zone."""
_SHORTEST = 61
"""Columns below which what is dark is no line but a frame, where lines are looked for one by one."""


@dataclass(frozen=True, eq=False)
class ZoneArea:
    """A rectangle, upright or tilted, in which a zone may be.

    Args:
        corners: x, y in pixels of the image: top left, top right, bottom right, bottom left.
    """

    corners: Corners

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) in pixels of the upright rectangle around it."""
        x, y, width, height = cv2.boundingRect(self.corners)
        return int(x), int(y), int(width), int(height)

    def cut(self, grey: Grey, height: int | None = None) -> Grey:
        """Cut the area out of an image, upright.

        Args:
            grey: uint8 (height, width).
            height: in pixels of what is cut out; None: as in the image.

        Returns:
            Uint8 (height, width).
        """
        across = float(np.linalg.norm(self.corners[1] - self.corners[0]))
        down = float(np.linalg.norm(self.corners[3] - self.corners[0]))
        tall = max(8, round(down)) if height is None else height
        wide = max(8, round(across * tall / max(down, 1.0)))
        corners = np.array([[0, 0], [wide, 0], [wide, tall]], np.float32)
        turn = cv2.getAffineTransform(self.corners[:3], corners)
        return np.asarray(cv2.warpAffine(grey, turn, (wide, tall), flags=cv2.INTER_LINEAR, borderValue=255), np.uint8)


def zone_areas(grey: Grey, apart: bool = False) -> tuple[ZoneArea, ...]:
    """Find areas in which a machine-readable zone may be.

    Args:
        grey: uint8 (height, width), upright.
        apart: look for lines one by one, and put neighbours together: for lines far apart, or tied to a frame.

    Returns:
        The areas, the lowest first; none where nothing looks like one.
    """
    if min(grey.shape) < 32:
        return ()
    scale = _WIDTH / grey.shape[1]
    tall = min(max(1, round(grey.shape[0] * scale)), 2 * _LONGEST)
    shrunk = cv2.resize(grey, (_WIDTH, tall), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    bars = _bars(shrunk)
    if apart:
        bars = cv2.morphologyEx(bars, cv2.MORPH_OPEN, np.ones((1, _SHORTEST), np.uint8))
    contours = cv2.findContours(bars, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    boxes = sorted((box for each in contours if (box := _long(each)) is not None), key=lambda box: -float(box[0][1]))
    if apart:
        boxes = [box for count in _LINES for box in _stacked(boxes, count)]
    shrink = np.float32([grey.shape[1] / _WIDTH, grey.shape[0] / tall])
    around = [(centre, (size[0] + 24, size[1] + 20), angle) for centre, size, angle in boxes]  # eroded before
    return tuple(ZoneArea(_ordered(cv2.boxPoints(box)) * shrink) for box in around)


def _long(contour: npt.NDArray[np.int32]) -> _Tilted | None:
    """The rectangle around a contour; None where it is no bar along lines."""
    (x, y), (width, height), angle = cv2.minAreaRect(contour)
    if width < height:
        width, height, angle = height, width, angle - 90
    angle = (angle + 90) % 180 - 90
    if width < 4 * height or width < 0.45 * _WIDTH or height < 8 or abs(angle) > 25:
        return None
    return (x, y), (width, height), angle


def _stacked(bars: list[_Tilted], count: int) -> list[_Tilted]:
    """Rectangles around ``count`` bars of about one length, one below another; the lowest first."""
    found = []
    for start in range(len(bars) - count + 1):
        group = bars[start : start + count]
        widths, heights = [bar[1][0] for bar in group], [bar[1][1] for bar in group]
        steps = -np.diff([bar[0][1] for bar in group])
        level = np.ptp([bar[0][0] for bar in group]) < 0.1 * _WIDTH and min(widths) > 0.8 * max(widths)
        if level and steps.max() < 6 * max(heights) and steps.max() < 1.3 * steps.min():
            corners = np.concatenate([cv2.boxPoints(bar) for bar in group])
            (x, y), (width, height), angle = cv2.minAreaRect(corners)
            if width < height:
                width, height, angle = height, width, angle - 90
            found.append(((x, y), (width, height), (angle + 90) % 180 - 90))
    return found


def _bars(shrunk: Grey) -> Grey:
    smooth = cv2.GaussianBlur(shrunk, (3, 3), 0)
    dark = cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_RECT, (15, 7)))
    edges = np.abs(cv2.Sobel(dark, cv2.CV_32F, 1, 0, ksize=3))
    edges = (255 * edges / max(float(edges.max()), 1.0)).astype(np.uint8)
    joined = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((5, 17), np.uint8))
    binary = cv2.threshold(joined, 0, 255, cv2.THRESH_OTSU)[1]
    binary = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, np.ones((17, 21), np.uint8))
    return np.asarray(cv2.erode(binary, np.ones((3, 3), np.uint8), iterations=3), np.uint8)


def _ordered(points: npt.NDArray[np.float32]) -> Corners:
    left, right = np.split(points[np.argsort(points[:, 0], kind="stable")], 2)
    (top_left, bottom_left), (top_right, bottom_right) = (
        side[np.argsort(side[:, 1], kind="stable")] for side in (left, right)
    )
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)
