"""Taking known noise off an image again before a feature is extracted from it.

What it gives back: accuracy in per cent of a ridge classifier on HOG, trained and tested on noised images, mean of 3
release keys (standard deviations 0.2 to 4.5), ``python -m benchmarks.denoising``. MNIST with 2,000 training images |
Fashion-MNIST with 500:

===============  ====  ====  ====  ====  ======  =  ====  ====  ====  ====  ======
pixel epsilon    0.5   1     4     16    4, 4x4  |  0.5   1     4     16    4, 4x4
===============  ====  ====  ====  ====  ======  =  ====  ====  ====  ====  ======
as released      11.6  19.7  81.4  92.4  39.6    |   9.8  18.5  56.8  73.8  33.8
Wiener           18.6  46.5  88.1  93.7  37.6    |  28.7  47.2  68.2  76.3  41.7
wavelet          21.9  44.1  88.9  93.2  34.7    |  30.7  45.8  73.2  76.8  42.7
non-local means  15.3  30.7  89.2  93.3  36.6    |  27.3  38.5  69.7  77.2  37.5
===============  ====  ====  ====  ====  ======  =  ====  ====  ====  ====  ======

"4, 4x4" hides 16 pixels in 4 x 4 blocks. There a digit's strokes are thinner than a block, and smoothing costs MNIST
two to five points: leave it out. The epsilons are those of 1 or 16 pixels; a whole image's are tens to hundreds of
times larger.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Image, core_shape
from privis.features.image_ops import resized_shape
from privis.features.preprocessing.preprocessed import Preprocessed
from privis.program.shapes import Shape
from privis.validation import integer_problem

WHITE = 255
CONTRAST = 64.0  # standard deviation of an image's pixels in grey levels, as public as 1/f: natural ones have 40 to 80
ROUNDING = 1e-9  # variance below which there is no noise to take off
NO_NOISE = 1e-6  # a scale that moves no pixel, instead of a division by zero
Plane = NDArray[np.float64]


class NoiseLaw(Enum):
    """The distribution of the noise; the values are the mechanisms that a ``Guarantee`` names."""

    LAPLACE = "discrete Laplace"
    GAUSSIAN = "rounded Gaussian"


@dataclass(frozen=True)
class PixelNoise:
    """What is public about the noise on a released image.

    The scale is that of the distribution (b of Laplace, sigma of Gaussian) *before* the release clamps to 0..255, for
    one block of ``block`` x ``block`` pixels: ``guarantee.scale * guarantee.step``. Smaller blocks at the right and
    lower border have more noise than this says. Nothing here is measured on an image.

    Args:
        law: distribution of the noise.
        scale: b of Laplace or sigma of Gaussian noise, in grey levels, before clamping.
        block: side in pixels of the blocks that noise was added to.

    Raises:
        ParameterError: naming all that is wrong.

    >>> from privis.privacy import Laplace, PixelRelease, Pixels
    >>> release = PixelRelease(Laplace(4.0), Pixels(1))
    >>> guarantee = release.guarantee((28, 28))
    >>> noise = PixelNoise(NoiseLaw(guarantee.mechanism), guarantee.scale * guarantee.step, release.block)
    >>> noise.law, round(noise.deviation, 1), noise.released_mean[[0, 255]].round(1).tolist()
    (<NoiseLaw.LAPLACE: 'discrete Laplace'>, 90.2, [31.3, 223.7])
    """

    identifier: ClassVar[str] = "privis.pixel-noise/1"

    law: NoiseLaw
    scale: float
    block: int = 1

    def __post_init__(self) -> None:
        problems = integer_problem("PixelNoise.block", self.block, 1)
        if not isinstance(self.law, NoiseLaw):
            remedy = "write NoiseLaw(guarantee.mechanism)"
            problems.append(Problem("PixelNoise.law", repr(self.law), "a NoiseLaw", remedy))
        good = isinstance(self.scale, int | float | np.number) and not isinstance(self.scale, bool)
        if not good or not 0 <= self.scale < 2.0**100:
            problems.append(Problem("PixelNoise.scale", repr(self.scale), "grey levels, from 0 to 2**100"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "scale", float(self.scale))

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise before clamping, in grey levels."""
        return self.scale * math.sqrt(2.0) if self.law is NoiseLaw.LAPLACE else self.scale

    @cached_property
    def released_mean(self) -> Plane:
        """Expected released level of each true level 0..255: clamping pulls it to the middle."""
        return self._exceeded(np.arange(WHITE + 1)).sum(1)

    @cached_property
    def released_variance(self) -> Plane:
        """Variance of the released level around that mean, for each true level 0..255."""
        squares = self._exceeded(np.arange(WHITE + 1)) @ (2.0 * np.arange(WHITE) + 1.0)
        return np.maximum(squares - self.released_mean**2, 0.0)

    def released(self, level: int, uniform: Plane) -> NDArray[np.uint8]:
        """What is released for a true grey level.

        Args:
            level: the true grey level, 0 to 255.
            uniform: numbers from [0, 1) that decide how the noise falls, of any shape.

        Returns:
            Released grey levels, uint8 of that shape.
        """
        return np.searchsorted(1.0 - self._exceeded(np.array([level]))[0], uniform, side="right").astype(np.uint8)

    def _exceeded(self, levels: NDArray[np.integer]) -> Plane:
        """``[x, k]``: the probability that true level ``levels[x]`` is released as more than k, for k from 0 to 254."""
        return self._tail(np.arange(WHITE) + 0.5 - levels[:, None])

    def _tail(self, above: Plane) -> Plane:
        """Probability that the noise is more than ``above``."""
        from scipy.special import ndtr

        z = np.asarray(above / max(self.scale, NO_NOISE), np.float64)
        if self.law is NoiseLaw.GAUSSIAN:
            return np.asarray(ndtr(-z), np.float64)
        half = 0.5 * np.exp(-np.abs(z))
        return np.where(z < 0, 1.0 - half, half)


