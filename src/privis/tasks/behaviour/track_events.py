"""Rules on tracks: who stays too long in a zone, who runs, who crosses a line against its direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.behaviour.ground_plane import GroundPlane
from privis.tasks.tracking.line_crossings import CountingLine, Direction, crossings
from privis.tasks.tracking.tracks import Tracks
from privis.tasks.tracking.zone_visits import PolygonZone, visits
from privis.validation import positive_number

Floats = npt.NDArray[np.float64]
_FEWEST = 4
"""Rows that a speed is of, at least: fewer say more of how boxes jitter than of who moves."""


class EventKind(StrEnum):
    """What a rule found."""

    LOITERING = "loitering"
    RUNNING = "running"
    WRONG_DIRECTION = "wrong-direction"


@dataclass(frozen=True)
class TrackEvent:
    """One thing that one person did.

    Args:
        kind: of it.
        person: id of the track.
        start: seconds from the start of the video.
        end: seconds.
        place: name of the zone or line; empty: anywhere.
        value: seconds of a stay, largest speed of a run, 1 of a crossing.
    """

    kind: EventKind
    person: int
    start: float
    end: float
    place: str = ""
    value: float = 1.0


def loitering(
    tracks: Tracks, zones: Sequence[PolygonZone], seconds: float, settled: float = 2.0
) -> tuple[TrackEvent, ...]:
    """Find stays in zones that are too long.

    Args:
        tracks: of one video.
        zones: in the same pixels.
        seconds: from which on a stay is too long.
        settled: seconds: a step outside that is shorter does not end a stay.

    Returns:
        Events by start.

    Raises:
        ParameterError: a length of time is not above 0; both at once.

    >>> times = np.arange(8.0)
    >>> tracks = Tracks(np.arange(1, 9), [7] * 8, [[9, 0, 2, 8]] * 8, [1.0] * 8, times)
    >>> door = PolygonZone("door", [[8, 0], [20, 0], [20, 9], [8, 9]])
    >>> [(each.person, each.value) for each in loitering(tracks, [door], 5.0)]
    [(7, 7.0)]
    """
    refuse(
        ParameterError, positive_number("loitering.seconds", seconds) + positive_number("loitering.settled", settled)
    )
    found = [
        TrackEvent(EventKind.LOITERING, each.person, each.start, each.end, each.zone, each.seconds)
        for each in visits(tracks, zones, settled)
        if each.seconds >= seconds
    ]
    return _ordered(found)


def wrong_directions(
    tracks: Tracks, lines: Sequence[CountingLine], wrong: Mapping[str, Direction]
) -> tuple[TrackEvent, ...]:
    """Find crossings of lines against their directions.

    Args:
        tracks: of one video.
        lines: in the same pixels.
        wrong: by name of a line, the direction in which it is not to be crossed.

    Returns:
        Events by time.

    Raises:
        ParameterError: a line is not there.

    >>> boxes = [[x - 1, 0, 2, 5] for x in (-4, -1, 1, 4)]
    >>> tracks = Tracks([1, 2, 3, 4], [3] * 4, boxes, [1.0] * 4, [0.0, 0.1, 0.2, 0.3])
    >>> gate = CountingLine("gate", (0, 0), (0, 10))
    >>> [(each.place, each.start) for each in wrong_directions(tracks, [gate], {"gate": Direction.TO_LEFT})]
    [('gate', 0.2)]
    """
    known = {line.name for line in lines}
    expected = f"one of {', '.join(sorted(known))}" if known else "a line that is given"
    refuse(
        ParameterError, [Problem("line", repr(name), expected, "check its name") for name in wrong if name not in known]
    )
    watched = [line for line in lines if line.name in wrong]
    found = [
        TrackEvent(EventKind.WRONG_DIRECTION, each.person, each.time, each.time, each.line)
        for each in crossings(tracks, watched)
        if each.direction is wrong[each.line]
    ]
    return _ordered(found)


@dataclass(frozen=True)
class RunningRule:
    """When somebody runs: a speed that is kept for a while.

    Without a ground plane speeds are in body heights a second, by the height of the person's own boxes, wherever in the
    picture: about 0.8 for who walks, from 1.5 on for who runs.

    Args:
        speed: metres a second with a ground plane, else body heights a second.
        ground: from pixels to metres; None: body heights.
        seconds: that it is kept at least.
        window: seconds over which a speed is taken, by a line of least squares through the feet.

    Raises:
        ParameterError: a value is not above 0; all at once.
    """

    identifier: ClassVar[str] = "privis.running-rule/1"

    speed: float = 1.5
    ground: GroundPlane | None = None
    seconds: float = 0.5
    window: float = 1.0

    def __post_init__(self) -> None:
        names = ("speed", "seconds", "window")
        refuse(
            ParameterError,
            [each for name in names for each in positive_number(f"RunningRule.{name}", getattr(self, name))],
        )

    def speeds(self, rows: Tracks) -> Floats:
        """Say how fast one person is at each row.

        Args:
            rows: of one person, by time.

        Returns:
            (n,) in the rule's unit; NaN where too little is seen around a row, or beyond the horizon.

        >>> boxes = [[10.0 * time, 0.0, 4.0, 10.0] for time in range(6)]
        >>> walk = Tracks(range(1, 7), [1] * 6, boxes, [1.0] * 6, [0.2 * time for time in range(6)])
        >>> RunningRule().speeds(walk).round(3).tolist()
        [nan, 5.0, 5.0, 5.0, 5.0, nan]
        """
        feet, times = rows.feet, rows.times
        points = feet if self.ground is None else self.ground.on_ground(feet)
        found = np.full(len(rows), np.nan)
        first = np.searchsorted(times, times - self.window / 2 - 1e-9)
        last = np.searchsorted(times, times + self.window / 2 + 1e-9)
        for row, (begin, end) in enumerate(zip(first, last, strict=True)):
            near = times[begin:end]
            enough = end - begin >= _FEWEST and near[-1] - near[0] >= self.window / 2
            if not enough or not np.isfinite(points[begin:end]).all():
                continue
            centred = near - near.mean()
            slope = centred @ points[begin:end] / float(centred @ centred)
            scale = float(np.median(rows.boxes[begin:end, 3])) if self.ground is None else 1.0
            found[row] = float(np.hypot(*slope)) / max(scale, 1e-9)
        return found


def running(tracks: Tracks, rule: RunningRule = RunningRule()) -> tuple[TrackEvent, ...]:
    """Find who runs, from when to when.

    Args:
        tracks: of one video.
        rule: when somebody does.

    Returns:
        Events by start; ``value`` is the largest speed.

    >>> boxes = [[10.0 * time, 0.0, 4.0, 10.0] for time in range(9)]
    >>> run = Tracks(range(1, 10), [4] * 9, boxes, [1.0] * 9, [0.2 * time for time in range(9)])
    >>> [(each.person, round(each.value, 3)) for each in running(run)]
    [(4, 5.0)]
    """
    found = []
    for person in tracks.people:
        rows = tracks.of(int(person))
        speeds = rule.speeds(rows)
        fast = np.nonzero(np.nan_to_num(speeds) >= rule.speed)[0]
        if not len(fast):
            continue
        # a slower moment that is shorter than what counts as running does not end a run
        breaks = np.nonzero(np.diff(rows.times[fast]) > rule.seconds)[0] + 1
        for part in np.split(fast, breaks):
            start, end = float(rows.times[part[0]]), float(rows.times[part[-1]])
            if end - start >= rule.seconds:
                most = float(speeds[part].max())
                found.append(TrackEvent(EventKind.RUNNING, int(person), start, end, "", most))
    return _ordered(found)


def _ordered(found: Sequence[TrackEvent]) -> tuple[TrackEvent, ...]:
    return tuple(sorted(found, key=lambda each: (each.start, each.kind, each.place, each.person)))
