"""People followed through PETS2009 S2.L1, beside bars, a baseline and published detections.

``python -m benchmarks.tracking [DATA]``. Parameters of the product were chosen on frames 0-199 of this clip, or follow
from geometry and what people can do; 200-529 are the rest. Frames are counted from 0 here, as in the truth's names.
"""

from __future__ import annotations

import itertools
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from privis.estimators.video.people_tracking import PeopleTracking
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import video_frames
from privis.tasks.detection.boxes import DetectedBoxes, overlaps
from privis.tasks.tracking import (
    Background,
    ForegroundPlan,
    Tracker,
    Tracks,
    cheapest_pairs,
    closed_foreground,
    moving_blobs,
    presence,
    tracking_quality,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDER = Path("video") / "pets2009_s2l1"
VIDEO = "pets2009_s2l1_view001_480x360.avi"
TRUTH = "PETS2009-S2L1-gt_frames000-529.xml"
DETECTIONS = "PETS09-S2L1-det_frames001-530.txt"
SCALE = 0.625
"""Of boxes, which are those of 768 x 576 pixels."""
RATE = 10
PARTS = ((0, 200, "0-199, chosen on"), (200, 530, "200-529, the rest"), (0, 530, "0-529, all"))
MOTA, IDF1, FRAMES_A_SECOND = 0.60, 0.55, 30
WINDOW = 10.0


def pets_truth(folder: Path) -> Tracks:
    """Boxes of everybody in frames 0 to 529; ids and frames count from 1."""
    rows = []
    for frame in ElementTree.parse(folder / TRUTH).getroot().iter("frame"):
        for each in frame.iter("object"):
            box = each.find("box")
            assert box is not None
            w, h, x, y = (float(box.attrib[name]) * SCALE for name in ("w", "h", "xc", "yc"))
            rows.append((int(frame.attrib["number"]) + 1, int(each.attrib["id"]) + 1, x - w / 2, y - h / 2, w, h))
    values = np.array(rows)
    frames = values[:, 0].astype(np.int64)
    return Tracks(frames, values[:, 1].astype(np.int64), values[:, 2:], np.ones(len(rows)), (frames - 1) / RATE)


def between(tracks: Tracks, start: int, end: int) -> Tracks:
    """Rows of frames from ``start`` (from 0) and before ``end``."""
    return tracks[(tracks.frames > start) & (tracks.frames <= end)]


def followed(path: Path, seconds: int | None = None) -> tuple[Tracks, int, float, float]:
    """The product's tracks, frames, processor seconds and seconds of the clock."""
    choice = FrameChoice(None, Fraction(0), None if seconds is None else Fraction(seconds))
    frames, parts = 0, []
    processor, clock = time.process_time(), time.perf_counter()
    for each in PeopleTracking().follow(path, choice):
        frames += each.time is not None
        parts.append(each.decided)
    return Tracks.joined(parts), frames, time.process_time() - processor, time.perf_counter() - clock


def baseline(path: Path, frames: int) -> tuple[Tracks, float]:
    """Blobs over the median of the clip, paired by overlap; and processor seconds a frame, decoding included."""
    whole = frames >= PARTS[-1][1]
    samples = itertools.islice(video_frames(path), 0, None if whole else frames, 8)
    background = Background.learned([frame.pixels for frame in samples])
    started = time.process_time()
    live: list[tuple[int, np.ndarray, int]] = []
    rows, named = [], 0
    for number, frame in enumerate(itertools.islice(video_frames(path), frames), 1):
        mask = background.foreground(frame.pixels, ForegroundPlan(least_difference=30, shadow=(0.95, 0.95)))
        boxes = moving_blobs(closed_foreground(mask, 56.0)).boxes
        costs = 1 - overlaps([box for _, box, _ in live], boxes)
        pairs = dict(cheapest_pairs(costs, 0.75))
        new = set(range(len(boxes))) - set(pairs.values())
        kept = [
            (who, boxes[pairs[row]], number) if row in pairs else (who, box, last)
            for row, (who, box, last) in enumerate(live)
            if row in pairs or number - last < RATE
        ]
        live = kept + [(named + n, boxes[column], number) for n, column in enumerate(sorted(new), 1)]
        named += len(new)
        rows += [(number, who, *box) for who, box, last in sorted(live, key=lambda each: each[0]) if last == number]
    seconds = (time.process_time() - started) / max(1, frames)
    values = np.array(rows).reshape(-1, 6)
    numbers = values[:, 0].astype(np.int64)
    ids = values[:, 1].astype(np.int64)
    return Tracks(numbers, ids, values[:, 2:], np.ones(len(rows)), (numbers - 1) / RATE), seconds


def of_published_detections(folder: Path, frames: int) -> Tracks:
    """The product's tracker on detections of the MOT challenge (aggregated channel features)."""
    given = np.loadtxt(folder / DETECTIONS, delimiter=",")
    tracker, parts = Tracker(), []
    for number in range(1, frames + 1):
        here = given[given[:, 0] == number]
        found = DetectedBoxes(here[:, 2:6] * SCALE, here[:, 6], ("person",) * len(here))
        parts.append(tracker.update((number - 1) / RATE, found))
    return Tracks.joined([*parts, tracker.finish()])


def told(name: str, truth: Tracks, found: Tracks, start: int, end: int) -> str:
    """One line of figures."""
    quality = tracking_quality(between(truth, start, end), between(found, start, end))
    return (
        f"{name:<46} MOTA {quality.mota:.3f}  IDF1 {quality.idf1:.3f}  switches {quality.switches:>3}  "
        f"missed {quality.missed:>4}  false {quality.false_positives:>4}  of {quality.truth} boxes, "
        f"{quality.people} ids of {quality.true_people} people"
    )


def main(words: Sequence[str] = ()) -> None:
    """Print all figures; ``--tiny`` as the second word reads the first seconds alone."""
    data = Path(words[0]) if words else DATA
    seconds = 6 if "--tiny" in words else None
    folder = data / FOLDER
    truth = pets_truth(folder)
    found, frames, processor, clock = followed(folder / VIDEO, seconds)
    parts = PARTS if seconds is None else ((0, frames, f"0-{frames - 1}"),)
    last = parts[-1][1]
    for start, end, name in parts:
        print(told(f"privis, frames {name}", truth, found, start, end))
    quality = tracking_quality(between(truth, 0, last), between(found, 0, last))
    print(f"bars: MOTA {quality.mota:.3f} of {MOTA:.2f}, IDF1 {quality.idf1:.3f} of {IDF1:.2f} (frames 0-{last - 1})")
    print(
        f"bar: {frames / clock:.0f} frames/s of {FRAMES_A_SECOND}, decoding included ({frames} frames, "
        f"{1000 * processor / frames:.1f} ms of processor a frame)"
    )
    blobs, each = baseline(folder / VIDEO, last)
    print(told("blobs and the Hungarian method", truth, blobs, 0, last) + f", {1000 * each:.1f} ms a frame")
    print(told("privis' tracker, published detections", truth, of_published_detections(folder, last), 0, last))
    known, counted = (presence(between(each, 0, last), WINDOW, last / RATE).counts for each in (truth, found))
    error = float(np.abs(known - counted).mean())
    print(f"people a {WINDOW:g} s window: {known.tolist()} known, {counted.tolist()} counted, mean error {error:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
