"""From pictures with boxes to a detector: a window, its regularisation and its probabilities by held-out boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.detection.training.detection_calibration import CalibratedBoxes, HeldOutBoxes, calibrate
from privis.estimators.detection.training.window_choice import WindowChoice
from privis.estimators.detection.training.window_samples import Floats, TrainingPicture
from privis.estimators.detection.training.window_training import (
    FittedWindow,
    Tell,
    WindowTraining,
    fit_window,
    mean_window,
)
from privis.tasks.detection.box_regression import BoxRegression
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.trained_window import TrainedWindowModel

STRENGTHS = (0.03, 0.1, 0.3)
LEAST_SCORE = -3.0
"""Of a window that is looked at for calibration."""
LEAST_PROBABILITY = 0.05


@dataclass(frozen=True)
class DetectorTraining:
    """How a detector is trained.

    Args:
        strengths: inverses of the regularisation, among which inner folds choose.
        rounds: of hard negatives.
        folds: of the pictures, each looked at by windows that were trained on the others.
        seed: of the folds and of the first negatives.

    Raises:
        ParameterError: a value is out of its range; all at once.
    """

    identifier: ClassVar[str] = "privis.detector-training/1"

    strengths: tuple[float, ...] = STRENGTHS
    rounds: int = 3
    folds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        if not self.strengths or any(not 0 < each < np.inf for each in self.strengths):
            problems.append(Problem("DetectorTraining.strengths", str(self.strengths), "numbers above 0, at least one"))
        for name, least in (("rounds", 0), ("folds", 2), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                problems.append(Problem(f"DetectorTraining.{name}", repr(value), f"an integer of at least {least}"))
        refuse(ParameterError, problems)


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """A trained window with the overlap of its suppression, and what is known of its training: numbers alone.

    Args:
        model: what runs, and what decodes afterwards.
        overlap: intersection over union from which two boxes are one thing.
        training: counts and choices.
    """

    model: TrainedWindowModel
    overlap: float
    training: Mapping[str, Any] = field(default_factory=dict)


def train_detector(
    pictures: Sequence[TrainingPicture],
    choice: WindowChoice,
    label: str,
    plan: DetectorTraining = DetectorTraining(),
    tell: Tell | None = None,
) -> TrainedDetector:
    """Train a detector.

    Every inner fold is looked at by a window that was trained on the other pictures. By what they find the
    regularisation, the overlap of suppression and the probabilities are chosen. The detector's window is the mean of
    these windows: its scores have their scale, so that the probabilities hold.

    Args:
        pictures: with blocks of the chosen window.
        choice: the window.
        label: what is found.
        plan: how.
        tell: takes the share that is done.

    Returns:
        The detector.

    Raises:
        ParameterError: fewer than two pictures show a thing.
        MissingExtraError: scikit-learn is not installed.
    """
    shape = choice.model(label).blocks
    folds = _folds(pictures, plan)
    runs = len(plan.strengths) * (int(folds.max()) + 1)
    done = 0

    def part(share: float) -> None:
        if tell is not None:
            tell((done + share) / runs)

    best: tuple[CalibratedBoxes, float, list[FittedWindow]] | None = None
    for strength in plan.strengths:
        own = WindowTraining(strength, plan.rounds, plan.seed)
        held: list[HeldOutBoxes] = []
        windows: list[FittedWindow] = []
        for number in range(int(folds.max()) + 1):
            seen = [picture for picture, fold in zip(pictures, folds, strict=True) if fold != number]
            windows.append(fit_window(seen, shape, own, part))
            done += 1
            rest = (picture for picture, fold in zip(pictures, folds, strict=True) if fold == number)
            held += [_held_out(picture, *windows[-1].found(picture, LEAST_SCORE), label) for picture in rest]
        found = calibrate(held)
        if best is None or found.average_precision > best[0].average_precision:
            best = found, strength, windows
    assert best is not None
    calibrated, strength, windows = best
    window = mean_window(windows)
    moves = window.regression
    model = TrainedWindowModel(
        choice.model(label, _stored(window.weights), window.bias),
        BoxRegression(_stored(moves.weights), moves.bias), calibrated.probability, choice.heights, LEAST_PROBABILITY,
    )  # fmt: skip
    training = {
        "images": len(pictures), "boxes": sum(len(picture.boxes) for picture in pictures),
        "folds": int(folds.max()) + 1, "strength": strength, "rounds": plan.rounds, "seed": plan.seed,
        "average_precision": calibrated.average_precision,
    }  # fmt: skip
    return TrainedDetector(model, calibrated.overlap, training)


def _stored(weights: Floats) -> Floats:
    """Weights as a file holds them, so that a detector finds the same before and after."""
    return weights.astype(np.float32).astype(np.float64)


def _folds(pictures: Sequence[TrainingPicture], plan: DetectorTraining) -> npt.NDArray[np.int64]:
    """Number of the fold of each picture; those with things and those without are dealt out alike."""
    shown = np.array([bool(len(picture.boxes) and picture.levels) for picture in pictures], bool)
    if shown.sum() < 2:
        got, expected = f"{int(shown.sum())} that shows a thing", "at least 2"
        raise ParameterError(Problem("images", got, expected, "add images with boxes: one is held out for calibration"))
    order = np.random.default_rng(plan.seed).permutation(len(pictures))
    order = order[np.argsort(~shown[order], kind="stable")]
    folds = np.empty(len(pictures), np.int64)
    folds[order] = np.arange(len(pictures)) % min(plan.folds, int(shown.sum()))
    return folds


def _held_out(picture: TrainingPicture, boxes: Floats, scores: Floats, label: str) -> HeldOutBoxes:
    every = np.concatenate([picture.boxes, picture.crowd])
    ignored = np.arange(len(every)) >= len(picture.boxes)
    best = np.argsort(-scores, kind="stable")[:1000]
    return HeldOutBoxes(
        DetectedBoxes(boxes[best], scores[best], label), DetectedBoxes(every, np.ones(len(every)), label), ignored
    )
