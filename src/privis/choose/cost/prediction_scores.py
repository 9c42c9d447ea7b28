"""How good predictions were: predicted over measured, for every mechanism that ran."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from privis.choose.cost.run_log import ScoredRun, Taken

NEAR = 0.3  # of the measured value: a prediction within it counts as near


@dataclass(frozen=True)
class Ratios:
    """Predicted over measured values.

    Args:
        values: one or more, above 0.

    >>> found = Ratios((1.0, 2.0, 0.5))
    >>> found.median, round(found.error, 3), round(found.near, 3)
    (1.0, 0.587, 0.333)
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The ratio that half of them are below."""
        return statistics.median(self.values)

    @property
    def error(self) -> float:
        """Geometric-mean error: exp of the mean distance of logarithms from 0, less 1; 0 where all are right."""
        return math.exp(statistics.fmean(abs(math.log(value)) for value in self.values)) - 1

    @property
    def near(self) -> float:
        """The share of predictions whose distance from the measured value is at most 30 % of it."""
        return statistics.fmean(abs(value - 1) <= NEAR for value in self.values)


@dataclass(frozen=True)
class PredictionScore:
    """How good predictions of one mechanism were.

    Args:
        mechanism: who computed; ``all`` of them together.
        runs: how many there were.
        unpredicted: for how many of them nothing was predicted.
        seconds: ratios of seconds; None where none was predicted.
        memory: of bytes at the peak.
        sent: of bytes sent; None where nothing is sent, or it is not counted.
    """

    mechanism: str
    runs: int
    unpredicted: int
    seconds: Ratios | None
    memory: Ratios | None
    sent: Ratios | None


def scores_of(runs: Sequence[ScoredRun]) -> list[PredictionScore]:
    """Score the predictions of runs.

    Args:
        runs: of any commands.

    Returns:
        A score for each mechanism, and the last for all together where there are several.
    """
    found = [
        _score(mechanism, [run for run in runs if run.mechanism == mechanism])
        for mechanism in sorted({run.mechanism for run in runs})
    ]
    return [*found, _score("all", runs)] if len(found) > 1 else found


def _score(mechanism: str, runs: Sequence[ScoredRun]) -> PredictionScore:
    def ratios(value: Callable[[Taken], float | None]) -> Ratios | None:
        values = []
        for run in runs:
            expected, taken = run.predicted and value(run.predicted), value(run.measured)
            if expected and taken and expected > 0 and taken > 0:
                values.append(expected / taken)
        return Ratios(tuple(values)) if values else None

    unpredicted = sum(run.predicted is None for run in runs)
    parts = (lambda taken: taken.seconds), (lambda taken: taken.memory), (lambda taken: taken.sent)
    return PredictionScore(mechanism, len(runs), unpredicted, *map(ratios, parts))
