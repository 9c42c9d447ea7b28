"""Options of ``privis detect``, with their words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DETECT_EXIT_CODES = """Exit codes: 0 done, whatever was found · 1 done, but some pictures could not be used (they are
listed) · 2 a wrong option, or a model that is missing, damaged or of something else · 3 no picture could be used · 4
the output could not be written · 130 interrupted (the same command goes on)."""
OTHERS = "A folder that has the name of a command is given as ./NAME."
PEOPLE, FACES, PLATES = "people", "faces", "plates"

Inputs = Annotated[list[str], typer.Argument(metavar="IMAGES…", help="Pictures, folders, globs, or - for a list.")]
What = Annotated[
    str,
    typer.Option(
        help=f"What is looked for: {PEOPLE}, {FACES}, {PLATES}, or with --model any word: it is the label of what that "
        "model finds."
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        help="The detector: for people weights of a 64 x 128 window as OpenCV publishes them (.npy or text); for faces "
        "an ONNX network. Without it: people by OpenCV's own weights, faces by the extra faces, plates by their "
        "characters."
    ),
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Table to write, .csv: path,x,y,w,h,score,label; else stdout.")
]
Least = Annotated[
    float | None,
    typer.Option("--score", help="Score from which something is found; the default depends on what is looked for."),
]
Overlap = Annotated[
    float | None,
    typer.Option(help="Intersection over union, 0 to 1, from which two boxes are one thing."),
]
Scale = Annotated[
    float | None, typer.Option("--step", help="People: factor from one size to the next; nearer to 1 finds more.")
]
Border = Annotated[
    int | None, typer.Option(help="People: pixels around every size, a multiple of 8; finds who stands at the edge.")
]
Largest = Annotated[
    float | None, typer.Option("--enlarge", help="People: size of the first look; 2 finds people of half the height.")
]
Most = Annotated[int | None, typer.Option(min=1, help="Boxes of one picture at most, those of the highest scores.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes; 0 is one per core.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse pictures of more pixels before decoding them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
