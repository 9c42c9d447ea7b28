"""Histograms of oriented gradients, in scikit-image's layout."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.cells import cells
from privis.features.feature import Array, Image, numbered, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.norms import Norms
from privis.program import Input, Kind, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

TIE = 1 / 1024  # radians; less than the angle between any two integer gradients of 8-bit images, see directions()
POLYNOMIAL_TIE = math.radians(0.7)  # enough to decide most gradients on the edge, little enough to move few others
CELL_RANGE = (0.0, 255 * math.sqrt(2))  # mean gradient magnitude of a cell, grey levels per pixel


class BlockNorm(Enum):
    """How the histograms of a block are normalised; scikit-image's names."""

    L1 = "L1"
    L1_SQRT = "L1-sqrt"
    L2 = "L2"
    L2_HYS = "L2-Hys"


@dataclass(frozen=True)
class HOG:
    """Histograms of oriented gradients: unsigned orientations in ``cell``-pixel cells, normalised in blocks of cells.

    Equals ``skimage.feature.hog`` on luma: every pixel votes with its gradient magnitude for one orientation. The
    orientation needs no angle: it lies between the two neighbouring directions on whose sides the gradient falls
    (signs of linear forms). ``size`` (height, width) in pixels resizes images first; None keeps them, and the length
    of the feature then depends on the image. Reference: Dalal and Triggs, 2005, doi:10.1109/CVPR.2005.177.

    The normalisation promises that no block is flat (``BLOCK_ENERGY``); ``broken_promises`` says where it is. Only
    polynomial forms need the promise.

    Args:
        orientations: bins of half a turn.
        cell: side of a cell in pixels.
        block: side of a block in cells.
        norm: how the histograms of a block are normalised.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image is smaller than a block.

    >>> HOG().program((64, 64)).output_shapes
    ((6, 6, 3, 3, 9),)
    """

    orientations: int = 9
    cell: int = 8
    block: int = 3
    norm: BlockNorm = BlockNorm.L2_HYS
    size: Size | None = None

    name: ClassVar[str] = "hog"
    identifier: ClassVar[str] = "privis.hog/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.norm, str) and self.norm in {norm.value for norm in BlockNorm}:
            message = f"HOG(norm={self.norm!r}) ends with the next version: say {BlockNorm(self.norm)}"
            warnings.warn(message, DeprecationWarning, stacklevel=3)
            object.__setattr__(self, "norm", BlockNorm(self.norm))
        problems = integer_problem("HOG.orientations", self.orientations, 2, 64)
        problems += integer_problem("HOG.cell", self.cell, 1)
        problems += integer_problem("HOG.block", self.block, 1)
        problems += size_problem("HOG.size", self.size, 3)
        if not isinstance(self.norm, BlockNorm):
            known = ", ".join(norm.value for norm in BlockNorm)
            problems.append(Problem("HOG.norm", repr(self.norm), f"a BlockNorm: {known}"))
        refuse_parameters(problems)

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to ``(block rows, block columns, block, block, orientations)``."""
        return self.cells_program(shape) >> self.blocks_program(shape)

    def cells_program(self, shape: Shape) -> Program:
        """The first half of the core: mean gradient magnitude per orientation and cell.

        Args:
            shape: (H, W) of the luma.

        Returns:
            ``(H, W)`` to ``(orientations, cell rows, cell columns)``.
        """
        self._check(shape)

        def histograms(x: Value) -> Value:
            gx, gy = gradient(x)
            magnitude = (gx * gx + gy * gy).sqrt((0.0, 2 * 255.0**2))
            votes = sector(gx, gy, self.orientations) * magnitude.reshape(1, *shape)
            return cells(votes, self.cell, self.cell).sum(3) * (1 / self.cell**2)

        def projected(x: Value) -> Value:
            return cells(projected_votes(x, self.orientations, self.cell**2), self.cell, self.cell).sum(3)

        return trace(lambda x: region("oriented_gradient_cells", histograms, x, polynomial=projected), Input(shape))

    def blocks_program(self, shape: Shape) -> Program:
        """The second half of the core: normalised blocks of cells.

        Args:
            shape: (H, W) of the luma, not of the cells.

        Returns:
            ``(orientations, cell rows, cell columns)`` to ``(block rows, block columns, block, block, orientations)``.
        """
        rows, columns = shape[0] // self.cell, shape[1] // self.cell

        def blocks(h: Value) -> Value:
            b = h >> ops.Window((self.block, self.block))
            b = b.transpose(1, 2, 3, 4, 0)
            flat = b.reshape(*b.shape[:2], -1)
            return normalise(flat, self.norm).reshape(*b.shape)

        declared = Input((self.orientations, rows, columns), *CELL_RANGE, step=None)
        return trace(lambda h: region("block_normalisation", blocks, h), declared)

    def after(self, values: Array) -> Array:
        """Flatten blocks (rows, columns, block, block, orientations) to a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: a block is of Euclidean length 1 at most, or of absolute sum 1 for ``L1``.

        The square roots of shares (``L1-sqrt``) have squares that add up to 1.
        """
        rows, columns, *block = self.program(shape).output_shapes[0]
        bound = Norms.of_blocks(rows * columns, math.prod(block))
        return Norms(float(rows * columns), bound.l2) if self.norm is BlockNorm.L1 else bound

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``hog_blockrow_blockcolumn_row_column_orientation``."""
        self._check(shape)
        return numbered("hog", self.blocks_program(shape).output_shapes[0])  # whose output is that of both halves

    def _check(self, shape: Shape) -> None:
        least = self.cell * self.block
        if min(shape) < max(least, 3):
            got = f"an image of {shape[0]}x{shape[1]} pixels"
            remedy = "pass size=(height, width), or a smaller cell or block"
            raise ParameterError(Problem("HOG", got, f"at least {least}x{least} pixels for one block", remedy))


