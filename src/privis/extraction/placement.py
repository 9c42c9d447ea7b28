"""Where noise leaves the most: on the pixels, on the feature or on its counts, by what is public of all three."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from privis.errors import ImageError, ParameterError
from privis.extraction.counts_of_pixels import count_problems
from privis.extraction.noise_level import NoiseLevel, predicted
from privis.features.feature import Feature, core_shape, is_counts, is_pixelwise
from privis.features.image_ops import owner_image_shape
from privis.features.norms import largest_norms
from privis.features.postprocessing.projection import RandomProjection
from privis.features.postprocessing.steps import L2, Posted, Step
from privis.privacy import (
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    Release,
    WholeImage,
)
from privis.privacy.sensitivity import Norm
from privis.program.shapes import Shape
from privis.readings import reach

Noise = Laplace | Gaussian
ImageUnit = WholeImage | Pixels | Patch | Person
COMPONENTS = (64, 32, 16, 8, 4)
"""Lengths that a feature is projected to at random, where its direction is to be released."""
BLOCKS = (2, 4, 8, 16, 32)
WORTHWHILE = 0.3
"""Ratio of signal to noise from which a suggestion is good enough, instead of a shorter or coarser one."""
_AS_GOOD = 0.99  # of the largest ratio: the earlier one is taken, whose noise falls on less


@dataclass(frozen=True)
class Alternative:
    """Another release that hides the same unit at the same epsilon, after public ``steps``, and leaves ``level``."""

    steps: tuple[Step, ...]
    release: Release
    level: NoiseLevel


def best_release(feature: Feature, noise: Noise, unit: ImageUnit, shapes: Sequence[Shape]) -> Release:
    """Put ``noise`` where it leaves the most of ``feature``, of all places that hide ``unit``.

    A whole image, or a person, is hidden by noise on the counts, the feature or the pixels; the first two where the
    feature says what it is and how long it can be (`privis.features.norms`). Pixels are hidden by noise on counts, if
    what one pixel moves can be bounded, or on the pixels. Only public facts decide: the feature, and dimensions.

    Args:
        feature: what is extracted.
        noise: `Laplace` or `Gaussian`.
        unit: what is hidden.
        shapes: (H, W) or (H, W, 3) of the decoded images, in pixels, the first one typical; at least one.

    Returns:
        A release whose clip, moves and total hold for all ``shapes``. A whole image is hidden by noise on pixels only
        where nothing else is possible.

    >>> from privis import HOG, LBP, Patterns
    >>> best_release(HOG(), Gaussian(4.0, 1e-6), WholeImage(), [(64, 64)]).clip
    6.0
    >>> best_release(LBP(Patterns.UNIFORM), Laplace(4.0), Pixels(16), [(64, 64)])
    HistogramRelease(noise=Laplace(epsilon=4.0), moves=9, unit=Pixels(count=16), total=4096)
    """
    levels: list[tuple[float, Release]] = []
    places = _on_vector(feature, noise, unit, shapes)
    if not places or isinstance(unit, Pixels):
        places.append(PixelRelease(noise, unit))
    for release in places:
        level = _level(feature, release, shapes[0])
        if level is not None:
            levels.append((level.signal_to_noise, release))
    if not levels:
        return PixelRelease(noise, unit)
    most = max(ratio for ratio, _ in levels)
    return next(release for ratio, release in levels if ratio >= _AS_GOOD * most)


def alternative(feature: Feature, release: Release, shapes: Sequence[Shape]) -> Alternative | None:
    """A release that leaves something of one image where ``release`` leaves nothing, at its epsilon and for its unit.

    Tried in this order: the same noise elsewhere; for pixels and patches the same noise on blocks; for whole images and
    persons a random direction near that of the feature, projected to few numbers at random.

    Args:
        feature: what is extracted.
        release: what leaves nothing.
        shapes: as for `best_release`.

    Returns:
        The first that leaves something, with preference for what leaves a good deal; None if nothing does.
    """
    found = [candidate for candidate in _alternatives(feature, release, shapes) if not candidate.level.leaves_nothing]
    good = (candidate for candidate in found if candidate.level.signal_to_noise >= WORTHWHILE)
    return next(good, max(found, key=lambda candidate: candidate.level.signal_to_noise, default=None))


def _alternatives(feature: Feature, release: Release, shapes: Sequence[Shape]) -> Iterable[Alternative]:
    unit = release.unit
    noise = getattr(release, "noise", None)
    if isinstance(noise, Laplace | Gaussian) and isinstance(unit, ImageUnit):
        elsewhere = best_release(feature, noise, unit, shapes)
        blocks = BLOCKS if isinstance(unit, Pixels) else ()
        for other in (elsewhere, *(PixelRelease(noise, unit, block) for block in blocks)):
            level = _level(feature, other, shapes[0])
            if level is not None:
                yield Alternative((), other, level)
    if not isinstance(unit, WholeImage | Person):
        return
    epsilon = getattr(noise or getattr(release, "mechanism", None), "epsilon", None)
    if epsilon is None:
        return
    for components in COMPONENTS:
        steps = (RandomProjection(components), L2())
        direction = DirectionRelease(PrivUnit(epsilon), unit)
        level = _level(Posted(feature, steps), direction, shapes[0])
        if level is not None:
            yield Alternative(steps, direction, level)


def largest_norm(feature: Feature, norm: Norm, shapes: Sequence[Shape]) -> float | None:
    """The public clip of ``feature``: its largest ``norm``, "L1" or "L2", for images of ``shapes``; None if unknown."""
    try:
        bounds = [largest_norms(feature, core) for core in _cores(feature, shapes)]
    except (ImageError, ParameterError):
        return None  # an image too small for the feature: the run says so
    known = [bound.l1 if norm == "L1" else bound.l2 for bound in bounds if bound is not None]
    return max(known) if known and len(known) == len(bounds) else None


def moves_and_total(feature: Feature, shapes: Sequence[Shape]) -> tuple[int, int] | None:
    """How many counts of ``feature`` one pixel moves, and how many there are, in images of ``shapes``; None if unknown.

    Both at most, for the largest image.
    """
    if not is_counts(feature):
        return None
    try:
        programs = [feature.program(core) for core in _cores(feature, shapes)]
    except (ImageError, ParameterError):
        return None
    reached = [reach(program, pixelwise=is_pixelwise(feature)) for program in programs]
    known = [bound for bound in reached if bound is not None]
    if not known or len(known) < len(reached):
        return None
    return max(bound.moves for bound in known), max(bound.total for bound in known)


def _cores(feature: Feature, shapes: Sequence[Shape]) -> list[Shape]:
    return sorted({core_shape(feature, owner_image_shape(feature, shape)) for shape in shapes})


def _on_vector(feature: Feature, noise: Noise, unit: ImageUnit, shapes: Sequence[Shape]) -> list[Release]:
    """Noise on the counts, then on the feature, where that hides ``unit`` in images of all ``shapes``."""
    found: list[Release] = []
    known = None if isinstance(unit, Patch) else moves_and_total(feature, shapes)
    if known is not None and not isinstance(unit, Patch):
        release = HistogramRelease(noise, known[0], unit, known[1])
        cases = ((feature.program(core), core) for core in _cores(feature, shapes))
        if not any(count_problems(feature, release, *case) for case in cases):
            found.append(release)
    if isinstance(unit, WholeImage | Person):
        clip = largest_norm(feature, noise.norm, shapes)
        if clip is not None:
            found.append(FeatureRelease(noise, clip, unit))
    return found


def _level(feature: Feature, release: Release, shape: Shape) -> NoiseLevel | None:
    """What a release leaves, if it can be kept at all and what it leaves can be told."""
    try:
        level = predicted(feature, release, shape)
    except (ImageError, ParameterError):
        return None
    return level if math.isfinite(level.signal) else None
