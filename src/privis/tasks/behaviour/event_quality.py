"""How many events are found, and how many of those that are found are some: against annotated tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from privis.tasks.behaviour.track_events import TrackEvent
from privis.tasks.classification.proportions import Proportion, proportion_of
from privis.tasks.tracking.assignment import cheapest_pairs
from privis.tasks.tracking.tracks import Tracks

NEAR = 1.0
"""Body heights between the feet of who did it and of who is said to have done it, at most, at the median moment."""


@dataclass(frozen=True)
class EventQuality:
    """What is right about events.

    Args:
        recall: share of the true ones that are found.
        precision: share of those that are found that are true ones.
        pairs: numbers of true and found events that are the same.
    """

    recall: Proportion
    precision: Proportion
    pairs: tuple[tuple[int, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {"recall": self.recall.to_dict(), "precision": self.precision.to_dict()}


def event_quality(
    true: Sequence[TrackEvent],
    true_tracks: Tracks,
    found: Sequence[TrackEvent],
    tracks: Tracks,
    tolerance: float = 1.0,
) -> EventQuality:
    """Pair events with true ones: of one kind and place, at one time, of people who stand together.

    Each is paired at most once, so that one event in two pieces is one right and one wrong. Intervals are Clopper and
    Pearson's and take events for independent.

    Args:
        true: events of annotated tracks.
        true_tracks: those tracks.
        found: events of other tracks of the same video.
        tracks: those.
        tolerance: seconds by which both may miss each other.

    Returns:
        Recall and precision.
    """
    costs = np.full((len(true), len(found)), np.inf)
    for row, left in enumerate(true):
        for column, right in enumerate(found):
            if (left.kind, left.place) == (right.kind, right.place):
                apart = max(0.0, right.start - left.end, left.start - right.end)
                if apart <= tolerance:
                    between = _distance(left, true_tracks.of(left.person), right, tracks.of(right.person), tolerance)
                    costs[row, column] = between if between <= NEAR else np.inf
    pairs = tuple(cheapest_pairs(costs, NEAR))
    hit, right = {row for row, _ in pairs}, {column for _, column in pairs}
    recall = proportion_of([number in hit for number in range(len(true))])
    precision = proportion_of([number in right for number in range(len(found))])
    return EventQuality(recall, precision, pairs)


def _distance(left: TrackEvent, own: Tracks, right: TrackEvent, other: Tracks, tolerance: float) -> float:
    """Body heights between two people at the median of the moments at which both are seen, around both events."""
    start, end = max(left.start, right.start) - tolerance, min(left.end, right.end) + tolerance
    moments = own.times[(own.times >= start) & (own.times <= end)]
    if len(other):
        moments = moments[(moments >= other.times[0]) & (moments <= other.times[-1])]
    if not len(moments) or not len(other):
        return np.inf
    at = np.stack([np.interp(moments, other.times, other.feet[:, axis]) for axis in (0, 1)], 1)
    here = np.stack([np.interp(moments, own.times, own.feet[:, axis]) for axis in (0, 1)], 1)
    heights = np.interp(moments, own.times, own.boxes[:, 3])
    return float(np.median(np.linalg.norm(at - here, axis=1) / np.maximum(heights, 1e-9)))
