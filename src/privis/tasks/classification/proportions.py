"""Proportions with intervals: exact where tries are independent, wider where several are of one patient."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.verification.error_rates import CONFIDENCE, clopper_pearson

EXACT, BY_PATIENT = "clopper-pearson", "wilson by patient"
NORMAL = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Proportion:
    """A share of tries with its 95 % interval.

    Args:
        hits: tries that counted.
        tries: all of them; 0: nothing is known, and the value is NaN.
        interval: lower and upper end.
        method: how the interval was made.
        patients: groups of tries that are independent of each other.
    """

    hits: int
    tries: int
    interval: tuple[float, float]
    method: str
    patients: int

    @property
    def value(self) -> float:
        """The share, in [0, 1]."""
        return self.hits / self.tries if self.tries else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON: a share of nothing is null."""
        value = self.value if self.tries else None
        return {"value": value, "interval": list(self.interval), "hits": self.hits, "of": self.tries}


def proportion_of(hits: npt.ArrayLike, patients: Sequence[Hashable] | None = None) -> Proportion:
    """Estimate a share and its 95 % interval.

    Without several tries of one patient the interval is Clopper and Pearson's, which holds the true share with at least
    95 % for independent tries. With several it is Wilson's for as many tries as would tell equally much if they were
    independent (the design effect of Rao and Scott, doi:10.2307/2532311, never below 1): approximate, and for few
    patients too short. Where all tries count, or none, each patient is one try.

    Args:
        hits: bool (tries,).
        patients: whose each try is; None: each of its own.

    Returns:
        The share.

    Raises:
        ParameterError: lengths differ.

    >>> several = proportion_of([True] * 8 + [False] * 2)
    >>> [round(end, 3) for end in several.interval]
    [0.444, 0.975]
    >>> proportion_of([True] * 8 + [False] * 2, ["ann"] * 8 + ["bob"] * 2).method
    'wilson by patient'
    """
    counted = np.asarray(hits, bool).ravel()
    if patients is not None and len(patients) != counted.size:
        expected = f"{counted.size}, one for each try"
        refuse(ParameterError, [Problem("proportion_of.patients", f"{len(patients)} values", expected)])
    tries, total = counted.size, int(counted.sum())
    if not tries:
        return Proportion(0, 0, (0.0, 1.0), EXACT, 0)
    codes = np.arange(tries) if patients is None else _codes(patients)
    groups = int(codes.max()) + 1
    if groups == tries:
        return Proportion(total, tries, clopper_pearson(total, tries, CONFIDENCE), EXACT, tries)
    sizes, found = np.bincount(codes), np.bincount(codes, counted)
    return Proportion(total, tries, wilson_interval(total / tries, _effective(sizes, found)), BY_PATIENT, groups)


def _codes(patients: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(each, len(numbers)) for each in patients])


def _effective(sizes: npt.NDArray[np.int64], found: npt.NDArray[np.float64]) -> float:
    """How many independent tries would tell as much."""
    groups, tries = sizes.size, float(sizes.sum())
    share = found.sum() / tries
    if groups == 1 or share in (0.0, 1.0):
        return float(groups)
    variance = groups / (groups - 1) * ((found - share * sizes) ** 2).sum() / tries**2
    return tries / max(1.0, variance / (share * (1 - share) / tries))


def wilson_interval(share: float, tries: float) -> tuple[float, float]:
    """Give Wilson's 95 % interval, doi:10.1080/01621459.1927.10502953.

    Args:
        share: of tries that counted.
        tries: how many, above 0; the number need not be whole.

    Returns:
        Lower and upper end.

    >>> [round(end, 3) for end in wilson_interval(0.5, 10)]
    [0.237, 0.763]
    """
    square = NORMAL**2 / tries
    middle = (share + square / 2) / (1 + square)
    half = NORMAL / (1 + square) * math.sqrt(share * (1 - share) / tries + square / (4 * tries))
    return max(0.0, middle - half), min(1.0, middle + half)
