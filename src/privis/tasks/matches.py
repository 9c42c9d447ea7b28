"""What a question is answered with, whoever computed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privis.tasks.questions import Question


class Decision(IntEnum):
    """Whether something matches.

    ``UNDECIDED`` is no weak yes: a cosine lies inside the gap of a question that was answered approximately, or more
    templates match than an answer holds.
    """

    REJECTED = 0
    ACCEPTED = 1
    UNDECIDED = 2


@dataclass(frozen=True)
class Matches:
    """The answer, one row per query; what was not asked for is None.

    Args:
        question: What was asked.
        indices: Rows of the gallery (queries, count or most); -1 where there is none.
        cosines: Their cosines (queries, count); NaN where there is none.
        decisions: Values of `Decision` (queries,), of every question with a threshold: whether anything matches.
        counts: How many templates match (queries,). -1: undecided; of `AllAbove` and `Payload` ``most + 1``: more than
            ``most``.
        payloads: Payloads of those that match (queries, most, width); -1 where there is none.
    """

    question: Question
    indices: NDArray[np.int64] | None = None
    cosines: NDArray[np.float64] | None = None
    decisions: NDArray[np.int8] | None = None
    counts: NDArray[np.int64] | None = None
    payloads: NDArray[np.int64] | None = None

    @property
    def found(self) -> NDArray[np.bool_] | None:
        """Whether anything certainly matches (queries,), of every question with a threshold."""
        return None if self.decisions is None else self.decisions == Decision.ACCEPTED


def joined_matches(parts: Sequence[Matches]) -> Matches:
    """Put answers to one question about several lots of queries one after another.

    Args:
        parts: at least one answer.

    Returns:
        The answer about all of their queries, in order.
    """
    first = parts[0]
    names = [each.name for each in fields(Matches) if each.name != "question" and getattr(first, each.name) is not None]
    return Matches(first.question, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def decided(accepted: ArrayLike, undecided: ArrayLike | None = None) -> NDArray[np.int8]:
    """Turn what matches into decisions.

    Args:
        accepted: Booleans, of any shape: what matches.
        undecided: What nothing is said of; None: nothing.

    Returns:
        Values of `Decision`, of the shape of ``accepted``.
    """
    made = np.where(accepted, Decision.ACCEPTED, Decision.REJECTED)
    return (made if undecided is None else np.where(undecided, Decision.UNDECIDED, made)).astype(np.int8)
