"""How good tracks are, beside tracks that are known: MOTA and MOTP, IDF1, switches.

References: Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance: the CLEAR MOT metrics", 2008,
doi:10.1155/2008/246309; Ristani et al., "Performance measures and a data set for multi-target, multi-camera tracking",
2016, arXiv:1609.01775.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privis.errors import ParameterError, Problem
from privis.tasks.detection.boxes import overlaps
from privis.tasks.tracking.assignment import cheapest_pairs
from privis.tasks.tracking.tracks import Tracks

OVERLAP = 0.5
"""Intersection over union from which a box is somebody's, of the MOT challenge."""


@dataclass(frozen=True)
class TrackingQuality:
    """Counts of what a tracker got right and wrong, and the measures made of them.

    Args:
        truth: boxes that are known.
        matched: of them found.
        false_positives: boxes that are nobody's.
        switches: times that somebody's id was another than before.
        overlap: mean intersection over union of what was found.
        same_identity: boxes found with the id that is best for the whole video.
        found: boxes of the tracker.
        people: ids of the tracker.
        true_people: ids that are known.
    """

    truth: int
    matched: int
    false_positives: int
    switches: int
    overlap: float
    same_identity: int
    found: int
    people: int
    true_people: int

    @property
    def missed(self) -> int:
        """Boxes that are known and were not found."""
        return self.truth - self.matched

    @property
    def mota(self) -> float:
        """Multiple object tracking accuracy: 1 less the share of misses, false boxes and switches; may be below 0."""
        return 1 - (self.missed + self.false_positives + self.switches) / self.truth if self.truth else float("nan")

    @property
    def idf1(self) -> float:
        """Harmonic mean of how much of people, and of ids, is one identity; in [0, 1]."""
        total = self.truth + self.found
        return 2 * self.same_identity / total if total else float("nan")


def tracking_quality(truth: Tracks, found: Tracks, overlap: float = OVERLAP) -> TrackingQuality:
    """Compare tracks with those that are known.

    A box that was somebody's in the frame before stays so while both overlap enough; all others are paired so that as
    many as can be are, with the largest overlap. For identities every person gets at most one id, and every id one
    person, so that most boxes agree.

    Args:
        truth: tracks that are known.
        found: those of the tracker, of the same frames.
        overlap: intersection over union from which a box is somebody's, in (0, 1].

    Returns:
        The counts and measures.

    Raises:
        ParameterError: ``overlap`` is outside (0, 1].

    >>> truth = Tracks([1, 2, 3], [1, 1, 1], [[0, 0, 4, 8]] * 3, [1, 1, 1], [0, 1, 2])
    >>> found = Tracks([1, 2, 3], [5, 6, 6], [[0, 0, 4, 8]] * 3, [1, 1, 1], [0, 1, 2])
    >>> quality = tracking_quality(truth, found)
    >>> quality.switches, round(quality.mota, 3), round(quality.idf1, 3)
    (1, 0.667, 0.667)
    """
    if not 0 < overlap <= 1:
        raise ParameterError(Problem("overlap", str(overlap), "an intersection over union, in (0, 1]"))
    people, ids = truth.people, found.people
    together = np.zeros((len(people), len(ids)), np.int64)  # frames in which both overlap enough
    owner: dict[int, int] = {}  # by person the id that it had last
    before: dict[int, int] = {}  # of the frame before
    matched = switches = 0
    shared = 0.0
    for frame in np.unique(np.concatenate([truth.frames, found.frames])):
        ours, theirs = truth[truth.frames == frame], found[found.frames == frame]
        common = overlaps(ours.boxes, theirs.boxes)
        enough = common >= overlap
        rows, columns = np.nonzero(enough)
        together[np.searchsorted(people, ours.ids[rows]), np.searchsorted(ids, theirs.ids[columns])] += 1
        numbers = {int(each): column for column, each in enumerate(theirs.ids)}
        pairs = [
            (row, numbers[before[int(who)]])
            for row, who in enumerate(ours.ids)
            if before.get(int(who)) in numbers and enough[row, numbers[before[int(who)]]]
        ]
        kept_rows, kept_columns = {row for row, _ in pairs}, {column for _, column in pairs}
        costs = np.where(enough, 1 - common, np.inf)
        costs[list(kept_rows)] = np.inf
        costs[:, list(kept_columns)] = np.inf
        pairs += cheapest_pairs(costs, 1.0)
        now = {int(ours.ids[row]): int(theirs.ids[column]) for row, column in pairs}
        switches += sum(who in owner and owner[who] != each for who, each in now.items())
        owner |= now
        before = {**{who: each for who, each in before.items() if who not in now}, **now}
        matched += len(pairs)
        shared += float(sum(common[row, column] for row, column in pairs))
    same = sum(int(together[row, column]) for row, column in cheapest_pairs(-together, np.inf))
    return TrackingQuality(
        len(truth), matched, len(found) - matched, switches, shared / matched if matched else float("nan"),
        same, len(found), len(ids), len(people),
    )  # fmt: skip
