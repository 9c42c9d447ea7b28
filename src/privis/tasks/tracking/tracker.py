"""The tracker: detections of one frame after another become people with ids, a few seconds later.

What is known a few seconds later makes better tracks: who is lost behind somebody or something and found again keeps
the id, the places between are filled in, what was seen for a moment only is left out. So rows of a frame are given out
`TrackerPlan.delay` seconds after it, and memory is bounded by the people of that time, however long a video is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.tracking.assignment import cheapest_pairs, two_round_pairs
from privis.tasks.tracking.finding.appearance import appearance_distances
from privis.tasks.tracking.motion_model import FootMotion, MotionPlan
from privis.tasks.tracking.tracks import Tracks

Floats = npt.NDArray[np.float64]
GATE = 9.21
"""The squared Mahalanobis distance that one detection in a hundred exceeds: chi squared of two degrees."""
MISSED = 2.5
"""Frames without a detection that a track goes on for at least."""


@dataclass(frozen=True)
class TrackerPlan:
    """When detections are one person.

    Args:
        sure: score from which a detection begins a track and is paired in the first round.
        appearance_weight: of the distance of appearances, in squared standard deviations.
        patience: seconds that a track goes on without a detection, on its velocity.
        longest_gap: seconds after which somebody is not found again.
        gap_distance: heights that somebody who is found again may be away from where the track led, …
        gap_speed: … and more by each second of the gap.
        gap_appearance: largest distance of appearances of one person before and after a gap, in [0, 1].
        shortest: seconds that somebody must be seen, …
        fewest: … and frames. Where frames are far apart, patience and delay are as many of them as they need.
        smoothing: seconds over which places are averaged.
        motion: what people do between frames.
    """

    sure: float = 0.35
    appearance_weight: float = 4.0
    patience: float = 0.8
    longest_gap: float = 3.0
    gap_distance: float = 0.6
    gap_speed: float = 0.6
    gap_appearance: float = 0.6
    shortest: float = 0.5
    fewest: int = 4
    smoothing: float = 0.3
    motion: MotionPlan = MotionPlan()

    @property
    def delay(self) -> float:
        """Seconds between a frame and its rows, where frames are not far apart."""
        return self.longest_gap + 2 * self.shortest + self.patience


@dataclass(eq=False)
class _Person:
    """One track: its filter, and what was seen of it that is not given out yet."""

    motion: FootMotion
    size: Floats  # width and height in pixels
    appearance: Floats
    id: int | None = None
    frames: deque[int] = field(default_factory=deque)
    times: deque[float] = field(default_factory=deque)
    boxes: deque[Floats] = field(default_factory=deque)
    scores: deque[float] = field(default_factory=deque)
    seen: int = 0
    first: float = 0.0
    searched: bool = False

    def add(self, frame: int, time: float, box: Floats, score: float) -> None:
        if not self.seen:
            self.first = time
        self.seen += 1
        self.frames.append(frame)
        self.times.append(time)
        self.boxes.append(box)
        self.scores.append(score)

    @property
    def last(self) -> float:
        return self.times[-1]


class Tracker:
    """Follow people through the frames of one camera.

    Args:
        plan: when detections are one person.

    >>> tracker = Tracker()
    >>> for n in range(20):
    ...     _ = tracker.update(n / 10, DetectedBoxes([[10.0 + n, 20, 20, 50]], [0.9], "person"))
    >>> tracks = tracker.finish()
    >>> len(tracks), tracks.people.tolist(), tracks.frames[[0, -1]].tolist()
    (20, [1], [1, 20])
    """

    def __init__(self, plan: TrackerPlan = TrackerPlan()) -> None:
        self._plan = plan
        self._live: list[_Person] = []
        self._lost: list[_Person] = []
        self._waiting: deque[tuple[int, float]] = deque()  # frames that are not given out
        self._frame = 0
        self._time: float | None = None
        self._named = 0
        self._period = 0.0  # between frames, in seconds

    def expected(self, time: float) -> Floats:
        """Where people should be at a time.

        Args:
            time: seconds from the start of the video, that of the next frame.

        Returns:
            (n, 2): feet, x and y in pixels.
        """
        since = 0.0 if self._time is None else time - self._time
        places = [p.motion.foot + p.motion.velocity * since for p in self._live if p.seen >= self._plan.fewest]
        return np.array(places).reshape(-1, 2)

    def update(self, time: float, found: DetectedBoxes, looks: npt.ArrayLike | None = None) -> Tracks:
        """Take in the detections of the next frame.

        Args:
            time: when it is shown, in seconds from the start of the video; rising.
            found: in it.
            looks: appearances of them (n, bins), as of `appearances`; None: unknown.

        Returns:
            Rows of earlier frames that are decided now.
        """
        plan = self._plan
        self._frame += 1
        since = 0.0 if self._time is None else max(time - self._time, 0.0)
        self._period = since if not self._period else 0.8 * self._period + 0.2 * since
        self._time = time
        self._waiting.append((self._frame, time))
        looks = np.zeros((len(found), 1)) if looks is None else np.asarray(looks, np.float64)
        for person in self._live:
            person.motion.advance(since)
        feet = found.boxes[:, :2] + found.boxes[:, 2:] * np.array([0.5, 1.0])
        pairs = two_round_pairs(self._costs(found, feet, looks), found.scores >= plan.sure, GATE + 2, GATE)
        for row, column in pairs:
            self._correct(self._live[row], time, found, feet, looks, column)
        taken = {column for _, column in pairs}
        for column in range(len(found)):
            if column not in taken and found.scores[column] >= plan.sure:
                motion = FootMotion(feet[column], float(found.boxes[column, 3]), plan.motion)
                person = _Person(motion, found.boxes[column, 2:].copy(), looks[column].copy())
                person.add(self._frame, time, found.boxes[column].copy(), float(found.scores[column]))
                self._live.append(person)
        self._retire(time)
        self._find_again(time)
        return self._decided(time - self._delay)

    def finish(self) -> Tracks:
        """Say that no frame follows.

        Returns:
            The rows of all frames that were not given out.
        """
        self._retire(np.inf)
        return self._decided(np.inf)

    @property
    def _delay(self) -> float:
        return max(self._plan.delay, (self._plan.fewest + 2 * MISSED) * self._period)

    def _costs(self, found: DetectedBoxes, feet: Floats, looks: Floats) -> Floats:
        if not self._live or not len(found):
            return np.zeros((len(self._live), len(found)))
        costs = np.empty((len(self._live), len(found)))
        for row, person in enumerate(self._live):
            away = feet - person.motion.foot
            costs[row] = np.einsum("ij,jk,ik->i", away, np.linalg.inv(person.motion.spread), away)
        known = np.stack([person.appearance for person in self._live])
        distances = appearance_distances(known, looks)
        return np.where(costs <= GATE, costs + self._plan.appearance_weight * (distances - 0.5), np.inf)

    def _correct(
        self, person: _Person, time: float, found: DetectedBoxes, feet: Floats, looks: Floats, column: int
    ) -> None:
        box, score = found.boxes[column], float(found.scores[column])
        person.motion.correct(feet[column], float(box[3]))
        person.size = 0.7 * person.size + 0.3 * box[2:]
        if looks[column].any() and score >= self._plan.sure:  # what is half hidden looks like whoever hides it
            mixed = 0.9 * person.appearance + 0.1 * looks[column] if person.appearance.any() else looks[column]
            person.appearance = mixed / max(float(np.linalg.norm(mixed)), 1e-12)
        person.add(self._frame, time, box.copy(), score)

    def _sure(self, person: _Person) -> bool:
        return person.seen >= self._plan.fewest and person.last - person.first >= self._plan.shortest

    def _retire(self, time: float) -> None:
        """Whom nothing was seen of for a while is lost; who was seen for a moment only never was."""
        patience, kept = max(self._plan.patience, MISSED * self._period), []
        for person in self._live:
            if time - person.last <= patience:
                kept.append(person)
            elif self._sure(person) or person.id is not None:
                self._lost.append(person)
        self._live = kept

    def _find_again(self, time: float) -> None:
        """Join tracks that are sure by now to whom was lost before they began."""
        plan = self._plan
        self._lost = [p for p in self._lost if time - p.last <= self._delay]
        new = [p for p in self._live if not p.searched and self._sure(p)]
        if not new:
            return
        for person in new:
            person.searched = True
        lost = [p for p in self._lost if p.last >= new[0].first - plan.longest_gap - self._delay]
        costs = np.full((len(lost), len(new)), np.inf)
        for row, before in enumerate(lost):
            for column, after in enumerate(new):
                costs[row, column] = self._gap_cost(before, after)
        for row, column in cheapest_pairs(costs, 1.0):
            before, after = lost[row], new[column]
            self._lost.remove(before)
            for name in ("frames", "times", "boxes", "scores"):
                getattr(after, name).extendleft(reversed(getattr(before, name)))
            after.id, after.first, after.seen = before.id, before.first, before.seen + after.seen

    def _gap_cost(self, before: _Person, after: _Person) -> float:
        """At most 1 for one person: the distance from where the track led, and that of appearances."""
        plan = self._plan
        gap = after.first - before.last
        if not 0 < gap <= plan.longest_gap:
            return np.inf
        start = after.boxes[0][:2] + after.boxes[0][2:] * np.array([0.5, 1.0])
        # the filter went on for as long as patience; people slow down where they are hidden
        last = before.boxes[-1][:2] + before.boxes[-1][2:] * np.array([0.5, 1.0])
        led = last + before.motion.velocity * min(gap, 1.0)
        away = float(np.hypot(*(start - led))) / float(after.size[1])
        looks = float(appearance_distances(before.appearance[None], after.appearance[None])[0, 0])
        if looks > plan.gap_appearance or away > plan.gap_distance + plan.gap_speed * gap:
            return np.inf
        return away / (plan.gap_distance + plan.gap_speed * gap) / 2 + looks / plan.gap_appearance / 2

    def _decided(self, until: float) -> Tracks:
        frames, ids, boxes, scores, times = [], [], [], [], []
        while self._waiting and self._waiting[0][1] <= until:
            frame, time = self._waiting.popleft()
            for person in (*self._lost, *self._live):
                if person.frames and person.frames[0] <= frame <= person.frames[-1] and self._sure_or_named(person):
                    if person.id is None:
                        self._named += 1
                        person.id = self._named
                    box, score = self._place(person, frame, time)
                    frames.append(frame)
                    ids.append(person.id)
                    boxes.append(box)
                    scores.append(score)
                    times.append(time)
            self._forget(time)
        if not frames:
            return Tracks.none()
        order = np.lexsort((ids, frames))
        made = (np.array(kept)[order] for kept in (frames, ids, boxes, scores, times))
        return Tracks(*made)

    def _sure_or_named(self, person: _Person) -> bool:
        return person.id is not None or self._sure(person)

    def _forget(self, time: float) -> None:
        """Drop what no later frame is smoothed with."""
        for person in (*self._lost, *self._live):
            while len(person.times) > 1 and person.times[1] < time - 2 * self._plan.smoothing:
                for kept in (person.frames, person.times, person.boxes, person.scores):
                    kept.popleft()

    def _place(self, person: _Person, frame: int, time: float) -> tuple[Floats, float]:
        """The box at a time: a weighted straight line through what was seen around it."""
        times, boxes = np.array(person.times), np.array(person.boxes)
        after = int(np.searchsorted(times, time))
        seen = after < len(times) and person.frames[after] == frame
        if not seen:  # between two that were seen
            share = (time - times[after - 1]) / (times[after] - times[after - 1])
            return boxes[after - 1] + share * (boxes[after] - boxes[after - 1]), 0.0
        score = person.scores[after]
        if self._plan.smoothing <= 0:
            return boxes[after], score
        away = (times - time) / self._plan.smoothing
        near = np.abs(away) <= 2
        weights, away = np.exp(-(away[near] ** 2)), away[near]
        total = weights.sum()
        middle = (weights * away).sum() / total
        lean = (weights * (away - middle) ** 2).sum()
        level = (weights[:, None] * boxes[near]).sum(axis=0) / total
        if lean < 1e-9:
            return level, score
        slope = (weights * (away - middle)) @ boxes[near] / lean
        return level - middle * slope, score
