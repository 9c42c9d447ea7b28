"""``privis dicom``: what is done with DICOM files at their owner."""

from __future__ import annotations

import typer

from privis.cli.console import EXIT_CODES
from privis.cli.dicom.deidentify import deidentify

dicom = typer.Typer(
    name="dicom",
    help="DICOM files at their owner: copies without the people in them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
dicom.command(epilog=EXIT_CODES)(deidentify)


@dicom.callback()
def _group() -> None:
    """Keep one command a group of commands."""
