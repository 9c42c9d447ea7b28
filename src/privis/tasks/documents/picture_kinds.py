"""What a picture is: an identity document, a receipt, a photograph or an X-ray; by measurements and a linear head.

Measured are shares of dark and of bright strokes, edges, quantiles of grey levels, how text lines change from row to
row, and colour, at two sizes, so that neither resolution nor a quarter turn matters much. The head,
``picture_kinds.npz``, is a logistic regression trained by ``python -m benchmarks.documents DATA --train FILE`` on
public specimens, receipts (SROIE), photographs (Kodak, Corel, COCO, ImageNet, faces) and radiographs, each also turned,
grey, shrunk and compressed; it holds weights and no picture.
"""

from __future__ import annotations

import functools
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from privis.tasks.linear_head import LinearHead

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

HEAD = Path(__file__).with_name("picture_kinds.npz")
SIDES = ((320, 7), (112, 5))
"""Pixels of the longer side at which strokes are measured, and of the window that is wider than one."""
COLOUR_SIDE = 160
SHORTEST = 8
"""Pixels of the shorter side of a shrunk picture at least."""


class PictureKind(StrEnum):
    """What a picture is."""

    DOCUMENT = "document"
    RECEIPT = "receipt"
    PHOTOGRAPH = "photograph"
    X_RAY = "x-ray"


def picture_kind(image: Pixels) -> PictureKind:
    """Tell what a picture is, by its looks alone.

    No guarantee: see ``python -m benchmarks.documents`` for how often it is right.

    Args:
        image: uint8 (height, width) or (height, width, 3) RGB.

    Returns:
        The likeliest kind.

    >>> picture_kind(np.tile(np.linspace(0, 255, 200, dtype=np.uint8), (150, 1))) in PictureKind
    True
    """
    head = _head()
    return PictureKind(head.decide(head.scores(kind_measurements(image)[None])).labels[0])


@functools.cache
def _head() -> LinearHead:
    return LinearHead.load(HEAD)


def kind_measurements(image: Pixels) -> Floats:
    """Measure what kinds of pictures differ in.

    Args:
        image: uint8 (height, width) or (height, width, 3) RGB.

    Returns:
        Float64 (components,).

    >>> bool(np.isfinite(kind_measurements(np.zeros((20, 30), np.uint8))).all())
    True
    """
    pixels = np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[:, :, None], 3, 2))
    strokes = [_strokes(_fitted(pixels, side), window) for side, window in SIDES]
    hsv = cv2.cvtColor(_fitted(pixels, COLOUR_SIDE), cv2.COLOR_RGB2HSV).astype(np.float64) / 255
    chroma = hsv[..., 1] * hsv[..., 2]
    colour = [chroma.mean(), np.percentile(chroma, 90), (chroma > 0.1).mean(), (chroma > 0.3).mean(), chroma.std()]
    return np.concatenate([*strokes, np.array(colour)])


def _fitted(pixels: Pixels, side: int) -> Pixels:
    scale = side / max(pixels.shape[:2])
    height, width = (max(SHORTEST, round(length * scale)) for length in pixels.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)


def _strokes(pixels: Pixels, window: int) -> Floats:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    level = grey.astype(np.float64) / 255
    around = np.ones((window, window), np.uint8)
    dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, around) / 255.0
    bright = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, around) / 255.0
    across = np.abs(cv2.Sobel(level, cv2.CV_64F, 1, 0)) / 4
    down = np.abs(cv2.Sobel(level, cv2.CV_64F, 0, 1)) / 4
    edges = np.hypot(across, down)
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    filled = shares[shares > 0]
    # lines of text change along one side of the page and not along the other
    changes = sorted(float(np.abs(np.diff(dark.mean(axis))).mean() / (dark.mean() + 0.01)) for axis in (1, 0))
    return np.array(
        [
            dark.mean(),
            bright.mean(),
            (dark > 0.12).mean(),
            (bright > 0.12).mean(),
            (dark > 0.3).mean(),
            np.log((dark.mean() + 0.003) / (bright.mean() + 0.003)),
            edges.mean(),
            (edges > 0.12).mean(),
            (edges < 0.01).mean(),
            (edges < 0.03).mean(),
            np.log(0.003 + edges.mean()),
            -float((filled * np.log2(filled)).sum()) / 8,
            *np.percentile(level, [2, 10, 25, 50, 75, 90, 98]),
            level.std(),
            *changes,
            abs(np.log((across.mean() + 0.005) / (down.mean() + 0.005))),
            np.abs(cv2.Laplacian(level, cv2.CV_64F)).mean() / (edges.mean() + 0.01),
            shares.reshape(16, 16).sum(1).max(),
        ]
    )
