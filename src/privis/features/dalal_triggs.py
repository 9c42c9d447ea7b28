"""Histograms of oriented gradients, in OpenCV's layout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.feature import Array, Image, numbered, vector
from privis.features.hog import gradient
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import refuse_parameters, size_problem

BINS = 9
CELL = 8  # pixels
BLOCK = 16  # pixels; blocks overlap by half
CLIP = 0.2
BLOCK_ENERGY = (1e2, 2e7)  # sum of squares of a block's votes on natural images, flat patches excluded
BLOCK_ENERGY_ROOT = (1.0, 3e4)  # the same after the square root


@dataclass(frozen=True)
class DalalTriggsHOG:
    """Histograms of oriented gradients as in Dalal and Triggs: square-root gamma, interpolated votes, Gaussian window.

    The layout of ``cv2.HOGDescriptor``: 16-pixel blocks of 2x2 cells every 8 pixels, 9 unsigned orientations, block
    columns first. ``gamma`` takes the square root of luma first, as ``cv2.HOGDescriptor()`` does (its constructor with
    arguments does not). Deviation: a gradient votes with its coordinates in the basis of the two directions around it,
    10 degrees apart, which needs no angle, root or division; the two together are up to 0.4 % more than the magnitude,
    which OpenCV splits linearly in the angle. ``size`` (height, width) in pixels resizes images first; None keeps them.
    Reference: Dalal and Triggs, 2005, doi:10.1109/CVPR.2005.177.

    Args:
        size: (height, width) in pixels that images are resized to first; None: they keep their own.
        gamma: take square roots of luma first.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image is smaller than a block.

    >>> DalalTriggsHOG().program((128, 64)).output_shapes
    ((7, 15, 4, 9),)
    """

    size: Size | None = (128, 64)
    gamma: bool = True

    name: ClassVar[str] = "hog-opencv"
    identifier: ClassVar[str] = "privis.dalal-triggs-hog/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        refuse_parameters(size_problem("DalalTriggsHOG.size", self.size, BLOCK))

    def before(self, image: Image) -> Array:
        """Luma, uint8 ``(H, W)``, or its square root, float32: the owner's, so that the core has no root."""
        import cv2

        pixels = luma(image, self.size)
        return np.asarray(cv2.LUT(pixels, np.sqrt(np.arange(256, dtype=np.float32)))) if self.gamma else pixels

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to ``(block columns, block rows, cells, orientations)``; cells run down, then right."""
        if min(shape) < BLOCK:
            got, remedy = f"an image of {shape[0]}x{shape[1]} pixels", "pass size=(height, width)"
            raise ParameterError(Problem("DalalTriggsHOG", got, f"at least {BLOCK}x{BLOCK} pixels", remedy))

        energy = BLOCK_ENERGY_ROOT if self.gamma else BLOCK_ENERGY

        def histograms(x: Value) -> Value:
            gx, gy = gradient(x)
            windows = interpolated_votes(gx, gy) >> ops.Window((BLOCK, BLOCK), (CELL, CELL))
            flat = windows.reshape(*windows.shape[:3], BLOCK**2)
            h = (flat >> ops.Dense(cell_weights())).transpose(2, 1, 3, 0)
            return h.reshape(*h.shape[:2], 4 * BINS)

        def unit(h: Value) -> Value:
            clipped = (h >> ops.Normalise(energy, outside=0.1 * 4 * BINS)).clip(0.0, CLIP, (0.0, 1.0))
            return clipped >> ops.Normalise((0.1, 1.0), outside=1e-3)

        def descriptor(x: Value) -> Value:
            h = region("interpolated_gradient_blocks", histograms, x)
            return region("clipped_normalisation", unit, h).reshape(*h.shape[:2], 4, BINS)

        declared = Input(shape, 0.0, 16.0, step=None) if self.gamma else Input(shape)
        return trace(descriptor, declared)

    def after(self, values: Array) -> Array:
        """Flatten blocks (columns, rows, 4, 9) to a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: a block is of Euclidean length 1 at most."""
        columns, rows, *block = self.program(shape).output_shapes[0]
        return Norms.of_blocks(columns * rows, math.prod(block))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``hog_blockcolumn_blockrow_cell_orientation``."""
        return numbered("hog", self.program(shape).output_shapes[0])


def interpolated_votes(gx: Value, gy: Value) -> Value:
    """``(9, H, W)``: votes of each pixel for the orientations.

    Every other direction is a bin's centre; those between are the borders of two bins and vote for both by half.
    """
    votes = direction_votes(gx, gy, 2 * BINS)
    merge = np.zeros((BINS, 2 * BINS, 1, 1))
    for k in range(BINS):
        merge[k, 2 * k], merge[k, 2 * k - 1], merge[k, 2 * k + 1] = 1.0, 0.5, 0.5
    return votes >> ops.Conv(merge)


def direction_votes(gx: Value, gy: Value, count: int) -> Value:
    """``(count, H, W)``: coordinates of the gradient in the basis of the two directions around it.

    Directions lie at ``(k + 1) / count`` of half a turn. ``side_k`` is the cross product with direction ``k``; between
    directions k and k + 1 the coordinates are ``|side_{k+1}| / sin`` for k and ``|side_k| / sin`` for k + 1.
    """
    angles = (np.arange(count) + 1) * math.pi / count
    g = concat(gy.reshape(1, *gy.shape), gx.reshape(1, *gx.shape))
    side = g >> ops.Conv(np.stack([np.cos(angles), -np.sin(angles)], 1)[:, :, None, None])
    sign = 2.0 * side.compare(0.0, step=0.02, exact=False) - 1.0
    size = side * sign
    following = concat(sign[1:], -1.0 * sign[:1])
    between = 0.5 - 0.5 * (sign * following)
    after, before = np.roll(np.arange(count), -1), np.roll(np.arange(count), 1)
    scale = 1 / math.sin(math.pi / count)
    lower = between * (size >> ops.Gather(after, 0))
    upper = (between * size) >> ops.Gather(before, 0)
    return (lower + upper) * scale


def cell_weights() -> np.ndarray:
    """``(4, 256)``: bilinear weight of each pixel of a block in its four cells, times the Gaussian window."""
    pixel = np.arange(BLOCK)
    position = (pixel + 0.5) / CELL - 0.5
    cell = np.arange(BLOCK // CELL)
    bilinear = np.maximum(0.0, 1 - np.abs(position - cell[:, None]))
    sigma = BLOCK / 4
    window = np.exp(-((pixel - BLOCK / 2) ** 2) / (2 * sigma**2))
    weights = bilinear * window
    return np.einsum("xu,yv->xyvu", weights, weights).reshape(-1, BLOCK**2)
