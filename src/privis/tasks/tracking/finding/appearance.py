"""How people look: histograms of the colours of the upper body, compared by Hellinger's distance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]
LEVELS = 4
"""Of each colour plane: 64 bins."""


def appearances(frame: Picture, moving: Picture, boxes: npt.ArrayLike) -> Floats:
    """Square roots of colour histograms of the middle of each box, of pixels that move.

    Args:
        frame: uint8 (H, W, 3).
        moving: uint8 (H, W): 1 where something moves.
        boxes: (n, 4), each x, y, width, height in pixels.

    Returns:
        (n, 64), each of length 1; zeros where nothing moves.

    >>> red = np.zeros((40, 20, 3), np.uint8)
    >>> red[..., 0] = 255
    >>> appearances(red, np.ones((40, 20), np.uint8), [[0, 0, 20, 40]])[0].nonzero()[0].tolist()
    [48]
    """
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    made = np.zeros((len(given), LEVELS**3))
    for row, (x, y, w, h) in enumerate(given):
        left, right = max(0, round(x + 0.15 * w)), max(0, round(x + 0.85 * w))
        top, bottom = max(0, round(y + 0.15 * h)), max(0, round(y + 0.75 * h))
        inside = moving[top:bottom, left:right] > 0
        levels = frame[top:bottom, left:right][inside].astype(np.int32) * LEVELS // 256
        if len(levels):
            codes = (levels[:, 0] * LEVELS + levels[:, 1]) * LEVELS + levels[:, 2]
            counts = np.bincount(codes, minlength=LEVELS**3)
            made[row] = np.sqrt(counts / counts.sum())
    return made


def appearance_distances(left: Floats, right: Floats) -> Floats:
    """Hellinger's distances between square roots of histograms.

    Args:
        left: (n, bins).
        right: (m, bins).

    Returns:
        (n, m), each in [0, 1]; one half where either is unknown (all zeros).

    >>> appearance_distances(np.eye(2), np.eye(2)).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    distance = np.sqrt(np.clip(1 - left @ right.T, 0, 1))
    unknown = (~left.any(axis=1))[:, None] | (~right.any(axis=1))[None]
    return np.where(unknown, 0.5, distance)
