"""A linear window from pictures with boxes: positives of every level, mined negatives, boxes by regression."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.detection.training.window_samples import (
    Floats,
    LevelBlocks,
    Mirror,
    TrainingPicture,
    Vectors,
    most_overlap,
)
from privis.extras import optional_import
from privis.tasks.detection.box_regression import BoxRegression, fit_box_regression, moved, offsets_between
from privis.tasks.detection.boxes import overlaps
from privis.tasks.detection.window_model import CHANNELS
from privis.validation import positive_number, whole_number

Tell = Callable[[float], None]
"""Takes the share that is done, in [0, 1]."""
NEGATIVE_OVERLAP = 0.3
"""A window that lies on a thing with less is background."""
POSITIVE_OVERLAP = 0.55
"""A window that lies on a thing of its own shape with at least this much shows it."""
LEAST_POSITIVE = 0.4
"""The best window of a thing shows it from here on, if none reaches more."""
COPIES = 6
"""Windows of one thing at most; together they count as one."""
FIRST_NEGATIVES = 4
"""Windows that are drawn from every level before the first round."""
HARD_NEGATIVES = 40
"""Windows of a picture that a round adds at most."""
MARGIN = -2.5
"""Score below which a window of the background teaches nothing."""
MOST_NEGATIVES = 9000
POSITIVE_WEIGHT = 2.0
REGRESSION_STRENGTH = 3.0
STEPS = 60
"""Of the optimiser in each round; the next one begins where it ended."""


@dataclass(frozen=True)
class WindowTraining:
    """How a window is trained.

    Args:
        strength: inverse of the regularisation (``C``): smaller is smoother.
        rounds: how often windows of the background that score high are added; after each the window is trained again.
        seed: of the first windows of the background.

    Raises:
        ParameterError: a value is out of its range.
    """

    identifier: ClassVar[str] = "privis.window-training/1"

    strength: float = 0.03
    rounds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        problems = positive_number("WindowTraining.strength", self.strength)
        problems += whole_number("WindowTraining.rounds", self.rounds) if self.rounds else []
        refuse(ParameterError, problems)


@dataclass(frozen=True, eq=False)
class FittedWindow:
    """What training finds.

    Args:
        weights: float64 (block columns, block rows, 36).
        bias: of the score.
        regression: from the same blocks to better boxes.
    """

    weights: Floats = field(repr=False)
    bias: float
    regression: BoxRegression

    def found(self, picture: TrainingPicture, least: float) -> tuple[Floats, Floats]:
        """Look for things in a picture.

        Args:
            picture: any, trained on or not.
            least: score from which a window counts.

        Returns:
            Moved boxes (n, 4) and scores (n,), not suppressed.
        """
        every = np.concatenate([self.weights[None], self.regression.weights.reshape(4, *self.weights.shape)])
        boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
        for level in picture.levels:
            numbers = level.scores(every).astype(np.float64)
            own = numbers[:, 0] + self.bias
            kept = own >= least
            boxes.append(moved(level.boxes[kept], numbers[kept, 1:] + self.regression.bias))
            scores.append(own[kept])
        return np.concatenate(boxes), np.concatenate(scores)


@dataclass(frozen=True, eq=False)
class _Positives:
    vectors: Vectors
    offsets: Floats
    weights: Floats


def fit_window(
    pictures: Sequence[TrainingPicture], shape: tuple[int, int], plan: WindowTraining, tell: Tell | None = None
) -> FittedWindow:
    """Train a window, and the regression of its boxes.

    Positives are windows of the pyramid itself, so that training sees what detection sees. Every picture counts with
    its mirror image (`Mirror`). Negatives are drawn at random, and then where the window errs (hard-negative mining, as
    in Dalal and Triggs, 2005). The loss is that of logistic regression, by scikit-learn.

    Args:
        pictures: that are trained on.
        shape: (rows, columns) of blocks below a window.
        plan: how.
        tell: takes the share that is done.

    Returns:
        The window.

    Raises:
        ParameterError: no window shows a thing, or none shows background.
        MissingExtraError: scikit-learn is not installed.
    """
    with optional_import("sklearn", "privis detect train"):
        from sklearn.linear_model import LogisticRegression

    mirror = Mirror(shape)
    good = _positives(pictures, shape)
    background = [[_free(level, picture) for level in picture.levels] for picture in pictures]
    rng = np.random.default_rng(plan.seed)
    chosen: dict[tuple[int, int, int], Vectors] = {}

    def add(picture: int, level: int, places: npt.NDArray[np.int64]) -> None:
        new = [int(place) for place in places if (picture, level, int(place)) not in chosen]
        parts = mirror.part(pictures[picture].levels[level].vectors(new, shape), 1)
        chosen.update({(picture, level, place): part for place, part in zip(new, parts, strict=True)})

    for number, levels in enumerate(background):
        for place, free in enumerate(levels):
            spots = np.flatnonzero(free)
            add(number, place, rng.choice(spots, min(len(spots), FIRST_NEGATIVES), replace=False))
    if not len(good.vectors) or not chosen:
        got = f"{len(good.vectors)} windows on things and {len(chosen)} on background"
        raise ParameterError(Problem("training", got, "some of both", "add images, or boxes of other sizes"))
    even = mirror.part(good.vectors, 1)
    model = LogisticRegression(C=plan.strength, max_iter=STEPS, tol=1e-3, warm_start=True)
    for turn in range(plan.rounds + 1):
        negatives = np.stack(list(chosen.values()))
        known = np.repeat([1, 0], [len(even), len(negatives)])
        counts = np.concatenate([POSITIVE_WEIGHT * good.weights, np.ones(len(negatives))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # steps that are left are taken in the next round
            model.fit(np.concatenate([even, negatives]), known, sample_weight=counts)
        weights, bias = mirror.weights(model.coef_[0], 1), float(model.intercept_[0])
        if tell is not None:
            tell((turn + 1) / (plan.rounds + 1))
        if turn == plan.rounds:
            break
        kernel = weights.reshape(1, shape[1], shape[0], CHANNELS)
        for number, picture in enumerate(pictures):
            for place, spots in _hard(picture, background[number], kernel, bias):
                add(number, place, spots)
        if len(chosen) > MOST_NEGATIVES:
            keys = list(chosen)
            order = np.argsort(-(np.stack(list(chosen.values())) @ model.coef_[0]), kind="stable")[:MOST_NEGATIVES]
            chosen = {keys[row]: chosen[keys[row]] for row in order}
    return FittedWindow(weights.reshape(shape[1], shape[0], CHANNELS), bias, _regression(good, mirror))


def mean_window(windows: Sequence[FittedWindow]) -> FittedWindow:
    """The mean of linear windows, which scores as they do on average.

    Args:
        windows: at least one, of one shape.

    Returns:
        One window.
    """
    regression = BoxRegression(
        np.mean([each.regression.weights for each in windows], axis=0),
        np.mean([each.regression.bias for each in windows], axis=0),
    )
    weights = np.mean([each.weights for each in windows], axis=0)
    return FittedWindow(weights, float(np.mean([each.bias for each in windows])), regression)


def _free(level: LevelBlocks, picture: TrainingPicture) -> npt.NDArray[np.bool_]:
    """Which windows show background."""
    things, crowds = most_overlap(level.boxes, picture.boxes), most_overlap(level.boxes, picture.crowd)
    inside = _covered(level.boxes, picture.crowd)
    return (things < NEGATIVE_OVERLAP) & (crowds < NEGATIVE_OVERLAP) & (inside < NEGATIVE_OVERLAP)


def _covered(boxes: Floats, regions: Floats) -> Floats:
    """Largest share of each box that lies in one region."""
    if not len(regions):
        return np.zeros(len(boxes))
    start = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    end = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], (regions[:, :2] + regions[:, 2:])[None])
    shared = (end - start).clip(0).prod(axis=2)
    return (shared / boxes[:, None, 2:].prod(axis=2)).max(axis=1)


def _positives(pictures: Sequence[TrainingPicture], shape: tuple[int, int]) -> _Positives:
    """Windows that show things: a thing's best ones, on its box in the window's own shape."""
    vectors: list[Vectors] = []
    offsets, weights = [np.zeros((0, 4))], []
    for picture in pictures:
        if not picture.levels or not len(picture.boxes):
            continue
        aspect = picture.levels[0].boxes[0, 2] / picture.levels[0].boxes[0, 3]
        shares = [overlaps(level.boxes, shaped(picture.boxes, aspect)) for level in picture.levels]
        for thing, box in enumerate(picture.boxes):
            ranked = [
                (own[spot, thing], place, int(spot))
                for place, own in enumerate(shares)
                for spot in np.argsort(-own[:, thing], kind="stable")[:COPIES]
            ]
            ranked.sort(reverse=True)
            used = [entry for entry in ranked[:COPIES] if entry[0] >= POSITIVE_OVERLAP]
            used = used or [entry for entry in ranked[:1] if entry[0] >= LEAST_POSITIVE]
            for _, place, spot in used:
                level = picture.levels[place]
                vectors.append(level.vectors([spot], shape))
                offsets.append(offsets_between(level.boxes[[spot]], box[None]))
                weights.append(1 / len(used))
    size = shape[0] * shape[1] * CHANNELS
    every = np.concatenate(vectors) if vectors else np.zeros((0, size), np.float32)
    return _Positives(every, np.concatenate(offsets), np.array(weights))


def shaped(boxes: Floats, aspect: float) -> Floats:
    """Boxes of one shape that have the centres and heights of others.

    Args:
        boxes: (n, 4), each x, y, width, height.
        aspect: width in heights.

    Returns:
        Float64 (n, 4).

    >>> shaped(np.array([[0.0, 0.0, 30.0, 20.0]]), 0.5).tolist()
    [[10.0, 0.0, 10.0, 20.0]]
    """
    width = boxes[:, 3] * aspect
    return np.stack([boxes[:, 0] + (boxes[:, 2] - width) / 2, boxes[:, 1], width, boxes[:, 3]], axis=1)


def _hard(
    picture: TrainingPicture, background: Sequence[npt.NDArray[np.bool_]], kernel: Floats, bias: float
) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """Places of the windows of the background that score highest, by level."""
    scores = [level.scores(kernel)[:, 0] + bias for level in picture.levels]
    free = [np.where(own, score, -np.inf) for own, score in zip(background, scores, strict=True)]
    if not free:
        return []
    every = np.concatenate(free)
    most = min(HARD_NEGATIVES, len(every))
    least = max(MARGIN, float(np.partition(every, -most)[-most])) if most else np.inf
    return [(place, np.flatnonzero(own >= least)) for place, own in enumerate(free)]


def _regression(good: _Positives, mirror: Mirror) -> BoxRegression:
    """Shifts across are odd under mirroring, the other three even: each is learned from that part alone."""
    odd = fit_box_regression(mirror.part(good.vectors, -1), good.offsets, good.weights, REGRESSION_STRENGTH)
    even = fit_box_regression(mirror.part(good.vectors, 1), good.offsets, good.weights, REGRESSION_STRENGTH)
    weights = [mirror.weights(odd.weights[0], -1), *(mirror.weights(row, 1) for row in even.weights[1:])]
    return BoxRegression(np.stack(weights), np.concatenate([[0.0], even.bias[1:]]))
