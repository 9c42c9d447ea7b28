"""How accurate a way was where it was measured: figures that benchmarks of Privis printed, with their source."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib import resources

from privis.choose.job_description import JobDescription

_PRESENCE, _REPLACED = "presence of an image", "a person replaced"
_PIXEL, _WHOLE = "images that differ in at most 1 pixel", "whole image"
TABLE = "accuracy.json"


@dataclass(frozen=True)
class Expected:
    """One measured figure.

    Args:
        task: word of the task.
        feature: name of the feature or recipe.
        release: word of what was released; ``none``.
        epsilon: of the release.
        unit: what its noise hid.
        metric: what was measured.
        value: the figure.
        low: lower end of its interval, where one was measured.
        high: upper end.
        set: name of the images.
        images: how many.
        note: what else is to be known.
        command: that measures it again.
        page: of the documentation that has it.
        quote: the line there.
        date: on which it was written down.
    """

    task: str
    feature: str
    release: str
    epsilon: float | None
    unit: str | None
    metric: str
    value: float
    low: float | None
    high: float | None
    set: str
    images: int
    note: str
    command: str
    page: str
    quote: str
    date: str

    @property
    def words(self) -> str:
        """The figure, on what, and where it is from."""
        interval = "" if self.low is None or self.high is None else f" ({self.low:.3g} to {self.high:.3g})"
        budget = "" if self.epsilon is None else f" at epsilon {self.epsilon:g}"
        note = f", {self.note}" if self.note else ""
        source = f"{self.page}, {self.date}, `{self.command}`"
        return f"{self.metric} {self.value:.3g}{interval}{budget} on {self.set}{note} [{source}]"

    @property
    def is_share(self) -> bool:
        """Whether the figure is better the nearer it is to 1."""
        return "error of" not in self.metric


@functools.cache
def figures() -> tuple[Expected, ...]:
    """Read the figures that come with Privis.

    Returns:
        All of them.
    """
    text = resources.files("privis.choose").joinpath("data", TABLE).read_text(encoding="utf-8")
    known = {field.name for field in fields(Expected)}
    return tuple(Expected(**{key: row[key] for key in known}) for row in json.loads(text)["figures"])


def sets() -> tuple[str, ...]:
    """Name the sets of images on which something was measured.

    Returns:
        Their names.
    """
    return tuple(sorted({figure.set for figure in figures()}))


def expected(job: JobDescription, feature: str, release: str, epsilon: float | None) -> Expected | None:
    """Find what was measured of a way: of the set that the job's images are like, else the lowest figure of any.

    Of budgets the largest measured one counts that is not above the job's, so that a figure never promises more.

    Args:
        job: whose images, unit and likeness count.
        feature: name of the feature or recipe, without parameters.
        release: word of a `ReleaseKind`, or ``none``.
        epsilon: budget of the job's unit; None: nothing is released.

    Returns:
        The figure; None where nothing comparable was measured.

    >>> from privis.choose.job_description import Task
    >>> job = JobDescription(Task.CLASSIFY, "in", 8, (64, 64), like="chest-x-ray")
    >>> expected(job, "lbp", "none", None).value
    0.811
    """
    found = [f for f in figures() if (f.task, f.feature, f.release) == (job.task.value, feature, _WORDS[release])]
    if job.like is not None:
        found = [figure for figure in found if figure.set == job.like]
    if _WORDS[release] != "none":
        found = [figure for figure in found if epsilon is not None and _within(job, figure, epsilon)]
        found = list(_largest(found))
    if not found:
        return None
    worst = min if found[0].is_share else max
    return worst(found, key=lambda figure: figure.value)


_WORDS = {
    "none": "none", "pixel noise": "pixels", "feature noise": "feature", "privunit": "privunit",
    "aggregate": "aggregate", "private training": "training",
}  # fmt: skip


def _within(job: JobDescription, figure: Expected, epsilon: float) -> bool:
    """Whether the job's unit at ``epsilon`` is hidden no better than the figure's."""
    name, _, count = job.unit.partition(":")
    spent = figure.epsilon or 0.0
    if figure.unit == _PRESENCE and name in ("image", "person"):
        return 2 * spent <= epsilon  # who is replaced is taken out and put in
    if figure.unit == _REPLACED and name in ("dataset", "add-or-remove-person"):
        return spent <= 2 * epsilon
    if name == "pixels":
        return figure.unit == _PIXEL and spent * int(count) <= epsilon
    return figure.unit != _PIXEL and spent <= epsilon


def _largest(found: Iterable[Expected]) -> Iterable[Expected]:
    """Of each set the figure of the largest budget."""
    most: dict[str, Expected] = {}
    for figure in found:
        if figure.set not in most or (figure.epsilon or 0) > (most[figure.set].epsilon or 0):
            most[figure.set] = figure
    return most.values()
