"""Windows of training images: blocks of every level of the pyramid, kept, and vectors of single windows out of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.features.dalal_triggs import BINS
from privis.program import Program
from privis.program.shapes import Shape
from privis.tasks.detection.boxes import overlaps
from privis.tasks.detection.detection_model import Pixels
from privis.tasks.detection.trained_window import views_of_heights
from privis.tasks.detection.window_model import CHANNELS, WindowModel

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LevelBlocks:
    """Blocks of one level of one picture, and the boxes of the things that its windows stand for.

    Args:
        blocks: float16 (block rows, block columns, 36).
        boxes: float64 (windows, 4) in pixels of the picture, row by row.
        across: windows of a row.
    """

    blocks: npt.NDArray[np.float16] = field(repr=False)
    boxes: Floats = field(repr=False)
    across: int

    def vectors(self, places: Sequence[int] | npt.NDArray[np.integer[Any]], shape: tuple[int, int]) -> Vectors:
        """Vectors of some windows.

        Args:
            places: numbers of the windows.
            shape: (rows, columns) of blocks below a window.

        Returns:
            Float32 (windows, columns * rows * 36), block columns first, as `WindowModel` has its weights.
        """
        rows, columns = shape
        found = np.empty((len(places), columns, rows, CHANNELS), np.float32)
        for number, place in enumerate(places):
            top, left = divmod(int(place), self.across)
            found[number] = self.blocks[top : top + rows, left : left + columns].transpose(1, 0, 2)
        return found.reshape(len(places), columns * rows * CHANNELS)

    def scores(self, weights: Floats) -> Vectors:
        """Correlate the blocks with the weights of windows.

        Args:
            weights: (functions, block columns, block rows, 36).

        Returns:
            Float32 (windows, functions).
        """
        count, columns, rows, _ = weights.shape
        down, across = len(self.boxes) // self.across, self.across
        flat = self.blocks.astype(np.float32).reshape(-1, CHANNELS)
        products = flat @ weights.transpose(3, 1, 2, 0).reshape(CHANNELS, -1).astype(np.float32)
        each = products.reshape(*self.blocks.shape[:2], columns, rows, count)
        total = np.zeros((down, across, count), np.float32)
        for column in range(columns):
            for row in range(rows):
                total += each[row : row + down, column : column + across, column, row]
        return total.reshape(-1, count)


@dataclass(frozen=True, eq=False)
class TrainingPicture:
    """One picture that is trained on.

    Args:
        levels: of its pyramid.
        boxes: float64 (n, 4) of things in it.
        crowd: float64 (m, 4) of regions that are neither things nor background.
    """

    levels: tuple[LevelBlocks, ...] = field(repr=False)
    boxes: Floats
    crowd: Floats


@dataclass(frozen=True, eq=False)
class BlockReader:
    """Computes levels of pictures, with one prepared program for each shape of a view.

    Args:
        model: whose pyramid, window and margins are taken; its weights do not count.
        heights: least and largest height of things in pixels; levels of other things are left out.
        prepare: of an executor in the clear.
    """

    model: WindowModel
    heights: tuple[float, float]
    prepare: Callable[[Program], Callable[..., Any]] = field(repr=False)
    _prepared: dict[Shape, Callable[..., Any]] = field(default_factory=dict, repr=False)

    def levels(self, image: Pixels) -> tuple[LevelBlocks, ...]:
        """Compute the levels of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Those that can show things of the heights, largest first.
        """
        found = []
        for view in views_of_heights(self.model, image.shape, self.heights):
            run = self._prepared.get(view.shape)
            if run is None:
                run = self._prepared[view.shape] = self.prepare(self.model.feature.program(view.shape))
            raw = np.asarray(run(self.model.before(image, view)))
            columns, rows = raw.shape[:2]
            blocks = raw.reshape(columns, rows, CHANNELS).transpose(1, 0, 2).astype(np.float16)
            below_rows, below_columns = self.model.blocks
            for placed in self.model.places((rows - below_rows + 1, columns - below_columns + 1), view):
                across, down = placed.columns.stop - placed.columns.start, placed.rows.stop - placed.rows.start
                top, left = placed.rows.start, placed.columns.start
                own = blocks[top : top + down + below_rows - 1, left : left + across + below_columns - 1]
                boxes = view.to_picture(self.model.margins.inside(placed.windows), placed.copy).boxes
                found.append(LevelBlocks(np.ascontiguousarray(own), boxes, across))
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Mirror:
    """What mirroring a picture does to the vector of a window, so that a thing and its mirror image count alike.

    A convex training on windows and their mirror images has weights that are their own mirror image: it is the same as
    training on the *even parts* of the windows alone, half as long. Shifts across are odd. Blocks of a mirrored
    picture are those of the picture up to half a pixel, by which the Gaussian window of a block is off its middle.

    Args:
        shape: (rows, columns) of blocks below a window.

    >>> Mirror((1, 1)).partner[:3].tolist()  # cells run down, then right; orientations turn around
    [26, 25, 24]
    """

    shape: tuple[int, int]

    @property
    def partner(self) -> npt.NDArray[np.int64]:
        """Number of the component that each becomes (columns * rows * 36,)."""
        rows, columns = self.shape
        cells, orientations = np.arange(4) ^ 2, np.arange(BINS)[::-1]
        channels = (cells[:, None] * BINS + orientations).ravel()
        numbers = np.arange(columns * rows * CHANNELS).reshape(columns, rows, CHANNELS)
        return numbers[::-1][:, :, channels].ravel()

    def part(self, vectors: Vectors, sign: int) -> Vectors:
        """The even or odd part of windows.

        Args:
            vectors: (windows, components).
            sign: 1 for the even part, -1 for the odd one.

        Returns:
            Float32 (windows, components / 2 or a few more), in which lengths are those of the part.
        """
        first, second, factor = self._pairs()
        return (vectors[:, first] + np.float32(sign) * vectors[:, second]) * factor

    def weights(self, reduced: npt.ArrayLike, sign: int) -> Floats:
        """Weights of whole vectors, from those of a part.

        Args:
            reduced: (components / 2,) or a few more.
            sign: as in `part`.

        Returns:
            Float64 (components,), their own mirror image, or for -1 its negative.
        """
        first, second, factor = self._pairs()
        scaled = np.asarray(reduced, np.float64) * factor
        whole = np.zeros(len(self.partner))
        np.add.at(whole, first, scaled)
        np.add.at(whole, second, sign * scaled)
        return whole

    def _pairs(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Vectors]:
        partner = self.partner
        first = np.flatnonzero(np.arange(len(partner)) <= partner)
        factor = np.where(partner[first] == first, 0.5, np.sqrt(0.5)).astype(np.float32)
        return first, partner[first], factor


def most_overlap(boxes: Floats, things: Floats) -> Floats:
    """Largest intersection over union of each box with any thing.

    Args:
        boxes: (n, 4).
        things: (m, 4).

    Returns:
        Float64 (n,); zeros where there is nothing.
    """
    return overlaps(boxes, things).max(axis=1) if len(things) else np.zeros(len(boxes))
