"""What `privis redact` leaves visible in videos, and what its own detectors find in what it wrote.

``python -m benchmarks.video_redaction [DATA] [--frames N] [--pictures N]``, N frames of each video and pictures of each
set; without them all. Bars: 0 faces and 0 plates are found in copies; no frame of a film of labelled faces shows one.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.tasks.redaction import SCORE, Box, Case, crops, listed, plates
from privis.estimators.detection.detector import Detector
from privis.extraction.faces.face_networks import has_face_networks, yunet
from privis.extraction.redaction.face_search import FaceSearch
from privis.extraction.redaction.people_search import PeopleSearch
from privis.extraction.redaction.picture_finders import PlateSearch
from privis.extraction.redaction.redacted_video import VideoRules, redact_video
from privis.extraction.redaction.redactor import Redactor
from privis.io.images.pages import as_written
from privis.io.video.encoded_video import TimedFrame, form_of, write_video
from privis.io.video.frame_reading import video_frames
from privis.tasks.detection import installed_people_weights, window_model_of
from privis.tasks.redaction import ImageRegion, RegionHold
from privis.tasks.verification.error_rates import clopper_pearson

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PEOPLE_SCORE = -0.25
"""As `privis redact` has it unless told otherwise; chosen on every second picture of Penn-Fudan."""
STEP = 2
"""Pixels by which a film of a photograph moves from frame to frame."""


@dataclass(frozen=True)
class Blinking:
    """A search that fails in most frames, told apart by their first pixel, as detectors fail where faces turn away.

    Args:
        search: finds faces.
        sees: numbers of the frames, modulo 16, in which it looks.
    """

    search: FaceSearch
    sees: frozenset[int]

    def find(self, image: np.ndarray) -> tuple[ImageRegion, ...]:
        """Find faces, or nothing."""
        return self.search.find(image) if frame_number(image) in self.sees else ()


def marked(pixels: np.ndarray, number: int) -> np.ndarray:
    """A frame that says its number, modulo 16, in a corner."""
    made = pixels.copy()
    made[:8, :8] = 16 * (number % 16) + 8
    return made


def frame_number(pixels: np.ndarray) -> int:
    return int(pixels[1:7, 1:7].mean()) // 16


def film(pixels: np.ndarray, count: int) -> Iterator[TimedFrame]:
    """A camera that pans over a photograph: it moves to the left by two pixels a frame."""
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    for number in range(count):
        moved = np.roll(pixels[:height, :width], -STEP * number, axis=1)
        yield TimedFrame(Fraction(number, 25), marked(np.ascontiguousarray(moved), number))


def boxes_in(number: int, boxes: Iterable[Box], width: int) -> list[Box]:
    """Where labelled faces are in a frame of the film; those that the edge cuts are left out."""
    moved = [((x - STEP * number) % width, y, w, h) for x, y, w, h in boxes]
    return [box for box in moved if box[0] + box[2] <= width]


def films(search: FaceSearch | Blinking, cases: Iterable[Case], count: int, hold: float = 0.5) -> tuple[int, int, int]:
    """Boxes in frames of films, those of which 90 % are painted, and faces that the detector finds in the copies."""
    total = found = after = 0
    plain = yunet()
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "film.mp4"), Path(folder, "copy.mp4")
        for _, pixels, boxes in cases:
            write_video(film(pixels, count), source, form_of("film.mp4"), Fraction(25))
            rules = VideoRules(RegionHold(hold))
            done = redact_video(Redactor((search,), passes=20), source, output, rules)
            assert done.written, "detectors found something new in every look"
            width = pixels.shape[1] // 2 * 2
            for number, frame in enumerate(video_frames(output)):
                black = frame.pixels.max(axis=2) < 24
                for x, y, w, h in boxes_in(number, boxes, width):
                    total += 1
                    found += bool(black[max(0, y) : y + h, max(0, x) : x + w].mean() >= 0.9)
                after += len(plain.detect(frame.pixels))
    return total, found, after


def in_copies(cases: Iterable[Case], redactor: Redactor, *looks: Callable[[np.ndarray], Sized]) -> list[int]:
    """How much each look finds in copies that are stored as JPEG, and how many copies there are."""
    found, count = [0] * len(looks), 0
    for _, pixels, _ in cases:
        copy = jpeg(redactor(pixels, as_written=jpeg).pixels)
        found, count = [before + len(look(copy)) for before, look in zip(found, looks, strict=True)], count + 1
    return [*found, count]


def jpeg(pixels: np.ndarray) -> np.ndarray:
    return as_written(pixels, "JPEG")


def share(found: int, total: int) -> str:
    low, high = clopper_pearson(found, total)
    return f"{found} of {total} = {100 * found / total:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def first(cases: Iterable[Case], count: int | None) -> list[Case]:
    return [case for number, case in enumerate(cases) if count is None or number < count]


def people(data: Path, pictures: int | None) -> None:
    """Whole people of whom 90 % are painted, heads (middle of the upper quarter) alike, and what else is painted."""
    outlines = Detector(window_model_of(installed_people_weights(), least=PEOPLE_SCORE))
    faces = FaceSearch(yunet(least=SCORE), turns=(0,)) if has_face_networks() else None
    cases = first(listed(data / "detection" / "penn_fudan", True), pictures)
    for name, search in (("outlines", PeopleSearch(outlines)), ("outlines and faces", PeopleSearch(outlines, faces))):
        start, whole, heads, total, beside = time.process_time(), 0, 0, 0, []
        for _, pixels, boxes in cases:
            mask = Redactor((search,))(pixels, as_written=jpeg).mask
            rest = np.ones_like(mask)
            for x, y, w, h in ((max(0, x), max(0, y), w, h) for x, y, w, h in boxes):
                total += 1
                whole += bool(mask[y : y + h, x : x + w].mean() >= 0.9)
                heads += bool(mask[y : y + h // 4, x + w // 4 : x + 3 * w // 4].mean() >= 0.9)
                rest[max(0, y - h // 8) : y + h + h // 8, max(0, x - w // 4) : x + w + w // 4] = False
            beside.append(float(mask[rest].mean()) if rest.any() else 0.0)
        used = (time.process_time() - start) / len(cases)
        print(
            f"people by {name}: whole {share(whole, total)}, heads {share(heads, total)}, "
            f"painted elsewhere {100 * float(np.mean(beside)):.1f} %, {used:.2f} processor s a picture",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=None)
    told = parser.parse_args()
    data, start = told.data, time.process_time()
    cars = first(plates(data / "detection" / "license_plates"), told.pictures)
    found, count = in_copies(cars, Redactor((PlateSearch(),)), PlateSearch().find)
    print(f"plates that `privis detect` finds in {count} copies: {found} (bar 0)", flush=True)
    people(data, told.pictures)
    if not has_face_networks():
        print("faces need the extra: pip install 'privis[faces]'")
        return
    search = FaceSearch(yunet(least=SCORE))
    labelled = first(listed(data / "detection" / "faces_dlib"), told.pictures)
    for name, cases in (("dlib", labelled), ("LFW", first(crops(data / "faces" / "lfw10", 2), told.pictures)),
                        ("ORL", first(crops(data / "faces" / "orl", 6), told.pictures))):  # fmt: skip
        found, again, count = in_copies(cases, Redactor((search,)), yunet().detect, search.find)
        print(f"faces that `privis detect` finds in {count} copies, {name}: {found}, the search in all turns: {again} "
              "(bar 0)", flush=True)  # fmt: skip
    blinking = Blinking(replace(search, turns=(0,), parts=()), frozenset((0, 1, 9)))
    for name, looks in (("all frames", search), ("3 of 16 frames seen", blinking)):
        used = time.process_time()
        total, covered, after = films(looks, labelled, told.frames)
        used = (time.process_time() - used) / (told.frames * len(labelled))
        bar = " (bar 0)" if looks is search else ", also such as it never saw"
        told_of = f"{share(covered, total)} boxes painted, {after} faces found in the copies{bar}"
        print(f"films of labelled faces, {name}: {told_of}, {used:.2f} processor s a frame", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.process_time() - start:.0f} processor s, {peak:.0f} MiB at most")


if __name__ == "__main__":
    main()
