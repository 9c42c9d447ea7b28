"""The ``privis`` command."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from privis.cli.attack.attack_command import attack
from privis.cli.cards.sign_card import card
from privis.cli.choose.choose_command import choose
from privis.cli.classification.classify import classify
from privis.cli.console import EXIT_CODES, err, explained, out
from privis.cli.detection.detect_group import detect
from privis.cli.dicom.dicom_group import dicom
from privis.cli.documents.document_check import document
from privis.cli.documents.redact import redact
from privis.cli.extract import (
    At,
    Block,
    Clip,
    Delta,
    Epsilon,
    FeatureName,
    Moves,
    Parameters,
    Post,
    ReleaseName,
    Total,
    UnitName,
    chosen_feature,
    extract,
)
from privis.cli.extraction.release_table import release_table
from privis.cli.faces.face import face
from privis.cli.files.info import info
from privis.cli.files.verify import verify
from privis.cli.joint.mpc import mpc
from privis.cli.joint.party import party
from privis.cli.keygen import keygen
from privis.cli.ledger import ledger
from privis.cli.parsing import (
    FEATURES,
    UNDER,
    described_type,
    documented,
    executor_named,
    feature_named,
    parameter_defaults,
    parameter_types,
    shown_value,
)
from privis.cli.releases import ReleaseWords, image_size, instead, mention_place, placed_release
from privis.cli.reports.report import report
from privis.cli.scores.run_record import RunRecord
from privis.cli.search.search_group import search
from privis.cli.server.answers import answers
from privis.cli.server.query import query
from privis.cli.server.serve import serve
from privis.cli.server.stages import stage
from privis.cli.shell import completion
from privis.cli.shell.once import HELP_NAMES, given_once
from privis.cli.studio.studio_command import studio
from privis.cli.train import predict, train
from privis.cli.video.video_group import video
from privis.errors import ParameterError, Problem
from privis.version import VERSION

app = typer.Typer(
    name="privis",
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


app.command(epilog=EXIT_CODES)(extract)
app.command("release", epilog=EXIT_CODES)(release_table)
app.command(epilog=EXIT_CODES)(train)
app.command(epilog=EXIT_CODES)(predict)
app.command(epilog=EXIT_CODES)(redact)
app.command()(info)
app.command(epilog=EXIT_CODES)(choose)
app.command(epilog=EXIT_CODES)(card)
app.command(epilog=EXIT_CODES)(verify)
app.command(epilog=EXIT_CODES)(attack)
app.command(epilog=EXIT_CODES)(report)
app.add_typer(ledger)
app.add_typer(answers)
app.add_typer(mpc)
app.add_typer(face)
app.add_typer(search)
app.add_typer(classify)
app.add_typer(detect)
app.add_typer(dicom)
app.add_typer(video)
app.command()(party)
app.command()(keygen)
app.command()(serve)
app.add_typer(document)
app.add_typer(stage)
app.command(epilog=EXIT_CODES)(query)
app.command(epilog=EXIT_CODES)(studio)


@app.command()
def features(
    name: Annotated[
        str | None,
        typer.Argument(help="Show the parameters of one feature.", autocompletion=completion.features),
    ] = None,
) -> None:
    """List the features, or the parameters of one."""
    with explained():
        if name is None:
            table = Table("feature", "what it is", "parameters")
            for key, choice in FEATURES.items():
                table.add_row(key, choice.summary, ", ".join(parameter_types(choice.load())))
            out.print(table)
            return
        if name not in FEATURES:
            raise ParameterError(Problem("privis features", repr(name), f"one of {', '.join(FEATURES)}"))
        build = FEATURES[name].load()
        paragraphs, meanings = documented(build)
        for paragraph in paragraphs:
            out.print(paragraph + "\n", markup=False)
        defaults = parameter_defaults(build)
        if FEATURES[name].size is not None:
            defaults["size"] = FEATURES[name].size
        table = Table("parameter", "takes", "default", "what it is")
        for parameter, kind in parameter_types(build).items():
            default = shown_value(defaults.get(parameter, "(required)"))
            meaning = escape(meanings.get(parameter, ""))
            table.add_row(f"-p {parameter}=…", described_type(kind), default, meaning)
        out.print(table)


@app.command()
def show(
    image: Annotated[Path, typer.Argument(help="An image.")],
    feature: FeatureName,
    output: Annotated[Path, typer.Option("-o", "--output", help="Picture to write, .png or .jpg.")],
    parameter: Parameters = None,
) -> None:
    """Draw what a feature sees in an image."""
    with explained():
        from privis import draw
        from privis.io.images import decode as images

        chosen = feature_named(feature, parameter or [])
        draw.save(draw.picture(chosen, images.load(image)), output)
        out.print(str(output), markup=False)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("demo"),
) -> None:
    """Extract features from sample images with every protection there is, and draw a report."""
    with explained():
        from privis.demo import run

        with err.status("demo") as status:
            result = run(output, lambda step: status.update(step) if err.is_terminal else err.print(step, markup=False))
        table = Table(
            "feature", "protection", "who saw the image", "what the result may say", "ms per image", "distance"
        )
        for row in result.rows:
            table.add_row(
                row.feature,
                row.protection,
                row.saw,
                row.guarantee,
                f"{1000 * row.seconds:.1f}",
                f"{row.difference:.3g}",
            )
        out.print(table)
        out.print(f"Open {result.report} in a browser.", markup=False)


@app.command()
def explain(
    feature: FeatureName,
    shape: Annotated[str, typer.Option(help="Image size, HEIGHTxWIDTH.")] = "256x256",
    parameter: Parameters = None,
    release: ReleaseName = None,
    at: At = None,
    unit: UnitName = "image",
    epsilon: Epsilon = None,
    delta: Delta = None,
    clip: Clip = None,
    block: Block = None,
    moves: Moves = None,
    total: Total = None,
    post: Post = None,
    images_per_person: Annotated[int, typer.Option(help="How many images of one person are released.")] = 1,
    under: Annotated[str | None, typer.Option(help=f"Also say how exact it is under {', '.join(UNDER)}.")] = None,
) -> None:
    """Say what a release would guarantee, what it would cost and what it leaves, before any image is touched."""
    with explained():
        from privis.extraction.explain import explain as explanation_of

        words = ReleaseWords(release, at, unit, epsilon, delta, clip, block, moves, total)
        chosen, size = chosen_feature(feature, parameter or [], post), image_size(shape)
        noise = placed_release(words, chosen, [size])
        mention_place(words, noise)
        runs = None if under is None else executor_named(under)
        told = explanation_of(chosen, size, release=noise, images_per_person=images_per_person, under=runs)
        for line in told.lines:
            out.print(line, markup=False)
        if noise is not None and told.noise is not None and told.noise.leaves_nothing:
            out.print(f"For that, {instead(chosen, noise, [size], sys.argv[1:])}", markup=False, soft_wrap=True)


@app.command()
def doctor(
    measure: Annotated[bool, typer.Option("--measure", help="Time features, noise and three parties as well.")] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure this machine instead and keep its speeds for predictions.")
    ] = False,
) -> None:
    """Check this machine: versions, extras and what is known of its speed; seconds where they are asked for."""
    with explained():
        from privis.cli.doctor import calibration, findings

        table = Table("check", "found", "")
        with err.status("doctor") as status:
            say = status.update if err.is_terminal else err.print
            for finding in calibration(say) if calibrate else findings(measure):
                table.add_row(finding.check, finding.found, escape(finding.advice))
        out.print(table)


@app.command("help")
def help_of(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]", help="As in: privis help mpc run.")
    ] = None,
) -> None:
    """Show what privis does, or how one of its commands is used."""
    root: Any = ctx.find_root()
    root.command.main([*(command or []), HELP_NAMES[1]], prog_name=root.info_name)


given_once(app)


def main() -> None:
    """Entry point of the ``privis`` command."""
    record = RunRecord()
    try:
        app(prog_name="privis", obj=record)
    finally:
        record.finish()
        gc.freeze()  # the interpreter's end would look through every module's objects for cycles: a tenth of a command
