"""Boxes as a CSV table: one line for each, ``path,x,y,w,h,score,label``, in pixels of the upright picture.

Origin is the top left corner, x to the right, y down; a box may end between pixels. Pictures without boxes have no
line. A path that is not UTF-8 is written with ``\\xff``-like escapes.

Evolution of the format: columns keep their names and meanings; new ones go to the end, and readers pass over columns
that they do not know.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import replacing

COLUMNS = ("path", "x", "y", "w", "h", "score", "label")
_LISTED = 20
"""Bad lines that a message names."""


class BoxLine(NamedTuple):
    """One box of one picture.

    Args:
        path: of the picture.
        x: of the left side in pixels.
        y: of the upper side in pixels.
        w: width in pixels.
        h: height in pixels.
        score: the higher the surer; None where the table has none.
        label: what it is; empty where the table does not say.
    """

    path: str
    x: float
    y: float
    w: float
    h: float
    score: float | None = None
    label: str = ""


def write_boxes(lines: Iterable[BoxLine], file: IO[str]) -> None:
    """Write a table into an open text file.

    Args:
        lines: in order.
        file: opened with ``newline=""``.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        score = "" if line.score is None else f"{line.score:.6g}"
        path = line.path if line.path.isascii() else os.fsencode(line.path).decode("utf-8", "backslashreplace")
        writer.writerow([path, *(f"{side:.2f}" for side in line[1:5]), score, line.label])


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


def read_box_table(path: str | os.PathLike[str]) -> tuple[BoxLine, ...]:
    """Read a table, of Privis or of another program, that has at least ``path``, ``x``, ``y``, ``w`` and ``h``.

    Args:
        path: of the CSV file.

    Returns:
        One line for each box, in the order of the file.

    Raises:
        ParameterError: it cannot be read, lacks a column, or a number is none: all bad lines at once.
    """
    expected = f"a CSV table of boxes: {','.join(COLUMNS)}"
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            names: Sequence[str] = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, csv.Error) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise ParameterError(misfit(path, FileFormat.LIST, got, expected, "check the path")) from None
    if missing := [name for name in COLUMNS[:5] if name not in names]:
        raise ParameterError(misfit(path, FileFormat.LIST, f"no column {', '.join(missing)}", expected))
    lines, problems = [], []
    for number, row in enumerate(rows, 2):
        try:
            x, y, w, h = (float(row[name] or "") for name in ("x", "y", "w", "h"))
            score = float(row["score"]) if row.get("score") else None
            if not all(map(math.isfinite, (x, y, w, h, score or 0.0))) or min(w, h) < 0:
                raise ValueError
            lines.append(BoxLine(row["path"] or "", x, y, w, h, score, row.get("label") or ""))
        except ValueError:
            got = ",".join(str(row.get(name)) for name in COLUMNS[1:6])
            problems.append(Problem(f"{path} line {number}", got, "finite numbers, w and h not negative"))
    refuse(ParameterError, problems[:_LISTED])
    return tuple(lines)
