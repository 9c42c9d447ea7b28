"""Lines of a picture, and who crossed them in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.tracking.tracks import Tracks

Floats = npt.NDArray[np.float64]
MARGIN = 0.1
"""Heights of the person behind the line: who stands on it and sways crosses it once."""


class Direction(StrEnum):
    """Which way a line was crossed, seen from its first point towards its second one."""

    TO_RIGHT = "to-right"
    TO_LEFT = "to-left"


@dataclass(frozen=True)
class CountingLine:
    """A line that people cross with their feet.

    Args:
        name: of it.
        start: x and y in pixels of the upright picture.
        end: x and y in pixels.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> CountingLine("gate", (0, 0), (0, 10)).sides([[-1, 5], [2, 5]]).tolist()
    [1.0, -2.0]
    """

    name: str
    start: tuple[float, float]
    end: tuple[float, float]

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.name, str) or not self.name.strip():
            problems.append(Problem("CountingLine.name", repr(self.name), "a name"))
        ends = [np.asarray(point) for point in (self.start, self.end)]
        if any(p.shape != (2,) or p.dtype.kind not in "fiu" or not np.isfinite(p).all() for p in ends):
            got = f"{self.start} and {self.end}"
            problems.append(Problem(f"CountingLine {self.name!r}", got, "two points (x, y) in pixels"))
        elif (ends[0] == ends[1]).all():
            problems.append(
                Problem(f"CountingLine {self.name!r}", f"{self.start} twice", "two points (x, y) in pixels")
            )
        refuse(ParameterError, problems)

    def sides(self, points: npt.ArrayLike) -> Floats:
        """Distances from the line that goes on beyond both points: above 0 on the right side.

        Right and left are those of somebody who looks from the first point to the second one in the picture.

        Args:
            points: (n, 2), x and y in pixels.

        Returns:
            Pixels (n,).
        """
        origin, along = np.array(self.start, np.float64), np.subtract(self.end, self.start).astype(np.float64)
        away = np.asarray(points, np.float64).reshape(-1, 2) - origin
        return (along[0] * away[:, 1] - along[1] * away[:, 0]) / float(np.hypot(*along))

    def between(self, before: Floats, after: Floats) -> bool:
        """Say whether the way from one point to another meets the line between its two points.

        Args:
            before: x and y in pixels.
            after: x and y in pixels.

        Returns:
            Whether it does; a way along the line does not.
        """
        first, last = self.sides([before, after])
        if first * last > 0 or first == last:
            return False
        share = first / (first - last)
        meeting = before + share * (after - before)
        along = np.subtract(self.end, self.start).astype(np.float64)
        position = float((meeting - np.array(self.start)) @ along) / float(along @ along)
        return 0 <= position <= 1


@dataclass(frozen=True)
class Crossing:
    """One person's crossing of a line.

    Args:
        line: its name.
        person: the id.
        time: seconds from the start of the video.
        direction: which way.
    """

    line: str
    person: int
    time: float
    direction: Direction


class CrossingLog:
    """Collects crossings while tracks come in; memory holds them, and one state of each person and line.

    Args:
        lines: in the pixels of the tracks.
        margin: in heights of the person.
    """

    def __init__(self, lines: Sequence[CountingLine], margin: float = MARGIN) -> None:
        self._lines = tuple(lines)
        self._margin = margin
        self._states: dict[tuple[int, int], _Way] = {}
        self._found: list[Crossing] = []

    def add(self, tracks: Tracks) -> None:
        """Take in rows.

        Args:
            tracks: of later frames than those before.
        """
        feet, margins = tracks.feet, tracks.boxes[:, 3] * self._margin
        for number, line in enumerate(self._lines):
            for row, side in enumerate(line.sides(feet)):
                person, time = int(tracks.ids[row]), float(tracks.times[row])
                way = self._states.get((number, person), _Way(feet[row], float(side)))
                met = way.met
                if (side > 0) != (way.side > 0):
                    met = time, line.between(way.foot, feet[row])
                settled = way.settled
                if abs(side) >= margins[row]:
                    if settled * side < 0 and met is not None and met[1]:
                        direction = Direction.TO_RIGHT if side > 0 else Direction.TO_LEFT
                        self._found.append(Crossing(line.name, person, met[0], direction))
                    settled = float(side)
                self._states[number, person] = _Way(feet[row], float(side), settled, met)

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """Crossings so far, by time."""
        return tuple(sorted(self._found, key=lambda each: (each.time, each.line, each.person)))


class _Way(NamedTuple):
    """Where somebody is beside a line."""

    foot: Floats
    side: float
    settled: float = 0.0  # the side of the last place that was far enough from the line; 0: none was
    met: tuple[float, bool] | None = None  # when the endless line was met last, and whether between its points


def crossings(tracks: Tracks, lines: Sequence[CountingLine], margin: float = MARGIN) -> tuple[Crossing, ...]:
    """Say who crossed which line, when and in which direction.

    A crossing counts once the feet are ``margin`` heights behind the line; its time is when they met it last before.

    Args:
        tracks: of one video.
        lines: in the same pixels.
        margin: in heights of the person.

    Returns:
        Crossings by rising time.

    >>> boxes = [[x - 1, 0, 2, 5] for x in (-4, -1, 1, 4)]
    >>> tracks = Tracks([1, 2, 3, 4], [3] * 4, boxes, [1.0] * 4, [0.0, 0.1, 0.2, 0.3])
    >>> gate = CountingLine("gate", (0, 0), (0, 10))
    >>> [(c.person, c.time, c.direction.value) for c in crossings(tracks, [gate])]
    [(3, 0.2, 'to-left')]
    """
    log = CrossingLog(lines, margin)
    log.add(tracks)
    return log.crossings
