"""Colour histograms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from privis.errors import Problem
from privis.features.feature import Array, Image, numbered, vector
from privis.features.image_ops import Size, colour, luma_shape, resize
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem


class ColourSpace(Enum):
    """Colour spaces, in OpenCV's 8-bit coding; hue runs from 0 to 179, every other channel from 0 to 255."""

    RGB = "rgb"
    HSV = "hsv"
    LAB = "lab"

    @property
    def levels(self) -> tuple[int, int, int]:
        """How many values each of the three channels can take."""
        return (180, 256, 256) if self is ColourSpace.HSV else (256, 256, 256)


@dataclass(frozen=True)
class ColourHistogram:
    """Histogram of the colours of an image, in pixels per bin, independent of the image's size.

    ``bins`` equal bins per channel. ``joint`` counts combinations (``bins ** 3`` components, first channel most
    significant), otherwise each channel is counted alone (``3 * bins``). ``density`` divides the counts by the
    number of pixels. ``size`` (height, width) in pixels resizes images first. Equals ``cv2.calcHist``. Grey images
    count as three equal channels. Reference: Swain and Ballard, "Color indexing", 1991, doi:10.1007/BF00130487.

    Args:
        space: colour space of the channels.
        bins: equal bins per channel.
        joint: count combinations: bins ** 3 components instead of 3 * bins.
        density: shares of the pixels instead of counts.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range.

    >>> histogram = ColourHistogram(bins=2)
    >>> histogram.names((3, 4, 4))
    ('r_0', 'r_1', 'g_0', 'g_1', 'b_0', 'b_1')
    """

    space: ColourSpace = ColourSpace.RGB
    bins: int = 16
    joint: bool = False
    density: bool = False
    size: Size | None = None

    name: ClassVar[str] = "colour"
    identifier: ClassVar[str] = "privis.colour-histogram/1"
    luma_only: ClassVar[bool] = False
    pixelwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        most = 64 if self.joint else 180
        problems = integer_problem("ColourHistogram.bins", self.bins, 2, most)
        if not isinstance(self.space, ColourSpace):
            problems.append(
                Problem("ColourHistogram.space", repr(self.space), f"a ColourSpace: {', '.join(map(str, ColourSpace))}")
            )
        problems += size_problem("ColourHistogram.size", self.size)
        refuse_parameters(problems)

    @property
    def counts(self) -> bool:
        """Whether the vector is counts: unless ``density`` divides them."""
        return not self.density

    def before(self, image: Image) -> Array:
        """Convert to the colour space: uint8 ``(3, H, W)``."""
        import cv2

        image = colour(resize(image, self.size))
        match self.space:
            case ColourSpace.HSV:
                image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), np.uint8)
            case ColourSpace.LAB:
                image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2Lab), np.uint8)
        return image.transpose(2, 0, 1)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (3, H, W) of what `before` makes."""
        return 3, *luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(3, H, W)`` to ``(3, bins)``, or to ``(bins ** 3,)`` when joint."""
        edges = tuple(bin_edges(levels, self.bins) for levels in self.space.levels)

        def joint(x: Value) -> Value:
            return x.reshape(3, -1) >> ops.Histogram(edges)

        def alike(x: Value) -> Value:
            return x.reshape(1, x.shape[0], -1) >> ops.Histogram(edges[-1:])

        def hue_apart(x: Value) -> Value:
            hue = x[:1].reshape(1, 1, -1) >> ops.Histogram(edges[:1])
            return concat(hue, alike(x[1:]))

        count = joint if self.joint else hue_apart if self.space is ColourSpace.HSV else alike
        return trace(lambda x: region("uniform_histogram", count, x), Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten counts, or their shares of the pixels, to a float32 vector."""
        counts = vector(values)
        pixels = counts.sum() / (1 if self.joint else 3)
        return counts / np.float32(pixels) if self.density else counts

    def traced_after(self, values: Value, shape: Shape) -> Value:
        """Write down what `after` computes: the number of pixels, which ``density`` divides by, is public.

        Args:
            values: output of the core, in a program that is being traced.
            shape: of the core's input.

        Returns:
            The vector, (components,).
        """
        counts = values.reshape(-1)
        return counts * (1.0 / (shape[-2] * shape[-1])) if self.density else counts

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every pixel counts once, or once per channel, and ``density`` divides by their number."""
        pixels = float(shape[-2] * shape[-1])
        return Norms.of_counts(1 if self.joint else 3, 1.0 if self.density else pixels)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``r_0 …`` per channel, or ``rgb_0_0_0 …`` when joint."""
        if self.joint:
            return numbered(self.space.value, (self.bins,) * 3)
        return tuple(f"{channel}_{i}" for channel in self.space.value for i in range(self.bins))


def bin_edges(levels: int, bins: int) -> tuple[float, ...]:
    """The first integer of each bin but the lowest, for integers ``0 … levels - 1`` in ``bins`` equal bins.

    >>> bin_edges(256, 3)
    (86.0, 171.0)
    """
    return tuple(float(-(-levels * k // bins)) for k in range(1, bins))
