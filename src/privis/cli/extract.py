"""``privis extract``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.console import SOME_FAILED, err, explained, out, progress
from privis.cli.parsing import FEATURES, UNDER, executor_named, feature_named
from privis.cli.post import WORDS, steps_of
from privis.cli.releases import ReleaseWords, release_of
from privis.cli.shell import completion
from privis.errors import ParameterError, Problem
from privis.extraction.folder import FolderResult, extract_folder
from privis.features.feature import Feature
from privis.features.postprocessing.steps import Posted
from privis.io.atomic import check_writable
from privis.io.images.decode import MAX_PIXELS
from privis.io.images.manifest import read_subjects
from privis.io.images.sources import find
from privis.privacy.ledger.file import FileLedger

SHOWN_FAILURES = 20

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT…", help="Files, folders, globs, or - for a list on stdin.")]
FeatureName = Annotated[
    str,
    typer.Option(
        "-f",
        "--feature",
        help="Which feature; `privis features` lists them.",
        autocompletion=completion.features,
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Table to write: .parquet, .npz or .csv.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        help="Parameter of the feature, NAME=VALUE; repeatable.",
        autocompletion=completion.parameters,
    ),
]
ReleaseName = Annotated[
    str | None,
    typer.Option(
        help="laplace, gaussian, privunit, vmf or rr. Without it results are exact.",
        autocompletion=completion.releases,
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        help="Where laplace and gaussian noise goes: pixels, feature or counts.", autocompletion=completion.places
    ),
]
UnitName = Annotated[
    str,
    typer.Option(
        help="What the noise hides: image, pixels:COUNT, patch:SIDE or person:IMAGES.", autocompletion=completion.units
    ),
]
Epsilon = Annotated[float | None, typer.Option(help="Privacy budget for the unit.")]
Delta = Annotated[float | None, typer.Option(help="Failure probability, for gaussian noise.")]
Clip = Annotated[float | None, typer.Option(help="Public bound of the feature's norm, for noise on the feature.")]
Block = Annotated[int | None, typer.Option(help="Pixelise to blocks of this side first, for noise on pixels.")]
Moves = Annotated[int | None, typer.Option(help="Counts one pixel can move, for noise on counts.")]
Total = Annotated[int | None, typer.Option(help="Sum of all counts, for noise on counts that is to hide the image.")]
SubjectColumn = Annotated[
    str | None,
    typer.Option(help="INPUT is a CSV file with the columns path and this one, which says whose image it is."),
]
MaxPixels = Annotated[int, typer.Option(help="Refuse images of more pixels before decoding them.")]
Bits = Annotated[
    int | None, typer.Option(help="Depth of samples in more than 8 bits, as 12 for 12-bit images in 16-bit files.")
]
Post = Annotated[
    str | None, typer.Option(help=f"Public steps after the feature, as in pca:64@public.npz,l2. Any of {WORDS}.")
]
LedgerPath = Annotated[
    Path | None, typer.Option("--ledger", help="Privacy ledger to charge; `privis ledger init` makes one.")
]
Key = Annotated[Path | None, typer.Option(help="Release key; made there if there is none. Equal key, equal noise.")]
Under = Annotated[
    str,
    typer.Option(
        help=f"Who computes: one of {', '.join(UNDER)}. Parties of a protocol run on this machine.",
        autocompletion=completion.executors,
    ),
]
Workers = Annotated[int, typer.Option(help="Processes; 0 is one per core.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ReportPath = Annotated[Path | None, typer.Option("--report", help="Also write an HTML report.")]


def extract(
    inputs: Inputs,
    feature: FeatureName,
    output: Output,
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
    ledger: LedgerPath = None,
    key: Key = None,
    subject_column: SubjectColumn = None,
    under: Under = "clear",
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    bits: Bits = None,
    as_json: AsJson = False,
    report: ReportPath = None,
) -> None:
    """Extract a feature from images into a table that carries its guarantee.

    privis extract photos/ -f hog -o hog.parquet

    privis extract photos/ -f lbp -p patterns=uniform --release laplace --unit pixels:16 --epsilon 4 -o lbp.npz
    """
    with explained():
        words = ReleaseWords(release, at, unit, epsilon, delta, clip, block, moves, total)
        chosen, noise = chosen_feature(feature, parameter or [], post), release_of(words)
        _mention_size(feature, chosen, parameter or [])
        sources, subjects = _sources(inputs, subject_column)
        if report is not None:
            check_writable(report)
        executor = executor_named(under)
        processes = workers or (os.cpu_count() or 1 if under == "clear" else 1)  # parties are processes already
        with progress(feature) as show:
            result = extract_folder(
                chosen,
                sources,
                output,
                under=executor,
                release=noise,
                ledger=None if ledger is None else FileLedger(ledger),
                key=key,
                subjects=subjects,
                workers=processes,
                max_pixels=max_pixels,
                bits=bits,
                on_progress=show,
            )
        if report is not None:
            from privis.report import folder_report, write

            write(folder_report(result), report)
        tell(result, as_json)


def chosen_feature(name: str, parameters: list[str], post: str | None) -> Feature:
    """The feature the words describe, ended with the steps of ``--post``."""
    chosen = feature_named(name, parameters)
    return chosen if post is None else Posted(chosen, steps_of(post))


def _sources(inputs: list[str], subject_column: str | None) -> tuple[Sequence[str], Sequence[str] | None]:
    """The images to read, and whose they are if a column says so."""
    if subject_column is None:
        return find(inputs, sys.stdin), None
    if len(inputs) != 1:
        expected = "one CSV file with --subject-column"
        raise ParameterError(Problem("INPUT", f"{len(inputs)} arguments", expected))
    manifest = read_subjects(Path(inputs[0]), subject_column)
    return manifest.paths, manifest.subjects


def _mention_size(name: str, feature: Feature, parameters: list[str]) -> None:
    """Nobody should find out from the table that images were resized."""
    default = FEATURES[name].size
    if default is not None and not any(word.startswith("size=") for word in parameters):
        size = f"{default[0]}x{default[1]}"
        err.print(f"{name}: images are resized to {size}; -p size=HxW or size=none changes that")


def tell(result: FolderResult, as_json: bool) -> None:
    """What was written on stdout, what failed on stderr, and the exit code."""
    outcome = result.outcome
    if as_json:
        document = {
            "output": str(outcome.output),
            "rows": outcome.rows,
            "components": outcome.length,
            "failures": [{"path": failure.path, "reason": failure.reason} for failure in outcome.failures],
            "seconds": round(outcome.seconds, 3),
            "card": result.card.to_dict(),
        }
        print(json.dumps(document, allow_nan=False))
    else:
        rows = "1 row" if outcome.rows == 1 else f"{outcome.rows:,} rows"
        out.print(f"{rows} of {outcome.length:,} components in {outcome.output}", markup=False)
        out.print(result.guarantee.sentence, markup=False)
    for failure in outcome.failures[:SHOWN_FAILURES]:
        err.print(f"failed: {failure.path}: {failure.reason}", markup=False, soft_wrap=True)
    if len(outcome.failures) > SHOWN_FAILURES:
        more = len(outcome.failures) - SHOWN_FAILURES
        err.print(f"… and {more:,} more in {outcome.output}.failures.csv", markup=False)
    if outcome.failures:
        raise SystemExit(SOME_FAILED)
