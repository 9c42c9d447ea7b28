"""``privis detect train``: a detector of one's own, from images with boxes."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from privis.cli.console import SOME_FAILED, err, explained, out, working
from privis.cli.detection.train_options import (
    AsJson,
    Background,
    Bits,
    Boxes,
    CutBoxes,
    Folds,
    Images,
    MaxPixels,
    Output,
    Rounds,
    Seed,
    Strength,
    Trained,
    Window,
)
from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.sources import find

SHOWN = 10
_WINDOW = re.compile(r"(\d{1,4})[x×](\d{1,4})")


def train(
    images: Images,
    boxes: Boxes,
    output: Output,
    what: Trained = None,
    background: Background = False,
    cut_boxes: CutBoxes = False,
    window: Window = None,
    strength: Strength = None,
    rounds: Rounds = 3,
    folds: Folds = 3,
    seed: Seed = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    bits: Bits = None,
    as_json: AsJson = False,
) -> None:
    """Train a detector of one kind of thing, from images and boxes around the things in them.

    A window is trained on histograms of oriented gradients, with hard negatives; its boxes are moved by regression; its
    scores are probabilities. What is chosen is chosen by images that were held out.

    privis detect train street/ --boxes boxes.csv --what person -o people.model

    privis detect train smears/ --boxes instances.json --what WBC -o cells.model

    privis detect smears/new --model cells.model --what WBC -o found.csv
    """
    with explained():
        from privis.estimators.detection.training.annotated_images import annotated_images
        from privis.estimators.detection.training.detector_file import save_detector
        from privis.estimators.detection.training.detector_training import DetectorTraining, train_detector
        from privis.estimators.detection.training.window_choice import choose_window
        from privis.io.box_lists import read_boxes

        check_writable(output)
        plan = DetectorTraining(tuple(strength) if strength else DetectorTraining().strengths, rounds, folds, seed)
        size = None if window is None else _window(window)
        listed = read_boxes(boxes)
        decoding = Decoding(max_pixels, bits)
        known = annotated_images(find(images, sys.stdin), listed, what, background)
        with working("privis detect train: reading") as tell:
            known = known.checked(decoding, cut_boxes, tell)
        choice = choose_window(known.things, size)
        with working("privis detect train: blocks") as tell:
            pictures = known.pictures(choice, decoding, tell)
        with working("privis detect train: windows") as tell:
            detector = train_detector(pictures, choice, known.label, plan, tell)
        save_detector(detector, output)
        for note in _notes(known, listed):
            err.print(f"privis: {note}", markup=False, soft_wrap=True)
        if as_json:
            print(json.dumps(_document(str(output), detector, known), ensure_ascii=False))
        else:
            _tell(str(output), detector)
        if known.refused:
            raise SystemExit(SOME_FAILED)


def _window(text: str) -> tuple[int, int]:
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ParameterError(Problem("--window", repr(text), "height and width in pixels", "try --window 128x64"))
    return int(found[1]), int(found[2])


def _notes(known: Any, listed: Any) -> list[str]:
    notes = [f"{path}: {why}" for path, why in list(known.refused.items())[:SHOWN]]
    if len(known.refused) > SHOWN:
        notes.append(f"… and {len(known.refused) - SHOWN:,} other images that cannot be used")
    if listed.empty:
        notes.append(f"boxes without area are passed over: {', '.join(listed.empty[:SHOWN])}")
    if known.repeated:
        notes.append(
            f"{len(known.repeated):,} images have the pixels of others, and are left out: {known.repeated[0]} …"
        )
    if known.unused:
        notes.append(f"{len(known.unused):,} images of {listed.where} are not among the images given")
    notes.append("No guarantee: the detector may tell of every image that it was trained on.")
    return notes


def _document(output: str, detector: Any, known: Any) -> dict[str, Any]:
    windows = detector.model.windows
    return {
        "output": output, "label": windows.label, "window": list(windows.window),
        "heights": [round(height, 1) for height in detector.model.heights], "overlap": detector.overlap,
        "held_out": {"average_precision": detector.training["average_precision"], "folds": detector.training["folds"]},
        "images": detector.training["images"], "boxes": detector.training["boxes"],
        "strength": detector.training["strength"],
        "refused": [{"path": path, "why": why} for path, why in known.refused.items()],
    }  # fmt: skip


def _tell(output: str, detector: Any) -> None:
    training, windows = detector.training, detector.model.windows
    low, high = detector.model.heights
    lines = (
        f"{output}: {windows.label}, {training['boxes']:,} boxes of {training['images']:,} images; a window of "
        f"{windows.window[0]} x {windows.window[1]} pixels, heights {low:.0f} to {high:.0f} pixels",
        f"average precision of images that were held out ({training['folds']} folds): "
        f"{training['average_precision']:.3f} at an overlap of 0.5",
    )
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
