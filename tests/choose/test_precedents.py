from __future__ import annotations

from privis.choose.precedents import precedents


def test_the_pinned_copy_says_where_it_is_from() -> None:
    found = precedents()
    assert len(found.commit) == 40 and found.date == "2026-07-15" and "opendp" in found.source
    assert len(found.deployments) == 41


def test_facts_of_one_entry() -> None:
    (apple,) = (one for one in precedents().deployments if one.name.startswith("Iconic scenes"))
    assert (apple.epsilon, apple.delta, apple.model, apple.unit) == (1.0, 1.5e-07, "Local", None)


def test_order_and_sectors() -> None:
    epsilons = [one.epsilon for one in precedents().deployments if one.epsilon is not None]
    assert epsilons == sorted(epsilons)
    assert {one.sector for one in precedents().of_sector("HEALTHCARE")} == {"Healthcare"}
    assert precedents().of_sector("fishing") == ()
