"""A person who comes or goes moves sums and counts half as far as one who is replaced: all small corpora are tried.

Answers for `privis.privacy.releases.corpus_noise` and `privis.privacy.ledger.budget`, as far as presence is hidden.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from dp_accounting.pld import privacy_loss_distribution as pld

from privis.errors import BudgetError, ParameterError
from privis.joint.release.distributed_noise import ReleasePlan
from privis.privacy import (
    AddOrRemovePerson,
    Budget,
    BudgetUnit,
    CodeRelease,
    CorpusHistogramRelease,
    Dataset,
    DirectionRelease,
    FeatureRelease,
    FileLedger,
    Gaussian,
    HistogramRelease,
    Laplace,
    MeanRelease,
    Per,
    Person,
    PixelRelease,
    PrivUnit,
    RandomisedResponse,
    SumRelease,
    WholeImage,
)
from privis.privacy.ledger.budget import NoiseDistribution, cost_of
from privis.privacy.ledger.composition import Account
from privis.privacy.ledger.privacy_profiles import ratio
from privis.privacy.releases.corpus import Aggregate
from privis.training.networks import NetworkTraining
from tests.privacy.corpora import NOISES

LEVELS = (-1.0, 0.0, 1.0)
MOST = 2


def corpora_of(components: int) -> Iterator[tuple[np.ndarray, tuple[str, ...]]]:
    """Ann's rows, of all values, up to one more than count, before and after one row of bob."""
    rows = list(itertools.product(LEVELS, repeat=components))
    for count in range(MOST + 2):
        for own in itertools.product(rows, repeat=count):
            yield np.array([(0.5,) * components, *own]), ("bob", *["ann"] * count)


def largest_move(release: Aggregate, components: int) -> int:
    """Largest squared distance of the integers with and without ann, over all small corpora."""
    without = release.steps(release.partial(np.full((1, components), 0.5), ["bob"]))
    worst = 0
    for rows, subjects in corpora_of(components):
        moves = [abs(a - b) for a, b in zip(release.steps(release.partial(rows, subjects)), without, strict=True)]
        worst = max(worst, sum(moves) ** 2 if release.noise.norm == "L1" else sum(move * move for move in moves))
    return worst


KINDS: dict[str, Callable[..., Aggregate]] = {
    "sum": lambda noise, unit: SumRelease(noise, 1.0, unit),
    "mean": lambda noise, unit: MeanRelease(noise, 1.0, unit),
    "histogram": lambda noise, unit: CorpusHistogramRelease(noise, (0.0, 0.75), unit),
}


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_the_claim_is_the_worst_of_all_small_corpora(kind: str, noise: Laplace | Gaussian, components: int) -> None:
    release = KINDS[kind](noise, AddOrRemovePerson(MOST))
    stated = release.guarantee((components,)).sensitivity
    assert math.isclose(largest_move(release, components), stated**2, rel_tol=1e-12)
    assert largest_move(release, components) <= stated**2 * (1 + 1e-15)


@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_counts_and_sums_need_half_the_noise(noise: Laplace | Gaussian) -> None:
    """Of a count, a sum, and under Laplace noise of every histogram; a histogram's Gaussian noise falls by a root."""
    count = KINDS["histogram"]
    pairs = {
        (kind, length): tuple(
            KINDS[kind](noise, unit).guarantee((length,)).scale for unit in (AddOrRemovePerson(3), Person(3))
        )
        for kind, length in (("sum", 1), ("sum", 24), ("histogram", 1), ("histogram", 5))
    }
    assert pairs["sum", 1][0] == pytest.approx(pairs["sum", 1][1] / 2, rel=1e-9)
    assert pairs["sum", 24][0] == pytest.approx(pairs["sum", 24][1] / 2, rel=1e-9)
    factor = 2 if isinstance(noise, Laplace) else math.sqrt(2)
    for length in (1, 5):
        assert pairs["histogram", length][0] == pytest.approx(pairs["histogram", length][1] / factor, rel=1e-9)
    assert "comes or goes" in count(noise, Dataset()).guarantee((1,)).sensitivity_reason
    assert "come or go" in count(noise, AddOrRemovePerson(3)).guarantee((1,)).sensitivity_reason
    means = [MeanRelease(noise, 1.0, unit).guarantee((64,)).scale for unit in (AddOrRemovePerson(3), Person(3))]
    assert means[0] < 0.63 * means[1], "the private count takes the rest"


