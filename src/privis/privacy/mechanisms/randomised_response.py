"""Releases of binary codes: randomised response on all bits of a code at once."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.accounting.noise_calibration import share
from privis.privacy.guarantee import UNIT_NAMES, Guarantee
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.stage import Stage
from privis.privacy.units import Enrolment, Person, WholeImage, one_of
from privis.validation import positive_number, real_values

LARGEST_CODE = 1 << 14  # bits; the exact thresholds of a code take the square of its length
LARGEST_EPSILON = 10_000.0
_FRACTION_BITS = 64  # e**epsilon is rounded down to so many bits behind the point


@dataclass(frozen=True)
class RandomisedResponse:
    """Pure ``epsilon`` for a whole binary code: codes near it are e**epsilon times as likely as all others.

    A code of d bits is released as any code within Hamming distance r of it with probability c e**epsilon, and as any
    other with probability c. Every code has C(d, 0) +... + C(d, r) codes near it, so c is the same for all, and two
    codes' probabilities for a result differ by a factor of e**epsilon at most. r is the radius whose result agrees best
    with the code on average. No epsilon-private distribution that treats all codes and bits alike agrees better: the
    expected agreement is linear in the distribution, so the best one gives each distance either the least or the
    largest probability allowed. In particular it is at least as good as Warner's response
    (doi:10.1080/01621459.1965.10480775) on each bit with epsilon / d, and better by the order of sqrt(d) for long
    codes: tanh(epsilon / 2d) against about sqrt(2 / (pi d)) tanh(epsilon / 2).

    All probabilities are ratios of integers, with e**epsilon rounded down to a multiple of 2**-64, and sampled exactly:
    delta is 0. Source: Duchi, Jordan and Wainwright, arXiv:1302.3203, section 4.2.3, for r = d / 2.

    Args:
        epsilon: positive, at most 10,000.

    Raises:
        ParameterError: epsilon is not.

    >>> RandomisedResponse(4.0)
    RandomisedResponse(epsilon=4.0)
    """

    epsilon: float

    name: ClassVar[str] = "randomised response"
    identifier: ClassVar[str] = "privis.randomised-response/1"

    def __post_init__(self) -> None:
        problems = positive_number("RandomisedResponse.epsilon", self.epsilon)
        if not problems and self.epsilon > LARGEST_EPSILON:
            problems.append(Problem("RandomisedResponse.epsilon", repr(self.epsilon), "at most 10,000"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "epsilon", float(self.epsilon))

    def distribution(self, bits: int, images: int = 1) -> DistanceDistribution:
        """The distribution of the Hamming distance that is sampled, for one image.

        Args:
            bits: length of the code.
            images: how many share epsilon.

        Returns:
            Probabilities of all distances.
        """
        return distance_distribution(share(self.epsilon, images), bits)

    def law(self, bits: int, images: int = 1) -> DistanceDistribution:
        """Former name of `distribution`.

        Args:
            bits: length of the code.
            images: how many share epsilon.

        Returns:
            What `distribution` gives.
        """
        warnings.warn("law is distribution now; the former name ends with the next version", DeprecationWarning, 2)
        return self.distribution(bits, images)


@dataclass(frozen=True)
class DistanceDistribution:
    """Distribution of the distance between a code and its release; ``below[h]`` counts the cases up to distance h.

    The cases are equally likely and ``below[-1]`` of them in all. Codes at a distance of at most ``radius`` have
    ``near`` cases each and others 2**64.
    """

    radius: int
    near: int
    below: tuple[int, ...] = field(repr=False)

    @cached_property
    def agreement(self) -> float:
        """Expected product of a bit and its release, as numbers +1 and -1."""
        bits, total = len(self.below) - 1, self.below[-1]
        within = sum(self.below[:-1])  # sum of P(distance <= h) for h < bits is bits - E[distance]
        return (2 * within - bits * total) / (bits * total)


@lru_cache(maxsize=16)
def distance_distribution(epsilon: float, bits: int) -> DistanceDistribution:
    """Give the best distribution for codes of ``bits`` bits, exactly.

    The best radius is the largest distance below the mean one that results: as long as the next distance is below
    the mean, making it more likely lowers the mean.

    >>> distance_distribution(math.log(3), 1).agreement, round(distance_distribution(2.0, 256).agreement, 4)
    (0.5, 0.0492)
    """
    near, far = scaled_exponential(epsilon), 1 << _FRACTION_BITS
    codes = [1]  # at each distance
    for distance in range(bits):
        codes.append(codes[-1] * (bits - distance) // (distance + 1))
    radius, inside, inside_moment = 0, 1, 0
    moment = bits << (bits - 1)  # sum of the distances of all codes
    while True:
        cases = (near - far) * inside + (far << bits)
        if (radius + 1) * cases >= (near - far) * inside_moment + far * moment:
            break
        radius += 1
        inside += codes[radius]
        inside_moment += radius * codes[radius]
    weights = (count * (near if distance <= radius else far) for distance, count in enumerate(codes))
    return DistanceDistribution(radius, near, tuple(accumulate(weights)))


def scaled_exponential(epsilon: float) -> int:
    """Floor of e**epsilon * 2**64 (or one less).

    >>> scaled_exponential(math.log(2)) / 2**64
    2.0
    """
    from mpmath import mp

    arithmetic = mp.clone()  # a context of our own: the precision of the global one belongs to the caller
    arithmetic.prec = 2 * _FRACTION_BITS + math.ceil(epsilon / math.log(2))
    return int(arithmetic.floor(arithmetic.ldexp(arithmetic.exp(epsilon), _FRACTION_BITS) * (1 - arithmetic.eps * 4)))


@dataclass(frozen=True)
class CodeRelease:
    """Random signs near those of a feature, whose sizes are not released: the whole image is hidden.

    The code of a vector has a bit per component, +1 where it is at least 0 and -1 elsewhere; a vector with NaN or
    infinity has the code of zero. Project or centre the feature beforehand, by public numbers: the code of a histogram
    is all +1. ``mechanism`` draws a code nearby, and what is released is that code, +1 and -1, times a public number,
    so that its mean is the code itself: float32. ``unit`` is WholeImage(), Person(k), whose k images have epsilon / k
    each, or Enrolment(), whose images are one vector.

    Args:
        mechanism: draws a code near that of the feature.
        unit: WholeImage(), Person(k), whose k images have epsilon / k each, or Enrolment().

    Raises:
        ParameterError: naming all bad parameters.

    >>> release = CodeRelease(RandomisedResponse(4.0))
    >>> release.guarantee((256,)).epsilon, release.guarantee((256,)).delta
    (4.0, 0.0)
    """

    identifier: ClassVar[str] = "privis.code-release/1"
    stage: ClassVar[Stage] = Stage.FEATURE

    mechanism: RandomisedResponse
    unit: WholeImage | Person | Enrolment = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.mechanism, RandomisedResponse):
            got = repr(self.mechanism)
            problems.append(Problem("CodeRelease.mechanism", got, "RandomisedResponse(epsilon)"))
        if not isinstance(self.unit, WholeImage | Person | Enrolment):
            expected = "WholeImage(), Person(images) or Enrolment()"
            problems.append(Problem("CodeRelease.unit", repr(self.unit), expected))
        refuse(ParameterError, problems)

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """Guarantee for a vector of ``shape``, computed without looking at any.

        ``scale`` is the root mean square error of a component.

        Args:
            shape: of the vector, 1 to 16,384 components.

        Returns:
            Epsilon, and delta 0, for the unit and for whole images.

        Raises:
            ParameterError: the shape has another number of components.
        """
        bits = self._bits(shape)
        distribution = _distribution(self.mechanism, bits, self.unit.images)
        return Guarantee(
            unit=UNIT_NAMES[type(self.unit)],
            relation=self.unit.relation,
            mechanism=self.mechanism.name,
            scale=math.sqrt(1 / distribution.agreement**2 - 1),
            step=1.0,
            step_unit="feature units",
            sensitivity=float(bits),
            norm="Hamming",
            sensitivity_reason=(
                f"all {bits} bits may differ; codes within {distribution.radius} bits are e**epsilon times as likely"
                f"{one_of(self.unit.images)}"
            ),
            epsilon=self.mechanism.epsilon,
            delta=0.0,
            whole_image_epsilon=share(self.mechanism.epsilon, self.unit.images),
            whole_image_delta=0.0,
        )

    def check(self, values: npt.NDArray[Any]) -> None:
        """Raise what `apply` would, before anything is charged or drawn.

        Args:
            values: the feature vector, any shape.

        Raises:
            ParameterError: these values cannot be released.
        """
        self._bits(real_values("code", values).shape)

    def apply(self, values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[np.float32]:
        """Release the signs of ``values``, real numbers of any shape: float32 of the same shape.

        Args:
            values: real numbers of any shape.
            stream: of this image, its content and this release: `ReleaseKey.stream`.

        Returns:
            The released code: float32 of the same shape.

        Raises:
            ParameterError: values are not real numbers, or as of `guarantee`.
        """
        array = real_values("code", values)
        distribution = _distribution(self.mechanism, self._bits(array.shape), self.unit.images)
        code = signs(array.ravel())
        # Another distribution must have other randomness, even for a caller whose stream does not say so.
        own = stream.narrowed(
            f"code, {array.size} bits, radius {distribution.radius}, near {distribution.near}".encode()
        )
        code[flipped(distribution, own)] *= -1
        return (code / distribution.agreement).astype(np.float32).reshape(array.shape)

    def _bits(self, shape: tuple[int, ...]) -> int:
        bits = math.prod(shape)
        if not 1 <= bits <= LARGEST_CODE:
            remedy = "project the feature to fewer components first"
            raise ParameterError(Problem("code", f"{bits} bits", f"1 to {LARGEST_CODE:,}", remedy))
        return bits


@lru_cache(maxsize=64)
def _distribution(mechanism: RandomisedResponse, bits: int, images: int) -> DistanceDistribution:
    return mechanism.distribution(bits, images)


def signs(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give +1 for components of at least 0 and -1 for others; all +1 when any is not finite."""
    return np.where((values >= 0) | ~np.isfinite(values).all(), 1.0, -1.0)


def flipped(distribution: DistanceDistribution, stream: NoiseStream) -> npt.NDArray[np.int64]:
    """Draw which bits differ in the release: a distance by ``distribution``, then a uniform set of so many positions.

    Exact by rejection: a number that would make some cases likelier, or equal words, whose order says nothing, are
    drawn again.
    """
    bits, cases = len(distribution.below) - 1, distribution.below[-1]
    head = cases.bit_length() // 128 + 1  # coordinates for the case, then one per two positions
    each = head + (bits + 1) // 2
    full = (1 << 128 * head) // cases * cases
    start = 0
    while True:
        words = stream.words(start, each)
        number = int.from_bytes(words[: 2 * head].tobytes(), "little")
        order = np.argsort(words[2 * head : 2 * head + bits], kind="stable")
        if number < full and (np.diff(words[2 * head :][order]) != 0).all():
            # The positions of the smallest of distinct words are a uniform set.
            return order[: bisect_right(distribution.below, number % cases)]
        start += each
