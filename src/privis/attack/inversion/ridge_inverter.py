"""Ridge regression from features to pictures, in dual form: the cheapest inverter, and the start of the others.

An attacker who has the program and pictures of other people learns the linear map from their features to their pixels.
With n pictures and d components, one n x n matrix is all that is solved; the map from d numbers to pixels never exists.
Reference: Hoerl and Kennard, 1970, doi:10.1080/00401706.1970.10488634; in dual form: Saunders et al., 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse

PENALTIES = tuple(10.0**power for power in range(-4, 4))
"""Penalties that are tried, in squared standard deviations of a whole row over the number of its components."""
FOLDS = 5


@dataclass(frozen=True, eq=False)
class RidgeInverter:
    """A linear map from features to pictures, learned from other people's. Made by `fit`.

    Args:
        mean: (d,) of the features it learned from.
        spread: (d,) what every component is divided by.
        rows: (n, d) the standardised features it learned from.
        weights: (n, pixels) what every row counts.
        offset: (pixels,) the mean picture.
        shape: (height, width) of the pictures.
        penalty: chosen on the pictures it learned from, alone.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    rows: NDArray[np.float64]
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    shape: tuple[int, int]
    penalty: float

    @classmethod
    def fit(
        cls,
        features: NDArray[np.floating[Any]],
        pictures: NDArray[np.uint8],
        people: Sequence[str] | None = None,
        penalties: Sequence[float] = PENALTIES,
    ) -> RidgeInverter:
        """Learn from pictures whose features are known; the penalty is the best of those tried on left-out people.

        Args:
            features: (n, d) of the attacker's own pictures, released as the attacked rows are.
            pictures: (n, height, width) grey, uint8.
            people: whose each picture is: one person is left out whole; None: each picture is another person.
            penalties: that are tried.

        Returns:
            The inverter.

        Raises:
            ParameterError: fewer than two people, or arrays that do not fit.

        >>> random = np.random.default_rng(0)
        >>> pictures = random.integers(0, 256, (40, 4, 4)).astype(np.uint8)
        >>> exact = pictures.reshape(40, 16) @ random.normal(size=(16, 20))
        >>> inverter = RidgeInverter.fit(exact[:30], pictures[:30])
        >>> bool(np.abs(inverter(exact[30:]) - pictures[30:]).max() < 9)
        True
        """
        groups = np.unique(list(people) if people is not None else np.arange(len(features)), return_inverse=True)[1]
        problems = []
        if features.ndim != 2 or pictures.ndim != 3 or not len(features) == len(pictures) == len(groups):
            got = f"features {features.shape}, pictures {pictures.shape}, {len(groups)} names"
            problems.append(Problem("RidgeInverter.fit", got, "(n, d), (n, height, width), and n names"))
        elif groups.max(initial=-1) < 1:
            problems.append(Problem("people", "one at most", "pictures of at least two people to learn from"))
        refuse(ParameterError, problems)
        a = features.astype(np.float64)
        mean, spread = a.mean(0), a.std(0)
        spread = (spread + 1e-6 * (spread.mean() + 1e-12)) * np.sqrt(a.shape[1])
        rows = (a - mean) / spread
        pixels = pictures.reshape(len(pictures), -1) / 255.0
        gram = rows @ rows.T
        penalty = _best(gram, pixels, groups, penalties)
        offset = pixels.mean(0)
        weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), pixels - offset)
        height, width = pictures.shape[1:]
        return cls(mean, spread, rows, weights, offset, (int(height), int(width)), penalty)

    def __call__(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Make a picture of every row.

        Args:
            features: (m, d) attacked rows.

        Returns:
            (m, height, width) grey levels from 0 to 255, not rounded.

        Raises:
            ParameterError: rows of another length.
        """
        if features.ndim != 2 or features.shape[1] != self.rows.shape[1]:
            expected = f"rows of {self.rows.shape[1]:,} components, as those it learned from"
            raise ParameterError(Problem("features", f"shape {features.shape}", expected))
        near = ((features - self.mean) / self.spread) @ self.rows.T
        return np.clip(255.0 * (near @ self.weights + self.offset), 0.0, 255.0).reshape(-1, *self.shape)


def _best(
    gram: NDArray[np.float64], pixels: NDArray[np.float64], groups: NDArray[np.intp], penalties: Sequence[float]
) -> float:
    """The penalty with the least squared error over folds of people; one eigendecomposition a fold serves all."""
    errors = np.zeros(len(penalties))
    for fold in range(min(FOLDS, int(groups.max()) + 1)):
        held = groups % FOLDS == fold
        if not held.any() or held.all():
            continue
        kept = ~held
        values, vectors = np.linalg.eigh(gram[np.ix_(kept, kept)])
        offset = pixels[kept].mean(0)
        turned = vectors.T @ (pixels[kept] - offset)
        near = gram[np.ix_(held, kept)] @ vectors
        for place, penalty in enumerate(penalties):
            made = (near / (np.maximum(values, 0) + penalty)) @ turned + offset
            errors[place] += ((np.clip(made, 0, 1) - pixels[held]) ** 2).sum()
    return float(penalties[int(errors.argmin())])