def test_the_words_name_the_relation() -> None:
    guarantee = SumRelease(Laplace(1.0), 1.0, AddOrRemovePerson(3)).guarantee((4,))
    assert guarantee.unit == "person added or removed"
    assert guarantee.relation in guarantee.sentence and "at most 3 count" in guarantee.sentence
    assert "one removed and one added: twice epsilon" in guarantee.sentence
    assert type(guarantee).from_dict(guarantee.to_dict()) == guarantee


@pytest.mark.parametrize(
    "make",
    [
        lambda unit: PixelRelease(Laplace(1.0), unit),
        lambda unit: FeatureRelease(Laplace(1.0), 1.0, unit),
        lambda unit: HistogramRelease(Laplace(1.0), 1, unit, total=9),
        lambda unit: DirectionRelease(PrivUnit(1.0), unit),
        lambda unit: CodeRelease(RandomisedResponse(1.0), unit),
        lambda unit: NetworkTraining(500, 1000, Gaussian(1.0, 1e-6), unit),
        lambda unit: ReleasePlan(SumRelease(Laplace(1.0), 1.0, unit), "ward", 2, ("a", "b"), ("a",)).guarantee,
    ],
)
def test_refused_where_it_is_not_proved(make: Callable[[AddOrRemovePerson], object]) -> None:
    """A vector of one image shows that the image is there, whatever noise is on it."""
    with pytest.raises(ParameterError, match=r"unit: got AddOrRemovePerson"):
        make(AddOrRemovePerson(2))


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "3", None])
def test_the_number_of_images_is_checked(bad: object) -> None:
    with pytest.raises(ParameterError, match=r"AddOrRemovePerson\.images"):
        AddOrRemovePerson(bad)  # type: ignore[arg-type]


# Ledgers: a person replaced is one removed and one added


@pytest.mark.parametrize("noise", [Laplace(1.0), Laplace(9.0), Gaussian(1.0, 1e-6), Gaussian(5.0, 1e-9)], ids=repr)
def test_a_budget_of_replaced_people_pays_for_two_steps(noise: Laplace | Gaussian) -> None:
    """No less than the noise gives away about a replaced person, and for Gaussian noise hardly more."""
    release = SumRelease(noise, 1.0, AddOrRemovePerson(3))
    guarantee = release.guarantee((8,))
    cost = cost_of(guarantee, Budget(100.0, 1e-5, Per.CORPUS, BudgetUnit.PERSON))
    moved = 2 * guarantee.sensitivity  # the triangle inequality; attained by opposite rows
    if isinstance(noise, Laplace):
        assert (cost.epsilon, cost.distribution) == (2 * noise.epsilon, NoiseDistribution.LAPLACE)
        assert cost.epsilon >= moved / guarantee.scale * (1 - 1e-12)
        assert cost.delta >= guarantee.delta * (1 + math.exp(noise.epsilon))
        return
    assert cost.delta == noise.delta
    assert moved / guarantee.scale <= ratio(cost) <= moved / guarantee.scale * (1 + 1e-5)
    true = pld.from_gaussian_mechanism(guarantee.scale / moved, value_discretization_interval=1e-4)
    assert true.get_epsilon_for_delta(noise.delta) <= cost.epsilon * (1 + 1e-3)