@runtime_checkable
class Denoiser(Protocol):
    """A fixed, public function of a noised image: a frozen dataclass whose ``repr`` says all it depends on."""

    def __call__(self, image: Image) -> Image:
        """Denoise a uint8 image ``(H, W)`` or ``(H, W, 3)``; the result has its shape."""
        ...


@dataclass(frozen=True)
class Wiener:
    """The linear filter of least squared error for images with a 1/f spectrum under this noise.

    Amplitudes of natural images fall as 1/f (Field); the filter weighs every frequency of the discrete cosine transform
    by ``signal / (signal + noise)``. The contrast of the signal is a public constant (``CONTRAST``), the noise is what
    clamping leaves of it around the image's mean level. References: Wiener, 1949; Field, 1987,
    doi:10.1364/JOSAA.4.002379.

    Args:
        noise: public noise of the released image, in grey levels.

    >>> Wiener(PixelNoise(NoiseLaw.GAUSSIAN, 0.0))(np.array([[7, 9], [0, 255]], np.uint8)).tolist()
    [[7, 9], [0, 255]]
    """

    identifier: ClassVar[str] = "privis.wiener/1"

    noise: PixelNoise

    def __call__(self, image: Image) -> Image:
        """Denoise every channel of a uint8 image on its own: uint8 of the same shape."""
        return denoised(image, self.noise, _wiener)


@dataclass(frozen=True)
class WaveletShrinkage:
    """Soft thresholds on Haar wavelets at every shift, chosen per scale by BayesShrink for this noise.

    The threshold of a sub-band is ``noise variance / signal deviation``, the latter from what the noised sub-band has
    above the known noise. Averaging over all shifts (undecimated transform) leaves no blocks. References: Chang, Yu and
    Vetterli, 2000, doi:10.1109/83.862633; Coifman and Donoho, 1995, doi:10.1007/978-1-4612-2544-7_9.

    Args:
        noise: public noise of the released image, in grey levels.

    >>> WaveletShrinkage(PixelNoise(NoiseLaw.GAUSSIAN, 0.0))(np.array([[7, 9], [0, 255]], np.uint8)).tolist()
    [[7, 9], [0, 255]]
    """

    identifier: ClassVar[str] = "privis.wavelet-shrinkage/1"

    noise: PixelNoise

    def __call__(self, image: Image) -> Image:
        """Denoise every channel of a uint8 image on its own: uint8 of the same shape."""
        return denoised(image, self.noise, _shrink_wavelets)


