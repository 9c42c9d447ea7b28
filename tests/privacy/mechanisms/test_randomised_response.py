"""Released codes follow their exact law, and no law that treats all bits alike agrees better."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from privis.errors import ParameterError
from privis.privacy import CodeRelease, NoiseStream, Person, Pixels, RandomisedResponse, ReleaseKey
from privis.privacy.mechanisms.randomised_response import (
    DistanceDistribution,
    distance_distribution,
    flipped,
    scaled_exponential,
    signs,
)

KEY = ReleaseKey(bytes(range(32)))
COUNT = 20_000


def stream(index: int = 0, record: str = "a.png") -> NoiseStream:
    return KEY.stream(f"{record} {index}", b"", b"")


def chances(law: DistanceDistribution) -> list[Fraction]:
    """Exact probability of every distance."""
    return [Fraction(high - low, law.below[-1]) for low, high in pairwise((0, *law.below))]


@settings(max_examples=60, deadline=None)
@given(epsilon=st.floats(1e-6, 60.0), bits=st.integers(1, 40))
def test_every_pair_of_codes_is_within_epsilon_in_exact_arithmetic(epsilon: float, bits: int) -> None:
    law = distance_distribution(epsilon, bits)
    per_code = [chance / math.comb(bits, distance) for distance, chance in enumerate(chances(law))]
    assert sum(chances(law)) == 1
    with mpmath.workprec(300):
        ratio = max(per_code) / min(per_code)
        exact = mpmath.mpf(ratio.numerator) / ratio.denominator
        assert exact <= mpmath.exp(mpmath.mpf(epsilon))
        assert law.radius == bits or exact >= mpmath.exp(mpmath.mpf(epsilon)) * (1 - mpmath.mpf(2) ** -62)


@settings(max_examples=60, deadline=None)
@given(epsilon=st.floats(1e-3, 60.0), bits=st.integers(1, 40))
def test_no_other_radius_and_no_response_per_bit_agrees_better(epsilon: float, bits: int) -> None:
    law = distance_distribution(epsilon, bits)
    mean = sum(distance * chance for distance, chance in enumerate(chances(law)))
    assert law.agreement == pytest.approx(float(1 - 2 * mean / bits), rel=1e-9, abs=1e-15)
    for radius in range(bits):
        weights = [
            math.comb(bits, distance) * (math.exp(epsilon) if distance <= radius else 1) for distance in range(bits + 1)
        ]
        other = sum(distance * weight for distance, weight in enumerate(weights)) / sum(weights)
        assert 1 - 2 * other / bits <= law.agreement + 1e-9
    assert math.tanh(epsilon / bits / 2) <= law.agreement * (1 + 1e-9) + 1e-15


def test_known_agreements() -> None:
    assert distance_distribution(math.log(3), 1).agreement == pytest.approx(0.5, rel=1e-15)  # Warner's
    assert distance_distribution(4.0, 256).agreement == pytest.approx(0.094635, rel=1e-5)
    assert distance_distribution(4.0, 256).agreement > 12 * math.tanh(4.0 / 512)


def test_exponential_is_rounded_down() -> None:
    for epsilon in (1e-9, 0.1, 4.0, 700.0, 9999.0):
        with mpmath.workprec(20_000):
            exact = mpmath.exp(mpmath.mpf(epsilon)) * 2**64
            assert exact - 2 <= scaled_exponential(epsilon) <= exact


def test_distances_and_positions_follow_the_law() -> None:
    law = distance_distribution(2.0, 12)
    sets = [flipped(law, stream(index)) for index in range(COUNT)]
    observed = np.bincount([positions.size for positions in sets], minlength=13)
    for epsilon, radius, accepted in ((2.0, law.radius, True), (1.6, law.radius, False), (2.0, law.radius - 1, False)):
        weights = [math.comb(12, h) * (math.exp(epsilon) if h <= radius else 1) for h in range(13)]
        expected = np.array(weights) / sum(weights) * COUNT
        pooled = np.array([expected[:3].sum(), *expected[3:10], expected[10:].sum()])
        seen = np.array([observed[:3].sum(), *observed[3:10], observed[10:].sum()])
        assert (stats.chisquare(seen, pooled).pvalue > 1e-3) == accepted
    pairs = np.zeros((12, 12))
    for positions in sets:
        if positions.size == 5:
            assert np.unique(positions).size == 5
            pairs[np.ix_(positions, positions)] += 1
    among = pairs[np.triu_indices(12, 1)]
    # The pairs of one set differ, which makes the statistics smaller than those of independent counts.
    assert ((among - among.mean()) ** 2 / among.mean()).sum() < stats.chi2.ppf(0.999, 65)
    single = np.diag(pairs)
    assert ((single - single.mean()) ** 2 / single.mean()).sum() < stats.chi2.ppf(0.999, 11)


class Scripted(NoiseStream):
    """A stream whose words are given."""

    __slots__ = ("script",)

    def __init__(self, *script: int) -> None:
        super().__init__(bytes(32))
        self.script = script

    def words(self, start: int, count: int) -> np.ndarray:
        return np.array(self.script[2 * start : 2 * (start + count)], np.uint64)


def test_numbers_that_would_favour_a_case_and_equal_words_are_drawn_again() -> None:
    law = DistanceDistribution(0, 1, (1, 3))  # one bit, flipped in two of three cases; 2**128 = 3 n + 1
    most = 2**64 - 1
    assert flipped(law, Scripted(0, 0, 5, 5)).tolist() == []
    assert flipped(law, Scripted(1, 0, 5, 5)).tolist() == [0]
    assert flipped(law, Scripted(most - 1, most, 5, 5)).tolist() == [0]
    assert flipped(law, Scripted(most, most, 5, 5, 1, 0, 5, 5)).tolist() == [0]
    two = DistanceDistribution(0, 1, (0, 1, 1))
    assert flipped(two, Scripted(0, 0, 9, 8)).tolist() == [1]
    assert flipped(two, Scripted(0, 0, 8, 8, 0, 0, 4, 3)).tolist() == [1]


@pytest.mark.parametrize(("epsilon", "bits"), [(1.0, 1), (4.0, 9), (6.0, 64)])
def test_the_mean_of_the_release_is_the_code(epsilon: float, bits: int) -> None:
    release, vector = CodeRelease(RandomisedResponse(epsilon)), np.random.default_rng(1).normal(size=bits)
    released = np.stack([release.apply(vector, stream(index)) for index in range(COUNT)])
    size = np.abs(released[0, 0])
    assert np.array_equal(np.abs(released), np.full_like(released, size))
    assert np.abs(released.mean(axis=0) - np.sign(vector)).max() < 4.5 * size / math.sqrt(COUNT)
    assert release.guarantee((bits,)).scale == pytest.approx(math.sqrt(size**2 - 1), rel=1e-5)


def test_codes_of_awkward_vectors() -> None:
    assert signs(np.array([0.0, -0.0, -1e-320, 5.0])).tolist() == [1, 1, -1, 1]
    for bad in (np.nan, np.inf, -np.inf):
        assert signs(np.array([-1.0, bad, -1.0])).tolist() == [1, 1, 1]


def test_a_release_is_a_function_of_its_stream_and_its_law() -> None:
    release, vector = CodeRelease(RandomisedResponse(2.0)), np.random.default_rng(2).normal(size=(20, 30))
    first = release.apply(vector, stream())
    assert (first.dtype, first.shape) == (np.float32, (20, 30))
    assert np.array_equal(first, release.apply(vector, stream()))
    assert np.array_equal(first.ravel(), release.apply(vector.ravel(), stream()))
    flips = {
        "own": first * np.sign(vector) < 0,
        "record": release.apply(vector, stream(record="b.png")) * np.sign(vector) < 0,
        "law": CodeRelease(RandomisedResponse(2.1)).apply(vector, stream()) * np.sign(vector) < 0,
    }
    for other in ("record", "law"):
        assert abs(np.corrcoef(flips["own"].ravel(), flips[other].ravel())[0, 1]) < 0.2


def test_a_person_shares_epsilon() -> None:
    release = CodeRelease(RandomisedResponse(4.0), unit=Person(4))
    guarantee = release.guarantee((64,))
    assert (guarantee.unit, guarantee.epsilon, guarantee.whole_image_epsilon) == ("person", 4.0, 1.0)
    assert guarantee.scale == CodeRelease(RandomisedResponse(1.0)).guarantee((64,)).scale


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf, "4", None, True, 20_000.0])
def test_parameters_are_checked(bad) -> None:
    with pytest.raises(ParameterError, match=r"RandomisedResponse\.epsilon"):
        RandomisedResponse(bad)
    with pytest.raises(ParameterError) as caught:
        CodeRelease(bad, unit=Pixels(2))  # type: ignore[arg-type]
    assert [problem.where for problem in caught.value.problems] == ["CodeRelease.mechanism", "CodeRelease.unit"]


@pytest.mark.parametrize("shape", [(0,), (20_000,), (200, 200)])
def test_codes_of_impossible_length(shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="bits"):
        CodeRelease(RandomisedResponse(1.0)).guarantee(shape)
    with pytest.raises(ParameterError, match="bits"):
        CodeRelease(RandomisedResponse(1.0)).apply(np.ones(shape), stream())


def test_law_is_a_former_name_of_distribution() -> None:
    with pytest.warns(DeprecationWarning, match="law is distribution now"):
        assert RandomisedResponse(4.0).law(8, 2) == RandomisedResponse(4.0).distribution(8, 2)
