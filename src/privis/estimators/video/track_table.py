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

from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable, replacing
from privis.tasks.tracking.tracks import COLUMNS, Tracks


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
