"""What double precision cannot decide is decided by exact arithmetic, and the two never disagree."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import numpy.typing as npt
import pytest

from privis.privacy import DirectionRelease, NoiseStream, PrivUnit
from privis.privacy.sampling import direction_sampler as directions
from privis.privacy.sampling import exact_direction as certain
from privis.privacy.sampling.direction_sampler import normal_magnitude, propose, sample
from privis.privacy.sampling.exact_direction import exact_acceptance, exact_row, log_total_variation
from privis.privacy.sampling.zonal_distribution import STEP, ZonalDistribution, best_cap
from tests.privacy.spheres import LAWS, streams, unit_vector


@pytest.mark.parametrize("law", LAWS)
def test_double_precision_agrees_with_exact_arithmetic(law: ZonalDistribution) -> None:
    inputs = np.stack([unit_vector(law.dimension, seed) for seed in range(6)])
    own = streams(6)
    released = sample(law, inputs, own)
    for row in range(6):
        attempt = next(n for n in range(100) if exact_acceptance(law, own[row], n))
        for stages in ((1,), (4,)):
            assert np.array_equal(exact_row(law, inputs[row], own[row], attempt, stages), released[row])


def test_whatever_the_first_pass_leaves_over_is_the_same_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    law, inputs = ZonalDistribution(6, 0.0, 4.0, best_cap(4.0, 6)), np.tile(unit_vector(6), (60, 1))
    released = sample(law, inputs, streams(60))
    asked: list[int] = []
    exact = certain.exact_row
    monkeypatch.setattr(directions, "_NORMAL_ERROR", 2.0**-15)
    monkeypatch.setattr(directions, "_ACCEPT_ERROR", 0.05)
    monkeypatch.setattr(certain, "exact_row", lambda law, *rest: asked.append(rest[2]) or exact(law, *rest))
    assert np.array_equal(sample(law, inputs, streams(60)), released)
    assert 60 >= len(asked) > 20


def test_rows_that_could_tip_are_not_sure() -> None:
    """A row whose first component lands on a whole number up to 1e-13 must be left to exact arithmetic."""
    inputs, words = unit_vector(4)[None], np.full((1, 4, 2), 2**62 + 2**51, np.uint64)
    words[0, :, 0] = [2**62 + 1, 2**61, 3 * 2**60, 2**63]
    angles = np.array([1.0])
    _, sure = directions.first_pass(inputs, angles, words)
    assert sure.all()
    values = [_component(inputs, angles, words, part) for part in (0, 2**40, 2**53, 2**63)]
    assert values[0] != values[-1]
    fraction = values[0] % 1
    words[0, 0, 1] = int((1 - fraction) * 2**64) // 2048 * 2048
    assert not directions.first_pass(inputs, angles, words)[1].any()
    words[0, 0, 1] += np.uint64(2**53)
    assert directions.first_pass(inputs, angles, words)[1].all()
    words[0, 1, 0] = 2**38  # a normal value out of reach of double precision
    assert not directions.first_pass(inputs, angles, words)[1].any()


class Scripted(NoiseStream):
    """A stream whose words are given, by coordinate."""

    __slots__ = ("first", "further")

    def __init__(self, first: npt.NDArray[np.uint64], further: npt.NDArray[np.uint64]) -> None:
        super().__init__(bytes(32))
        self.first, self.further = first, further

    def words(self, start: int, count: int) -> npt.NDArray[np.uint64]:
        return self.first[start : start + count].ravel()

    def extra(self, coordinates: npt.NDArray[np.int64], blocks: int) -> npt.NDArray[np.uint64]:
        return self.further[coordinates, : 2 * blocks].ravel()


def test_further_digits_decide_what_64_cannot() -> None:
    """On the first axis the first component is cos(angle): its rounding is put on the border, up to 2**-64."""
    law, axis = ZonalDistribution(4, 0.0, 2.0, best_cap(2.0, 4)), np.eye(4)[0]
    generator = np.random.default_rng(6)
    first, further = (generator.integers(0, 2**64, (6, n), np.uint64) for n in (2, 32))
    cell = int(np.searchsorted(law.cells.below, first[4, 0], side="right"))
    with mpmath.workprec(2400):
        digits = int(first[4, 1])
        for word in further[4, 1::2]:
            digits = digits << 64 | int(word)
        left, right = map(mpmath.mpf, law.cells.edges[cell : cell + 2])
        missing = mpmath.ceil(value := mpmath.cos(left + (right - left) * mpmath.ldexp(digits, -1088)) / STEP) - value
        border = int(missing * 2**1088)
    wanted = [border >> 64 * n & (2**64 - 1) for n in range(16, -1, -1)]
    first[0, 1] = wanted[0]
    for part in (1, 4, 14):  # the first further word that tells on which side of the border the rounding lies
        steps = []
        for change in (-1, 1):
            words = further.copy()
            words[0, 1::2] = wanted[1:]
            words[0, 2 * part - 1] = wanted[part] + change
            steps.append(exact_row(law, axis, Scripted(first, words), 0))
        assert steps[1][0] == steps[0][0] + 1
        assert np.array_equal(steps[0][1:], steps[1][1:])


def _component(inputs: npt.NDArray, angles: npt.NDArray, words: npt.NDArray, rounding: int) -> float:
    """The first component in steps, before its floor."""
    uniform = (words[0, :, 0] // 2).astype(float) * 2.0**-63
    normal = normal_magnitude(uniform) * np.where(words[0, :, 0] % 2 == 1, -1.0, 1.0)
    normal -= normal @ inputs[0] * inputs[0]
    v = math.cos(angles[0]) * inputs[0] + math.sin(angles[0]) * normal / np.linalg.norm(normal)
    return float(v[0] / STEP + rounding * 2.0**-64)


def test_normal_values_are_as_precise_as_the_bounds_assume() -> None:
    uniform = np.concatenate([np.random.default_rng(2).random(300), 2.0 ** -np.arange(1, 26), [1 - 2.0**-50]])
    sizes = normal_magnitude(uniform)
    with mpmath.workprec(150):
        slack = [
            abs(mpmath.erfc(mpmath.mpf(float(z)) / mpmath.sqrt(2)) - q) * mpmath.sqrt(mpmath.pi / 2)
            * mpmath.exp(mpmath.mpf(float(z)) ** 2 / 2)
            for z, q in zip(sizes, uniform.tolist(), strict=True)
        ]  # fmt: skip
    assert max(slack) < 2.0**-46


def test_acceptances_near_their_threshold_are_not_sure() -> None:
    law = LAWS[2]
    head = np.random.default_rng(3).integers(0, 2**64, (2000, 2, 2), np.uint64)
    angles, accepted, sure = propose(law, head)
    cell = np.searchsorted(law.cells.below, head[:, 0, 0], side="right")
    chance = np.exp(law.smooth(angles) + law.jump * law.cells.inside[cell] - law.cells.log_bound[cell])
    assert sure.all() and (chance > 0.9).mean() > 0.99 and accepted.mean() > 0.99
    head[:, 1, 0] = np.minimum(chance * 2.0**64, 2.0**64 - 2**12).astype(np.uint64)
    assert not propose(law, head)[2].any()


def test_charge_for_the_digits_that_are_not_read() -> None:
    assert log_total_variation(512) == pytest.approx((9 - 1030) * math.log(2))
    assert log_total_variation(3) == pytest.approx(-347 * math.log(2))
    guarantee = DirectionRelease(PrivUnit(200.0)).guarantee((3,))
    assert guarantee.delta == pytest.approx(math.exp(200) * 2.0**-347, rel=1e-9)
    assert guarantee.delta >= math.exp(200) * 2.0**-347
