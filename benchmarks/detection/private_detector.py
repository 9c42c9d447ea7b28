"""Boxes by a private detector on ciphertexts, beside the clear: average precision, seconds, bytes, and scores opened.

``python -m benchmarks.private_detector [DATA] [--images N] [--step S] [--border B] [--folds 2,4] [--attack]``. The
owner of a picture extracts the public feature and encrypts it, a server scores all windows with weights that it keeps,
and the owner decrypts every score. A row says of OpenCV's people detector on pictures of Penn-Fudan: the boxes after
suppression that are those of the clear at an overlap of 0.9, average precision in the clear and on ciphertexts (whole
pictures), median seconds of a picture from pixels to boxes once keys are made, processor seconds, megabytes to the
server and back, keys (once, for pictures of all sizes), the largest memory of the process so far, and how many scores
the first picture opens of a linear model of how many numbers. There is no bar: beside it stands
``python -m benchmarks.private_detection --only ckks``, whose owner has the model.

``--folds``: the same of detectors that Privis trained on the other images, as ``benchmarks.detection.own_detector``
does, whose server gives five numbers of a window; their pictures have the size of their files.

``--attack`` says how well least squares gives the weights back from the scores of the first pictures.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.own_detector import fold_of, images_of
from benchmarks.detection.private_detection import SHARED, Picture, opencv_model, partners, people, persons
from benchmarks.tasks.heads import processor
from privis.estimators.detection.detector import Detector
from privis.estimators.detection.hidden_detector import HiddenDetector
from privis.estimators.detection.training.detector_training import DetectorTraining
from privis.io.box_lists import read_boxes
from privis.io.images.decode import load
from privis.run.he.executor import CKKS
from privis.tasks.detection import DetectedBoxes, Pyramid, TrainedWindowModel, WindowModel, detection_curve
from privis.tasks.detection.window_tiles import WindowTiles

SIZE = 240, 320
LEAST = -0.3
"""Threshold of whole pictures: average precision is of all scores, not of the surest alone."""
HEAD = (
    f"{'pictures':12}{'images':>7}{'boxes':>7}{'same':>8}{'AP clear':>9}{'AP ckks':>9}{'s/image':>9}{'CPU s':>8}"
    f"{'pred. s':>9}{'MB':>8}{'keys MB':>9}{'MiB':>7}{'scores':>8}{'numbers':>9}"
)


@dataclass(frozen=True)
class Row:
    """What was measured of pictures of one size."""

    name: str
    images: int
    boxes: int
    same: float
    clear: float
    hidden: float
    seconds: float
    processor: float
    predicted: float
    sent: float
    keys: float
    memory: float
    scores: int
    numbers: int

    def line(self) -> str:
        """The row of the table."""
        return (
            f"{self.name:12}{self.images:7}{self.boxes:7}{self.same:8.1%}{self.clear:9.3f}{self.hidden:9.3f}"
            f"{self.seconds:9.2f}{self.processor:8.2f}{self.predicted:9.2f}{self.sent:8.2f}{self.keys:9.2f}"
            f"{self.memory:7.0f}{self.scores:8,}{self.numbers:9,}"
        )


def measured(name: str, detector: Detector, images: Sequence[Any], truth: Sequence[DetectedBoxes] | None = None) -> Row:
    """Ask about every picture; the first is asked about once before."""
    hidden, model = HiddenDetector(detector, CKKS(), extracted_by_owner=True), detector.model
    assert isinstance(model, WindowModel | TrainedWindowModel)
    shape = load(images[0]).shape
    cost = hidden.check(shape)
    hidden.detect(images[0])
    found, took, busy = [], [], processor()
    for image in images:
        start = time.perf_counter()
        found.append(hidden.detect(image))
        took.append(time.perf_counter() - start)
    busy = processor() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clear = [hidden.detector.detect(image) for image in images]
    counts = [partners(one, other) for one, other in zip(clear, found, strict=True)]
    whole = sum(count for _, count in counts)
    precision = [detection_curve(each, truth).average_precision if truth else np.nan for each in (clear, found)]
    same = sum(count for count, _ in counts) / whole if whole else 1.0
    tiles = WindowTiles(model, model.views(shape))
    hidden.close()
    return Row(
        name, len(images), sum(map(len, clear)), same, precision[0], precision[1],
        statistics.median(took), busy / len(images), cost.seconds or 0.0, (cost.sent or 0) / 1e6, cost.keys / 1e6,
        memory, tiles.scores, tiles.windows.weights.size + 1,
    )  # fmt: skip


def truth_of(shared: Path, images: int) -> list[DetectedBoxes]:
    """Boxes of the pictures of ``people``, at their size."""
    import cv2

    folder = shared / "detection" / "penn_fudan"
    boxes: dict[str, list[list[float]]] = defaultdict(list)
    with open(folder / "boxes.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            left, top, right, bottom = (float(row[side]) for side in ("xmin", "ymin", "xmax", "ymax"))
            boxes[row["file"]].append([left, top, right - left, bottom - top])
    found = []
    for path in sorted(folder.glob("*.jpg"))[::5][:images]:
        picture = cv2.imread(str(path))
        assert picture is not None, path
        down, across = SIZE[0] / picture.shape[0], SIZE[1] / picture.shape[1]
        own = np.array(boxes[path.name]).reshape(-1, 4) * [across, down, across, down]
        found.append(DetectedBoxes(own, np.ones(len(own)), "person"))
    return found


def recovered(model: WindowModel, images: Sequence[Picture]) -> list[tuple[int, int, float]]:
    """After each picture: scores so far, and the cosine of the weights with what least squares makes of them."""
    hidden = HiddenDetector(Detector(model), CKKS(), extracted_by_owner=True)
    rows: list[NDArray[np.float64]] = []
    scores: list[float] = []
    found = []
    (height, width), own = model.blocks, np.append(model.weights.ravel(), model.bias)
    for number, image in enumerate(images, 1):
        tiles = WindowTiles(model, model.views(image.shape))
        seen: list[NDArray[np.float64]] = []
        for view, shape in zip(tiles.views, tiles.shapes, strict=True):
            array = model.before(image, view)[: shape[0], : shape[1]]
            seen.append(np.asarray(hidden.detector.under.prepare(model.feature.program(shape))(array)))
        score = hidden.under.prepare(tiles.program)
        for blocks, values in zip(seen, tiles.joined([score(tile) for tile in tiles.cut(seen)]), strict=True):
            grid = blocks.reshape(*blocks.shape[:2], -1)
            for left, top in np.ndindex(grid.shape[0] - width + 1, grid.shape[1] - height + 1):
                rows.append(np.append(grid[left : left + width, top : top + height].ravel(), 1.0))
                scores.append(float(values[top, left]))
        guess = np.linalg.lstsq(np.array(rows), np.array(scores), rcond=None)[0]
        found.append((number, len(scores), float(guess @ own / np.linalg.norm(guess) / np.linalg.norm(own))))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shared", nargs="?", help="the folder of the data")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--step", type=float, default=1.2, help="factor between levels of the pyramid")
    parser.add_argument("--border", type=int, default=32, help="pixels around every level")
    parser.add_argument("--folds", default="", help="also detectors that are trained here: which of the five folds")
    parser.add_argument("--attack", action="store_true", help="work the weights out from scores, too")
    options = parser.parse_args(arguments)
    shared = Path(options.shared) if options.shared else SHARED
    print(HEAD)
    model = opencv_model(shared, Pyramid(step=16.0, border=0))
    print(measured("128x96", Detector(model), persons(shared, options.images)).line(), flush=True)
    model = replace(model, pyramid=Pyramid(step=options.step, border=options.border), least=LEAST)
    pictures = people(shared, options.images, SIZE)
    print(measured("240x320", Detector(model), pictures, truth_of(shared, options.images)).line(), flush=True)
    folder = shared / "detection" / "penn_fudan"
    for number in map(int, filter(None, options.folds.split(","))):
        fold = fold_of(images_of(folder), read_boxes(folder / "boxes.csv"), None, number, DetectorTraining())
        images = fold.paths[: options.images]
        print(measured(f"own, fold {number}", fold.detector, images, fold.truth[: len(images)]).line(), flush=True)
    if options.attack:
        for number, scores, cosine in recovered(model, pictures[:3]):
            print(f"after {number} pictures, {scores:,} scores: cosine of the weights with least squares {cosine:.4f}")


if __name__ == "__main__":
    main()
