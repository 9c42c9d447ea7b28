"""Two sums of matches: those that meet in a slot are told apart, and what cannot be is said."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.run.he.matching.fetching.shifted_tables import TOLERANCE, ambiguity, resolve, shifts


def sums_of(places, parts, slots, values=None, weights=None):
    """The two sums of matches at (part, slot), with the numbers that come with each."""
    made, moved = np.zeros((2, slots, 4)), ((0,) * parts, shifts(parts, slots))
    for number, (part, slot) in enumerate(places):
        weight = 1.0 if weights is None else weights[number]
        row = np.array([1.0, part, *(values[number] if values is not None else (number % 251, 255))])
        for table, own in enumerate(moved):
            made[table, (slot - own[part]) % slots] += weight * row
    return made


def test_matches_that_meet_in_a_slot_are_told_apart_with_what_they_carry():
    places = [(0, 9), (1, 9), (5, 9), (6, 9), (3, 4000), (6, 0)]
    noise = np.random.default_rng(0).normal(0, 1e-4, (2, 4096, 4))
    found = resolve(sums_of(places, 7, 4096) + noise, 7)
    assert not found.undecided and not found.ambiguous
    assert {place: tuple(numbers) for place, numbers in found.matches.items()} == {
        place: (number, 255) for number, place in enumerate(places)
    }
    alone = resolve(sums_of(places, 7, 4096)[:1], 7)  # in one sum they cannot be
    assert alone.ambiguous == 4 and set(alone.matches) == {(3, 4000), (6, 0)}


def test_a_cycle_of_matches_is_ambiguous_and_counted():
    """Six matches of three parts, each meeting one in either sum."""
    slots, (a, b, c) = 4096, shifts(3, 4096)
    ring = [(0, 100), (1, 100), (2, 100 - b + c), (0, 100 - b + c), (1, 100 - a + c), (2, 100 - a + c)]
    found = resolve(sums_of([*ring, (0, 2000)], 3, slots), 3)
    assert found.ambiguous == 6 and not found.undecided and set(found.matches) == {(0, 2000)}


def test_parts_of_a_match_are_undecided():
    half = resolve(sums_of([(0, 1), (1, 7)], 2, 64, weights=[0.5, 1.0]), 2)
    assert half.undecided and (0, 1) not in half.matches
    two = resolve(sums_of([(0, 1), (1, 1)], 2, 64, weights=[0.5, 0.5]), 2)  # together they count as one
    assert two.undecided and not two.matches
    assert resolve(sums_of([(0, 1)], 2, 64, weights=[1 + 3 * TOLERANCE]), 2).undecided


def test_a_match_that_the_other_sum_does_not_know_is_undecided():
    one = sums_of([(0, 1), (1, 7)], 2, 64)
    one[1, (1 - shifts(2, 64)[0]) % 64] = 0.0
    found = resolve(one, 2)
    assert found.undecided == 1 and set(found.matches) == {(1, 7)}


@pytest.mark.parametrize(("parts", "matches"), [(4, 60), (13, 120), (122, 200)])
def test_the_probability_that_matches_cannot_be_told_apart_is_bounded(parts, matches):
    slots, generator, failed, rounds = 512, np.random.default_rng(3), 0, 60
    for _ in range(rounds):
        chosen = generator.choice(parts * slots, matches, replace=False)
        places = [divmod(int(number), slots) for number in chosen]
        found = resolve(sums_of(places, parts, slots), parts)
        assert not found.undecided and set(found.matches) <= set(places)
        assert len(found.matches) + found.ambiguous == matches
        failed += found.ambiguous > 0
    bound = ambiguity(parts, slots, matches)
    assert failed <= rounds * bound + 6 * (rounds * bound) ** 0.5 + 3
    assert ambiguity(parts, slots, matches // 2) < bound


def test_shifts_are_different_and_powers_of_two_have_no_difference_twice():
    for parts, slots in ((1, 4096), (13, 8192), (128, 8192), (128, 16384)):
        made = shifts(parts, slots)
        assert len({*made}) == parts and all(0 < each < slots and each.bit_count() <= 3 for each in made)
    made = np.array(shifts(13, 8192))
    apart = (made[:, None] - made)[~np.eye(13, dtype=bool)] % 8192
    assert len(np.unique(apart)) == len(apart)
    assert ambiguity(7, 8192, 16) < 1e-12 and ambiguity(128, 8192, 32) < 1e-9 and ambiguity(3, 8192, 9000) == 1
    assert ambiguity(1, 8192, 5000) == 0 and ambiguity(9, 8192, 3) == 0
    for parts in (0, 1000):
        with pytest.raises(ParameterError, match="parts"):
            shifts(parts, 8192)
    with pytest.raises(ParameterError, match="matches"):
        ambiguity(3, 8192, -1)
