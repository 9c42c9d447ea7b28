"""What an attacker knows of templates before the first answer: how public ones are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.validation import real_values

Array = NDArray[np.float64]
LEAST_PEOPLE = 3
_HALVINGS = 40
_LEAST_SHARE = 0.02  # of equal variance in all directions, so that no direction is thought impossible


def unit_rows(rows: npt.ArrayLike) -> Array:
    """Scale vectors to length 1.

    Args:
        rows: (..., components), none of them zero.

    Returns:
        Vectors of the same directions.
    """
    given = np.asarray(rows, np.float64)
    return given / np.linalg.norm(given, axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class TemplatePrior:
    """A normal distribution of unit vectors: what an attacker takes a template for.

    Args:
        mean: (components,).
        covariance: (components, components), positive definite.
        public: (templates, components) unit vectors that it was fitted to; none where nothing is known.
    """

    mean: Array = field(repr=False)
    covariance: Array = field(repr=False)
    public: Array = field(repr=False)

    @classmethod
    def isotropic(cls, components: int) -> TemplatePrior:
        """Know nothing: every direction is as likely.

        Args:
            components: of a template, at least 1.

        Returns:
            The distribution.
        """
        return cls(np.zeros(components), np.eye(components) / components, np.zeros((0, components)))

    @classmethod
    def of_public(cls, vectors: npt.ArrayLike, people: Sequence[str]) -> TemplatePrior:
        """Fit public templates, so that two people of the distribution are as similar as two public people.

        A few people span a few directions; the covariance of their templates alone would exclude everybody else. It is
        mixed with equal variance in all directions until the mean square of the cosine of two people is the public one.

        Args:
            vectors: (templates, components), of any length but zero.
            people: whose each is; at least three different ones.

        Returns:
            The distribution.

        Raises:
            ParameterError: too few people, or vectors that have no direction.

        >>> axes = np.vstack([np.eye(4), np.eye(4)[:2]])
        >>> TemplatePrior.of_public(axes, ["ann", "bob", "eve", "joe", "ann", "bob"]).mean.shape
        (4,)
        """
        rows, names = real_values("vectors", vectors), np.asarray(people)
        problems = []
        if rows.ndim != 2 or len(rows) != len(names) or len(np.unique(names)) < LEAST_PEOPLE:
            got = f"shape {rows.shape} of {len(np.unique(names))} people"
            expected = f"(templates, components) of at least {LEAST_PEOPLE} people"
            problems.append(Problem("TemplatePrior.of_public", got, expected, "give more public pictures"))
        elif not (np.linalg.norm(rows, axis=1) > 0).all() or not np.isfinite(rows).all():
            got, expected = "vectors of no length", "vectors that have a direction"
            problems.append(Problem("TemplatePrior.of_public", got, expected))
        refuse(ParameterError, problems)
        rows = unit_rows(rows)
        known, number, counts = np.unique(names, return_inverse=True, return_counts=True)
        cosines = (rows @ rows.T)[number.reshape(-1, 1) != number.reshape(1, -1)]
        weights = 1.0 / counts[number] / len(known)  # every person counts once
        centre = weights @ rows
        similar, length = max(float(cosines.mean()), 0.0), float(np.linalg.norm(centre))
        mean = centre * (np.sqrt(similar) / length if length > 0 else 0.0)
        spread = ((rows - centre) * weights[:, None]).T @ (rows - centre)
        spread *= max(1 - similar, 1e-3) / max(float(np.trace(spread)), 1e-12)
        return cls(mean, _mixed(mean, spread, float((cosines**2).mean())), rows)

    @property
    def components(self) -> int:
        """Of a template."""
        return self.mean.size

    def drawn(self, count: int, random: np.random.Generator) -> Array:
        """Draw templates of people who are nobody of the public ones.

        Args:
            count: how many.
            random: source.

        Returns:
            (count, components) unit vectors.
        """
        noise = random.standard_normal((count, self.components)) @ np.linalg.cholesky(self.covariance).T
        return unit_rows(self.mean + noise)


def _mixed(mean: Array, spread: Array, square: float) -> Array:
    """The covariance with the smallest share of equal variance under which two people are as similar as ``square``."""
    equal = np.eye(mean.size) * np.trace(spread) / mean.size
    low, high = _LEAST_SHARE, 1.0
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        moment = (1 - share) * spread + share * equal + np.outer(mean, mean)
        low, high = (share, high) if float((moment * moment).sum()) > square else (low, share)
    return (1 - high) * spread + high * equal
