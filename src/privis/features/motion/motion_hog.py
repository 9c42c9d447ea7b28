"""Histograms of oriented gradients of what changed between two frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privis.features.feature import Array, Image, numbered, vector
from privis.features.hog import HOG, BlockNorm
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.motion.frame_stack import apart, frame_shape
from privis.features.norms import Norms
from privis.program import Input, Program, Value, trace
from privis.program.shapes import Shape
from privis.validation import refuse_parameters, size_problem


@dataclass(frozen=True)
class MotionHOG:
    """HOG of the difference of two frames: which edges moved, and in which orientation they lie.

    What stands still has no gradient there, whatever its texture. The difference is halved and lies around middle grey,
    so that it is an image like any other; blocks without motion are near 0, where `HOG` promises that none is flat:
    polynomial forms hold where something moves in every block. The image is two frames below each other. Reference:
    Dalal, Triggs and Schmid, "Human detection using oriented histograms of flow and appearance", 2006,
    doi:10.1007/11744047_33, which has flow in the place of the difference.

    Args:
        orientations: bins of half a turn.
        cell: side of a cell in pixels.
        block: side of a block in cells.
        norm: how the histograms of a block are normalised.
        size: (height, width) in pixels of the whole image that images are resized to first; its height is even; None:
            they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, an image that is no two frames.

    >>> MotionHOG().program((64, 32)).output_shapes
    ((3, 3, 2, 2, 9),)
    """

    orientations: int = 9
    cell: int = 8
    block: int = 2
    norm: BlockNorm = BlockNorm.L2_HYS
    size: Size | None = None

    name: ClassVar[str] = "motion-hog"
    identifier: ClassVar[str] = "privis.motion-hog/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True
    pixelwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        HOG(self.orientations, self.cell, self.block, self.norm)  # says what is wrong with its parameters
        refuse_parameters(size_problem("MotionHOG.size", self.size))

    @property
    def hog(self) -> HOG:
        """What reads the difference."""
        return HOG(self.orientations, self.cell, self.block, self.norm)

    def before(self, image: Image) -> Array:
        """Return the luma of both frames as the core's input: uint8 (2 H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (2 H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(2 H, W)`` to ``(block rows, block columns, block, block, orientations)``."""
        frame = frame_shape("MotionHOG", shape, 2)

        def difference(x: Value) -> Value:
            earlier, later = (apart(x, 2)[at] for at in (0, 1))
            return (later - earlier) * 0.5 + 127.5

        return trace(difference, Input(shape)) >> self.hog.program(frame)

    def after(self, values: Array) -> Array:
        """Flatten blocks (rows, columns, block, block, orientations) to a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector as `HOG` does."""
        return self.hog.largest_norms(frame_shape("MotionHOG", shape, 2))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``motion_hog_blockrow_blockcolumn_row_column_orientation``."""
        return numbered("motion_hog", self.program(shape).output_shapes[0])
