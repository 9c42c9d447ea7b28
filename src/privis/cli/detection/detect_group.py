"""``privis detect``: things in pictures, and commands about detectors."""

from __future__ import annotations

import typer

from privis.cli.detection.detect import detect_pictures
from privis.cli.detection.detect_options import DETECT_EXIT_CODES, OTHERS
from privis.cli.shell.first_word import PICTURES, FirstWordGroup

detect = typer.Typer(
    name="detect",
    cls=FirstWordGroup,
    help="Find people, faces, number plates and other things in pictures.",
    epilog=DETECT_EXIT_CODES,
    rich_markup_mode="rich",
)
detect.command(PICTURES, epilog=f"{OTHERS}\n\n{DETECT_EXIT_CODES}")(detect_pictures)


@detect.callback()
def _group() -> None:
    """Keep one command a group of commands."""
