"""From pictures with boxes to a detector: what it finds again, in memory and from its file, and what is too little."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.detection.detector import Detector
from privis.estimators.detection.training.detection_calibration import HeldOutBoxes, calibrate
from privis.estimators.detection.training.detector_file import load_detector, save_detector
from privis.estimators.detection.training.detector_training import DetectorTraining, TrainedDetector, train_detector
from privis.estimators.detection.training.window_choice import choose_window
from privis.estimators.detection.training.window_samples import BlockReader, TrainingPicture
from privis.estimators.detection.training.window_training import FittedWindow, WindowTraining, fit_window, mean_window
from privis.run.clear import Clear
from privis.tasks.detection import DetectedBoxes, detection_curve, overlaps
from tests.estimators.detection.training.discs import discs, small_detector

pytest.importorskip("sklearn")
PICTURES = [discs(seed) for seed in range(6)]
CHOICE = choose_window([boxes for _, boxes in PICTURES])
PLAN = DetectorTraining((0.3,), rounds=1, folds=2)


@cache
def training_pictures() -> tuple[TrainingPicture, ...]:
    reader = BlockReader(CHOICE.model("disc"), CHOICE.heights, Clear().prepare)
    return tuple(TrainingPicture(reader.levels(picture), boxes, np.zeros((0, 4))) for picture, boxes in PICTURES)


SHARES: list[float] = []


@cache
def trained() -> TrainedDetector:
    return train_detector(training_pictures(), CHOICE, "disc", PLAN, SHARES.append)


def found_in(detector: TrainedDetector, seeds: range) -> float:
    finder = Detector(detector.model, overlap=detector.overlap)
    every = [discs(seed) for seed in seeds]
    truth = [DetectedBoxes(boxes, np.ones(len(boxes)), "disc") for _, boxes in every]
    return detection_curve([finder.detect(picture) for picture, _ in every], truth).average_precision


def test_discs_are_found_in_other_pictures_with_probabilities() -> None:
    trained()
    assert SHARES == sorted(SHARES) and SHARES[-1] == pytest.approx(1.0)
    assert found_in(trained(), range(100, 105)) > 0.8
    scores = Detector(trained().model).detect(discs(100)[0]).scores
    assert scores.min() >= trained().model.least and scores.max() <= 1


def test_a_file_gives_the_same_detector(tmp_path: Path) -> None:
    save_detector(trained(), tmp_path / "discs.model")
    again = load_detector(tmp_path / "discs.model")
    assert (again.overlap, again.training) == (trained().overlap, trained().training)
    picture, _ = discs(101)
    one, other = (Detector(each.model, overlap=each.overlap).detect(picture) for each in (trained(), again))
    assert len(one) and np.array_equal(one.boxes, other.boxes) and np.array_equal(one.scores, other.scores)


@pytest.mark.parametrize(
    ("key", "value"),
    [("format", "privis.trained-detector/2"), ("overlap", 2.0), ("window", [16, 24]), ("heights", [5, 1]),
     ("feature", {"identifier": "privis.other/1", "gamma": True}), ("margins", [0.6, 0, 0.6, 0])],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, key: str, value: object) -> None:
    place = tmp_path / "discs.model"
    save_detector(small_detector(), place)
    with np.load(place) as members:
        arrays = dict(members)
    text = json.loads(str(arrays["metadata"])) | {key: value}
    with open(place, "wb") as file:
        np.savez(file, **(arrays | {"metadata": np.array(json.dumps(text))}))
    with pytest.raises(ParameterError, match="detector"):
        load_detector(place)


def test_hard_negatives_part_discs_from_squares() -> None:
    shape = CHOICE.model("disc").blocks
    windows = [fit_window(training_pictures(), shape, WindowTraining(0.3, rounds)) for rounds in (0, 2, 2)]
    assert np.array_equal(windows[1].weights, windows[2].weights)

    def wrong(window: FittedWindow) -> float:
        """Highest score of a window that is far from every disc."""
        best = []
        for picture in training_pictures():
            boxes, scores = window.found(picture, -np.inf)
            far = overlaps(boxes, picture.boxes).max(axis=1) < 0.1
            best.append(float(scores[far].max()))
        return max(best)

    def right(window: FittedWindow) -> float:
        """Highest score near a disc."""
        return max(float(window.found(picture, -np.inf)[1].max()) for picture in training_pictures())

    easy, hard, _ = windows
    assert right(hard) - wrong(hard) > right(easy) - wrong(easy)


def test_crowds_are_neither_things_nor_background() -> None:
    one = training_pictures()[0]
    crowd = TrainingPicture(one.levels, one.boxes[:1], one.boxes[1:])
    shape = CHOICE.model("disc").blocks
    window = fit_window([crowd, training_pictures()[1]], shape, WindowTraining(0.1, 2))
    boxes, scores = window.found(crowd, -np.inf)
    assert scores[overlaps(boxes, crowd.crowd)[:, 0] > 0.6].max() > np.median(scores)


def test_too_few_pictures_are_refused() -> None:
    pictures = training_pictures()
    empty = TrainingPicture(pictures[0].levels, np.zeros((0, 4)), np.zeros((0, 4)))
    for few in ([], [pictures[0]], [pictures[0], empty]):
        with pytest.raises(ParameterError, match="at least 2"):
            train_detector(few, CHOICE, "disc", PLAN)


@pytest.mark.parametrize(
    "values", [{"strengths": ()}, {"strengths": (0.0,)}, {"rounds": -1}, {"folds": 1}, {"seed": -1}]
)
def test_plans_that_mean_nothing_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        DetectorTraining(**values)  # type: ignore[arg-type]
    with pytest.raises(ParameterError):
        WindowTraining(strength=-1.0)


def test_calibration_gives_the_share_of_right_boxes() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        truth = np.array([[0.0, 0.0, 20.0, 20.0]])
        score = rng.normal(size=2)
        right = rng.random(2) < 1 / (1 + np.exp(-2 * score))
        places = [[0.0 if hit else 100.0, 0.0, 20.0, 20.0] for hit in right]
        keep = [0, 1] if not right.all() else [int(score.argmax())]  # two on one thing would be one wrong
        found = DetectedBoxes(np.array(places)[keep], score[keep], "x")
        held.append(HeldOutBoxes(found, DetectedBoxes(truth, [1.0], "x"), np.zeros(1, bool)))
    found = calibrate(held)
    probabilities = found.probability([-2.0, 0.0, 2.0], [20.0] * 3)
    assert probabilities[0] < 0.15 and 0.25 < probabilities[1] < 0.6 and probabilities[2] > 0.85


def test_calibration_without_wrong_boxes_keeps_the_window_s_own() -> None:
    truth = DetectedBoxes([[0, 0, 9, 9]], [1.0], "x")
    found = calibrate([HeldOutBoxes(DetectedBoxes([[0, 0, 9, 9]], [3.0], "x"), truth, np.zeros(1, bool))])
    assert found.probability.slope == 1.0 and found.average_precision == 1.0


def test_the_mean_of_windows_scores_their_mean() -> None:
    shape, pictures = CHOICE.model("disc").blocks, training_pictures()
    windows = [fit_window(pictures[k:], shape, WindowTraining(0.3, 0)) for k in (0, 2)]
    both = mean_window(windows)
    scores = [each.found(pictures[0], -np.inf)[1] for each in (*windows, both)]
    assert np.allclose((scores[0] + scores[1]) / 2, scores[2], atol=1e-3)
