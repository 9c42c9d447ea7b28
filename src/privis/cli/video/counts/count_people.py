"""``privis video count``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.table import Table

from privis.cli.console import explained, out, working
from privis.cli.scores.run_record import RunNote, note_run
from privis.cli.video.counts.released_counts import (
    CardPath,
    CountWords,
    Delta,
    Epsilon,
    Key,
    LedgerPath,
    NoiseName,
    Recording,
    Resolution,
    UnitWords,
    say_release,
)
from privis.cli.video.following import VideoPass, tracking_of, tracking_words
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
from privis.estimators.video.presence_release import RESOLUTION
from privis.io.video.frame_choice import FrameChoice, seconds_of
from privis.io.video.opened_video import MAX_PIXELS
from privis.tasks.tracking.line_crossings import CountingLine, Crossing, CrossingLog, Direction
from privis.tasks.tracking.presence_table import PresenceLog, PresenceTable

Window = Annotated[str, typer.Option(help="Length of a window, as 10s or 15min.")]
Inside = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Count those who stand in this zone, of --zone or --places.")
]


def count(
    context: typer.Context,
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
    epsilon: Epsilon = None,
    release: NoiseName = "laplace",
    delta: Delta = None,
    unit: UnitWords = "person-day:4",
    resolution: Resolution = RESOLUTION,
    recording: Recording = None,
    key: Key = None,
    ledger: LedgerPath = None,
    card: CardPath = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Count the people before a fixed camera, by windows of time: in each one how many different people were seen.

    With --line also how many crossed it in each direction. These counts are exact: they hide nobody. With --epsilon
    noise hides whether any one person was there; about how many people windows were cut off is said beside the counts.

    privis video count hall.mp4 --window 10s --json

    privis video count hall.mp4 --window 15min --places hall.toml --inside till

    privis video count hall.mp4 --window 15min --epsilon 1 --unit person-day:4:2 --key release.key --ledger hall.ledger
    """
    with explained():
        words = CountWords(epsilon, release, delta, unit, resolution, recording, key, ledger, card)
        wanted = words.checked()
        watched = watched_places(places, tuple(zone or ()), tuple(line or ()))
        length = float(seconds_of(window, "--window"))
        if length <= 0:
            raise ParameterError(Problem("--window", repr(window), "a length above 0, as 10s"))
        if wanted is not None and watched.lines:
            remedy = "release the people in windows, or count crossings without --epsilon and keep them"
            got = "--line with --epsilon"
            raise ParameterError(
                Problem("--line", got, "none: one person may cross a line any number of times", remedy)
            )
        choice = FrameChoice.named(every, start, end)
        region = None if inside is None else watched.zone(inside)
        tracking = tracking_of(person_height, whatever_moves, what, model, score, max_pixels)
        reading = VideoPass(file, choice, tracking)
        log, crossed, frames_seen = PresenceLog(length, float(choice.start)), CrossingLog(watched.lines), 0
        with working("privis video count"):
            for followed in reading:
                frames_seen += 1
                rows = followed.decided
                crossed.add(rows)
                log.add(rows if region is None else rows[region.contains(rows.feet)])
        table, told = log.table(reading.end), None
        if wanted is not None:
            numbers, columns = np.nonzero(table.present)
            corners = None if region is None else region.polygon.tolist()
            frames = choice.words
            question = (
                "windows",
                length,
                frames,
                corners,
                tracking_words(person_height, whatever_moves, what, model, score),
            )
            told = words.released(wanted, numbers, table.people[columns], len(table.starts), file, question)
        windows = _windows(table, table.counts if told is None else told.counts, watched.lines, crossed.crossings)
        if as_json:
            print(json.dumps(windows, ensure_ascii=False))
        else:
            out.print(_table(windows))
        if told is not None:
            say_release(told, to_stdout=not as_json)
        note_run(context, RunNote("video count", "clear", frames_seen))
        reading.finish()


def _windows(
    table: PresenceTable,
    counts: npt.NDArray[np.int64],
    lines: tuple[CountingLine, ...],
    crossings: tuple[Crossing, ...],
) -> list[dict[str, Any]]:
    windows = []
    for start, end, count in zip(table.starts, table.ends, counts, strict=True):
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
