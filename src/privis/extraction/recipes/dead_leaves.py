"""A codebook of local descriptors that was learned from no photograph at all, but from a random model of images.

Dead leaves: opaque shapes of random place, size and grey fall on each other until the plane is covered. With sizes of
density r^-3 the pictures have the statistics of natural ones at all scales: edges, corners, textures (A. B. Lee,
D. Mumford, J. Huang, "Occlusion Models for Natural Images", IJCV 2001, doi:10.1023/A:1011109015675). So the words are
public by construction, whatever images are searched with them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

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
MOST_HUES, VARIATION = 4, (6.0, 30.0, 45.0)
"""Of a palette, and standard deviations of hue (of 180), saturation and value within one."""
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
    radii, places = _leaves(random, size)
    greys, angles, ratios = (random.uniform(low, high, LEAVES) for low, high in ((0, 255), (0, 180), (0.3, 1)))
    image = np.full((size, size), 128, np.float32)
    return _seen(_covered(image, places, radii, greys[:, None], angles, ratios), random)


def coloured_dead_leaves(seed: int, size: int = 256) -> npt.NDArray[np.uint8]:
    """Draw ellipses as `dead_leaves` does, in the hues of a palette that every image has of its own.

    Args:
        seed: of the random numbers.
        size: height and width in pixels.

    Returns:
        (size, size, 3) of 8 bits, equal for equal seeds.

    >>> coloured_dead_leaves(0, size=32).shape
    (32, 32, 3)
    """
    random = np.random.default_rng(seed)
    radii, places = _leaves(random, size)
    angles, ratios = random.uniform(0, 180, LEAVES), random.uniform(0.3, 1, LEAVES)
    hues = int(random.integers(1, 1 + MOST_HUES))
    palette = np.stack(
        [random.uniform(0, 180, hues), random.random(hues) ** 1.5 * 255, random.uniform(20, 255, hues)], axis=1
    )
    colours = palette[random.integers(0, hues, LEAVES)] + random.normal(0, 1, (LEAVES, 3)) * VARIATION
    colours[:, 0] %= 180
    hsv = np.clip(colours, 0, (179, 255, 255)).astype(np.uint8)
    import cv2  # not at the start: it takes longer to load than most commands

    painted = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].astype(np.float64)
    image = np.full((size, size, 3), 128, np.float32)
    return _seen(_covered(image, places, radii, painted, angles, ratios), random)


def _leaves(random: np.random.Generator, size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Radii of density r^-3 between the smallest and the largest, and places."""
    share = random.random(LEAVES)
    radii = 1 / np.sqrt(share / SMALLEST**2 + (1 - share) / LARGEST**2)
    return radii, random.uniform(-20, size + 20, (LEAVES, 2))


def _covered(
    image: npt.NDArray[np.float32],
    places: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
    colours: npt.NDArray[np.float64],
    angles: npt.NDArray[np.float64],
    ratios: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    import cv2  # not at the start: it takes longer to load than most commands

    for place, radius, colour, angle, ratio in zip(places, radii, colours, angles, ratios, strict=True):
        axes = (2 * radius, 2 * radius * ratio)
        cv2.ellipse(image, (tuple(map(float, place)), axes, float(angle)), tuple(map(float, colour)), -1)
    return image


def _seen(image: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Blur and grain as of a camera."""
    import cv2  # not at the start: it takes longer to load than most commands

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