def test_both_relations_in_one_ledger_add_up(tmp_path) -> None:
    """One and a half steps of a budget of 5 for a replaced person: 1 + 2 * 1 + 2 * 1."""
    book = FileLedger.create(tmp_path / "people", Budget(5.0, 1e-6, Per.CORPUS, BudgetUnit.PERSON))
    replaced, added = (
        SumRelease(Laplace(1.0), 1.0, unit).guarantee((2,)) for unit in (Person(1), AddOrRemovePerson(1))
    )
    book.charge("ward", replaced, "first")
    book.charge("ward", added, "second")
    book.charge("ward", added, "second")  # the same release
    assert book.spent().epsilon == pytest.approx(3.0)
    book.charge("ward", added, "third")
    with pytest.raises(BudgetError):
        book.charge("ward", replaced, "fourth")
    again = FileLedger(book.path)
    assert again.spent().epsilon == pytest.approx(5.0) and not again.verify().problems


def test_a_budget_of_presence_takes_what_hides_presence(tmp_path) -> None:
    budget = Budget(3.0, 1e-6, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON)
    assert "one person with all images is added or removed" in budget.sentence
    book = FileLedger.create(tmp_path / "presence", budget)
    for number, unit in enumerate((AddOrRemovePerson(2), Person(2))):
        book.charge("ward", SumRelease(Laplace(1.0), 1.0, unit).guarantee((2,)), str(number))
    assert FileLedger(book.path).budget == budget and book.spent().epsilon == pytest.approx(2.0)
    for unit in (WholeImage(), Dataset()):
        with pytest.raises(BudgetError, match="whether a person is in the corpus"):
            book.charge("ward", SumRelease(Laplace(0.1), 1.0, unit).guarantee((2,)), repr(unit))
    one_image = FeatureRelease(Laplace(0.1), 1.0, Person(2)).guarantee((2,))
    with pytest.raises(BudgetError, match="whether a person is in the corpus"):
        book.charge("ward", one_image, "an image's vector shows that the image is there")
    with pytest.raises(ParameterError, match="image or person for a budget per subject"):
        Budget(1.0, 1e-6, Per.SUBJECT, BudgetUnit.ADD_OR_REMOVE_PERSON)


def test_presence_of_images_and_of_people_are_not_mixed() -> None:
    added = SumRelease(Laplace(1.0), 1.0, AddOrRemovePerson(2)).guarantee((2,))
    with pytest.raises(BudgetError, match="whether an image is in the corpus"):
        cost_of(added, Budget(9.0, 1e-6, Per.CORPUS, BudgetUnit.DATASET))
    with pytest.raises(BudgetError, match="ledger per corpus"):
        cost_of(added, Budget(9.0, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))


def test_two_steps_without_a_bound_are_refused() -> None:
    """exp(40) times the delta of sampling is more than 1."""
    added = SumRelease(Laplace(40.0), 1.0, AddOrRemovePerson(1)).guarantee((2,))
    with pytest.raises(BudgetError, match="replaced by another"):
        cost_of(added, Budget(1e6, 1e-6, Per.CORPUS, BudgetUnit.PERSON))


def test_an_account_composes_two_steps_by_every_bound() -> None:
    """Ten Gaussian releases of presence, as two steps each, are one of sqrt(10) times twice the ratio."""
    budget = Budget(12.0, 1e-6, Per.CORPUS, BudgetUnit.PERSON)
    guarantee = SumRelease(Gaussian(1.0, 1e-6), 1.0, AddOrRemovePerson(2)).guarantee((8,))
    account = Account()
    for _ in range(10):
        account.add(cost_of(guarantee, budget))
    moved = 2 * guarantee.sensitivity / guarantee.scale * math.sqrt(10)
    true = pld.from_gaussian_mechanism(1 / moved, value_discretization_interval=1e-3).get_epsilon_for_delta(1e-6)
    assert true * (1 - 1e-3) <= account.spent(budget).epsilon <= true * 1.01
