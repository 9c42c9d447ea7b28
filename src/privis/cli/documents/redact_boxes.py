"""``--boxes``: where something was painted, as a CSV table or in the JSON of COCO, for all pictures of a run."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable, replacing
from privis.io.coco_boxes import CocoBox, CocoImage, write_coco_boxes

COLUMNS = ("path", "x", "y", "w", "h", "score", "label", "page", "frame", "seconds")


@dataclass(frozen=True)
class PaintedPicture:
    """What the log says of one picture.

    Args:
        path: as given.
        entry: of the log.
    """

    path: str
    entry: Mapping[str, Any]


def check_boxes(path: Path | None, output: Path) -> None:
    """Refuse a name of the file of boxes before any work: boxes say where people were, and are no picture."""
    if path is None:
        return
    if path.suffix.lower() not in (".csv", ".json"):
        raise ParameterError(Problem("--boxes", str(path), "a name that ends in .csv or .json"))
    base = os.path.realpath(output)
    if os.path.realpath(path).startswith(os.path.join(base, "")):
        got, remedy = f"{path}, which is in {output}", "boxes say where people were: keep them inside"
        raise ParameterError(Problem("--boxes", got, "a file outside of what leaves", remedy))
    check_writable(path)


def write_boxes_of(path: Path, pictures: Sequence[PaintedPicture]) -> None:
    """Write the boxes of all pictures: CSV with a line for each, or COCO's JSON."""
    if path.suffix.lower() == ".json":
        write_coco_boxes(path, [image for picture in pictures for image in _images(picture)])
        return
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for picture in pictures:
            name = os.fsencode(picture.path).decode("utf-8", "backslashreplace")
            for region in picture.entry["regions"]:
                sides = [f"{side:.2f}" for side in _box(region["corners"])]
                places = [region.get(key, "") for key in ("page", "frame", "seconds")]
                writer.writerow([name, *sides, f"{region['score']:.6g}", region["kind"], *places])


def _images(picture: PaintedPicture) -> Iterator[CocoImage]:
    """Every page of a picture; of a video the frames that have boxes, or the first where none has."""
    entry, boxes = picture.entry, defaultdict(list)
    seconds: dict[int, float] = {}
    for region in entry["regions"]:
        place = region.get("frame") or region["page"]
        boxes[place].append(CocoBox(_box(region["corners"]), region["kind"], region["score"]))
        seconds[place] = region.get("seconds", 0.0)
    if "frames" in entry:
        height, width = entry["size"]
        for frame in sorted(boxes) or [1]:
            where = {"frame": frame, "seconds": seconds.get(frame, 0.0)}
            yield CocoImage(picture.path, width, height, tuple(boxes[frame]), where)
        return
    for page, (height, width) in enumerate(entry["sizes"], 1):
        where = {"page": page} if entry["pages"] > 1 else {}
        yield CocoImage(picture.path, width, height, tuple(boxes[page]), where)


def _box(corners: Iterable[Iterable[float]]) -> tuple[float, float, float, float]:
    across, down = zip(*corners, strict=True)
    return min(across), min(down), max(across) - min(across), max(down) - min(down)
