"""One vector of all enrolled images of a person: their mean, whatever their order and however often one is listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Enrolled:
    """The mean vector of one person, float32 (d,), and the records that it is the mean of, sorted, each once."""

    subject: str
    records: tuple[str, ...]
    mean: npt.NDArray[np.float32]


def enrolled(values: npt.NDArray[Any], records: Sequence[str], subjects: Sequence[str]) -> list[Enrolled]:
    """Take the mean of every person's vectors: a public function of all of them, and of nobody else's.

    Sums are taken in double precision in the order of the records' names, so that a mean is the same on every machine.
    A record that is listed several times counts once.

    Args:
        values: (n, d); rows of one record are equal.
        records: of every row.
        subjects: of every row.

    Returns:
        One per person, in the order in which people come first.

    >>> people = enrolled(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32), ["a", "b", "a"], ["ann"] * 3)
    >>> [(one.subject, one.records, one.mean.tolist()) for one in people]
    [('ann', ('a', 'b'), [0.5, 0.5])]
    """
    own: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for row, record, subject in zip(values, records, subjects, strict=True):
        own.setdefault(subject, {})[record] = row
    return [_mean(subject, rows) for subject, rows in own.items()]


def _mean(subject: str, rows: dict[str, npt.NDArray[Any]]) -> Enrolled:
    names = tuple(sorted(rows))
    total = reduce(add, (rows[name].astype(np.float64) for name in names))
    return Enrolled(subject, names, (total / len(names)).astype(np.float32) + np.float32(0))
