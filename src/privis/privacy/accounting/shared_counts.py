"""Privacy of a histogram to which many people add negative binomial counts: exact, by its privacy loss.

One person's items are replaced: ``moved`` counts of the histogram lose one item and ``moved`` others gain one, all
different (where old and new items meet, fewer counts change, which is the same without some of what is seen). Noise is
independent from count to count, so the pair of histograms is the product of ``moved`` pairs (X + 1, X) and as many
(X, X + 1), for X negative binomial with the probabilities f(k); counts that do not change drop out. The privacy losses
are log f(k - 1) / f(k) at X + 1 = k, which is finite, and log f(k) / f(k - 1) at X = k, which is infinite at k = 0:
there an observer sees a count that cannot have been raised. Both are computed from the quotient of neighbouring
probabilities, not from the probabilities, whose rounding then changes delta in proportion only. The hockey-stick
divergences of both pairs are exact sums; between points of a grid dp-accounting connects them from above
(V. Doroshenko, B. Ghazi, P. Kamath, R. Kumar, P. Manurangsi, "Connect the Dots", arXiv:2207.04380) and composes them by
convolution, so that delta is from above.

Adaptively chosen further histograms with noise of their own compose in the same way (``times``).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

SMALLEST_DELTA = 1e-12
"""Below this the convolution's rounding in double precision shows."""

_LEFT_OUT = -52.0  # natural logarithm of probabilities that are left out, and counted as lost
_ROUNDING = 1e-9  # relative, of a probability: with exact losses, delta is off by no more for each count


def log_probabilities(shape: float, ratio: float) -> tuple[int, npt.NDArray[np.float64]]:
    """The negative binomial distribution where it exceeds exp(-52): first count, natural logarithms from there on.

    What is beyond on each side has at most a probability of exp(-52) times the standard deviation.

    >>> first, logs = log_probabilities(1.0, 0.5)
    >>> first, np.exp(logs[:3]).round(6).tolist()
    (0, [0.5, 0.25, 0.125])
    """
    from scipy.special import gammaln

    mean = shape * ratio / (1 - ratio)
    width = 12 * math.sqrt(mean / (1 - ratio))
    last = mean + width - 60 / math.log(ratio) + 10
    while True:
        counts = np.arange(max(0, math.floor(mean - width)), math.ceil(last) + 1.0)
        logs = gammaln(counts + shape) - gammaln(shape) - gammaln(counts + 1)
        logs += shape * math.log1p(-ratio) + counts * math.log(ratio)
        if logs[-1] <= _LEFT_OUT:
            break
        last *= 2
    kept = np.flatnonzero(logs > _LEFT_OUT)
    return int(counts[kept[0]]), logs[kept[0] : kept[-1] + 1]


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

    first, logs = log_probabilities(shape, ratio)
    masses = np.exp(logs)
    masses /= math.fsum(masses)
    counts = first + np.arange(1.0, len(masses))
    losses = math.log(ratio) + np.log((counts - 1 + shape) / counts)  # log f(k) / f(k - 1)
    changed = 2 * moved * times
    step = max(epsilon, 1e-3) / max(steps, round(0.2 * steps * math.sqrt(changed)))
    reach = math.ceil(np.abs(losses).max(initial=step) / step) + 1
    grid = step * np.arange(-reach, reach + 1.0)
    beyond = 2 * math.exp(_LEFT_OUT) * (1 + math.sqrt(shape * ratio) / (1 - ratio))
    more = _hockey_stick(-losses, masses[:-1], float(masses[-1]) + beyond, grid)  # X + 1 against X
    less = _hockey_stick(losses, masses[1:], float(masses[0]) + beyond, grid)  # X against X + 1
    parts = [pld.PrivacyLossDistribution(connected(step, -reach, reach, deltas)) for deltas in (more, less)]
    one = parts[0].compose(parts[1])
    total = one if moved * times == 1 else one.self_compose(moved * times)
    return min(1.0, float(total.get_delta_for_epsilon(epsilon)) * (1 + changed * _ROUNDING))


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
