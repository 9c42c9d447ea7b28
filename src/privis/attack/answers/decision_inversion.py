"""Templates from accept and reject alone: every answer cuts what the template may still be by a plane.

Who knows the threshold knows the plane of each query: ``query · template >= threshold``. The attacker keeps a normal
distribution of the template, updates it by each answer with the moments of a distribution that is cut by that plane
(assumed density filtering), and asks next what is accepted with a probability of one half, along the direction in which
it knows least. That is near what bits can tell, and needs far fewer answers than steps along the boundary as of
HopSkipJump (arXiv:1904.02144), which knows no threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from privis.attack.answers.template_prior import Array, TemplatePrior, unit_rows

_POWER_STEPS = 6
_HESITATION = 1e-3  # of a cosine: rounding of the comparison, which also keeps the distribution from collapsing


def refined_from_decisions(
    accepts: Callable[[Array], bool],
    start: Array,
    threshold: float,
    prior: TemplatePrior,
    answers: int,
    seed: int = 0,
) -> Iterator[Array]:
    """Come nearer to a template by answers, from a vector that was accepted.

    Args:
        accepts: the oracle: whether a unit vector is accepted. What it raises ends the attack.
        start: (components,) a vector that was accepted.
        threshold: smallest cosine that is accepted.
        prior: what is known of templates.
        answers: to ask for.
        seed: of the directions.

    Yields:
        (components,) the estimate after each answer, of length 1.

    >>> template = unit_rows(np.random.default_rng(1).normal(size=32))
    >>> begun = unit_rows(template + unit_rows(np.random.default_rng(2).normal(size=32)))
    >>> nothing = TemplatePrior.isotropic(32)
    >>> *_, found = refined_from_decisions(lambda query: query @ template >= 0.3, begun, 0.3, nothing, 120)
    >>> bool(found @ template > 0.9)
    True
    """
    random = np.random.default_rng(seed)
    mean, covariance = prior.mean.copy(), prior.covariance.copy()
    mean, covariance = _cut(mean, covariance, unit_rows(start), threshold, True)
    for _ in range(answers):
        query = _halving(mean, covariance, threshold, random)
        mean, covariance = _cut(mean, covariance, query, threshold, accepts(query))
        yield unit_rows(mean)


def _halving(mean: Array, covariance: Array, threshold: float, random: np.random.Generator) -> Array:
    """A query that is accepted with probability 1/2, along the direction of the largest variance beside the mean."""
    centre = unit_rows(mean)
    along = min(threshold / float(np.linalg.norm(mean)), 1 - 1e-9)
    beside = random.standard_normal(mean.size)
    for _ in range(_POWER_STEPS):
        beside -= (beside @ centre) * centre
        beside = unit_rows(covariance @ beside)
    beside = unit_rows(beside - (beside @ centre) * centre)
    query: Array = along * centre + np.sqrt(1 - along**2) * beside
    return query


def _cut(mean: Array, covariance: Array, query: Array, threshold: float, accepted: bool) -> tuple[Array, Array]:
    """Mean and covariance of a normal distribution that is cut by the plane of an answer."""
    from scipy.special import log_ndtr

    sign = 1.0 if accepted else -1.0
    shared = covariance @ query
    deviation = float(np.sqrt(max(query @ shared, 0.0) + _HESITATION**2))
    at = (float(query @ mean) - threshold) / deviation
    # phi / Phi through the logarithm: an answer that was thought impossible moves the mean by a finite length
    ratio = float(np.exp(-0.5 * at * at - 0.5 * np.log(2 * np.pi) - log_ndtr(sign * at)))
    pull = sign * ratio / deviation
    return mean + pull * shared, covariance - pull * (pull + at / deviation) * np.outer(shared, shared)
