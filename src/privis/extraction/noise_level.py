"""How much noise a release adds, and how much of a feature it leaves: known before any image is seen."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from privis.errors import ImageError, ParameterError
from privis.extraction.counts_of_pixels import stated
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.features.norms import Norms, largest_norms
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    PixelRelease,
    RandomisedResponse,
    Release,
)
from privis.privacy.releases.image import block_extents
from privis.program.shapes import Shape

LEAST_LEFT = 0.05
"""Ratio of signal to noise below which nothing is left of one image.

Measured, not derived: where it is smaller, a classifier of ten kinds of digits that reads a noised feature is right 9.8
to 18.1 % of the time (the table of docs/differential-privacy.md). Means over many images may still say something.
"""
_HALF_RANGE = 127.5  # grey levels: no pixel is further from mid-grey


class NoiseWarning(UserWarning):
    """A release is about to spend its budget on noise that leaves nothing of one image."""


@dataclass(frozen=True)
class NoiseLevel:
    """Noise of one release: root mean square ``deviation`` in ``unit`` of ``values`` values.

    ``clip`` bounds the norm of what the noise is added to (1 for directions); None for pixels and counts. ``most`` is
    the deviation of the noisiest value: a block cut off by the border averages its noise over fewer pixels. ``signal``
    is the largest Euclidean length of what the noise is added to, by public facts alone: of all pixels, their distance
    from mid-grey; of counts, their total; of a feature, its clip or its own bound. Infinity: nothing bounds it.
    """

    deviation: float
    unit: str
    values: int
    clip: float | None
    most: float
    signal: float = math.inf

    @property
    def length(self) -> float:
        """Root mean square of the noise's Euclidean length."""
        return self.deviation * math.sqrt(self.values)

    @property
    def signal_to_noise(self) -> float:
        """``signal`` over ``length``: no image has a larger one; most have a smaller one."""
        return self.signal / self.length if self.length else math.inf

    @property
    def leaves_nothing(self) -> bool:
        """Whether the ratio of signal to noise is below ``LEAST_LEFT`` for every image there can be."""
        return self.signal_to_noise < LEAST_LEFT


def predicted(feature: Feature, release: Release, shape: Shape) -> NoiseLevel:
    """Predict the noise of ``release`` for ``feature`` of an image of ``shape``, from public facts alone.

    Args:
        feature: what is extracted.
        release: what the output may say.
        shape: (H, W) or (H, W, 3) of a decoded image, in pixels, before resizing.

    Returns:
        Noise and largest signal.

    Raises:
        ParameterError: the image is too small for the feature, or no noise can keep epsilon.

    >>> from privis import HOG, PixelRelease
    >>> level = predicted(HOG(size=(256, 256)), PixelRelease(Laplace(4.0)), (480, 640, 3))
    >>> level.leaves_nothing, f"{level.signal_to_noise:.1e}"
    (True, '2.2e-05')
    """
    image_shape = owner_image_shape(feature, shape)
    core = core_shape(feature, image_shape)
    length = len(feature.names(core))
    guarantee = stated(feature, release, image_shape, length)
    return level_of(release, guarantee, image_shape, length, largest_norms(feature, core))


def level_of(
    release: Release, guarantee: Guarantee, image_shape: Shape, length: int, norms: Norms | None
) -> NoiseLevel:
    """The noise that keeps ``guarantee``, beside the ``norms`` of a feature of ``length`` components, if known."""
    deviation = _deviation(guarantee, length) * guarantee.step
    bound: float | None
    match release:
        case PixelRelease(block=block):
            height, width, *channels = image_shape
            rows, columns = block_extents(height, block), block_extents(width, block)
            largest = float(rows.max() * columns.max())  # pixels of the block that ``step`` is of
            deviations = deviation * largest / np.outer(rows, columns)
            average = math.sqrt(float((deviations**2).mean()))
            values = deviations.size * math.prod(channels)
            signal = _HALF_RANGE * math.sqrt(values)
            return NoiseLevel(average, guarantee.step_unit, values, None, float(deviations.max()), signal)
        case FeatureRelease(clip=clip):
            bound = signal = clip
        case DirectionRelease():
            bound = signal = 1.0
        case CodeRelease():
            bound = signal = math.sqrt(length)
        case HistogramRelease(total=total):
            bound, signal = None, math.inf if total is None else float(total)
    if norms is not None and not isinstance(release, DirectionRelease | CodeRelease):
        signal = min(signal, norms.l2)
    return NoiseLevel(deviation, guarantee.step_unit, length, bound, deviation, signal)


def warn_if_nothing_is_left(feature: Feature, release: Release | None, shape: Shape | None) -> None:
    """Warn of a release that would leave nothing of an image of ``shape``; unknown shapes and no release: silence.

    Warns:
        NoiseWarning: the signal is less than a twentieth of the noise.
    """
    if release is None or shape is None:
        return
    try:
        level = predicted(feature, release, shape)
    except (ImageError, ParameterError):
        return  # whatever is wrong is said of the image, or by the run
    if level.leaves_nothing:
        warnings.warn(f"{nothing_left(level)}; privis.explain says it before", NoiseWarning, stacklevel=3)


def nothing_left(level: NoiseLevel) -> str:
    """What is wrong with a level that leaves nothing, as a phrase.

    >>> nothing_left(NoiseLevel(5.0, "feature units", 4, 1.0, 5.0, 0.1))
    'noise 100 times as long as the longest signal: nothing is left of one image'
    """
    return (
        f"noise {number(1 / level.signal_to_noise)} times as long as the longest signal: nothing is left of one image"
    )


def number(value: float) -> str:
    """Four digits, or all before the point.

    >>> number(0.123456), number(13774080.4)
    ('0.1235', '13,774,080')
    """
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def _deviation(guarantee: Guarantee, length: int) -> float:
    """Standard deviation of one value, in grid steps."""
    match guarantee.mechanism:
        case Gaussian.name:
            return math.sqrt(guarantee.scale**2 + 1 / 12)  # rounded to integers
        case Laplace.name:
            return math.sqrt(2 * math.exp(-1 / guarantee.scale)) / -math.expm1(-1 / guarantee.scale)
        case RandomisedResponse.name:
            return guarantee.scale
        case _:  # directions: the scale is of the whole vector
            return guarantee.scale / math.sqrt(length)
