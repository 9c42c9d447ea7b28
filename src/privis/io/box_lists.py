"""Lists of boxes that somebody drew in images: CSV files in the spellings that are common, and JSON files of COCO."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.io.images.same_files import file_identity
from privis.subjects import shortened

Floats = npt.NDArray[np.float64]
IMAGE_COLUMNS = ("path", "file", "filename", "image")
LABEL_COLUMNS = ("label", "class", "name")
BOX_COLUMNS = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("xmin", "ymin", "xmax", "ymax"))
"""The last one gives corners, the others a corner and sides."""
LARGEST = 1 << 30
"""Bytes of a list at most."""
COLUMNS = "an image (path or file), x,y,w,h or xmin,ymin,xmax,ymax, and maybe label or class"


@dataclass(frozen=True, eq=False)
class ImageBoxes:
    """Boxes that somebody drew in one image, in pixels of the upright image, origin at the top left corner.

    Args:
        boxes: float64 (n, 4), each x, y, width, height.
        labels: what each is; empty where the list does not say.
        crowd: bool (n,): regions of many things that nobody told apart: neither things nor background.
        lines: where each stands in the list.
    """

    boxes: Floats = field(repr=False)
    labels: tuple[str, ...]
    crowd: npt.NDArray[np.bool_] = field(repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)

    def of_label(self, label: str | None) -> ImageBoxes:
        """The boxes of one kind.

        Args:
            label: what they are; None: all.

        Returns:
            Those boxes, in their order.
        """
        kept = [place for place, own in enumerate(self.labels) if label is None or own == label]
        lines = tuple(self.lines[place] for place in kept) if self.lines else ()
        return ImageBoxes(self.boxes[kept], tuple(self.labels[place] for place in kept), self.crowd[kept], lines)


@dataclass(frozen=True, eq=False)
class BoxList:
    """Boxes of many images.

    Args:
        where: the file, for messages.
        images: by the name that stands in the list.
        empty: where boxes without any area stand, which are passed over.
    """

    where: str
    images: Mapping[str, ImageBoxes] = field(repr=False)
    empty: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label, sorted."""
        return tuple(sorted({label for image in self.images.values() for label in image.labels}))

    def found(self, paths: Sequence[str]) -> tuple[dict[str, ImageBoxes], tuple[str, ...], tuple[str, ...]]:
        """Match images with the list: by a path, from the list's folder on or as it is, or by a name that only one has.

        Args:
            paths: of images.

        Returns:
            Boxes by path; paths that are not in the list; names of the list that no path is of.
        """
        folder = os.path.dirname(self.where)
        places: dict[Hashable, str] = {}
        for name in self.images:
            places.setdefault(file_identity(os.path.join(folder, name)), name)
        for name in self.images:  # as in what `privis detect -o elsewhere/boxes.csv` wrote from this directory
            places.setdefault(file_identity(name), name)
        ends = _alone(self.images)
        given = _alone(paths)
        matched: dict[str, str] = {}
        for path in paths:
            name = places.get(file_identity(path))
            base = os.path.basename(path)
            if name is None and base in ends and base in given:
                name = ends[base]
            if name is not None:
                matched[path] = name
        used = set(matched.values())
        absent = tuple(path for path in paths if path not in matched)
        return (
            {path: self.images[name] for path, name in matched.items()},
            absent,
            tuple(name for name in self.images if name not in used),
        )


def read_boxes(path: str | Path) -> BoxList:
    """Read a list of boxes.

    A CSV file has one row a box, with a header: the image in ``path``, ``file``, ``filename`` or ``image``; the box in
    ``x,y,w,h``, ``x,y,width,height`` or ``xmin,ymin,xmax,ymax``; and maybe what it is in ``label``, ``class`` or
    ``name``. A row whose four numbers are empty says that an image has no box. A JSON file has the form of COCO's
    instances: ``images``, ``annotations`` and ``categories``.

    Args:
        path: of the file.

    Returns:
        The boxes by image.

    Raises:
        ParameterError: the file is something else, or rows are wrong; all at once.
    """
    place = Path(path)
    expected = f"a CSV file with columns for {COLUMNS}, or a JSON file of COCO"
    try:
        if place.stat().st_size > LARGEST:
            raise ValueError("a file that is too large")
        text = place.read_text(encoding="utf-8-sig")
        document = json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except (OSError, ValueError, RecursionError) as error:
        raise ParameterError(misfit(place, FileFormat.LIST, f"{type(error).__name__}: {error}", expected)) from None
    if document is not None:
        return _of_coco(str(path), document)
    return _of_rows(str(path), text)


