"""ONNX detectors with named heads beside onnxruntime: what they find, and what the networks take.

``python -m benchmarks.onnx_detectors [DATA]``. Faces: recall at an intersection over union of .5 on dlib's labelled
photographs, bar 1.0 for YuNet at its own size of pictures. Objects: mean average precision at .5 of FastestDet on COCO
photographs, beside a reading of the same file by onnxruntime that is written here as the exporter's own scripts have it
(stretched to 352 x 352 with linear interpolation, BGR / 255, objectness^.6 x class^.4, suppression at .45 a class), bar
within .005. Time: networks as programs (`CNN`) beside onnxruntime on the original file, one thread each, taking turns
on the same pixels, from the drawn picture to the outputs; bar 1.1 times.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from privis.estimators.detection.networks.face_outputs import DETECTION_HEADS
from privis.estimators.detection.networks.onnx_detector import onnx_detector
from privis.io.images.decode import load
from privis.run.clear import Clear
from privis.tasks.detection import DetectedBoxes, detection_curve, mean_average_precision
from privis.tasks.detection.networks import DetectorNetwork, Letterbox

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
YUNET = ("yunet_n_dynamic", "yunet_n_640_640", "yunet_s_320_320", "yunet_n_320_320")
ULTRALIGHT = ("ultralight_RFB-320", "ultralight_slim-320")
LEAST = 0.01  # score from which boxes count for average precision
MOST_OFF, MOST_TIME = 0.005, 1.1
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Labelled:
    """Pictures with the boxes of what they show."""

    images: Sequence[Pixels]
    truth: Sequence[DetectedBoxes]


@dataclass(frozen=True)
class Paired:
    """Milliseconds of ours and of onnxruntime, by the clock and by the processor, and the largest difference."""

    wall: Mapping[str, float]
    processor: Mapping[str, float]
    error: float

    def ratio(self, taken: Mapping[str, float]) -> float:
        """Ours over theirs."""
        return taken["ours"] / taken["theirs"]


def faces(data: Path, most: int | None = None) -> Labelled:
    """dlib's photographs."""
    folder = data / "detection" / "faces_dlib"
    boxes: dict[str, list[list[float]]] = {}
    with (folder / "boxes.csv").open() as table:
        for row in csv.DictReader(table):
            boxes.setdefault(row["file"], []).append([float(row[key]) for key in "xywh"])
    files = sorted(boxes)[:most]
    truth = [DetectedBoxes(boxes[file], np.ones(len(boxes[file])), "face") for file in files]
    return Labelled([load(str(folder / file)) for file in files], truth)


def objects(data: Path, names: Sequence[str], most: int | None = None) -> Labelled:
    """COCO's photographs."""
    folder, images, truth = data / "detection" / "coco128", [], []
    for path in sorted((folder / "images").iterdir())[:most]:
        images.append(load(str(path)))
        height, width = images[-1].shape[:2]
        lines = (folder / "labels" / f"{path.stem}.txt").read_text().split("\n")
        rows = np.array([line.split() for line in lines if line.strip()], np.float64).reshape(-1, 5)
        boxes = rows[:, 1:] * [width, height, width, height]
        boxes[:, :2] -= boxes[:, 2:] / 2
        truth.append(DetectedBoxes(boxes, np.ones(len(boxes)), tuple(names[int(number)] for number in rows[:, 0])))
    return Labelled(images, truth)


def fastestdet_by_hand(session: Any, names: Sequence[str], image: Pixels) -> DetectedBoxes:
    """One picture as the exporter's scripts read it."""
    image = np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image
    height, width = image.shape[:2]
    small = cv2.resize(np.ascontiguousarray(image[..., ::-1]), (352, 352), interpolation=cv2.INTER_LINEAR)
    feed = small.transpose(2, 0, 1)[None].astype(np.float32) / 255
    (output,) = session.run(None, {session.get_inputs()[0].name: feed})[0]
    found: dict[int, list[tuple[list[float], float]]] = {}
    rows, columns = output.shape[1:]
    scores = output[0] ** 0.6 * output[5:].max(0) ** 0.4
    for row, column in zip(*np.nonzero(scores > LEAST), strict=True):
        cell = output[:, row, column].astype(np.float64)
        centre = (column + np.tanh(cell[1])) / columns * width, (row + np.tanh(cell[2])) / rows * height
        sides = width / (1 + np.exp(-cell[3])), height / (1 + np.exp(-cell[4]))
        left, right = (min(max(centre[0] + step * sides[0] / 2, 0), width) for step in (-1, 1))
        top, bottom = (min(max(centre[1] + step * sides[1] / 2, 0), height) for step in (-1, 1))
        box = [left, top, right - left, bottom - top]
        found.setdefault(int(cell[5:].argmax()), []).append((box, float(scores[row, column])))
    parts = []
    for number, pairs in found.items():
        boxes, sure = [box for box, _ in pairs], [score for _, score in pairs]
        kept = np.asarray(cv2.dnn.NMSBoxes(boxes, sure, 0.0, 0.45)).reshape(-1)
        parts.append(DetectedBoxes([boxes[i] for i in kept], [sure[i] for i in kept], names[number]))
    return DetectedBoxes.joined(parts)


