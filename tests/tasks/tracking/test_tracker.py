"""Tracks of detections: crossings, gaps, false detections, what is measured.

Answers for `privis.tasks.tracking.tracker`, `privis.tasks.tracking.assignment`,
`privis.tasks.tracking.motion_model` and `privis.tasks.tracking.tracks`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.tracking import (
    FootMotion,
    Tracker,
    TrackerPlan,
    Tracks,
    cheapest_pairs,
    tracking_quality,
    two_round_pairs,
)
from tests.tasks.tracking.walking import boxes_at, truth

TWO = ((20.0, 30.0, 100.0), (160.0, -30.0, 108.0))


def followed(
    frames: int,
    rate: float,
    people: tuple[tuple[float, float, float], ...],
    hidden: set[tuple[int, int]] | None = None,
    plan: TrackerPlan = TrackerPlan(),
    noise: np.random.Generator | None = None,
) -> Tracks:
    """Tracks of people whose boxes are given, but for those of (frame, person) that are hidden."""
    tracker, parts = Tracker(plan), []
    for frame in range(frames):
        boxes = boxes_at(frame / rate, people)
        if noise is not None:
            boxes[:, :2] += noise.normal(0, 1.0, (len(boxes), 2))
        seen = [row for row in range(len(people)) if (frame, row) not in (hidden or set())]
        looks = np.eye(4)[seen]
        parts.append(tracker.update(frame / rate, DetectedBoxes(boxes[seen], np.full(len(seen), 0.8), "person"), looks))
    return Tracks.joined([*parts, tracker.finish()])


def test_people_who_cross_keep_their_ids() -> None:
    quality = tracking_quality(truth(50, 10, TWO), followed(50, 10, TWO))
    assert (quality.switches, quality.missed, quality.false_positives, quality.people) == (0, 0, 0, 2)
    assert quality.overlap > 0.9 and quality.idf1 == 1


def test_rates_of_frames_do_not_matter() -> None:
    for rate in (5, 25, 60):
        quality = tracking_quality(truth(4 * rate, rate, TWO), followed(4 * rate, rate, TWO))
        assert quality.mota == quality.idf1 == 1


def test_who_is_hidden_for_a_while_is_filled_in_and_keeps_the_id() -> None:
    for gap in (5, 15, 25):
        hidden = {(frame, 0) for frame in range(20, 20 + gap)}
        quality = tracking_quality(truth(70, 10, TWO), followed(70, 10, TWO, hidden))
        assert (quality.missed, quality.switches, quality.people) == (0, 0, 2), gap


def test_who_is_away_for_long_is_somebody_else() -> None:
    hidden = {(frame, 0) for frame in range(20, 60)}
    found = followed(90, 10, TWO, hidden)
    assert len(found.people) == 3
    assert not ((found.frames > 22) & (found.frames <= 60) & (found.ids == 1)).any()


def test_what_is_seen_for_a_moment_is_nobody() -> None:
    hidden = {(frame, 1) for frame in range(50) if frame not in (10, 11, 12)}
    assert followed(50, 10, TWO, hidden).people.tolist() == [1]


def test_what_is_unsure_begins_no_track_and_goes_on_with_one() -> None:
    tracker, parts = Tracker(), []
    for frame in range(30):
        score = 0.8 if frame < 15 else 0.25
        boxes = np.concatenate([boxes_at(frame / 10, TWO[:1]), [[150, 20, 16, 40]]])
        parts.append(tracker.update(frame / 10, DetectedBoxes(boxes, [score, 0.25], "person")))
    found = Tracks.joined([*parts, tracker.finish()])
    assert found.people.tolist() == [1] and found.frames[-1] == 30


def test_rows_come_late_in_order_and_memory_stays_bounded(rng: np.random.Generator) -> None:
    tracker, plan, last = Tracker(), TrackerPlan(), 0
    for frame in range(2000):
        walker = ((frame % 100) / 10 * 15.0, 0.0, 100.0)
        rows = tracker.update(frame / 10, DetectedBoxes(boxes_at(0, (walker,)), [0.9], "person"))
        if len(rows):
            assert rows.frames[0] >= last and rows.frames[-1] <= frame + 1 - 10 * plan.delay + 1
            last = rows.frames[-1]
    held = [*tracker._live, *tracker._lost]
    assert len(held) <= 4 and max(len(person.frames) for person in held) <= 10 * plan.delay + 10


def test_equal_detections_give_equal_tracks(rng: np.random.Generator) -> None:
    first, second = (followed(60, 10, TWO, noise=np.random.default_rng(3)) for _ in range(2))
    assert (first.boxes == second.boxes).all() and (first.ids == second.ids).all()


def test_smoothing_brings_boxes_nearer_to_where_people_are() -> None:
    known = truth(80, 10, TWO)
    errors = []
    for smoothing in (0.0, 0.3):
        found = followed(80, 10, TWO, plan=TrackerPlan(smoothing=smoothing), noise=np.random.default_rng(5))
        errors.append(float(np.abs(found.boxes - known.boxes).mean()))
    assert errors[1] < 0.7 * errors[0]


def test_empty_frames_and_equal_times_are_welcome() -> None:
    tracker = Tracker()
    for time in (0.0, 0.0, 5.0, 5.0):
        assert len(tracker.update(time, DetectedBoxes.none())) == 0
    assert len(tracker.finish()) == 0


def test_pairs_are_the_cheapest_of_all(rng: np.random.Generator) -> None:
    for _ in range(30):
        costs = rng.uniform(0, 10, (4, 3))
        pairs = cheapest_pairs(costs, 7.0)
        best = max(
            (len(kept), -sum(costs[row, column] for row, column in kept))
            for rows in itertools.permutations(range(4), 3)
            for kept in [[(row, column) for column, row in enumerate(rows) if costs[row, column] <= 7.0]]
        )
        assert (len(pairs), -sum(costs[row, column] for row, column in pairs)) == pytest.approx(best)
    assert cheapest_pairs(np.zeros((0, 3)), 1.0) == cheapest_pairs(np.full((2, 2), np.inf), 1.0) == []


def test_the_second_round_takes_what_the_first_one_left() -> None:
    assert two_round_pairs([[1.0, 0.1], [5.0, 0.2]], [True, False], 2.0, 2.0) == [(0, 0), (1, 1)]
    assert two_round_pairs(np.zeros((0, 2)), [True, False], 2.0, 2.0) == []


def test_motion_learns_the_velocity_and_is_less_sure_the_longer_nothing_is_seen() -> None:
    motion = FootMotion([0.0, 100.0], 40.0)
    for step in range(1, 30):
        motion.advance(0.1)
        motion.correct([3.0 * step, 100.0], 40.0)
    assert motion.velocity == pytest.approx([30.0, 0.0], abs=1.0)
    before = motion.spread[0, 0]
    motion.advance(1.0)
    assert motion.foot == pytest.approx([117.0, 100.0], abs=2.0) and motion.spread[0, 0] > 4 * before


def test_tracks_name_all_that_is_wrong() -> None:
    with pytest.raises(ParameterError) as caught:
        Tracks([1.5], [1], [[0, 0, 1]], [np.nan], [0.0])
    assert len(caught.value.problems) == 3
    with pytest.raises(ParameterError, match="twice"):
        Tracks([1, 1], [4, 4], np.zeros((2, 4)), [1.0, 1.0], [0.0, 0.0])
    with pytest.raises(ParameterError, match="rising"):
        Tracks([2, 1], [4, 4], np.zeros((2, 4)), [1.0, 1.0], [0.0, 0.0])
    assert len(Tracks.none()) == len(Tracks.joined([])) == 0


def test_measures_of_nothing_and_of_all_wrong() -> None:
    known = truth(3, 1, TWO)
    nothing = tracking_quality(known, Tracks.none())
    assert (nothing.mota, nothing.idf1, nothing.missed) == (0, 0, 6)
    away = Tracks(known.frames, known.ids, known.boxes + np.array([500.0, 0, 0, 0]), known.scores, known.times)
    wrong = tracking_quality(known, away)
    assert (wrong.mota, wrong.idf1, wrong.false_positives) == (-1, 0, 6)
    with pytest.raises(ParameterError, match="overlap"):
        tracking_quality(known, known, overlap=0)


def test_slow_cameras_have_tracks_too() -> None:
    walker = ((20.0, 30.0, 100.0),)
    for rate in (2, 1, 0.2):
        found = followed(12, rate, walker, {(5, 0)})
        assert found.people.tolist() == [1] and len(found) == 12, rate


def test_whatever_is_detected_nobody_is_twice_in_a_frame_and_frames_rise() -> None:
    for seed in range(3):
        random = np.random.default_rng(seed)
        tracker, parts, time = Tracker(), [], 0.0
        for _ in range(150):
            time += float(random.choice([0.0, 0.04, 0.1, 0.5, 4.0], p=[0.02, 0.4, 0.4, 0.16, 0.02]))
            count = int(random.integers(0, 9))
            boxes = np.column_stack([random.uniform(0, 120, (count, 2)), random.uniform(5, 60, (count, 2))])
            scores = random.uniform(-1, 1, count)
            parts.append(
                tracker.update(time, DetectedBoxes(boxes, scores, ("person",) * count), random.random((count, 8)))
            )
        found = Tracks.joined([*parts, tracker.finish()])  # which refuses ids that are twice and frames that fall
        assert np.isfinite(found.boxes).all() and found.frames.max(initial=1) <= 150