def gradient(x: Value) -> tuple[Value, Value]:
    """``(H, W)`` to central differences along columns and rows, zero on the border: ``gx, gy``."""
    gy = (x[2:, :] - x[:-2, :]) >> ops.Pad(((1, 1), (0, 0)))
    gx = (x[:, 2:] - x[:, :-2]) >> ops.Pad(((0, 0), (1, 1)))
    return gx, gy


def directions(count: int) -> np.ndarray:
    """Edges of the orientation bins, in radians over half a turn.

    A gradient on an edge belongs to the bin that starts there. Integer gradients can only lie on multiples of an
    eighth of a turn (no other rational angle has a rational tangent): those edges are tilted back by ``TIE``, and
    which side a gradient is on never depends on rounding.
    """
    angles = np.arange(count) * np.pi / count
    return np.where(4 * np.arange(count) % count == 0, angles - TIE, angles)


def sector(gx: Value, gy: Value, count: int) -> Value:
    """``(count, H, W)``: 1 for the bin whose two edges have the gradient on different sides, else 0."""
    angles = directions(count)
    g = concat(gy.reshape(1, *gy.shape), gx.reshape(1, *gx.shape))
    side = g >> ops.Conv(np.stack([np.cos(angles), -np.sin(angles)], 1)[:, :, None, None])
    sign = 2.0 * side.compare(0.0, step=0.25, exact=False) - 1.0
    following = concat(sign[1:], -1.0 * sign[:1])  # half a turn on, the first edge has changed sides
    return 0.5 - 0.5 * (sign * following)


def projected_votes(x: Value, count: int, pixels: int) -> Value:
    """``(H, W)`` to votes ``(count, H, W)`` over ``pixels`` with one product after the signs, for polynomial forms.

    A bin lies between two edges: the comparisons with them differ by 1 in the bin, by -1 on its opposite side and not
    at all elsewhere. Times the gradient's projection on the bin's centre, that is a vote with the magnitude, up to a
    factor from ``cos(pi / (2 * count))`` to 1 (1.5 % for nine bins), and no root. A blur of comparisons touches
    gradients along an edge, half of which belong to either bin; but where integer gradients can lie on an edge, many
    do, and all belong to one: there the edge is tilted by ``POLYNOMIAL_TIE``.
    """
    angles = np.arange(count) * np.pi / count
    edges = np.where(4 * np.arange(count) % count == 0, angles - POLYNOMIAL_TIE, angles)
    centres = angles + np.pi / (2 * count)
    gx, gy = gradient(x)
    g = concat(gy.reshape(1, *gy.shape), gx.reshape(1, *gx.shape))
    side = g >> ops.Conv(np.stack([np.cos(edges), -np.sin(edges)], 1)[:, :, None, None])
    along = g >> ops.Conv(np.stack([np.sin(centres), np.cos(centres)], 1)[:, :, None, None] / pixels)
    beyond = side.compare(0.0, step=0.25, exact=False)
    following = concat(beyond[1:], 1.0 - beyond[:1])  # half a turn on, the first edge has changed sides
    return along * (beyond - following)


# Sum of squares of a block's cell means on which polynomial forms must hold: 45 natural images, flat patches excluded.
BLOCK_ENERGY = (50.0, 5e4)
BLOCK_SUM = (20.0, 1e3)


def normalise(x: Value, norm: BlockNorm) -> Value:
    """Normalise the last axis; the guards are scikit-image's."""
    match norm:
        case BlockNorm.L2:
            return x >> ops.Normalise(BLOCK_ENERGY, inside=1e-10)
        case BlockNorm.L2_HYS:
            unit = x >> ops.Normalise(BLOCK_ENERGY, inside=1e-10)
            return unit.clip(0.0, 0.2, (0.0, 1.0)) >> ops.Normalise((0.3, 1.0), inside=1e-10)
        case BlockNorm.L1 | BlockNorm.L1_SQRT:
            total = x.sum(-1, keep=True)
            share = x * (total >> ops.Nonlinear(Kind.RECIPROCAL, BLOCK_SUM, 1e-5))
            return share.sqrt((0.0, 1.0)) if norm is BlockNorm.L1_SQRT else share
