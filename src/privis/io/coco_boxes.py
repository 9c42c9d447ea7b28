"""Boxes of pictures in the JSON of COCO's annotations, which tools for detectors read and write.

``images`` have ``id`` (from 1), ``file_name``, ``width`` and ``height`` in pixels, those of a video ``frame`` (from 1)
and ``seconds`` as well; ``annotations`` have ``id``, ``image_id``, ``category_id``, ``bbox`` (x, y, width, height in
pixels of the upright picture, origin top left), ``area``, ``iscrowd`` 0 and, where a detector says one, ``score``;
``categories`` have ``id`` (from 1, in the order of their names) and ``name``. Reference: Lin et al., "Microsoft COCO:
common objects in context", 2014, arXiv:1405.0312.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privis.io.atomic import replacing


@dataclass(frozen=True)
class CocoBox:
    """A box that COCO calls an annotation.

    Args:
        box: x, y, width and height in pixels.
        label: what it is of.
        score: the higher the surer; None: nobody says.
    """

    box: tuple[float, float, float, float]
    label: str
    score: float | None = None


@dataclass(frozen=True)
class CocoImage:
    """One picture, or one frame of a video, and the boxes in it.

    Args:
        path: of the file.
        width: in pixels, upright.
        height: in pixels.
        boxes: in it; possibly none.
        place: what else is said of it, as the number of a page or frame.
    """

    path: str
    width: int
    height: int
    boxes: tuple[CocoBox, ...] = ()
    place: Mapping[str, Any] = field(default_factory=dict)


def coco_document(images: Iterable[CocoImage]) -> dict[str, Any]:
    """Put boxes into the form of COCO's annotations.

    Args:
        images: in order.

    Returns:
        The document, ready for JSON.

    >>> boxes = (CocoBox((1.0, 2.0, 3.0, 4.0), "face", 0.5),)
    >>> coco_document([CocoImage("a.jpg", 9, 8, boxes)])["annotations"][0]["area"]
    12.0
    """
    listed = list(images)
    names = sorted({box.label for image in listed for box in image.boxes})
    numbers = {name: number for number, name in enumerate(names, 1)}
    described, annotations = [], []
    for image_id, image in enumerate(listed, 1):
        name = os.fsencode(image.path).decode("utf-8", "backslashreplace")
        size = {"width": image.width, "height": image.height}
        described.append({"id": image_id, "file_name": name, **size, **image.place})
        for box in image.boxes:
            x, y, width, height = (round(side, 2) for side in box.box)
            annotation: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": numbers[box.label],
                "bbox": [x, y, width, height],
                "area": round(width * height, 2),
                "iscrowd": 0,
            }
            annotations.append(annotation if box.score is None else {**annotation, "score": round(box.score, 6)})
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    return {"images": described, "annotations": annotations, "categories": categories}


def write_coco_boxes(path: Path, images: Iterable[CocoImage]) -> None:
    """Write a file that appears whole or not at all.

    Args:
        path: of the JSON file.
        images: in order.

    Raises:
        OutputError: it cannot be written; an earlier file is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(coco_document(images), ensure_ascii=False) + "\n", encoding="utf-8")
