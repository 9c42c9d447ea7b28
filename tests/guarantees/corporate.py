"""What statistics of a corpus, and sums of which several parties draw the noise, must state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product

from privis.joint.release.distributed_noise import ReleasePlan
from privis.joint.release.noise_shares import SMALLEST_SHARE
from privis.privacy import Gaussian, Guarantee, Person, WholeImage
from privis.privacy.learning.least_squares import LeastSquaresTraining
from privis.privacy.learning.logistic_regression import LogisticTraining
from privis.privacy.learning.moments import STEPS, KMeansRelease, MomentRelease
from privis.privacy.releases.corpus import Aggregate, CorpusHistogramRelease, CorpusUnit, MeanRelease, SumRelease
from privis.privacy.units import AddOrRemovePerson, Dataset
from privis.training.networks import NetworkTraining
from tests.guarantees import calculator, confirmed
from tests.guarantees.calculator import Move
from tests.guarantees.configurations import Configuration, kind_of, private_weight, words

Training = LogisticTraining | LeastSquaresTraining | NetworkTraining
UNITS: tuple[CorpusUnit, ...] = (WholeImage(), Dataset(), Person(4))


def aggregate_moves(release: Aggregate, components: int) -> tuple[Move, Move]:
    """Worst moves of the unit and of a replaced image."""
    norm = "L2" if isinstance(release.noise, Gaussian) else "L1"
    kind, replaced = kind_of(release.unit), ("replaced", 1)
    if isinstance(release, CorpusHistogramRelease):
        bins = len(release.edges) + 1
        return tuple(calculator.bin_move(norm, unit, bins, components) for unit in (kind, replaced))  # type: ignore
    radius, weight = calculator.radius_of(release.clip), private_weight(release, components)
    unit = calculator.sum_move(norm, kind, radius, components, weight)
    return unit, calculator.sum_move(norm, replaced, radius, components, 0)


def plan_differences(plan: ReleasePlan, unknown: int) -> list[str]:
    """Compare the guarantee of a total with shares of noise, of which ``unknown`` stay so.

    Their sum has variance unknown * share_scale^2, and each coordinate is paid for unknown + 1 times where they are
    more than one (see `privis.joint.release.noise_shares` for the theorem).
    """
    times = 1 if unknown == 1 else unknown + 1
    moves = [
        replace(move, coordinates=move.coordinates * times) for move in aggregate_moves(plan.release, plan.components)
    ]
    if plan.share_scale <= SMALLEST_SHARE:  # more noise than epsilon asks for
        moves = [replace(move, loose=1e9) for move in moves]
    found = confirmed.additive(plan.guarantee, plan.release.noise, *moves)
    if unknown > 1 and not math.isclose(plan.guarantee.scale, plan.share_scale * math.sqrt(unknown), rel_tol=1e-12):
        found.append(f"scale {plan.guarantee.scale} of {unknown} shares of {plan.share_scale}")
    return found + words(plan.guarantee)


def moment_differences(release: MomentRelease) -> list[str]:
    """Compare sums of rows times their longest length R, and of products of two components.

    z = (R x, x_i x_j for i <= j) has |z|^2 <= 2 R^4, and <z, z'> = R^2 t + (t^2 + sum_i (x_i x'_i)^2) / 2 with t = <x,
    x'>, at least R^2 t + t^2 / 2. Replaced: at most 4 R^4 - 2 min over t = -R^2 .. R^2 of that. A person's part is a
    mean of z, as long as one: two of them at most 8 R^4.
    """
    square = STEPS**4
    steps = [Fraction(k, 64) - 1 for k in range(129)]  # t over R^2; the minimum is at an end, -1
    least = min(t + t * t / 2 for t in steps)
    replaced = (4 - 2 * least) * square
    one = Fraction(2 * square)
    each = {WholeImage: replaced, Dataset: one, Person: Fraction(8 * square), AddOrRemovePerson: one}
    squared = each[type(release.unit)]
    return _gaussian_sums(release.guarantee, release.noise, squared, replaced, 1)


def means_differences(release: KMeansRelease) -> list[str]:
    """Compare sums of a cluster's rows and their number, at R / 2 a row, released in every iteration.

    A row that comes or goes: R^2 + R^2 / 4. Replaced: bounded by twice that length, as is stated.
    """
    one = Fraction(5, 4) * STEPS**2
    replaced = 4 * one
    squared = one if isinstance(release.unit, Dataset | AddOrRemovePerson) else replaced
    return _gaussian_sums(release.guarantee, release.noise, squared, replaced, release.iterations)


def training_differences(plan: Training, one: float, steps: int) -> list[str]:
    """Compare a training in which everybody is in every step, each of which adds ``one`` per member at most.

    Samples of less are accounted by dp-accounting alone; what a member adds is tested where it is clipped.
    """
    replaced = 4 * Fraction(one) ** 2
    squared = replaced / 4 if isinstance(plan.unit, Dataset | AddOrRemovePerson) else replaced
    return _gaussian_sums(plan.guarantee, plan.noise, squared, replaced, steps)


def _gaussian_sums(
    guarantee: Guarantee, noise: Gaussian, squared: Fraction, replaced: Fraction, times: int
) -> list[str]:
    """Compare Gaussian sums over everybody, ``times`` of them; epsilon is at most what was asked for."""
    unit, whole = (Move("L2", one * times, 1, 1) for one in (squared, replaced))
    found = []
    if not squared <= Fraction(guarantee.sensitivity) ** 2 <= squared * (1 + Fraction(1, 10**12)):
        found.append(f"sensitivity {guarantee.sensitivity} where it is {math.sqrt(squared)}")
    if guarantee.epsilon > noise.epsilon or guarantee.delta != noise.delta:
        found.append(f"epsilon {guarantee.epsilon} where {noise.epsilon} was asked for")
    budgets = (
        ("", unit, guarantee.epsilon, guarantee.delta),
        ("whole-image ", whole, guarantee.whole_image_epsilon, guarantee.whole_image_delta),
    )
    for name, move, epsilon, delta in budgets:
        found += [f"{name}{line}" for line in confirmed.gaussian(guarantee.scale, move, epsilon, delta, loose=1.01)]
    return found + words(guarantee)


def corporate_configurations() -> Iterator[Configuration]:
    """Plans of several parties, moments and k-means."""
    noises = (Gaussian(1.0, 1e-6), Gaussian(6.0, 1e-9))
    for noise, unit, length, colluding in product(noises, UNITS, (1, 16), (0, 1, 2)):
        for release in (
            SumRelease(noise, 0.7, unit),
            MeanRelease(noise, 0.7, unit),
            CorpusHistogramRelease(noise, (0.0, 1.0), unit),
        ):
            plan = ReleasePlan(release, "ward", length, ("a", "b"), ("a",), colluding=colluding, disjoint=True)
            name = f"{release!r} of {length} components, {colluding} of 3 parties colluding"
            yield Configuration(name, partial(plan_differences, plan, 3 - colluding))
    for noise, unit, length in product(noises, (*UNITS, AddOrRemovePerson(4)), (1, 8)):
        moments = MomentRelease(noise, length, 1.0, 1000, unit)
        yield Configuration(repr(moments), partial(moment_differences, moments))
        centres = KMeansRelease(noise, 5, length, 1.0, 3, unit)
        yield Configuration(repr(centres), partial(means_differences, centres))
        plan = LogisticTraining(3, length, 1000, noise, unit, sampling=1.0, steps=4)
        yield Configuration(repr(plan), partial(training_differences, plan, math.sqrt(plan.squared), 4))
        squares = LeastSquaresTraining(3, length, 1000, noise, unit)
        yield Configuration(repr(squares), partial(training_differences, squares, math.sqrt(squares.squared), 1))
        if not unit.needs_subjects:
            network = NetworkTraining(500, 1000, noise, unit, sampling=1.0, steps=4)
            yield Configuration(repr(network), partial(training_differences, network, network.sensitivity, 4))
