"""The benchmark of audits, tiny: what it says of a mechanism, and what is a missed bar."""

from benchmarks.attacks.audits import RELEASES, Audited, audited_release


def test_a_mechanism_is_audited_both_ways_and_half_the_noise_is_caught() -> None:
    assert len(RELEASES) >= 20
    found = {each.way: each for each in audited_release("PrivUnit", 1, 1500, 1500)}
    assert set(found) == {"two-point", "one run"}
    assert all(each.good and each.caught == 1 and 0 < max(each.kept) <= 1 for each in found.values())


def test_bars_are_missed_by_one_false_alarm_and_by_noise_that_is_not_found() -> None:
    assert not Audited("", "", 1.0, (0.5, 1.01), (2.0, 2.0)).good
    assert not Audited("", "", 1.0, (0.5,) * 10, (2.0,) * 9 + (0.9,)).good
    assert Audited("", "", 1.0, (0.5,) * 20, (2.0,) * 19 + (0.9,)).good
    assert Audited("", "", 1.0, (0.5,), (0.9,), barred=False).good
