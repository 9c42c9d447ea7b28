"""Releases of histograms: noise on counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.guarantee import Guarantee
from privis.privacy.mechanisms.additive import Noise
from privis.privacy.releases.noise import draw_noise, noise_guarantee, noise_problems
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sensitivity import Sensitivity, count_sensitivity
from privis.privacy.stage import Stage
from privis.privacy.units import Person, Pixels, WholeImage
from privis.validation import real_values, whole_number

_MOST_COUNTS = 2**40
_TURN = 2**22  # bins whose sum still fits into 63 bits, whatever they hold


@dataclass(frozen=True)
class HistogramRelease:
    """Noise on the counts of a histogram, such as those of ColourHistogram or LBP before any normalisation.

    ``moves`` is how many counts one changed pixel moves from a bin to another, at most: 1 for a histogram of grey
    values, 3 for one histogram per colour channel, 9 for codes of 3 x 3 neighbourhoods. It is a promise about the
    feature that this release cannot check, named in the guarantee; `privis.extract` checks it against the feature's
    program and refuses what is too little. `privis.privacy.sensitivity.count_sensitivity` derives what follows:
    ``Pixels(m)`` moves m * moves counts, hence L1 sensitivity 2 m moves and L2 sensitivity sqrt(2) m moves.

    ``total`` is how many counts there are in an image, at most: a public number (height * width for grey values of
    images of one size), never the sum of a private histogram. The whole image moves all of them, and what exceeds
    it is cut off, so that WholeImage (the default) and Person(k) hold whatever the feature does; they need it.
    With Pixels it serves to state the whole-image epsilon only, as another such promise about the feature, and may be
    missing: then nothing is said about whole images.

    Integer noise is added, and what falls below 0 is set to 0 afterwards (post-processing, which lifts the mean of
    empty bins). Source: Dwork et al., doi:10.1007/11681878_14, section 3.2, for replaced instead of added entries.

    Args:
        noise: `Laplace` or `Gaussian`.
        moves: counts that one changed pixel moves, at most.
        unit: WholeImage(), Pixels(m) or Person(k).
        total: counts of one image, at most; only Pixels may go without.

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import Laplace
    >>> release = HistogramRelease(Laplace(1.0), moves=3, unit=Pixels(16), total=3 * 28 * 28)
    >>> guarantee = release.guarantee((24,))
    >>> guarantee.scale, guarantee.whole_image_epsilon  # 2 * 3 * 16 counts
    (96.0, 49.0)
    """

    identifier: ClassVar[str] = "privis.histogram-release/1"
    stage: ClassVar[Stage] = Stage.FEATURE

    noise: Noise
    moves: int
    unit: WholeImage | Pixels | Person = field(default_factory=WholeImage)
    total: int | None = None

    def __post_init__(self) -> None:
        problems = noise_problems("HistogramRelease.noise", self.noise)
        problems += whole_number("HistogramRelease.moves", self.moves)
        if not isinstance(self.unit, WholeImage | Pixels | Person):
            expected = "WholeImage(), Pixels(m) or Person(images)"
            problems.append(Problem("HistogramRelease.unit", repr(self.unit), expected))
        if self.total is not None:
            problems += whole_number("HistogramRelease.total", self.total)
        elif not isinstance(self.unit, Pixels):
            remedy = "pass the number of counts of the largest image, like height * width * channels"
            expected = f"a public number of counts, which {type(self.unit).__name__} is calibrated to"
            problems.append(Problem("HistogramRelease.total", "None", expected, remedy))
        if not problems and self.total is not None and self.total > _MOST_COUNTS:
            problems.append(Problem("HistogramRelease.total", repr(self.total), "at most 2**40"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "moves", int(self.moves))
        object.__setattr__(self, "total", None if self.total is None else int(self.total))

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """Guarantee for a histogram of ``shape``, computed without looking at any.

        Args:
            shape: of the histogram.

        Returns:
            Epsilon and delta for the unit and for whole images.

        Raises:
            ParameterError: the shape is empty, or no noise can keep this epsilon.
        """
        bins = math.prod(shape)
        whole = None if self.total is None else self._whole(self.total, bins)
        guarantee = noise_guarantee(self.noise, self.unit, self._sensitivity(bins), whole, 1.0, "counts")
        return replace(guarantee, promises=self._promises)

    @property
    def _promises(self) -> tuple[str, ...]:
        if not isinstance(self.unit, Pixels):
            return ()  # what exceeds the total is cut off, and moves say nothing
        moves = f"one changed pixel moves at most {self.moves} counts"
        return (moves,) if self.total is None else (moves, f"an image has at most {self.total} counts")

    def check(self, values: npt.NDArray[Any]) -> None:
        """Raise what `apply` would, before anything is charged or drawn.

        Args:
            values: counts, any shape.

        Raises:
            ParameterError: these are no counts.
        """
        self.on_grid(real_values("histogram", values))

    def apply(self, values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[np.float32]:
        """Release ``values``, counts of any shape, with this stream's noise: float32 of the same shape, at least 0.

        NaN, infinity and negative values count as 0.

        Args:
            values: counts of any shape.
            stream: of this image, its content and this release: `ReleaseKey.stream`.

        Returns:
            Released counts: float32 of the same shape, at least 0.

        Raises:
            ParameterError: values are no whole numbers, as sensitivities are derived for counts, or as of `guarantee`.
        """
        array = real_values("histogram", values)
        scale = self.noise.scale(self._sensitivity(array.size))
        noise = draw_noise(self.noise, scale, stream, array.shape, f"counts, {array.shape}")
        return np.maximum(self.on_grid(array) + noise, 0).astype(np.float32)

    def on_grid(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Give the counts as integers that add up to ``total`` at most.

        Args:
            values: counts, any shape.

        Returns:
            Integers of the same shape.

        Raises:
            ParameterError: a value is no whole number.
        """
        with np.errstate(invalid="ignore"):
            usable = np.where(np.isfinite(values) & (values > 0), np.minimum(values, _MOST_COUNTS), 0.0)
        counts = np.floor(usable).astype(np.int64)
        if (counts != usable).any():
            remedy = "release the counts, and normalise what was released"
            raise ParameterError(Problem("histogram", "values that are no whole numbers", "counts", remedy))
        if self.total is None or isinstance(self.unit, Pixels):
            return counts  # cutting off would let one pixel change many bins
        kept, left = np.minimum(counts.ravel(), self.total), self.total
        for start in range(0, kept.size, _TURN):
            part = kept[start : start + _TURN]
            before = np.cumsum(part) - part
            part[:] = np.minimum(part, np.maximum(left - before, 0))
            left -= int(part.sum())
        return kept.reshape(counts.shape)

    def _sensitivity(self, bins: int) -> Sensitivity:
        if bins < 1:
            raise ParameterError(Problem("histogram shape", "no bin", "at least one"))
        if isinstance(self.unit, Pixels):
            reason = f"at most {self.unit.count} changed pixels move {self.moves} counts each, at most, between bins"
            return count_sensitivity(self.noise.norm, self.unit.count * self.moves, bins, reason)
        return self._whole(cast(int, self.total), bins).times(self.unit.images)  # there is one for these units

    def _whole(self, total: int, bins: int) -> Sensitivity:
        reason = f"two histograms of at most {total} counts differ most when they share no bin"
        return count_sensitivity(self.noise.norm, total, bins, reason)
