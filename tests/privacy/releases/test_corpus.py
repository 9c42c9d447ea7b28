"""Aggregates over a corpus: noise once, no neighbour beyond the claim, the promised epsilon attacked.

Answers for `privis.privacy.releases.corpus_noise`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from privis.errors import BudgetError
from privis.privacy import FeatureRelease, Gaussian, Guarantee, Laplace, WholeImage
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per, cost_of
from privis.privacy.releases import partial_sums as partials_module
from privis.privacy.releases.corpus import (
    Aggregate,
    CorpusHistogramRelease,
    CorpusUnit,
    MeanRelease,
    SumRelease,
    bin_sensitivity,
    sum_sensitivity,
)
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.sensitivity import Sensitivity
from privis.privacy.units import AddOrRemovePerson, Dataset, Person
from tests.privacy.corpora import NOISES, RELEASES, UNITS, Corpus, awkward, corpora, merged, releases, stream

# Noise once


def noise_of(release: SumRelease, shards: int, released: Callable[[list[Partial]], npt.NDArray]) -> npt.NDArray:
    """What is left of a released sum of ``shards`` shards when the true sum is taken off, in scales."""
    rows = np.zeros((shards, 20_000))
    rows[:, 0] = 0.5
    noise = released([release.partial(row[None]) for row in rows])
    noise[0] -= 0.5 * shards
    guarantee = release.guarantee((20_000,))
    return noise / (guarantee.scale * guarantee.step)


def noise_is_drawn_once(
    release: SumRelease, law: stats.rv_continuous, released: Callable[[list[Partial]], npt.NDArray]
) -> bool:
    return all(stats.kstest(noise_of(release, shards, released), law.cdf).pvalue > 1e-4 for shards in (1, 2, 16))


@pytest.mark.parametrize(("noise", "law"), [(Laplace(1.0), stats.laplace), (Gaussian(1.0, 1e-6), stats.norm)])
@pytest.mark.parametrize("unit", [WholeImage(), Dataset()])
def test_noise_is_drawn_once_and_has_the_law_that_is_claimed(noise, law, unit: CorpusUnit) -> None:
    release = SumRelease(noise, 1.0, unit)
    assert noise_is_drawn_once(release, law, lambda parts: release.release(merged(parts), stream()))
    assert not noise_is_drawn_once(release, law, lambda parts: _noise_per_shard(release, parts))
    too_little = replace(release, noise=replace(noise, epsilon=noise.epsilon / 0.8))
    assert not stats.kstest(noise_of(release, 2, lambda parts: _as_if(too_little, parts)), law.cdf).pvalue > 1e-4


def _noise_per_shard(release: SumRelease, partials: list[Partial]) -> npt.NDArray:
    return np.sum([release.release(part, stream(str(shard))) for shard, part in enumerate(partials)], axis=0)


def _as_if(release: SumRelease, partials: list[Partial]) -> npt.NDArray:
    return release.release(replace(merged(partials), made_by=repr(release)), stream())


@pytest.mark.parametrize("release", [release for release in RELEASES if not isinstance(release, MeanRelease)], ids=repr)
def test_two_versions_of_a_corpus_never_share_their_noise(release: Aggregate) -> None:
    """Also where the stream does not know the content: else the difference would be the added row, exactly."""
    rows = np.random.default_rng(1).normal(size=(6, 300))
    before, after = (Corpus(rows[:count], tuple("abcdef"[:count])).partial(release) for count in (5, 6))
    step = release.guarantee((300,)).step
    noises = [release.release(p, stream()).ravel() / step - np.array(release.steps(p)) for p in (before, after)]
    assert abs(np.corrcoef(np.array(noises))[0, 1]) < 0.25
    assert np.array_equal(release.release(after, stream()), release.release(after, stream()))
    assert not np.array_equal(release.release(after, stream()), release.release(after, stream("other")))


# Sensitivity


def claim(release: Aggregate, components: int, unit: CorpusUnit | None = None) -> Sensitivity:
    unit, norm = unit or release.unit, release.noise.norm
    if isinstance(release, CorpusHistogramRelease):
        return bin_sensitivity(norm, unit, release.bins, components)
    weight = release.count_weight((components,)) if isinstance(release, MeanRelease) else 0
    radius = FeatureRelease(release.noise, release.clip).radius
    return sum_sensitivity(norm, unit, radius, components, weight)


def breach(release: Aggregate, one: Corpus, other: Corpus, unit: CorpusUnit | None = None) -> str | None:
    """What is wrong with the claim for these neighbours, if anything."""
    steps = [release.steps(corpus.partial(release)) for corpus in (one, other)]
    moves = [abs(a - b) for a, b in zip(*steps, strict=True)]
    bound = claim(release, one.rows.shape[1], unit)
    squared = sum(moves) ** 2 if release.noise.norm == "L1" else sum(move * move for move in moves)
    if squared > bound.squared:
        return f"moved by {math.sqrt(squared)} of {bound.value}"
    if sum(map(bool, moves)) > bound.coordinates or max(moves) > bound.largest:
        return "more coordinates, or further, than claimed"
    return None


@st.composite
def neighbours(draw: st.DrawFn, unit: CorpusUnit) -> tuple[Corpus, Corpus]:
    corpus = draw(corpora(least=1))
    at = draw(st.integers(0, len(corpus.rows) - 1))
    if isinstance(unit, Dataset):
        return corpus, corpus.taken([row for row in range(len(corpus.rows)) if row != at])
    if isinstance(unit, WholeImage):
        return corpus, replaced(corpus, at, draw(hnp.arrays(np.float64, corpus.rows.shape[1], elements=awkward)))
    person = corpus.subjects[at]
    others = [row for row, subject in enumerate(corpus.subjects) if subject != person]
    if isinstance(unit, AddOrRemovePerson):  # all of them go, however many
        return corpus, corpus.taken(others)
    shape = (draw(st.integers(0, 6)), corpus.rows.shape[1])  # more than count, or fewer, or none
    fresh = draw(hnp.arrays(np.float64, shape, elements=awkward))
    rows, subjects = np.vstack([corpus.rows[others], fresh]), [corpus.subjects[row] for row in others]
    joined = Corpus(rows, (*subjects, *[person] * len(fresh)))
    places = draw(st.permutations(range(len(rows))))  # the person's rows lie anywhere; those of others keep their order
    places[: len(others)] = sorted(places[: len(others)])
    return corpus, joined.taken(np.argsort(places))


def replaced(corpus: Corpus, at: int, row: npt.NDArray[np.float64]) -> Corpus:
    rows = corpus.rows.copy()
    rows[at] = row
    return Corpus(rows, corpus.subjects)


@settings(max_examples=600)
@given(data=st.data(), release=releases)
def test_no_neighbouring_corpus_breaches_the_claim(data, release: Aggregate) -> None:
    one, other = data.draw(neighbours(release.unit))
    assert breach(release, one, other) is None


@settings(max_examples=200)
@given(data=st.data(), release=releases)
def test_one_replaced_image_stays_within_the_whole_image_claim(data, release: Aggregate) -> None:
    one, other = data.draw(neighbours(WholeImage()))
    assert breach(release, one, other, WholeImage()) is None


def worst(release: Aggregate, components: int = 2) -> tuple[Corpus, Corpus]:
    """Neighbours that lie as far apart as any can, among other images; their rows are far beyond the clip."""
    rest = np.full((2, components), 0.01)
    images = release.unit.images
    row = np.full((images + 2, components), 1e9)  # a person gives two more than count
    if not isinstance(release, CorpusHistogramRelease):
        row[:, 1:] = 0.0
    if not release.unit.needs_subjects:
        row = row[:1]
    subjects = ("x", "y", *["ann"] * len(row))
    one = Corpus(np.vstack([rest, row]), subjects)
    if isinstance(release.unit, Dataset | AddOrRemovePerson):
        return one, Corpus(rest, ("x", "y"))
    return one, Corpus(np.vstack([rest, -row]), subjects)


@pytest.mark.parametrize("release", RELEASES, ids=repr)
def test_the_claim_is_attained(release: Aggregate) -> None:
    one, other = worst(release)
    steps = [release.steps(corpus.partial(release)) for corpus in (one, other)]
    moves = [abs(a - b) for a, b in zip(*steps, strict=True)]
    squared = sum(moves) ** 2 if release.noise.norm == "L1" else sum(move * move for move in moves)
    assert squared == claim(release, 2).squared
    assert release.guarantee((2,)).sensitivity == claim(release, 2).value


CLIPPED = [release for release in RELEASES if not isinstance(release, CorpusHistogramRelease)]
OF_PERSONS = [release for release in RELEASES if release.unit.needs_subjects]


@pytest.mark.parametrize("release", CLIPPED, ids=repr)
def test_skipped_clipping_is_caught(release: Aggregate, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (replace(corpus, rows=corpus.rows / 1e8) for corpus in worst(release))
    assert breach(release, one, other) is None
    monkeypatch.setattr(FeatureRelease, "on_grid", lambda self, row: np.trunc(row / self.grid).astype(np.int64))
    assert breach(release, one, other)


@pytest.mark.parametrize("release", OF_PERSONS, ids=repr)
def test_skipped_bound_on_persons_is_caught(release: Aggregate, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = worst(release)
    assert breach(release, one, other) is None
    monkeypatch.setattr(partials_module, "_chosen", lambda names, most: np.ones(len(names), bool))
    assert breach(release, one, other)


def test_sensitivities_in_numbers() -> None:
    step = 2.0**-19
    for noise in NOISES:
        for unit, clips in ((WholeImage(), 2), (Dataset(), 1), (Person(5), 10), (AddOrRemovePerson(5), 5)):
            assert SumRelease(noise, 1.0, unit).guarantee((64,)).sensitivity * step == clips
        assert MeanRelease(noise, 1.0, WholeImage()).guarantee((64,)).sensitivity * step == 2
        assert MeanRelease(noise, 1.0, Person(5)).guarantee((64,)).sensitivity * step == 10
    assert MeanRelease(Laplace(1.0), 1.0, Dataset()).guarantee((64,)).sensitivity * step == 1 + 1 / 4
    gaussian = MeanRelease(Gaussian(1.0, 1e-6), 1.0, Dataset()).guarantee((256,))
    assert gaussian.sensitivity * step == pytest.approx(math.sqrt(1 + 1 / 16), rel=1e-12)
    assert bin_sensitivity("L1", Person(4), 2, 3).value == 24
    assert bin_sensitivity("L2", Person(4), 2, 3).squared == 2 * 16 * 3


@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_a_private_count_is_one_more_coordinate(noise) -> None:
    rows = np.array([[0.5, 0.25], [0.0, 0.5], [0.25, 0.0]])
    for unit in UNITS:
        release = MeanRelease(noise, 1.0, unit)
        steps = release.steps(Corpus(rows, ("x", "y", "z")).partial(release))
        count = () if isinstance(unit, WholeImage) else (3 * release.count_weight((2,)),)
        assert steps == (3 << 17, 3 << 17, *count)


@pytest.mark.parametrize("release", RELEASES, ids=repr)
def test_guarantee_is_honest_about_whole_images(release: Aggregate) -> None:
    guarantee = release.guarantee((8,))
    assert guarantee.epsilon == 1.0
    assert guarantee.delta == 1e-6 if isinstance(release.noise, Gaussian) else guarantee.delta < 1e-20
    whole = claim(release, 8, WholeImage())
    assert (guarantee.whole_image_epsilon, guarantee.whole_image_delta) == pytest.approx(
        release.noise.privacy(guarantee.scale, whole)
    )
    if isinstance(release, SumRelease) and isinstance(release.unit, Dataset):  # replacing is removing and adding
        assert 1.99 < guarantee.whole_image_epsilon < 2.2
    if isinstance(release.unit, Person):
        assert guarantee.whole_image_epsilon <= 1.000001 * release.noise.epsilon
    assert Guarantee.from_dict(json.loads(json.dumps(guarantee.to_dict()))) == guarantee
    assert guarantee.relation in guarantee.sentence


def test_a_ledger_per_corpus_charges_what_is_stated() -> None:
    """Twice epsilon where a ledger guards whole images and an aggregate hides only whether one is there."""
    for unit, guarded, epsilon in (
        (WholeImage(), BudgetUnit.IMAGE, 1.0),
        (Dataset(), BudgetUnit.DATASET, 1.0),
        (Dataset(), BudgetUnit.IMAGE, 2.0),
        (Person(4), BudgetUnit.PERSON, 1.0),
        (Person(4), BudgetUnit.IMAGE, 0.25),
        (Person(4), BudgetUnit.ADD_OR_REMOVE_PERSON, 1.0),
        (AddOrRemovePerson(4), BudgetUnit.ADD_OR_REMOVE_PERSON, 1.0),
        (AddOrRemovePerson(4), BudgetUnit.PERSON, 2.0),
        (AddOrRemovePerson(4), BudgetUnit.IMAGE, 0.5),
    ):
        guarantee = SumRelease(Laplace(1.0), 1.0, unit).guarantee((8,))
        assert cost_of(guarantee, Budget(2.0, 1e-6, Per.CORPUS, guarded)).epsilon == epsilon
    with pytest.raises(BudgetError, match="ledger per corpus"):
        cost_of(SumRelease(Laplace(1.0), 1.0, Dataset()).guarantee((8,)), Budget(1.0, 1e-6))


def test_guarantees_name_their_relation() -> None:
    relations = [SumRelease(Laplace(1.0), 1.0, unit).guarantee((2,)).relation for unit in UNITS]
    assert len(set(relations)) == len(UNITS)
    assert "at most 3 count" in relations[3] and "one image more" in relations[1]


# Attacked and useful


def lower_bound_on_epsilon(release: Aggregate, pretended: Aggregate, count: int = 100_000) -> float:
    """What an attacker proves, with 97.5 % confidence twice, who has to tell the worst two neighbours apart.

    ``pretended`` decides where the attacker cuts: half-way, where nearly all of epsilon shows.
    """
    one, other = worst(release, components=1)
    parts = [corpus.partial(release) for corpus in (one, other)]
    cut = parts[0].total[0] * pretended.guarantee((1,)).step
    above = [
        sum(release.release(part, stream(f"{side}{i}")).flat[0] >= cut for i in range(count))
        for side, part in enumerate(parts)
    ]
    at_least = stats.beta.ppf(0.025, above[0], count - above[0] + 1)
    at_most = stats.beta.ppf(0.975, above[1] + 1, count - above[1])
    return math.log(at_least / at_most)


TESTED_UNITS = [
    pytest.param(WholeImage(), marks=pytest.mark.long),
    Dataset(),
    pytest.param(Person(2), marks=pytest.mark.long),
    AddOrRemovePerson(2),
]


@pytest.mark.parametrize("unit", TESTED_UNITS, ids=repr)
def test_two_point_audit(unit: CorpusUnit) -> None:
    release = SumRelease(Laplace(1.0), 1.0, unit)
    count, least = (20_000, 0.9) if isinstance(unit, AddOrRemovePerson) else (100_000, 0.95)
    assert least <= lower_bound_on_epsilon(release, release, count) <= 1.0
    assert lower_bound_on_epsilon(replace(release, noise=Laplace(1.2)), release, 12_000) > 1.0


@pytest.mark.parametrize("unit", [WholeImage(), Dataset(), Person(20), AddOrRemovePerson(20)], ids=repr)
@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_mean_of_five_thousand_vectors(noise, unit: CorpusUnit) -> None:
    """The error is the standard error that the docstring predicts, and small where it should be."""
    components, images, keys = 64, 5000, 300
    generator = np.random.default_rng(3)
    rows = np.abs(generator.normal(size=(images, components))) * generator.uniform(0.05, 4, (images, 1))
    release = MeanRelease(noise, 1.0, unit)
    part = Corpus(rows, tuple(str(row // 20) for row in range(images))).partial(release)
    norms = np.abs(rows).sum(axis=1) if noise.norm == "L1" else np.linalg.norm(rows, axis=1)
    exact = (rows / np.maximum(norms, 1.0)[:, None]).mean(axis=0)
    errors = np.array([release.release(part, stream(str(key))) - exact for key in range(keys)])
    guarantee, weight = release.guarantee((components,)), release.count_weight((components,))
    spread = guarantee.scale * (math.sqrt(2) if noise.norm == "L1" else 1.0)
    variance = np.full(components, (spread * guarantee.step / images) ** 2)
    if weight:
        variance += (exact * spread / weight / images) ** 2
    assert math.sqrt((errors**2 / variance).mean()) == pytest.approx(1.0, abs=0.03)
    if not unit.needs_subjects and noise.norm == "L2":
        assert np.linalg.norm(errors, axis=1).max() < 0.03 * np.linalg.norm(exact)  # three per cent, every time


def test_the_split_of_the_budget_is_the_best_to_first_order() -> None:
    for noise, power in ((Laplace(1.0), 1), (Gaussian(1.0, 1e-6), 2)):
        for components in (1, 8, 128, 4096):
            release = MeanRelease(noise, 1.0, Dataset())
            share = release.count_weight((components,)) / 2**19
            error = lambda w: (components + 1 / w**2) * (1 + w**power) ** (2 / power)  # noqa: B023, E731
            assert error(share) < 1.0001 * min(error(w) for w in np.linspace(0.02, 1, 500))
