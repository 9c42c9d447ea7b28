"""What `privis.explain` and `Extractor.guarantee` must say of a feature, a shape and an executor."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache, partial
from itertools import product

import mpmath
import numpy as np

import privis
from privis.extraction.explain import Explanation, Secret
from privis.extraction.extractor import Extractor, owner_shape
from privis.features.feature import Feature
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    Metric,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    Release,
    VonMisesFisher,
)
from tests.guarantees import calculator, confirmed, directional
from tests.guarantees.calculator import Move
from tests.guarantees.configurations import (
    Configuration,
    count_differences,
    feature_differences,
    moves_of_pixels,
    pixel_differences,
    words,
)

FEATURES: tuple[Feature, ...] = (
    privis.LBP(), privis.LBP(patterns=privis.Patterns.UNIFORM, grid=(2, 2)), privis.ColourHistogram(bins=4),
    privis.ColourHistogram(bins=2, joint=True), privis.GLCM(angles=(0.0,)), privis.HOG(cell=4, block=2),
    privis.LBP(size=(8, 8)), privis.ColourHistogram(bins=4, size=(6, 9)),
)  # fmt: skip
SHAPES = ((16, 16), (17, 21), (16, 16, 3), (18, 25, 3))
EXECUTORS = (
    privis.Clear(), privis.Clear(native=False), privis.MPC(), privis.MPC(privis.MPCProtocol.CHEETAH), privis.CKKS(),
    privis.CKKS(precision=1e-6, signs=3), privis.Paillier(),
)  # fmt: skip
RELEASES: tuple[Release, ...] = (
    PixelRelease(Laplace(4.0), Pixels(16), 4), PixelRelease(Gaussian(8.0, 1e-9), block=3),
    PixelRelease(Gaussian(1.0, 1e-6), Patch(5)), PixelRelease(Laplace(2.0), Person(3), 2),
    FeatureRelease(Laplace(4.0), 1.0), FeatureRelease(Gaussian(1.0, 1e-6), 30.0, Person(5)),
    HistogramRelease(Laplace(1.0), 9, total=1350), HistogramRelease(Gaussian(2.0, 1e-7), 9, Pixels(2)),
    HistogramRelease(Laplace(1.0), 3, Person(2), 1350), DirectionRelease(PrivUnit(8.0)),
    DirectionRelease(VonMisesFisher(5.0), Metric()), DirectionRelease(VonMisesFisher(5.0), Person(4)),
    CodeRelease(RandomisedResponse(4.0), Person(2)),
)  # fmt: skip
"""One of every kind and unit; an image of ``SHAPES`` gives at most 1,350 counts."""


@lru_cache(maxsize=256)
def extracted_length(feature: Feature, shape: tuple[int, ...]) -> int:
    """Components that an image really gives."""
    image = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    return privis.extract(feature, [image]).features.shape[1]


def seen_shape(feature: Feature, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The image that noise on pixels protects: at the feature's size, luma alone where colour changes nothing."""
    size = feature.size or shape[:2]
    return (*size, *(() if feature.luma_only else shape[2:]))


@lru_cache(maxsize=4096)
def release_differences(release: Release, shape: tuple[int, ...], length: int, guarantee: Guarantee) -> tuple[str, ...]:
    """Compare a guarantee of any release, for an image of ``shape`` and a feature of ``length``."""
    match release:
        case PixelRelease():
            found = pixel_differences(release, shape, guarantee)
        case FeatureRelease():
            found = feature_differences(release, length, guarantee)
        case HistogramRelease():
            found = count_differences(release, length, guarantee)
        case DirectionRelease():
            found = directional.direction_differences(release, length, guarantee) + words(guarantee)
        case CodeRelease():
            found = directional.code_differences(release, length, guarantee) + words(guarantee)
    return tuple(found)


def run_differences(feature: Feature, executor, release: Release, shape: tuple[int, ...]) -> list[str]:
    """Compare what a run of these would state: the executor changes values, never what noise hides."""
    extractor = Extractor(feature, executor, release, None, None)
    length, own = extracted_length(feature, shape), seen_shape(feature, shape)
    if owner_shape(extractor, shape) != own:
        return [f"noise is said to be on {owner_shape(extractor, shape)}, and is on {own}"]
    return list(release_differences(release, own, length, extractor.guarantee(own, length)))


