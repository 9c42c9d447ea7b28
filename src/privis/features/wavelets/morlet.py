"""The Morlet filter bank of the scattering transform, as spatial kernels on a torus.

Filters follow kymatio: a Gaussian of ``0.8 * 2**j`` pixels, carrier ``3 pi / 4 / 2**j`` radians per pixel, ``angles``
directions, slant ``4 / angles``; a filter used at a coarser resolution is cut there in the Fourier domain.
M. Andreux et al., "Kymatio: scattering transforms in Python", JMLR 21(60), 2020, arXiv:1812.11214.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TAIL = 1e-7  # largest sum of |taps| that may be cut off: a pixel of 255 then changes a response by 3e-5 at most
PI = 3.1415  # kymatio's value in its normalisation; with the true one the average of an image would differ by 3e-5
SUPPORT = 9.0  # standard deviations after which a Gaussian is below 3e-18

Complex = NDArray[np.complexfloating]


@dataclass(frozen=True, eq=False)
class PeriodicKernel:
    """Correlation taps on a torus: tap ``[..., i, j]`` meets the pixel ``first + (i, j)`` away from the result."""

    taps: Complex
    first: tuple[int, int]

    def rows(self, length: int, stride: int) -> NDArray[np.integer]:
        """Rows of a torus of ``length`` that a valid correlation reads for results at 0, stride, 2 stride …"""
        return np.arange(self.first[0], self.first[0] + length - stride + self.taps.shape[-2]) % length

    def columns(self, length: int, stride: int) -> NDArray[np.integer]:
        """Return the columns that the kernel reads, as ``rows`` does the rows."""
        return np.arange(self.first[1], self.first[1] + length - stride + self.taps.shape[-1]) % length


def morlet(scale: int, angles: int, shape: tuple[int, int], level: int = 0) -> PeriodicKernel:
    """Return the ``angles`` wavelets of ``scale`` for a torus of ``shape`` pixels, subsampled ``level`` times by 2."""
    first = int(angles / 2 - 1)  # their order starts near the vertical
    filters = [_morlet(scale, (first - angle) * math.pi / angles, angles, shape) for angle in range(angles)]
    spectrum = np.fft.fft2(np.stack(filters)).real
    return _truncate(np.fft.ifft2(_cut(_cut(spectrum, level, -2), level, -1)))


def averages(scales: int, length: int, level: int) -> NDArray[np.floating]:
    """Return the matrix that averages an axis of ``length >> level`` pixels at each ``2**(scales - level)``-th one.

    The Gaussian is separable. The first and the last average lie in the mirrored border and are left out.
    """
    deviation, stride = 0.8 * 2 ** (scales - 1), 2 ** (scales - level)
    at = np.arange(-math.ceil(SUPPORT * deviation), math.ceil(SUPPORT * deviation) + 1)
    circle = np.zeros(length)
    np.add.at(circle, at % length, np.exp(-(at**2) / (2 * deviation**2)) / math.sqrt(2 * PI * deviation**2))
    weights = np.fft.ifft(_cut(np.fft.fft(circle).real, level, 0)).real
    weights[np.abs(weights) < TAIL / length] = 0.0
    pixel = np.arange(len(weights))
    return weights[(pixel[stride:-stride:stride, None] - pixel) % len(weights)]


def _morlet(scale: int, theta: float, angles: int, shape: tuple[int, int]) -> Complex:
    """A Gabor filter minus so much of its envelope that its mean is zero, folded onto the torus."""
    deviation, slant = 0.8 * 2**scale, 4.0 / angles
    reach = math.ceil(SUPPORT * deviation / min(slant, 1.0))
    at = np.arange(-reach, reach + 1)
    along = at[:, None] * math.cos(theta) + at * math.sin(theta)
    across = at * math.cos(theta) - at[:, None] * math.sin(theta)
    envelope = np.exp(-(along**2 + (slant * across) ** 2) / (2 * deviation**2)) * slant / (2 * PI * deviation**2)
    wave = envelope * np.exp(0.75j * math.pi / 2**scale * along)
    torus = np.zeros(shape, complex)
    np.add.at(torus, np.ix_(at % shape[0], at % shape[1]), wave - wave.sum() / envelope.sum() * envelope)
    return torus


def _cut(spectrum: NDArray[np.floating], level: int, axis: int) -> NDArray[np.floating]:
    """Keep the lowest ``1 / 2**level`` of the frequencies of one axis (of the Nyquist pair, the negative one)."""
    kept = spectrum.shape[axis] >> level
    return np.concatenate(
        [
            spectrum.take(range(kept // 2), axis),
            spectrum.take(range(spectrum.shape[axis] - kept + kept // 2, spectrum.shape[axis]), axis),
        ],
        axis,
    )


def _truncate(kernel: Complex) -> PeriodicKernel:
    """Turn convolution kernels ``(..., M, N)`` on a torus into correlation taps without their negligible tails."""
    rows, columns = _kept(kernel, -2), _kept(kernel, -1)
    taps = kernel[..., -rows % kernel.shape[-2], :][..., -columns % kernel.shape[-1]]
    return PeriodicKernel(taps, (int(rows[0]), int(columns[0])))


def _kept(kernel: Complex, axis: int) -> NDArray[np.integer]:
    """Offsets along ``axis`` that hold all but ``TAIL / 2`` of every kernel; the whole circle if they must."""
    length = kernel.shape[axis]
    weight = np.abs(kernel).sum(-1 if axis == -2 else -2).reshape(-1, length).max(0)
    distance = np.minimum(np.arange(length), length - np.arange(length))
    for reach in range((length - 1) // 2):
        if weight[distance > reach].sum() <= TAIL / 2:
            return np.arange(-reach, reach + 1)
    return np.arange(length) - length // 2