@dataclass(frozen=True)
class NonLocalMeans:
    """Average of the pixels within 15 x 15 whose 5 x 5 neighbourhoods look alike, OpenCV's, as strong as this noise.

    Best under weak noise (an image at 14 grey levels: error 6.9, wavelets 7.1, Wiener 10.7), behind both others
    under strong noise (at 361: 40.7, 30.2, 30.9). Eight times slower than ``Wiener``, about as slow as wavelets.
    Reference: Buades, Coll and Morel, 2005, doi:10.1109/CVPR.2005.38.

    Args:
        noise: public noise of the released image, in grey levels.

    >>> NonLocalMeans(PixelNoise(NoiseLaw.GAUSSIAN, 0.0))(np.array([[7, 9], [0, 255]], np.uint8)).tolist()
    [[7, 9], [0, 255]]
    """

    identifier: ClassVar[str] = "privis.non-local-means/1"

    noise: PixelNoise

    def __call__(self, image: Image) -> Image:
        """Denoise every channel of a uint8 image on its own: uint8 of the same shape."""
        return denoised(image, self.noise, _non_local_means)


@dataclass(frozen=True)
class Denoised(Preprocessed):
    """``feature`` of images that ``denoiser`` takes the noise of a release off first.

    ``before`` sees what the release let out and nothing else, so all of it is post-processing and costs no privacy,
    also what a denoiser estimates from the noised image itself (the mean level, the variance of a wavelet's sub-band).
    The noise it expects is public: it comes with the guarantee. Where the noise is put on the feature instead, this is
    one more fixed function of one image before it, and the release's clip covers it.

    ``privis.extract``, too, brings images to size and luma before the noise. ``name``, ``luma_only``, ``size`` and the
    core are the feature's own.

    Args:
        feature: what is extracted afterwards.
        denoiser: `Wiener`, `WaveletShrinkage` or `NonLocalMeans`, with the public noise.

    Raises:
        ParameterError: ``feature`` or ``denoiser`` is none.

    >>> from privis.features.hog import HOG
    >>> Denoised(HOG(), Wiener(PixelNoise(NoiseLaw.LAPLACE, 64.0))).program((64, 64)).output_shapes
    ((6, 6, 3, 3, 9),)
    """

    identifier: ClassVar[str] = "privis.denoised/1"

    denoiser: Denoiser

    def __post_init__(self) -> None:
        problems = self.feature_problems()
        if (
            isinstance(self.denoiser, type)
            or not dataclasses.is_dataclass(self.denoiser)
            or not callable(self.denoiser)
        ):
            problems.append(Problem("Denoised.denoiser", repr(self.denoiser), "a denoiser, as in Wiener(noise)"))
        refuse(ParameterError, problems)

    def prepare(self, image: Image) -> Image:
        """Return the denoised ``image``, uint8 of the same shape."""
        return self.denoiser(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """What the feature makes of the denoised image, which keeps its dimensions."""
        seen = resized_shape(image_shape, self.size)
        return core_shape(self.feature, seen[:2] if self.luma_only else seen)


def denoised(image: Image, noise: PixelNoise, smooth: Callable[[Plane, float, float], Plane]) -> Image:
    """Apply ``smooth(plane, signal deviation, noise variance)`` to each channel and undo what clamping did to its mean.

    Clamping to 0..255 pulls the mean of strong noise to the middle (``released_mean``). A smoothed plane is close to
    that mean, so the inverse of the curve gives the true level back. With blocks, ``smooth`` sees one value per block
    and the result is interpolated between their centres.
    """
    if image.ndim == 3:
        return np.stack([denoised(plane, noise, smooth) for plane in np.moveaxis(image, 2, 0)], 2)
    block, curve = noise.block, noise.released_mean
    levels = np.arange(WHITE + 1.0)
    plane = image[::block, ::block].astype(np.float64)
    middle = float(np.interp(plane.mean(), curve, levels))
    variance = float(np.interp(middle, levels, noise.released_variance))
    slope = float(curve[-1] - curve[0]) / WHITE
    smoothed = plane if variance < ROUNDING else smooth(plane, CONTRAST * slope, variance)
    true = _enlarged(np.interp(smoothed, curve, levels), block)[: image.shape[0], : image.shape[1]]
    return np.rint(true).clip(0, WHITE).astype(np.uint8)


def _enlarged(plane: Plane, block: int) -> Plane:
    import cv2

    if block == 1:
        return plane
    height, width = plane.shape
    return np.asarray(cv2.resize(plane, (width * block, height * block), interpolation=cv2.INTER_LINEAR), np.float64)


def _wiener(plane: Plane, deviation: float, variance: float) -> Plane:
    from scipy.fft import dctn, idctn

    rows, columns = (np.arange(n) / n for n in plane.shape)
    squared = rows[:, None] ** 2 + columns**2
    if squared.size == 1:
        return plane
    squared[0, 0] = np.inf  # the mean is no part of the contrast
    spectrum = 1 / squared
    signal = deviation**2 * spectrum / spectrum.mean()
    gain = signal / (signal + variance)
    gain[0, 0] = 1.0
    return np.asarray(idctn(np.asarray(dctn(plane, norm="ortho")) * gain, norm="ortho"), np.float64)


def _shrink_wavelets(plane: Plane, deviation: float, variance: float) -> Plane:
    scales = max(0, int(math.log2(min(plane.shape))) - 1)
    edge = 2**scales - 1  # what the widest wavelet reads beyond the plane: mirrored, not wrapped around
    padded = np.pad(plane, edge, mode="symmetric")
    return _shrink(padded, variance, 1, scales)[edge : edge + plane.shape[0], edge : edge + plane.shape[1]]


def _shrink(plane: Plane, variance: float, gap: int, scales: int) -> Plane:
    """The undecimated Haar transform of ``plane``, its details shrunk, and back."""
    if scales == 0:
        return plane
    (low, high), (vertical, diagonal) = (_split(half, gap, 1) for half in _split(plane, gap, 0))
    variance /= 4  # averages and differences of four independent values, over four
    low = _shrink(low, variance, 2 * gap, scales - 1)
    high, vertical, diagonal = (_soft(band, variance) for band in (high, vertical, diagonal))
    return _merge(_merge(low, high, gap, 1), _merge(vertical, diagonal, gap, 1), gap, 0)


def _split(x: Plane, gap: int, axis: int) -> tuple[Plane, Plane]:
    other = np.roll(x, -gap, axis)
    return (x + other) / 2, (x - other) / 2


def _merge(low: Plane, high: Plane, gap: int, axis: int) -> Plane:
    """Every element belongs to two pairs, as the first and as the second: their mean."""
    return (low + high + np.roll(low - high, gap, axis)) / 2


def _soft(band: Plane, variance: float) -> Plane:
    """BayesShrink: soft threshold ``variance / signal deviation``; nothing is left where there is only noise."""
    signal = float((band * band).mean()) - variance
    if signal <= 0.0:
        return np.zeros_like(band)
    threshold = variance / math.sqrt(signal)
    return band - band.clip(-threshold, threshold)


def _non_local_means(plane: Plane, deviation: float, variance: float) -> Plane:
    import cv2

    pixels = np.rint(plane).astype(np.uint8)
    return np.asarray(cv2.fastNlMeansDenoising(pixels, None, math.sqrt(variance), 5, 15), np.float64)
