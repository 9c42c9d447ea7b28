"""``privis detect evaluate``: how good a detector is on images whose boxes are known."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from privis.cli.console import NO, SOME_FAILED, err, explained, out, working
from privis.cli.detection.detect_options import PEOPLE, Head, Least, MaxPixels, Model, Names, Overlap, Size, What
from privis.cli.detection.detect_words import DetectWords
from privis.cli.detection.train_options import AsJson, Background, Boxes, CutBoxes, Images
from privis.errors import ParameterError, Problem
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.sources import find

SHOWN = 10
EVALUATE_EXIT_CODES = """Exit codes: 0 done · 8 the average precision is below --at-least · 1 done, but some images
could not be used (they are listed) · 2 a wrong option, boxes and images that do not fit each other, or a model that is
missing, damaged or of something else · 3 no image could be used · 130 interrupted."""

Label = Annotated[
    str | None,
    typer.Option("--label", help="Label of the boxes that are to be found, where --boxes has several."),
]
At = Annotated[
    float, typer.Option("--at", help="Intersection over union from which a box is on a thing, above 0, at most 1.")
]
AtLeast = Annotated[
    float | None, typer.Option(min=0, max=1, help="Exit with code 8 if the average precision is below this.")
]


def evaluate(
    images: Images,
    boxes: Boxes,
    what: What = PEOPLE,
    model: Model = None,
    label: Label = None,
    at: At = 0.5,
    at_least: AtLeast = None,
    least: Least = None,
    overlap: Overlap = None,
    head: Head = None,
    names: Names = None,
    size: Size = None,
    background: Background = False,
    cut_boxes: CutBoxes = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Measure a detector on images whose boxes are known: average precision, log-average miss rate, recall.

    Images that the detector was trained on say nothing: keep others apart.

    privis detect evaluate street/test --boxes boxes.csv --model people.model

    privis detect evaluate smears/test --boxes instances.json --model cells.model --label WBC --at-least 0.8
    """
    with explained():
        if not 0 < at <= 1:
            raise ParameterError(Problem("--at", str(at), "an intersection over union above 0, at most 1"))
        from privis.estimators.detection.training.annotated_images import annotated_images
        from privis.io.box_lists import read_boxes
        from privis.tasks.detection import DetectedBoxes, detection_curve

        sources, listed = find(images, sys.stdin), read_boxes(boxes)
        finder = DetectWords(what, model, least, overlap, head=head, names=names, size=size).finder()
        wanted = what if label is None and what in listed.labels else label
        decoding = Decoding(max_pixels)
        known = annotated_images(sources, listed, wanted, background, "--label")
        with working("privis detect evaluate: reading") as tell:
            known = known.checked(decoding, cut_boxes, tell)
        found, truth, ignored = [], [], []
        with working("privis detect evaluate") as tell:
            for done, (path, own) in enumerate(known.boxes.items(), 1):
                found.append(_of_label(finder.detect(decoding(path)), known.label, finder.labels))
                truth.append(DetectedBoxes(own.boxes, [1.0] * len(own.boxes), known.label))
                ignored.append(own.crowd)
                tell(done / len(known.boxes))
        curve = detection_curve(found, truth, at, ignored=ignored)
        document: dict[str, Any] = {
            "label": known.label, "average_precision": curve.average_precision,
            "log_average_miss_rate": curve.log_average_miss_rate, "recall": curve.largest_recall,
            "false_per_image": float(curve.false_per_image[-1]) if len(curve.false) else 0.0, "at": at,
            "images": curve.images, "boxes": curve.objects,
            "repeated": list(known.repeated),
            "refused": [{"path": path, "why": why} for path, why in known.refused.items()],
        }  # fmt: skip
        if as_json:
            print(json.dumps(document, ensure_ascii=False))
        else:
            _tell(document)
        if known.repeated:
            told = f"{len(known.repeated):,} images have the pixels of others, and count once: {known.repeated[0]} …"
            err.print(f"privis: {told}", markup=False, soft_wrap=True)
        for path, why in list(known.refused.items())[:SHOWN]:
            err.print(f"privis: {path}: {why}", markup=False, soft_wrap=True)
        if at_least is not None and curve.average_precision < at_least:
            raise SystemExit(NO)
        if known.refused:
            raise SystemExit(SOME_FAILED)


def _of_label(found: Any, label: str, labels: Sequence[str]) -> Any:
    """What was found of the kind that is measured, by a detector that tells it from others; else all."""
    if label not in labels:
        return found
    return found[[number for number, own in enumerate(found.labels) if own == label]]


def _tell(document: dict[str, Any]) -> None:
    lines = (
        f"{document['label']}: {document['boxes']:,} boxes of {document['images']:,} images, on at an overlap of "
        f"{document['at']:g}",
        f"average precision {document['average_precision']:.3f}, log-average miss rate "
        f"{document['log_average_miss_rate']:.3f}, recall {document['recall']:.3f} with "
        f"{document['false_per_image']:.1f} false boxes an image",
    )
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
