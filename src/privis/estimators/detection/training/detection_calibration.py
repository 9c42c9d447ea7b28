"""How scores become probabilities, and which overlap ends suppression: by pictures that were not trained on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.extras import optional_import
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.detection_probability import DetectionProbability, relative_sizes
from privis.tasks.detection.measures import detection_curve, matched_boxes

OVERLAPS = (0.3, 0.35, 0.4, 0.45, 0.5)
"""Among which suppression's is chosen."""
MATCH = 0.5
"""Overlap from which a box is on a thing."""
MOST = 60
"""Boxes of a picture that are looked at."""
FEWEST = 20
"""Of right and of wrong boxes, from which sizes are looked at, too."""
STRENGTH = 1.0


@dataclass(frozen=True, eq=False)
class HeldOutBoxes:
    """What was found in a picture by a window that was not trained on it, and what is there.

    Args:
        found: not suppressed, with scores of the window.
        truth: things, and crowds that do not count.
        ignored: bool, which of ``truth`` are crowds.
    """

    found: DetectedBoxes
    truth: DetectedBoxes
    ignored: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CalibratedBoxes:
    """What was chosen.

    Args:
        probability: of scores and sizes.
        overlap: from which two boxes are one thing.
        average_precision: of the boxes that it was chosen by, in [0, 1].
    """

    probability: DetectionProbability
    overlap: float
    average_precision: float


def calibrate(pictures: Sequence[HeldOutBoxes]) -> CalibratedBoxes:
    """Choose an overlap, and fit probabilities to what suppression keeps by it.

    Args:
        pictures: at least one, with at least one thing that counts.

    Returns:
        The choice with the highest average precision, the first of equal ones.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    size = float(np.exp(np.mean(np.log(np.concatenate(
        [each.truth.boxes[~each.ignored, 3] for each in pictures]
    )))))  # fmt: skip
    best: CalibratedBoxes | None = None
    for overlap in OVERLAPS:
        kept = [each.found.suppressed(overlap, MOST) for each in pictures]
        probability = _fitted(kept, pictures, size)
        told = [_with(own, probability) for own in kept]
        truth, ignored = [each.truth for each in pictures], [each.ignored for each in pictures]
        quality = detection_curve(told, truth, MATCH, ignored=ignored).average_precision
        if best is None or quality > best.average_precision + 1e-9:
            best = CalibratedBoxes(probability, overlap, quality)
    assert best is not None
    return best


def _with(found: DetectedBoxes, probability: DetectionProbability) -> DetectedBoxes:
    return DetectedBoxes(found.boxes, probability(found.scores, found.boxes[:, 3]), found.labels)


def _fitted(kept: Sequence[DetectedBoxes], pictures: Sequence[HeldOutBoxes], size: float) -> DetectionProbability:
    """Logistic regression on score and size of the boxes that are kept."""
    with optional_import("sklearn", "privis detect train"):
        from sklearn.linear_model import LogisticRegression

    scores, heights, right = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, bool)]
    for own, each in zip(kept, pictures, strict=True):
        matched = matched_boxes(own, each.truth, each.ignored, MATCH)
        scores.append(matched.scores)
        heights.append(own.boxes[matched.rows, 3])
        right.append(matched.hits)
    every, sizes, hits = np.concatenate(scores), relative_sizes(np.concatenate(heights), size), np.concatenate(right)
    if hits.all() or not hits.any():  # too little is known: the loss that the window was trained by is logistic
        return DetectionProbability(1.0, 0.0, size)
    enough = min(int(hits.sum()), int((~hits).sum())) >= FEWEST
    columns = np.column_stack([every, sizes, sizes**2][: 3 if enough else 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = LogisticRegression(C=STRENGTH, max_iter=1000).fit(columns, hits)
        slopes = fit.coef_[0]
        if enough and slopes[2] > 0:
            columns = columns[:, :2]
            fit = LogisticRegression(C=STRENGTH, max_iter=1000).fit(columns, hits)
            slopes = fit.coef_[0]
    slopes = np.concatenate([slopes, np.zeros(3 - len(slopes))])
    return DetectionProbability(max(float(slopes[0]), 1e-6), float(fit.intercept_[0]), size, *map(float, slopes[1:]))
