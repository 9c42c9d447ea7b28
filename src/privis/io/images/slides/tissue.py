"""Where on a slide tissue is: stain has a colour, glass has none.

Otsu's threshold (N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9(1), 1979) on the
saturation of an overview, as in CLAM (M. Lu et al., Data-efficient and weakly supervised computational pathology on
whole-slide images, Nature Biomedical Engineering 5, 2021). Otsu's method splits whatever it is given, glass without
tissue too; so a pixel also has to reach a fixed public saturation, and what is nearly black (edges of a scan, markers)
is no tissue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_SATURATION = 15
"""Of 255."""
LEAST_VALUE = 32
"""Of 255: the largest of red, green and blue of a pixel that is not black."""


def tissue_mask(overview: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find tissue in an overview.

    Args:
        overview: uint8 (H, W, 3) RGB, some microns to tens of microns a pixel.

    Returns:
        bool (H, W), True where there is tissue.

    >>> half = np.full((4, 4, 3), 240, np.uint8)
    >>> half[:, 2:] = (180, 60, 140)
    >>> tissue_mask(half)[0].tolist()
    [False, False, True, True]
    """
    import cv2  # not at the start: no command waits for it that reads no slide

    hsv = cv2.cvtColor(np.ascontiguousarray(overview), cv2.COLOR_RGB2HSV)
    saturation = np.where(hsv[..., 2] < LEAST_VALUE, 0, hsv[..., 1]).astype(np.uint8)
    threshold, _ = cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return saturation > max(threshold, LEAST_SATURATION - 1)


def tissue_shares(mask: NDArray[np.bool_], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the share of tissue in boxes of an overview.

    Args:
        mask: bool (H, W), of `tissue_mask`.
        boxes: (N, 4) left, top, right and bottom in pixels of the mask, with fractions.

    Returns:
        (N,) in [0, 1]: of the pixels whose centres lie in a box, or of the one in its middle.

    >>> tissue_shares(np.array([[True, False]]), np.array([[0.0, 0, 2, 1], [1, 0, 2, 1]])).tolist()
    [0.5, 0.0]
    """
    height, width = mask.shape
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = mask.cumsum(0, dtype=np.float64).cumsum(1)
    edges = np.ceil(boxes - 0.5).astype(np.int64)
    middle = np.floor((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.int64)
    empty = edges[:, 2:] <= edges[:, :2]
    edges[:, :2] = np.where(empty, middle, edges[:, :2])
    edges[:, 2:] = np.where(empty, middle + 1, edges[:, 2:])
    edges[:, [0, 2]] = edges[:, [0, 2]].clip(0, width)
    edges[:, [1, 3]] = edges[:, [1, 3]].clip(0, height)
    left, top, right, bottom = edges.T
    found = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return found / np.maximum((right - left) * (bottom - top), 1)
