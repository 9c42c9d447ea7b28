"""Principal components of several owners' features: the covariance matrix stays inside.

In two jobs. The first reveals mean, number of images and total variance (`Centre`, a sum). With these every owner
centres its own rows, at home, and shares their scatter matrix, scaled so that all of them add up to trace 1; inside,
the sum's components are found one after another and only they are revealed, with the share of the variance that each
explains. The mean is needed to use them anyway.

Method. The matrix is squared again and again, brought back to Frobenius norm 1 each time, which drives it towards the
projection on its first eigenvector like 2**squarings steps of the power method; applied to a public start vector that
gives the eigenvector, two ordinary power steps polish it, and both sides are projected away from it for the next.
Signs are chosen by the receiver: the largest entry is positive. In fixed point a component is good to about 1e-3 where
its variance differs by a tenth from the next one's; closer ones are mixed, as by any method with so many steps.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.joint.runners import Runner, on_this_machine
from privis.joint.statistics.exact import GRID_BITS, MOST_IMAGES, Floats, Labels, compute, feature_rows, on_grid
from privis.joint.statistics.sums import Committee, Integers, owner_problems, source, who_learns
from privis.program import Input, Program, trace
from privis.program.graph import Value, concat
from privis.program.ops import Dense, Normalise, Transpose
from privis.run.mpc.job import Drop, Job, Reveal, Run, Share, Source
from privis.validation import positive_number, whole_number

POLISH = 2


@dataclass(frozen=True)
class Spread:
    """Mean, number of images, and the sum of all components' variances."""

    mean: Floats
    images: int
    variance: float
    revealed: str


@dataclass(frozen=True)
class Centre:
    """The statistic before the components: sums, one sum of squares, the count."""

    components: int
    bound: float
    reveals = "the mean, the total variance and the number of images"

    def __post_init__(self) -> None:
        problems = whole_number("Centre.components", self.components) + positive_number("Centre.bound", self.bound)
        refuse(ParameterError, problems)

    @property
    def length(self) -> int:
        """One sum per component, the squares, the count."""
        return self.components + 2

    @property
    def largest(self) -> int:
        """Squares are summed in coarser steps, so that all components together fit."""
        return self.components * MOST_IMAGES << GRID_BITS

    def summary(self, rows: NDArray[Any], labels: Labels | None = None) -> Integers:
        """Add up rows and their squared lengths."""
        steps = on_grid(rows, self.components, self.bound)
        squares = int((steps * steps).sum()) + (1 << GRID_BITS - 1) >> GRID_BITS
        return np.append(steps.sum(0), [squares, len(steps)])

    def result(self, total: Integers, revealed: str) -> Spread:
        """Mean, and the variance as the mean square less the squared mean."""
        images = int(total[-1])
        if images < 1:
            raise ParameterError(Problem("data", "no images of any owner", "at least one"))
        mean = total[: self.components] * (self.bound / (1 << GRID_BITS)) / images
        square = float(total[-2]) * self.bound**2 / (1 << GRID_BITS) / images
        return Spread(mean, images, max(0.0, square - float(mean @ mean)), revealed)


@dataclass(frozen=True)
class Components:
    """Principal components of the rows of several owners.

    Args:
        directions: orthonormal, float64 (count, components).
        explains: share of the total variance, (count,).
        spread: mean and deviation of the components.
        revealed: who learns what, in words.
    """

    directions: Floats
    explains: Floats
    spread: Spread
    revealed: str

    def project(self, rows: NDArray[Any]) -> Floats:
        """Give the coordinates of rows along the directions, in the clear.

        Args:
            rows: feature vectors (rows, components).

        Returns:
            Coordinates, float64 (rows, count).
        """
        return (np.asarray(rows, np.float64) - self.spread.mean) @ self.directions.T


def component_programs(owners: int, components: int, starts: Sequence[Floats]) -> dict[str, Program]:
    """The steps of the method, by name. Separate runs bring values back to full precision in between."""
    square, column = _matrix(components), Input((components, 1), -1.0, 1.0, None)
    whole = Input((components, components), -float(owners), float(owners), None)
    count = len(starts)

    def explained(whole: Value, *directions: Value) -> Value:
        rows = concat(*directions, axis=1) >> Transpose((1, 0))
        return ((rows @ whole) * rows).sum(1)

    return {
        "sum": trace(lambda *matrices: functools.reduce(operator.add, matrices), *[square] * owners),
        "unit": trace(_unit, whole),
        "square": trace(lambda power: _unit((power @ power).clip(-1.0, 1.0)), square),
        **{
            f"start {index}": trace(lambda power, at=start: _length_one(power >> Dense(at)), square)
            for index, start in enumerate(starts)
        },
        "polish": trace(lambda left, direction: _length_one(left @ direction), square, column),
        "away": trace(_deflated, square, column),
        "explain": trace(explained, whole, *[column] * count),
    }


def _deflated(left: Value, direction: Value) -> Value:
    return _unit(_away(_away(left, direction) >> Transpose((1, 0)), direction).clip(-1.0, 1.0))


