"""Boxes as a CSV table: one line for each, ``path,x,y,w,h,score,label``, in pixels of the upright picture.

Origin is the top left corner, x to the right, y down; a box may end between pixels. Pictures without boxes have no
line. A path that is not UTF-8 is written with ``\\xff``-like escapes.

Evolution of the format: columns keep their names and meanings; new ones go to the end, and readers pass over columns
that they do not know.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

from privis.io.atomic import replacing

COLUMNS = ("path", "x", "y", "w", "h", "score", "label")


class BoxLine(NamedTuple):
    """One box of one picture.

    Args:
        path: of the picture.
        x: of the left side in pixels.
        y: of the upper side in pixels.
        w: width in pixels.
        h: height in pixels.
        score: the higher the surer.
        label: what it is.
    """

    path: str
    x: float
    y: float
    w: float
    h: float
    score: float
    label: str


def write_boxes(lines: Iterable[BoxLine], file: IO[str]) -> None:
    """Write a table into an open text file.

    Args:
        lines: in order.
        file: opened with ``newline=""``.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        path = line.path if line.path.isascii() else os.fsencode(line.path).decode("utf-8", "backslashreplace")
        writer.writerow([path, *(f"{side:.2f}" for side in line[1:5]), f"{line.score:.6g}", line.label])


def write_box_table(path: Path, lines: Iterable[BoxLine]) -> None:
    """Write a table that appears whole or not at all.

    Args:
        path: of the CSV file.
        lines: in order.

    Raises:
        OutputError: it cannot be written; an earlier file is untouched.
    """
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        write_boxes(lines, file)
