"""Five landmarks to the place where recognition networks expect them: the best similarity transform, and the crop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.tasks.faces.detected_faces import LANDMARKS, Floats
from privis.validation import size_problem

SIDE = 112
"""Side of the crop in pixels that most recognition networks read."""
ARCFACE_LANDMARKS: Floats = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Right eye, left eye, nose, right and left corner of the mouth (x, y) in a crop of 112 x 112 pixels. Reference: Deng
et al., "ArcFace: additive angular margin loss for deep face recognition", 2019, arXiv:1801.07698."""
ARCFACE_LANDMARKS.flags.writeable = False
SMALLEST_SPREAD = 1e-6
"""Pixels: landmarks that lie closer are one point."""


def similarity_transform(source: npt.ArrayLike, target: npt.ArrayLike) -> Floats:
    """The rotation, scale and shift that bring points nearest to others, in the sum of squared distances.

    There is no reflection in it. Reference: Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", 1991, doi:10.1109/34.88573.

    Args:
        source: points (points, 2).
        target: where they should be (points, 2).

    Returns:
        (2, 3): multiply it by ``(x, y, 1)``.

    Raises:
        ParameterError: shapes differ, a number is not finite, or all points of one side are one.

    >>> similarity_transform([[0, 0], [1, 0], [0, 1]], [[5, 5], [5, 7], [3, 5]]).round(6).tolist()
    [[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]
    """
    given, wanted = (np.asarray(points, np.float64) for points in (source, target))
    if given.shape != wanted.shape or given.ndim != 2 or given.shape[1] != 2 or len(given) < 2:
        got = f"shapes {given.shape} and {wanted.shape}"
        raise ParameterError(Problem("similarity_transform", got, "two arrays (points, 2) of at least 2 points"))
    centres = given.mean(0), wanted.mean(0)
    a, b = given - centres[0], wanted - centres[1]
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or min(np.abs(a).max(), np.abs(b).max()) < SMALLEST_SPREAD:
        raise ParameterError(Problem("similarity_transform", "points that are one or not finite", "several places"))
    left, strengths, right = np.linalg.svd(b.T @ a / len(a))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    turn = (left * signs) @ right
    scale = (strengths * signs).sum() / (a**2).sum(1).mean()
    return np.column_stack([scale * turn, centres[1] - scale * turn @ centres[0]])


def aligned_face(
    image: npt.NDArray[np.uint8], landmarks: npt.ArrayLike, size: tuple[int, int] = (SIDE, SIDE)
) -> npt.NDArray[np.uint8]:
    """Cut a face out of its picture, upright, with landmarks where recognition networks expect them.

    A face that is more than twice as large is reduced by areas first, so that no detail becomes a false pattern. What
    lies outside of the picture is black.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        landmarks: (5, 2) in pixels of ``image``.
        size: (height, width) of the crop in pixels; the places are those of 112 x 112, stretched.

    Returns:
        uint8 (height, width) or (height, width, 3).

    Raises:
        ParameterError: shapes do not fit, or the landmarks are one point.

    >>> aligned_face(np.zeros((200, 300, 3), np.uint8), ARCFACE_LANDMARKS + 50).shape
    (112, 112, 3)
    """
    import cv2

    pixels, points = np.asarray(image), np.asarray(landmarks, np.float64)
    problems = size_problem("aligned_face.size", size)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        got = f"{pixels.dtype} values of shape {pixels.shape}"
        problems.append(Problem("aligned_face.image", got, "uint8 (H, W) or (H, W, 3)"))
    if points.shape != (LANDMARKS, 2):
        problems.append(Problem("aligned_face.landmarks", f"shape {points.shape}", "(5, 2), x and y in pixels"))
    if problems:
        raise ParameterError(*problems)
    stretch = np.array([size[1], size[0]]) / SIDE
    matrix = similarity_transform(points, ARCFACE_LANDMARKS * stretch)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    halvings = max(0, int(np.floor(-np.log2(scale)))) if scale > 0 else 0
    if halvings:
        height, width = (max(1, round(length / 2**halvings)) for length in pixels.shape[:2])
        factors = np.array([width / pixels.shape[1], height / pixels.shape[0]])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        # centres of pixels: x -> (x + 1/2) * factor - 1/2
        matrix = similarity_transform((points + 0.5) * factors - 0.5, ARCFACE_LANDMARKS * stretch)
    made = cv2.warpAffine(pixels, matrix, size[::-1], flags=cv2.INTER_LINEAR)
    return np.asarray(made, np.uint8)
