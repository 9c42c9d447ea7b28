"""What owners add up of each kind of release: how many integers, how large, how far apart, how the total is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.privacy.releases.corpus import (
    Aggregate,
    CorpusHistogramRelease,
    CorpusUnit,
    MeanRelease,
    SumRelease,
    bin_sensitivity,
    sum_sensitivity,
)
from privis.privacy.releases.image import FeatureRelease
from privis.privacy.releases.windows import WindowCountRelease, window_sensitivity
from privis.privacy.sensitivity import Sensitivity
from privis.privacy.units import PersonDay

JointAggregate = Aggregate | WindowCountRelease
"""Every release of one result about a corpus that several owners can make together."""


def coordinates(release: JointAggregate, components: int) -> int:
    """Count the integers that are added and get noise.

    >>> from privis.privacy import Laplace, PersonDay
    >>> coordinates(WindowCountRelease(Laplace(1.0), 96, PersonDay(4)), 96)  # and those of whom windows were cut off
    97
    """
    match release:
        case CorpusHistogramRelease():
            return components * release.bins
        case WindowCountRelease():
            return release.windows + 1
        case MeanRelease() if release.count_weight((components,)):
            return components + 1
        case _:
            return components


def largest_integer(release: JointAggregate, images: int) -> int:
    """Bound the size of one integer of an owner who has at most ``images``."""
    match release:
        case CorpusHistogramRelease():
            return images
        case WindowCountRelease():
            return images * release.resolution
        case _:
            return FeatureRelease(release.noise, release.clip).radius * images  # a private count weighs at most as much


def shared_sensitivity(
    release: JointAggregate, unit: CorpusUnit | PersonDay, components: int, shares: int
) -> Sensitivity:
    """The sensitivity, with every coordinate counted often enough to pay for a sum of ``shares`` shares of noise."""
    norm = release.noise.norm
    if isinstance(release, WindowCountRelease):
        plain = window_sensitivity(norm, release.windows, release.unit, release.resolution)
    elif isinstance(unit, PersonDay):
        raise ParameterError(Problem("release.unit", repr(unit), "that of a sum, mean or histogram"))
    elif isinstance(release, CorpusHistogramRelease):
        plain = bin_sensitivity(norm, unit, release.bins, components)
    else:
        radius = FeatureRelease(release.noise, release.clip).radius
        weight = release.count_weight((components,)) if isinstance(release, MeanRelease) else 0
        plain = sum_sensitivity(norm, unit, radius, components, weight)
    return replace(plain, coordinates=plain.coordinates * (shares + 1))


def released_values(release: JointAggregate, components: int, noisy: list[int], images: int | None) -> NDArray[Any]:
    """Bring noisy integers into the release's own form; post-processing.

    Args:
        release: whose integers they are.
        components: of a vector.
        noisy: total of contributions and noise shares, in grid steps.
        images: of all owners together, where their number is public.

    Returns:
        The sum or mean, float64 (components,); counts of bins, int64 (components, bins); people in windows, int64
        (windows + 1,), those of whom windows were cut off last.

    Raises:
        ParameterError: a mean over a public number of images, and the number is missing.
    """
    if isinstance(release, WindowCountRelease):
        return release.people(noisy)
    if isinstance(release, CorpusHistogramRelease):
        return np.array(noisy, np.int64).reshape(-1, release.bins)
    grid = FeatureRelease(release.noise, release.clip).grid
    if isinstance(release, SumRelease):
        return np.array([step * grid for step in noisy])
    weight = release.count_weight((components,))
    if not weight and not images:
        raise ParameterError(Problem("images", repr(images), "the public number of images of all owners"))
    count = max(1.0, noisy[-1] / weight) if weight else float(images or 1)
    return np.array([step * grid / count for step in noisy[:components]])
