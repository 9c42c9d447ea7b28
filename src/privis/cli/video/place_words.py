"""Zones and lines as users write them: a TOML file, or points behind a name."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.tasks.tracking.line_crossings import CountingLine
from privis.tasks.tracking.zone_visits import PolygonZone

EXAMPLE = """[[zone]]
name = "door"
polygon = [[10, 20], [30, 20], [30, 80]]

[[line]]
name = "gate"
points = [[0, 100], [400, 100]]
"""
_EXPECTED = "NAME=X,Y X,Y … in pixels, as in door=10,20 30,20 30,80"
_FILE = "a TOML file of zones and lines"


@dataclass(frozen=True)
class WatchedPlaces:
    """Places of a picture that are watched.

    Args:
        zones: that people stand in.
        lines: that they cross.
    """

    zones: tuple[PolygonZone, ...] = ()
    lines: tuple[CountingLine, ...] = ()

    def zone(self, name: str) -> PolygonZone:
        """Find a zone.

        Args:
            name: of it.

        Returns:
            The zone.

        Raises:
            ParameterError: there is none of that name.
        """
        for zone in self.zones:
            if zone.name == name:
                return zone
        known = ", ".join(zone.name for zone in self.zones) or "none; give it by --zone or --places"
        raise ParameterError(Problem("--inside", repr(name), f"a zone that is given: {known}"))


def watched_places(path: Path | None, zones: tuple[str, ...], lines: tuple[str, ...]) -> WatchedPlaces:
    """Read places of a file and of words.

    Args:
        path: of a TOML file; None: there is none.
        zones: each as ``NAME=X,Y X,Y X,Y``.
        lines: each as ``NAME=X,Y X,Y``.

    Returns:
        The places, those of the file first.

    Raises:
        ParameterError: naming every place that does not fit, and names that are given twice.

    >>> places = watched_places(None, ("door=0,0 10,0 10,10",), ("gate=0,5 10,5",))
    >>> places.zones[0].polygon.tolist(), places.lines[0].end
    ([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]], (10.0, 5.0))
    """
    problems: list[Problem] = []
    wanted_zones = [] if path is None else _entries(path, "zone", "polygon", problems)
    wanted_lines = [] if path is None else _entries(path, "line", "points", problems)
    for words, option, wanted in ((zones, "--zone", wanted_zones), (lines, "--line", wanted_lines)):
        for word in words:
            name, points = _spelled(word)
            if points:
                wanted.append((name, points))
            else:
                problems.append(Problem(option, repr(word), _EXPECTED))
    made_zones, made_lines = [], []
    for name, points in wanted_zones:
        try:
            made_zones.append(PolygonZone(name, np.array(points, np.float64).reshape(-1, 2)))
        except ParameterError as error:
            problems += error.problems
    for name, points in wanted_lines:
        if len(points) != 2:
            problems.append(Problem(f"line {name!r}", f"{len(points)} points", "two points (x, y) in pixels"))
            continue
        try:
            made_lines.append(CountingLine(name, *points))
        except ParameterError as error:
            problems += error.problems
    for kind, names in (("zone", [each.name for each in made_zones]), ("line", [each.name for each in made_lines])):
        twice = [name for name, count in Counter(names).items() if count > 1]
        problems += [Problem(f"{kind} {name!r}", "this name twice", "a name of its own") for name in twice]
    refuse(ParameterError, problems)
    return WatchedPlaces(tuple(made_zones), tuple(made_lines))


def _spelled(word: str) -> tuple[str, list[tuple[float, float]]]:
    name, equals, rest = word.partition("=")
    try:
        points = [(float(x), float(y)) for x, y in (each.split(",") for each in rest.replace(";", " ").split())]
    except ValueError:
        points = []
    return name.strip(), points if equals and name.strip() else []


def _entries(path: Path, kind: str, key: str, problems: list[Problem]) -> list[tuple[str, list[tuple[float, float]]]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ParameterError(misfit(path, FileFormat.TOML, reason, _FILE)) from None
    if not document:
        raise ParameterError(misfit(path, FileFormat.TOML, "nothing", _FILE))
    entries = document.get(kind, [])
    made = []
    if unknown := sorted(set(document) - {"zone", "line"}):
        if kind == "zone":  # once for the file
            problems.append(Problem(str(path), f"{', '.join(unknown)}", "[[zone]] and [[line]]"))
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        name, points = (entry.get("name"), entry.get(key)) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or points is None or not _are_points(points):
            where = f"{path}, [[{kind}]] {number}"
            problems.append(Problem(where, repr(entry)[:80], f'name = "…" and {key} = [[X, Y], [X, Y], …]'))
        else:
            made.append((name, [(float(x), float(y)) for x, y in points]))
    return made


def _are_points(points: Any) -> bool:
    return isinstance(points, list) and all(
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in point)
        for point in points
    )
