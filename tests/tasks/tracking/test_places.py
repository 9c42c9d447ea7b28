"""Zones, lines and windows.

Answers for `privis.tasks.tracking.zone_visits`, `privis.tasks.tracking.line_crossings` and
`privis.tasks.tracking.presence_table`.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.tasks.tracking import (
    CountingLine,
    CrossingLog,
    Direction,
    PolygonZone,
    PresenceLog,
    Tracks,
    VisitLog,
    crossings,
    presence,
    visits,
    window_bounds,
)

SQUARE = PolygonZone("door", [[0, 0], [100, 0], [100, 100], [0, 100]])


def walk(feet: list[tuple[float, float]], person: int = 1, rate: float = 10.0) -> Tracks:
    """One person's track: boxes of 20 x 40 over the feet."""
    count = len(feet)
    boxes = np.array([(x - 10, y - 40, 20, 40) for x, y in feet])
    return Tracks(np.arange(1, count + 1), np.full(count, person), boxes, np.ones(count), np.arange(count) / rate)


def test_points_in_polygons_are_opencv_s(rng: np.random.Generator) -> None:
    for _ in range(20):
        corners = rng.uniform(0, 100, (7, 2)).astype(np.float32)
        points = rng.uniform(-10, 110, (200, 2))
        expected = [cv2.pointPolygonTest(corners, (float(x), float(y)), True) for x, y in points]
        sure = np.abs(expected) > 1e-3
        # of one that meets itself both count the sides crossed
        assert (PolygonZone("a", corners).contains(points)[sure] == (np.array(expected) > 0)[sure]).all()


@pytest.mark.parametrize("polygon", [[[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2]], [[0, 0], [1, np.nan], [2, 0]], "no"])
def test_polygons_without_an_area_are_refused(polygon: object) -> None:
    with pytest.raises(ParameterError, match="Zone"):
        PolygonZone("a", polygon)


def test_dwell_times_forgive_a_step_outside_and_forget_who_passes() -> None:
    inside, outside = (50.0, 50.0), (150.0, 50.0)
    stays = visits(walk([inside] * 20 + [outside] * 3 + [inside] * 20 + [outside] * 10 + [inside] * 2), [SQUARE])
    assert [(each.start, round(each.end, 6)) for each in stays] == [(0.0, 4.2)]
    assert round(stays[0].seconds, 6) == 4.2


def test_who_is_inside_in_two_frames_far_apart_was_inside_between_them() -> None:
    stays = visits(walk([(50.0, 50.0)] * 5, rate=0.5), [SQUARE])
    assert [(each.start, each.end) for each in stays] == [(0.0, 8.0)]


def test_crossings_have_a_direction() -> None:
    line = CountingLine("gate", (100, 0), (100, 200))
    there = [(float(x), 100.0) for x in range(50, 151, 5)]
    found = crossings(walk(there + there[::-1]), [line])
    assert [each.direction for each in found] == [Direction.TO_LEFT, Direction.TO_RIGHT]
    turned = CountingLine("gate", (100, 200), (100, 0))
    assert [each.direction for each in crossings(walk(there), [turned])] == [Direction.TO_RIGHT]


def test_swaying_on_a_line_and_walking_around_it_are_no_crossings() -> None:
    line = CountingLine("gate", (100, 0), (100, 200))
    swaying = [(50.0, 100.0)] + [(100.0 + (-1) ** n * 2, 100.0) for n in range(20)] + [(50.0, 100.0)]
    assert crossings(walk(swaying), [line]) == ()
    around = [(50.0, 250.0), (150.0, 250.0), (150.0, 100.0)]
    assert crossings(walk(around), [line]) == ()
    once = [(50.0, 100.0)] + [(100.0 + (-1) ** n * 2, 100.0) for n in range(21)] + [(150.0, 100.0)]
    assert len(crossings(walk(once), [line])) == 1


@pytest.mark.parametrize("start", [(0, 0), (0, np.inf), ("a", 0), (0, 0, 0)])
def test_lines_of_one_point_or_of_none_are_refused(start: tuple) -> None:
    with pytest.raises(ParameterError, match="Line"):
        CountingLine("gate", start, (0, 0))


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 200)), min_size=2, max_size=40), st.integers(1, 39))
def test_rows_in_parts_say_what_they_say_at_once(feet: list[tuple[float, float]], cut: int) -> None:
    tracks, line = walk(feet), CountingLine("gate", (100, 0), (100, 200))
    stays, ways, table = VisitLog([SQUARE]), CrossingLog([line]), PresenceLog(0.7)
    for part in (tracks[:cut], tracks[cut:]):
        stays.add(part)
        ways.add(part)
        table.add(part)
    assert stays.visits == visits(tracks, [SQUARE])
    assert ways.crossings == crossings(tracks, [line])
    assert (table.table(5.0).present == presence(tracks, 0.7, 5.0).present).all()


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=40, unique=True),
    st.integers(1, 4),
)
def test_one_id_changes_at_most_so_many_counts(seen: list[tuple[int, int]], most: int) -> None:
    rows = sorted(seen)
    frames, ids = np.array(rows).T
    tracks = Tracks(frames + 1, ids, np.zeros((len(rows), 4)), np.ones(len(rows)), frames * 10.0)
    whole = presence(tracks, 10.0, 100.0, most).counts
    for person in tracks.people:
        without = presence(tracks[tracks.ids != person], 10.0, 100.0, most).counts
        change = whole - without
        assert set(change.tolist()) <= {0, 1} and change.sum() <= most


def test_windows_cover_the_video_and_no_more() -> None:
    assert [side.tolist() for side in window_bounds(10, 10)] == [[0.0], [10.0]]
    assert [side.tolist() for side in window_bounds(10, 3.5)] == [[0.0], [3.5]]
    starts, ends = window_bounds(0.1, 0.3)
    assert len(starts) == 3 and ends[-1] == 0.3
    for window, duration in ((0, 1), (-1, 1), (np.nan, 1), (1, 0), (1, np.inf), (1e-9, 1)):
        with pytest.raises(ParameterError):
            window_bounds(window, duration)


def test_a_time_on_a_bound_belongs_to_the_window_that_begins() -> None:
    tracks = Tracks([1], [1], [[0, 0, 1, 1]], [1.0], [0.3])
    assert presence(tracks, 0.1, 1.0).counts.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert presence(Tracks.none(), 0.5, 1.0).counts.tolist() == [0, 0]
    with pytest.raises(ParameterError, match="most"):
        presence(tracks, 0.1, 1.0, most=0)
