"""Pictures of dark discs, and of dark squares that are none: things that a window learns in a second."""

from __future__ import annotations

import numpy as np

from privis.estimators.detection.training.detector_training import TrainedDetector
from privis.estimators.detection.training.window_choice import WindowChoice
from privis.tasks.detection import BoxRegression, DetectionProbability, TrainedWindowModel


def discs(seed: int, count: int = 2, shape: tuple[int, int] = (96, 160)) -> tuple[np.ndarray, np.ndarray]:
    """A uint8 picture, and the boxes (n, 4) of its discs; a square and the discs do not touch each other."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(120, 200, (shape[0] // 8, shape[1] // 8)).repeat(8, 0).repeat(8, 1).astype(float)
    y, x = np.mgrid[: shape[0], : shape[1]]
    boxes: list[list[float]] = []
    while len(boxes) < count + 1:
        side = rng.uniform(28, 38)
        left, top = rng.uniform(0, shape[1] - side), rng.uniform(0, shape[0] - side)
        if all(abs(left - own[0]) > 40 or abs(top - own[1]) > 40 for own in boxes):
            across, down = x + 0.5 - left - side / 2, y + 0.5 - top - side / 2
            inside = np.maximum(abs(across), abs(down)) if not boxes else np.hypot(across, down)
            picture[inside < side / 2] = 30
            boxes.append([left, top, side, side])
    return picture.astype(np.uint8), np.array(boxes[1:]).reshape(-1, 4)


def small_detector() -> TrainedDetector:
    """A detector of zeros, in a window of 16 x 16 pixels."""
    windows = WindowChoice((16, 16), (8.0, 8.0), (8.0, 40.0)).model("disc")
    size = windows.weights.size
    model = TrainedWindowModel(
        windows, BoxRegression(np.zeros((4, size)), np.zeros(4)), DetectionProbability(1.0, 0.0, 20.0), (8.0, 40.0)
    )
    return TrainedDetector(model, 0.4, {"images": 2, "boxes": 3, "average_precision": 0.5})
