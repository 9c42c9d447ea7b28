"""Detectors that are trained by Privis: people of Penn-Fudan, white blood cells of BCCD, by folds of images.

``python -m benchmarks.detection.own_detector [DATA] [--folds 0,1,2,3,4] [--every N] [--kinds people,cells]``. Of every
fold the other images are trained on by what ``privis detect train`` runs, and the images of the fold are looked at by
what ``privis detect --model`` runs. Regularisation, suppression and probabilities are chosen by inner folds of the
training images. The form of the method was chosen on folds of people: which windows are positives and which strengths
are tried on folds 0 and 1, the mean of windows also on 3. Nothing was chosen on the others or on cells, but a first
version had been measured on all. Bars for people: average precision at least 0.52, aim 0.60, over all folds; training
of 80 images within 3 minutes.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privis.estimators.detection.detector import Detector
from privis.estimators.detection.training.annotated_images import annotated_images
from privis.estimators.detection.training.detector_training import DetectorTraining, train_detector
from privis.estimators.detection.training.window_choice import choose_window
from privis.io.box_lists import BoxList, read_boxes
from privis.io.images.decode import Decoding
from privis.tasks.detection import DetectedBoxes, DetectionCurve, detection_curve

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDS, SEED = 5, 0
CHOSEN_ON = (0, 1, 3)
"""Folds of people that the form of the method was chosen on."""
LEAST, AIM, SECONDS = 0.52, 0.60, 180.0


@dataclass(frozen=True)
class Kind:
    """What is trained.

    Args:
        folder: of images, with boxes.csv.
        label: in that list; None: it has none.
    """

    folder: Path
    label: str | None


KINDS = {
    "people": Kind(Path("detection") / "penn_fudan", None),
    "cells": Kind(Path("detection") / "blood_cells_bccd", "WBC"),
}


@dataclass(frozen=True, eq=False)
class Fold:
    """What was measured of one fold.

    Args:
        number: of the fold.
        found: in each of its images.
        truth: what is in each.
        held_out: average precision that training itself expected.
        training: processor seconds of training, and seconds of the wall.
        seconds: of processor for looking at an image.
        detector: that looked.
        paths: of its images.
    """

    number: int
    found: Sequence[DetectedBoxes]
    truth: Sequence[DetectedBoxes]
    held_out: float
    training: tuple[float, float]
    seconds: float
    detector: Detector
    paths: Sequence[str]

    @property
    def curve(self) -> DetectionCurve:
        """Of its images."""
        return detection_curve(self.found, self.truth)


def fold_of(
    paths: Sequence[str], listed: BoxList, label: str | None, number: int, plan: DetectorTraining, folds: int = FOLDS
) -> Fold:
    """Train on the images of the other folds, and look at those of this one."""
    order = np.random.default_rng(SEED).permutation(len(paths))
    tested = [paths[place] for place in order[number::folds]]
    start = time.process_time(), time.perf_counter()
    known = annotated_images([path for path in paths if path not in tested], listed, label).checked(Decoding())
    choice = choose_window(known.things)
    trained = train_detector(known.pictures(choice, Decoding()), choice, known.label, plan)
    spent = time.process_time() - start[0], time.perf_counter() - start[1]
    detector = Detector(trained.model, overlap=trained.overlap)
    found, begin = [], time.process_time()
    for path in tested:
        found.append(detector.detect(path))
    seconds = (time.process_time() - begin) / len(tested)
    boxes, _, _ = listed.found(tested)
    own = [boxes[path].of_label(label).boxes for path in tested]
    truth = [DetectedBoxes(each, np.ones(len(each)), known.label) for each in own]
    return Fold(number, found, truth, trained.training["average_precision"], spent, seconds, detector, tested)


def over_all(folds: Sequence[Fold]) -> float:
    """Average precision of the images of several folds together."""
    return detection_curve(
        [each for fold in folds for each in fold.found], [each for fold in folds for each in fold.truth]
    ).average_precision


def images_of(folder: Path) -> list[str]:
    """Images that the list of a folder names, sorted."""
    with open(folder / "boxes.csv", newline="") as file:
        return sorted({str(folder / row["file"]) for row in csv.DictReader(file)})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=SHARED)
    parser.add_argument("--folds", default=",".join(map(str, range(FOLDS))), help="Which of the five.")
    parser.add_argument("--every", type=int, default=1, help="Only every so many of the images.")
    parser.add_argument("--kinds", default="people,cells")
    words = parser.parse_args()
    for name in words.kinds.split(","):
        kind = KINDS[name]
        folder = words.data / kind.folder
        paths, listed = images_of(folder)[:: words.every], read_boxes(folder / "boxes.csv")
        folds = []
        print(f"{name}: {len(paths)} images", flush=True)
        head = f"{'fold':>4}{'AP':>7}{'expected':>10}{'LAMR':>7}{'recall':>8}"
        print(f"{head}{'training CPU s':>16}{'wall s':>8}{'CPU s/image':>13}")
        for number in map(int, words.folds.split(",")):
            fold = fold_of(paths, listed, kind.label, number, DetectorTraining())
            folds.append(fold)
            curve = fold.curve
            print(
                f"{number:4}{curve.average_precision:7.3f}{fold.held_out:10.3f}{curve.log_average_miss_rate:7.3f}"
                f"{curve.largest_recall:8.3f}{fold.training[0]:16.0f}{fold.training[1]:8.0f}{fold.seconds:13.3f}",
                flush=True,
            )
        whole = over_all(folds)
        if name == "people":
            print(f"average precision {whole:.3f}, bar: at least {LEAST}, aim {AIM}")
            if others := [fold for fold in folds if fold.number not in CHOSEN_ON]:
                print(f"  of folds that nothing was chosen on: {over_all(others):.3f}")
            longest = max(fold.training[1] for fold in folds)
            print(f"training {longest:.0f} s, bar: at most {SECONDS:.0f} s (wall, idle cores)")
        else:
            print(f"average precision {whole:.3f}")


if __name__ == "__main__":
    main()
