"""What `privis redact` finds and misses, what it paints that is nothing, and whether a second run finds more.

``python -m benchmarks.redaction [DATA]``. Found is a face, plate or zone of which 90 % of the box is painted, intervals
are Clopper-Pearson's at 95 %; of text, the share of pixels of strokes that is painted.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_networks import has_face_networks, yunet
from privis.extraction.redaction.face_search import FaceSearch
from privis.extraction.redaction.picture_finders import PlateSearch, TextSearch, ZoneSearch
from privis.extraction.redaction.redactor import Redacted, Redactor
from privis.features.image_ops import grey
from privis.io.images.decode import load
from privis.io.images.pages import as_written
from privis.tasks.verification.error_rates import clopper_pearson

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
Box = tuple[int, int, int, int]
Case = tuple[str, np.ndarray, list[Box]]
SCORE = 0.5
"""Of a face, as `privis redact` has it unless told otherwise."""


@dataclass
class Tally:
    """Sums over the pictures of one row of the table."""

    boxes: int = 0
    found: int = 0
    pictures: int = 0
    painted: int = 0
    shares: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)
    again: int = 0
    unsettled: int = 0
    missed: list[str] = field(default_factory=list)


def measure(redactor: Redactor, cases: Iterable[Case], second: bool = False, whole: bool = True) -> Tally:
    """Paint every picture as a JPEG and compare with its boxes; ``second`` paints the result once more.

    ``whole``: boxes have to be painted; otherwise what is to be painted lies somewhere in them.
    """
    tally = Tally()
    for name, pixels, boxes in cases:
        done = redactor(pixels, as_written=_jpeg)
        tally.pictures += 1
        tally.painted += done.painted
        tally.shares.append(done.share)
        tally.outside.append(_outside(done, boxes))
        tally.unsettled += not done.settled
        for x, y, width, height in boxes if whole else []:
            found = done.mask[max(0, y) : y + height, max(0, x) : x + width].mean() >= 0.9
            tally.boxes += 1
            tally.found += bool(found)
            tally.missed += [] if found else [name]
        if second:
            tally.again += redactor(_jpeg(done.pixels), as_written=_jpeg).painted
    return tally


def _jpeg(pixels: np.ndarray) -> np.ndarray:
    return as_written(pixels, "JPEG")


def _outside(done: Redacted, boxes: Sequence[Box]) -> float:
    rest = np.ones(done.mask.shape, bool)
    for x, y, width, height in boxes:
        rest[max(0, y - height // 2) : y + height + height // 2, max(0, x - width // 2) : x + width + width // 2] = (
            False
        )
    return float(done.mask[rest].mean()) if rest.any() else 0.0


def crops(folder: Path, step: int = 1, quarters: int = 0, scale: float = 1.0) -> Iterator[Case]:
    """Pictures of one face in the middle: what has to be painted is their central third."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".txt")[::step]:
        pixels = np.ascontiguousarray(np.rot90(load(path), quarters))
        if scale != 1:
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        height, width = pixels.shape[:2]
        yield f"{path.parent.name}/{path.name}", pixels, [(width // 3, height // 3, width // 3, height // 3)]


def listed(folder: Path, corners: bool = False, step: int = 1) -> Iterator[Case]:
    """Pictures with boxes in a table; ``corners``: two of them instead of width and height."""
    boxes: dict[str, list[Box]] = {}
    with open(folder / "boxes.csv", newline="") as file:
        for row in list(csv.reader(file))[1:]:
            x, y, a, b = (round(float(value)) for value in row[1:5])
            boxes.setdefault(row[0], []).append((x, y, a - x, b - y) if corners else (x, y, a, b))
    for name, own in sorted(boxes.items())[::step]:
        yield name, load(folder / name), own


def plates(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.rglob("*.txt")):
        if path.name == "SOURCE.txt":
            continue
        name, x, y, width, height, _ = path.read_text().splitlines()[0].split("\t")
        yield name, load(path.with_suffix(".jpg")), [(int(x), int(y), int(width), int(height))]


def bare(*folders: Path, step: int = 1) -> Iterator[Case]:
    """Pictures in which there is nothing to paint, or hardly anything."""
    for folder in folders:
        for path in sorted(each for each in folder.rglob("*") if each.suffix in (".jpg", ".png", ".jpeg"))[::step]:
            yield path.name, load(path), []


def rendered(backgrounds: Sequence[np.ndarray], deep: bool, seed: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Lines of text, dark on light and light on dark, of several sizes, on smoothed pictures: grey, and strokes."""
    rng = np.random.default_rng(seed)
    for background in backgrounds:
        for light in (False, True):
            base = cv2.GaussianBlur(cv2.resize(grey(background), (640, 480)), (0, 0), 6).astype(np.float64)
            base = 20 + base * 0.25 if light else 150 + base * 0.35
            strokes, y = np.zeros((480, 640), np.uint8), 30
            for size in (0.4, 0.5, 0.7, 1.0, 1.5, 2.0):
                text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVWXYZ0123456789 /"), 14))
                where = 10, y
                cv2.putText(strokes, f"NAME {text}", where, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 1 + round(size), 16)
                y += 20 + round(44 * size)
            ink = strokes.astype(np.float64) / 255
            pixels = base * (1 - ink) + (230 if light else 25) * ink + rng.normal(0, 3, base.shape)
            whole = np.clip(pixels, 0, 255)
            # a medical picture of 12 bits in 16
            yield ((whole * 16).astype(np.uint16) if deep else whole.astype(np.uint8)), strokes >= 128


def strokes_of(pixels: np.ndarray) -> np.ndarray:
    """Printed pixels of a scanned receipt: clearly darker than the paper around them."""
    smooth = cv2.GaussianBlur(grey(pixels), (3, 3), 0)
    binary = cv2.adaptiveThreshold(smooth, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 41, 25)
    return binary > 0


def in_boxes(cases: Iterator[Case]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Printed pixels inside of boxes."""
    for _, pixels, boxes in cases:
        strokes = strokes_of(pixels)
        inside = np.zeros_like(strokes)
        for x, y, width, height in boxes:
            inside[max(0, y) : y + height, max(0, x) : x + width] = True
        yield pixels, strokes & inside


def zones(folder: Path) -> Iterator[Case]:
    """Specimens whose zone is whole, with the box that was drawn by hand."""
    from tests.tasks.documents.test_located_zone import BOXES

    for name, box in BOXES.items():
        yield name, load(folder / name), [box]


def row(title: str, name: str, run: Callable[[], Tally]) -> Tally:
    start = time.process_time()
    tally = run()
    used = (time.process_time() - start) / max(1, tally.pictures)
    text = f"{title:9} {name:24} {tally.pictures:3} pictures  "
    if tally.boxes:
        low, high = clopper_pearson(tally.found, tally.boxes)
        share = 100 * tally.found / tally.boxes
        text += f"found {tally.found:3} of {tally.boxes:3} = {share:5.1f} % [{100 * low:.1f}, {100 * high:.1f}]  "
    text += f"painted elsewhere {100 * float(np.mean(tally.outside)):5.2f} % of pixels  "
    text += f"second run {tally.again}  not settled {tally.unsettled}  {used:.2f} processor s a picture"
    print(text, flush=True)
    if 0 < len(tally.missed) <= 12:
        print(f"{'':10}missed: {', '.join(tally.missed)}")
    return tally


def text_row(name: str, cases: Iterator[tuple[np.ndarray, np.ndarray]]) -> float:
    redactor, hit, total, outside, count = Redactor((TextSearch(),)), 0, 0, [], 0
    start = time.process_time()
    for pixels, strokes in cases:
        done = redactor(pixels)
        hit, total, count = hit + int(done.mask[strokes].sum()), total + int(strokes.sum()), count + 1
        outside.append(float(done.mask.mean()))
    used = (time.process_time() - start) / max(1, count)
    print(
        f"text      {name:24} {count:3} pictures  {100 * hit / total:6.2f} % of pixels of strokes painted  "
        f"{100 * float(np.mean(outside)):.1f} % of the pictures painted  {used:.2f} processor s a picture",
        flush=True,
    )
    return hit / total


def faces(data: Path, title: str, search: FaceSearch, step: int = 1) -> None:
    """Every ``step``-th picture of the sets of one face each."""
    redactor, place, people = Redactor((search,)), data / "faces", data / "detection" / "penn_fudan"
    row(title, "dlib photographs", lambda: measure(redactor, listed(data / "detection" / "faces_dlib"), True))
    row(title, "LFW10", lambda: measure(redactor, crops(place / "lfw10", step), True))
    row(title, "LFW10 lying", lambda: measure(redactor, crops(place / "lfw10", 3 * step, 1)))
    row(title, "LFW10 upside down", lambda: measure(redactor, crops(place / "lfw10", 3 * step, 2)))
    row(title, "ORL", lambda: measure(redactor, crops(place / "orl", step)))
    row(title, "Yale", lambda: measure(redactor, crops(place / "yale", step)))
    row(title, "Penn-Fudan, off people", lambda: measure(redactor, listed(people, True, step), True, False))
    row(title, "Kodak, one portrait", lambda: measure(redactor, bare(data / "photos" / "kodak")))


def plates_and_zones(data: Path) -> None:
    redactor, streets = Redactor((PlateSearch(),)), data / "detection" / "penn_fudan"
    row("plates", "OpenALPR eu and us", lambda: measure(redactor, plates(data / "detection" / "license_plates"), True))
    row("plates", "Penn-Fudan, every fifth", lambda: measure(redactor, bare(streets, step=5)))
    row("plates", "Kodak", lambda: measure(redactor, bare(data / "photos" / "kodak")))
    specimens, receipts = data / "documents" / "id_specimens", data / "documents" / "receipts_sroie"
    for title, zone in (("mrz", Redactor((ZoneSearch(),))), ("mrz sure", Redactor((ZoneSearch(likely=False),)))):
        row(title, "specimens", lambda zone=zone: measure(zone, zones(specimens), True))
        row(title, "receipts", lambda zone=zone: measure(zone, bare(receipts)))
        row(title, "Kodak", lambda zone=zone: measure(zone, bare(data / "photos" / "kodak")))


def text(data: Path) -> None:
    pictures = [load(path) for path in sorted((data / "photos" / "kodak").glob("*.png"))]
    text_row("rendered, 8 bits", rendered(pictures, False))
    text_row("rendered, 12 bits in 16", rendered(pictures, True))
    receipts = (load(path) for path in sorted((data / "documents" / "receipts_sroie").glob("*.jpg")))
    text_row("receipts", ((pixels, strokes_of(pixels)) for pixels in receipts))
    redactor, streets = Redactor((TextSearch(),)), data / "detection" / "penn_fudan"
    text_row("zones of specimens", in_boxes(zones(data / "documents" / "id_specimens")))
    row("text", "Kodak", lambda: measure(redactor, bare(data / "photos" / "kodak"), True))
    row("text", "Penn-Fudan, every fifth", lambda: measure(redactor, bare(streets, step=5), True))
    row(
        "text",
        "chest X-rays, every 4th",
        lambda: measure(redactor, bare(data / "medical" / "chest_xray", step=4), True),
    )


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    text(data)
    plates_and_zones(data)
    if has_face_networks():
        faces(data, "YuNet", FaceSearch(yunet(least=SCORE)))
    else:
        print("the network needs the extra: pip install 'privis[faces]'")
    faces(data, "haar", FaceSearch(CascadeDetector()), 5)


if __name__ == "__main__":
    main()
