"""What guarantees of directions and codes must say, from the densities that are sampled."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise, product

import mpmath
from scipy import special

from privis.privacy import CodeRelease, DirectionRelease, Enrolment, Guarantee, Metric, Person, PrivUnit
from privis.privacy.mechanisms.randomised_response import DistanceDistribution
from privis.privacy.sampling.zonal_distribution import ZonalDistribution
from tests.guarantees import confirmed
from tests.guarantees.confirmed import Expected


def direction_differences(release: DirectionRelease, dimension: int, guarantee: Guarantee) -> list[str]:
    """Compare the guarantee of a direction.

    All inputs have the same density of the angle between input and release up to rotation, so the loss is the
    difference of the log-density at two angles. PrivUnit: the jump, both values occur. Von Mises-Fisher: slope (cos a -
    cos b), 2 slope for opposite inputs and slope d for two at distance d (<x - y, v> is largest for v along x - y).
    """
    unit, metric = release.unit, isinstance(release.unit, Metric)
    images = unit.images if isinstance(unit, Person) else 1
    law = release.mechanism.distribution(dimension, images)
    loss = Fraction(law.jump) + 2 * Fraction(law.slope)
    mechanism = "PrivUnit" if isinstance(release.mechanism, PrivUnit) else "von Mises-Fisher"
    names = {Metric: "metric", Person: "person", Enrolment: "enrolment"}
    plain = Expected(
        names.get(type(unit), "whole image"), images if isinstance(unit, Person) else None, mechanism, 1.0,
        "feature units", "L2",
    )  # fmt: skip
    found = confirmed.plain(guarantee, plain)
    if guarantee.sensitivity != (1.0 if metric else 2.0):
        found.append(f"sensitivity {guarantee.sensitivity}")
    stated = (release.mechanism.epsilon if isinstance(release.mechanism, PrivUnit) else 0.0) or guarantee.epsilon
    for name, epsilon, true in (
        ("", guarantee.epsilon, loss / 2 if metric else loss * images),
        ("whole-image ", guarantee.whole_image_epsilon, loss),
        ("asked ", stated, loss / 2 if metric else loss * images),
    ):
        if not true <= Fraction(epsilon) <= true * (1 + Fraction(1, 10**9)):
            found.append(f"{name}epsilon {epsilon!r} where it is {float(true)!r}")
    with mpmath.workprec(200):
        variation = mpmath.mpf(2) ** -347 if dimension < 4 else dimension * mpmath.mpf(2) ** -1030
        charge = variation * (1 + mpmath.exp(mpmath.mpf(loss.numerator) / loss.denominator))
    for name, delta, parts in (("", guarantee.delta, images), ("whole-image ", guarantee.whole_image_delta, 1)):
        if not parts * charge * (1 - mpmath.mpf(2) ** -50) <= delta <= parts * charge * 1.001 + 1e-320:
            found.append(f"{name}delta {delta!r} where it is {mpmath.nstr(parts * charge)}")
    mean = mean_of(law)
    if not math.isclose(guarantee.scale, math.sqrt(1 / mean**2 - 1), rel_tol=1e-4):
        found.append(f"scale {guarantee.scale} where the error is {math.sqrt(1 / mean**2 - 1)}")
    return found + _reason(guarantee, images)


def mean_of(law: ZonalDistribution) -> float:
    """Mean inner product of input and release, in closed form."""
    half = (law.dimension - 1) / 2
    if law.slope:
        return float(mpmath.besseli(half + 0.5, law.slope) / mpmath.besseli(half - 0.5, law.slope))
    cap = 0.5 * special.betainc(half, 0.5, math.sin(law.cap) ** 2)
    if law.cap > math.pi / 2:
        cap = 1 - cap
    inner = math.exp((law.dimension - 1) * math.log(math.sin(law.cap)) - special.betaln(half, 0.5)) / (2 * half)
    more = math.expm1(law.jump)
    return more * inner / (1 + more * cap)


def code_differences(release: CodeRelease, bits: int, guarantee: Guarantee) -> list[str]:
    """Compare the guarantee of a code: exact probabilities of all codes, from the integers that are sampled."""
    images = release.unit.images if isinstance(release.unit, Person) else 1
    law = release.mechanism.distribution(bits, images)
    ratio = worst_ratio(law) if bits <= 5 else _extremes(law)
    names = {Person: "person", Enrolment: "enrolment"}
    plain = Expected(
        names.get(type(release.unit), "whole image"),
        images if isinstance(release.unit, Person) else None, "randomised response", 1.0, "feature units", "Hamming",
    )  # fmt: skip
    found = confirmed.plain(guarantee, plain)
    with mpmath.workprec(300):
        loss = mpmath.log(mpmath.mpf(ratio.numerator) / ratio.denominator)
        for name, epsilon, parts in (
            ("", guarantee.epsilon, images),
            ("whole-image ", guarantee.whole_image_epsilon, 1),
        ):
            if not parts * loss <= mpmath.mpf(epsilon) <= parts * loss * (1 + mpmath.mpf(10) ** -9):
                found.append(f"{name}epsilon {epsilon!r} where it is {mpmath.nstr(parts * loss)}")
    if guarantee.delta or guarantee.whole_image_delta:
        found.append("a delta where probabilities are exact")
    if guarantee.sensitivity != bits:
        found.append(f"sensitivity {guarantee.sensitivity} of {bits} bits")
    if guarantee.epsilon != release.mechanism.epsilon:
        found.append(f"epsilon {guarantee.epsilon} where {release.mechanism.epsilon} was asked for")
    chances = distances(law)
    mean = 1 - 2 * sum(distance * chance for distance, chance in enumerate(chances)) / bits
    if not math.isclose(guarantee.scale, math.sqrt(1 / float(mean) ** 2 - 1), rel_tol=1e-6, abs_tol=1e-6):
        found.append(f"scale {guarantee.scale} where the error is {math.sqrt(1 / float(mean) ** 2 - 1)}")
    near = max(distance for distance in range(bits + 1) if _each(law, distance) == _each(law, 0))
    told = {"all": float(bits), "codes within": float(near if near < bits else law.radius)}
    return found + confirmed.reason(guarantee, told) + _reason(guarantee, images)


def distances(law: DistanceDistribution) -> list[Fraction]:
    """Exact probability of every Hamming distance."""
    return [Fraction(above - below, law.below[-1]) for below, above in pairwise((0, *law.below))]


def _each(law: DistanceDistribution, distance: int) -> Fraction:
    """Exact probability of one code at this distance."""
    bits = len(law.below) - 1
    return distances(law)[distance] / math.comb(bits, distance)


def _extremes(law: DistanceDistribution) -> Fraction:
    bits = len(law.below) - 1
    each = [chance / math.comb(bits, distance) for distance, chance in enumerate(distances(law))]
    return max(each) / min(each)


def worst_ratio(law: DistanceDistribution) -> Fraction:
    """Largest ratio of two codes' probabilities of a release, over all pairs of codes and all releases."""
    bits = len(law.below) - 1
    each = [chance / math.comb(bits, distance) for distance, chance in enumerate(distances(law))]
    triples = product(range(1 << bits), repeat=3)
    return max(each[(one ^ out).bit_count()] / each[(other ^ out).bit_count()] for one, other, out in triples)


def _reason(guarantee: Guarantee, images: int) -> list[str]:
    """The reason's epsilon is that of one image: with several of a person it must not be taken for the person's."""
    if images == 1:
        return []
    return confirmed.said("reason", "each image has one of", guarantee.sensitivity_reason, images, 1.0)
