"""Whether two images show the same thing from another view: local descriptors that match under one homography.

D. G. Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004, section 7.1 (the ratio test),
doi:10.1023/B:VISI.0000029664.99615.94; M. A. Fischler, R. C. Bolles, "Random Sample Consensus", CACM 1981,
doi:10.1145/358669.358692, as OpenCV computes it. It reads descriptors in the clear, so it is the owner's own last step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.retrieval.similarity import Floats

RATIO = 0.8
TOLERANCE = 3.0
FEWEST = 4
"""Matches that a homography is determined by: fewer agree with anything."""


@dataclass(frozen=True, eq=False)
class LocalDescriptors:
    """Key points of one image and what they look like.

    Args:
        positions: (points, 2), x and y in pixels.
        descriptors: (points, components), of one local feature.

    Raises:
        ParameterError: shapes do not fit, or a number is not finite.

    >>> LocalDescriptors(np.zeros((3, 2)), np.eye(3)).positions.shape
    (3, 2)
    """

    positions: Floats = field(repr=False)
    descriptors: Floats = field(repr=False)

    def __post_init__(self) -> None:
        positions, descriptors = np.asarray(self.positions), np.asarray(self.descriptors)
        fits = positions.ndim == descriptors.ndim == 2 and positions.shape[1] == 2
        if not fits or len(positions) != len(descriptors):
            got = f"shapes {positions.shape} and {descriptors.shape}"
            refuse(ParameterError, [Problem("LocalDescriptors", got, "(points, 2) and (points, components)")])
        if not (np.isfinite(positions).all() and np.isfinite(descriptors).all()):
            refuse(ParameterError, [Problem("LocalDescriptors", "NaN or infinity", "finite numbers")])


def consistent_matches(
    query: LocalDescriptors, image: LocalDescriptors, ratio: float = RATIO, tolerance: float = TOLERANCE
) -> int:
    """Count the matches of two images that one homography explains.

    Args:
        query: of the image that is asked about.
        image: of an image of the index.
        ratio: a match is nearer than this share of the distance to the second nearest.
        tolerance: distance in pixels of ``image`` within which a match agrees.

    Returns:
        Matches that agree, 0 where fewer than four do: chance alone gives a handful.

    Raises:
        ParameterError: descriptors of different lengths.
    """
    if query.descriptors.shape[1] != image.descriptors.shape[1]:
        got = f"{query.descriptors.shape[1]} and {image.descriptors.shape[1]} components"
        raise ParameterError(Problem("consistent_matches", got, "descriptors of one local feature"))
    if len(query.positions) < FEWEST or len(image.positions) < FEWEST:
        return 0
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    pairs = matcher.knnMatch(query.descriptors.astype(np.float32), image.descriptors.astype(np.float32), 2)
    close = [first for first, second in pairs if first.distance < ratio * second.distance]
    if len({match.trainIdx for match in close}) < FEWEST:
        return 0
    source = query.positions[[match.queryIdx for match in close]].astype(np.float32)
    target = image.positions[[match.trainIdx for match in close]].astype(np.float32)
    cv2.setRNGSeed(0)  # equal images get equal answers
    transform, agreeing = cv2.findHomography(source, target, cv2.RANSAC, tolerance)
    if transform is None or agreeing is None:
        return 0
    places = np.unique(target[agreeing.ravel() > 0], axis=0)  # many points on one are one match
    return len(places) if len(places) >= FEWEST else 0
