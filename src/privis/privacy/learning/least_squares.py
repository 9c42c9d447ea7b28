"""A linear classifier by least squares on noisy second moments: one release, no steps, no rates.

Rows x are those of `privis.privacy.learning.clipped_gradients.IntegerRows`, of squared length at most R2. The upper
triangle of x x' and w x for the row's class, w being the root of R2 cut to an integer, are added up in one vector,
whose squared length for one row is at most R2**2 + w**2 R2 <= 2 R2**2. Everything is integer arithmetic; products run
in single precision over `BLOCK` rows, where they are exact. The weights solve the noisy normal equations with a ridge
of about the noise's size. Reference: Mehta, Krichene, Thakurta, Kurakin and Cutkosky, "Differentially private image
classification from features", 2023, arXiv:2211.13403.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.identity import identity
from privis.privacy.guarantee import Guarantee
from privis.privacy.learning.clipped_gradients import Floats, IntegerRows, Integers, bias_value, row_squared
from privis.privacy.learning.moments import corpus_guarantee
from privis.privacy.learning.subsampling import (
    CorpusUnit,
    Neighbours,
    NoisySums,
    check_sampling,
    epsilon_of,
    least_multiplier,
    noisy_sums,
)
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.units import WholeImage
from privis.validation import keep_whole, positive_number, whole_number

BLOCK = 1024
"""Rows of one exact product: 1024 * 127 * 127 < 2**24."""


@dataclass(frozen=True)
class LeastSquaresTraining:
    """All that decides a private training by least squares.

    Time grows with the square of the components.

    Args:
        classes: at least 2.
        components: of a vector.
        size: public number of members; under `Dataset` and `Person` it may be a guess.
        noise: what the whole training may cost.
        unit: what is hidden: WholeImage(), Dataset() or Person(k).
        ridge: in units of the largest eigenvalue that noise alone would have.

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy.units import Dataset
    >>> plan = LeastSquaresTraining(10, 144, 60000, Gaussian(0.5, 1e-5), Dataset())
    >>> plan.guarantee.epsilon <= 0.5
    True
    """

    identifier: ClassVar[str] = "privis.least-squares-training/1"

    classes: int
    components: int
    size: int
    noise: Gaussian
    unit: CorpusUnit = field(default_factory=WholeImage)
    ridge: float = 0.2

    def __post_init__(self) -> None:
        problems = whole_number("LeastSquaresTraining.components", self.components)
        problems += whole_number("LeastSquaresTraining.size", self.size)
        if whole_number("classes", self.classes) or self.classes < 2:
            problems.append(Problem("LeastSquaresTraining.classes", repr(self.classes), "an integer of at least 2"))
        problems += positive_number("LeastSquaresTraining.ridge", self.ridge)
        if not isinstance(self.noise, Gaussian):
            problems.append(Problem("LeastSquaresTraining.noise", repr(self.noise), "Gaussian(epsilon, delta)"))
        if not isinstance(self.unit, CorpusUnit):
            expected = "WholeImage(), Dataset(), Person(images) or AddOrRemovePerson(images)"
            problems.append(Problem("LeastSquaresTraining.unit", repr(self.unit), expected))
        refuse(ParameterError, problems)
        keep_whole(self, "classes", "components", "size")

    @property
    def squared(self) -> int:
        """Square of what one member adds at most, in grid steps."""
        return 2 * row_squared(self.components) ** 2

    @property
    def numbers(self) -> int:
        """How many numbers are released, each with noise."""
        columns = self.components + 1
        return columns * (columns + 1) // 2 + columns * self.classes

    @cached_property
    def scale(self) -> float:
        """Standard deviation of the noise, in grid steps."""
        multiplier = least_multiplier(_once, self.noise.epsilon, self.noise.delta, Neighbours.of(self.unit))
        return math.nextafter(multiplier * math.sqrt(self.squared) * (1 + 2**-50), math.inf)

    @cached_property
    def guarantee(self) -> Guarantee:
        """What the weights guarantee; computed without looking at any vector."""
        return self.guarantee_at(self.scale)

    def guarantee_at(self, scale: float) -> Guarantee:
        """State what it would guarantee with noise of another scale.

        Args:
            scale: standard deviation of the noise, in grid steps.

        Returns:
            The guarantee.
        """
        sums = _once(scale / math.sqrt(self.squared))
        relations = (Neighbours.of(self.unit), Neighbours.REPLACED)
        epsilon, whole = (epsilon_of(sums, self.noise.delta, relation) for relation in relations)
        check_sampling(self.numbers, whole, self.noise.delta)
        reason = "rows have a bounded integer length; their products are in one vector"
        distance = relations[0].parts * math.sqrt(self.squared)
        return corpus_guarantee(self.unit, Gaussian.name, scale, 1.0, reason, epsilon, whole, self.noise, distance)

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything that decides what is released."""
        return identity(self)

    def weights(self, rows: IntegerRows, labels: Integers, shares: Integers, stream: NoiseStream) -> Floats:
        """Release the weights of a classifier of vectors of length 1; one release, to be charged once.

        Args:
            rows: vectors on the grid, integers (rows, components).
            labels: class of every row, integers (rows,).
            shares: rows of every row's member, integers (rows,).
            stream: that the noise is drawn from.

        Returns:
            Weights, float64 (classes, components + 1), the last column the biases.
        """
        weight = math.isqrt(row_squared(self.components))
        square, cross = _sums(rows, labels, shares, self.classes, weight)
        columns = self.components + 1
        upper = np.triu_indices(columns)
        exact = np.concatenate([square[upper], cross.ravel()])
        noisy = noisy_sums(self.noise, self.scale, stream, exact)
        square = np.zeros((columns, columns))
        square[upper] = noisy[: len(upper[0])]
        square += np.triu(square, 1).T
        cross = noisy[len(upper[0]) :].reshape(columns, self.classes) / weight
        ridge = self.ridge * 2 * self.scale * math.sqrt(columns)
        values, vectors = np.linalg.eigh(square)
        solved = vectors @ ((vectors.T @ cross) / (np.maximum(values, 0.0) + ridge)[:, None])
        made = solved.T.copy()
        made[:, -1] *= bias_value(self.components)
        return made / np.abs(made).max()


def _sums(
    rows: IntegerRows, labels: Integers, shares: Integers, classes: int, weight: int
) -> tuple[Integers, Integers]:
    """Sums of x x', int64 (columns, columns), and of ``weight`` x per class, (columns, classes)."""
    columns = rows.values.shape[1]
    square, cross = np.zeros((columns, columns), np.int64), np.zeros((columns, classes), np.int64)
    for share in np.unique(shares):
        chosen = np.flatnonzero(shares == share)
        block = BLOCK if share == 1 else 1  # a share of a product is cut towards zero, row by row
        for start in range(0, len(chosen), block):
            part = chosen[start : start + block]
            x = rows.values[part].astype(np.float32)
            y = np.eye(classes, dtype=np.float32)[labels[part]]
            square += np.trunc((x.T @ x).astype(np.float64) / share).astype(np.int64)
            cross += np.trunc(weight * (x.T @ y).astype(np.float64) / share).astype(np.int64)
    return square, cross


def _once(multiplier: float) -> tuple[NoisySums, ...]:
    return (NoisySums(multiplier),)
