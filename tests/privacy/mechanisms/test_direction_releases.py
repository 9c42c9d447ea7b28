"""Released directions follow their exact law: distribution, arithmetic, determinism, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from scipy import special, stats

from privis.errors import ParameterError
from privis.extraction.card import described
from privis.identity import identity
from privis.privacy import (
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Metric,
    Person,
    Pixels,
    PrivUnit,
    VonMisesFisher,
    WholeImage,
)
from privis.privacy.sampling import direction_sampler as directions
from privis.privacy.sampling.direction_sampler import sample
from privis.privacy.sampling.zonal_distribution import STEP, ZonalDistribution, best_cap
from tests.privacy.spheres import LAWS, streams, unit_vector

COUNT = 60_000
MECHANISMS = [PrivUnit(4.0), VonMisesFisher(6.0)]


def drawn(law: ZonalDistribution, count: int = COUNT, seed: int = 0) -> tuple[npt.NDArray, npt.NDArray]:
    """An input and many directions drawn around it."""
    x = unit_vector(law.dimension, seed)
    return x, sample(law, np.broadcast_to(x, (count, law.dimension)), streams(count)) * STEP


def share_beyond(inner: npt.NDArray[np.float64], dimension: int) -> npt.NDArray[np.float64]:
    """Share of the sphere whose inner product with x is larger, from the incomplete beta function."""
    half = 0.5 * special.betainc((dimension - 1) / 2, 0.5, 1 - inner**2)
    return np.where(inner >= 0, half, 1 - half)


def privunit_law(epsilon: float, cap: float, dimension: int) -> Callable[[npt.NDArray], npt.NDArray]:
    """P(<x, v> > inner) as Bhowmick et al. define it: uniform on the cap with probability p, else on the rest."""
    share = float(share_beyond(np.array([math.cos(cap)]), dimension)[0])
    p = math.exp(epsilon) * share / (1 + math.expm1(epsilon) * share)

    def beyond(inner: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        area = share_beyond(inner, dimension)
        return np.where(area <= share, p * area / share, p + (1 - p) * (area - share) / (1 - share))

    return beyond


def fisher_law(concentration: float, dimension: int) -> Callable[[npt.NDArray], npt.NDArray]:
    """P(<x, v> > inner) by integration over the inner product."""
    grid = np.linspace(-1, 1, 200_001)[1:-1]
    density = np.exp(concentration * (grid - 1)) * (1 - grid**2) ** ((dimension - 3) / 2)
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return lambda inner: 1 - np.interp(inner, grid, cumulative / cumulative[-1])


def fit(inner: npt.NDArray[np.float64], beyond: Callable[[npt.NDArray], npt.NDArray]) -> float:
    """p-value of a chi-square test over 40 bins."""
    edges = np.quantile(inner, np.linspace(0, 1, 41)[1:-1])
    expected = -np.diff(np.concatenate([[1.0], beyond(edges), [0.0]])) * inner.size
    observed = np.bincount(np.searchsorted(edges, inner), minlength=40)
    return float(stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), 39))


@pytest.mark.parametrize(("epsilon", "dimension"), [(0.5, 2), (2.0, 3), (4.0, 16), (12.0, 64)])
def test_privunit_follows_its_law_and_no_other(epsilon: float, dimension: int) -> None:
    cap = best_cap(epsilon, dimension)
    x, v = drawn(ZonalDistribution(dimension, 0.0, epsilon, cap))
    inner = v @ x
    assert fit(inner, privunit_law(epsilon, cap, dimension)) > 1e-3
    for wrong in (0.8, 1.2):
        assert fit(inner, privunit_law(wrong * epsilon, cap, dimension)) < 1e-5
    for wrong in (0.9, 1.1):
        assert fit(inner, privunit_law(epsilon, wrong * cap, dimension)) < 1e-5


def test_a_wider_cap_is_a_law_of_the_same_epsilon_that_is_missed_more_rarely() -> None:
    epsilon, dimension, border = 8.0, 64, 0.9
    law = PrivUnit(epsilon, border).distribution(dimension)
    cap = math.acos(border * math.cos(best_cap(epsilon, dimension)))
    assert law.jump == epsilon and law.cap == pytest.approx(cap, rel=1e-6)
    x, v = drawn(law)
    assert fit(v @ x, privunit_law(epsilon, cap, dimension)) > 1e-3
    assert fit(v @ x, privunit_law(epsilon, best_cap(epsilon, dimension), dimension)) < 1e-5
    missed = [1 - privunit_law(epsilon, each, dimension)(np.cos([each]))[0] for each in (cap, law.cap)]
    assert missed[0] == pytest.approx(missed[1], rel=1e-4)
    best = best_cap(epsilon, dimension)
    assert missed[0] < 0.6 * (1 - privunit_law(epsilon, best, dimension)(np.cos([best]))[0])


def test_the_border_counts_only_where_it_is_not_the_best() -> None:
    x, own = unit_vector(64), streams(1)[0]
    plain, named = DirectionRelease(PrivUnit(8.0)), DirectionRelease(PrivUnit(8.0, 1.0))
    assert identity(plain) == identity(named) and described(plain) == described(named)
    assert "border" not in repr(plain) + str(described(plain))
    wider = DirectionRelease(PrivUnit(8.0, 0.9))
    assert identity(wider) != identity(plain) and described(wider)["mechanism"]["border"] == 0.9
    first, second = plain.apply(x, own), wider.apply(x, own)
    noise = [each - x * float(each @ x) for each in (first, second)]
    assert abs(np.corrcoef(*noise)[0, 1]) < 0.5, "two borders never share their noise"
    for bad in (0, 1.01, -1, math.nan, "wide"):
        with pytest.raises(ParameterError, match="border"):
            PrivUnit(8.0, bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(("concentration", "dimension"), [(3.0, 3), (6.0, 16), (40.0, 64)])
def test_von_mises_fisher_follows_its_law_and_no_other(concentration: float, dimension: int) -> None:
    x, v = drawn(ZonalDistribution(dimension, concentration, 0.0, 0.0))
    assert fit(v @ x, fisher_law(concentration, dimension)) > 1e-3
    for wrong in (0.8, 1.2):
        assert fit(v @ x, fisher_law(wrong * concentration, dimension)) < 1e-5


@pytest.mark.parametrize("law", [ZonalDistribution(3, 0.0, 2.0, best_cap(2.0, 3)), ZonalDistribution(3, 5.0, 0.0, 0.0)])
def test_the_orthogonal_direction_is_uniform_and_independent(law: ZonalDistribution) -> None:
    x, v = drawn(law)
    basis = np.linalg.svd(x[None])[2][1:]
    angle = np.arctan2(*(basis @ v.T))
    near = v @ x > np.median(v @ x)
    for part in (angle[near], angle[~near]):
        observed = np.histogram(part, bins=24, range=(-math.pi, math.pi))[0]
        assert stats.chisquare(observed).pvalue > 1e-3


def test_orthogonal_components_are_uncorrelated_and_equally_wide() -> None:
    law = ZonalDistribution(12, 0.0, 4.0, best_cap(4.0, 12))
    x, v = drawn(law)
    rest = v @ np.linalg.svd(x[None])[2][1:].T
    covariance = rest.T @ rest / COUNT
    expected = (1 - ((v @ x) ** 2).mean()) / 11
    assert np.abs(covariance / expected - np.eye(11)).max() < 6 * math.sqrt(2 / COUNT)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("dimension", [2, 3, 24])
def test_the_mean_of_the_release_is_the_direction(mechanism, dimension: int) -> None:
    release, vector = DirectionRelease(mechanism), 7.5 * unit_vector(dimension, 3)
    released = release.apply_many(np.broadcast_to(vector, (COUNT, dimension)), streams(COUNT))
    error = released.mean(axis=0) - vector / 7.5
    assert np.abs(error).max() < 5 * released.std(axis=0).max() / math.sqrt(COUNT)
    squared = ((released - vector / 7.5) ** 2).sum(axis=1)
    assert math.sqrt(squared.mean()) == pytest.approx(release.guarantee((dimension,)).scale, rel=0.02)


@pytest.mark.parametrize(("epsilon", "dimension"), [(0.1, 2), (1.0, 3), (8.0, 64), (16.0, 512), (100.0, 1000)])
def test_no_other_cap_is_closer_to_the_input(epsilon: float, dimension: int) -> None:
    cap = best_cap(epsilon, dimension)
    best = ZonalDistribution(dimension, 0.0, epsilon, cap)
    assert best.mean == pytest.approx(math.cos(cap), rel=1e-6)  # where the derivative vanishes
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert ZonalDistribution(dimension, 0.0, epsilon, factor * cap).mean < best.mean


def test_means_in_closed_form() -> None:
    fisher = ZonalDistribution(64, 20.0, 0.0, 0.0).mean
    assert fisher == pytest.approx(special.ive(32, 20.0) / special.ive(31, 20.0), rel=1e-10)
    epsilon, d = 8.0, 64
    cap = best_cap(epsilon, d)
    share = float(share_beyond(np.array([math.cos(cap)]), d)[0])
    p = math.exp(epsilon) * share / (1 + math.expm1(epsilon) * share)
    moment = math.sin(cap) ** (d - 1) / (d - 1) / special.beta((d - 1) / 2, 0.5)
    expected = moment * (p / share - (1 - p) / (1 - share))  # Bhowmick et al., lemma 4.1
    assert ZonalDistribution(d, 0.0, epsilon, cap).mean == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_proposals_cover_the_density_everywhere(law: ZonalDistribution) -> None:
    cells = law.cells
    assert sum(cells.weights) == 2**64 and min(cells.weights) >= 1
    assert cells.edges[0] == 0.0 and cells.edges[-1] > math.pi
    assert law.jump == 0 or law.cap in cells.edges
    generator = np.random.default_rng(1)
    with mpmath.workprec(120):
        for cell in [0, len(cells.weights) - 1, *generator.integers(0, len(cells.weights), 300)]:
            left, right = map(mpmath.mpf, cells.edges[cell : cell + 2])
            for part in (0, generator.random(), 1):
                angle = left + (right - left) * part
                if not 0 < angle < mpmath.pi:
                    continue
                log = law.slope * (mpmath.cos(angle) - 1) + law.power * mpmath.log(mpmath.sin(angle))
                log += law.jump * (right <= law.cap) - cells.reference
                assert mpmath.exp(log) * cells.factor * (right - left) <= cells.weights[cell]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_release_is_a_function_of_its_stream_and_its_law(mechanism) -> None:
    release, vectors = DirectionRelease(mechanism), np.random.default_rng(4).normal(size=(70, 30))
    together = release.apply_many(vectors, streams(70))
    assert (together.dtype, together.shape) == (np.float32, (70, 30))
    alone = [release.apply(vector, stream) for vector, stream in zip(vectors, streams(70), strict=True)]
    assert np.array_equal(together, np.stack(alone))
    assert np.array_equal(release.apply(vectors[0].reshape(5, 6), streams(1)[0]), alone[0].reshape(5, 6))
    other = release.apply_many(vectors, streams(70, "b.png"))
    assert abs(np.corrcoef(together.ravel() - other.ravel(), together.ravel() + other.ravel())[0, 1]) < 0.1
    assert not np.isin(together, other).all()


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(5).normal(size=(40, 9))
    whole = DirectionRelease(PrivUnit(2.0)).apply_many(vectors, streams(40))
    monkeypatch.setattr(directions, "_CHUNK", 30)
    assert np.array_equal(DirectionRelease(PrivUnit(2.0)).apply_many(vectors, streams(40)), whole)


def test_two_budgets_never_share_their_noise() -> None:
    """Else the difference of two releases of one record would take the noise off."""
    x, own = unit_vector(2000), streams(1)[0]
    first, second = (DirectionRelease(PrivUnit(epsilon)).apply(x, own) for epsilon in (1.0, 1.01))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_only_the_direction_matters_and_bad_vectors_have_a_fixed_one() -> None:
    release, own = DirectionRelease(PrivUnit(3.0)), streams(1)[0]
    vector = unit_vector(8)
    for factor in (2.0**-1000, 2.0**900):
        assert np.array_equal(release.apply(vector * factor, own), release.apply(vector, own))
    axis = release.apply(np.eye(8)[0], own)
    for bad in (0.0, np.nan, np.inf, -np.inf):
        assert np.array_equal(release.apply(np.full(8, bad), own), axis)
    assert np.array_equal(release.apply(np.array([np.nan, *range(7)]), own), axis)
    assert np.array_equal(release.apply(np.array([3, 0, 0, 0, 0, 0, 0, 0], np.int8), own), axis)


def test_guarantees_in_numbers() -> None:
    guarantee = DirectionRelease(PrivUnit(8.0)).guarantee((64,))
    assert (guarantee.unit, guarantee.mechanism, guarantee.epsilon) == ("whole image", "PrivUnit", 8.0)
    assert guarantee.whole_image_epsilon == 8.0 and 0 < guarantee.delta < 1e-300
    assert round(guarantee.scale, 4) == 2.8199
    fisher = DirectionRelease(VonMisesFisher(10.0)).guarantee((64,))
    assert (fisher.epsilon, fisher.whole_image_epsilon) == (20.0, 20.0)
    metric = DirectionRelease(VonMisesFisher(10.0), unit=Metric()).guarantee((64,))
    assert (metric.unit, metric.epsilon, metric.whole_image_epsilon) == ("metric", 10.0, 20.0)
    assert "exp(10 d)" in metric.sentence and "2.72 times at d = 0.1" in metric.sentence


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf, "4", None, True])
def test_parameters_are_checked(bad) -> None:
    with pytest.raises(ParameterError, match=r"PrivUnit\.epsilon"):
        PrivUnit(bad)
    with pytest.raises(ParameterError, match=r"VonMisesFisher\.concentration"):
        VonMisesFisher(bad)
    with pytest.raises(ParameterError) as caught:
        DirectionRelease(bad, unit=Pixels(3))  # type: ignore[arg-type]
    assert [problem.where for problem in caught.value.problems] == [
        "DirectionRelease.mechanism",
        "DirectionRelease.unit",
    ]
    with pytest.raises(ParameterError, match="Metric"):
        DirectionRelease(PrivUnit(1.0), unit=Metric())


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"PrivUnit\.epsilon: got epsilon 800 .* needs delta 10\*\*39"):
        DirectionRelease(PrivUnit(800.0)).guarantee((64,))
    with pytest.raises(ParameterError, match="at most 226"):
        DirectionRelease(PrivUnit(300.0)).apply(np.ones(3), streams(1)[0])
    with pytest.raises(ParameterError, match=r"VonMisesFisher\.concentration"):
        DirectionRelease(VonMisesFisher(500.0)).guarantee((64,))
    for shape in ((1,), (0,), (70_000,)):
        with pytest.raises(ParameterError, match="components"):
            DirectionRelease(PrivUnit(1.0)).guarantee(shape)
    for values in (np.array(["a", "b"]), np.array([1j, 2.0])):
        with pytest.raises(ParameterError, match="real numbers"):
            DirectionRelease(PrivUnit(1.0)).apply(values, streams(1)[0])
    with pytest.raises(ParameterError, match="streams"):
        DirectionRelease(PrivUnit(1.0)).apply_many(np.ones((3, 4)), streams(2))


def test_privunit_beats_noise_at_the_same_epsilon() -> None:
    """The reason to have it: at pure epsilon 8 the Gaussian's error is larger although it pays a delta as well."""
    gaussian = FeatureRelease(Gaussian(8.0, 1e-6), clip=1.0).guarantee((64,))
    privunit = DirectionRelease(PrivUnit(8.0)).guarantee((64,))
    assert privunit.scale < 0.7 * gaussian.scale * gaussian.step * 8


def test_repr_is_complete_and_equal_for_equal_releases() -> None:
    assert repr(DirectionRelease(PrivUnit(8), unit=Person(2))) == (
        "DirectionRelease(mechanism=PrivUnit(epsilon=8.0), unit=Person(images=2))"
    )
    assert DirectionRelease(PrivUnit(np.float32(8))) == DirectionRelease(PrivUnit(8.0), WholeImage())  # type: ignore


@pytest.mark.parametrize("mechanism", [PrivUnit(4.0), VonMisesFisher(4.0)])
def test_law_is_a_former_name_of_distribution(mechanism: PrivUnit | VonMisesFisher) -> None:
    with pytest.warns(DeprecationWarning, match="law is distribution now"):
        assert mechanism.law(8, 2) == mechanism.distribution(8, 2)
