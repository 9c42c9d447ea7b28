"""Joint statistics of several owners' features: each a sum of integers that owners prepare locally.

A statistic says what an owner shares of its rows (``summary``, at the owner), and what the total over all owners means
(``result``, at a receiver); `compute` plays everybody. Features are put on a grid of ``bound / 2**16``, rounded to the
nearest, so a result is that of the rounded features, exactly: the ring adds integers.

>>> from privis.joint.runners import InTheClear
>>> data = {"north": np.array([[0.0, 1.0], [0.5, 0.5]]), "south": np.array([[1.0, 0.0]])}
>>> found = compute(Mean(components=2, bound=1.0), data, receivers=["north"], run=InTheClear())
>>> found.mean, found.images
(array([0.5, 0.5]), 3)
>>> print(found.revealed)
north learns the mean and the number of images of all of north, south together, and nobody learns anything else. By \
subtracting its own part, north can know the part of the other owner exactly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.joint.runners import Runner, on_this_machine
from privis.joint.statistics.statistic import Labels, Result, Statistic
from privis.joint.statistics.sums import Committee, Integers, owners_job, source, total_of, who_learns, who_subtracts
from privis.run.mpc.job import Job
from privis.validation import keep_whole, positive_number, real_values, whole_number

GRID_BITS = 16
MOST_IMAGES = 1 << 20  # of one owner; a public bound that keeps sums of squares inside the ring

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JointMoments:
    """Mean of every component, number of images, and what else was asked for; ``revealed`` says to whom."""

    mean: Floats
    images: int
    revealed: str
    deviation: Floats | None = None
    covariance: Floats | None = None


@dataclass(frozen=True)
class ClassMoments:
    """Images per class and the mean of each class, (classes, components); NaN for a class without images."""

    counts: Integers
    means: Floats
    revealed: str


@dataclass(frozen=True)
class Histograms:
    """Counts of every component, (components, bins)."""

    counts: Integers
    revealed: str


@dataclass(frozen=True)
class Mean:
    """Mean of the feature vectors of several owners.

    Args:
        components: of a feature vector.
        bound: largest size of one value, in the feature's own units; clip rows first.

    Raises:
        ParameterError: naming all bad parameters; from `summary`, rows break the bound.
    """

    components: int
    bound: float
    reveals = "the mean and the number of images"

    def __post_init__(self) -> None:
        refuse(ParameterError, _problems("Mean", self.components, self.bound))
        keep_whole(self, "components")

    @property
    def length(self) -> int:
        """One sum per component, and the count."""
        return self.components + 1

    @property
    def largest(self) -> int:
        """Every image adds at most 2**16 to a sum."""
        return MOST_IMAGES << GRID_BITS

    def summary(self, rows: NDArray[Any], labels: Labels | None = None) -> Integers:
        """Add up rows, (images, components)."""
        steps = on_grid(rows, self.components, self.bound)
        return np.append(steps.sum(0), len(steps))

    def result(self, total: Integers, revealed: str) -> JointMoments:
        """Divide by the number of images."""
        sums, images = _counted(total)
        return JointMoments(sums * _step(self.bound) / images, images, revealed)


@dataclass(frozen=True)
class MeanAndDeviation:
    """Mean and standard deviation (of the population) of every component.

    Args:
        components: of a feature vector.
        bound: largest size of one value, in the feature's own units; clip rows first.

    Raises:
        ParameterError: naming all bad parameters.
    """

    components: int
    bound: float
    reveals = "the mean, the standard deviation and the number of images"

    def __post_init__(self) -> None:
        refuse(ParameterError, _problems("MeanAndDeviation", self.components, self.bound))
        keep_whole(self, "components")

    @property
    def length(self) -> int:
        """Sums, sums of squares, the count."""
        return 2 * self.components + 1

    @property
    def largest(self) -> int:
        """Every image adds at most 2**32 to a sum of squares."""
        return MOST_IMAGES << 2 * GRID_BITS

    def summary(self, rows: NDArray[Any], labels: Labels | None = None) -> Integers:
        """Add up rows and their squares."""
        steps = on_grid(rows, self.components, self.bound)
        return np.concatenate([steps.sum(0), (steps * steps).sum(0), [len(steps)]])

    def result(self, total: Integers, revealed: str) -> JointMoments:
        """Second moments less the squares of the first, in exact integers before the division."""
        sums, images = _counted(total)
        first, second = sums[: self.components], sums[self.components :]
        variance = [images * int(two) - int(one) ** 2 for one, two in zip(first, second, strict=True)]
        step = _step(self.bound)
        deviation = np.array([math.sqrt(value) for value in variance]) * (step / images)
        return JointMoments(first * step / images, images, revealed, deviation=deviation)


@dataclass(frozen=True)
class Covariance:
    """Mean and covariance matrix (of the population), (components, components).

    The whole matrix is revealed; `privis.joint.statistics.principal_components` keeps it inside and reveals principal
    components only.

    Args:
        components: of a feature vector.
        bound: largest size of one value, in the feature's own units; clip rows first.

    Raises:
        ParameterError: naming all bad parameters.
    """

    components: int
    bound: float
    reveals = "the mean, the covariance matrix and the number of images"

    def __post_init__(self) -> None:
        refuse(ParameterError, _problems("Covariance", self.components, self.bound))
        keep_whole(self, "components")

    @property
    def length(self) -> int:
        """Sums, products of every two components, the count."""
        return self.components + self.components * (self.components + 1) // 2 + 1

    @property
    def largest(self) -> int:
        """Every image adds at most 2**32 to a sum of products."""
        return MOST_IMAGES << 2 * GRID_BITS

    def summary(self, rows: NDArray[Any], labels: Labels | None = None) -> Integers:
        """Add up rows and the products of their components."""
        steps = on_grid(rows, self.components, self.bound)
        products = (steps.T @ steps)[np.triu_indices(self.components)]
        return np.concatenate([steps.sum(0), products, [len(steps)]])

    def result(self, total: Integers, revealed: str) -> JointMoments:
        """Products less products of sums, in exact integers before the division."""
        sums, images = _counted(total)
        first = [int(value) for value in sums[: self.components]]
        step, matrix = _step(self.bound), np.empty((self.components, self.components))
        pairs = itertools.combinations_with_replacement(range(self.components), 2)
        for (i, j), product in zip(pairs, sums[self.components :], strict=True):
            matrix[i, j] = matrix[j, i] = (images * int(product) - first[i] * first[j]) * (step / images) ** 2
        deviation = np.sqrt(np.diag(matrix))
        return JointMoments(np.array(first) * step / images, images, revealed, deviation, matrix)


@dataclass(frozen=True)
class ClassMeans:
    """Images per class and mean feature of every class; labels are 0 to classes - 1.

    Args:
        components: of a feature vector.
        bound: largest size of one value, in the feature's own units; clip rows first.
        classes: how many; labels are 0 to classes - 1.

    Raises:
        ParameterError: naming all bad parameters.
    """

    components: int
    bound: float
    classes: int
    reveals = "the number of images and the mean of every class"

    def __post_init__(self) -> None:
        problems = _problems("ClassMeans", self.components, self.bound)
        refuse(ParameterError, problems + whole_number("ClassMeans.classes", self.classes))
        keep_whole(self, "components", "classes")

    @property
    def length(self) -> int:
        """The sums and the count of every class."""
        return self.classes * (self.components + 1)

    @property
    def largest(self) -> int:
        """Every image adds at most 2**16 to a sum."""
        return MOST_IMAGES << GRID_BITS

    def summary(self, rows: NDArray[Any], labels: Labels | None = None) -> Integers:
        """Add up the rows of every class.

        Raises:
            ParameterError: a row has no label, or an unknown one.
        """
        steps = on_grid(rows, self.components, self.bound)
        known = np.asarray([] if labels is None else labels)
        if known.shape != (len(steps),) or (known.size and not set(known.tolist()) <= set(range(self.classes))):
            expected = f"one label per row, integers from 0 to {self.classes - 1}"
            raise ParameterError(Problem("labels", f"{known.dtype} values of shape {known.shape}", expected))
        table = np.zeros((self.classes, self.components + 1), np.int64)
        np.add.at(table, known.astype(np.int64), np.column_stack([steps, np.ones(len(steps), np.int64)]))
        return table.ravel()

    def result(self, total: Integers, revealed: str) -> ClassMoments:
        """Divide class by class."""
        table = total.reshape(self.classes, -1)
        counts = table[:, -1]
        with np.errstate(invalid="ignore"):
            means = table[:, :-1] * _step(self.bound) / np.where(counts, counts, np.nan)[:, None]
        return ClassMoments(counts, means, revealed)


@dataclass(frozen=True)
class Histogram:
    """How many images have every component in which bin: edges[b - 1] <= value < edges[b], the outer bins open.

    Args:
        components: of a feature vector.
        edges: public and increasing; the bins are len(edges) + 1.

    Raises:
        ParameterError: naming all bad parameters.
    """

    components: int
    edges: tuple[float, ...]
    reveals = "the histogram of every component"

    def __post_init__(self) -> None:
        problems = whole_number("Histogram.components", self.components)
        edges = tuple(float(edge) for edge in self.edges)
        if not edges or not all(map(math.isfinite, edges)) or any(a >= b for a, b in itertools.pairwise(edges)):
            problems.append(Problem("Histogram.edges", repr(self.edges), "at least one, all finite and increasing"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "edges", edges)
        keep_whole(self, "components")

    @property
    def length(self) -> int:
        """Bins of all components."""
        return self.components * (len(self.edges) + 1)

    @property
    def largest(self) -> int:
        """An image counts once per component."""
        return MOST_IMAGES

    def summary(self, rows: NDArray[Any], labels: Labels | None = None) -> Integers:
        """Count the rows in every bin.

        Raises:
            ParameterError: a value is not a number.
        """
        values = feature_rows(rows, self.components)
        bins = len(self.edges) + 1
        flat = np.searchsorted(self.edges, values, side="right") + bins * np.arange(self.components)
        return np.bincount(flat.ravel(), minlength=self.length).astype(np.int64)

    def result(self, total: Integers, revealed: str) -> Histograms:
        """Put counts in rows, one per component."""
        return Histograms(total.reshape(self.components, -1), revealed)


def statistic_job(
    statistic: Statistic[Result], owners: Sequence[str], receivers: Sequence[str], committee: Committee | None = None
) -> Job:
    """Build the job that adds the owners' summaries and reveals the total to receivers.

    Args:
        statistic: what is computed.
        owners: names of those who share rows.
        receivers: names of those who learn the result.
        committee: the compute parties and their protocol; None: the default one.

    Returns:
        The job.
    """
    return owners_job(committee or Committee(), statistic.length, statistic.largest, owners, receivers)


def compute(
    statistic: Statistic[Result],
    data: Mapping[str, NDArray[Any]],
    receivers: Sequence[str],
    *,
    labels: Mapping[str, Labels] | None = None,
    committee: Committee | None = None,
    run: Runner = on_this_machine,
) -> Result:
    """Compute a statistic of the rows of all owners; this process plays all of them.

    Args:
        statistic: what is computed.
        data: feature vectors (images, components) by owner.
        receivers: names of those who learn the result.
        labels: of the rows (images,) by owner, where the statistic needs them.
        committee: the compute parties and their protocol; None: the default one.
        run: runs a job; by default, parties as processes of this machine.

    Returns:
        The statistic, and who learned it.

    Raises:
        ParameterError: rows or labels do not fit.
    """
    owners = tuple(data)
    job = statistic_job(statistic, owners, receivers, committee)
    arrays = {source(owner): statistic.summary(rows, (labels or {}).get(owner)) for owner, rows in data.items()}
    total = total_of(run(job, arrays))
    told = who_learns(statistic.reveals, owners, receivers) + who_subtracts(owners, receivers)
    return statistic.result(total, told)


def feature_rows(rows: NDArray[Any], components: int) -> Floats:
    """Check an owner's rows: finite real numbers of shape (images, components)."""
    values = real_values("rows", rows)
    if values.ndim != 2 or values.shape[1] != components or not np.isfinite(values).all():
        got = f"values of shape {values.shape}, {int((~np.isfinite(values)).sum())} of them not finite"
        raise ParameterError(Problem("rows", got, f"finite numbers of shape (images, {components})"))
    if len(values) > MOST_IMAGES:
        raise ParameterError(Problem("rows", f"{len(values)} images", f"at most {MOST_IMAGES}"))
    return values


def on_grid(rows: NDArray[Any], components: int, bound: float) -> Integers:
    """Put an owner's rows on the grid; ParameterError when one is beyond ``bound``."""
    values = feature_rows(rows, components)
    if values.size and np.abs(values).max() > bound:
        count = int((np.abs(values) > bound).sum())
        remedy = "take a larger public bound, or clip the features"
        raise ParameterError(Problem("rows", f"{count} values beyond {bound:g}", f"at most {bound:g} in size", remedy))
    return np.rint(values / _step(bound)).astype(np.int64)


def _step(bound: float) -> float:
    return bound / (1 << GRID_BITS)


def _counted(total: Integers) -> tuple[Integers, int]:
    images = int(total[-1])
    if images < 1:
        raise ParameterError(Problem("data", "no images of any owner", "at least one"))
    return total[:-1], images


def _problems(name: str, components: int, bound: float) -> list[Problem]:
    return whole_number(f"{name}.components", components) + positive_number(f"{name}.bound", bound)