def explained_differences(feature: Feature, release: Release, shape: tuple[int, ...], images: int) -> list[str]:
    """Compare every number that `explain` derives and every number in its lines."""
    told = privis.explain(feature, shape, release=release, images_per_person=images)
    length, own = extracted_length(feature, shape), seen_shape(feature, shape)
    found = list(release_differences(release, own, length, told.guarantee))
    assert told.unit and told.whole_image and told.person and told.noise
    if told.length != length:
        found.append(f"{told.length} components, not {length}")
    guarantee = told.guarantee
    if (told.unit.epsilon, told.unit.delta) != (guarantee.epsilon, guarantee.delta):
        found.append("the unit's epsilon is not the guarantee's")
    whole = guarantee.whole_image_epsilon, guarantee.whole_image_delta
    if (told.whole_image.epsilon, told.whole_image.delta) != whole:
        found.append("the whole image's epsilon is not the guarantee's")
    found += _persons(told, release, own, length, images)
    for secret in (told.unit, told.whole_image, told.person):
        found += _success(secret)
    return found + _noise(told, release, own, length) + _lines(told)


def _persons(told: Explanation, release: Release, shape: tuple[int, ...], length: int, images: int) -> list[str]:
    """All images of a person: distances in L1 and pure epsilons add up, distances in L2 in squares."""
    assert told.person and told.whole_image
    epsilon, delta = told.person.epsilon, told.person.delta
    if math.isinf(told.whole_image.epsilon):
        return [] if math.isinf(epsilon) else ["a bound on a person where a whole image has none"]
    whole = whole_move(release, shape, length)
    if whole is None or isinstance(release.noise, Laplace):  # type: ignore[union-attr]
        least = Fraction(told.whole_image.epsilon) * images
        # Doubles multiply to the nearest; the bound itself was rounded up.
        if not least * (1 - Fraction(1, 2**52)) <= Fraction(epsilon) <= least * (1 + Fraction(1, 10**9)):
            return [f"person: epsilon {epsilon} for {images} images of {told.whole_image.epsilon}"]
        return [] if delta >= images * told.whole_image.delta * (1 - 1e-15) else [f"person: delta {delta}"]
    found = confirmed.gaussian(told.guarantee.scale, whole.times(images), epsilon, delta, loose=1.02)
    return [f"person: {difference}" for difference in found]


def whole_move(release: Release, shape: tuple[int, ...], length: int) -> Move | None:
    """How far apart whole images are; None for releases without a grid."""
    match release:
        case PixelRelease():
            return moves_of_pixels(release, shape)[1]
        case FeatureRelease(noise=noise):
            return calculator.ball_move(_norm(noise), calculator.radius_of(release.clip), length)
        case HistogramRelease(noise=noise, total=total) if total is not None:
            return calculator.replaced_counts(_norm(noise), length, total)
    return None


def _norm(noise: Laplace | Gaussian) -> str:
    return "L1" if isinstance(noise, Laplace) else "L2"


def _success(secret: Secret) -> list[str]:
    """No less than what a mechanism with this guarantee allows for sure, no more than what it allows at all."""
    with mpmath.workprec(200):
        e = mpmath.exp(mpmath.mpf(secret.epsilon)) if math.isfinite(secret.epsilon) else mpmath.inf
        most = 1 if math.isinf(secret.epsilon) else min(1, (e + secret.delta) / (1 + e))
    if not 0.5 <= secret.success <= most * (1 + 1e-12):
        return [f"success {secret.success!r} where {mpmath.nstr(mpmath.mpf(most))} is the most"]
    return [] if secret.advantage == 2 * secret.success - 1 else ["advantage is not what success says"]


