"""Tables of tracks as CSV: the columns of the MOT challenge, with their names in the first line.

``frame,id,x,y,w,h,score``: frames count from 1 in the order in which they are shown; x and y are the top left corner,
w and h the size, in pixels of the upright picture, of which the corner is (0, 0). Rows that were filled in between two
that were seen have the score 0.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from privis.errors import ParameterError, Problem
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import check_writable, replacing
from privis.tasks.tracking.tracks import COLUMNS, Tracks

LARGEST = 2.0**53
"""Beyond it floating-point numbers skip whole ones, and two ids would be one."""


class TrackWriter:
    """Writes rows as they are decided.

    Args:
        file: that is open for text.
    """

    def __init__(self, file: object) -> None:
        self._writer = csv.writer(file, lineterminator="\n")  # type: ignore[arg-type]
        self._writer.writerow(COLUMNS)
        self.rows = 0

    def add(self, tracks: Tracks) -> None:
        """Append rows to the table.

        Args:
            tracks: of later frames than those before.
        """
        for frame, person, box, score in zip(tracks.frames, tracks.ids, tracks.boxes, tracks.scores, strict=True):
            self._writer.writerow([frame, person, *(f"{side:.2f}" for side in box), f"{score:.3f}"])
        self.rows += len(tracks)


@contextmanager
def track_table(path: Path) -> Iterator[TrackWriter]:
    """Begin a table of tracks; it takes the place of ``path`` once all rows are written.

    Args:
        path: a file that ends in .csv.

    Yields:
        The writer.

    Raises:
        ParameterError: the name ends otherwise.
        OutputError: it could not be written; what was there is untouched.
    """
    if path.suffix.lower() not in (".csv", ".txt"):
        raise ParameterError(Problem(str(path), repr(path.suffix), "a name that ends in .csv or .txt"))
    check_writable(path)
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        yield TrackWriter(file)


def read_tracks(path: Path, rate: float) -> Tracks:
    """Read a table of tracks, of Privis or of the MOT challenge: without names, and with more columns.

    Args:
        path: of the table; where its first line has the names of the columns, in any order.
        rate: frames a second, as tables hold no times; the first frame is shown at 0.

    Returns:
        The tracks, by rising frame.

    Raises:
        ParameterError: it is no such table; the first row that does not fit is named.
    """
    rows: list[list[float]] = []
    order, lines = tuple(range(len(COLUMNS))), 0
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for number, words in enumerate(csv.reader(file), 1):
                names = [word.strip().lower() for word in words]
                lines += any(names)
                if number == 1 and set(COLUMNS) <= set(names):
                    order = tuple(map(names.index, COLUMNS))
                elif any(names):  # spreadsheets leave rows of commas
                    rows.append(_row(path, number, words, order))
    except OSError as error:
        raise ParameterError(misfit(path, FileFormat.UNKNOWN, str(error.strerror), "a table of tracks")) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(misfit(path, FileFormat.UNKNOWN, f"no text ({error})", "a table of tracks")) from None
    if not lines:
        raise ParameterError(misfit(path, FileFormat.UNKNOWN, "nothing", "a table of tracks, with names at least"))
    if not rows:
        return Tracks.none()
    values = np.array(sorted(rows, key=lambda row: row[0]))
    frames = values[:, 0].astype(np.int64)
    return Tracks(frames, values[:, 1].astype(np.int64), values[:, 2:6], values[:, 6], (frames - 1) / rate)


def _row(path: Path, number: int, words: list[str], order: tuple[int, ...]) -> list[float]:
    try:
        row = [float(words[place]) for place in order]
    except (ValueError, IndexError):
        row = []
    if (
        not row
        or not np.isfinite(row).all()
        or np.abs(row).max() > LARGEST
        or row[0] % 1
        or row[1] % 1
        or min(row[4:6]) < 0
    ):
        got = f"{path}, line {number}: {','.join(words)[:80]!r}"
        raise ParameterError(misfit(path, FileFormat.UNKNOWN, got, f"a table of numbers {','.join(COLUMNS)}"))
    return row
