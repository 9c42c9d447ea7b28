"""Error rates of verification from genuine and impostor scores, each with a Clopper-Pearson interval.

A pair *matches* when its score is at least the threshold. Of impostor pairs (two people) that is a false match, of
genuine pairs (one person) anything else is a false non-match. Intervals hold for pairs that are drawn independently;
pairs of a few people are not, so that true intervals are wider.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.validation import real_values

Floats = npt.NDArray[np.float64]
CONFIDENCE = 0.95


def clopper_pearson(hits: int, tries: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Give the exact two-sided interval of a proportion.

    Guarantee: whatever the true proportion is, the interval holds it with at least this probability, for independent
    tries. Reference: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", 1934, doi:10.1093/biomet/26.4.404.

    Args:
        hits: how many tries counted.
        tries: how many there were, at least 1.
        confidence: probability in (0, 1).

    Returns:
        Lower and upper end.

    Raises:
        ParameterError: more hits than tries, no tries, or a confidence that is none.

    >>> [round(bound, 3) for bound in clopper_pearson(8, 10)]
    [0.444, 0.975]
    """
    from scipy.special import betaincinv

    problems = []
    if not 0 <= hits <= tries or tries < 1:
        problems.append(Problem("clopper_pearson", f"{hits} hits of {tries}", "0 to as many as there are tries"))
    if not 0 < confidence < 1:
        problems.append(Problem("clopper_pearson.confidence", repr(confidence), "a probability between 0 and 1"))
    refuse(ParameterError, problems)
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, tries - hits + 1, tail))
    high = 1.0 if hits == tries else float(betaincinv(hits + 1, tries - hits, 1 - tail))
    return low, high


@dataclass(frozen=True)
class Rate:
    """A measured proportion and what it says of the true one.

    Args:
        value: in [0, 1].
        interval: Clopper-Pearson, 95 %.
        threshold: score at which it was measured.
    """

    value: float
    interval: tuple[float, float]
    threshold: float


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """Scores of pairs of which it is known whether they are one person's.

    Args:
        genuine: scores of pairs of one person, at least 1.
        impostor: scores of pairs of two people, at least 1.

    Raises:
        ParameterError: no scores on one side, or scores that are no finite numbers.

    >>> rates = ErrorRates(np.array([0.9, 0.8, 0.3]), np.array([0.1, 0.2, 0.35, 0.0]))
    >>> round(rates.equal_error.value, 3), round(rates.true_accepts(0.01).value, 3)
    (0.292, 0.667)
    """

    genuine: Floats = field(repr=False)
    impostor: Floats = field(repr=False)

    def __post_init__(self) -> None:
        problems = []
        for name in ("genuine", "impostor"):
            values = real_values(f"ErrorRates.{name}", getattr(self, name)).reshape(-1)
            if not values.size or not np.isfinite(values).all():
                got = "no pair" if not values.size else "scores that are not finite"
                remedy = "take several people, and at least two images of one of them"
                problems.append(Problem(f"ErrorRates.{name}", got, "at least one finite score", remedy))
            object.__setattr__(self, name, np.sort(values))
        refuse(ParameterError, problems)

    @property
    def equal_error(self) -> Rate:
        """Where as many impostors are accepted as genuine pairs are rejected, in shares of both.

        The true rate lies between both true rates at any threshold, so that its interval is what theirs (97.5 % each)
        hold together.
        """
        places = np.unique(np.concatenate([self.genuine, self.impostor]))
        falsely, missed = self.false_matches(places), self.false_non_matches(places)
        nearest = int(np.argmin(np.abs(falsely - missed)))
        sides = (
            (round(falsely[nearest] * self.impostor.size), self.impostor.size),
            (round(missed[nearest] * self.genuine.size), self.genuine.size),
        )
        bounds = [clopper_pearson(hits, tries, 1 - (1 - CONFIDENCE) / 2) for hits, tries in sides]
        value = float(falsely[nearest] + missed[nearest]) / 2
        return Rate(value, (min(low for low, _ in bounds), max(high for _, high in bounds)), float(places[nearest]))

    def true_accepts(self, false_accepts: float) -> Rate:
        """Measure how many genuine pairs match where at most a share of the impostors does.

        Args:
            false_accepts: that share, in [0, 1].

        Returns:
            The share of genuine pairs, at the lowest threshold that keeps to it.

        Raises:
            ParameterError: ``false_accepts`` is no share.
        """
        if not 0 <= false_accepts <= 1:
            raise ParameterError(Problem("true_accepts.false_accepts", repr(false_accepts), "a share from 0 to 1"))
        allowed = int(np.floor(false_accepts * self.impostor.size + 1e-9))
        beyond = self.impostor[self.impostor.size - allowed - 1] if allowed < self.impostor.size else -np.inf
        hits = int((self.genuine > beyond).sum())
        interval = clopper_pearson(hits, self.genuine.size)
        return Rate(hits / self.genuine.size, interval, float(np.nextafter(beyond, np.inf)))

    def supports(self, false_accepts: float) -> bool:
        """Tell whether there are enough impostor pairs for a share: a single one would not exceed it.

        Args:
            false_accepts: the share.

        Returns:
            Whether there are at least ``1 / false_accepts`` pairs.
        """
        return self.impostor.size * false_accepts >= 1 - 1e-9

    def false_matches(self, thresholds: npt.ArrayLike) -> Floats:
        """Measure the share of impostor pairs that match.

        Args:
            thresholds: any number of scores.

        Returns:
            A share for each.
        """
        return self._at_least(self.impostor, thresholds)

    def false_non_matches(self, thresholds: npt.ArrayLike) -> Floats:
        """Measure the share of genuine pairs that do not match.

        Args:
            thresholds: any number of scores.

        Returns:
            A share for each.
        """
        return 1 - self._at_least(self.genuine, thresholds)

    @staticmethod
    def _at_least(scores: Floats, thresholds: Any) -> Floats:
        below = np.searchsorted(scores, np.asarray(thresholds, np.float64), side="left")
        return np.asarray((scores.size - below) / scores.size, np.float64)
