"""Zones of a picture, who stood in them, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.tracking.tracks import Tracks

Floats = npt.NDArray[np.float64]
SETTLED = 0.5
"""Seconds: who leaves a zone, or comes back, for less did not."""


@dataclass(frozen=True, eq=False)
class PolygonZone:
    """A region that people stand in with their feet.

    Args:
        name: of it.
        polygon: (n, 2) corners, x and y in pixels of the upright picture, at least three, in order.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> door = PolygonZone("door", [[0, 0], [10, 0], [10, 10], [0, 10]])
    >>> door.contains([[5, 5], [15, 5]]).tolist()
    [True, False]
    """

    name: str
    polygon: Floats = field(repr=False)

    def __post_init__(self) -> None:
        corners = np.asarray(self.polygon)
        problems = []
        if not isinstance(self.name, str) or not self.name.strip():
            problems.append(Problem("PolygonZone.name", repr(self.name), "a name"))
        fits = corners.ndim == 2 and corners.shape[1:] == (2,) and len(corners) >= 3 and corners.dtype.kind in "fiu"
        if not fits or not np.isfinite(corners).all():
            got = f"{corners.dtype} values of shape {corners.shape}"
            problems.append(Problem(f"PolygonZone {self.name!r}", got, "at least three corners (x, y) in pixels"))
        elif _area(corners.astype(np.float64)) <= 0:
            problems.append(Problem(f"PolygonZone {self.name!r}", "corners on one line", "corners around an area"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "polygon", corners.astype(np.float64))

    def contains(self, points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say which points lie inside, by the number of sides to the right of each.

        Args:
            points: (n, 2), x and y in pixels.

        Returns:
            (n,).
        """
        given = np.asarray(points, np.float64).reshape(-1, 2)
        x, y = given[:, 0], given[:, 1]
        inside = np.zeros(len(given), bool)
        for (x0, y0), (x1, y1) in zip(self.polygon, np.roll(self.polygon, -1, axis=0), strict=True):
            between = (y0 > y) != (y1 > y)
            crossing = x0 + (y - y0) / (y1 - y0 if y1 != y0 else 1.0) * (x1 - x0)
            inside ^= between & (x < crossing)
        return inside


@dataclass(frozen=True)
class Visit:
    """One stay of one person in a zone.

    Args:
        zone: its name.
        person: the id.
        start: seconds from the start of the video.
        end: seconds.
    """

    zone: str
    person: int
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it was: the dwell time."""
        return self.end - self.start


class VisitLog:
    """Collects stays while tracks come in; memory holds the stays, and one of each person and zone that may go on.

    Args:
        zones: in the pixels of the tracks.
        settled: seconds: a stay, or a step outside in between, that is shorter does not count.
    """

    def __init__(self, zones: Sequence[PolygonZone], settled: float = SETTLED) -> None:
        self._zones = tuple(zones)
        self._settled = settled
        self._open: dict[tuple[int, int], tuple[float, float, float]] = {}  # start, last inside, last seen
        self._done: list[Visit] = []

    def add(self, tracks: Tracks) -> None:
        """Take in rows.

        Args:
            tracks: of later frames than those before.
        """
        feet = tracks.feet
        for number, zone in enumerate(self._zones):
            for person, time, inside in zip(tracks.ids, tracks.times, zone.contains(feet), strict=True):
                key = number, int(person)
                stay = self._open.get(key)
                if stay is None:
                    if inside:
                        self._open[key] = float(time), float(time), float(time)
                    continue
                start, last, seen = stay
                # inside in two frames that follow each other, however much time is between them
                if inside and (seen == last or time - last <= self._settled):
                    self._open[key] = start, float(time), float(time)
                elif inside:
                    self._close(key, stay)
                    self._open[key] = float(time), float(time), float(time)
                else:
                    self._open[key] = start, last, float(time)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Stays so far, those that may go on among them, by zone, person and start."""
        going = [
            Visit(self._zones[zone].name, person, start, last)
            for (zone, person), (start, last, _) in self._open.items()
            if last - start >= self._settled
        ]
        order = {zone.name: number for number, zone in enumerate(self._zones)}
        return tuple(sorted([*self._done, *going], key=lambda each: (order[each.zone], each.person, each.start)))

    def _close(self, key: tuple[int, int], stay: tuple[float, float, float]) -> None:
        start, last, _ = stay
        if last - start >= self._settled:
            self._done.append(Visit(self._zones[key[0]].name, key[1], start, last))


def visits(tracks: Tracks, zones: Sequence[PolygonZone], settled: float = SETTLED) -> tuple[Visit, ...]:
    """Say who stood in which zone from when to when.

    Args:
        tracks: of one video.
        zones: in the same pixels.
        settled: seconds: a stay, or a step outside in between, that is shorter does not count.

    Returns:
        Stays by zone, person and start.

    >>> times = np.arange(5.0)
    >>> boxes = [[x, 0, 2, 8] for x in (0, 10, 10, 10, 30)]
    >>> tracks = Tracks(np.arange(1, 6), [7] * 5, boxes, [1.0] * 5, times)
    >>> door = PolygonZone("door", [[8, 0], [20, 0], [20, 9], [8, 9]])
    >>> [(v.person, v.start, v.end) for v in visits(tracks, [door])]
    [(7, 1.0, 3.0)]
    """
    log = VisitLog(zones, settled)
    log.add(tracks)
    return log.visits


def _area(corners: Floats) -> float:
    x, y = corners.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
