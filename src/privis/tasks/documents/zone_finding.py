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

_WIDTH = 600
_LONGEST = 1400


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


def zone_areas(grey: Grey) -> tuple[ZoneArea, ...]:
    """Find areas in which a machine-readable zone may be.

    Args:
        grey: uint8 (height, width), upright.

    Returns:
        The areas, the lowest first; none where nothing looks like one.
    """
    if min(grey.shape) < 32:
        return ()
    scale = _WIDTH / grey.shape[1]
    tall = min(max(1, round(grey.shape[0] * scale)), 2 * _LONGEST)
    shrunk = cv2.resize(grey, (_WIDTH, tall), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    found = []
    for contour in cv2.findContours(_bars(shrunk), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        centre, size, angle = cv2.minAreaRect(contour)
        if size[0] < size[1]:
            size, angle = (size[1], size[0]), angle - 90
        angle = (angle + 90) % 180 - 90
        if size[0] < 4 * size[1] or size[0] < 0.45 * _WIDTH or size[1] < 8 or abs(angle) > 25:
            continue
        around = (size[0] + 24, size[1] + 20)  # eroded before
        corners = _ordered(cv2.boxPoints((centre, around, angle))) * np.float32(
            [grey.shape[1] / _WIDTH, grey.shape[0] / tall]
        )
        found.append((float(centre[1]), ZoneArea(corners)))
    return tuple(area for _, area in sorted(found, key=lambda each: -each[0]))


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
