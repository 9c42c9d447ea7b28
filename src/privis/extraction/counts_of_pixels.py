"""Noise on counts that hides single pixels, checked against what the feature's program can move.

A release cannot see a feature, and a feature does not know of releases. Here both are known: what the caller says of
a feature (``moves`` and ``total`` of a ``HistogramRelease`` for ``Pixels``) is compared with a bound that is read from
its program (``privis.readings.analysis.reach``), and refused where it is less.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Feature, core_shape, is_counts, is_pixelwise
from privis.privacy import Guarantee, HistogramRelease, Pixels, Release, Stage, no_release
from privis.program import Program
from privis.program.shapes import Shape
from privis.readings import Reach, reach

LARGEST_COUNT = 2**24  # features are float32, which holds every whole number up to here
ELSEWHERE = "hide whole images instead (unit=WholeImage() and total=...), or put the noise on pixels (PixelRelease)"
_PROBED = 64  # pixels that are changed to see where ``before`` puts them
_LEVELS = ((0, 256), (96, 160))  # of the images in which they are changed


def stated(feature: Feature, release: Release | None, image_shape: Shape, length: int) -> Guarantee:
    """The guarantee of ``release`` for ``length`` components of ``feature``, of an image of ``image_shape``.

    The image is the one that the feature reads, after resizing; where that happens and pixels are what is hidden, the
    guarantee says so. Raises ParameterError for counts whose pixels cannot be hidden as the release says, and for an
    epsilon that no noise can keep.
    """
    if release is None:
        return no_release()
    if isinstance(release, HistogramRelease) and isinstance(release.unit, Pixels):
        core = core_shape(feature, image_shape)
        refuse(ParameterError, count_problems(feature, release, feature.program(core), core))
        guarantee = replace(release.guarantee((length,)), promises=())  # they were checked
    else:
        guarantee = release.guarantee(image_shape if release.stage is Stage.IMAGE else (length,))
    return guarantee if feature.size is None else guarantee.of_resized(feature.size)


def feature_problems(feature: Feature, release: Release | None) -> list[Problem]:
    """What is wrong with ``release`` for ``feature`` whatever the image: all of it where images are resized."""
    if not isinstance(release, HistogramRelease) or not isinstance(release.unit, Pixels):
        return []
    if not is_counts(feature):
        expected = "a feature that says that its vector is the counts of its program (counts = True)"
        return [Problem("HistogramRelease.unit", f"{release.unit!r} on {feature.name}", expected, ELSEWHERE)]
    if feature.size is None:
        return []
    shape = core_shape(feature, feature.size if feature.luma_only else (*feature.size, 3))
    return count_problems(feature, release, feature.program(shape), shape)


def count_problems(feature: Feature, release: Release | None, program: Program, shape: Shape) -> list[Problem]:
    """What is wrong with ``release`` for ``feature`` whose core ``program`` takes inputs of ``shape``.

    Nothing for other releases than a HistogramRelease for Pixels: whatever the feature does, they clip, or cut off.
    """
    if not isinstance(release, HistogramRelease) or not isinstance(release.unit, Pixels):
        return []
    problems = _denied(feature, program, shape) if is_counts(feature) else feature_problems(feature, release)
    if problems:
        return problems
    found = reach(program, pixelwise=is_pixelwise(feature))
    if found is None:
        expected = "a program that ends in counts, whose moves can be bounded"
        return [Problem("HistogramRelease.unit", f"{release.unit!r} on {feature.name}", expected, ELSEWHERE)]
    return _too_little(release, feature, found)


def _too_little(release: HistogramRelease, feature: Feature, found: Reach) -> list[Problem]:
    problems = []
    if release.moves < found.moves:
        expected = f"at least {found.moves}, which one changed pixel moves in {feature.name}"
        remedy = f"pass moves={found.moves}, or hide whole images: unit=WholeImage() and total={found.total}"
        problems.append(Problem("HistogramRelease.moves", str(release.moves), expected, remedy))
    if release.total is not None and release.total < found.total:
        expected = f"at least {found.total}, the counts of {feature.name} for an image of this size"
        problems.append(Problem("HistogramRelease.total", str(release.total), expected, f"pass total={found.total}"))
    if found.largest > LARGEST_COUNT:
        expected = f"at most {LARGEST_COUNT:,}, beyond which float32 rounds counts and one pixel moves more of them"
        remedy = "pass size=(height, width) to the feature, or count in a grid of cells"
        problems.append(Problem("HistogramRelease", f"counts up to {found.largest:,}", expected, remedy))
    return problems


def _denied(feature: Feature, program: Program, shape: Shape) -> list[Problem]:
    """Where what the feature says of itself is not so, tried on random numbers.

    A wrong word would make a wrong guarantee: an image resized or blurred by ``before`` that is said to be pixelwise,
    counts that ``after`` divides.
    """
    problems = []
    counts = program.output_shapes[0]
    sample = np.random.default_rng(0).permutation(math.prod(counts)).astype(np.float32).reshape(counts)
    if not np.array_equal(np.asarray(feature.after(sample)), sample.ravel()):
        got = f"another vector after {type(feature).__name__}.after"
        problems.append(Problem(f"{feature.name}.counts", got, "the counts of the program, in C order", ELSEWHERE))
    if is_pixelwise(feature) and not _keeps_pixels(feature, shape):
        got = f"pixels that {type(feature).__name__}.before moves or spreads"
        expected = "every value at its pixel's place, a function of that pixel alone"
        problems.append(Problem(f"{feature.name}.pixelwise", got, expected, "leave pixelwise away, or " + ELSEWHERE))
    return problems


def _keeps_pixels(feature: Feature, shape: Shape) -> bool:
    """Whether changed pixels change ``before`` at their own places only, at this size and, if free, at another.

    Of an image of all grey levels and of one of few: of the first, a stretch of the contrast would not show.
    """
    generator = np.random.default_rng(0)
    for margin, levels in itertools.product((0, 1) if feature.size is None else (0,), _LEVELS):
        height, width = shape[-2] + margin, shape[-1] + 2 * margin
        image = generator.integers(*levels, (height, width) if feature.luma_only else (height, width, 3), np.uint8)
        changed = np.zeros((height, width), bool)
        changed.flat[generator.choice(changed.size, min(_PROBED, 1 + changed.size // 4), replace=False)] = True
        other = image.copy()
        other[changed] = np.where(image[changed] < 128, 255, 0)
        first, second = feature.before(image), feature.before(other)
        if first.shape != (*shape[:-2], height, width) or ((first != second) & ~changed).any():
            return False
    return True
