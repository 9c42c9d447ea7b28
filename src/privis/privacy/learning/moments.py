"""Statistics of a private corpus beyond sums and means: second moments for principal components, k-means centres.

Rows are clipped to a public length and put on an integer grid of `STEPS` steps per clip, cut towards zero, so that sums
are exact and no row is longer than `STEPS` (`integer_rows`). A member is an image, or a person, whose n rows count a
share of 1 / n each, cut towards zero again: a member adds no more than one row could.

Sums and means are `privis.privacy.releases.corpus.SumRelease` and `MeanRelease`; a histogram of classes is a
`CorpusHistogramRelease` (`class_histogram`); means and deviations for features that learn better standardised belong to
the training that uses them (`privis.privacy.learning.logistic_regression`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.guarantee import CORPUS, UNIT_NAMES, Guarantee
from privis.privacy.learning.clipped_gradients import ROWS, Floats, Integers, check_vectors
from privis.privacy.learning.subsampling import (
    CorpusUnit,
    Neighbours,
    NoisySums,
    check_sampling,
    epsilon_of,
    least_multiplier,
    noisy_sums,
)
from privis.privacy.mechanisms.additive import Gaussian, Noise
from privis.privacy.releases.corpus import CorpusHistogramRelease
from privis.privacy.releases.noise import draw_noise
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.units import Person, WholeImage
from privis.validation import keep_whole, positive_number, whole_number

STEPS = 4096
"""Length of a clipped row, in grid steps."""
_COUNT = STEPS // 2  # what a row adds to its cluster's count


def integer_rows(vectors: npt.NDArray[np.floating], clip: float) -> Integers:
    """Clip rows to length ``clip`` and put them on the grid: int64, no row longer than `STEPS`.

    Raises ``ParameterError`` unless they are a matrix of finite numbers.

    >>> integer_rows(np.array([[3.0, 4.0], [0.3, 0.4]]), 1.0).tolist()
    [[2457, 3276], [1228, 1638]]
    """
    check_vectors("vectors", vectors)
    reals = np.asarray(vectors, np.float64)
    peak = np.maximum(np.abs(reals).max(1, keepdims=True), 1e-300)
    with np.errstate(over="ignore"):  # a row longer than any double becomes zero
        length = peak * np.sqrt(((reals / peak) ** 2).sum(1, keepdims=True))
    steps = np.trunc(reals / np.maximum(length, clip) * STEPS)
    while (beyond := (steps * steps).sum(1) > STEPS**2).any():
        steps[beyond] -= np.sign(steps[beyond])
    return steps.astype(np.int64)


def class_histogram(noise: Noise, classes: int, unit: CorpusUnit | None = None) -> CorpusHistogramRelease:
    """Release that counts images per class, given class numbers 0 ... classes - 1 as vectors of one component.

    >>> from privis.privacy.mechanisms.additive import Laplace
    >>> from privis.privacy.units import Dataset
    >>> release = class_histogram(Laplace(1.0), 3, Dataset())
    >>> release.partial(np.array([[0], [2], [2]])).total
    (1, 0, 2)
    """
    if whole_number("classes", classes) or classes < 2:
        raise ParameterError(Problem("classes", repr(classes), "an integer of at least 2"))
    return CorpusHistogramRelease(noise, tuple(number + 0.5 for number in range(classes - 1)), unit or WholeImage())


@dataclass(frozen=True, eq=False)
class Moments:
    """Released mean, float64 (components,), and covariance, (components, components), symmetric."""

    mean: Floats
    covariance: Floats

    def directions(self, count: int) -> tuple[Floats, Floats]:
        """The ``count`` directions of largest variance, (count, components), and these variances, in falling order.

        Each has its largest entry positive. Raises ``ParameterError`` when there are not so many.
        """
        if whole_number("components", count) or count > len(self.mean):
            raise ParameterError(Problem("components", repr(count), f"an integer from 1 to {len(self.mean)}"))
        values, vectors = np.linalg.eigh(self.covariance)
        rows = vectors[:, ::-1][:, :count].T
        signs = np.sign(rows[np.arange(count), np.abs(rows).argmax(1)])
        return rows * signs[:, None], values[::-1][:count].copy()


@dataclass(frozen=True)
class MomentRelease:
    """Mean and covariance of clipped vectors, in one release.

    Sensitivity. With R the largest length of a row x, R x and the upper triangle of x x' are added up in one vector z
    of squared length at most 2 R**4. For two rows with inner product t, that of their z is at least t**2 / 2 + R**2 t
    >= -R**4 / 2: a row replaced is at most the root of 5 R**4 away, one that comes or goes of 2 R**4, as are the shared
    rows of a person who does; two persons' shared rows of 8 R**4. Reference: Dwork, Talwar, Thakurta and Zhang, 2014,
    doi:10.1145/2591796.2591883 (Analyze Gauss).

    Args:
        noise: what the release may cost.
        components: of a vector.
        clip: largest length of a vector, in its own units; public.
        size: public number of members; under all units but `WholeImage` it may be a guess, and scales the result.
        unit: what is hidden: WholeImage(), Dataset(), Person(k) or AddOrRemovePerson(k).

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy.units import Dataset
    >>> release = MomentRelease(Gaussian(1.0, 1e-6), components=3, clip=1.0, size=1000, unit=Dataset())
    >>> release.guarantee.epsilon <= 1.0
    True
    """

    identifier: ClassVar[str] = "privis.moment-release/1"

    noise: Gaussian
    components: int
    clip: float
    size: int
    unit: CorpusUnit = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        problems = whole_number("MomentRelease.components", self.components)
        problems += whole_number("MomentRelease.size", self.size)
        problems += positive_number("MomentRelease.clip", self.clip) + _problems("MomentRelease", self.noise, self.unit)
        refuse(ParameterError, problems)
        keep_whole(self, "components", "size")

    @cached_property
    def guarantee(self) -> Guarantee:
        """What mean and covariance guarantee together; computed without looking at any vector."""
        epsilon, whole = (self._epsilon(unit) for unit in (self.unit, WholeImage()))
        reason = f"every row's length is clipped to {STEPS} steps; row and products are in one vector"
        grid, distance = self.clip / STEPS, self._distance(self.unit)
        return corpus_guarantee(
            self.unit, Gaussian.name, self._scale, grid, reason, epsilon, whole, self.noise, distance
        )

    @property
    def _numbers(self) -> int:
        return self.components + self.components * (self.components + 1) // 2

    @cached_property
    def _scale(self) -> float:
        multiplier = least_multiplier(_once, self.noise.epsilon, self.noise.delta, Neighbours.ADDED)
        check_sampling(self._numbers, self.noise.epsilon, self.noise.delta)
        return math.nextafter(multiplier * self._distance(self.unit) * (1 + 2**-50), math.inf)

    def _distance(self, unit: CorpusUnit) -> float:
        square = 2 if Neighbours.of(unit) is Neighbours.ADDED else 8 if unit.needs_subjects else 5
        return math.sqrt(square) * STEPS**2

    def _epsilon(self, unit: CorpusUnit) -> float:
        return epsilon_of(_once(self._scale / self._distance(unit)), self.noise.delta, Neighbours.ADDED)

    def release(self, vectors: npt.NDArray[np.floating], shares: Integers, stream: NoiseStream) -> Moments:
        """Release mean and covariance; one release, to be charged once.

        Args:
            vectors: private, (rows, components).
            shares: rows of every row's member, integers (rows,); a row counts one ``shares``-th.
            stream: that the noise is drawn from.

        Returns:
            Mean, (components,), and covariance, (components, components).
        """
        rows = integer_rows(vectors, self.clip)
        _check_length(rows, self.components)
        upper = np.triu_indices(self.components)
        total = np.zeros(self._numbers, np.int64)
        for share in np.unique(shares):
            part = rows[shares == share]
            if share == 1:  # exact in double precision: no memory holds the 2**29 rows that would leave it
                square = (part.T.astype(float) @ part.astype(float)).astype(np.int64)
                total += np.concatenate([STEPS * part.sum(0), square[upper]])
                continue
            for row in part:
                total += np.trunc(np.concatenate([STEPS * row, np.outer(row, row)[upper]]) / share).astype(np.int64)
        noisy = noisy_sums(self.noise, self._scale, stream, total)
        unit = self.clip / STEPS
        mean = noisy[: self.components] / (STEPS * self.size) * unit
        square = np.zeros((self.components, self.components))
        square[upper] = noisy[self.components :] / self.size * unit**2
        square = square + np.triu(square, 1).T
        return Moments(mean, square - np.outer(mean, mean))


@dataclass(frozen=True)
class KMeansRelease:
    """Centres of clipped vectors by noisy steps of Lloyd's algorithm.

    The first centres are drawn from the keyed stream, uniformly on a sphere of half the clip. Every step assigns each
    row to its nearest centre and releases, in one vector, the sum and the weighted number of every cluster's rows; a
    row adds at most the root of R**2 + (R / 2)**2 to it, wherever it is. A centre that noise leaves without rows stays.
    Reference: Su, Cao, Li, Bertino and Jin, arXiv:1504.05998.

    Args:
        noise: what all steps together may cost.
        words: centres.
        components: of a vector.
        clip: largest length of a vector, in its own units; public.
        iterations: steps.
        unit: what is hidden: WholeImage(), Dataset(), Person(k) or AddOrRemovePerson(k).

    Raises:
        ParameterError: naming all bad parameters.
    """

    identifier: ClassVar[str] = "privis.k-means-release/1"

    noise: Gaussian
    words: int
    components: int
    clip: float
    iterations: int = 6
    unit: CorpusUnit = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        problems = _problems("KMeansRelease", self.noise, self.unit)
        problems += positive_number("KMeansRelease.clip", self.clip)
        for name in ("words", "components", "iterations"):
            problems += whole_number(f"KMeansRelease.{name}", getattr(self, name))
        refuse(ParameterError, problems)
        keep_whole(self, "words", "components", "iterations")

    @cached_property
    def _sums(self) -> NoisySums:
        make = _Repeated(self.iterations)
        return make(least_multiplier(make, self.noise.epsilon, self.noise.delta, Neighbours.of(self.unit)))[0]

    @property
    def _scale(self) -> float:
        return math.nextafter(self._sums.noise_multiplier * math.hypot(STEPS, _COUNT) * (1 + 2**-50), math.inf)

    @cached_property
    def guarantee(self) -> Guarantee:
        """What the centres of all iterations guarantee together."""
        relations = (Neighbours.of(self.unit), Neighbours.REPLACED)
        epsilon, whole = (epsilon_of((self._sums,), self.noise.delta, relation) for relation in relations)
        check_sampling(self.iterations * self.words * (self.components + 1), whole, self.noise.delta)
        name = f"rounded Gaussian in {self.iterations} iterations"
        reason = f"every row's length is clipped to {STEPS} steps, and it is in one cluster"
        grid, distance = self.clip / STEPS, relations[0].parts * math.hypot(STEPS, _COUNT)
        return corpus_guarantee(self.unit, name, self._scale, grid, reason, epsilon, whole, self.noise, distance)

    def release(self, vectors: npt.NDArray[np.floating], shares: Integers, stream: NoiseStream) -> Floats:
        """Release the centres; one release, to be charged once.

        Args:
            vectors: private, (rows, components).
            shares: rows of every row's member, integers (rows,); a row counts one ``shares``-th.
            stream: that the noise is drawn from.

        Returns:
            Centres, float64 (words, components).
        """
        rows = integer_rows(vectors, self.clip)
        _check_length(rows, self.components)
        gauss = draw_noise(self.noise, 2.0**20, stream, (self.words, self.components), "first centres").astype(float)
        centres = gauss / np.linalg.norm(gauss, axis=1, keepdims=True) * (STEPS / 2)
        for iteration in range(self.iterations):
            total = _cluster_sums(rows, shares, np.rint(centres))
            own = stream.narrowed(f"iteration {iteration}".encode())
            noisy = noisy_sums(self.noise, self._scale, own, total)
            counts = noisy[:, -1:] / _COUNT
            enough = counts > 3 * self._scale / _COUNT  # fewer rows than that are noise
            moved = noisy[:, :-1] / np.maximum(counts, 1.0)
            moved *= np.minimum(1.0, STEPS / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1.0))
            centres = np.where(enough, moved, centres)
        return centres * (self.clip / STEPS)


def _cluster_sums(rows: Integers, shares: Integers, centres: Floats) -> Integers:
    """Sum and weighted count of every cluster, int64 (words, components + 1); exact products decide the clusters."""
    total = np.zeros((len(centres), rows.shape[1] + 1), np.int64)
    length = (centres * centres).sum(1)
    for start in range(0, len(rows), ROWS):
        part, share = rows[start : start + ROWS], shares[start : start + ROWS, None]
        nearest = (length - 2 * (part.astype(float) @ centres.T)).argmin(1)
        counted = np.concatenate([part, np.full((len(part), 1), _COUNT)], axis=1)
        np.add.at(total, nearest, np.trunc(counted / share).astype(np.int64))
    return total


@dataclass(frozen=True)
class _Repeated:
    """Noise sums for accounting: ``times`` sums over all rows, none sampled."""

    times: int

    def __call__(self, multiplier: float) -> tuple[NoisySums, ...]:
        return (NoisySums(multiplier, 1.0, self.times),)


_once = _Repeated(1)


def corpus_guarantee(
    unit: CorpusUnit,
    name: str,
    scale: float,
    step: float,
    reason: str,
    epsilon: float,
    whole: float,
    noise: Gaussian,
    distance: float,
) -> Guarantee:
    """Guarantee of noise of ``scale`` on sums over two corpora that are neighbours at most ``distance`` apart."""
    relation = unit.relation
    if isinstance(unit, Person):
        relation = f"all images of one person, of which at most {unit.images} count, replaced, more, fewer or none"
    return Guarantee(
        unit=UNIT_NAMES[type(unit)],
        relation=relation,
        mechanism=name,
        scale=scale,
        step=step,
        step_unit="feature units, summed",
        sensitivity=distance,
        norm="L2",
        sensitivity_reason=reason,
        epsilon=epsilon,
        delta=noise.delta,
        whole_image_epsilon=whole,
        whole_image_delta=noise.delta,
        computed_from=CORPUS,
    )


def _problems(name: str, noise: object, unit: object) -> list[Problem]:
    problems = []
    if not isinstance(noise, Gaussian):
        problems.append(Problem(f"{name}.noise", repr(noise), "Gaussian(epsilon, delta)"))
    if not isinstance(unit, CorpusUnit):
        expected = "WholeImage(), Dataset(), Person(images) or AddOrRemovePerson(images)"
        problems.append(Problem(f"{name}.unit", repr(unit), expected))
    return problems


def _check_length(rows: Integers, components: int) -> None:
    if rows.shape[1] != components:
        raise ParameterError(Problem("vectors", f"{rows.shape[1]} components", f"{components}, as the release says"))
