"""``privis video events``: rules on tracks, for who stays too long, runs, or crosses a line against its direction."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from privis.cli.console import explained, out, working
from privis.cli.video.following import VideoPass, person_scale
from privis.cli.video.place_words import watched_places
from privis.cli.video.tracking_options import (
    AsJson,
    End,
    Every,
    Lines,
    MaxPixels,
    PersonHeight,
    Places,
    Start,
    Zones,
)
from privis.errors import ParameterError, Problem, refuse
from privis.estimators.video.people_tracking import PeopleTracking
from privis.estimators.video.track_table import read_tracks
from privis.io.atomic import check_writable, replacing
from privis.io.video.frame_choice import FrameChoice, seconds_of
from privis.io.video.opened_video import MAX_PIXELS
from privis.tasks.behaviour.ground_plane import GroundPlane
from privis.tasks.behaviour.track_events import RunningRule, TrackEvent, loitering, running, wrong_directions
from privis.tasks.tracking.line_crossings import Direction
from privis.tasks.tracking.tracks import Tracks

COLUMNS = ("event", "id", "start", "end", "place", "value")
TABLES = (".csv", ".txt")
_NOTHING = "at least one rule: --loitering, --running or --against"

Source = Annotated[
    str,
    typer.Argument(metavar="FILE", help="Tracks that `privis video track` wrote (.csv), or a video of a fixed camera."),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help=f"CSV to write: {','.join(COLUMNS)}.")]
Loitering = Annotated[
    str | None, typer.Option("--loitering", metavar="TIME", help="Stays in a zone from this length on, as 60s or 2min.")
]
Running = Annotated[
    float | None,
    typer.Option(
        "--running", metavar="SPEED",
        help="From this speed on: body heights a second (walking is about 0.8), with --ground metres a second.",
    ),
]  # fmt: skip
Against = Annotated[
    list[str] | None,
    typer.Option(
        "--against", metavar="LINE=WAY",
        help="A line and the way in which it is not to be crossed, seen from its first point towards its second one, "
        "as gate=to-left; repeatable.",
    ),
]  # fmt: skip
Ground = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y=X,Y …",
        help="Four or more points: pixels of the picture and metres on the ground, as '0,80=0,0 400,80=9,0 …'.",
    ),
]
Rate = Annotated[float | None, typer.Option(min=0.001, help="Frames a second of a table, which has no times.")]


def events(
    file: Source,
    output: Output = None,
    zone: Zones = None,
    line: Lines = None,
    places: Places = None,
    loitering_from: Loitering = None,
    running_from: Running = None,
    against: Against = None,
    ground: Ground = None,
    rate: Rate = None,
    start: Start = None,
    end: End = None,
    every: Every = None,
    person_height: PersonHeight = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Find who stays too long in a zone, who runs, and who crosses a line against its direction.

    privis video events hall.mp4 --zone 'till=10,20 90,20 90,80' --loitering 60s --running 1.5 -o events.csv

    privis video events tracks.csv --rate 25 --line 'gate=100,200 180,200' --against gate=to-left --json

    Ids are those of the tracks. An event says what somebody's feet did, and not why.
    """
    with explained():
        watched = watched_places(places, tuple(zone or ()), tuple(line or ()))
        stay = None if loitering_from is None else float(seconds_of(loitering_from, "--loitering"))
        rule = None if running_from is None else RunningRule(running_from, ground_plane(ground))
        ways = wrong_ways(against or [])
        of_table = Path(file).suffix.lower() in TABLES
        problems = []
        if stay is None and rule is None and not ways:
            problems.append(Problem("events", "no rule", _NOTHING))
        if stay is not None and not watched.zones:
            problems.append(Problem("--loitering", "no zone", "--zone or --places, where nobody is to stay"))
        if ground is not None and rule is None:
            problems.append(Problem("--ground", "no --running", "a speed in metres a second, or leave it out"))
        if of_table is (rate is None):
            got = "no --rate for a table of tracks" if of_table else "--rate for a video, which has its own times"
            problems.append(Problem("--rate", got, "frames a second of tables, and of them alone"))
        refuse(ParameterError, problems)
        wrong_directions(Tracks.none(), watched.lines, ways)  # names of lines are checked before a video is read
        if output is not None:
            check_writable(output)
        reading = None
        if rate is not None:
            tracks = _within(read_tracks(Path(file), rate), FrameChoice.named(None, start, end))
        else:
            tracking = PeopleTracking(scale=person_scale(person_height), max_pixels=max_pixels)
            reading = VideoPass(file, FrameChoice.named(every, start, end), tracking)
            with working("privis video events"):
                tracks = Tracks.joined(followed.decided for followed in reading)
        found: list[TrackEvent] = list(wrong_directions(tracks, watched.lines, ways))
        if stay is not None:
            found += loitering(tracks, watched.zones, stay)
        if rule is not None:
            found += running(tracks, rule)
        rows = [_row(each) for each in sorted(found, key=lambda each: (each.start, each.kind, each.place, each.person))]
        if output is not None:
            with replacing(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as table:
                writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        if as_json:
            document = {"output": None if output is None else str(output), "people": len(tracks.people), "events": rows}
            print(json.dumps(document, ensure_ascii=False))
        else:
            out.print(f"{len(rows):,} events of {len(tracks.people):,} people", markup=False)
            for row in rows:
                at = f" at {row['place']}" if row["place"] else ""
                told = f"{row['start']:10.2f} s  {row['event']}{at}, id {row['id']}: {row['value']:g}"
                out.print(told, markup=False, soft_wrap=True)
        if reading is not None:
            reading.finish()


def ground_plane(words: str | None) -> GroundPlane | None:
    """Read points of the picture and of the ground.

    Args:
        words: of ``--ground``; None: nothing was said.

    Returns:
        The plane; None: there is none.

    Raises:
        ParameterError: they say no points, or points that fix no plane.

    >>> ground_plane("0,0=0,0 100,0=10,0 100,100=10,10 0,100=0,10").metres[2]
    (10.0, 10.0)
    """
    if words is None:
        return None
    try:
        pairs = [tuple(tuple(map(float, side.split(","))) for side in word.split("=")) for word in words.split()]
        pixels, metres = zip(*pairs, strict=True)
    except ValueError:
        pixels, metres = (), ()
    if not pixels or any(len(point) != 2 or not all(map(math.isfinite, point)) for point in (*pixels, *metres)):
        raise ParameterError(Problem("--ground", repr(words)[:80], "X,Y=X,Y of pixels and metres, four or more"))
    return GroundPlane(pixels, metres)


def wrong_ways(words: Sequence[str]) -> dict[str, Direction]:
    """Read in which way which line is not to be crossed.

    Args:
        words: each ``LINE=to-left`` or ``LINE=to-right``.

    Returns:
        The way by name of the line.

    Raises:
        ParameterError: naming all that are none, and lines that are named twice.

    >>> wrong_ways(["gate=to-left"])
    {'gate': <Direction.TO_LEFT: 'to-left'>}
    """
    found: dict[str, Direction] = {}
    problems = []
    for word in words:
        name, _, way = word.rpartition("=")
        if not name or way not in {each.value for each in Direction}:
            expected = " or ".join(f"LINE={each.value}" for each in Direction)
            problems.append(Problem("--against", repr(word), expected))
        elif name in found:
            problems.append(Problem("--against", f"{name} twice", "one way of each line"))
        else:
            found[name] = Direction(way)
    refuse(ParameterError, problems)
    return found


def _within(tracks: Tracks, choice: FrameChoice) -> Tracks:
    late = math.inf if choice.end is None else float(choice.end)
    return tracks[(tracks.times >= float(choice.start)) & (tracks.times < late)]


def _row(event: TrackEvent) -> dict[str, Any]:
    return {
        "event": event.kind.value, "id": event.person, "start": round(event.start, 3), "end": round(event.end, 3),
        "place": event.place, "value": round(event.value, 3),
    }  # fmt: skip
