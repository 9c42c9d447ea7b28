"""The ``privis`` command."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from privis.cli.choices import FEATURES, ReleaseWords, feature_named, parameter_types, release_of
from privis.cli.console import EXIT_CODES, SOME_FAILED, err, explained, out, progress
from privis.errors import ParameterError, Problem
from privis.version import VERSION

app = typer.Typer(
    name="privis",
    help="Features from images that nobody else gets to see.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="Parameter of the feature, NAME=VALUE; repeatable.")
]
FeatureName = Annotated[str, typer.Option("-f", "--feature", help="Which feature; `privis features` lists them.")]


def _version(wanted: bool) -> None:
    if wanted:
        out.print(VERSION)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Features from images that nobody else gets to see."""


@app.command(epilog=EXIT_CODES)
def extract(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT…", help="Files, folders, globs, or - for a list on stdin.")
    ],
    feature: FeatureName,
    output: Annotated[Path, typer.Option("-o", "--output", help="Table to write: .parquet, .npz or .csv.")],
    parameter: Parameters = None,
    release: Annotated[
        str | None, typer.Option(help="Noise: laplace or gaussian. Without it results are exact.")
    ] = None,
    at: Annotated[str, typer.Option(help="Where the noise goes: pixels or feature.")] = "pixels",
    unit: Annotated[str, typer.Option(help="What the noise hides: image, pixels:COUNT or patch:SIDE.")] = "image",
    epsilon: Annotated[float | None, typer.Option(help="Privacy budget for the unit.")] = None,
    delta: Annotated[float | None, typer.Option(help="Failure probability, for gaussian noise.")] = None,
    clip: Annotated[
        float | None, typer.Option(help="Public bound of the feature's norm, for noise on the feature.")
    ] = None,
    block: Annotated[int, typer.Option(help="Pixelise to blocks of this side first, for noise on pixels.")] = 1,
    key: Annotated[
        Path | None, typer.Option(help="Release key; made there if there is none. Equal key, equal noise.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0 is one per core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report.")] = None,
) -> None:
    """Extract a feature from pictures into a table that carries its guarantee.

    privis extract photos/ -f hog -o hog.parquet

    privis extract photos/ -f lbp -p patterns=uniform --release laplace --unit pixels:16 --epsilon 4 -o lbp.npz
    """
    from privis.folder import extract_folder
    from privis.io.sources import find

    with explained():
        words = ReleaseWords(release, at, unit, epsilon, delta, clip, block)
        chosen, noise = feature_named(feature, parameter or []), release_of(words)
        default = FEATURES[feature].size
        if default and chosen.size == default and not any(p.startswith("size=") for p in parameter or []):
            err.print(
                f"{feature}: images are resized to {default[0]}x{default[1]}; -p size=HxW or size=none changes that"
            )
        sources = find(inputs, sys.stdin)
        with progress(feature) as show:
            result = extract_folder(
                chosen,
                sources,
                output,
                release=noise,
                key_path=key,
                workers=workers or os.cpu_count() or 1,
                on_progress=show,
            )
        if report is not None:
            from privis.report import folder_report, write

            write(folder_report(result), report)
        outcome = result.outcome
        if as_json:
            document = {
                "output": str(outcome.output),
                "rows": outcome.rows,
                "components": outcome.length,
                "failures": [{"path": f.path, "reason": f.reason} for f in outcome.failures],
                "seconds": round(outcome.seconds, 3),
                "card": result.card.to_dict(),
            }
            print(json.dumps(document, allow_nan=False))
        else:
            out.print(f"{outcome.rows:,} rows of {outcome.length:,} components in {outcome.output}", markup=False)
            out.print(result.guarantee.sentence, markup=False)
        for failure in outcome.failures[:20]:
            err.print(f"failed: {failure.path}: {failure.reason}", markup=False, soft_wrap=True)
        if len(outcome.failures) > 20:
            err.print(f"… and {len(outcome.failures) - 20:,} more in {outcome.output}.failures.csv", markup=False)
        if outcome.failures:
            raise SystemExit(SOME_FAILED)


@app.command()
def features(name: Annotated[str | None, typer.Argument(help="Show the parameters of one feature.")] = None) -> None:
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
        out.print((build.__doc__ or "").split(">>>")[0].rstrip(), markup=False)
        for parameter, kind in parameter_types(build).items():
            default = getattr(build, parameter, "required")
            shown = getattr(default, "value", default)
            out.print(f"  -p {parameter}=…  {getattr(kind, '__name__', kind)}, {shown}", markup=False)


@app.command()
def show(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    feature: FeatureName,
    output: Annotated[Path, typer.Option("-o", "--output", help="Picture to write, .png or .jpg.")],
    parameter: Parameters = None,
) -> None:
    """Draw what a feature sees in a picture."""
    with explained():
        from privis import draw
        from privis.io import images

        chosen = feature_named(feature, parameter or [])
        draw.save(draw.picture(chosen, images.load(image)), output)
        out.print(str(output), markup=False)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("demo"),
) -> None:
    """Extract features from sample photographs with every protection there is, and draw a report."""
    with explained():
        from privis.demo import run

        with err.status("demo") as status:
            result = run(output, lambda step: status.update(step))
        table = Table("feature", "protection", "guarantee", "ms per image", "distance from clear")
        for row in result.rows:
            table.add_row(
                row.feature, row.protection, row.guarantee, f"{1000 * row.seconds:.1f}", f"{row.difference:.3g}"
            )
        out.print(table)
        out.print(f"Open {result.report} in a browser.", markup=False)


@app.command()
def keygen(path: Annotated[Path, typer.Argument(help="File to make; readable by you alone.")]) -> None:
    """Make a release key: with it, running a release again gives the same noise."""
    with explained():
        from privis.privacy import ReleaseKey

        ReleaseKey.generate().save(path)
        out.print(f"{path}: keep it secret; whoever has it can take the noise away", markup=False)


@app.command()
def doctor() -> None:
    """Check this machine: versions, extras, kernels and speed."""
    with explained():
        from privis.cli.doctor import findings

        table = Table("check", "found", "")
        for finding in findings():
            table.add_row(finding.check, finding.found, finding.advice)
        out.print(table)


def main() -> None:
    """Entry point of the ``privis`` command."""
    app()
