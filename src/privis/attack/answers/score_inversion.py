"""Templates from scores: every score of a known query is a linear equation about the template."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privis.attack.answers.template_prior import Array, TemplatePrior, unit_rows


def score_queries(prior: TemplatePrior, count: int) -> Array:
    """Give the queries whose scores tell most of a template: the directions in which templates differ most.

    Args:
        prior: what is known of templates.
        count: queries, at most as many as components.

    Returns:
        (count, components) orthogonal unit vectors, the most telling first.

    >>> score_queries(TemplatePrior.isotropic(8), 3).shape
    (3, 8)
    """
    _, directions = np.linalg.eigh(prior.covariance + np.outer(prior.mean, prior.mean))
    return np.ascontiguousarray(directions[:, ::-1][:, :count].T)


def template_from_scores(
    queries: npt.ArrayLike, scores: npt.ArrayLike, prior: TemplatePrior, rounding: float = 0.0
) -> Array:
    """Solve for templates from the scores of known queries.

    With as many independent queries as components and exact scores this is the linear system's solution, the template;
    with fewer it is the mean of what the prior leaves, which is least squares where nothing is known beforehand.

    Args:
        queries: (queries, components) unit vectors.
        scores: (queries,) or (queries, templates) cosines with each.
        prior: what is known of templates.
        rounding: step that scores are rounded to, or standard deviation of their noise times 3.5; 0: exact.

    Returns:
        (components,) or (templates, components) unit vectors.

    >>> template = unit_rows(np.arange(1.0, 9))
    >>> found = template_from_scores(np.eye(8), np.eye(8) @ template, TemplatePrior.isotropic(8))
    >>> round(float(found @ template), 6)
    1.0
    """
    asked, answers = np.asarray(queries, np.float64), np.asarray(scores, np.float64)
    shared = asked @ prior.covariance
    noise = (rounding**2 / 12 + 1e-12) * np.eye(len(asked))  # of rounding: uniform in a step
    left = (answers.T - asked @ prior.mean).T
    found = prior.mean + np.linalg.solve(shared @ asked.T + noise, left).T @ shared
    return unit_rows(found)


def expected_cosine(queries: npt.ArrayLike, prior: TemplatePrior) -> float:
    """Reckon how near an estimate from exact scores of these queries is to its template, without the template.

    Args:
        queries: (queries, components) unit vectors.
        prior: what is known of templates.

    Returns:
        The root of the share of a template's length that the scores and the mean tell.

    >>> round(expected_cosine(np.eye(16)[:4], TemplatePrior.isotropic(16)), 3)
    0.5
    """
    asked = np.asarray(queries, np.float64).reshape(-1, prior.components)
    shared = asked @ prior.covariance
    told = np.trace(np.linalg.solve(shared @ asked.T + 1e-12 * np.eye(len(asked)), shared @ shared.T))
    known = float(prior.mean @ prior.mean)
    return float(np.sqrt((known + told) / (known + np.trace(prior.covariance))))