def _alone(names: Iterable[str]) -> dict[str, str]:
    """Names by their last parts, of parts that only one has."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(os.path.basename(name.replace("\\", "/")), []).append(name)
    return {last: same[0] for last, same in found.items() if len(same) == 1}


@dataclass(frozen=True)
class _Row:
    image: str
    numbers: tuple[float, float, float, float] | None
    label: str
    line: str
    crowd: bool = False


def _gathered(where: str, rows: Sequence[_Row], problems: Sequence[Problem]) -> BoxList:
    refuse(ParameterError, shortened(problems, where))
    if not rows:
        raise ParameterError(Problem(where, "no row", "at least one box"))
    by_image: dict[str, list[_Row]] = {}
    empty: list[str] = []
    for row in rows:
        own = by_image.setdefault(row.image, [])
        if row.numbers is not None and min(row.numbers[2:]) == 0:
            empty.append(row.line)
        elif row.numbers is not None:
            own.append(row)
    images = {
        image: ImageBoxes(
            np.array([row.numbers for row in own], np.float64).reshape(-1, 4), tuple(row.label for row in own),
            np.array([row.crowd for row in own], bool), tuple(row.line for row in own),
        )
        for image, own in by_image.items()
    }  # fmt: skip
    return BoxList(where, images, tuple(empty))


def _of_rows(where: str, text: str) -> BoxList:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        listed = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ParameterError(Problem(where, str(error), f"a CSV file with columns for {COLUMNS}")) from None
    image = next((name for name in IMAGE_COLUMNS if name in names), None)
    label = next((name for name in LABEL_COLUMNS if name in names), None)
    columns = next((each for each in BOX_COLUMNS if set(each) <= set(names)), None)
    if image is None or columns is None:
        got = f"the columns {', '.join(names[:12])}" if names else "no header"
        other = misfit(where, FileFormat.LIST, got, f"columns for {COLUMNS}")
        raise ParameterError(Problem(where, other.got if names else got, f"columns for {COLUMNS}"))
    rows, problems = [], []
    for line, row in listed:
        at = f"{where}, line {line}"
        own, words = (row[image] or "").strip(), [(row[name] or "").strip() for name in columns]
        if not own:
            problems.append(Problem(at, "no image", f"its name in the column {image}"))
        numbers = None
        if any(words):
            numbers = _numbers(at, words, columns is BOX_COLUMNS[-1], problems)
            if numbers is None:
                continue
        rows.append(_Row(own, numbers, "" if label is None else (row[label] or "").strip(), f"line {line}"))
    return _gathered(where, rows, problems)


def _numbers(
    at: str, words: Sequence[Any], corners: bool, problems: list[Problem]
) -> tuple[float, float, float, float] | None:
    """x, y, width and height, or None with a problem."""
    try:
        a, b, c, d = (float(word) for word in words)
    except (TypeError, ValueError):
        a = b = c = d = math.nan
    if corners:
        c, d = c - a, d - b
    if not all(map(math.isfinite, (a, b, c, d))) or c < 0 or d < 0:
        form = "xmin,ymin,xmax,ymax" if corners else "x,y,w,h"
        got = ",".join(str(word) for word in words)
        problems.append(Problem(at, f"{form} = {got}", "four numbers, sides not negative"))
        return None
    return a, b, c, d


def _of_coco(where: str, document: Any) -> BoxList:
    expected = 'the form of COCO: {"images": […], "annotations": […], "categories": […]}'
    if not isinstance(document, dict) or not {"images", "annotations"} <= document.keys():
        got = f"the keys {', '.join(map(str, list(document)[:12]))}" if isinstance(document, dict) else "no object"
        raise ParameterError(Problem(where, got, expected))
    problems: list[Problem] = []
    names = _by_id(where, document["images"], "images", "file_name", problems)
    kinds = _by_id(where, document.get("categories", []), "categories", "name", problems)
    rows = [_Row(name, None, "", "") for name in names.values()]
    annotations = document["annotations"]
    if not isinstance(annotations, list):
        problems.append(Problem(f"{where}, annotations", type(annotations).__name__, "a list"))
        annotations = []
    for number, each in enumerate(annotations):
        at = f"{where}, annotation {number}"
        if not isinstance(each, dict) or not isinstance(each.get("bbox"), list) or len(each["bbox"]) != 4:
            problems.append(Problem(at, "no bbox of four numbers", expected))
            continue
        image, kind = each.get("image_id"), each.get("category_id")
        known = isinstance(image, int | str) and isinstance(kind, int | str | None)
        if not known or image not in names or (kinds and kind not in kinds):
            problems.append(Problem(at, f"image_id {image!r}, category_id {kind!r}", "ids that stand in the file"))
            continue
        numbers = _numbers(at, each["bbox"], False, problems)
        if numbers is not None:
            crowd = bool(each.get("iscrowd", 0))
            rows.append(_Row(names[image], numbers, kinds.get(kind, ""), f"annotation {number}", crowd))
    return _gathered(where, rows, problems)


def _by_id(where: str, listed: Any, key: str, name: str, problems: list[Problem]) -> dict[Any, str]:
    def good(each: Any) -> bool:
        return isinstance(each, dict) and isinstance(each.get("id"), int | str) and isinstance(each.get(name), str)

    if not isinstance(listed, list) or not all(map(good, listed)):
        problems.append(Problem(f"{where}, {key}", "something else", f"a list of objects with id and {name}"))
        return {}
    return {each["id"]: each[name] for each in listed}
