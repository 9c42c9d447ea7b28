"""People per window of a day: nobody moves the counts further than is claimed, and what is cut off is told with noise.

Answers for `privis.privacy.releases.windows`.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

import privis
from privis.errors import BudgetError, ParameterError
from privis.identity import identity
from privis.privacy import (
    Budget,
    BudgetUnit,
    Gaussian,
    Laplace,
    Per,
    Person,
    PersonDay,
    ReleaseKey,
    WindowCountRelease,
)
from privis.privacy.ledger.budget import cost_of
from tests.privacy.corpora import NOISES, stream

DAY = 4
KEY = ReleaseKey(bytes(range(32)))


def days(others: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Every set of windows that ann may have, in two orders, each window seen once or twice, among ``others``."""
    found = []
    for count in range(DAY + 1):
        for own in itertools.combinations(range(DAY), count):
            rows = [(window, "ann") for window in own]
            found += [[*others, *rows], [*rows[::-1], *others, *rows]]
    return found


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("resolution", [1, 3])
@pytest.mark.parametrize("most", [1, 2, 3, 4, 9])
def test_the_claim_is_the_worst_of_all_small_days(noise: Laplace | Gaussian, most: int, resolution: int) -> None:
    release = WindowCountRelease(noise, DAY, PersonDay(most), resolution)
    worst = 0
    for others in ([(0, "bob")], [(w, "bob") for w in range(DAY)], [(1, "bob"), (1, "eve"), (3, "eve")]):
        without = release.steps(release.partial(*zip(*others, strict=True)))
        for day in days(others):
            moves = [
                abs(a - b)
                for a, b in zip(release.steps(release.partial(*zip(*day, strict=True))), without, strict=True)
            ]
            worst = max(worst, sum(moves) ** 2 if noise.norm == "L1" else sum(move * move for move in moves))
    stated = release.guarantee((DAY,)).sensitivity
    assert math.isclose(worst, stated**2, rel_tol=1e-12) and worst <= stated**2 * (1 + 1e-15)
    counted, beyond = min(most, DAY), most < DAY
    one = counted * resolution + beyond if noise.norm == "L1" else math.sqrt(counted * resolution**2 + beyond)
    assert stated == pytest.approx(one)


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("most", [1, 2, 4])
def test_a_person_of_two_ids_moves_no_further_than_is_claimed(noise: Laplace | Gaussian, most: int) -> None:
    release = WindowCountRelease(noise, 3, PersonDay(most, ids=2), resolution=2)
    sets = [own for count in range(4) for own in itertools.combinations(range(3), count)]
    without = release.steps(release.partial([0, 1], ["bob", "eve"]))
    worst = 0
    for first, second in itertools.product(sets, repeat=2):
        rows = [(0, "bob"), (1, "eve"), *((w, "ann") for w in first), *((w, "ann, another track") for w in second)]
        moves = [a - b for a, b in zip(release.steps(release.partial(*zip(*rows, strict=True))), without, strict=True)]
        worst = max(worst, sum(map(abs, moves)) ** 2 if noise.norm == "L1" else sum(move**2 for move in moves))
    stated = release.guarantee((3,))
    assert math.isclose(worst, stated.sensitivity**2, rel_tol=1e-12)
    assert stated.promises == ("nobody has more than 2 ids",) and "2 ids" in stated.sentence


def test_what_was_released_before_is_released_again() -> None:
    """The text and the identity of a release name its noise: those without a resolution are what they were."""
    plain = WindowCountRelease(Laplace(1.0), 96, PersonDay(4))
    assert repr(plain) == "WindowCountRelease(noise=Laplace(epsilon=1.0), windows=96, unit=PersonDay(windows=4))"
    assert identity(plain).hex()[:16] == "df2d59ba1213acb0"
    others = [
        WindowCountRelease(Laplace(1.0), 96, PersonDay(4), 2),
        WindowCountRelease(Laplace(1.0), 96, PersonDay(4, ids=2)),
        WindowCountRelease(Laplace(1.0), 96, PersonDay(4, ids=2), 2),
    ]
    assert len({repr(r) for r in (plain, *others)}) == len({identity(r) for r in (plain, *others)}) == 4
    with pytest.raises(ParameterError, match="one of WindowCountRelease"):
        plain.steps(others[0].partial([1], ["ann"]))


@pytest.mark.parametrize("most", [1, 2, 4])
@pytest.mark.parametrize("epsilon", [1.0, 2.0, 4.0])
def test_a_fifth_more_than_the_noise_of_counts_alone(most: int, epsilon: float) -> None:
    """The mean absolute error of a window's count is at most 1.2 m / epsilon; rounding to people is part of it."""
    release = WindowCountRelease(Laplace(epsilon), 4096, PersonDay(most), resolution=5)
    part = release.partial([0], ["ann"])
    told = release.release(part, stream())
    assert told[0] - 1 != 0 or told[1:-1].any()
    assert np.abs(told[1:-1]).mean() <= 1.2 * most / epsilon * 1.05  # of 4,095 draws; 5 % is three standard errors
    assert release.guarantee((4096,)).scale / 5 == pytest.approx((most + 0.2) / epsilon, rel=1e-3)


def test_half_of_what_a_replaced_person_needs() -> None:
    """Replaced, a person leaves m windows and comes to m others: twice as far in L1."""
    ours = WindowCountRelease(Laplace(1.0), 96, PersonDay(96)).guarantee((96,))
    replaced = privis.CorpusHistogramRelease(Laplace(1.0), (0.5,), Person(1)).guarantee((96,))
    assert ours.scale == replaced.scale / 2 == 96.0


