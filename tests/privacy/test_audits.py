"""Attacks with 100,000 tries: what an attacker proves is close to the claim, and more than it when there is a bug.

Every mechanism is a parameter here. The mutants at the end are the bugs that such code has had elsewhere; each check
that passes for the real mechanism must fail for its mutant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from privis.attack.audits.epsilon_bounds import two_point_bound
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    NoiseStream,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    ReleaseKey,
    VonMisesFisher,
)
from privis.privacy.sampling.direction_sampler import sample
from privis.privacy.sampling.zonal_distribution import STEP, ZonalDistribution, best_cap

KEY = ReleaseKey(bytes(range(32)))
COUNT = 100_000
X = np.array([0.6, 0.0, 0.8])
Draw = Callable[[int, int], npt.NDArray[np.float64]]  # (which of two inputs, how many) -> a score per release


def streams(count: int, record: str) -> list[NoiseStream]:
    return [KEY.stream(f"{record} {index}", b"", b"") for index in range(count)]


class Slice(NoiseStream):
    """A stream that reads words drawn beforehand: 100,000 ciphers would take most of the time."""

    __slots__ = ("taken",)

    def __init__(self, taken: npt.NDArray[np.uint64]) -> None:
        super().__init__(bytes(32))
        self.taken = taken

    def narrowed(self, purpose: bytes) -> NoiseStream:
        return self

    def words(self, start: int, count: int) -> npt.NDArray[np.uint64]:
        assert 2 * (start + count) <= self.taken.size
        return self.taken[2 * start : 2 * (start + count)]


def proved_epsilon(draw: Draw, count: int = COUNT) -> float:
    """Largest epsilon that an attacker proves with 97.5 % confidence twice, for the best threshold on the score."""
    return two_point_bound(draw(0, count), draw(1, count), level=0.05).epsilon


def laplace_pixels(epsilon: float) -> Draw:
    """White pixels against black ones."""
    release = PixelRelease(Laplace(epsilon), unit=Pixels(1))

    def draw(which: int, count: int) -> npt.NDArray[np.float64]:
        image = np.full((count, 1), 255 * (1 - which), np.uint8)
        return release.apply(image, streams(1, f"pixels {which}")[0])[:, 0].astype(float)

    return draw


def laplace_counts(epsilon: float) -> Draw:
    """A count that one pixel moves: 5 in a bin against 4 (and 4 against 5 in the next one)."""
    release = HistogramRelease(Laplace(epsilon), moves=1, unit=Pixels(1))

    def draw(which: int, count: int) -> npt.NDArray[np.float64]:
        released = release.apply(np.tile([100 - which, 99 + which], (count, 1)), streams(1, f"counts {which}")[0])
        return (released[:, 0] >= 100).astype(float) + (released[:, 1] <= 99)

    return draw


def response(epsilon: float) -> Draw:
    """A code of seven bits against the opposite code."""
    release = CodeRelease(RandomisedResponse(epsilon))

    def draw(which: int, count: int) -> npt.NDArray[np.float64]:
        vector = np.where(np.arange(7) % 2 == which, 1.0, -1.0)
        words = streams(1, f"opposite codes {which}")[0].words(0, 16 * count).reshape(count, 32)
        released = np.stack([release.apply(vector, Slice(own)) for own in words])
        return released @ np.where(np.arange(7) % 2 == 0, 1.0, -1.0)

    return draw


def directions(mechanism: PrivUnit | VonMisesFisher) -> Draw:
    """A direction against the opposite one; the score is the inner product with the first."""
    release = DirectionRelease(mechanism)

    def draw(which: int, count: int) -> npt.NDArray[np.float64]:
        inputs = np.broadcast_to(X * (1 - 2 * which), (count, 3))
        return release.apply_many(inputs, streams(count, f"direction {which}")).astype(float) @ X

    return draw


TIGHT = {
    "Laplace on pixels": (laplace_pixels, 2.0),
    "Laplace on counts": (laplace_counts, 2.0),
    "randomised response": (response, 3.0),
    "PrivUnit": (lambda epsilon: directions(PrivUnit(epsilon)), 3.0),
}


@pytest.mark.parametrize("name", TIGHT)
def test_audit_comes_within_five_percent_of_the_claim(name: str) -> None:
    mechanism, epsilon = TIGHT[name]
    assert 0.95 * epsilon <= proved_epsilon(mechanism(epsilon)) <= epsilon


@pytest.mark.parametrize("name", TIGHT)
def test_audit_catches_noise_that_is_too_small_by_a_fifth(name: str) -> None:
    mechanism, epsilon = TIGHT[name]
    assert proved_epsilon(mechanism(1.2 * epsilon), 30_000) > epsilon


def test_von_mises_fisher_stays_below_its_claim() -> None:
    """Its worst event is a single direction, which no finite number of tries sees: half way is already much."""
    proved = proved_epsilon(directions(VonMisesFisher(1.0)), 20_000)
    assert 1.2 < proved <= 2.0
    assert proved_epsilon(directions(VonMisesFisher(2.0)), 20_000) > 2.0


def test_von_mises_fisher_keeps_its_distances() -> None:
    """At d = 0.5 an attacker proves no more than concentration * d, and more than that of half the distance."""
    release, near = DirectionRelease(VonMisesFisher(4.0)), np.array([0.6, 0.0, 0.8])
    angle = 2 * math.asin(0.25)
    turned = np.array(
        [0.6 * math.cos(angle) + 0.8 * math.sin(angle), 0.0, 0.8 * math.cos(angle) - 0.6 * math.sin(angle)]
    )
    assert np.linalg.norm(turned - near) == pytest.approx(0.5)

    def draw(which: int, count: int) -> npt.NDArray[np.float64]:
        inputs = np.broadcast_to((near, turned)[which], (count, 3))
        return release.apply_many(inputs, streams(count, f"near {which}")).astype(float) @ (near - turned)

    assert 1.0 < proved_epsilon(draw, 40_000) <= 2.0


# Mutants: what each check is there to find.


def classical_privunit(epsilon: float, p_factor: float = 1.0, cap_factor: float = 1.0) -> Draw:
    """PrivUnit in the usual words, on doubles: p computed for one cap, and (as a bug) another p or cap used."""
    cap = best_cap(epsilon, 3)
    share = (1 - math.cos(cap)) / 2  # Archimedes
    p = p_factor * math.exp(epsilon) * share / (1 + math.expm1(epsilon) * share)

    def draw(which: int, count: int) -> npt.NDArray[np.float64]:
        generator = np.random.default_rng(which)
        border = math.cos(cap * cap_factor)
        inner = np.where(
            generator.random(count) < p, generator.uniform(border, 1, count), generator.uniform(-1, border, count)
        )
        return inner * (1 - 2 * which)

    return draw


def test_the_classical_construction_is_the_same_mechanism() -> None:
    assert 0.95 * 3 <= proved_epsilon(classical_privunit(3.0)) <= 3.0


@pytest.mark.parametrize("bug", [{"p_factor": 1.07}, {"cap_factor": 0.85}], ids=["p too large", "wrong gamma"])
def test_audit_catches_a_wrong_p_and_a_wrong_gamma(bug: dict[str, float]) -> None:
    assert proved_epsilon(classical_privunit(3.0, **bug)) > 3.0


Apply = Callable[[npt.NDArray[Any], NoiseStream], npt.NDArray[Any]]


def check_grid(apply: Apply, values: npt.NDArray[Any], step: float) -> None:
    """All inputs must have the same possible results: multiples of a public step."""
    for scale in (1.0, 0.37):
        steps = apply(values * scale, streams(1, "grid")[0]).astype(np.float64) / step
        assert np.abs(steps - np.rint(steps)).max() < 1e-2


def check_independence(apply: Apply, values: npt.NDArray[Any]) -> None:
    """Two records with equal values must have independent noise."""
    first, second = (apply(values, streams(1, record)[0]).astype(np.float64) - values for record in "ab")
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / math.sqrt(values.size)


def check_bound(on_grid: Callable[[npt.NDArray[Any]], npt.NDArray[np.int64]], radius: int) -> None:
    """Whatever comes in, its L2 norm on the grid is at most the radius."""
    for size in (1e-3, 1.0, 1.0001, 1e9):
        for vector in (np.full(50, size), size * np.eye(50)[3], np.full(50, -size), np.array([size, *[0.0] * 49])):
            assert int((on_grid(vector) ** 2).sum()) <= radius**2


def check_noise_is_blind(apply: Apply, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
    """With the same stream the noise is the same, whatever the values: its scale is not taken from them."""
    own = streams(1, "blind")[0]
    noise = [apply(values, own).astype(np.float64) - values for values in (first, second)]
    assert np.abs(noise[0] - noise[1]).max() < 1e-3 * np.abs(noise[0]).max()


FEATURE = FeatureRelease(Gaussian(1.0, 1e-6), clip=1.0)
SMALL, LARGE = np.full(400, 1e-3), np.full(400, 0.04)
DIRECTION = DirectionRelease(PrivUnit(4.0))


def test_real_mechanisms_pass_every_check() -> None:
    check_grid(FEATURE.apply, LARGE, FEATURE.grid)
    check_grid(DIRECTION.apply, LARGE, STEP / ZonalDistribution(400, 0.0, 4.0, best_cap(4.0, 400)).mean)
    for release in (FEATURE, DIRECTION, CodeRelease(RandomisedResponse(4.0))):
        check_independence(release.apply, np.where(np.arange(400) % 2, 0.05, -0.05))
    check_bound(FEATURE.on_grid, FEATURE.radius)
    check_noise_is_blind(FEATURE.apply, SMALL, LARGE)
    check_noise_is_blind(HistogramRelease(Laplace(9.0), 1, Pixels(1)).apply, np.full(50, 99), np.full(50, 999))


def float_noise(values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[np.float64]:
    return values + np.random.default_rng(0).laplace(0, 4.0, values.shape)


def float_direction(values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[np.float64]:
    law = ZonalDistribution(values.size, 0.0, 4.0, best_cap(4.0, values.size))
    steps = sample(law, (values / np.linalg.norm(values))[None], [stream])[0]
    return (steps + np.random.default_rng(1).random(values.size)) * STEP / law.mean


@pytest.mark.parametrize(("mutant", "step"), [(float_noise, FEATURE.grid), (float_direction, STEP)])
def test_float_noise_is_found(mutant: Apply, step: float) -> None:
    with pytest.raises(AssertionError):
        check_grid(mutant, LARGE, step)


@pytest.mark.parametrize("release", [FEATURE, DIRECTION, CodeRelease(RandomisedResponse(4.0))])
def test_a_reused_key_is_found(release: FeatureRelease | DirectionRelease | CodeRelease) -> None:
    with pytest.raises(AssertionError):
        check_independence(lambda values, stream: release.apply(values, streams(1, "always")[0]), LARGE)


def test_a_wrong_clip_is_found() -> None:
    for mutant in (
        lambda values: (np.minimum(values, 1e3) / FEATURE.grid).astype(np.int64),  # none
        lambda values: np.rint(np.clip(values, -1, 1) / FEATURE.grid).astype(np.int64),  # each component by itself
        lambda values: FEATURE.on_grid(values) + 1,  # rounded up
    ):
        with pytest.raises(AssertionError):
            check_bound(mutant, FEATURE.radius)


def test_a_bound_taken_from_the_data_is_found() -> None:
    def largest_value(values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[Any]:
        return FeatureRelease(Laplace(1.0), clip=float(np.abs(values).sum())).apply(values, stream)

    def own_total(values: npt.NDArray[Any], stream: NoiseStream) -> npt.NDArray[Any]:
        return HistogramRelease(Laplace(9.0), moves=1, total=int(values.sum())).apply(values, stream)

    for mutant, first, second in ((largest_value, SMALL, LARGE), (own_total, np.full(50, 99), np.full(50, 999))):
        with pytest.raises(AssertionError):
            check_noise_is_blind(mutant, first, second)
