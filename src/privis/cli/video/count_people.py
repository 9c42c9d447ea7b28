"""``privis video count``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from privis.cli.console import explained, out, working
from privis.cli.video.following import VideoPass, tracking_of
from privis.cli.video.place_words import watched_places
from privis.cli.video.tracking_options import (
    AsJson,
    End,
    Every,
    Least,
    Lines,
    MaxPixels,
    Model,
    PersonHeight,
    Places,
    Source,
    Start,
    What,
    WhateverMoves,
    Zones,
)
from privis.errors import ParameterError, Problem
from privis.io.video.frame_choice import FrameChoice, seconds_of
from privis.io.video.opened_video import MAX_PIXELS
from privis.tasks.tracking.line_crossings import CountingLine, Crossing, CrossingLog, Direction
from privis.tasks.tracking.presence_table import PresenceLog, PresenceTable

Window = Annotated[str, typer.Option(help="Length of a window, as 10s or 15min.")]
Inside = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Count those who stand in this zone, of --zone or --places.")
]


def count(
    file: Source,
    window: Window,
    start: Start = None,
    end: End = None,
    every: Every = None,
    inside: Inside = None,
    zone: Zones = None,
    line: Lines = None,
    places: Places = None,
    person_height: PersonHeight = None,
    whatever_moves: WhateverMoves = False,
    what: What = None,
    model: Model = None,
    score: Least = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Count the people before a fixed camera, by windows of time: in each one how many different people were seen.

    With --line also how many crossed it in each direction. These counts are exact: they hide nobody.

    privis video count hall.mp4 --window 10s --json

    privis video count hall.mp4 --window 15min --places hall.toml --inside till
    """
    with explained():
        watched = watched_places(places, tuple(zone or ()), tuple(line or ()))
        length = float(seconds_of(window, "--window"))
        if length <= 0:
            raise ParameterError(Problem("--window", repr(window), "a length above 0, as 10s"))
        choice = FrameChoice.named(every, start, end)
        region = None if inside is None else watched.zone(inside)
        tracking = tracking_of(person_height, whatever_moves, what, model, score, max_pixels)
        reading = VideoPass(file, choice, tracking)
        log, crossed = PresenceLog(length, float(choice.start)), CrossingLog(watched.lines)
        with working("privis video count"):
            for followed in reading:
                rows = followed.decided
                crossed.add(rows)
                log.add(rows if region is None else rows[region.contains(rows.feet)])
        windows = _windows(log.table(reading.end), watched.lines, crossed.crossings)
        if as_json:
            print(json.dumps(windows, ensure_ascii=False))
        else:
            out.print(_table(windows))
        reading.finish()


def _windows(
    table: PresenceTable, lines: tuple[CountingLine, ...], crossings: tuple[Crossing, ...]
) -> list[dict[str, Any]]:
    windows = []
    for start, end, count in zip(table.starts, table.ends, table.counts, strict=True):
        window: dict[str, Any] = {"start": round(float(start), 6), "end": round(float(end), 6), "count": int(count)}
        if lines:
            here = [each for each in crossings if start <= each.time < end]
            window["crossings"] = {
                name: {
                    way.value: sum(each.line == name and each.direction is way for each in here) for way in Direction
                }
                for name in (line.name for line in lines)
            }
        windows.append(window)
    return windows


def _table(windows: list[dict[str, Any]]) -> Table:
    lines = list(windows[0].get("crossings", {})) if windows else []
    shown = Table("from", "to", "people", *(f"{name} {way.value}" for name in lines for way in Direction))
    for window in windows:
        crossed = [str(window["crossings"][name][way.value]) for name in lines for way in Direction]
        shown.add_row(f"{window['start']:g} s", f"{window['end']:g} s", str(window["count"]), *crossed)
    return shown
