"""``privis video track``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from privis.cli.console import explained, out, working
from privis.cli.video.following import VideoPass, readable_once, tracking_of
from privis.cli.video.place_words import WatchedPlaces, watched_places
from privis.cli.video.track_drawing import TrackDrawing, checked_pictures
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
from privis.estimators.video.track_table import track_table
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.opened_video import MAX_PIXELS
from privis.tasks.tracking.line_crossings import CrossingLog, Direction
from privis.tasks.tracking.zone_visits import VisitLog

Output = Annotated[Path, typer.Option("-o", "--output", help="Table to write, CSV: frame,id,x,y,w,h,score.")]
Ways = Annotated[Path | None, typer.Option(help="Picture to write: where everybody went, over the empty place.")]
HeatMap = Annotated[Path | None, typer.Option(help="Picture to write: how often feet were where.")]
Timeline = Annotated[Path | None, typer.Option(help="Picture to write: who was there when.")]
AnnotatedVideo = Annotated[
    Path | None,
    typer.Option("--annotated", help="Video to write, with boxes, ids and places drawn. It shows the people."),
]


def track(
    file: Source,
    output: Output,
    start: Start = None,
    end: End = None,
    every: Every = None,
    zone: Zones = None,
    line: Lines = None,
    places: Places = None,
    person_height: PersonHeight = None,
    whatever_moves: WhateverMoves = False,
    what: What = None,
    model: Model = None,
    score: Least = None,
    ways: Ways = None,
    heat_map: HeatMap = None,
    timeline: Timeline = None,
    annotated: AnnotatedVideo = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Follow people before a fixed camera: who was where in which frame, how long in which zone, across which line.

    Ids are numbers of this run; the table shows movements, which tell people apart: it stays with you.

    privis video track hall.mp4 -o tracks.csv

    privis video track hall.mp4 -o tracks.csv --line 'door=100,200 180,200' --zone 'till=10,20 90,20 90,80' --json
    """
    with explained():
        watched = watched_places(places, tuple(zone or ()), tuple(line or ()))
        choice = FrameChoice.named(every, start, end)
        checked_pictures(output, ways, heat_map, timeline, annotated, readable_once(file))
        tracking = tracking_of(person_height, whatever_moves, what, model, score, max_pixels)
        reading = VideoPass(file, choice, tracking)
        stays, crossed = VisitLog(watched.zones), CrossingLog(watched.lines)
        drawing = TrackDrawing(ways, heat_map, timeline, annotated, watched)
        people: set[int] = set()
        with track_table(output) as table, working("privis video track"):
            for followed in reading:
                rows = followed.decided
                table.add(rows)
                people |= set(rows.ids.tolist())
                stays.add(rows)
                crossed.add(rows)
                drawing.add(followed)
        drawing.write(file, choice, reading, max_pixels)
        document = {
            "output": str(output), "frames": reading.frames, "seconds": round(reading.end, 3), "people": len(people),
            "rows": table.rows, **_watched(watched, stays, crossed),
        }  # fmt: skip
        if as_json:
            print(json.dumps(document, ensure_ascii=False))
        else:
            for sentence in _sentences(document):
                out.print(sentence, markup=False, soft_wrap=True)
        reading.finish()


def _watched(watched: WatchedPlaces, stays: VisitLog, crossed: CrossingLog) -> dict[str, Any]:
    visits, crossings = stays.visits, crossed.crossings
    zones, lines = [], []
    for zone in watched.zones:
        inside = [each for each in visits if each.zone == zone.name]
        seconds = [each.seconds for each in inside]
        zones.append({
            "zone": zone.name, "people": len({each.person for each in inside}), "visits": len(inside),
            "mean_seconds": round(sum(seconds) / len(seconds), 3) if seconds else None,
            "longest_seconds": round(max(seconds), 3) if seconds else None,
        })  # fmt: skip
    for line in watched.lines:
        counts = Counter(each.direction for each in crossings if each.line == line.name)
        lines.append({"line": line.name, **{way.value: counts[way] for way in Direction}})
    return {
        "zones": zones,
        "lines": lines,
        "visits": [
            {"zone": v.zone, "id": v.person, "start": round(v.start, 3), "end": round(v.end, 3),
             "seconds": round(v.seconds, 3)} for v in visits
        ],
        "crossings": [
            {"line": c.line, "id": c.person, "time": round(c.time, 3), "direction": c.direction.value}
            for c in crossings
        ],
    }  # fmt: skip


def _sentences(document: dict[str, Any]) -> list[str]:
    told = [f"{document['people']:,} people in {document['frames']:,} frames; {document['output']}"]
    for zone in document["zones"]:
        dwelt = "" if zone["mean_seconds"] is None else (
            f", {zone['mean_seconds']:.1f} s on average, {zone['longest_seconds']:.1f} s at most"
        )  # fmt: skip
        told.append(f"zone {zone['zone']}: {zone['people']:,} people, {zone['visits']:,} visits{dwelt}")
    for line in document["lines"]:
        counts = ", ".join(f"{line[way.value]:,} {way.value}" for way in Direction)
        told.append(f"line {line['line']}: {counts}")
    return told
