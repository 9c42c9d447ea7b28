"""A trained detector as one file: an npz of numbers, and JSON for all that is text.

It holds the window, its margins, the pyramid, weights, the regression of boxes, how scores become probabilities, the
overlap of suppression, and of the training numbers alone: no path, no name and no digest of an image.

Evolution of the file: ``format`` in its metadata names it, and a reader refuses any other. Arrays and keys may be added
under the same number; one that goes, or means something else, takes the next.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ParameterError
from privis.estimators.detection.training.detector_training import TrainedDetector
from privis.features.dalal_triggs import DalalTriggsHOG
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import replacing
from privis.tasks.detection.box_regression import BoxRegression
from privis.tasks.detection.detection_probability import DetectionProbability
from privis.tasks.detection.pyramid import Pyramid
from privis.tasks.detection.trained_window import TrainedWindowModel
from privis.tasks.detection.window_model import WindowMargins, WindowModel
from privis.version import VERSION

FORMAT = "privis.trained-detector/1"
LARGEST = 1 << 28
"""Bytes of a file, and of what is packed in it, at most."""


def save_detector(detector: TrainedDetector, path: str | os.PathLike[str]) -> None:
    """Write a detector, whole or not at all.

    Args:
        detector: that was trained.
        path: of the file.

    Raises:
        OutputError: it cannot be written; an earlier file is untouched.
    """
    model = detector.model
    windows, pyramid, margins, chance = model.windows, model.windows.pyramid, model.windows.margins, model.probability
    text = {
        "format": FORMAT, "version": VERSION, "label": windows.label,
        "feature": {"identifier": DalalTriggsHOG.identifier, "gamma": windows.gamma},
        "window": list(windows.window),
        "margins": [margins.left, margins.top, margins.right, margins.bottom],
        "pyramid": {"step": pyramid.step, "border": pyramid.border, "largest": pyramid.largest},
        "heights": list(model.heights), "least": model.least, "overlap": detector.overlap,
        "probability": {
            "slope": chance.slope, "bias": chance.bias, "size": chance.size, "size_slope": chance.size_slope,
            "size_curve": chance.size_curve,
        },
        "training": dict(detector.training),
    }  # fmt: skip
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, metadata=np.array(json.dumps(text, sort_keys=True)), weights=windows.weights.astype(np.float32),
        bias=np.float64(windows.bias), box_weights=model.regression.weights.astype(np.float32),
        box_bias=model.regression.bias,
    )  # fmt: skip
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_detector(path: str | os.PathLike[str]) -> TrainedDetector:
    """Read what `save_detector` wrote.

    Args:
        path: of the file.

    Returns:
        The detector.

    Raises:
        ParameterError: it is damaged, of another version, or something else.
    """
    place = Path(path)
    try:
        if place.stat().st_size > LARGEST:
            raise ValueError("a file that is too large")
        with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as members:
            if sum(entry.file_size for entry in members.zip.infolist()) > LARGEST:
                raise ValueError("arrays that are too large")
            text = json.loads(str(members["metadata"]))
            if text["format"] != FORMAT:
                raise ValueError(f"format {text['format']!r}")
            return _detector(text, {name: np.asarray(members[name]) for name in members.files if name != "metadata"})
    except Exception as error:  # whatever damaged or hostile bytes do to a decoder, the file is no detector
        if isinstance(error, MemoryError):
            raise
        reason = f"{type(error).__name__}: {error}"
        remedy = "privis detect train IMAGES --boxes boxes.csv -o MODEL makes one"
        expected = "a detector that `privis detect train` made"
        raise ParameterError(misfit(place, FileFormat.DETECTOR, reason, expected, remedy)) from None


def _detector(text: dict[str, Any], arrays: dict[str, np.ndarray]) -> TrainedDetector:
    feature, pyramid, chance = text["feature"], text["pyramid"], text["probability"]
    if feature["identifier"] != DalalTriggsHOG.identifier:
        raise ValueError(f"weights of the feature {feature['identifier']!r}, which this version does not know")
    windows = WindowModel(
        arrays["weights"], float(arrays["bias"]), str(text["label"]), (int(text["window"][0]), int(text["window"][1])),
        Pyramid(float(pyramid["step"]), int(pyramid["border"]), float(pyramid["largest"])),
        WindowMargins(*map(float, text["margins"])), gamma=bool(feature["gamma"]),
    )  # fmt: skip
    model = TrainedWindowModel(
        windows, BoxRegression(arrays["box_weights"], arrays["box_bias"]),
        DetectionProbability(*(float(chance[name]) for name in ("slope", "bias", "size", "size_slope", "size_curve"))),
        (float(text["heights"][0]), float(text["heights"][1])), float(text["least"]),
    )  # fmt: skip
    overlap = float(text["overlap"])
    if not 0 <= overlap <= 1:
        raise ValueError(f"an overlap of {overlap}")
    return TrainedDetector(model, overlap, dict(text["training"]))
