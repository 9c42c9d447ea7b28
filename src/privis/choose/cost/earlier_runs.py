"""``earlier_cost``: what a command takes, by what earlier runs of it took on this machine.

For commands that are more than one extraction (faces, search, detection, classifiers), of which no closed form and no
probe tells the whole.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from privis.choose.cost.run_log import ScoredRun

START = 1.5  # seconds that any command takes before its first image, at most what the quickest run took
LATEST = 30  # runs that count
FEW, MANY = 0.5, 2.0  # times its rows: a gallery of others is another job


@dataclass(frozen=True)
class EarlierCost:
    """What earlier runs say.

    Args:
        seconds: by the clock on the wall.
        memory: bytes at the peak.
        sent: bytes; None: not counted.
        basis: in plain words.
    """

    seconds: float
    memory: int
    sent: int | None
    basis: str


def earlier_cost(
    runs: Sequence[ScoredRun], command: str, mechanism: str, images: int, rows: int = 0, what: str = ""
) -> EarlierCost | None:
    """Predict what a command takes.

    With runs of several numbers of images a line through them, else what exceeds the start of a command is shared out
    over the images.

    Args:
        runs: all that are known, the earliest first.
        command: as ``face identify``.
        mechanism: who computes.
        images: how many there will be.
        rows: of the gallery or index; 0: none.
        what: name of the feature or recipe; empty where the command has none.

    Returns:
        The prediction; None where no run is like it.
    """
    alike = command, mechanism, what
    like = [run for run in runs if (run.command, run.mechanism, run.feature) == alike and _near(run.rows, rows)]
    like = like[-LATEST:]
    if not like:
        return None
    seconds = _scaled(like, images, lambda run: run.measured.seconds, START)
    memory = round(statistics.median(run.measured.memory for run in like))
    counted = [run for run in like if run.measured.sent is not None]
    sent = round(_scaled(counted, images, lambda run: run.measured.sent or 0, 0.0)) if counted else None
    word = "an earlier run" if len(like) == 1 else f"{len(like)} earlier runs"
    return EarlierCost(seconds, memory, sent, f"{word} of privis {command} on this machine")


def _near(known: int, wanted: int) -> bool:
    return known == wanted or (known > 0 and FEW <= wanted / known <= MANY)


def _scaled(runs: Sequence[ScoredRun], images: int, value: Callable[[ScoredRun], float], start: float) -> float:
    """The value for so many images: a line that never falls through the medians of each number of images."""
    medians = {
        count: statistics.median(value(run) for run in runs if run.images == count)
        for count in {run.images for run in runs}
    }
    if images in medians:
        return medians[images]
    if len(medians) > 1:
        slope, intercept = statistics.linear_regression(list(medians), list(medians.values()))
        if slope > 0 and intercept > 0:
            return intercept + slope * images
    nearest = min(medians, key=lambda count: abs(count - images))
    fixed = min(start, medians[nearest])
    return fixed + (medians[nearest] - fixed) * images / max(1, nearest)
