"""Options that commands which follow people have, with their words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    str, typer.Argument(metavar="FILE", help="A video of a fixed camera: a file, - for standard input, or an address.")
]
Start = Annotated[str | None, typer.Option("--from", help="Time from the start of the video, as 1:30 or 90s.")]
End = Annotated[str | None, typer.Option("--to", help="Time from the start of the video.")]
Every = Annotated[str | None, typer.Option("--every", help="One frame for every so long, as 200ms; else all frames.")]
Zones = Annotated[
    list[str] | None,
    typer.Option(
        "--zone", metavar="NAME=X,Y …", help="Region that people stand in, as 'door=10,20 30,20 30,80'; repeatable."
    ),
]
Lines = Annotated[
    list[str] | None,
    typer.Option("--line", metavar="NAME=X,Y X,Y", help="Line that people cross, as 'gate=0,100 400,100'; repeatable."),
]
Places = Annotated[
    Path | None,
    typer.Option(help="TOML file of zones and lines: [[zone]] name, polygon = [[X, Y], …]; [[line]] name, points."),
]
PersonHeight = Annotated[
    str | None,
    typer.Option(
        metavar="PIXELS",
        help="How tall people are in the video: PIXELS, or ROW:PIXELS,ROW:PIXELS for two rows that feet are at. Unless "
        "said, it is learned from those who walk alone.",
    ),
]
WhateverMoves = Annotated[
    bool, typer.Option("--whatever-moves", help="Follow connected regions as they are, such as cars.")
]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse frames of more pixels before decoding them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
What = Annotated[
    str | None,
    typer.Option(
        help="Find people, faces, plates or the label of --model in each frame by `privis detect`, instead of what "
        "differs from the background: slower, and the camera may move."
    ),
]
Model = Annotated[Path | None, typer.Option(help="With --what: the detector, as of `privis detect`.")]
Least = Annotated[float | None, typer.Option("--score", help="With --what: score from which something is found.")]
