"""Distributed noise: exact sums, the distribution of what is revealed, and what a colluding party still cannot tell.

Answers for `privis.joint.release.owner_contributions`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from privis.errors import DomainError, ParameterError
from privis.joint.release import distributed_noise
from privis.joint.release.distributed_noise import ReleasePlan, noise_source
from privis.joint.release.noise_shares import MOST_SHARES, SMALLEST_SHARE, aggregation_distance, share_variance
from privis.joint.release.simulated_release import Owner
from privis.joint.statistics.sums import source
from privis.privacy import Gaussian, Laplace
from privis.privacy.releases.corpus import Aggregate, CorpusHistogramRelease, MeanRelease, SumRelease
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.units import Dataset, Person
from privis.run.mpc.job import Job, Reveal, Run
from tests.joint.wards import (
    KEYS,
    OWNERS,
    RELEASES,
    UNITS,
    added,
    identity,
    merged,
    partials,
    plan_of,
    run_with,
    shares,
)

# Exactness


@pytest.mark.parametrize("release", RELEASES, ids=repr)
def test_without_noise_the_sum_is_the_clear_partial(release: Aggregate) -> None:
    plan = plan_of(release)
    nothing = {name: np.zeros(plan.coordinates, np.int64) for name in plan.drawing}
    clear = merged(release)
    assert run_with(plan, nothing) == list(release.steps(clear))
    noise = shares(plan)
    assert run_with(plan, noise) == [
        step + int(more) for step, more in zip(release.steps(clear), added(noise), strict=True)
    ]


@pytest.mark.parametrize("release", RELEASES, ids=repr)
def test_values_are_those_of_the_release_in_the_clear(release: Aggregate, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the noise that the clear release draws, the joint one gives the very same numbers."""
    plan, clear = plan_of(release), merged(release)
    stream = KEYS["party 0"].stream("", b"", b"")
    drawn: list[npt.NDArray[np.int64]] = []

    def recording(*given: Any) -> npt.NDArray[np.int64]:
        drawn.append(distributed_noise.draw_noise(*given))
        return drawn[-1]

    monkeypatch.setattr("privis.privacy.releases.corpus_noise.draw_noise", recording)
    wanted = release.release(clear, stream)
    noisy = [step + int(more) for step, more in zip(release.steps(clear), drawn[0], strict=True)]
    np.testing.assert_array_equal(plan.values(noisy, clear.images), wanted)


@pytest.mark.parametrize("release", RELEASES, ids=repr)
def test_the_guarantee_is_the_one_of_the_clear(release: Aggregate) -> None:
    plan = plan_of(release)
    assert plan.guarantee == release.guarantee((4,))
    assert plan.share_scale == plan.guarantee.scale
    assert plan.variance == pytest.approx(3 * plan.clear_variance)


@pytest.mark.parametrize("unit", UNITS, ids=repr)
@pytest.mark.parametrize(("colluding", "cost"), [(1, 3 / 2), (0, 1.0)])
def test_fewer_colluding_parties_cost_less(unit, colluding: int, cost: float) -> None:
    plan = plan_of(MeanRelease(Gaussian(1.0, 1e-6), 0.7, unit), colluding=colluding)
    clear = plan.release.guarantee((4,))
    assert plan.variance == pytest.approx(cost * plan.clear_variance, rel=1e-6)
    assert plan.guarantee.scale >= clear.scale
    assert (plan.guarantee.epsilon, plan.guarantee.delta) == (clear.epsilon, clear.delta)
    assert plan.guarantee.whole_image_epsilon == pytest.approx(clear.whole_image_epsilon, rel=1e-4)


# The law of what is revealed


def variance_is(samples: npt.NDArray[Any], variance: float, kurtosis: float) -> bool:
    """Within five standard errors of the sample variance."""
    error = math.sqrt((kurtosis - 1) / samples.size)
    return abs(samples.astype(float).var() / variance - 1) < 5 * error


def fits(samples: npt.NDArray[Any], cumulative: Callable[[npt.NDArray], npt.NDArray]) -> bool:
    """Chi-square over forty equally likely intervals of integers."""
    edges = np.unique(np.quantile(samples, np.linspace(0, 1, 41)[1:-1]).astype(np.int64))
    counts = np.histogram(samples, [-(2**62), *(edges + 0.5), 2**62])[0]
    chances = np.diff([0.0, *cumulative(edges), 1.0])
    return bool(stats.chisquare(counts, chances * samples.size).pvalue > 1e-4)


