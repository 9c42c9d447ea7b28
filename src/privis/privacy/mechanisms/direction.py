"""Releases of directions: PrivUnit and the von Mises-Fisher mechanism on the unit sphere."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.identity import LATER
from privis.privacy.accounting.noise_calibration import charged_delta, share
from privis.privacy.guarantee import UNIT_NAMES, Guarantee
from privis.privacy.sampling.direction_sampler import sample
from privis.privacy.sampling.exact_direction import log_total_variation
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sampling.zonal_distribution import STEP, ZonalDistribution, best_cap, wider_cap
from privis.privacy.stage import Stage
from privis.privacy.units import Enrolment, Metric, Person, WholeImage, one_of
from privis.validation import positive_number, real_values


@dataclass(frozen=True)
class PrivUnit:
    """Pure ``epsilon`` for the direction of a vector: the cap of directions near it is e**epsilon times as dense.

    The density of the released direction v is e**epsilon on the cap of all v within an angle of the input x, and 1
    outside, up to a constant that is the same for all x: two inputs' densities differ by a factor of e**epsilon at
    most. In the usual words: v is uniform on the cap with probability p and uniform on the rest otherwise, where p /
    (1 - p) * P(rest) / P(cap) = e**epsilon exactly. The cap's angle is the one whose result has the largest inner
    product with x on average (`privis.privacy.sampling.zonal_distribution.best_cap`), so that no split of epsilon has
    to be chosen. ``border`` below 1 makes the cap wider than that, with the same epsilon: the result then falls outside
    of it more rarely, which two vectors that are compared once feel more than the mean does.

    Sources: Bhowmick et al., arXiv:1812.00984; Asi, Feldman and Talwar, arXiv:2205.03832 (it is optimal among unbiased
    mechanisms). Deviation: rejection sampling makes the ratio exact, and the result is rounded at random to a public
    grid.

    Args:
        epsilon: positive and finite.
        border: inner product with x at the cap's border, as a share of the one that is best for the mean; in (0, 1].

    Raises:
        ParameterError: naming all that does not fit.

    >>> PrivUnit(8.0)
    PrivUnit(epsilon=8.0)
    >>> PrivUnit(8.0, border=0.9)
    PrivUnit(epsilon=8.0, border=0.9)
    """

    epsilon: float
    border: float = field(default=1.0, repr=False, metadata=LATER)

    name: ClassVar[str] = "PrivUnit"
    identifier: ClassVar[str] = "privis.privunit/1"

    def __post_init__(self) -> None:
        problems = positive_number("PrivUnit.epsilon", self.epsilon)
        wrong = positive_number("PrivUnit.border", self.border)
        if not wrong and self.border > 1:
            wrong = [Problem("PrivUnit.border", repr(self.border), "more than 0 and at most 1")]
        problems += wrong
        refuse(ParameterError, problems)
        object.__setattr__(self, "epsilon", float(self.epsilon))
        object.__setattr__(self, "border", float(self.border))

    def __repr__(self) -> str:
        """Say the border where it is not the default: as for cards."""
        border = "" if self.border == 1 else f", border={self.border!r}"
        return f"PrivUnit(epsilon={self.epsilon!r}{border})"

    def budget(self, images: int) -> float:
        """Epsilon of one image when several share it.

        Args:
            images: how many share it.

        Returns:
            Epsilon.
        """
        return share(self.epsilon, images)

    def distribution(self, dimension: int, images: int = 1) -> ZonalDistribution:
        """The distribution of directions that is sampled.

        Args:
            dimension: of the vector.
            images: how many share epsilon.

        Returns:
            Density of the angle to the input.
        """
        epsilon = self.budget(images)
        return ZonalDistribution(dimension, 0.0, epsilon, wider_cap(best_cap(epsilon, dimension), self.border))

    def law(self, dimension: int, images: int = 1) -> ZonalDistribution:
        """Former name of `distribution`.

        Args:
            dimension: of the vector.
            images: how many share epsilon.

        Returns:
            What `distribution` gives.
        """
        warnings.warn("law is distribution now; the former name ends with the next version", DeprecationWarning, 2)
        return self.distribution(dimension, images)


@dataclass(frozen=True)
class VonMisesFisher:
    """Metric privacy for the direction of a vector: density proportional to exp(concentration * <x, v>).

    For two inputs at Euclidean distance d on the unit sphere the densities differ by a factor of
    exp(concentration * d) at most (Cauchy and Schwarz): inputs that are alike are hidden well, and since no two are
    further apart than 2, the whole image has pure epsilon 2 * concentration. At that epsilon PrivUnit is more
    accurate; this is for `Metric`.

    Source: Weggenmann and Kerschbaum, arXiv:2103.02992. Deviation: not Wood's sampler (doi:10.1080/03610919408813161),
    whose floating-point results would tell inputs apart, but an exact one, rounded at random to a public grid.

    Args:
        concentration: epsilon per unit of distance on the unit sphere; positive and finite.

    Raises:
        ParameterError: the concentration is not.

    >>> VonMisesFisher(10.0)
    VonMisesFisher(concentration=10.0)
    """

    concentration: float

    name: ClassVar[str] = "von Mises-Fisher"
    identifier: ClassVar[str] = "privis.von-mises-fisher/1"

    def __post_init__(self) -> None:
        refuse(ParameterError, positive_number("VonMisesFisher.concentration", self.concentration))
        object.__setattr__(self, "concentration", float(self.concentration))

    def budget(self, images: int) -> float:
        """Epsilon of one whole image when several share 2 * concentration.

        Args:
            images: how many share it.

        Returns:
            Epsilon.
        """
        return 2 * share(self.concentration, images)

    def distribution(self, dimension: int, images: int = 1) -> ZonalDistribution:
        """The distribution of directions that is sampled.

        Args:
            dimension: of the vector.
            images: how many share the concentration.

        Returns:
            Density of the angle to the input.
        """
        return ZonalDistribution(dimension, share(self.concentration, images), 0.0, 0.0)

    def law(self, dimension: int, images: int = 1) -> ZonalDistribution:
        """Former name of `distribution`.

        Args:
            dimension: of the vector.
            images: how many share epsilon.

        Returns:
            What `distribution` gives.
        """
        warnings.warn("law is distribution now; the former name ends with the next version", DeprecationWarning, 2)
        return self.distribution(dimension, images)


DirectionMechanism = PrivUnit | VonMisesFisher


@dataclass(frozen=True)
class DirectionRelease:
    """A random direction near that of a feature, whose length is not released: the whole image is hidden.

    The vector is brought to length 1 (zero, or a vector with NaN or infinity, becomes the first axis), a direction is
    drawn around it by ``mechanism``, rounded at random to multiples of 2**-12 and multiplied by a public number, so
    that the mean of what is released is the direction itself: float32. Divide by its length to get a unit vector.

    ``unit``: WholeImage (default), Person(k) (one image then has a k-th of the epsilon or concentration), Enrolment
    (a person's images are one vector), or, for VonMisesFisher, Metric. delta is what is left of the sampler's error,
    less than 1e-100 as a rule.

    Args:
        mechanism: `PrivUnit` or `VonMisesFisher`.
        unit: WholeImage(), Person(k), Enrolment() or, for VonMisesFisher, Metric().

    Raises:
        ParameterError: naming all bad parameters.

    >>> release = DirectionRelease(PrivUnit(8.0))
    >>> release.guarantee((64,)).epsilon
    8.0
    """

    identifier: ClassVar[str] = "privis.direction-release/1"
    stage: ClassVar[Stage] = Stage.FEATURE

    mechanism: DirectionMechanism
    unit: WholeImage | Person | Enrolment | Metric = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.mechanism, PrivUnit | VonMisesFisher):
            expected = "PrivUnit(epsilon) or VonMisesFisher(concentration)"
            problems.append(Problem("DirectionRelease.mechanism", repr(self.mechanism), expected))
        metric = isinstance(self.unit, Metric) and isinstance(self.mechanism, VonMisesFisher)
        if not metric and not isinstance(self.unit, WholeImage | Person | Enrolment):
            expected = "WholeImage(), Person(images), Enrolment() or, for VonMisesFisher, Metric()"
            problems.append(Problem("DirectionRelease.unit", repr(self.unit), expected))
        refuse(ParameterError, problems)

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """Guarantee for a vector of ``shape``, at least 2 components; computed without looking at any vector.

        ``scale`` is the root mean square distance of the released vector from the true direction.

        Args:
            shape: of the vector, 2 to 65,536 components.

        Returns:
            Epsilon and delta for the unit and for whole images.

        Raises:
            ParameterError: the shape has another number of components, or no sampler can keep this epsilon.
        """
        dimension, images = math.prod(shape), self.unit.images
        whole = self.mechanism.budget(images)
        delta = charged_delta(whole, log_total_variation(dimension), _where(self.mechanism))
        mean = _distribution(self.mechanism, dimension, images).mean
        metric = isinstance(self.unit, Metric)
        return Guarantee(
            unit=UNIT_NAMES[type(self.unit)],
            relation=self.unit.relation,
            mechanism=self.mechanism.name,
            scale=math.sqrt(1 / mean**2 - 1),
            step=1.0,
            step_unit="feature units",
            sensitivity=1.0 if metric else 2.0,
            norm="L2",
            sensitivity_reason=_reason(self.mechanism, metric) + one_of(images),
            epsilon=whole / 2 if metric else _stated(self.mechanism),
            delta=images * delta,
            whole_image_epsilon=whole,
            whole_image_delta=delta,
        )

    def check(self, values: npt.NDArray[Any]) -> None:
        """Raise what `apply` would, before anything is charged or drawn.

        Args:
            values: the feature vector, any shape.

        Raises:
            ParameterError: these values cannot be released.
        """
        self.guarantee(real_values("feature", values).shape)

    def apply(self, values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[np.float32]:
        """Release one vector of any shape with this stream's randomness: float32 of the same shape.

        Args:
            values: one vector of any shape.
            stream: of this image, its content and this release: `ReleaseKey.stream`.

        Returns:
            The released direction: float32 of the same shape.

        Raises:
            ParameterError: values are not real numbers, or as of `guarantee`.
        """
        shape = np.shape(values)
        return self.apply_many(np.reshape(values, (1, math.prod(shape))), [stream])[0].reshape(shape)

    def apply_many(self, values: npt.NDArray[Any], streams: Sequence[NoiseStream]) -> npt.NDArray[np.float32]:
        """Release many vectors, each with its own stream, as `apply` would one by one, but faster.

        Args:
            values: (n, d).
            streams: n of them.

        Returns:
            Released vectors, float32 (n, d).

        Raises:
            ParameterError: values and streams do not fit, or cannot be released.
        """
        rows = real_values("feature", values)
        if rows.ndim != 2 or len(rows) != len(streams):
            got = f"{rows.shape} with {len(streams)} streams"
            raise ParameterError(Problem("DirectionRelease.apply_many", got, "(n, d) values with n streams"))
        self.guarantee(rows.shape[1:])  # refuses what cannot be kept before anything is drawn
        distribution = _distribution(self.mechanism, rows.shape[1], self.unit.images)
        # Another distribution must have other noise, even for a caller whose stream does not say so. The cap follows
        # from the rest; were its last bit another one on another machine, the noise must still be the same.
        parameters = f"{distribution.dimension}, {distribution.slope.hex()}, {distribution.jump.hex()}"
        if isinstance(self.mechanism, PrivUnit) and self.mechanism.border != 1:
            parameters += f", {self.mechanism.border.hex()}"
        purpose = f"direction, {parameters}, {STEP.hex()}".encode()
        steps = sample(distribution, unit_rows(rows), [stream.narrowed(purpose) for stream in streams])
        return (steps * (STEP / distribution.mean)).astype(np.float32)


def unit_rows(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bring every row to length 1; the first axis for a row without a direction.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0], [-1e-320, 0.0]])).tolist()
    [[0.6, 0.8], [1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]
    """
    rows = rows.copy()
    peak = np.abs(rows).max(axis=1, keepdims=True)
    without = ~np.isfinite(peak[:, 0]) | (peak[:, 0] == 0)
    rows[without] = 0.0
    rows[without, 0] = 1.0
    peak[without] = 1.0
    rows /= peak  # so that squares neither overflow nor vanish
    return rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True))


@lru_cache(maxsize=256)
def _distribution(mechanism: DirectionMechanism, dimension: int, images: int) -> ZonalDistribution:
    if dimension < 2:
        remedy = "one number has only a sign: use RandomisedResponse"
        raise ParameterError(Problem("direction", f"{dimension} components", "at least 2", remedy))
    return mechanism.distribution(dimension, images)


def _where(mechanism: DirectionMechanism) -> str:
    return "PrivUnit.epsilon" if isinstance(mechanism, PrivUnit) else "VonMisesFisher.concentration"


def _stated(mechanism: DirectionMechanism) -> float:
    return mechanism.epsilon if isinstance(mechanism, PrivUnit) else 2 * mechanism.concentration


def _reason(mechanism: DirectionMechanism, metric: bool) -> str:
    if isinstance(mechanism, PrivUnit):
        return "every vector is brought to length 1, and directions in the cap around it are e**epsilon times as dense"
    worst = "d is their distance" if metric else "no two are further apart than 2"
    return f"every vector is brought to length 1, and densities for two of them differ by exp(concentration d); {worst}"
