"""How like two released vectors are, as an attacker compares them who knows what noise they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST_AXES = 256
_MOST_CORRELATION = 1 - 1e-6


class Likeness(Protocol):
    """Scores of all pairs of rows, higher for pairs that belong together."""

    @property
    def name(self) -> str:
        """In the words of a report."""
        ...

    def scores(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Floats:
        """Compare every row of one table with every row of the other.

        Args:
            first: (n, d) released vectors.
            second: (m, d) released vectors.

        Returns:
            (n, m) scores.
        """
        ...


@dataclass(frozen=True, eq=False)
class Cosine:
    """Angle between vectors, after a centre is taken off: the best test for noise on directions alone.

    A direction's noise depends on the angle only, and the chance that two releases share their direction falls with the
    angle between them, whatever the direction was.

    Args:
        centre: (d,) mean of public vectors; None: nothing is taken off.

    >>> Cosine().scores(np.eye(2), np.array([[0.0, 2.0]])).tolist()
    [[0.0], [1.0]]
    """

    centre: Floats | None = None

    @property
    def name(self) -> str:
        """In the words of a report."""
        return "cosine" if self.centre is None else "cosine from the public mean"

    def scores(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Floats:
        """Give cosines, (n, m); a vector of zeros is like none."""
        one, other = (
            _unit(np.asarray(x, np.float64) - (0 if self.centre is None else self.centre)) for x in (first, second)
        )
        return np.asarray(one @ other.T)


@dataclass(frozen=True)
class Nearness:
    """Distance with its sign turned: what Laplace (L1) or Gaussian noise (L2) of two releases adds up to.

    Args:
        norm: "L1" or "L2".

    >>> Nearness("L1").scores(np.zeros((1, 2)), np.array([[3.0, 4.0]])).tolist()
    [[-7.0]]
    """

    norm: Literal["L1", "L2"] = "L2"

    @property
    def name(self) -> str:
        """In the words of a report."""
        return f"{self.norm} distance"

    def scores(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Floats:
        """Give distances below zero, (n, m)."""
        from scipy.spatial.distance import cdist

        metric = "cityblock" if self.norm == "L1" else "euclidean"
        one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
        return np.asarray(-cdist(one, other, metric))


@dataclass(frozen=True, eq=False)
class LikelihoodRatio:
    """Likelihood ratio of "of one person" against "of two people" for normal vectors with noise on each.

    On every axis a release has variance 1, and two that belong together have the axis's correlation. Reference: Ioffe,
    "Probabilistic linear discriminant analysis", 2006, doi:10.1007/11744085_41.

    Args:
        mean: (d,) of releases.
        axes: (d, k) takes a vector from which the mean is taken off to k axes with variance 1.
        correlations: (k,) of two releases that belong together, in [0, 1).
    """

    mean: Floats
    axes: Floats
    correlations: Floats

    @property
    def name(self) -> str:
        """In the words of a report."""
        return f"likelihood ratio on {len(self.correlations)} axes"

    @classmethod
    def fitted(
        cls, clear: npt.NDArray[Any], released: npt.NDArray[Any], people: npt.NDArray[Any] | None
    ) -> LikelihoodRatio:
        """Learn axes and correlations from public vectors and a release of them.

        Args:
            clear: (n, d) exact public vectors.
            released: (n, d) the same, released.
            people: (n,) whose each is, to link pictures of one person; None: to link releases of one picture.

        Returns:
            The ratio for rows that are released in the same way.
        """
        exact, noisy = np.asarray(clear, np.float64), np.asarray(released, np.float64)
        centred, mean = exact - exact.mean(0), noisy.mean(0)
        gain = float((centred * (noisy - mean)).sum() / max((centred**2).sum(), 1e-300))
        noise = float(((noisy - mean - gain * centred) ** 2).mean())
        _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
        kept = min(MOST_AXES, int((lengths > 1e-9 * max(lengths[0], 1e-300)).sum()))
        basis = directions[:kept].T
        inside = gain * centred @ basis
        total = _covariance(inside) + noise * np.eye(kept)
        shared = _covariance(inside) if people is None else _between(inside, people)
        widths, turned = np.linalg.eigh(total)
        whiten = turned / np.sqrt(np.maximum(widths, 1e-12 * max(widths[-1], 1e-300)))
        correlations, rotated = np.linalg.eigh(whiten.T @ shared @ whiten)
        return cls(mean, basis @ whiten @ rotated, np.clip(correlations, 0, _MOST_CORRELATION))

    def scores(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Floats:
        """Give logarithms of the ratio, (n, m), up to a constant."""
        one, other = ((np.asarray(x, np.float64) - self.mean) @ self.axes for x in (first, second))
        crossed = self.correlations / (1 - self.correlations**2)
        own = self.correlations * crossed / 2
        return np.asarray((one * crossed) @ other.T - ((one**2) @ own)[:, None] - ((other**2) @ own)[None])


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300))


def _covariance(rows: Floats) -> Floats:
    return np.asarray(rows.T @ rows / max(len(rows) - 1, 1))


def _between(rows: Floats, people: npt.NDArray[Any]) -> Floats:
    """Covariance of people: of all rows less that within a person."""
    _, whose = np.unique(np.asarray(people), return_inverse=True)
    counts = np.bincount(whose)
    means = np.stack([np.bincount(whose, column) / counts for column in rows.T], 1)
    inside = rows - means[whose]
    within = inside.T @ inside / max(len(rows) - len(counts), 1)
    widths, turned = np.linalg.eigh(_covariance(rows) - within)
    return np.asarray((turned * np.maximum(widths, 0)) @ turned.T)