WIDE = 20_000


@pytest.mark.parametrize("noise", [Laplace(1.0), Gaussian(1.0, 1e-6)], ids=repr)
def test_the_total_has_the_stated_variance(noise) -> None:
    plan = plan_of(SumRelease(noise, 1.0), WIDE)
    total = added(shares(plan))
    kurtosis = 4.0 if isinstance(noise, Laplace) else 3.0  # of a sum of three: 3 + (6 or 3) / 3 - 1, at most
    assert variance_is(total, plan.variance, kurtosis)
    assert not variance_is(0.8 * total, plan.variance, kurtosis)
    two = {name: share for name, share in shares(plan).items() if name != "party 1"}
    assert not variance_is(added(two), plan.variance, kurtosis)


@pytest.mark.parametrize("colluding", [2, 1, 0])
def test_what_stays_unknown_has_the_law_of_the_guarantee(colluding: int) -> None:
    """Take off what the colluding parties know: what is left is Gaussian noise of the guarantee's scale."""
    plan = plan_of(SumRelease(Gaussian(1.0, 1e-6), 1.0), WIDE, colluding=colluding)
    noise = shares(plan)
    left = added(dict(list(noise.items())[colluding:]))
    law = stats.norm(0, plan.guarantee.scale)
    assert fits(left, lambda k: law.cdf(k + 0.5))
    assert not fits(0.8 * left, lambda k: law.cdf(k + 0.5))
    assert plan.guarantee.scale >= plan.release.guarantee((WIDE,)).scale


def test_shares_are_independent() -> None:
    plan = plan_of(SumRelease(Gaussian(1.0, 1e-6), 1.0), WIDE)
    table = np.corrcoef(list(shares(plan).values()))
    assert np.abs(table - np.eye(3)).max() < 5 / math.sqrt(WIDE)


# Two-point audits


