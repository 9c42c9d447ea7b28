"""The ``privis`` command."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from privis.cli.console import EXIT_CODES, out
from privis.cli.scores.run_record import RunRecord
from privis.cli.shell.command_table import CommandPlace, group_of
from privis.cli.shell.once import HELP_NAMES
from privis.version import VERSION


def _place(module: str, attribute: str, *, codes: bool = True) -> CommandPlace:
    return CommandPlace(f"privis.cli.{module}", attribute, EXIT_CODES if codes else None)


COMMANDS = {
    "extract": _place("extract", "extract"),
    "release": _place("extraction.release_table", "release_table"),
    "train": _place("train", "train"),
    "predict": _place("train", "predict"),
    "redact": _place("documents.redact", "redact"),
    "info": _place("files.info", "info", codes=False),
    "choose": _place("choose.choose_command", "choose"),
    "card": _place("cards.sign_card", "card"),
    "verify": _place("files.verify", "verify"),
    "attack": _place("attack.attack_command", "attack"),
    "report": _place("reports.report", "report"),
    "party": _place("joint.party", "party", codes=False),
    "keygen": _place("keygen", "keygen", codes=False),
    "serve": _place("server.serve", "serve", codes=False),
    "query": _place("server.query", "query"),
    "studio": _place("studio.studio_command", "studio"),
    "features": _place("about.feature_list", "features", codes=False),
    "show": _place("about.feature_list", "show", codes=False),
    "demo": _place("about.demonstration", "demo", codes=False),
    "explain": _place("about.explain_release", "explain", codes=False),
    "doctor": _place("about.machine_check", "doctor", codes=False),
    "help": _place("about.help_words", "help_of", codes=False),
    "ledger": _place("ledger", "ledger"),
    "answers": _place("server.answers", "answers"),
    "mpc": _place("joint.mpc", "mpc"),
    "face": _place("faces.face", "face"),
    "search": _place("search.search_group", "search"),
    "classify": _place("classification.classify", "classify"),
    "detect": _place("detection.detect_group", "detect"),
    "dicom": _place("dicom.dicom_group", "dicom"),
    "video": _place("video.video_group", "video"),
    "document": _place("documents.document_check", "document"),
    "stage": _place("server.stages", "stage"),
}
"""Every command, in the order of the help, with the module that is loaded for it."""

app = typer.Typer(
    name="privis",
    cls=group_of(COMMANDS),
    help="Features from images that nobody else gets to see.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": HELP_NAMES},
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(VERSION)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Features from images that nobody else gets to see."""


def main() -> None:
    """Entry point of the ``privis`` command."""
    record = RunRecord()
    try:
        app(prog_name="privis", obj=record)
    finally:
        record.finish()
        gc.freeze()  # the interpreter's end would look through every module's objects for cycles: a tenth of a command
