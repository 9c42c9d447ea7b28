"""The benchmark of presence, tiny: halves are halves, and an attacker stays below epsilon."""

from benchmarks.privacy.presence import proved, shares


def test_counts_and_sums_keep_their_bar_and_the_others_say_what_they_need() -> None:
    found = {name: (share, bar) for name, share, bar in shares()}
    assert len(found) == 8
    for name, (share, bar) in found.items():
        assert 0.499 < share < 0.72 and (bar is None or share <= bar * (1 + 1e-9)), name
    assert sum(bar is not None for _, bar in found.values()) == 5


def test_an_attacker_proves_no_more_than_epsilon() -> None:
    assert 0.7 <= proved(1500) <= 1.0
