"""Guesses that many templates accept: what an attacker tries who knows nobody of a gallery.

A guess that was refused says that the template lies outside of its cap, so the next guess is aimed at what is left:
"master" templates one after another (Nguyen, Yamagishi, Echizen and Marcel, arXiv:2006.08376), chosen greedily.
"""

from __future__ import annotations

import numpy as np

from privis.attack.answers.template_prior import Array, TemplatePrior, unit_rows

_DRAWN, _SAMPLE, _STARTS, _STEPS = 12_000, 3000, 8, 8
_SOFTNESS = 0.03  # of a cosine: how far from the threshold a template still pulls a guess
_LEAST_LEFT = 200
_MIXED = 3  # public templates in a mixture


def acceptance_guesses(prior: TemplatePrior, threshold: float, count: int, seed: int = 0) -> Array:
    """Order guesses by how many templates that no earlier guess reached they reach.

    First caps that together hold most templates of the distribution; then mixtures of public templates, which lie where
    real ones do (templates drawn from the distribution where there are none).

    Args:
        prior: what is known of templates.
        threshold: smallest cosine that is accepted.
        count: guesses.
        seed: of the draws.

    Returns:
        (count, components) unit vectors in the order in which they are tried.

    >>> acceptance_guesses(TemplatePrior.isotropic(16), 0.5, 5).shape
    (5, 16)
    """
    random = np.random.default_rng((seed, 1))  # no stream that a caller draws templates from
    known = len(prior.public) > 0  # where nothing is known, no cap holds more than another
    left = prior.drawn(_DRAWN if known else 0, random).astype(np.float32)
    chosen: list[Array] = []
    while len(chosen) < count and len(left) >= _LEAST_LEFT:
        sample = left[random.choice(len(left), min(_SAMPLE, len(left)), replace=False)]
        guess = _best_cap(sample, threshold)
        inside = left @ guess >= threshold
        if inside.mean() * _DRAWN < 2 * len(chosen) / count or inside.sum() < 2:
            break  # a cap around one draw alone is no better than a draw
        chosen.append(guess.astype(np.float64))
        left = left[~inside]
    more = count - len(chosen)
    if known:
        parts = random.integers(len(prior.public), size=(more, _MIXED))
        weights = random.dirichlet([0.7] * _MIXED, more)
        rest = unit_rows(np.einsum("nk,nkd->nd", weights, prior.public[parts]))
    else:
        rest = prior.drawn(more, random)
    return np.vstack([np.array(chosen).reshape(-1, prior.components), rest])


def _best_cap(sample: Array, threshold: float) -> Array:
    """The cap that holds most of a sample, by mean shift from its mean and from some of its templates."""
    guesses = unit_rows(np.vstack([sample.mean(0, keepdims=True), sample[:_STARTS]])).astype(np.float32)
    for _ in range(_STEPS):
        inside = 1 / (1 + np.exp(np.clip((threshold - guesses @ sample.T) / _SOFTNESS, -30, 30)))
        guesses = unit_rows(1e-3 * guesses + (inside * (1 - inside)) @ sample).astype(np.float32)
    best: Array = guesses[np.argmax((guesses @ sample.T >= threshold).sum(1))]
    return best
