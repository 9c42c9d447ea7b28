"""Linkage of two releases: all where nothing is hidden, chance where everything is, more with more epsilon."""

from __future__ import annotations

import numpy as np
import pytest

from privis import DirectionRelease, PrivUnit, ReleaseKey, release
from privis.attack.linkage.likeness import Cosine
from privis.attack.linkage.two_releases import TwoReleases, linkage_findings
from privis.errors import ParameterError

RNG = np.random.default_rng(11)
NAMES = [f"record {number}" for number in range(120)]
VECTORS = RNG.normal(size=(120, 16))


def released(epsilon: float, key: int):
    told = release(VECTORS, DirectionRelease(PrivUnit(epsilon)), records=NAMES, key=ReleaseKey(bytes([key]) * 32))
    return told.features


def linked(epsilon: float) -> int:
    both = TwoReleases(released(epsilon, 1), released(epsilon, 2), NAMES, NAMES)
    return int(both.nearest(Cosine()).sum())


def test_more_epsilon_links_more_and_little_links_as_guessing_does() -> None:
    counts = [linked(epsilon) for epsilon in (0.5, 8.0, 32.0)]
    assert counts[0] <= 6 < counts[1] < counts[2]  # 6 or more of 120 at 1 in 120 each: one time in 2,000
    assert counts[2] == 120


def test_one_key_links_everything() -> None:
    both = TwoReleases(released(1.0, 1), released(1.0, 1), NAMES, NAMES)
    assert both.nearest(Cosine()).all()


def test_rows_that_are_alike_are_linked_as_by_guessing() -> None:
    """An attacker who takes the first of ten equally like rows would be right where tables are in one order."""
    blocks = np.repeat(np.eye(12), 10, axis=0)
    both = TwoReleases(blocks[::10], blocks, NAMES[::10], NAMES)
    assert both.nearest(Cosine()).sum() <= 5


def test_people_with_several_rows_and_rows_without_a_mate() -> None:
    first, second = np.eye(5)[[0, 1, 2, 3]], np.eye(5)[[0, 0, 1, 4]]
    both = TwoReleases(first, second, ["a", "b", "c", "d"], ["a", "a", "b", "e"])
    assert both.nearest(Cosine()).tolist() == [True, True]
    assert both.chance == pytest.approx((2 / 4 + 1 / 4) / 2)
    rates = both.rates(Cosine())
    assert (rates.genuine.size, rates.impostor.size) == (3, 13)


def test_findings_state_chance_interval_and_the_false_rate_that_pairs_support() -> None:
    both = TwoReleases(released(16.0, 1), released(16.0, 2), NAMES, NAMES)
    rank, rate = linkage_findings(both, Cosine(), "vectors, release=privunit epsilon=16")
    assert rank.above_chance
    assert (rank.tries, rank.chance) == (120, pytest.approx(1 / 120))
    assert rate.measure == "linked at 0.1 % false links"
    few = TwoReleases(VECTORS[:12], VECTORS[:12], NAMES[:12], NAMES[:12])
    assert linkage_findings(few, Cosine(), "vectors")[1].measure == "linked at 1 % false links"


@pytest.mark.parametrize(
    ("first", "second", "first_of", "second_of", "message"),
    [
        (np.eye(3), np.eye(4), "abc", "abcd", "of one length"),
        (np.eye(3), np.full((3, 3), np.nan), "abc", "abc", "not finite"),
        (np.eye(3), np.eye(3), "ab", "abc", "2 names for 3 rows"),
        (np.eye(3), np.eye(3), "abc", "def", "in both tables"),
        (np.eye(3), np.eye(3), "aaa", "aaa", "in both tables"),
    ],
)
def test_tables_that_do_not_fit(first, second, first_of: str, second_of: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        TwoReleases(first, second, list(first_of), list(second_of))
