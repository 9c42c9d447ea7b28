"""Who is who: the cheapest pairing of tracks and detections, in two rounds, the surer detections first.

References: Bewley et al., "Simple online and realtime tracking", 2016, arXiv:1602.00763 (Kalman filter and Hungarian
method); Zhang et al., "ByteTrack: multi-object tracking by associating every detection box", 2021, arXiv:2110.06864
(the second round with what is less sure).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pairs = list[tuple[int, int]]
FAR = 1e6


def cheapest_pairs(costs: npt.ArrayLike, most: float) -> Pairs:
    """Pair rows with columns so that as many as can be are paired, at the least cost.

    Args:
        costs: (n, m); infinite where a pair is impossible.
        most: cost above which two are no pair.

    Returns:
        Numbers of rows and columns, by rising row.

    >>> cheapest_pairs([[1.0, 9.0], [2.0, 1.5], [3.0, 0.1]], most=5.0)
    [(0, 0), (2, 1)]
    """
    from scipy.optimize import linear_sum_assignment

    given = np.asarray(costs, np.float64)
    if given.ndim != 2 or not given.size:
        return []
    allowed = given <= most
    rows, columns = linear_sum_assignment(np.where(allowed, given, FAR))
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if allowed[row, column]]


def two_round_pairs(costs: npt.ArrayLike, sure: npt.ArrayLike, most: float, most_unsure: float) -> Pairs:
    """Pair tracks with the surer detections, and those that are left with the others.

    Args:
        costs: (tracks, detections).
        sure: (detections,): whether each is of the first round.
        most: cost above which two are no pair, in the first round.
        most_unsure: in the second one.

    Returns:
        Numbers of tracks and detections, by rising track.

    >>> two_round_pairs([[0.1, 0.5], [0.1, 2.0]], [False, True], 3.0, 1.0)
    [(0, 1), (1, 0)]
    """
    given, first = np.asarray(costs, np.float64), np.asarray(sure, bool)
    if given.ndim != 2 or not given.size:
        return []
    surer, others = np.nonzero(first)[0], np.nonzero(~first)[0]
    pairs = [(row, int(surer[column])) for row, column in cheapest_pairs(given[:, surer], most)]
    taken = {row for row, _ in pairs}
    left = np.array([row for row in range(len(given)) if row not in taken], np.int64)
    rest = cheapest_pairs(given[np.ix_(left, others)], most_unsure)
    return sorted(pairs + [(int(left[row]), int(others[column])) for row, column in rest])
