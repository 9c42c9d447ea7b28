"""Epsilon by Renyi divergences: looser than privacy loss distributions, and finite at every delta.

Renyi divergences add up over adaptive releases at every order (Mironov, arXiv:1702.07476); back to (epsilon, delta) by
proposition 12 of Canonne, Kamath and Steinke, arXiv:2004.00010.

The sum over a Poisson sample with Gaussian noise of which one member was replaced: whether that member is drawn, with
probability q, is the same in both corpora. So the two laws are mixtures with equal weights, of equal laws and of two
Gaussians 2 / multiplier standard deviations apart. exp((a - 1) D_a) is jointly convex (van Erven and Harremoes,
arXiv:1206.2459, theorem 13 and before), hence at most 1 - q + q exp((a - 1) a (2 / multiplier)^2 / 2).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ORDERS = np.concatenate([1 + np.arange(1, 100) / 10, np.arange(11.0, 64.0), 2.0 ** np.arange(6, 15)])
"""Orders of the Renyi divergences."""


def replaced_divergences(multiplier: float, sampling: float) -> Array:
    """Bounds of the Renyi divergences, at `ORDERS`, of one noisy sum in which one member was replaced.

    Args:
        multiplier: standard deviation of the noise over what one member adds at most.
        sampling: probability that a member is in the sample, above 0 and at most 1.

    >>> bool(np.allclose(replaced_divergences(2.0, 1.0), ORDERS / 2))  # two Gaussians one deviation apart
    True
    """
    grown = (ORDERS - 1) * ORDERS * (2 / multiplier) ** 2 / 2
    drawn = math.log(sampling) + grown
    return (drawn if sampling >= 1 else np.logaddexp(math.log1p(-sampling), drawn)) / (ORDERS - 1)


def renyi_epsilon(divergences: Array, delta: float) -> float:
    """Epsilon at ``delta`` of a law with these divergences at `ORDERS`, from above.

    Args:
        divergences: of all releases together.
        delta: above 0 and below 1.

    >>> round(renyi_epsilon(ORDERS / 2, 1e-5), 2)  # of the Gaussian mechanism with ratio 1, which has 4.38
    4.73
    """
    epsilons = divergences + np.log1p(-1 / ORDERS) - (math.log(delta) + np.log(ORDERS)) / (ORDERS - 1)
    return max(0.0, float(epsilons.min()))
