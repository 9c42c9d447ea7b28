"""``privis video anomalies``: where a fixed camera sees more motion than is usual there."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.console import explained, out, working
from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable, replacing
from privis.io.images.decode import Decoding
from privis.io.images.sources import find
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import video_frames
from privis.io.video.opened_video import MAX_PIXELS

if TYPE_CHECKING:
    from privis.estimators.video.unusual_moments import UnusualMoments

COLUMNS = ("frame", "time", "score", "x", "y", "w", "h")
PICTURES = (".png", ".jpg", ".jpeg")
_RATE = 10.0

File = Annotated[Path, typer.Argument(metavar="FILE", help="A video of a fixed camera, or a folder of its frames.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help=f"CSV to write: {','.join(COLUMNS)} of the most unusual region of every frame."
    ),
]
PictureFile = Annotated[
    Path | None, typer.Option("--picture", help="Picture to write, .png or .jpg: where something unusual was seen.")
]
Every = Annotated[
    str | None,
    typer.Option(help="One frame for every so long, as 0.1s, not all: motion is between two that follow each other."),
]
Start = Annotated[str | None, typer.Option("--from", help="Frames from this time on, as 90s or 1:30.")]
End = Annotated[str | None, typer.Option("--to", help="Frames before this time.")]
Rate = Annotated[float, typer.Option(min=0.001, help="Frames a second of a folder of frames.")]
Top = Annotated[int, typer.Option(min=1, help="How many moments are shown, at least a second apart.")]
MaxPixels = Annotated[int, typer.Option(help="Refuse frames of more pixels before decoding them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def anomalies(
    file: File,
    output: Output = None,
    picture: PictureFile = None,
    every: Every = None,
    start: Start = None,
    end: End = None,
    rate: Rate = _RATE,
    top: Top = 5,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Find moments and places of more motion than is usual there, without examples: who is faster or larger.

    privis video anomalies camera.mp4 -o scores.csv --picture heat.png

    privis video anomalies frames/ --rate 10 --json

    A score is how many times as much moves as is much, but usual, in that row of the picture over the same recording:
    it ranks moments of one camera, and is no probability.
    """
    with explained():
        choice = FrameChoice.named(every, start, end)
        if picture is not None and picture.suffix.lower() not in PICTURES:
            raise ParameterError(Problem("--picture", repr(str(picture)), f"a name that ends in {', '.join(PICTURES)}"))
        for path in (output, picture):
            if path is not None:
                check_writable(path)
        from privis.draw import save
        from privis.estimators.video.unusual_moments import unusual_moments

        if os.path.isdir(file):
            frames = _of_folder(file, rate, choice, max_pixels)
        else:
            frames = ((each.time, each.pixels) for each in video_frames(file, choice, max_pixels=max_pixels))
        with working("privis video anomalies"):
            found = unusual_moments(frames, where=str(file))
        if output is not None:
            _write(output, found)
        if picture is not None:
            save(found.picture(), picture)
        moments = [_row(found, place) for place in found.top(top)]
        if as_json:
            document: dict[str, Any] = {"frames": len(found.times), "most_unusual": moments}
            document |= {"output": None if output is None else str(output)}
            document |= {"picture": None if picture is None else str(picture)}
            print(json.dumps(document))
            return
        out.print(f"{file}: {len(found.times):,} frames", markup=False, soft_wrap=True)
        for each in moments:
            place = f"{each['w']:.0f} x {each['h']:.0f} pixels at {each['x']:.0f}, {each['y']:.0f}"
            told = f"{each['time']:10.2f} s  {each['score']:6.2f} times as much as is usual  {place}"
            out.print(told, markup=False, soft_wrap=True)
        if not moments:
            out.print("nothing moves", markup=False)


def _of_folder(folder: Path, rate: float, choice: FrameChoice, max_pixels: int) -> Iterator[tuple[float, Any]]:
    """Frames that are files, by their names, as many a second as is said."""
    from fractions import Fraction

    decoding, picker = Decoding(max_pixels), choice.picker()
    for number, path in enumerate(find([str(folder)])):
        time = number / Fraction(rate).limit_denominator(1000)
        if picker.is_past(time):
            return
        if picker.takes(time):
            yield float(time), decoding(path)


def _row(found: UnusualMoments, place: int) -> dict[str, Any]:
    score, x, y, w, h = (round(float(value), 4) for value in found.regions[place])
    time = round(float(found.times[place]), 6)
    return {"frame": place + 1, "time": time, "score": score, "x": x, "y": y, "w": w, "h": h}


def _write(output: Path, found: UnusualMoments) -> None:
    with replacing(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(found, place) for place in range(len(found.times)))
