"""``privis video info``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.console import explained, out
from privis.cli.files.video_lines import video_lines
from privis.io.video.opened_video import MAX_PIXELS
from privis.io.video.video_facts import video_facts

File = Annotated[Path, typer.Argument(metavar="FILE", help="A video.")]
MaxPixels = Annotated[int, typer.Option(help="Refuse frames of more pixels before decoding them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def info(file: File, max_pixels: MaxPixels = MAX_PIXELS, as_json: AsJson = False) -> None:
    """Say what a video is: the size and the times of its frames as they are shown, and what reading it would mend.

    privis video info camera.mp4
    """
    with explained():
        found = video_facts(file, max_pixels=max_pixels)
        if as_json:
            print(json.dumps({"path": str(file), **asdict(found), "rate": found.rate, "variable": found.is_variable}))
            return
        for line in video_lines(found):
            out.print(line, markup=False, soft_wrap=True)
