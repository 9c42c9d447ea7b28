"""Grids of blocks cut into tiles of one shape: one program with one pair of keys scores pictures of all sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.features.dalal_triggs import CELL
from privis.program import Input, Program, ops, trace
from privis.tasks.detection.detection_model import PictureView
from privis.tasks.detection.hidden_windows import reached
from privis.tasks.detection.trained_window import TrainedWindowModel
from privis.tasks.detection.window_model import CHANNELS, WindowModel

Array = npt.NDArray[Any]
LEAST_SIDE = 32
"""Blocks along a side of a tile at least, where pictures are as large: powers of two fill ciphertexts."""


@dataclass(frozen=True, eq=False)
class WindowTiles:
    """The windows of all views of a picture, scored tile by tile by one linear program.

    Tiles overlap by a window less a block, so that every window lies in one. Blocks stand channel by channel, as a
    correlation on ciphertexts wants them: it then takes a quarter of the time.

    Args:
        model: a linear model of windows.
        views: of pictures of one size, at least one.

    >>> model = WindowModel(np.zeros(3780), 0.5, "person")
    >>> tiles = WindowTiles(model, model.views((240, 320)))
    >>> tiles.program.inputs[0].shape, tiles.program.output_shapes
    ((36, 32, 32), ((1, 18, 26),))
    """

    model: WindowModel | TrainedWindowModel
    views: tuple[PictureView, ...]

    @property
    def windows(self) -> WindowModel:
        """What scores windows."""
        return self.model.windows if isinstance(self.model, TrainedWindowModel) else self.model

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """What of each view windows reach, (height, width) in pixels."""
        return tuple(reached(view, self.windows.window) for view in self.views)

    @cached_property
    def side(self) -> tuple[int, int]:
        """Rows and columns of blocks of a tile."""
        sides = []
        for axis, own in enumerate(self.windows.blocks):
            largest = max(shape[axis] // CELL - 1 for shape in self.shapes)
            sides.append(min(max(LEAST_SIDE, _power(2 * own)), _power(largest)))
        return sides[0], sides[1]

    @property
    def count(self) -> int:
        """How many tiles a picture has."""
        return sum(1 for shape in self.shapes for _ in self._places(self._grid(shape)))

    @property
    def scores(self) -> int:
        """How many windows a picture has."""
        return sum(rows * columns for rows, columns in map(self._grid, self.shapes))

    @cached_property
    def program(self) -> Program:
        """From the blocks of a tile, (36, rows, columns), to (numbers, rows, columns) of its windows."""
        kernels, bias = self.windows.weights.transpose(2, 1, 0)[None], np.array([self.windows.bias])
        if isinstance(self.model, TrainedWindowModel):
            regression = self.model.regression
            moves = regression.weights.reshape(4, *self.windows.weights.shape).transpose(0, 3, 2, 1)
            kernels, bias = np.concatenate([kernels, moves]), np.concatenate([bias, regression.bias])
        declared = Input((CHANNELS, *self.side), 0.0, 1.0, None)
        return trace(lambda blocks: (blocks >> ops.Conv(kernels)) >> ops.Affine(1.0, bias[:, None, None]), declared)

    def cut(self, blocks: Sequence[Array]) -> Iterator[Array]:
        """Make the inputs of the program, at the owner of the picture.

        Args:
            blocks: of each view, cut to ``shapes``: (columns, rows, 4, 9).

        Yields:
            (36, rows, columns) of each tile; zeros where a view ends.
        """
        for each in blocks:
            grid = each.reshape(*each.shape[:2], CHANNELS).transpose(2, 1, 0)
            rows, columns = (side - own + 1 for side, own in zip(grid.shape[1:], self.windows.blocks, strict=True))
            for top, left in self._places((rows, columns)):
                part = grid[:, top : top + self.side[0], left : left + self.side[1]]
                tile = np.zeros((CHANNELS, *self.side), np.float32)
                tile[:, : part.shape[1], : part.shape[2]] = part
                yield tile

    def joined(self, outputs: Sequence[Array]) -> list[Array]:
        """Put what the program gave for each tile together.

        Args:
            outputs: in the order of ``cut``.

        Returns:
            For every view what the model's ``decode`` reads; minus infinity where no window was.
        """
        found, after = [], iter(outputs)
        numbers, *most = self.program.output_shapes[0]
        for view, shape in zip(self.views, self.shapes, strict=True):
            rows, columns = self._grid(shape)
            whole = [side // CELL - own for side, own in zip(view.shape, self.windows.blocks, strict=True)]
            values = np.full((numbers, *whole), -np.inf)
            for top, left in self._places((rows, columns)):
                down, across = min(most[0], rows - top), min(most[1], columns - left)
                values[:, top : top + down, left : left + across] = next(after)[:, :down, :across]
            found.append(values if isinstance(self.model, TrainedWindowModel) else values[0])
        return found

    def _grid(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of windows."""
        rows, columns = (side // CELL - own for side, own in zip(shape, self.windows.blocks, strict=True))
        return rows, columns

    def _places(self, grid: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """First row and column of each tile."""
        down, across = (side - own + 1 for side, own in zip(self.side, self.windows.blocks, strict=True))
        return ((top, left) for top in range(0, grid[0], down) for left in range(0, grid[1], across))


def _power(number: int) -> int:
    """The power of two that holds a number."""
    return 1 << (number - 1).bit_length()
