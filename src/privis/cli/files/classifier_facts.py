"""What ``privis info`` says of a classifier of images: classes, feature and decision, and no name of an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def classifier_facts(path: Path) -> Iterator[str]:
    """Say what a classifier tells apart, and how.

    Args:
        path: of what `privis classify train` wrote.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.estimators.classification.classifier_file import ClassifierFile

    text = ClassifierFile.load(path).text
    feature, rule, split = text["feature"], text["rule"], text["split"]
    yield f"classes {', '.join(text['classes'])}"
    parameters = ", ".join(f"{name}={value}" for name, value in feature.items() if name != "class")
    behind = "its outputs are the scores" if text["stages"] is None else "a linear head behind it"
    yield f"feature {feature['class']} ({parameters}), {behind}"
    counted = f"trained on {split['images']:,} images" if "images" in split else "the number of images is not told"
    yield f"probabilities calibrated by {text['calibration']}; {counted}"
    if rule["watched"] is not None:
        yield f"{rule['watched']} is named from probability {rule['threshold']:.4f} on"
    if rule["abstain_below"]:
        yield f"no class is named below probability {rule['abstain_below']}"
    if text["guarantee"] is None:
        yield "no guarantee: it may tell of every image that it was trained on"
    else:
        yield str(text["guarantee"].get("sentence", "trained under a guarantee"))


def split_record_facts(path: Path) -> Iterator[str]:
    """Say how much a record holds; never of whom.

    Args:
        path: of the record beside a classifier.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.estimators.classification.split_record import SplitRecord

    record = SplitRecord.load(path)
    yield f"keyed digests of {len(record.pixels):,} images and {len(record.patients):,} patients, and their key"
    yield "its holder can tell whether an image was trained on: keep it where the images are"


def detector_facts(path: Path) -> Iterator[str]:
    """Say what a detector finds, how large, and how well.

    Args:
        path: of what `privis detect train` wrote.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.estimators.detection.training.detector_file import load_detector

    detector = load_detector(path)
    windows, training = detector.model.windows, detector.training
    low, high = detector.model.heights
    yield f"finds {windows.label}, in a window of {windows.window[0]} x {windows.window[1]} pixels"
    yield f"of {low:.0f} to {high:.0f} pixels of height; boxes that overlap by more than {detector.overlap} are one"
    if {"images", "boxes", "average_precision"} <= training.keys():
        yield f"trained on {training['boxes']:,} boxes of {training['images']:,} images"
        yield f"average precision {training['average_precision']:.3f} on images that were held out"