def test_counts_are_of_different_people_in_their_first_windows() -> None:
    release = WindowCountRelease(Laplace(1.0), 6, PersonDay(2))
    windows, people = [5, 1, 1, 3, 0, 1], ["ann", "ann", "ann", "ann", "bob", "bob"]
    part = release.partial(windows, people)
    assert release.steps(part) == (1, 2, 0, 1, 0, 0, 1)
    assert (part.images, part.left_out) == (4, 1) and "left_out" not in repr(part)
    order = np.random.default_rng(0).permutation(6)
    assert release.partial(np.array(windows)[order], [people[n] for n in order]) == part


def test_shards_merge_where_nobody_is_in_two() -> None:
    release = WindowCountRelease(Gaussian(1.0, 1e-6), 6, PersonDay(2))
    first, second = release.partial([0, 1], ["ann", "bob"]), release.partial([1, 1], ["eve", "eve"])
    assert release.steps(first + second) == (1, 2, 0, 0, 0, 0, 0)
    with pytest.raises(ParameterError, match="keep a subject in one shard"):
        first + release.partial([0], ["ann"])


def test_what_does_not_fit_is_said() -> None:
    release = WindowCountRelease(Laplace(1.0), 6, PersonDay(2))
    for windows, told in (
        ([6], r"windows\[0\]: got 6"), ([-1], "got -1"), ([0.5], "got 0.5"), ([math.nan], "got nan"),
        (["a"], "one whole number per sighting"), ([[1]], "one whole number per sighting"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=told):
            release.partial(windows, ["ann"])
    with pytest.raises(ParameterError, match="1 subjects, expected 2"):
        release.partial([1, 2], ["ann"])
    with pytest.raises(ParameterError, match="a subject for every sighting"):
        release.partial([1, 2])
    with pytest.raises(ParameterError, match=r"subjects\[1\]"):
        release.partial([1, 2], ["ann", None])
    with pytest.raises(ParameterError) as refused:
        WindowCountRelease("noise", 0, Person(2))  # type: ignore[arg-type]
    assert len(refused.value.problems) == 3
    with pytest.raises(ParameterError, match=r"PersonDay\.windows"):
        PersonDay(0)
    with pytest.raises(ParameterError, match="at most"):
        WindowCountRelease(Laplace(1.0), 2**21, PersonDay(1))


def test_the_words_name_the_day() -> None:
    guarantee = WindowCountRelease(Laplace(1.0), 96, PersonDay(4)).guarantee((96,))
    assert (guarantee.unit, guarantee.computed_from, guarantee.step_unit) == ("person and day", "corpus", "people")
    for words in ("at most 4 windows count", "days add up", "twice epsilon", "several people is not hidden"):
        assert words in guarantee.sentence
    assert type(guarantee).from_dict(guarantee.to_dict()) == guarantee


def test_days_are_charged_as_people_who_come_or_go() -> None:
    guarantee = WindowCountRelease(Laplace(1.0), 96, PersonDay(4)).guarantee((96,))
    budgets = {unit: Budget(9.0, 1e-6, Per.CORPUS, unit) for unit in BudgetUnit}
    assert cost_of(guarantee, budgets[BudgetUnit.ADD_OR_REMOVE_PERSON]).epsilon == 1.0
    assert cost_of(guarantee, budgets[BudgetUnit.PERSON]).epsilon == 2.0
    for unit, told in ((BudgetUnit.IMAGE, "finite figures"), (BudgetUnit.DATASET, "whether an image is in")):
        with pytest.raises(BudgetError, match=told):
            cost_of(guarantee, budgets[unit])


def test_a_day_is_released_in_one_call() -> None:
    release = WindowCountRelease(Laplace(5.0), 6, PersonDay(2))
    windows, people = [5, 1, 1, 3, 0, 1], ["ann", "ann", "ann", "ann", "bob", "bob"]
    told = privis.release(windows, release, records="camera 3, Monday", subjects=people, key=KEY)
    assert told.features.shape == (1, 7) and told.names[-1] == "people cut off" and told.left_out == 1
    assert "left_out" not in repr(told) and told.card.images == 0 and "left" not in told.card.to_json()
    column = privis.release(np.array(windows)[:, None], release, records="camera 3, Monday", subjects=people, key=KEY)
    assert np.array_equal(told.features, column.features)
    other = privis.release(windows, release, records="camera 3, Tuesday", subjects=people, key=KEY)
    assert not np.array_equal(told.features, other.features)
    without = privis.release(windows[4:], release, records="camera 3, Monday", subjects=people[4:], key=KEY)
    noises = [
        a - b for a, b in ((told.features[0], (1, 2, 0, 1, 0, 0, 1)), (without.features[0], (1, 1, 0, 0, 0, 0, 0)))
    ]
    assert not np.array_equal(*noises), "another day's noise"


def proved(noise: Laplace, pretended: float, count: int = 8_000) -> float:
    """Epsilon that an attacker proves who knows all but whether ann, seen all day, was there at all.

    All released numbers of the worst pair count: the attacker's score is the log-likelihood ratio, cut in the middle.
    """
    release = WindowCountRelease(noise, 1, PersonDay(1))
    parts = [release.partial(*zip(*rows, strict=True)) for rows in ([(0, "bob"), (0, "ann")], [(0, "bob")])]
    above = [
        sum(release.release(part, stream(f"{side}{n}"))[0] >= 2 for n in range(count))
        for side, part in enumerate(parts)
    ]
    at_least = stats.beta.ppf(0.025, above[0], count - above[0] + 1)
    return math.log(at_least / stats.beta.ppf(0.975, above[1] + 1, count - above[1])) / pretended


def test_an_attacker_proves_nearly_the_claim_and_not_more() -> None:
    assert 0.85 <= proved(Laplace(1.0), 1.0) <= 1.0
    assert proved(Laplace(1.2), 1.0) > 1.0, "noise that is too small by a fifth is caught"
