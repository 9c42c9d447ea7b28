"""How numbers of a network stand for boxes, decoded to corners in pixels of its input; pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from privis.tasks.detection.boxes import Floats

LARGEST_EXPONENT = 20.0
"""Of a size: no picture has a box of e^20 cells, and nothing overflows."""
Size = tuple[int, int]


class BoxEncoding(Enum):
    """What the four numbers of a box are."""

    CENTRE = "centre and size in pixels"
    """x and y of the centre, width and height, in pixels of the input."""
    CORNERS = "corners in pixels"
    """Left, top, right and bottom, in pixels of the input."""
    CORNER_SHARES = "corners as shares of the sides"
    """Left, top, right and bottom, of the input's width and height."""
    CELL_OFFSETS = "offsets in cells and logarithms of sizes"
    """Of the cell's upper left corner, in cells: YOLOX before its decoding. Reference: arXiv:2107.08430."""
    BOUNDED_OFFSETS = "tanh of offsets in cells and sigmoid of sizes"
    """Offsets of the centre in cells, sizes as shares of the input: FastestDet."""
    PRIOR_OFFSETS = "offsets from priors"
    """Of the centre and of the logarithms of the sides, in sizes of priors times variances: SSD. Reference: Liu et al.,
    2016, doi:10.1007/978-3-319-46448-0_2."""


@dataclass(frozen=True)
class PriorGrid:
    """Priors of one grid of an SSD.

    Args:
        cells: of the grid, across and down.
        step: of the grid in pixels of the input.
        smallest: side of the small square, in pixels.
        largest: the large square has the geometric mean of this and ``smallest`` as its side.
        ratios: of width to height of further boxes with the small square's area; each stands for its inverse, too.
    """

    cells: int
    step: float
    smallest: float
    largest: float
    ratios: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many priors it has."""
        return self.cells**2 * (2 + 2 * len(self.ratios))


def prior_boxes(grids: tuple[PriorGrid, ...], side: int) -> Floats:
    """All priors of an SSD, cell after cell and grid after grid.

    Args:
        grids: from fine to coarse.
        side: of the square input in pixels.

    Returns:
        (priors, 4): x and y of the centre, width and height as shares of the side, within [0, 1].

    >>> prior_boxes((PriorGrid(1, 300, 75, 300, ()),), 300).tolist()
    [[0.5, 0.5, 0.25, 0.25], [0.5, 0.5, 0.5, 0.5]]
    """
    parts = []
    for grid in grids:
        y, x = np.mgrid[: grid.cells, : grid.cells].reshape(2, -1)
        centres = (np.stack([x, y], 1) + 0.5) * grid.step
        large = np.sqrt(grid.smallest * grid.largest)
        sides = [(grid.smallest, grid.smallest), (large, large)]
        for root in np.sqrt(grid.ratios):
            sides += [(grid.smallest * root, grid.smallest / root), (grid.smallest / root, grid.smallest * root)]
        own = np.concatenate([np.repeat(centres, len(sides), 0), np.tile(sides, (len(centres), 1))], 1)
        parts.append(own / side)
    return np.concatenate(parts).clip(0, 1)


def cells_of(size: Size, strides: tuple[int, ...]) -> list[Size]:
    """Rows and columns of the grids of an input.

    Args:
        size: (height, width) of the input in pixels.
        strides: of the grids in pixels.

    Returns:
        (rows, columns) of each.

    >>> cells_of((64, 96), (8, 16, 32))
    [(8, 12), (4, 6), (2, 3)]
    """
    return [(-(-size[0] // stride), -(-size[1] // stride)) for stride in strides]


def cell_places(size: Size, strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Where the cells of all grids are, row after row and grid after grid.

    Args:
        size: (height, width) of the input in pixels.
        strides: of the grids in pixels.

    Returns:
        Column and row of each cell (cells, 2), and its stride in pixels (cells, 1).
    """
    places, steps = [], []
    for (rows, columns), stride in zip(cells_of(size, strides), strides, strict=True):
        y, x = np.mgrid[:rows, :columns].reshape(2, -1)
        places.append(np.stack([x, y], 1).astype(np.float64))
        steps.append(np.full((rows * columns, 1), float(stride)))
    return np.concatenate(places), np.concatenate(steps)


def corners_of(
    numbers: npt.ArrayLike,
    encoding: BoxEncoding,
    size: Size,
    *,
    strides: tuple[int, ...] = (),
    priors: Floats | None = None,
    variances: tuple[float, float] = (0.1, 0.2),
) -> Floats:
    """Turn the numbers of boxes into corners in pixels of the input.

    Args:
        numbers: (boxes, 4).
        encoding: what they are.
        size: (height, width) of the network's input in pixels.
        strides: of the grids in pixels, where boxes belong to cells.
        priors: (boxes, 4) as of `prior_boxes`, where boxes belong to priors.
        variances: of offsets and of logarithms of sizes, where boxes belong to priors.

    Returns:
        (boxes, 4): left, top, right and bottom in pixels of the input; not finite where the numbers are not.

    >>> corners_of([[32, 16, 20, 10]], BoxEncoding.CENTRE, (64, 64)).tolist()
    [[22.0, 11.0, 42.0, 21.0]]
    """
    values = np.asarray(numbers, np.float64).reshape(-1, 4)
    sides = np.array([size[1], size[0]], np.float64)
    if encoding is BoxEncoding.CORNERS:
        return values
    if encoding is BoxEncoding.CORNER_SHARES:
        return values * np.concatenate([sides, sides])
    centres, lengths = values[:, :2], values[:, 2:]
    if encoding is BoxEncoding.CELL_OFFSETS:
        places, steps = cell_places(size, strides)
        centres, lengths = (places + centres) * steps, steps * _exp(lengths)
    elif encoding is BoxEncoding.BOUNDED_OFFSETS:
        places, _ = cell_places(size, strides)
        centres = (places + np.tanh(centres)) * sides / np.array(cells_of(size, strides)[0][::-1])
        lengths = sides * 0.5 * (1 + np.tanh(0.5 * lengths))
    elif encoding is BoxEncoding.PRIOR_OFFSETS:
        assert priors is not None
        centres = (priors[:, :2] + variances[0] * centres * priors[:, 2:]) * sides
        lengths = priors[:, 2:] * _exp(variances[1] * lengths) * sides
    return np.concatenate([centres - lengths / 2, centres + lengths / 2], 1)


def _exp(values: Floats) -> Floats:
    return np.exp(np.minimum(values, LARGEST_EXPONENT))
