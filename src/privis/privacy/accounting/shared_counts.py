"""Privacy of a histogram to which many people add negative binomial counts: exact, by its privacy loss.

One person's items are replaced: ``moved`` counts of the histogram lose one item and ``moved`` others gain one, all
different (where old and new items meet, fewer counts change, which is the same without some of what is seen). Noise is
independent from count to count, so the pair of histograms is the product of ``moved`` pairs (X + 1, X) and as many
(X, X + 1), for X negative binomial with the probabilities f(k); counts that do not change drop out. The privacy losses
are log f(k - 1) / f(k) at X + 1 = k, which is finite, and log f(k) / f(k - 1) at X = k, which is infinite at k = 0:
there an observer sees a count that cannot have been raised. The hockey-stick divergences of both pairs are exact sums;
between points of a grid dp-accounting connects them from above (V. Doroshenko, B. Ghazi, P. Kamath, R. Kumar,
P. Manurangsi, "Connect the Dots", arXiv:2207.04380) and composes them by convolution, so that delta is from above.

Adaptively chosen further histograms with noise of their own compose in the same way (``times``).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

SMALLEST_DELTA = 1e-12
"""Below this the convolution's rounding in double precision shows."""

_LEFT_OUT = -80.0  # natural logarithm of probabilities beyond which values are left out, and counted as lost
_LARGEST_EPSILON = 200.0


def log_probabilities(shape: float, ratio: float) -> npt.NDArray[np.float64]:
    """Natural logarithms of f(0), f(1), ... of the negative binomial distribution, as far as they exceed exp(-80).

    >>> np.exp(log_probabilities(1.0, 0.5)[:3]).round(6).tolist()
    [0.5, 0.25, 0.125]
    """
    from scipy.special import gammaln

    mean = shape * ratio / (1 - ratio)
    last = math.ceil(mean + 200 + 100 * (math.sqrt(mean) + 1) / (1 - ratio))
    counts = np.arange(last + 1.0)
    logs = gammaln(counts + shape) - gammaln(shape) - gammaln(counts + 1)
    logs += shape * math.log1p(-ratio) + counts * math.log(ratio)
    kept: npt.NDArray[np.float64] = logs[: np.flatnonzero(logs > _LEFT_OUT)[-1] + 1]
    return kept


@lru_cache(maxsize=4096)
def replaced_delta(shape: float, ratio: float, moved: int, epsilon: float, times: int = 1, steps: int = 1000) -> float:
    """Smallest delta, from above, for a person whose ``moved`` items are replaced in each of ``times`` histograms.

    The grid has ``steps`` points up to epsilon, and more where many counts are composed: with c counts it adds about
    c (epsilon / steps)**2 / 8 to the mean loss, or epsilon**2 * 3e-6.

    >>> f"{replaced_delta(20.0, 0.8, 1, 1.0):.2e}"
    '3.47e-10'
    """
    from dp_accounting.pld import privacy_loss_distribution as pld
    from dp_accounting.pld.pld_pmf import create_pmf_pessimistic_connect_dots_fixed_gap as connected

    logs = log_probabilities(shape, ratio)
    losses = logs[1:] - logs[:-1]  # log f(k) / f(k - 1), for k = 1, 2, ...
    step = max(epsilon, 1e-3) / max(steps, round(0.2 * steps * math.sqrt(2 * moved * times)))
    reach = math.ceil(np.abs(losses).max() / step) + 1
    grid = step * np.arange(-reach, reach + 1.0)
    masses = np.exp(logs)
    more = _hockey_stick(-losses, masses[:-1], float(masses[-1]), grid)  # X + 1 against X; the last is cut off
    less = _hockey_stick(losses, masses[1:], float(masses[0]), grid)  # X against X + 1
    parts = [pld.PrivacyLossDistribution(connected(step, -reach, reach, deltas)) for deltas in (more, less)]
    one = parts[0].compose(parts[1])
    total = one if moved * times == 1 else one.self_compose(moved * times)
    missing = abs(1 - math.fsum(masses))  # beyond the last value, and what rounding of all took or added
    lost = 2 * moved * times * missing * (1 + math.exp(min(epsilon, _LARGEST_EPSILON)))
    return min(1.0, float(total.get_delta_for_epsilon(epsilon)) + lost)


def _hockey_stick(
    losses: npt.NDArray[np.float64], masses: npt.NDArray[np.float64], infinite: float, grid: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Divergences at epsilons of the grid: sums over larger losses, of which ``infinite`` has some probability."""
    order = np.argsort(losses)
    ordered, held = losses[order], masses[order]
    above = np.append(np.cumsum(held[::-1])[::-1], 0.0)
    other = np.append(np.cumsum((held * np.exp(-ordered))[::-1])[::-1], 0.0)
    start = np.searchsorted(ordered, grid, side="right")
    values = infinite + np.maximum(above[start] - np.exp(grid) * other[start], 0.0)
    decreasing: npt.NDArray[np.float64] = np.minimum.accumulate(np.clip(values, 0.0, 1.0))
    return decreasing
