"""privacy/accounting/shared_counts.py: delta from the library's convolution, against direct sums over histograms."""

import math

import numpy as np
import pytest
from scipy import stats

from privis.privacy.accounting.noise_calibration import gaussian_delta
from privis.privacy.accounting.shared_counts import log_probabilities, replaced_delta


def pair(shape, ratio):
    """All histograms of a count that loses and one that gains an item: their probabilities under both neighbours.

    The oracle: nothing of the accounting under test, no privacy loss, no grid.
    """
    counts = np.arange(700)
    still = stats.nbinom(shape, 1 - ratio).pmf(counts)
    raised = stats.nbinom(shape, 1 - ratio).pmf(counts - 1)
    return np.outer(raised, still).ravel(), np.outer(still, raised).ravel()


def direct(shape, ratio, epsilon, moved):
    """Sum of max(0, P - e^epsilon Q) over histograms; of two moved counts by sorting losses of one."""
    first, second = pair(shape, ratio)
    if moved == 1:
        return float(np.maximum(first - math.exp(epsilon) * second, 0).sum())
    seen = first > 1e-25
    never = first[seen & (second == 0)].sum()
    p, q = first[seen & (second > 0)], second[seen & (second > 0)]
    losses = np.log(p / q)
    order = np.argsort(losses)
    losses, p, q = losses[order], p[order], q[order]
    above_p = np.append(np.cumsum(p[::-1])[::-1], 0)
    above_q = np.append(np.cumsum(q[::-1])[::-1], 0)
    start = np.searchsorted(losses, epsilon - losses, side="right")  # partners whose loss takes the sum above epsilon
    finite = (p * above_p[start] - math.exp(epsilon) * q * above_q[start]).sum()
    return float(finite + 1 - (1 - never) ** 2)


@pytest.mark.parametrize("moved", [1, 2])
@pytest.mark.parametrize(("shape", "ratio", "epsilon"), [(20.0, 0.8, 1.0), (40.0, 0.6, 0.7), (3.5, 0.95, 2.0)])
def test_delta_is_that_of_all_histograms(shape, ratio, epsilon, moved):
    oracle = direct(shape, ratio, epsilon, moved)
    found = replaced_delta(shape, ratio, moved, epsilon)
    assert oracle <= found * (1 + 1e-9) + 1e-15
    assert found <= oracle * 1.001 + 1e-13


def test_epochs_compose_as_moved_counts_do():
    assert replaced_delta(30.0, 0.8, 1, 1.0, 2) == pytest.approx(replaced_delta(30.0, 0.8, 2, 1.0), rel=1e-9)


def test_a_coarse_grid_errs_on_the_safe_side():
    fine, coarse = (replaced_delta(30.0, 0.8, 2, 1.0, 1, steps) for steps in (1000, 30))
    assert fine < coarse < 1.2 * fine


def test_more_noise_hides_more():
    deltas = [replaced_delta(shape, 0.8, 1, 0.5) for shape in (5.0, 10.0, 20.0, 40.0)]
    assert deltas == sorted(deltas, reverse=True)
    assert replaced_delta(5.0, 0.8, 1, 0.5) >= 0.2**5, "a count of zero tells"


@pytest.mark.parametrize(("shape", "ratio"), [(0.5, 0.9), (1000.0, 0.5), (200.0, 0.99), (1e5, 0.9), (1e-4, 0.5)])
def test_what_is_left_out_is_as_little_as_is_said(shape, ratio):
    first, logs = log_probabilities(shape, ratio)
    assert math.fsum(np.exp(logs)) == pytest.approx(1, abs=1e-9)
    distribution = stats.nbinom(shape, 1 - ratio)
    outside = (distribution.cdf(first - 1) if first else 0.0) + distribution.sf(first + len(logs) - 1)
    assert outside <= 2 * math.exp(-52) * (1 + distribution.std())
    middle = first + len(logs) // 2
    assert logs[len(logs) // 2] == pytest.approx(distribution.logpmf(middle), rel=1e-6)


def test_many_small_moves_are_a_gaussian():
    """Far from the tails the composition of many counts is Gaussian: the central limit, an oracle of another kind."""
    shape, ratio, counts = 4000.0, 0.9, 2 * 50
    sigma = math.sqrt(shape * ratio) / (1 - ratio)
    for epsilon in (0.05, 0.1):
        wanted = gaussian_delta(math.sqrt(counts) / sigma, epsilon)
        assert replaced_delta(shape, ratio, 50, epsilon) == pytest.approx(wanted, rel=0.05)