def success_from_below(move: Move, noise: Laplace | Gaussian, scale: float) -> mpmath.mpf:
    """Right guesses that the worst pair allows: of one coordinate for Laplace noise, of all for Gaussian."""
    with mpmath.workprec(200):
        if isinstance(noise, Gaussian):
            return 1 - mpmath.erfc(move.distance / scale / 2 / mpmath.sqrt(2)) / 2
        q, d = mpmath.exp(-1 / mpmath.mpf(scale)), move.largest
        return 1 - (q ** (d // 2 + 1) + q ** (d - d // 2)) / (1 + q) / 2


def _noise(told: Explanation, release: Release, shape: tuple[int, ...], length: int) -> list[str]:
    assert told.noise and told.unit and told.whole_image
    guarantee, found = told.guarantee, []
    areas: tuple[int, ...] = (1,)
    channels = 1
    if isinstance(release, PixelRelease):
        block = release.unit.side if isinstance(release.unit, Patch) else release.block
        areas, channels = calculator.block_areas(shape[0], shape[1], block), math.prod(shape[2:])
    each = _deviation(release, guarantee, length)
    least = each / max(areas) if isinstance(release, PixelRelease) else each * guarantee.step
    average = least * math.sqrt(sum((max(areas) / area) ** 2 for area in areas) / len(areas))
    most = least * max(areas) / min(areas)
    values = len(areas) * channels if isinstance(release, PixelRelease) else length
    for what, got, true in (
        ("deviation", told.noise.deviation, average), ("most", told.noise.most, most),
        ("values", told.noise.values, values), ("length", told.noise.length, average * math.sqrt(values)),
    ):  # fmt: skip
        if not math.isclose(got, true, rel_tol=1e-6):
            found.append(f"noise: {what} {got} where it is {true}")
    line = next(line for line in told.lines if line.startswith("Noise"))
    printed = confirmed.numbers_after("standard deviation", line)[0]
    if not math.isclose(printed, average, rel_tol=6e-4):
        found.append(f"noise: {printed} is printed for {average}")
    if most > average * 1.001 and not math.isclose(confirmed.numbers_after("up to", line)[0], most, rel_tol=6e-4):
        found.append(f"noise: {line!r} where some values have {most}")
    if isinstance(release, PixelRelease | FeatureRelease | HistogramRelease):
        whole = whole_move(release, shape, length)
        if whole is not None:
            least_success = success_from_below(whole, release.noise, guarantee.scale)
            if told.whole_image.success < least_success * (1 - 1e-12):
                found.append(f"success {told.whole_image.success} where {mpmath.nstr(least_success)} is achieved")
            if isinstance(release.noise, Gaussian) and told.whole_image.success > least_success * (1 + 1e-3) + 1e-9:
                found.append(f"success {told.whole_image.success} where {mpmath.nstr(least_success)} is true")
    return found


def _deviation(release: Release, guarantee: Guarantee, length: int) -> float:
    """Standard deviation of one value in grid steps, by summing squares over the law."""
    match release:
        case DirectionRelease():
            return guarantee.scale / math.sqrt(length)
        case CodeRelease():
            return guarantee.scale
    scale = guarantee.scale
    if scale > 300:  # sums are integrals by then, to 1e-6
        return scale * (math.sqrt(2) if isinstance(release.noise, Laplace) else 1.0)
    z = np.arange(-int(40 * scale) - 40, int(40 * scale) + 41, dtype=float)
    chance = np.exp(-np.abs(z) / scale) if isinstance(release.noise, Laplace) else _rounded(z, scale)
    return math.sqrt(float((z * z * chance).sum() / chance.sum()))


def _rounded(z: np.ndarray, scale: float) -> np.ndarray:
    from scipy.special import ndtr

    upper = ndtr(-(np.abs(z) - 0.5) / scale)
    return np.where(z == 0, 1 - 2 * ndtr(-0.5 / scale), upper - ndtr(-(np.abs(z) + 0.5) / scale))


def _lines(told: Explanation) -> list[str]:
    found = []
    secrets = [secret for secret in (told.unit, told.whole_image, told.person) if secret is not None]
    hidden = [line for line in told.lines if line.startswith("Hidden")]
    for line in hidden:
        secret = next((secret for secret in secrets if f"Hidden: {secret.what}, at" in line), None)
        if secret is None:
            found.append(f"{line!r} is about nothing that was derived")
            continue
        if math.isinf(secret.epsilon):
            found += [] if "epsilon without bound" in line else [f"{line!r} where there is no bound"]
        else:
            found += confirmed.said("line", "at epsilon", line, secret.epsilon, 1.001001)
            found += confirmed.said("line's delta", "and delta", line, secret.delta, 1.1001)
        percent = float(re.findall(r"right at most ([0-9.]+) %", line)[0])
        if not secret.success * 100 * (1 - 1e-12) <= percent <= 100 * secret.success + 50 * (1 - secret.success) + 1e-6:
            found.append(f"{percent} % is printed for {secret.success!r}")
    if told.unit is not None and not any(told.unit.what in line for line in hidden):
        found.append("no line about the unit")
    public = next(line for line in told.lines if line.startswith("Public"))
    if confirmed.numbers_after("the feature " + told.feature + " of", public) != [told.length]:
        found.append(f"{public!r} of {told.length} components")
    return found


def run_configurations() -> Iterator[Configuration]:
    """Features, executors and releases together."""
    for feature, shape, release in product(FEATURES, SHAPES, RELEASES):
        for executor in EXECUTORS:
            name = f"{feature!r} under {executor!r} with {release!r} of {shape}"
            yield Configuration(name, partial(run_differences, feature, executor, release, shape))
        for images in (1, 4):
            name = f"explain {feature!r} with {release!r} of {shape}, {images} images"
            yield Configuration(name, partial(explained_differences, feature, release, shape, images))
