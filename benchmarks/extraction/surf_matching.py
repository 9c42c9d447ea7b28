"""SURF beside mahotas on the graffiti sequence: are key points found again, and are they matched rightly?

Views 2, 3 and 4 see the wall of view 1 from 20, 30 and 40 degrees to the side; homographies are the ground truth.
Run it with ``python -m benchmarks.surf_graf [folder of img1.png, H1to2p …]``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mahotas.features import surf as mahotas_surf
from numpy.typing import NDArray

from privis.features.keypoints.surf import SURF

GRAF = Path(__file__).resolve().parents[3] / "shared/data/local_features/graf"
VIEWS = (2, 3, 4)
PIXELS = 3.0  # of distance between a key point and its place in the other view
SCALES = 1.4  # largest ratio of a key point's scale and the one it should have
RATIO = 0.8  # of the distances to the nearest and the second nearest descriptor

Floats = NDArray[np.float64]


class Found(NamedTuple):
    """Key points of one view: x and y in pixels, scales in any unit, descriptors."""

    positions: Floats
    scales: Floats
    descriptors: NDArray[np.float32]


class Row(NamedTuple):
    """One line of the table. Repeatability and precision are shares; seconds are for one view of 800 x 640 pixels."""

    method: str
    view: int
    repeatability: float
    right: int
    matches: int
    precision: float
    seconds: float


def privis(image: NDArray[np.uint8], count: int) -> Found:
    """Our key points, strongest first."""
    points, descriptors = SURF().describe(image)
    best = slice(count)
    return Found(points.positions[best].astype(float), points.size[best].astype(float), descriptors[best])


def mahotas(image: NDArray[np.uint8], count: int) -> Found:
    """Key points of mahotas with its defaults, at most ``count``."""
    table = mahotas_surf.surf(image, max_points=count)
    return Found(table[:, 1::-1], table[:, 2], table[:, 6:].astype(np.float32))


def project(homography: Floats, positions: Floats) -> tuple[Floats, Floats]:
    """Positions in the other view, and by how much lengths grow there."""
    lifted = np.column_stack([positions, np.ones(len(positions))]) @ homography.T
    growth = np.sqrt(np.abs(np.linalg.det(homography) / lifted[:, 2] ** 3))
    return lifted[:, :2] / lifted[:, 2:], growth


def inside(positions: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which positions lie in an image of ``shape``."""
    return ((positions >= 0) & (positions <= (shape[1] - 1, shape[0] - 1))).all(1)


def repeatability(first: Found, other: Found, homography: Floats, shape: tuple[int, ...]) -> float:
    """Share of key points found again: pairs, each other's nearest, over the fewer key points that both views see."""
    expected, growth = project(homography, first.positions)
    seen = inside(expected, shape)
    back = inside(project(np.linalg.inv(homography), other.positions)[0], shape)
    distance = np.linalg.norm(expected[seen][:, None] - other.positions[back], axis=2)
    ratio = (first.scales * growth)[seen][:, None] / other.scales[back]
    distance[np.maximum(ratio, 1 / ratio) > SCALES] = np.inf
    nearest = distance.argmin(1)
    mutual = distance.argmin(0)[nearest] == np.arange(len(nearest))
    return float((mutual & (distance.min(1) <= PIXELS)).sum() / min(seen.sum(), back.sum()))


def matching(first: Found, other: Found, homography: Floats) -> tuple[int, int]:
    """Matches that pass the ratio test: how many are right, and how many there are."""
    pairs = cv2.BFMatcher().knnMatch(first.descriptors, other.descriptors, k=2)
    passed = [best for best, second in pairs if best.distance < RATIO * second.distance]
    expected, _ = project(homography, first.positions[[match.queryIdx for match in passed]])
    error = np.linalg.norm(expected - other.positions[[match.trainIdx for match in passed]], axis=1)
    return int((error <= PIXELS).sum()), len(passed)


def run(graf: Path = GRAF, count: int = 1024) -> list[Row]:
    """Measure both methods with their ``count`` strongest key points per view."""
    files = [str(graf / f"img{view}.png") for view in (1, *VIEWS)]
    images = [np.asarray(cv2.imread(file, cv2.IMREAD_GRAYSCALE), np.uint8) for file in files]
    methods: list[tuple[str, Callable[[NDArray[np.uint8], int], Found]]] = [("privis", privis), ("mahotas", mahotas)]
    privis(images[0], count)  # compiles
    rows = []
    for name, method in methods:
        start = time.perf_counter()
        first, *others = (method(image, count) for image in images)
        seconds = (time.perf_counter() - start) / len(images)
        for view, other in zip(VIEWS, others, strict=True):
            homography = np.loadtxt(graf / f"H1to{view}p")
            share = repeatability(first, other, homography, images[0].shape)
            right, matches = matching(first, other, homography)
            rows.append(Row(name, view, share, right, matches, right / max(matches, 1), seconds))
    return rows


def main() -> None:
    """Print the table."""
    print(f"{'method':8} {'view':>4} {'repeatability':>13} {'right':>6} {'matches':>7} {'precision':>9} {'s/view':>7}")
    for row in run(Path(sys.argv[1]) if len(sys.argv) > 1 else GRAF):
        share, precision = f"{row.repeatability:.1%}", f"{row.precision:.1%}"
        print(
            f"{row.method:8} {row.view:4} {share:>13} {row.right:6} {row.matches:7} {precision:>9} {row.seconds:7.2f}"
        )


if __name__ == "__main__":
    main()
