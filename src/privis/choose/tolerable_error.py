"""From the error that one can accept to the epsilon that it takes, solved from the mechanism's own noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.noise_level import predicted
from privis.features.feature import Feature
from privis.privacy import CorpusHistogramRelease, Gaussian, Laplace, MeanRelease, Release, SumRelease
from privis.privacy.guarantee import Guarantee
from privis.privacy.releases.corpus_noise import CorpusUnit
from privis.program.shapes import Shape
from privis.validation import positive_number, whole_number

LEAST, MOST = 1e-6, 50.0
"""Budgets that are looked for: a larger one protects nothing."""
_STEPS = 26  # halvings of an interval of 18: to a part in three million
NoiseOf = Callable[[float], Laplace | Gaussian]


class Quantity(StrEnum):
    """What is released, and what its error is a share of.

    ``count``: mean absolute error of a sum, of the number of people. ``histogram``: that of one bin, of the number of
    images. ``mean``: root mean square length of the noise, of the largest length of a vector. ``feature``: the same,
    for the vector of one image.
    """

    COUNT = "count"
    HISTOGRAM = "histogram"
    MEAN = "mean"
    FEATURE = "feature"


def corpus_error(
    quantity: Quantity, noise: Laplace | Gaussian, unit: CorpusUnit, people: int, components: int = 1
) -> float:
    """Tell the error of a count, histogram or mean from the scale of the noise that keeps its guarantee.

    Of a mean whose number of images is private the noise of that number comes on top, in the second order.

    Args:
        quantity: what is released, not a feature.
        noise: that is added.
        unit: what is hidden.
        people: how many images, or people of one image each, there are.
        components: of a vector, or bins.

    Returns:
        The error, as a share.

    Raises:
        ParameterError: a number does not fit, or the quantity is a feature.

    >>> from privis.privacy import Dataset
    >>> round(corpus_error(Quantity.COUNT, Laplace(1.0), Dataset(), 100), 4)
    0.01
    """
    problems = [*whole_number("people", people), *whole_number("components", components)]
    if quantity is Quantity.FEATURE:
        problems.append(Problem("quantity", quantity.value, "count, histogram or mean", "use feature_error"))
    refuse(ParameterError, problems)
    match quantity:
        case Quantity.COUNT:
            guarantee = SumRelease(noise, 1.0, unit).guarantee((1,))
            return _absolute(guarantee) / people
        case Quantity.HISTOGRAM:
            edges = tuple(float(edge) for edge in range(1, max(2, components)))
            return _absolute(CorpusHistogramRelease(noise, edges, unit).guarantee((1,))) / people
        case _:
            guarantee = MeanRelease(noise, 1.0, unit).guarantee((components,))
            return _deviation(guarantee) * math.sqrt(components) / people


def feature_error(feature: Feature, release: Release, shape: Shape) -> float:
    """Tell the error of one released vector: the length of its noise, of the largest length of the vector.

    Args:
        feature: what is extracted.
        release: of its vector.
        shape: (H, W) or (H, W, 3) of an image in pixels.

    Returns:
        The error, as a share; above 1 the noise is longer than any vector.

    Raises:
        ParameterError: no noise can keep epsilon, or the image is too small for the feature.
    """
    ratio = predicted(feature, release, shape).signal_to_noise
    return 1 / ratio if ratio else math.inf


def epsilon_for(error: float, error_at: Callable[[float], float]) -> float:
    """Solve for the smallest epsilon whose error is not above one that can be accepted.

    Args:
        error: that can be accepted, as a share.
        error_at: the error at an epsilon; it falls as epsilon grows.

    Returns:
        Epsilon, rounded up to four digits.

    Raises:
        ParameterError: no epsilon up to 50 has so small an error.

    >>> from privis.privacy import Dataset
    >>> epsilon_for(0.01, lambda e: corpus_error(Quantity.COUNT, Laplace(e), Dataset(), 1000))
    0.1
    """
    refuse(ParameterError, positive_number("error", error))
    if error_at(MOST) > error:
        got, expected = f"{error:.3g}", f"at least {error_at(MOST):.3g}, which an epsilon of 50 has"
        raise ParameterError(Problem("error", got, expected, "accept a larger error, or ask more people"))
    low, high = math.log(LEAST), math.log(MOST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if error_at(math.exp(middle)) <= error * (1 + 1e-9) else (middle, high)
    return _rounded_up(math.exp(high))


def _rounded_up(value: float) -> float:
    """To four digits, a last one that computing with finitely many digits made aside."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    return float(f"{math.ceil(value / unit * (1 - 1e-6)) * unit:.4g}")


def _absolute(guarantee: Guarantee) -> float:
    """Mean absolute value of one coordinate's noise, which is an integer of grid steps."""
    if guarantee.mechanism == Gaussian.name:
        return math.sqrt(2 / math.pi) * guarantee.scale * guarantee.step
    return guarantee.step / math.sinh(min(1 / guarantee.scale, 700.0))


def _deviation(guarantee: Guarantee) -> float:
    """Standard deviation of one coordinate's noise."""
    if guarantee.mechanism == Gaussian.name:
        return guarantee.scale * guarantee.step
    return guarantee.step / (math.sqrt(2) * math.sinh(min(0.5 / guarantee.scale, 700.0)))
