"""Energies of a Gabor filter bank."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.feature import Array, Image
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.norms import Norms
from privis.program import Input, Program, Value, concat, ops, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters, size_problem

SUPPORT = 3.0  # standard deviations at which filters are cut, as in scikit-image


@dataclass(frozen=True)
class Gabor:
    """Root mean square amplitude, in grey levels, of each filter of a Gabor bank in each cell of a ``grid``.

    A filter is a quadrature pair at one of ``frequencies`` (cycles per pixel) and of ``angles`` directions over half a
    turn, with a round Gaussian envelope of ``bandwidth`` octaves: ``skimage.filters.gabor_kernel``. Deviation: so much
    of the envelope is taken off the even filter that its mean is zero, so that brightness does not count.

    The core's output is the mean squared modulus ``(frequencies, angles, rows, columns)``: one correlation, one square
    and sums, hence a polynomial of degree 2 as it stands; the owner takes the root. Every filter is evaluated at the
    same pixels, every ``stride``-th of those where the largest lies inside the image; what does not fill a cell at the
    right and bottom is left out. ``size`` (height, width) in pixels resizes images first; the length does not depend on
    it. References: Daugman, 1985, doi:10.1364/JOSAA.2.001160; Manjunath and Ma, 1996, doi:10.1109/34.531803.

    Args:
        frequencies: of the filters, in cycles per pixel.
        angles: directions over half a turn.
        bandwidth: of the envelope, in octaves.
        grid: (rows, columns) of cells.
        stride: every so many pixels a filter is evaluated.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image is too small for the largest filter.

    >>> Gabor(frequencies=(0.2, 0.4), angles=4).program((64, 64)).output_shapes
    ((2, 4, 1, 1),)
    >>> Gabor().least  # pixels on each side
    35
    """

    frequencies: tuple[float, ...] = (0.1, 0.2, 0.4)
    angles: int = 8
    bandwidth: float = 1.0
    grid: tuple[int, int] = (1, 1)
    stride: int = 1
    size: Size | None = None

    name: ClassVar[str] = "gabor"
    identifier: ClassVar[str] = "privis.gabor/1"
    luma_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = _frequency_problems(self.frequencies)
        problems += integer_problem("Gabor.angles", self.angles, 1, 180)
        if not (isinstance(self.bandwidth, int | float) and 0.1 <= self.bandwidth <= 4):
            problems.append(Problem("Gabor.bandwidth", repr(self.bandwidth), "0.1 to 4 octaves"))
        if not (isinstance(self.grid, tuple) and len(self.grid) == 2):
            problems.append(Problem("Gabor.grid", repr(self.grid), "(rows, columns)"))
        else:
            problems += [p for length in self.grid for p in integer_problem("Gabor.grid", length, 1)]
        problems += integer_problem("Gabor.stride", self.stride, 1)
        problems += size_problem("Gabor.size", self.size, 1 if problems else self.least)
        refuse_parameters(problems)

    @property
    def least(self) -> int:
        """Side of the largest filter in pixels: smaller images are refused."""
        return 2 * max(map(self._radius, self.frequencies)) + 1

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to mean squared moduli ``(frequencies, angles, rows, columns)``."""
        positions = [(length - self.least) // self.stride + 1 for length in shape]
        height, width = (count // parts for count, parts in zip(positions, self.grid, strict=True))
        if height < 1 or width < 1:
            rows, columns = (self.least + (parts - 1) * self.stride for parts in self.grid)
            got, expected = f"an image of {shape[0]}x{shape[1]} pixels", f"at least {rows}x{columns} pixels"
            remedy = "pass size=(height, width), higher frequencies, a larger bandwidth or a smaller grid"
            raise ParameterError(Problem("Gabor", got, expected, remedy))
        return trace(lambda x: self._energies(x, height, width), Input(shape))

    def after(self, values: Array) -> Array:
        """Square roots, flat (a noisy mean below zero counts as zero)."""
        return np.sqrt(np.maximum(values, 0.0), dtype=np.float32).reshape(-1)

    def traced_after(self, values: Value, shape: Shape) -> Value:
        """Write down the square roots that `after` takes.

        Args:
            values: output of the core, in a program that is being traced.
            shape: of the core's input.

        Returns:
            The vector, (components,).
        """
        return values.sqrt().reshape(-1)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: filters have mean zero, so that none answers more than its absolute sum times 127.5."""
        cells = math.prod(self.grid)
        sums = []
        for frequency in self.frequencies:
            even, odd = np.split(self._quadrature(frequency)[:, 0], 2)
            sums.append(np.hypot(even, odd).sum((1, 2)))
        most = 127.5 * np.concatenate(sums)
        return Norms(cells * float(most.sum()), math.sqrt(cells * float((most**2).sum())))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``gabor_frequency_degrees_row_column``.

        >>> Gabor(frequencies=(0.25,), angles=2).names((64, 64))
        ('gabor_0.25_0_0_0', 'gabor_0.25_90_0_0')
        """
        cells = tuple(np.ndindex(*self.grid))
        directions = [180 * angle / self.angles for angle in range(self.angles)]
        return tuple(f"gabor_{f:g}_{d:g}_{r}_{c}" for f in self.frequencies for d in directions for r, c in cells)

    def _energies(self, x: Value, height: int, width: int) -> Value:
        """Mean squared moduli over cells of ``height`` by ``width`` positions."""
        rows, columns = self.grid
        reach = [(parts * cell - 1) * self.stride for parts, cell in ((rows, height), (columns, width))]

        def energy(frequency: float) -> Value:
            radius = self._radius(frequency)
            start = self.least // 2 - radius
            seen = x[start : start + reach[0] + 2 * radius + 1, start : start + reach[1] + 2 * radius + 1]
            y = seen.reshape(1, *seen.shape) >> ops.Conv(self._quadrature(frequency), (self.stride, self.stride))
            squares = (y * y).reshape(2, self.angles, rows, height, columns, width)
            return squares.sum(0, 3, 5).reshape(1, self.angles, rows, columns)

        return concat(*map(energy, self.frequencies)) * (1 / (height * width))

    def _deviation(self, frequency: float) -> float:
        """Standard deviation of the envelope in pixels: half amplitude is ``bandwidth`` octaves wide."""
        ratio = 2.0**self.bandwidth
        return math.sqrt(math.log(2) / 2) / math.pi * (ratio + 1) / (ratio - 1) / frequency

    def _radius(self, frequency: float) -> int:
        return max(1, math.ceil(SUPPORT * self._deviation(frequency)))

    def _quadrature(self, frequency: float) -> np.ndarray:
        """``(2 * angles, 1, side, side)``: the even filters, then the odd ones."""
        radius, deviation = self._radius(frequency), self._deviation(frequency)
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        filters = []
        for angle in np.pi * np.arange(self.angles) / self.angles:
            steepest = max(abs(math.cos(angle)), abs(math.sin(angle)))
            edge = math.ceil(max(SUPPORT * deviation * steepest, 1))  # oblique filters are cut more tightly
            inside = np.maximum(abs(x), abs(y)) <= edge
            envelope = inside * np.exp(-(x**2 + y**2) / (2 * deviation**2)) / (2 * math.pi * deviation**2)
            wave = envelope * np.exp(2j * math.pi * frequency * (x * math.cos(angle) + y * math.sin(angle)))
            filters.append(wave - wave.real.sum() / envelope.sum() * envelope)
        return np.concatenate([np.real(filters), np.imag(filters)])[:, None]


def _frequency_problems(frequencies: object) -> list[Problem]:
    expected = "a tuple of frequencies above 0.005 up to 0.5 cycles per pixel"
    good = isinstance(frequencies, tuple) and len(frequencies) > 0
    if good and all(isinstance(f, int | float) and 0.005 < f <= 0.5 for f in frequencies):  # type: ignore[union-attr]
        return []
    return [Problem("Gabor.frequencies", repr(frequencies), expected)]
