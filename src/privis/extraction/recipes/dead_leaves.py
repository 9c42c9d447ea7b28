"""A codebook of local descriptors that was learned from no photograph at all, but from a random model of images.

Dead leaves: opaque shapes of random place, size and grey fall on each other until the plane is covered. With sizes of
density r^-3 the pictures have the statistics of natural ones at all scales: edges, corners, textures (A. B. Lee,
D. Mumford, J. Huang, "Occlusion Models for Natural Images", IJCV 2001, doi:10.1023/A:1011109015675). So the words are
public by construction, whatever images are searched with them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from privis.extraction.images import extract
from privis.features.keypoints.aggregate import Codebook
from privis.features.keypoints.sift import DenseSIFT

LOCAL = DenseSIFT(step=8, width=4, size=(256, 256))
"""Descriptors that the words are of: 128 numbers on a grid of 8 pixels, of images resized to 256 x 256."""

WORDS = 32
SOURCE = "60 random dead-leaves images, seed 0 (Lee, Mumford, Huang 2001)"
IMAGES, EVERY = 60, 5
LEAVES, SMALLEST, LARGEST = 3000, 2.0, 120.0
_FILE = Path(__file__).with_name("dead_leaves_32.npz")


def dead_leaves(seed: int, size: int = 256) -> npt.NDArray[np.uint8]:
    """Draw ellipses over each other, the largest 60 times as long as the smallest; then blur and grain as of a camera.

    Args:
        seed: of the random numbers.
        size: height and width in pixels.

    Returns:
        (size, size) of 8 bits, equal for equal seeds.

    >>> dead_leaves(0, size=32).shape
    (32, 32)
    """
    random = np.random.default_rng(seed)
    image = np.full((size, size), 128, np.float32)
    share = random.random(LEAVES)
    radii = 1 / np.sqrt(share / SMALLEST**2 + (1 - share) / LARGEST**2)  # of density r^-3 between the two
    places = random.uniform(-20, size + 20, (LEAVES, 2))
    greys, angles, ratios = (random.uniform(low, high, LEAVES) for low, high in ((0, 255), (0, 180), (0.3, 1)))
    for place, radius, grey, angle, ratio in zip(places, radii, greys, angles, ratios, strict=True):
        axes = (2 * radius, 2 * radius * ratio)
        cv2.ellipse(image, (tuple(map(float, place)), axes, float(angle)), float(grey), -1)
    blurred = cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 1.5))
    grained: npt.NDArray[np.uint8] = np.clip(blurred + random.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    return grained


def learned_codebook() -> Codebook:
    """Learn the words anew, as those of `dead_leaves_codebook` were; needs scikit-learn, some seconds.

    Returns:
        `WORDS` words of 128 numbers; k-means of another version ends in slightly other words.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    grids = extract(LOCAL, [dead_leaves(seed) for seed in range(IMAGES)]).features
    return Codebook.fit(grids.reshape(-1, 128)[::EVERY], WORDS, SOURCE)


@cache
def dead_leaves_codebook() -> Codebook:
    """Read the words that come with Privis.

    Returns:
        32 words of 128 numbers, for descriptors of `LOCAL`.

    >>> dead_leaves_codebook().centres.shape
    (32, 128)
    """
    return Codebook.load(_FILE)
