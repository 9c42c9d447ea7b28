"""What scores mean: names of classes, probabilities, values; decided by whoever they are revealed to.

======================  ===================================  ======================================================
link                    probabilities                        decision
======================  ===================================  ======================================================
`Link.SOFTMAX`          exp(score) over the sum of all       the class of the largest score, the first of equal ones;
`Link.LOGISTIC`         1 / (1 + exp(-score)), over the sum  of two classes with one score the second one where the
`Link.LARGEST`          none                                 score is above 0
`Link.VALUES`           none                                 none: the scores are values, as of a regression
======================  ===================================  ======================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem

Floats = npt.NDArray[np.float64]


class Link(Enum):
    """How probabilities and a decision follow from scores."""

    SOFTMAX = "softmax"
    LOGISTIC = "logistic"
    LARGEST = "largest"
    VALUES = "values"


class Revealed(Enum):
    """What the program reveals: all scores, or the number of the class alone, decided on hidden values."""

    SCORES = "scores"
    CLASS = "class"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the owner reads from revealed scores.

    Args:
        labels: name of the class of every row; empty for a regression.
        scores: float64 (rows, scores); None where only the class was revealed.
        probabilities: float64 (rows, classes); None where the head has none.
    """

    labels: tuple[str, ...]
    scores: Floats | None = None
    probabilities: Floats | None = None


def decided(
    classes: tuple[str, ...], width: int, link: Link, revealed: npt.NDArray[np.floating], answer: Revealed
) -> Predictions:
    """Read what was revealed of ``width`` scores for a row.

    Args:
        classes: names, one for each score, or two for one score.
        width: scores of a row.
        link: how probabilities and the decision follow from them.
        revealed: scores (rows, width), or with ``Revealed.CLASS`` numbers of classes (rows, 1).
        answer: what was revealed.

    Returns:
        Names of classes, and probabilities where the link gives some.

    Raises:
        ParameterError: ``revealed`` is of another shape.

    >>> decided(("no", "yes"), 1, Link.LARGEST, np.array([[0.0], [2.0]]), Revealed.SCORES).labels
    ('no', 'yes')
    """
    found = np.asarray(revealed, np.float64)
    columns = width if answer is Revealed.SCORES else 1
    if found.ndim != 2 or found.shape[1] != columns:
        raise ParameterError(Problem("decide", f"shape {found.shape}", f"(rows, {columns}), as was revealed"))
    if answer is Revealed.CLASS:
        return Predictions(tuple(classes[round(number)] for number in found[:, 0]))
    if link is Link.VALUES:
        return Predictions((), found)
    numbers = found.argmax(1) if width > 1 else (found[:, 0] > 0).astype(int)
    return Predictions(tuple(classes[number] for number in numbers), found, probabilities(link, found))


def probabilities(link: Link, scores: Floats) -> Floats | None:
    """Probabilities of classes, float64 (rows, classes), from scores (rows, scores); None where the link gives none."""
    if link not in (Link.SOFTMAX, Link.LOGISTIC):
        return None
    both = np.concatenate([-scores, scores], 1) if scores.shape[1] == 1 else scores
    logarithms = (
        both if link is Link.SOFTMAX else -np.logaddexp(0.0, -both)
    )  # far scores: no share vanishes beside others
    shares = np.exp(logarithms - logarithms.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)
