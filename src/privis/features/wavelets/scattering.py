"""The scattering transform: moduli of wavelet coefficients, averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.features.feature import Array, Image, vector
from privis.features.image_ops import Size, luma, luma_shape
from privis.features.norms import Norms
from privis.features.wavelets.morlet import averages, morlet
from privis.program import Input, Program, Value, concat, ops, region, trace
from privis.program.shapes import Shape
from privis.readings import ranges
from privis.validation import integer_problem, refuse_parameters, size_problem


@dataclass(frozen=True)
class Scattering:
    """Averages over ``2**scales`` pixels of an image, of its wavelet moduli, and of the wavelet moduli of those.

    Equals kymatio's ``Scattering2D(J=scales, L=angles)`` on luma 0..255 to 1e-5 of the largest pixel: ``angles`` Morlet
    wavelets at each of ``scales`` octaves, mirrored borders, paths in its order. The core's output is ``(paths, H //
    2**scales, W // 2**scales)`` in grey levels. ``size`` (height, width) in pixels resizes images first; None keeps
    them, and the length of the feature then depends on the image.

    Wavelets are spatial kernels cut where less than 1e-7 of their absolute sum is lost; those of a coarser resolution
    (three scales or more) reach around the whole image. The modulus is the square root of a sum of two squares, whose
    range is certain, so that a polynomial form always exists; near zero it errs by up to 0.93 % of the largest modulus.
    Reference: Bruna and Mallat, 2013, doi:10.1109/TPAMI.2012.230.

    Args:
        scales: octaves of wavelets; averages are over 2 ** scales pixels.
        angles: wavelets per octave.
        size: (height, width) in pixels that images are resized to first; None: they keep their own.

    Raises:
        ParameterError: a value is out of its range; from `program`, the image is smaller than 2 ** scales pixels.

    >>> Scattering(scales=2, angles=8).program((32, 32)).output_shapes
    ((81, 8, 8),)
    """

    scales: int = 2
    angles: int = 8
    size: Size | None = None

    name: ClassVar[str] = "scattering"
    identifier: ClassVar[str] = "privis.scattering/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = integer_problem("Scattering.scales", self.scales, 1, 8)
        problems += integer_problem("Scattering.angles", self.angles, 1, 64)
        problems += size_problem("Scattering.size", self.size, 1 if problems else 2**self.scales)
        refuse_parameters(problems)

    def before(self, image: Image) -> Array:
        """Return the luma of ``image`` as the core's input: uint8 (H, W)."""
        return luma(image, self.size)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape (H, W) of what `before` makes."""
        return luma_shape(image_shape, self.size)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to ``(paths, H // 2**scales, W // 2**scales)``."""
        least = 2**self.scales
        if min(shape) < least:
            got = f"an image of {shape[0]}x{shape[1]} pixels"
            remedy = "pass size=(height, width), or fewer scales"
            raise ParameterError(Problem("Scattering", got, f"at least {least}x{least} pixels", remedy))
        return trace(self._paths, Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten paths (paths, rows, columns) to a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector by the interval of each component, which the program's `privis.readings.ranges` gives."""
        program = self.program(shape)
        found = ranges(program)[program.outputs[0]]
        most = np.broadcast_to(np.maximum(np.abs(found.low), np.abs(found.high)), program.output_shapes[0])
        return Norms(float(most.sum()), float(np.sqrt((most * most).sum())))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``scattering_path_row_column``; a path lists the scale and angle of each wavelet: ``s0a3_s1a5``.

        >>> Scattering(scales=1, angles=2).names((2, 2))
        ('scattering_mean_0_0', 'scattering_s0a0_0_0', 'scattering_s0a1_0_0')
        """
        wavelets = [(s, a) for s in range(self.scales) for a in range(self.angles)]
        paths = ["mean", *(f"s{s}a{a}" for s, a in wavelets)]
        paths += [f"s{s}a{a}_s{t}a{b}" for s, a in wavelets for t, b in wavelets if t > s]
        rows, columns = (length // 2**self.scales for length in shape)
        return tuple(f"scattering_{p}_{r}_{c}" for p in paths for r in range(rows) for c in range(columns))

    def _paths(self, x: Value) -> Value:
        """Kymatio's cascade: a modulus is kept at its wavelet's resolution and convolved further there."""
        for axis in (0, 1):
            x = x >> ops.Gather(mirrored(x.shape[axis], self.scales), axis)
        torus = x.shape
        x = x.reshape(1, *torus)
        means, first, second = [self._average(x, 0, torus)], [], []
        for scale in range(self.scales):
            u = self._modulus(x, scale, 0, torus)
            first.append(self._average(u, scale, torus))
            u = u.reshape(self.angles, 1, *u.shape[-2:])
            finer = [
                self._average(self._modulus(u, coarser, scale, torus), coarser, torus)
                for coarser in range(scale + 1, self.scales)
            ]
            if finer:  # for one first wavelet: every second one, coarse scales last
                second.append(concat(*finer, axis=1))
        return concat(*means, *first, *(s.reshape(-1, *s.shape[-2:]) for s in second))

    def _modulus(self, x: Value, scale: int, level: int, torus: Shape) -> Value:
        """``(..., 1, M, N)`` at resolution ``2**-level`` to ``(..., angles, M', N')`` at ``2**-scale``."""
        kernel = morlet(scale, self.angles, (torus[0], torus[1]), level)
        stride = 2 ** (scale - level)
        quadrature = np.concatenate([kernel.taps.real, kernel.taps.imag])[:, None]
        axis = len(x.shape) - 2

        def modulus(x: Value) -> Value:
            x = x >> ops.Gather(kernel.rows(x.shape[-2], stride), axis)
            x = x >> ops.Gather(kernel.columns(x.shape[-1], stride), axis + 1)
            y = x >> ops.Conv(quadrature, (stride, stride))
            y = y.reshape(*y.shape[:-3], 2, self.angles, *y.shape[-2:])
            return (y * y).sum(-4).sqrt()

        return region("wavelet_modulus", modulus, x)

    def _average(self, x: Value, level: int, torus: Shape) -> Value:
        """``(..., M, N)`` at resolution ``2**-level`` to ``(..., H', W')`` at ``2**-scales``, mirrored border left out.

        One matrix per axis averages, subsamples and cuts off: far cheaper than a correlation with many channels.
        """
        order = (*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2)
        for length in (torus[1], torus[0]):
            x = (x >> ops.Dense(averages(self.scales, length, level))).transpose(*order)
        return x


def mirrored(length: int, scales: int) -> np.ndarray:
    """Pixels of an axis of ``length`` continued by mirroring until two more results fit at stride ``2**scales``."""
    step = 2**scales
    extra = (length // step + 2) * step - length
    return np.pad(np.arange(length), (extra // 2, (extra + 1) // 2), mode="reflect")
