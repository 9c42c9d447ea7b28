"""All pairs of pictures decided by a matcher that does not see them, beside the same in the clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.estimators.faces.evaluation import FaceEvaluation
from privis.estimators.faces.face_comparison import FaceComparison
from privis.tasks.matches import Decision
from privis.tasks.questions import Claim


@runtime_checkable
class DecidesPairs(Protocol):
    """Templates that many pairs are decided about at once."""

    def pair_decisions(
        self, queries: NDArray[Any], pairs: NDArray[np.integer], threshold: float, gap: float
    ) -> NDArray[np.int8]:
        """Decide pairs of a row of ``queries`` and a template.

        Args:
            queries: (queries, components), of any length but zero.
            pairs: (pairs, 2), rows of both.
            threshold: least cosine of a match.
            gap: distance from it inside which a pair may be undecided.

        Returns:
            Values of `Decision` (pairs,).
        """
        ...


@dataclass(frozen=True)
class HiddenDecisions:
    """What a matcher decides about all pairs, beside exact cosines.

    Args:
        matcher: its name.
        threshold: of the stated rate, raised by the gap.
        gap: distance from it inside which a pair may be undecided, or decided either way.
        pairs: how many there are.
        inside: those inside the gap.
        undecided: those that the matcher left undecided.
        different: pairs outside the gap with another decision than in the clear; 0 is right.
    """

    matcher: str
    threshold: float
    gap: float
    pairs: int
    inside: int
    undecided: int
    different: int


def decided_hidden(comparison: FaceComparison, measured: FaceEvaluation) -> HiddenDecisions:
    """Decide every pair of usable pictures once, by the matcher of a comparison.

    Args:
        comparison: with the matcher, and the false-match rate whose threshold is decided at.
        measured: the pictures' vectors.

    Returns:
        How many decisions are those in the clear.

    Raises:
        ParameterError: no calibration for this rate.
    """
    rows = measured.rows.astype(np.float64)
    pairs = np.stack(np.triu_indices(len(rows), 1), 1)
    threshold, gap = comparison.threshold(rows.shape[1], len(rows))
    cosines = (rows @ rows.T)[tuple(pairs.T)]
    with comparison.matcher.holding(rows) as held:
        if isinstance(held, DecidesPairs):
            found = held.pair_decisions(rows, pairs, threshold, gap)
        else:
            answered = held.ask(Claim(threshold, gap), rows[pairs[:, 0]], pairs[:, 1].tolist()).decisions
            assert answered is not None
            found = answered
    outside = np.abs(cosines - threshold) >= gap
    different = int((found != (cosines >= threshold))[outside].sum())
    undecided = int((found == Decision.UNDECIDED).sum())
    counts = len(pairs), int((~outside).sum()), undecided, different
    return HiddenDecisions(comparison.matcher.name, threshold, gap, *counts)
