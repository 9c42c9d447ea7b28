"""Attribute inference: what released vectors tell of an attribute that nobody asked for.

The attacker has public pictures whose attribute is known, computes the same feature of them, and releases them under
the same mechanism with keys of its own, several times each, so that what is learned fits rows with noise. It learns a
ridge regression of the classes, whose strength is chosen on public pictures that were left out, and names the
attribute of every attacked row. What it is measured against is the majority: a constant guess needs no release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

FOLDS = 5
STRENGTHS = tuple(10.0**power for power in range(-4, 4))
"""Of the ridge, in units of the mean squared length of a row."""

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class AttributeGuesses:
    """What the attacker called every row, and what it is.

    Args:
        called: by row.
        true: by row.
        strength: of the ridge that was chosen.
        expected: share of right guesses on public pictures that were left out.
    """

    called: tuple[str, ...] = field(repr=False)
    true: tuple[str, ...] = field(repr=False)
    strength: float
    expected: float

    @property
    def hits(self) -> int:
        """Rows whose attribute was named."""
        return sum(one == other for one, other in zip(self.called, self.true, strict=True))

    @property
    def chance(self) -> float:
        """What the best constant guess gets of these very rows."""
        return max(self.true.count(name) for name in set(self.true)) / len(self.true)


def infer_attribute(
    public: Vectors, labels: Sequence[str], pictures: Sequence[int], rows: Vectors, true: Sequence[str], seed: int = 0
) -> AttributeGuesses:
    """Learn an attribute of public rows, and name it of others.

    Args:
        public: (n, components) rows of public pictures, released like the attacked ones.
        labels: attribute of each.
        pictures: number of the picture of each: rows of one picture are left out together.
        rows: (m, components) attacked rows.
        true: attribute of each attacked row, for the count of hits alone.
        seed: of the folds.

    Returns:
        The guesses.

    Raises:
        ParameterError: rows of other lengths, one attribute alone, or too few pictures.

    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(40, 3)) + np.repeat([[0.0], [3.0]], 20, axis=0)
    >>> labels = ["old"] * 20 + ["young"] * 20
    >>> infer_attribute(rows[::2], labels[::2], range(20), rows[1::2], labels[1::2]).hits
    20
    """
    given, attacked = np.asarray(public, np.float64), np.asarray(rows, np.float64)
    groups = np.asarray(pictures)
    problems = []
    if given.ndim != 2 or attacked.ndim != 2 or given.shape[1] != attacked.shape[1]:
        got, expected = f"public rows {given.shape}, attacked rows {attacked.shape}", "rows of one length"
        problems.append(Problem("infer_attribute", got, expected, "compute the same feature at the same size"))
    if len(labels) != len(given) or len(groups) != len(given) or len(true) != len(attacked) or not len(true):
        got = f"{len(labels)} labels for {len(given)} rows, {len(true)} for {len(attacked)}"
        problems.append(Problem("infer_attribute", got, "an attribute for each row, and at least one row"))
    elif len(set(labels)) < 2 or len(np.unique(groups)) < FOLDS:
        got = f"{len(np.unique(groups))} public pictures with {len(set(labels))} attributes"
        problems.append(Problem("infer_attribute", got, f"at least {FOLDS}, with two attributes or more"))
    refuse(ParameterError, problems)
    classes = sorted(set(labels))
    wanted = np.array([classes.index(label) for label in labels])
    middle, spread = given.mean(0), given.std(0)
    spread[spread == 0] = 1.0
    given, attacked = (given - middle) / spread, (attacked - middle) / spread
    right = np.zeros(len(STRENGTHS))
    _, numbers = np.unique(groups, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(numbers.max() + 1)[numbers] % FOLDS
    for fold in range(FOLDS):
        left = folds == fold
        scores = _ridge(given[~left], wanted[~left], len(classes), given[left])
        right += (scores.argmax(2) == wanted[left]).sum(1)
    best = len(right) - 1 - int(np.argmax(right[::-1]))  # of equal ones the smoothest
    scores = _ridge(given, wanted, len(classes), attacked)[best]
    called = tuple(classes[number] for number in scores.argmax(1))
    return AttributeGuesses(called, tuple(true), STRENGTHS[best], float(right[best] / len(given)))


def _ridge(rows: Floats, wanted: npt.NDArray[np.int64], classes: int, asked: Floats) -> Floats:
    """Scores of ``asked`` for every strength, (strengths, rows, classes); in dual form, with an intercept."""
    middle = rows.mean(0)
    rows, asked = rows - middle, asked - middle
    targets = np.eye(classes)[wanted]
    prior = targets.mean(0)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    turned, across = vectors.T @ (targets - prior), asked @ (rows.T @ vectors)
    unit = max(float(values.sum()) / len(rows), 1e-300)
    return np.stack(
        [across @ (turned / (np.maximum(values, 0.0) + strength * unit)[:, None]) + prior for strength in STRENGTHS]
    )