def proved_epsilon(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Largest epsilon that an attacker proves with 97.5 % confidence twice; the threshold is chosen on a tenth."""
    tried = first.size // 10
    candidates = np.quantile(np.concatenate([first[:tried], second[:tried]]), np.linspace(0.02, 0.98, 97))

    def ratio(a: npt.NDArray[Any], b: npt.NDArray[Any], threshold: float) -> float:
        hits, misses = int((a >= threshold).sum()), int((b >= threshold).sum())
        at_least = stats.beta.ppf(0.025, max(hits, 1), a.size - hits + 1)
        return math.log(at_least / stats.beta.ppf(0.975, misses + 1, max(b.size - misses, 1)))

    best = max(candidates, key=lambda at: ratio(first[:tried], second[:tried], at))
    return ratio(first[tried:], second[tried:], best)


def attacked(plan: ReleasePlan, missing: str = "") -> float:
    """Two neighbours that differ by the whole sensitivity; the attacker knows all noise but that of party 0."""
    distance = int(plan.guarantee.sensitivity)
    scores = []
    for which in (0, 1):
        noise = shares(plan, f"neighbour {which}")
        if missing:
            noise[missing] = np.zeros_like(noise[missing])
        total = which * -distance + added(noise)
        scores.append(total - noise["party 1"] - noise["party 2"])
    return proved_epsilon(*scores)


def test_knowing_all_other_noise_proves_no_more_than_epsilon() -> None:
    plan = plan_of(SumRelease(Laplace(2.0), 1.0), 60_000)
    assert 0.93 * 2.0 <= attacked(plan) <= 2.0


def test_a_missing_share_is_found_by_the_audit() -> None:
    plan = plan_of(SumRelease(Laplace(2.0), 1.0), 60_000)
    assert attacked(plan, missing="party 0") > 2.0


def distribution(scale: float, reach: int) -> npt.NDArray[np.float64]:
    k = np.arange(-reach, reach + 1)
    return np.asarray(stats.norm.cdf((k + 0.5) / scale) - stats.norm.cdf((k - 0.5) / scale))


def exact_delta(scale: float, count: int, epsilon: float) -> float:
    """Of the sum of ``count`` rounded Gaussians on a number that moves by 1, by convolution."""
    one = distribution(scale, math.ceil(12 * scale))
    law = one
    for _ in range(count - 1):
        law = np.convolve(law, one)
    padded = np.concatenate([[0.0], law, [0.0]])
    return float(np.maximum(padded[1:] - math.exp(epsilon) * padded[:-1], 0).sum())


@pytest.mark.parametrize("colluding", [0, 1, 2])
def test_exact_delta_of_the_unknown_shares(colluding: int) -> None:
    """One count that one image moves by 1, where every probability can be added up."""
    release = CorpusHistogramRelease(Gaussian(0.2, 1e-3), (0.5,), Dataset())
    plan = plan_of(release, 1, colluding=colluding)
    assert plan.share_scale > SMALLEST_SHARE
    delta = exact_delta(plan.share_scale, plan.unknown, 0.2)
    assert 0.97e-3 < delta <= 1e-3
    assert exact_delta(0.8 * plan.share_scale, plan.unknown, 0.2) > 1e-3
    if plan.unknown > 1:  # and not the scale that the whole noise has in the clear, divided by n instead of its root
        assert exact_delta(plan.release.guarantee((1,)).scale / plan.unknown, plan.unknown, 0.2) > 1e-3


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("scale", [0.9, 1.2])
def test_the_distance_of_the_theorem_bounds_the_true_one(scale: float, count: int) -> None:
    """At small scales the distance is large enough to be computed; the density by integrating over the uniforms."""
    reach = 14
    one = distribution(scale, reach)
    law = one
    for _ in range(count - 1):
        law = np.convolve(law, one)
    k = np.arange(-(law.size // 2), law.size // 2 + 1)
    fine = (np.arange(2000) + 0.5) / 2000 - 0.5
    weights, nodes = np.full(2000, 1 / 2000), fine
    if count == 3:  # the sum of two uniforms: triangular on [-1, 1]
        nodes = np.concatenate([fine - 0.5, fine + 0.5])
        weights = (1 - np.abs(nodes)) / 2000
    wide = scale * math.sqrt(count)
    target = sum(
        weight * (stats.norm.cdf((k - v + 0.5) / wide) - stats.norm.cdf((k - v - 0.5) / wide))
        for weight, v in zip(weights, nodes, strict=True)
    )
    distance = np.abs(law - target).sum() / 2
    bound = aggregation_distance(scale, count)
    assert aggregation_distance(3 * scale, count) < distance <= bound  # close enough to notice a wrong exponent
    assert max(aggregation_distance(SMALLEST_SHARE, shares) for shares in range(1, MOST_SHARES + 1)) < 2**-108


def test_shares_are_never_smaller_than_the_theorem_needs() -> None:
    plan = plan_of(CorpusHistogramRelease(Gaussian(8.0, 1e-3), (0.5,), Dataset()), 1, colluding=0)
    assert plan.share_scale == SMALLEST_SHARE
    assert plan.guarantee.scale == SMALLEST_SHARE * math.sqrt(3)


def test_share_variances() -> None:
    for noise, scale in ((Laplace(1.0), 3.7), (Gaussian(1.0, 1e-6), 3.7)):
        masses = [(part.base, part.mass / 2**256) for part in noise.table(scale).parts()]
        assert sum(mass * base * base for base, mass in masses) == pytest.approx(share_variance(noise.name, scale))


# When noise repeats, and when it must not


def test_noise_depends_on_everything_that_is_agreed() -> None:
    plan = plan_of(SumRelease(Gaussian(1.0, 1e-6), 1.0), 50)
    first = plan.noise_share(KEYS["party 0"], identity(plan))
    assert (plan.noise_share(KEYS["party 0"], identity(plan)) == first).all()
    others = [
        plan.noise_share(KEYS["party 1"], identity(plan)),
        plan.noise_share(KEYS["party 0"], identity(plan, "other content")),
    ]
    for change in ({"corpus": "beds"}, {"colluding": 1}, {"release": SumRelease(Gaussian(2.0, 1e-6), 1.0)}):
        changed = dataclasses.replace(plan, **change)
        others.append(changed.noise_share(KEYS["party 0"], identity(changed)))
    assert all((other != first).sum() > 40 for other in others)
    moved = dataclasses.replace(plan, receivers=("south",))  # the same release to somebody else
    assert identity(moved) == identity(plan)


def test_one_owners_new_image_changes_all_noise() -> None:
    """Else the difference of two totals would show that owner's change exactly."""
    release = SumRelease(Gaussian(1.0, 1e-6), 1.0)
    plan = plan_of(release)

    def released(parts: Mapping[str, Partial], fixed_tag: bool) -> npt.NDArray[np.int64]:
        brought = {name: plan.contribution(name, part, KEYS["party 0"]) for name, part in parts.items()}
        tags = {name: "always" if fixed_tag else one.tag for name, one in brought.items()}
        name = plan.release_id(tags, {party: plan.fingerprint(KEYS[party]) for party in plan.drawing})
        noise = sum(plan.noise_share(KEYS[party], name) for party in plan.drawing)
        return np.array([sum(column) for column in zip(*(one.steps for one in brought.values()), strict=True)]) + noise

    before = partials(release)
    after = before | {"south": before["south"] + release.partial(np.ones((1, 4)))}
    change = np.array(after["south"].total) - np.array(before["south"].total)
    assert ((released(after, False) - released(before, False)) != change).all()
    assert ((released(after, True) - released(before, True)) == change).all()  # the mutant gives the image away


def test_tags_and_fingerprints_tell_no_content_and_no_key() -> None:
    plan = plan_of(SumRelease(Laplace(1.0), 1.0))
    part = partials(plan.release)["north"]
    tags = {plan.contribution("north", part, key).tag for key in KEYS.values()}
    assert len(tags) == 3  # a plain digest of the content could be guessed from
    assert plan.contribution("north", part, KEYS["party 0"]).tag in tags
    shown = repr(plan.contribution("north", part, KEYS["party 0"]))
    assert not any(str(step) in shown for step in part.total)
    assert "secret" in repr(Owner(part, KEYS["party 0"], None)) and str(part.total[0]) not in repr(part)  # type: ignore[arg-type]


def test_one_key_for_two_parties_is_refused() -> None:
    plan = plan_of(SumRelease(Laplace(1.0), 1.0))
    same = {name: plan.fingerprint(KEYS["party 0"]) for name in plan.drawing}
    with pytest.raises(ParameterError, match="one key"):
        plan.release_id({owner: "" for owner in OWNERS}, same)
    with pytest.raises(ParameterError, match="tags"):
        plan.release_id({"north": ""}, {name: plan.fingerprint(KEYS[name]) for name in plan.drawing})


def check_all_noise_is_in(plan: ReleasePlan, job: Job) -> None:
    """One sum reads every noise source and every owner, and its result is all that is revealed."""
    run = [step for step in job.instructions if isinstance(step, Run)]
    reveals = [step for step in job.instructions if isinstance(step, Reveal)]
    wanted = {source(owner) for owner in plan.owners} | {noise_source(party) for party in plan.drawing}
    assert len(run) == len(reveals) == 1 and set(run[0].inputs) == wanted
    assert run[0].outputs == (reveals[0].name,) and reveals[0].receivers == plan.receivers
    assert {job.sources[noise_source(party)].owner for party in plan.drawing} == set(plan.drawing)


def test_the_job_reveals_the_noisy_total_only() -> None:
    plan = plan_of(SumRelease(Laplace(1.0), 1.0))
    check_all_noise_is_in(plan, plan.job)
    without = dataclasses.replace(plan, noise_parties=("party 0", "party 1"), colluding=1).job
    with pytest.raises(AssertionError):
        check_all_noise_is_in(plan, without)
    bare = dataclasses.replace(
        plan.job, instructions=(*plan.job.instructions[:-3], Reveal(source("north"), ("north",)))
    )
    with pytest.raises(AssertionError):
        check_all_noise_is_in(plan, bare)


def test_noise_and_integers_stay_inside_what_is_declared() -> None:
    plan = plan_of(SumRelease(Laplace(0.01), 1.0), WIDE)
    for name, share in shares(plan).items():
        plan.job.check_array(noise_source(name), share)
        declared = plan.job.sources[noise_source(name)].declared
        assert 70 * plan.share_scale < declared.high < 90 * plan.share_scale
    with pytest.raises(DomainError):
        plan.job.check_array(source("north"), np.full(WIDE, 2**20 * 1000 + 1))


def test_that_nobody_is_at_two_owners_is_named_as_a_promise() -> None:
    """Where it decides: for persons, at several owners."""
    noise, both = Gaussian(1.0, 1e-6), ("north", "south")
    for unit, owners, disjoint, expected in (
        (Person(2), both, True, ("nobody is at two of the owners",)),
        (Person(2), both, False, ()),
        (Person(2), ("north",), True, ()),
        (Dataset(), both, True, ()),
    ):
        for colluding in (None, 0):
            release = MeanRelease(noise, 1.0, unit)
            plan = ReleasePlan(release, "wards", 8, owners, ("a",), disjoint=disjoint, colluding=colluding)
            assert plan.guarantee.promises == expected
            assert ("As promised by the caller" in plan.guarantee.sentence) == bool(expected)
