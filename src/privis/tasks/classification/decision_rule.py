"""From probabilities to decisions: a threshold for one class that must not be missed, and no answer when unsure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CalledClasses:
    """What images were called.

    Args:
        labels: class of each image; None: undecided.
        probabilities: float64 (images,): of the class that was named, or would have been.
    """

    labels: tuple[str | None, ...]
    probabilities: Floats = field(repr=False)


@dataclass(frozen=True)
class DecisionRule:
    """How probabilities become a decision.

    The watched class is named where its probability reaches ``threshold``, however likely another is, and never left
    undecided then. Otherwise the likeliest of the other classes is named, or nothing if its probability is below
    ``abstain_below``.

    Args:
        watched: class that must not be missed; None: the likeliest class is named.
        threshold: of its probability.
        abstain_below: probability, in [0, 1], below which nothing is said.
        sensitivity: that the threshold was chosen for.

    Raises:
        ParameterError: a value is no probability, or a threshold is of no class.

    >>> rule = DecisionRule("ill", threshold=0.2, abstain_below=0.9)
    >>> rule.decide(("ill", "well"), np.array([[0.3, 0.7], [0.1, 0.9], [0.15, 0.85]])).labels
    ('ill', 'well', None)
    """

    watched: str | None = None
    threshold: float = 0.5
    abstain_below: float = 0.0
    sensitivity: float | None = None

    def __post_init__(self) -> None:
        shares = {"threshold": self.threshold, "abstain_below": self.abstain_below}
        shares |= {} if self.sensitivity is None else {"sensitivity": self.sensitivity}
        problems = [
            Problem(f"DecisionRule.{name}", repr(value), "a probability in [0, 1]")
            for name, value in shares.items()
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1
        ]
        if self.sensitivity is not None and self.watched is None:
            problems.append(Problem("DecisionRule.watched", "None", "the class that the sensitivity is of"))
        refuse(ParameterError, problems)

    def decide(self, classes: Sequence[str], probabilities: npt.NDArray[np.floating]) -> CalledClasses:
        """Name the class of every image.

        Args:
            classes: names, one for each column.
            probabilities: float (images, classes).

        Returns:
            The decisions.

        Raises:
            ParameterError: there is another number of columns, or no such class.
        """
        rows = np.asarray(probabilities, np.float64)
        problems = []
        if rows.ndim != 2 or rows.shape[1] != len(classes):
            got = f"probabilities of shape {rows.shape}"
            problems.append(Problem("DecisionRule.decide", got, f"(images, {len(classes)})"))
        if self.watched is not None and self.watched not in classes:
            problems.append(Problem("DecisionRule.watched", repr(self.watched), f"one of {', '.join(classes)}"))
        refuse(ParameterError, problems)
        others = rows.copy()
        sure = np.zeros(len(rows), bool)
        if self.watched is not None:
            column = list(classes).index(self.watched)
            sure = rows[:, column] >= self.threshold
            others[:, column] = np.where(sure, math.inf, -math.inf)
        chosen = others.argmax(1)
        found = rows[np.arange(len(rows)), chosen]
        said = sure | (found >= self.abstain_below)
        labels = tuple(classes[place] if known else None for place, known in zip(chosen, said, strict=True))
        return CalledClasses(labels, found)


def threshold_for(probabilities: npt.ArrayLike, watched: npt.ArrayLike, sensitivity: float) -> float:
    """Find the largest threshold at which a class is missed no more often than wanted, among images that are known.

    Args:
        probabilities: of the class, float (images,); of images that the classifier was not trained on.
        watched: bool (images,), whether each image is of the class.
        sensitivity: wanted, in (0, 1].

    Returns:
        The threshold; at it the sensitivity among these images is at least that. Of other images it is as near as the
        number of these allows, which an evaluation on others tells.

    Raises:
        ParameterError: lengths differ, no image is of the class, or the sensitivity is none.

    >>> threshold_for([0.9, 0.6, 0.4, 0.8], [True, True, True, False], 0.6)
    0.6
    """
    found, of = np.asarray(probabilities, np.float64).ravel(), np.asarray(watched, bool).ravel()
    problems = []
    if found.size != of.size:
        problems.append(Problem("threshold_for", f"{found.size} probabilities of {of.size} images", "one for each"))
    elif not of.any():
        problems.append(Problem("threshold_for", "no image of the class", "at least one"))
    if not 0 < sensitivity <= 1:
        problems.append(Problem("threshold_for.sensitivity", repr(sensitivity), "a share in (0, 1]"))
    refuse(ParameterError, problems)
    largest_first = np.sort(found[of])[::-1]
    needed = math.ceil(sensitivity * largest_first.size - 1e-9)
    return float(largest_first[needed - 1])
