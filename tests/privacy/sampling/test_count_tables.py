"""privacy/sampling/count_tables.py: integer tables hold the distribution, shares add up, and samples follow it."""

import math

import numpy as np
import pytest
from scipy import stats

from privis.errors import ParameterError
from privis.privacy import ReleaseKey
from privis.privacy.sampling.alias_table import TOTAL_VARIATION
from privis.privacy.sampling.count_tables import negative_binomial_table, sample_counts


def masses(table):
    """Probabilities by value, of the very integers that are sampled."""
    found = {}
    for part in table.parts():
        assert part.of == 0
        found[part.base] = found.get(part.base, 0) + part.mass
    return np.array([found.get(value, 0) for value in range(max(found) + 1)], dtype=object)


@pytest.mark.parametrize(("shape", "ratio"), [(1.0, 0.5), (0.003, 0.9), (25.5, 0.8), (400.0, 0.1), (0.7, 0.98)])
def test_tables_hold_the_textbook_distribution(shape, ratio):
    table = negative_binomial_table(shape, ratio)
    held = masses(table)
    assert abs(sum(held) - 2**256) < 2**160
    oracle = stats.nbinom(shape, 1 - ratio).pmf(np.arange(len(held)))
    np.testing.assert_allclose([mass / 2**256 for mass in held], oracle, rtol=1e-9, atol=1e-20)
    assert table.total_variation <= TOTAL_VARIATION


def test_geometric_counts_to_many_digits():
    held = masses(negative_binomial_table(1.0, 0.5))
    for value in (0, 1, 7, 40, 100):
        assert abs(held[value] - (1 << (255 - value))) <= 2 ** (256 - 112)


@pytest.mark.parametrize("people", [2, 50])
def test_shares_of_people_add_up(people):
    share = masses(negative_binomial_table(6.0 / people, 0.6)).astype(float) / 2.0**256
    whole = masses(negative_binomial_table(6.0, 0.6)).astype(float) / 2.0**256
    total = np.ones(1)
    for _ in range(people):
        total = np.convolve(total, share)[:400]
    np.testing.assert_allclose(total[:100], whole[:100], rtol=1e-9, atol=1e-15)


def test_samples_follow_the_distribution():
    table = negative_binomial_table(0.8, 0.7)
    counts = sample_counts(table, ReleaseKey(bytes(32)).stream("epoch", b"", b""), 200_000)
    assert counts.min() == 0
    values, expected = np.arange(12), stats.nbinom(0.8, 0.3)
    seen = np.bincount(np.minimum(counts, 12), minlength=13)
    wanted = 200_000 * np.append(expected.pmf(values), expected.sf(11))
    assert stats.chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue > 1e-6
    other = sample_counts(table, ReleaseKey(bytes(32)).stream("another epoch", b"", b""), 1000)
    assert (other != counts[:1000]).any()


@pytest.mark.parametrize(("shape", "ratio"), [(0.0, 0.5), (math.nan, 0.5), (1.0, 0.0), (1.0, 1.0), (1e9, 0.5)])
def test_what_cannot_be_sampled(shape, ratio):
    with pytest.raises(ParameterError, match="of a count"):
        negative_binomial_table(shape, ratio)
