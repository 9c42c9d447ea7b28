"""Rules on the product's tracks of PETS2009 S2.L1 against the same rules on annotated tracks.

What is measured is what tracking costs a rule, not whether a rule is right about people: nobody loiters in this clip,
so that limits are such that the annotated tracks have events. Nothing was chosen on it but these limits.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.behaviour.commands_run import DATA
from benchmarks.video.tracking import FOLDER, VIDEO, followed, pets_truth
from privis.tasks.behaviour import (
    EventQuality,
    RunningRule,
    TrackEvent,
    event_quality,
    loitering,
    running,
    wrong_directions,
)
from privis.tasks.tracking import CountingLine, Direction, PolygonZone, Tracks

ZONE = PolygonZone("crossing", [[140, 120], [340, 120], [340, 260], [140, 260]])
LINES = (CountingLine("middle", (240, 60), (240, 360)), CountingLine("left", (150, 60), (150, 360)))
STAY, SPEED, FRAMES = 8.0, 1.0, 530


def ruled(tracks: Tracks) -> dict[str, tuple[TrackEvent, ...]]:
    """Events by what the rule says."""
    return {
        f"stays of {STAY:g} s in a zone": loitering(tracks, [ZONE], STAY),
        f"faster than {SPEED:g} body heights a second": running(tracks, RunningRule(SPEED)),
        "lines crossed against their direction": wrong_directions(
            tracks, LINES, {line.name: Direction.TO_LEFT for line in LINES}
        ),
    }


def qualities(data: Path, seconds: int | None = None) -> dict[str, EventQuality]:
    """Recall and precision of each rule."""
    end = FRAMES if seconds is None else 10 * seconds
    true = pets_truth(data / FOLDER)
    true = true[true.frames <= end]
    tracks, _, _, _ = followed(data / FOLDER / VIDEO, end // 10)
    tracks = tracks[tracks.frames <= end]
    found, wanted = ruled(tracks), ruled(true)
    return {name: event_quality(wanted[name], true, found[name], tracks) for name in wanted}


def main(data: Path = DATA) -> None:
    """Print a line for each rule."""
    for name, quality in qualities(data).items():
        recall, precision = quality.recall, quality.precision
        print(
            f"PETS2009 S2.L1, frames 0-529, {name}: recall {recall.value:.2f} ({recall.interval[0]:.2f} to "
            f"{recall.interval[1]:.2f}) of {recall.tries}, precision {precision.value:.2f} "
            f"({precision.interval[0]:.2f} to {precision.interval[1]:.2f}) of {precision.tries}",
            flush=True,
        )
