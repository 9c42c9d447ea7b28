"""The sliding window beside ``cv2.HOGDescriptor.detectMultiScale``: how good on Penn-Fudan, how long, how much memory.

``python -m benchmarks.detection [DATA] [--every N]``. Both have OpenCV's weights, a factor of 1.1 from size to size, a
border of 32 pixels, windows from -0.3 on, the same suppression and the same margins of windows; OpenCV looks at no size
at which the picture without its border is smaller than a window. The last row has the product's own settings: a factor
of 1.05, and windows from 0 on. Privis' processor seconds contain the preparation of programs for all shapes of
pictures; compilation on the first picture is apart. Bars: average precision not below OpenCV's by more than 0.01, at
least 0.46 as the product is set, at most 1.3 times OpenCV's processor seconds, at most 300 MB.

The margins of windows (`privis.tasks.detection.window_model.WindowMargins`) and the suppression were chosen on the
pictures of even number; the rows say what these and the others give.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.estimators.detection.detector import Detector
from privis.tasks.detection import DetectedBoxes, WindowModel, detection_curve, opencv_weights, window_model_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PICTURES, WEIGHTS = Path("detection") / "penn_fudan", Path("weights") / "hog_svm"
PEOPLE = "opencv_hog_people_detector_64x128.npy"
LEAST, STEP, BORDER = -0.3, 1.1, 32
SLACK, LEAST_PRECISION, MOST_TIME, MOST_MEMORY = 0.01, 0.46, 1.3, 300
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """What was measured of one detector.

    Args:
        name: of the detector.
        precision: average precision at an intersection over union of 0.5, of all pictures.
        chosen: the same, of the pictures that settings were chosen on.
        others: the same, of the others.
        miss_rate: log-average miss rate.
        recall: at any score.
        seconds: of processor for a picture.
    """

    name: str
    precision: float
    chosen: float
    others: float
    miss_rate: float
    recall: float
    seconds: float


def people_at(data: Path) -> dict[str, DetectedBoxes]:
    """Labelled people of every picture by its name; both corners of a box are pixels of it."""
    boxes: dict[str, list[list[float]]] = {}
    with open(data / PICTURES / "boxes.csv", newline="") as file:
        for row in csv.DictReader(file):
            x, y, right, bottom = (float(row[name]) for name in ("xmin", "ymin", "xmax", "ymax"))
            boxes.setdefault(row["file"], []).append([x - 1, y - 1, right - x + 1, bottom - y + 1])
    return {name: DetectedBoxes(boxes[name], np.ones(len(boxes[name])), "person") for name in sorted(boxes)}


def of_opencv(model: WindowModel, overlap: float) -> Callable[[Image], DetectedBoxes]:
    """OpenCV's own pyramid and windows, with margins and suppression of the model."""
    import cv2

    descriptor = cv2.HOGDescriptor()
    descriptor.setSVMDetector(np.append(model.weights.ravel(), model.bias).astype(np.float32))
    border, step = (model.pyramid.border,) * 2, model.pyramid.step

    def detect(image: Image) -> DetectedBoxes:
        windows, scores = descriptor.detectMultiScale(image, model.least, (8, 8), border, step, 0.0, False)
        found = DetectedBoxes(np.reshape(windows, (-1, 4)), np.ravel(scores), model.label)
        return model.margins.inside(found).suppressed(overlap).within(image.shape)

    return detect


def measured(
    detectors: Mapping[str, Callable[[Image], DetectedBoxes]], images: Sequence[Image], truth: Sequence[DetectedBoxes]
) -> list[Row]:
    """Every detector on every picture, in turn, so that a busy machine slows all of them alike."""
    found: dict[str, list[DetectedBoxes]] = {name: [] for name in detectors}
    seconds = dict.fromkeys(detectors, 0.0)
    for image in images:
        for name, detect in detectors.items():
            start = time.process_time()
            found[name].append(detect(image))
            seconds[name] += time.process_time() - start
    rows = []
    for name, boxes in found.items():
        curve = detection_curve(boxes, truth)
        halves = [detection_curve(boxes[k::2], truth[k::2]).average_precision for k in range(min(2, len(images)))]
        figures = (curve.average_precision, halves[0], halves[-1], curve.log_average_miss_rate, curve.largest_recall)
        rows.append(Row(name, *figures, seconds[name] / len(images)))
    return rows


def run(data: Path, every: int = 1) -> list[Row]:
    """OpenCV, Privis with the same settings, and Privis as it is set, on every so many pictures."""
    import cv2

    cv2.setNumThreads(1)
    truth = people_at(data)
    names = list(truth)[::every]
    images = [np.asarray(cv2.imread(str(data / PICTURES / name), cv2.IMREAD_GRAYSCALE), np.uint8) for name in names]
    product = window_model_of(opencv_weights(data / WEIGHTS / PEOPLE))
    same = replace(product, pyramid=replace(product.pyramid, step=STEP, border=BORDER), least=LEAST)
    detectors = {"OpenCV": of_opencv(same, Detector(same).overlap), "Privis": Detector(same).detect}
    detectors["as set"] = Detector(product).detect
    for detect in detectors.values():
        detect(images[0])  # compiles
    detectors |= {"Privis": Detector(same).detect, "as set": Detector(product).detect}  # nothing is prepared
    return measured(detectors, images, [truth[name] for name in names])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=SHARED)
    parser.add_argument("--every", type=int, default=1, help="Only every so many of the pictures.")
    words = parser.parse_args()
    start = time.perf_counter()
    rows = run(words.data, words.every)
    print(f"{'detector':10}{'AP':>7}{'chosen on':>11}{'others':>8}{'LAMR':>7}{'recall':>8}{'CPU s/image':>13}")
    for row in rows:
        print(
            f"{row.name:10}{row.precision:7.3f}{row.chosen:11.3f}{row.others:8.3f}{row.miss_rate:7.3f}"
            f"{row.recall:8.3f}{row.seconds:13.4f}"
        )
    theirs, ours, product = rows
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"average precision {ours.precision:.3f}, bar: at least {theirs.precision - SLACK:.3f} (OpenCV's - {SLACK})")
    print(f"average precision as set {product.precision:.3f}, bar: at least {LEAST_PRECISION}")
    print(f"processor time {ours.seconds / theirs.seconds:.2f} of OpenCV's, bar: at most {MOST_TIME}")
    print(f"largest memory {memory:,.0f} MiB with both detectors and all pictures, bar: at most {MOST_MEMORY}")
    print(f"{time.perf_counter() - start:.1f} s wall")


if __name__ == "__main__":
    main()
