"""Matching of local features on the graf sequence, beside OpenCV's SIFT in the same run.

``python -m benchmarks.matching FOLDER``, with FOLDER holding img1.png to img4.png and H1to2p to H1to4p. A match passes
the ratio test at 0.8 and is right within 3 pixels of the homography; everyone may use as many key points of an image as
OpenCV's SIFT finds there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from privis.features.feature import Array, Image
from privis.features.keypoints.sift import SIFT

VIEWS = (2, 3, 4)
RATIO = 0.8
NEAR = 3.0  # pixels

Local = Callable[[Image, int], tuple[Array, Array]]  # image, key points allowed -> positions (N, 2), descriptors (N, d)


@dataclass(frozen=True)
class Matching:
    """Matches of view 1 with each of ``VIEWS``, how many of them are right, in percent, and seconds per image."""

    matches: tuple[int, ...]
    right: tuple[float, ...]
    seconds: float


def opencv_sift(image: Image, count: int) -> tuple[Array, Array]:
    points, descriptors = cv2.SIFT_create().detectAndCompute(image, None)
    return np.asarray(cv2.KeyPoint_convert(points)), descriptors


def privis_sift(image: Image, count: int) -> tuple[Array, Array]:
    points, descriptors = SIFT().describe(image)
    return points.positions[:count], descriptors[:count]


def graf_matching(locals_: Mapping[str, Local], folder: Path) -> dict[str, Matching]:
    """Describe the views of ``folder`` with each of ``locals_`` and match them."""
    images = [cv2.imread(str(folder / f"img{view}.png"), cv2.IMREAD_GRAYSCALE) for view in (1, *VIEWS)]
    counts = [len(cv2.SIFT_create().detect(image, None)) for image in images]
    homographies = [np.loadtxt(folder / f"H1to{view}p") for view in VIEWS]
    return {name: _matching(local, images, counts, homographies) for name, local in locals_.items()}


def _matching(local: Local, images: list[Image], counts: list[int], homographies: list[Array]) -> Matching:
    local(images[0][:64, :64], 1)  # compiles what has to be compiled
    start = time.perf_counter()
    (first, words), *others = [local(image, count) for image, count in zip(images, counts, strict=True)]
    seconds = (time.perf_counter() - start) / len(images)
    matches, right = [], []
    for homography, (positions, descriptors) in zip(homographies, others, strict=True):
        pairs = ratio_test(words, descriptors)
        ahead = np.c_[first[pairs[:, 0]], np.ones(len(pairs))] @ homography.T
        distances = np.linalg.norm(ahead[:, :2] / ahead[:, 2:] - positions[pairs[:, 1]], axis=1)
        matches.append(len(pairs))
        right.append(100 * float((distances <= NEAR).mean()))
    return Matching(tuple(matches), tuple(right), seconds)


def ratio_test(queries: Array, candidates: Array) -> Array:
    """Pairs of indices whose distance is below ``RATIO`` times the second smallest."""
    found = cv2.BFMatcher().knnMatch(queries.astype(np.float32), candidates.astype(np.float32), 2)
    kept = [(best.queryIdx, best.trainIdx) for best, second in found if best.distance < RATIO * second.distance]
    return np.array(kept, int).reshape(-1, 2)


def table(results: Mapping[str, Matching]) -> str:
    """One line per name: share of right matches and their number for every view, milliseconds per image."""
    heads = "".join(f"{f'view {view}':>16}" for view in VIEWS)
    lines = [f"{'':16}{heads}{'ms per image':>16}"]
    for name, result in results.items():
        cells = [f"{share:.1f} % of {n}" for share, n in zip(result.right, result.matches, strict=True)]
        lines.append(f"{name:16}" + "".join(f"{cell:>16}" for cell in cells) + f"{1000 * result.seconds:16.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(graf_matching({"SIFT, OpenCV": opencv_sift, "SIFT, Privis": privis_sift}, Path(sys.argv[1]))))
