"""Releases: noise on the pixels of an image, or on a clipped feature."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.privacy.guarantee import Guarantee
from privis.privacy.mechanisms.additive import Noise
from privis.privacy.releases.noise import draw_noise, noise_guarantee, noise_problems, used_up_by
from privis.privacy.sampling.integer_noise import narrow_sample
from privis.privacy.sampling.lazy_kernels import kernels
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sensitivity import Sensitivity, feature_sensitivity, pixel_sensitivity
from privis.privacy.stage import Stage
from privis.privacy.units import Enrolment, Patch, Person, Pixels, WholeImage
from privis.validation import positive_number, real_values, whole_number

_GRID_BITS = 20  # a clipped feature spans 2**19 to 2**20 grid steps


@dataclass(frozen=True)
class PixelRelease:
    """Noise on the pixels of a uint8 image, or on its aligned blocks of ``block`` x ``block`` pixels.

    Noise is added to the integer sums of blocks (blocks at the right and lower border may be smaller), the
    means are rounded, clamped to 0..255 and expanded back: an image of the same shape, ready for any feature.
    All that comes after the noise is post-processing and costs nothing. The image's dimensions are public.

    ``unit`` is what the release hides; `privis.privacy.sensitivity.pixel_sensitivity` derives the sensitivity.
    ``Patch(side)`` implies block = side. ``Person(k)`` hides k whole images at once, see
    `privis.privacy.accounting.noise_calibration`: each gets noise for its share. Pixelisation with noise: Fan,
    doi:10.1007/978-3-319-95729-6_10, whose release this is for block > 1, unit Pixels and Laplace noise.

    Args:
        noise: `Laplace` or `Gaussian`.
        unit: WholeImage(), Pixels(m), Patch(side) or Person(k).
        block: side in pixels of the blocks whose sums get the noise.

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import Laplace
    >>> release = PixelRelease(Laplace(4.0), unit=Pixels(1))
    >>> guarantee = release.guarantee((28, 28))
    >>> guarantee.epsilon, guarantee.whole_image_epsilon
    (4.0, 3136.0)
    """

    identifier: ClassVar[str] = "privis.pixel-release/1"
    stage: ClassVar[Stage] = Stage.IMAGE

    noise: Noise
    unit: WholeImage | Pixels | Patch | Person = field(default_factory=WholeImage)
    block: int = 1

    def __post_init__(self) -> None:
        problems = noise_problems("PixelRelease.noise", self.noise)
        if not isinstance(self.unit, WholeImage | Pixels | Patch | Person):
            expected = "WholeImage(), Pixels(m), Patch(side) or Person(images)"
            problems.append(Problem("PixelRelease.unit", repr(self.unit), expected))
        problems += whole_number("PixelRelease.block", self.block)
        if isinstance(self.unit, Patch) and self.block not in (1, self.unit.side):
            expected = f"{self.unit.side}, the side of the patch"
            problems.append(Problem("PixelRelease.block", repr(self.block), expected, "leave block away"))
        refuse(ParameterError, problems)
        block = self.unit.side if isinstance(self.unit, Patch) else int(self.block)
        object.__setattr__(self, "block", block)

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """Guarantee for an image of ``shape``, (H, W) or (H, W, C); computed without looking at any image.

        Args:
            shape: (H, W) or (H, W, C) of the image in pixels.

        Returns:
            Epsilon and delta for the unit and for whole images.

        Raises:
            ImageError: another shape.
            ParameterError: no noise can keep this epsilon.
        """
        sensitivity, whole = self._sensitivity(shape), self._whole_sensitivity(shape)
        step = 255 / whole.largest  # of the largest block; a smaller one at the border has larger steps
        return noise_guarantee(self.noise, self.unit, sensitivity, whole, step, "grey levels")

    def check(self, values: npt.NDArray[np.uint8]) -> None:
        """Raise what `apply` would, before anything is charged or drawn.

        Args:
            values: the image, (H, W) or (H, W, 3).

        Raises:
            ImageError: it is no uint8 array.
        """
        if not isinstance(values, np.ndarray) or values.dtype != np.uint8:
            kind = getattr(values, "dtype", type(values).__name__)
            raise ImageError(Problem("image", f"{kind} values", "a uint8 array", "convert it to 0..255"))
        self._whole_sensitivity(values.shape)

    def apply(self, values: npt.NDArray[np.uint8], stream: NoiseStream) -> npt.NDArray[np.uint8]:
        """Release ``values``, a uint8 image of shape (H, W) or (H, W, C), with this stream's noise.

        Args:
            values: uint8 (H, W) or (H, W, C).
            stream: of this image, its content and this release: `ReleaseKey.stream`.

        Returns:
            The released image: uint8 of the same shape.

        Raises:
            ImageError: another shape or type.
            ParameterError: no noise can keep this epsilon.
        """
        self.check(values)
        scale = self.noise.scale(self._sensitivity(values.shape))
        rows, columns = block_extents(values.shape[0], self.block), block_extents(values.shape[1], self.block)
        sums = block_sums(values, self.block)
        sums += draw_noise(self.noise, scale, stream, sums.shape, f"pixels, blocks of {self.block}, {values.shape}")
        if self.block > 1:
            area = np.outer(rows, columns).reshape(rows.size, columns.size, *[1] * (values.ndim - 2))
            sums = (2 * sums + area) // (2 * area)  # the mean, rounded
        released = np.clip(sums, 0, 255).astype(np.uint8)
        if self.block == 1:
            return released
        return np.repeat(np.repeat(released, rows, axis=0), columns, axis=1)

    def _sensitivity(self, shape: tuple[int, ...]) -> Sensitivity:
        whole = self._whole_sensitivity(shape)
        if self.unit.needs_subjects:
            return whole.times(self.unit.images)
        return pixel_sensitivity(self.noise.norm, self.unit, self.block, shape)

    def _whole_sensitivity(self, shape: tuple[int, ...]) -> Sensitivity:
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise ImageError(Problem("image shape", repr(shape), "(height, width) or (height, width, channels)"))
        return pixel_sensitivity(self.noise.norm, WholeImage(), self.block, shape)


@dataclass(frozen=True)
class FeatureRelease:
    """Noise on a feature whose norm is clipped to ``clip``: the whole image is hidden.

    The clip is a public constant in the feature's own units (L1 norm for Laplace, L2 for Gaussian): never take it from
    private data. The clipped vector is put on an integer grid of step ``grid``, a power of two near clip / 2**20, noise
    is added there and the sum goes back to the feature's units. ``unit`` is WholeImage(), Person(k), whose k images
    share epsilon (see `privis.privacy.accounting.noise_calibration`), or Enrolment(), whose images are one vector.

    Sensitivity. Values are cut towards zero, not rounded: ``|trunc(a)| <= |a|``, so the vector of integers
    has norm at most ``radius = floor(clip / grid)``, without any slack for the grid. What floating-point
    clipping may leave beyond that is removed by exact integer arithmetic. Two such vectors are at most 2 *
    radius apart. Whatever the feature was computed from, the bound holds: a vector with NaN or infinity
    becomes zero before clipping.

    Args:
        noise: `Laplace` or `Gaussian`.
        clip: largest norm, in the feature's units: L1 for Laplace, L2 for Gaussian; public, 2**-100 to 2**100.
        unit: WholeImage(), Person(k) or Enrolment().

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import Gaussian
    >>> FeatureRelease(Gaussian(4.0, 1e-6), clip=1.0).guarantee((128,)).sensitivity  # 2 * 2**19
    1048576.0
    """

    identifier: ClassVar[str] = "privis.feature-release/1"
    stage: ClassVar[Stage] = Stage.FEATURE

    noise: Noise
    clip: float
    unit: WholeImage | Person | Enrolment = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        problems = noise_problems("FeatureRelease.noise", self.noise)
        problems += positive_number("FeatureRelease.clip", self.clip)
        if not problems and not 2.0**-100 <= self.clip <= 2.0**100:
            problems.append(Problem("FeatureRelease.clip", repr(self.clip), "2**-100 to 2**100"))
        if not isinstance(self.unit, WholeImage | Person | Enrolment):
            expected = "WholeImage(), Person(images) or Enrolment()"
            problems.append(Problem("FeatureRelease.unit", repr(self.unit), expected))
        refuse(ParameterError, problems)
        object.__setattr__(self, "clip", float(self.clip))

    @property
    def grid(self) -> float:
        """Step of the integer grid in the feature's units, a power of two."""
        _, exponent = math.frexp(self.clip)  # clip = m * 2**exponent with 1/2 <= m < 1
        return 2.0 ** (exponent - _GRID_BITS)

    @property
    def radius(self) -> int:
        """Largest norm of a clipped vector in grid steps."""
        return math.floor(self.clip / self.grid)

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """Guarantee for a feature of ``shape``; computed without looking at any feature.

        Args:
            shape: of the feature.

        Returns:
            Epsilon and delta for the unit and for whole images.

        Raises:
            ParameterError: the shape is empty, or no noise can keep this epsilon.
        """
        whole = self._sensitivity(shape)
        together = whole.times(self.unit.images)
        return noise_guarantee(self.noise, self.unit, together, whole, self.grid, "feature units")

    def check(self, values: npt.NDArray[Any]) -> None:
        """Raise what `apply` would, before anything is charged or drawn.

        Args:
            values: the feature vector, any shape.

        Raises:
            ParameterError: these values cannot be released.
        """
        real_values("feature", values)

    def apply(self, values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[np.float32]:
        """Release ``values``, real numbers of any shape, with this stream's noise: float32 of the same shape.

        Args:
            values: real numbers of any shape.
            stream: of this image, its content and this release: `ReleaseKey.stream`.

        Returns:
            The released feature: float32 of the same shape.

        Raises:
            ParameterError: values are not real numbers, or no noise can keep this epsilon.
        """
        array = np.asarray(values)
        if array.dtype != np.float32:  # which is what features are, and needs no copy
            array = real_values("feature", array)
        scale = _feature_scale(self, array.shape)
        own = used_up_by(stream, self.noise, scale, f"feature, radius {self.radius}, {array.shape}")
        noise = narrow_sample(self.noise.table(scale), own, array.size)
        return kernels().add_scaled(self._steps(array), noise, self.grid).reshape(array.shape)

    def on_grid(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Clip values and put them on the grid, whatever comes in.

        Args:
            values: the feature vector, any shape.

        Returns:
            Integers of norm at most ``radius``, of the same shape.
        """
        return self._steps(np.asarray(values, np.float64)).astype(np.int64).reshape(np.shape(values))

    def _steps(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Return `on_grid` of ``values`` as a flat int32 vector."""
        reals, factor = self._shortened(np.ascontiguousarray(values).reshape(-1))
        steps = np.empty(reals.shape, np.int32)  # the radius is at most 2**20
        squared = self.noise.norm == "L2"
        most = self.radius**2 if squared else self.radius
        size = kernels().cut(reals, factor / self.grid, squared, steps)
        while size > most:
            steps -= np.sign(steps)
            wide = steps.astype(np.int64)
            size = int(wide @ wide if squared else np.abs(wide).sum())
        return steps

    def _shortened(self, reals: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], float]:
        """A vector and a factor that make one of norm at most ``clip``, up to rounding; zeros for NaN and infinity."""
        length = self._length(reals)
        if 2.0**-400 < length < 2.0**400:
            return reals, min(1.0, self.clip / length)
        reals = reals.astype(np.float64)
        peak = float(np.abs(reals).max(initial=0.0))
        if peak == 0.0 or not np.isfinite(reals).all():
            return np.zeros(reals.shape), 1.0
        direction = reals / peak  # so that squares neither overflow nor vanish
        length = self._length(direction)
        return (direction, self.clip / length) if peak * length > self.clip else (reals, 1.0)

    def _length(self, reals: npt.NDArray[Any]) -> float:
        # No dot product: BLAS splits it among threads, whose start costs more than the sum, in an order of its own.
        power = kernels().norm_power(reals, self.noise.norm == "L2")
        return math.sqrt(power) if self.noise.norm == "L2" else power

    def _sensitivity(self, shape: tuple[int, ...]) -> Sensitivity:
        if math.prod(shape) < 1:
            raise ParameterError(Problem("feature shape", repr(shape), "at least one value"))
        return feature_sensitivity(self.noise.norm, self.radius, math.prod(shape))


def block_extents(length: int, block: int) -> npt.NDArray[np.int64]:
    """Lengths of the blocks along one axis; the last may be shorter."""
    starts = np.arange(0, length, block)
    return np.minimum(block, length - starts)


def block_sums(image: npt.NDArray[np.uint8], block: int) -> npt.NDArray[np.int64]:
    """Add up aligned blocks of ``block`` x ``block`` pixels: int64 (rows, columns, ...)."""
    sums = image.astype(np.int64)
    if block == 1:
        return sums
    for axis in (0, 1):
        sums = np.add.reduceat(sums, np.arange(0, image.shape[axis], block), axis=axis)
    return sums


@lru_cache(maxsize=256)
def _feature_scale(release: FeatureRelease, shape: tuple[int, ...]) -> float:
    return release.noise.scale(release._sensitivity(shape).times(release.unit.images))
