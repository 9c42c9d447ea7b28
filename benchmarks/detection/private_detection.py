"""Boxes in pictures that are not seen, by models that are not shown: how many are those of the clear, beside bars.

``python -m benchmarks.private_detection [DATA] [--only hog|yunet|ckks] [--images N] [--step S] [--border B]``. A row
says, of one detector under one protection: the boxes after suppression that are those of the clear at an overlap of 0.9
(those of either side that have no partner count against it), the median seconds of a picture from pixels to boxes
(compilation, parties, keys and the first picture apart), processor seconds of all processes, megabytes that a party
sends for a picture and messages one after another, as measured beside what was predicted, the largest memory of a
process, and the bar.

``hog`` and ``hog, owner``: OpenCV's people detector on pictures of people at 320 x 240, all levels of a pyramid in one
run, from pixels or from the public feature. ``yunet``: YuNet at 320 x 320 on pictures of faces. ``ckks``: a window of
128 x 96 around a person, whose feature a server computes on ciphertexts.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.heads import processor
from privis.estimators.detection.detector import Detector
from privis.estimators.detection.hidden_detector import HiddenDetector
from privis.run.he.executor import CKKS
from privis.run.mpc.executor import MPC
from privis.tasks.detection.boxes import DetectedBoxes, overlaps
from privis.tasks.detection.pyramid import Pyramid
from privis.tasks.detection.window_model import WindowModel

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
OPENCV = Path("weights/hog_svm/opencv_hog_people_detector_64x128.npy")
YUNET = Path("weights/face_detection/yunet_n_320_320.onnx")
SAME, PARTNER = 0.95, 0.9
SIGNS = 4
"""Polynomials of a comparison on ciphertexts."""
MEGABYTES = 400.0
SECONDS = {"hog": 15.0, "hog, owner": 15.0, "yunet": 45.0, "ckks": 30.0}
HEAD = (
    f"{'detector':14}{'under':>6}{'images':>7}{'boxes':>7}{'same':>8}{'s/image':>9}{'bar':>6}{'CPU s':>8}"
    f"{'pred. s':>9}{'MB':>8}{'pred.':>8}{'messages':>9}{'pred.':>7}{'MiB':>7}"
)
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """What was measured of one detector under one protection."""

    name: str
    under: str
    images: int
    boxes: int
    same: float
    seconds: float
    processor: float
    predicted: float | None
    sent: float
    sent_predicted: float
    messages: int
    messages_predicted: int
    memory: float

    @property
    def good(self) -> bool:
        """Whether all bars are held."""
        small = self.under == "ckks" or self.sent <= MEGABYTES
        return self.seconds <= SECONDS[self.name] and self.same >= SAME and small

    def line(self) -> str:
        """The row of the table."""
        predicted = "-" if self.predicted is None else f"{self.predicted:.1f}"
        return (
            f"{self.name:14}{self.under:>6}{self.images:7}{self.boxes:7}{self.same:8.1%}{self.seconds:9.2f}"
            f"{SECONDS[self.name]:6.0f}{self.processor:8.2f}{predicted:>9}{self.sent:8.1f}{self.sent_predicted:8.1f}"
            f"{self.messages:9}{self.messages_predicted:7}{self.memory:7.0f}  {'ok' if self.good else 'MISSED'}"
        )


def partners(left: DetectedBoxes, right: DetectedBoxes) -> tuple[int, int]:
    """How many boxes of both sides have a partner of their own on the other, and how many there are."""
    close = overlaps(left.boxes, right.boxes) >= PARTNER
    taken: set[int] = set()
    for row in close:
        free = [place for place in np.flatnonzero(row) if place not in taken]
        taken |= set(free[:1])
    return 2 * len(taken), len(left) + len(right)


def measured(name: str, word: str, hidden: HiddenDetector, images: Sequence[Picture]) -> Row:
    """Ask about every picture; the first is asked about once before."""
    cost = hidden.check(images[0].shape)
    hidden.detect(images[0])
    answers, took, runs, busy = [], [], [], processor()
    for image in images:
        start = time.perf_counter()
        answers.append(hidden.detect(image))
        took.append(time.perf_counter() - start)
        runs.append(_traffic(hidden, cost.sent or 0))
    busy = processor() - busy
    memory = _memory(hidden)
    clear = [hidden.detector.detect(image) for image in images]
    counts = [partners(one, other) for one, other in zip(clear, answers, strict=True)]
    whole = sum(count for _, count in counts)
    return Row(
        name, word, len(images), sum(map(len, clear)), sum(same for same, _ in counts) / whole if whole else 1.0,
        statistics.median(took), busy / len(images), cost.seconds, max(sent for sent, _ in runs) / 1e6,
        (cost.sent or 0) / 1e6, max(messages for _, messages in runs), cost.rounds or 0, memory,
    )  # fmt: skip


def _traffic(hidden: HiddenDetector, predicted: int) -> tuple[int, int]:
    """Bytes and messages of a party in its last run; of ciphertexts, what they are known to take."""
    if not isinstance(hidden.under, MPC):
        return predicted, 2
    found = [run for parties in hidden.under._sessions.running.values() for run in parties.measured]
    return sum(run.sent for run in found), sum(run.messages for run in found)


def _memory(hidden: HiddenDetector) -> float:
    """The largest resident memory of a party, or of this process, in MiB."""
    if not isinstance(hidden.under, MPC):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pids = [worker.pid for parties in hidden.under._sessions.running.values() for worker in parties.workers]
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def people(shared: Path, images: int, size: tuple[int, int] = (240, 320)) -> list[Picture]:
    """Pictures of Penn-Fudan at (height, width)."""
    import cv2

    paths = sorted((shared / "detection" / "penn_fudan").glob("*.jpg"))[::5][:images]
    return [cv2.resize(_read(path), size[::-1], interpolation=cv2.INTER_AREA) for path in paths]


def faces(shared: Path, images: int) -> list[Picture]:
    """Pictures of faces, and then of people, made to fit 320 x 320."""
    import cv2

    paths = sorted((shared / "detection" / "faces_dlib").glob("2*.jpg"))
    paths += sorted((shared / "detection" / "penn_fudan").glob("*.jpg"))
    found = []
    for path in paths[:images]:
        picture = _read(path)
        scale = 320 / max(picture.shape[:2])
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        found.append(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    return found


def persons(shared: Path, images: int) -> list[Picture]:
    """Parts of Penn-Fudan of 128 x 96 pixels, a person of 96 pixels in the middle."""
    import cv2

    first: dict[str, tuple[float, ...]] = {}
    with open(shared / "detection" / "penn_fudan" / "boxes.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            first.setdefault(row["file"], tuple(float(row[side]) for side in ("xmin", "ymin", "xmax", "ymax")))
    found = []
    for name in sorted(first)[::5][:images]:
        left, top, right, bottom = first[name]
        unit = (bottom - top) / 96
        across, down = (left + right) / 2, (top + bottom) / 2
        moved = np.array([[1 / unit, 0, 48 - across / unit], [0, 1 / unit, 64 - down / unit]])
        picture = _read(shared / "detection" / "penn_fudan" / name)
        found.append(cv2.warpAffine(picture, moved, (96, 128), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101))
    return found


def _read(path: Path) -> Picture:
    import cv2

    found = cv2.imread(str(path))
    assert found is not None, path
    return np.ascontiguousarray(found[:, :, ::-1])


def opencv_model(shared: Path, pyramid: Pyramid) -> WindowModel:
    """OpenCV's people detector."""
    numbers = np.load(shared / OPENCV, allow_pickle=False).ravel()
    return WindowModel(numbers[:-1], float(numbers[-1]), "person", pyramid=pyramid)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Every row that was asked for, as it is measured."""
    shared = Path(options.shared) if options.shared else SHARED
    pyramid = Pyramid(step=options.step, border=options.border)
    if options.only in ("", "hog"):
        model = opencv_model(shared, pyramid)
        for name, by_owner in (("hog", False), ("hog, owner", True)):
            hidden = HiddenDetector(Detector(model), MPC(), extracted_by_owner=by_owner)
            yield _closing(measured, name, "aby3", hidden, people(shared, options.images))
    if options.only in ("", "yunet"):
        from privis.estimators.detection.networks.onnx_detector import onnx_detector

        network = onnx_detector(shared / YUNET, "yunet")
        assert isinstance(network, Detector)
        pictures = faces(shared, options.images)
        yield _closing(measured, "yunet", "aby3", HiddenDetector(network, MPC()), pictures)
    if options.only in ("", "ckks"):
        model = opencv_model(shared, Pyramid(step=16.0, border=0))
        hidden = HiddenDetector(Detector(model), CKKS(signs=SIGNS), model_shown=True)
        yield measured("ckks", "ckks", hidden, persons(shared, options.images))


def _closing(measure: Any, name: str, word: str, hidden: HiddenDetector, images: Sequence[Picture]) -> Row:
    try:
        return measure(name, word, hidden, images)
    finally:
        hidden.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="the folder of the data")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--only", default="", choices=["", "hog", "yunet", "ckks"])
    parser.add_argument("--step", type=float, default=1.1, help="factor between levels of the pyramid")
    parser.add_argument("--border", type=int, default=32, help="pixels around every level")
    options = parser.parse_args(arguments)
    print(HEAD)
    for row in rows(options):
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
