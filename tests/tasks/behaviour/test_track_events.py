"""Rules on tracks against what was drawn up.

Answers for `privis.tasks.behaviour.track_events`, `privis.tasks.behaviour.ground_plane` and
`privis.tasks.behaviour.event_quality`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.behaviour import (
    EventKind,
    GroundPlane,
    RunningRule,
    TrackEvent,
    event_quality,
    loitering,
    running,
    wrong_directions,
)
from privis.tasks.tracking import CountingLine, Direction, PolygonZone, Tracks

RATE = 10.0
ZONE = PolygonZone("door", np.array([[40, 0], [60, 0], [60, 200], [40, 200]]))
GATE = CountingLine("gate", (100, 0), (100, 200))


def path(person: int, feet: np.ndarray, height: float = 40.0, first: int = 1) -> Tracks:
    """One person whose feet are at ``feet`` (n, 2)."""
    feet = np.asarray(feet, float)
    boxes = np.column_stack([feet[:, 0] - 8, feet[:, 1] - height, np.full(len(feet), 16.0), np.full(len(feet), height)])
    frames = np.arange(first, first + len(feet))
    return Tracks(frames, np.full(len(feet), person), boxes, np.ones(len(feet)), (frames - 1) / RATE)


def together(*paths: Tracks) -> Tracks:
    order = np.argsort(np.concatenate([each.frames for each in paths]), kind="stable")
    columns = ("frames", "ids", "boxes", "scores", "times")
    return Tracks(*(np.concatenate([getattr(each, name) for each in paths])[order] for name in columns))


def straight(speed: float, seconds: float, start: float = 0.0, row: float = 100.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return np.column_stack([start + speed * times, np.full(len(times), row)])


def test_who_stays_loiters_and_a_step_outside_ends_nothing() -> None:
    feet = np.full((300, 2), 50.0)
    feet[150:160, 0] = 70.0  # outside for a second
    stays = path(1, feet)
    passes = path(2, straight(20.0, 6.0))
    found = loitering(together(stays, passes), [ZONE], 20.0)
    assert [(each.kind, each.person, each.place) for each in found] == [(EventKind.LOITERING, 1, "door")]
    assert found[0].value == pytest.approx(29.9) and found[0].end == pytest.approx(29.9)
    assert loitering(together(stays, passes), [ZONE], 20.0, settled=0.5) == ()
    with pytest.raises(ParameterError, match="settled"):
        loitering(stays, [ZONE], 20.0, settled=0.0)


def test_only_the_wrong_direction_is_told() -> None:
    right, left = path(1, straight(30.0, 8.0)), path(2, straight(-30.0, 8.0, 200.0))
    both = together(right, left)
    found = {way: wrong_directions(both, [GATE], {"gate": way}) for way in Direction}
    # who looks along the gate looks down the picture, and has its right side on the left
    people = {way: [each.person for each in events] for way, events in found.items()}
    assert people == {Direction.TO_LEFT: [1], Direction.TO_RIGHT: [2]}
    with pytest.raises(ParameterError, match="one of gate"):
        wrong_directions(both, [GATE], {"gat": Direction.TO_LEFT})


@pytest.mark.parametrize("height", [20.0, 80.0])
def test_running_is_in_body_heights_and_does_not_depend_on_how_near_somebody_is(height: float) -> None:
    walks = path(1, straight(0.8 * height, 5.0), height)
    runs = path(2, straight(2.5 * height, 5.0), height)
    found = running(together(walks, runs))
    assert [each.person for each in found] == [2] and found[0].value == pytest.approx(2.5, rel=0.01)


def test_running_needs_time_and_boxes_that_jitter_do_not_run(rng: np.random.Generator) -> None:
    still = np.full((100, 2), 100.0) + rng.normal(0, 2.0, (100, 2))
    assert running(path(1, still)) == ()
    jump = np.full((100, 2), 100.0)
    jump[50:, 0] += 12.0  # a box that is elsewhere in one frame
    assert running(path(1, jump)) == ()
    stop = np.concatenate([straight(100.0, 2.0), np.tile([[200.0, 100.0]], (50, 1))])
    (run,) = running(path(1, stop))
    assert run.start <= 0.5 and 1.5 <= run.end <= 2.5


def test_metres_by_the_ground_and_the_horizon_is_no_place() -> None:
    matrix = np.array([[0.02, 0.001, 1.0], [0.0, 0.05, 2.0], [0.0, 0.004, 1.0]])

    def ground(points: np.ndarray) -> np.ndarray:
        found = np.column_stack([points, np.ones(len(points))]) @ matrix.T
        return found[:, :2] / found[:, 2:]

    pixels = np.array([[0, 0], [300, 0], [300, 200], [0, 200], [150, 90]], float)
    plane = GroundPlane(tuple(map(tuple, pixels)), tuple(map(tuple, ground(pixels))))
    asked = np.array([[20, 30], [280, 190], [10, 199]], float)
    assert plane.on_ground(asked) == pytest.approx(ground(asked), abs=1e-6)
    assert np.isnan(plane.on_ground(np.array([[10.0, -400.0]]))).all()
    rows = path(1, np.column_stack([np.full(50, 150.0), np.linspace(20, 180, 50)]))
    along = np.linalg.norm(np.diff(ground(rows.feet), axis=0), axis=1) * RATE
    speeds = RunningRule(speed=2.0, ground=plane).speeds(rows)
    assert np.nanmax(np.abs(speeds[10:-10] - along[10:-9])) < 0.05 * along.max()


@pytest.mark.parametrize(
    "pixels, metres, said",
    [
        (((0, 0), (1, 0), (1, 1)), ((0, 0), (1, 0), (1, 1)), "at least 4"),
        (((0, 0), (1, 1), (2, 2), (3, 3)), ((0, 0), (1, 1), (2, 2), (3, 3)), "on one line"),
        (((0, 0), (9, 0), (9, 9), (0, 9)), ((0, 0), (1, 0), (1, 1), (0, 1), (3, 3)), "the same points"),
        (((0, 0), (9, 0), (9, 9), (0, float("nan"))), ((0, 0), (1, 0), (1, 1), (0, 1)), "finite"),
    ],
)
def test_points_that_fix_no_plane_are_refused(pixels: tuple, metres: tuple, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        GroundPlane(pixels, metres)


def test_events_are_paired_by_kind_place_time_and_people() -> None:
    near, far = path(1, straight(30.0, 8.0)), path(2, straight(30.0, 8.0, 0.0, 190.0))
    own = together(near, far)
    other = together(path(7, straight(30.0, 8.0) + 3.0), path(9, straight(30.0, 8.0, 0.0, 100.0) + 300.0))

    def event(person: int, start: float, kind: EventKind = EventKind.RUNNING, place: str = "") -> TrackEvent:
        return TrackEvent(kind, person, start, start + 2.0, place)

    true = [event(1, 1.0), event(2, 1.0), event(1, 1.0, EventKind.LOITERING, "door")]
    found = [event(7, 1.5), event(9, 1.5), event(7, 1.5), event(7, 1.0, EventKind.LOITERING, "gate")]
    quality = event_quality(true, own, found, other)
    assert (quality.recall.hits, quality.recall.tries) == (1, 3)
    assert (quality.precision.hits, quality.precision.tries) == (1, 4)
    assert quality.pairs[0][0] == 0 and quality.pairs[0][1] in (0, 2)
    assert event_quality(true[:1], own, [event(7, 4.5)], other).pairs == ()
    assert event_quality(true[:1], own, [event(7, 3.5)], other).pairs == ((0, 0),)
    assert event_quality([], own, [], other).to_dict()["recall"]["value"] is None
