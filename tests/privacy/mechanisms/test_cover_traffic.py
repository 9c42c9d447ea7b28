"""privacy/mechanisms/cover_traffic.py: shares of a crowd, the fewest fakes, and what the guarantee says."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from privis.errors import ParameterError
from privis.privacy import CoverTraffic, Guarantee, ReleaseKey

COVER = CoverTraffic(12.0, 0.7, honest_clients=300, requests=2)


def test_a_crowd_adds_the_whole_noise():
    """What the server sees of a part nobody wants: the sum of all clients' fakes, by chi-squared."""
    parts = 40
    key = ReleaseKey(bytes(32))
    epochs = [
        sum(COVER.draw(parts, key.stream(f"{epoch} {client}", b"", b"")) for client in range(COVER.honest_clients))
        for epoch in range(25)
    ]
    totals = np.concatenate(epochs)
    assert abs(totals.mean() - COVER.fakes_per_part) < 5 * stats.nbinom(12.0, 0.3).std() / len(totals) ** 0.5
    edges = [15, 20, 25, 30, 35, 45]
    seen = np.bincount(np.searchsorted(edges, totals, side="left"), minlength=7)
    below = np.concatenate([[0], stats.nbinom(12.0, 0.3).cdf(edges), [1]])
    assert stats.chisquare(seen, len(totals) * np.diff(below)).pvalue > 1e-6


def test_the_fewest_fakes_keep_the_guarantee_and_a_few_less_do_not():
    cover = CoverTraffic.least(1.0, 1e-6, honest_clients=100, requests=1)
    assert cover.delta(1.0) <= 1e-6
    for ratio in (cover.ratio * 0.95, cover.ratio, 1 - (1 - cover.ratio) * 0.8):
        less = 0.97 * cover.fakes_per_part * (1 - ratio) / ratio
        assert dataclasses.replace(cover, shape=less, ratio=ratio).delta(1.0) > 1e-6


def test_fakes_of_a_client_vanish_as_the_crowd_grows():
    small, large = (CoverTraffic(12.0, 0.7, clients, 2).fakes_per_client(32) for clients in (100, 10_000))
    assert small == pytest.approx(100 * large)


def test_the_guarantee_says_what_it_rests_on():
    said = COVER.guarantee(1.0, epochs=3)
    assert (said.epsilon, said.delta) == (1.0, COVER.delta(1.0, 3)) and COVER.delta(1.0, 3) > COVER.delta(1.0)
    assert "at least 300 clients" in said.sentence and "not checked" in said.sentence
    assert Guarantee.from_dict(said.to_dict()) == said


@pytest.mark.parametrize(
    "wrong",
    [{"shape": 0.0}, {"ratio": 1.0}, {"honest_clients": 0}, {"requests": 0}, {"requests": True}, {"ratio": "a"}],
)
def test_what_is_no_cover_traffic(wrong):
    with pytest.raises(ParameterError, match=r"CoverTraffic|of a count"):
        dataclasses.replace(COVER, **wrong)


@pytest.mark.parametrize(("epsilon", "delta", "requests", "epochs"), [(0.1, 1e-10, 4, 30), (1000.0, 1e-6, 1, 1)])
def test_far_from_the_usual(epsilon, delta, requests, epochs):
    """Thousands of fakes, tiny deltas and no privacy to speak of: rounding shows in none."""
    cover = CoverTraffic.least(epsilon, delta, 1000, requests, epochs)
    assert delta / 2 < cover.delta(epsilon, epochs) <= delta


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ParameterError) as error:
        CoverTraffic.least(-1.0, 1e-30, 0, 1)
    assert "epsilon" in str(error.value) and "honest_clients" in str(error.value)
    with pytest.raises(ParameterError, match="delta"):
        CoverTraffic.least(1.0, 1e-30, 1, 1)
