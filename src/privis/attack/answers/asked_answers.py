"""How many answers an attack takes until half of its targets fall, and how long a client waits for so many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import AnswerLimitError
from privis.privacy.answers.answer_limits import Allowance
from privis.tasks.verification.error_rates import clopper_pearson

HALF = 0.5
CONFIDENCE = 0.95
HOURS_OF_A_YEAR = 8766


@dataclass(frozen=True, eq=False)
class AnswersGot:
    """What an oracle said before it refused, or before the questions ran out.

    Args:
        answers: (questions, templates) scores, or whether each was accepted.
        refusal: why it refused the next question; None: it answered all.
    """

    answers: NDArray[Any] = field(repr=False)
    refusal: AnswerLimitError | None = None


def answers_got(ask: Callable[[NDArray[Any]], NDArray[Any]], questions: Iterable[NDArray[Any]]) -> AnswersGot:
    """Ask until the oracle refuses for its answer limits.

    Args:
        ask: gives (templates,) of a query (components,).
        questions: queries.

    Returns:
        All answers, and the refusal.

    >>> answers_got(lambda query: np.eye(2) @ query, np.eye(2)).answers.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    found: list[NDArray[Any]] = []
    for question in questions:
        try:
            found.append(np.asarray(ask(question)))
        except AnswerLimitError as error:
            return AnswersGot(np.array(found), error)
    return AnswersGot(np.array(found))


@dataclass(frozen=True)
class NeededAnswers:
    """Answers until half of the targets have fallen.

    Args:
        count: the fewest; infinity where not even the most that were tried do it.
        interval: fewest and most at 95 %, by Clopper and Pearson's interval of the share at each count.
        tried: the most that were tried.
    """

    count: float
    interval: tuple[float, float]
    tried: int

    @property
    def words(self) -> str:
        """The count for a sentence."""
        return f"{self.count:,.0f}" if math.isfinite(self.count) else f"more than {self.tried:,}"


def needed_answers(fallen: NDArray[np.bool_], counts: Iterable[int] | None = None) -> NeededAnswers:
    """Find the fewest answers after which half of the targets have fallen.

    Args:
        fallen: (counts, targets) whether each has fallen after so many answers.
        counts: of answers, rising; None: 1, 2, 3, ...

    Returns:
        The count, with its interval.

    >>> needed_answers(np.tri(4, 3, dtype=bool)).count
    2
    """
    after = list(range(1, len(fallen) + 1)) if counts is None else list(counts)
    targets = fallen.shape[1]
    hits = fallen.sum(1)
    ends = {int(hit): clopper_pearson(int(hit), targets, CONFIDENCE) for hit in np.unique(hits)}

    def first(reached: Callable[[int], bool]) -> float:
        return next((count for count, hit in zip(after, hits, strict=True) if reached(int(hit))), math.inf)

    least, most = first(lambda hit: ends[hit][1] >= HALF), first(lambda hit: ends[hit][0] >= HALF)
    return NeededAnswers(first(lambda hit: hit >= HALF * targets), (least, most), after[-1])


def years_for(answers: float, allowed: Allowance, names: int = 1) -> float:
    """Tell how long clients wait for so many answers about a template.

    Args:
        answers: that are needed.
        allowed: to one client.
        names: of clients who do it together.

    Returns:
        Years; infinity where the limit in total comes first, which nothing but its operator lifts; 0 where nothing
        is limited.

    >>> years_for(16, Allowance(1, 4)), round(years_for(8766, Allowance(1)), 6)
    (inf, 1.0)
    """
    each = answers / names
    if not math.isfinite(each) or (allowed.total is not None and each > allowed.total):
        return math.inf
    if allowed.per_hour is None:
        return 0.0
    return math.ceil(each / allowed.per_hour) / HOURS_OF_A_YEAR