def _search(count: int, squarings: int) -> list[Run | Drop]:
    """One component after another."""
    steps: list[Run | Drop] = [Run("unit", ("whole",), ("left",))]
    for index in range(count):
        direction = f"direction {index}"
        steps += [Run("square", ("power" if step else "left",), ("power",)) for step in range(squarings)]
        steps.append(Run(f"start {index}", ("power",), (direction,)))
        steps += [Run("polish", ("left", direction), (direction,))] * POLISH
        if index + 1 < count:
            steps.append(Run("away", ("left", direction), ("left",)))
    return [*steps, Drop(("left", "power"))]


def _unit(matrix: Value) -> Value:
    """Bring to Frobenius norm 1; the squared eigenvalues of a unit matrix's square add up to at least 1 / side."""
    side = matrix.shape[0]
    return (matrix.reshape(side * side) >> Normalise((1e-4 / side, 1.0))).reshape(side, side)


def _length_one(column: Value) -> Value:
    side = column.shape[0]
    return (column.reshape(side) >> Normalise((1e-6, 1.0))).reshape(side, 1)


def _away(matrix: Value, direction: Value) -> Value:
    """Take ``direction`` off every column."""
    return matrix - direction @ ((direction >> Transpose((1, 0))) @ matrix)


def _matrix(side: int) -> Input:
    return Input((side, side), -1.0, 1.0, None)


def scatter(rows: NDArray[Any], spread: Spread) -> Floats:
    """An owner's part of the matrix, at the owner: secret.

    Raises ParameterError when nothing varies.
    """
    values = feature_rows(rows, len(spread.mean))
    if not spread.variance > 0:
        raise ParameterError(Problem("data", "features that are all equal", "features that differ between images"))
    centred = values - spread.mean
    return np.clip(centred.T @ centred / (spread.images * spread.variance), -1.0, 1.0)


def components_job(
    owners: Sequence[str],
    components: int,
    count: int,
    receivers: Sequence[str],
    committee: Committee | None = None,
    squarings: int = 6,
) -> Job:
    """Build the second job: find the components of the owners' summed matrices and reveal them to receivers.

    Args:
        owners: names of those who share matrices.
        components: of a feature vector.
        count: of principal components.
        receivers: names of those who learn the result.
        committee: the compute parties and their protocol; None: the default one.
        squarings: of the matrix; each doubles the power iteration's exponent.

    Returns:
        The job.

    Raises:
        ParameterError: naming all bad parameters.
    """
    problems = owner_problems(owners) + whole_number("components", components) + whole_number("count", count)
    problems += whole_number("squarings", squarings)
    if not problems and count > components:
        problems.append(Problem("count", str(count), f"at most {components}, the number of components"))
    refuse(ParameterError, problems)
    who, names = committee or Committee(), tuple(source(owner) for owner in owners)
    directions = tuple(f"direction {index}" for index in range(count))
    public = np.random.default_rng(0).standard_normal((count, 1, components))  # any vectors will do
    starts = [start / np.linalg.norm(start) for start in public]
    return Job(
        preset=who.preset,
        parties=who.members,
        sources={name: Source(owner, _matrix(components)) for name, owner in zip(names, owners, strict=True)},
        programs=component_programs(len(names), components, starts),
        instructions=(
            *(Share(name) for name in names),
            Run("sum", names, ("whole",)),
            Drop(names),
            *_search(count, squarings),
            Run("explain", ("whole", *directions), ("explains",)),
            *(Reveal(name, tuple(receivers)) for name in (*directions, "explains")),
            Drop(("whole", "explains", *directions)),
        ),
    )


def principal_components(
    data: Mapping[str, NDArray[Any]],
    count: int,
    bound: float,
    receivers: Sequence[str],
    *,
    committee: Committee | None = None,
    run: Runner = on_this_machine,
) -> Components:
    """Find principal components of all owners' rows; this process plays everybody.

    Owners learn mean, total variance and number of images on the way, whoever the receivers are.
    """
    owners = tuple(data)
    refuse(ParameterError, owner_problems(owners))
    length = np.shape(next(iter(data.values())))[-1]
    told = tuple(dict.fromkeys((*owners, *receivers)))
    spread = compute(Centre(length, bound), data, told, committee=committee, run=run)
    job = components_job(owners, length, count, receivers, committee)
    revealed = run(job, {source(owner): scatter(rows, spread) for owner, rows in data.items()})
    sentence = who_learns("the principal components and what share of the variance each explains", owners, receivers)
    return read_components(revealed, spread, f"{spread.revealed} {sentence}")


def read_components(revealed: Mapping[str, NDArray[Any]], spread: Spread, sentence: str) -> Components:
    """Read what `components_job` revealed: exact unit length, and signs that make the largest entry positive.

    Args:
        revealed: by variable name.
        spread: as the first job gave it.
        sentence: who learns what.

    Returns:
        The components.
    """
    count = len(revealed["explains"])
    rows = np.stack([np.asarray(revealed[f"direction {index}"], np.float64)[:, 0] for index in range(count)])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    rows *= np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])[:, None]
    return Components(rows, np.asarray(revealed["explains"], np.float64), spread, sentence)