def paired(path: Path, head: str, size: tuple[int, int], image: Pixels, repeats: int) -> Paired:
    """A network as a program, and its file under onnxruntime, from the drawn picture to the outputs."""
    network = DetectorNetwork(path.read_bytes(), DETECTION_HEADS[head], ("x",), size)
    canvas = network.drawn(image, Letterbox(image.shape[:2], size, network.head.reads.fit))
    feature, reads = network.feature(size), network.head.reads
    run, session = Clear().prepare(feature.program(feature.shape)), _session(path)
    name, planes = session.get_inputs()[0].name, slice(None, None, -1 if reads.channels == "bgr" else 1)

    def theirs() -> list[Any]:
        pixels = np.ascontiguousarray(canvas[..., planes].transpose(2, 0, 1)[None], np.float32)
        return session.run(None, {name: pixels / np.float32(reads.deviation) if reads.deviation != 1 else pixels})

    def ours() -> NDArray[Any]:
        return np.asarray(run(feature.before(canvas)))

    expected = np.concatenate([np.asarray(output).ravel() for output in theirs()])
    error = float(np.abs(ours().ravel() - expected).max() / max(1.0, np.abs(expected).max()))
    return Paired(*_taken({"ours": ours, "theirs": theirs}, repeats), error)


def _taken(works: Mapping[str, Callable[[], object]], repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of each, in an order drawn anew each time: one that is fixed keeps step with a busy machine.

    By the clock what a tenth of the runs stay below, which nothing interrupted; by the processor the median.
    """
    order = np.random.default_rng(0)
    clock: dict[str, list[float]] = {name: [] for name in works}
    processor: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name in order.permutation(list(works)).tolist():
            start, begun = time.perf_counter(), time.process_time()
            works[name]()
            processor[name].append(1000 * (time.process_time() - begun))
            clock[name].append(1000 * (time.perf_counter() - start))
    undisturbed = {name: float(np.quantile(taken, 0.1)) for name, taken in clock.items()}
    return undisturbed, {name: float(np.median(taken)) for name, taken in processor.items()}


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main(data: Path, most: int | None = None, repeats: int = 301, yunet: Sequence[str] = YUNET) -> bool:
    """Print every figure beside its bar; whether all are kept."""
    weights, good = data / "weights", []
    labelled = faces(data, most)
    for name in (*yunet, *ULTRALIGHT[: len(yunet)]):
        start = time.process_time()
        classes = ("face",) if name in ULTRALIGHT else None
        detector = onnx_detector(weights / "face_detection" / f"{name}.onnx", classes=classes)
        curve = detection_curve([detector.detect(image) for image in labelled.images], labelled.truth)
        each = 1000 * (time.process_time() - start) / len(labelled.images)
        bar = "bar 1.000" if name == "yunet_n_dynamic" else ""
        figures = (
            f"recall {curve.largest_recall:.3f}  AP {curve.average_precision:.3f}  FPPI {curve.false_per_image[-1]:.2f}"
        )
        print(f"{name:20} {figures}  {bar:9}  {each:.1f} ms of processor an image, loading included")
        good.append(not bar or curve.largest_recall == 1.0)
    folder = weights / "object_detection_fastestdet"
    names = tuple((folder / "coco.names").read_text().split("\n")[:80])
    labelled, path = objects(data, names, most), folder / "FastestDet.onnx"
    detector, session = onnx_detector(path, classes=folder / "coco.names", least=LEAST), _session(path)
    ours = mean_average_precision([detector.detect(image) for image in labelled.images], labelled.truth)
    hand = [fastestdet_by_hand(session, names, image) for image in labelled.images]
    theirs = mean_average_precision(hand, labelled.truth)
    off = abs(ours.mean - theirs.mean)
    classes = f"{len(ours.per_class)} classes, {len(labelled.images)} images"
    print(f"FastestDet mAP50 {ours.mean:.4f}, by onnxruntime {theirs.mean:.4f}  bar within {MOST_OFF}  ({classes})")
    good.append(off <= MOST_OFF)
    image = labelled.images[0]
    cases = [
        ("face_detection/yunet_n_640_640", "yunet", (640, 640)),
        ("face_detection/yunet_n_320_320", "yunet", (320, 320)),
    ]
    for file, head, size in [
        *cases[: len(yunet)],
        ("object_detection_fastestdet/FastestDet", "fastestdet", (352, 352)),
    ]:
        taken = paired(weights / f"{file}.onnx", head, size, image, repeats)
        wall, processor = taken.ratio(taken.wall), taken.ratio(taken.processor)
        times = f"{taken.wall['ours']:.2f} ms beside {taken.wall['theirs']:.2f}"
        print(
            f"{Path(file).name:20} CNN / onnxruntime {wall:.2f} by the clock ({times}), "
            f"{processor:.2f} by the processor  bar {MOST_TIME}  largest difference {taken.error:.0e}"
        )
        good.append(max(wall, processor) <= MOST_TIME)
    return all(good)


if __name__ == "__main__":
    kept = main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
    sys.exit(0 if kept else 1)
