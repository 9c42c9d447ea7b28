"""Which cells of a grid over the picture people stood in: the exact form of a heat map that can be released."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, refuse
from privis.tasks.tracking.tracks import Tracks
from privis.validation import keep_whole, positive_number, whole_number

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CellGrid:
    """Equal cells over a picture, numbered from 0 along rows, from the top left.

    Args:
        columns: of cells.
        rows: of cells.
        width: of the picture in pixels.
        height: of the picture in pixels.

    Raises:
        ParameterError: naming all bad parameters.

    >>> CellGrid(columns=4, rows=3, width=640, height=480).numbers([[0, 0], [639, 0], [320, 479]]).tolist()
    [0, 3, 10]
    """

    columns: int
    rows: int
    width: float
    height: float

    def __post_init__(self) -> None:
        problems = whole_number("CellGrid.columns", self.columns) + whole_number("CellGrid.rows", self.rows)
        problems += positive_number("CellGrid.width", self.width) + positive_number("CellGrid.height", self.height)
        refuse(ParameterError, problems)
        keep_whole(self, "columns")
        keep_whole(self, "rows")

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.columns * self.rows

    def numbers(self, points: npt.ArrayLike) -> Integers:
        """Number the cells that points lie in; a point beyond the picture is in the nearest cell.

        Args:
            points: (n, 2), x and y in pixels.

        Returns:
            (n,).
        """
        x, y = np.asarray(points, np.float64).reshape(-1, 2).T
        column = np.clip(np.floor(x * self.columns / self.width), 0, self.columns - 1)
        row = np.clip(np.floor(y * self.rows / self.height), 0, self.rows - 1)
        return (row * self.columns + column).astype(np.int64)


class CellLog:
    """Collects who stood in which cell while tracks come in; memory holds each cell of a person once.

    Args:
        grid: over the picture that the tracks are of.

    >>> log = CellLog(CellGrid(2, 1, 100, 100))
    >>> log.add(Tracks([1, 2, 2], [1, 1, 2], [[10, 0, 20, 50], [70, 0, 20, 50], [0, 0, 20, 50]], [1.0] * 3, [0, 1, 1]))
    >>> [numbers.tolist() for numbers in log.sightings()], log.counts().tolist()
    ([[0, 0, 1], [1, 2, 1]], [[2, 1]])
    """

    def __init__(self, grid: CellGrid) -> None:
        self._grid = grid
        self._seen: set[tuple[int, int]] = set()

    def add(self, tracks: Tracks) -> None:
        """Take in rows.

        Args:
            tracks: of the video.
        """
        self._seen |= set(zip(self._grid.numbers(tracks.feet).tolist(), tracks.ids.tolist(), strict=True))

    def sightings(self) -> tuple[Integers, Integers]:
        """Give every cell with everybody who stood in it: cells (n,) and ids (n,), by rising cell and id."""
        ordered = np.array(sorted(self._seen), np.int64).reshape(-1, 2)
        return ordered[:, 0], ordered[:, 1]

    def counts(self) -> Integers:
        """Count the different people in every cell (rows, columns); exact, so they hide nobody."""
        cells, _ = self.sightings()
        return np.bincount(cells, minlength=self._grid.cells).reshape(self._grid.rows, self._grid.columns)
