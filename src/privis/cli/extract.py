"""``privis extract``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.choices import FEATURES, ReleaseWords, feature_named, release_of
from privis.cli.console import SOME_FAILED, err, explained, out, progress
from privis.features.feature import Feature
from privis.folder import FolderResult, extract_folder

SHOWN_FAILURES = 20

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT…", help="Files, folders, globs, or - for a list on stdin.")]
FeatureName = Annotated[str, typer.Option("-f", "--feature", help="Which feature; `privis features` lists them.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Table to write: .parquet, .npz or .csv.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="Parameter of the feature, NAME=VALUE; repeatable.")
]
ReleaseName = Annotated[str | None, typer.Option(help="Noise: laplace or gaussian. Without it results are exact.")]
At = Annotated[str, typer.Option(help="Where the noise goes: pixels or feature.")]
UnitName = Annotated[str, typer.Option(help="What the noise hides: image, pixels:COUNT or patch:SIDE.")]
Epsilon = Annotated[float | None, typer.Option(help="Privacy budget for the unit.")]
Delta = Annotated[float | None, typer.Option(help="Failure probability, for gaussian noise.")]
Clip = Annotated[float | None, typer.Option(help="Public bound of the feature's norm, for noise on the feature.")]
Block = Annotated[int, typer.Option(help="Pixelise to blocks of this side first, for noise on pixels.")]
Key = Annotated[Path | None, typer.Option(help="Release key; made there if there is none. Equal key, equal noise.")]
Workers = Annotated[int, typer.Option(help="Processes; 0 is one per core.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ReportPath = Annotated[Path | None, typer.Option("--report", help="Also write an HTML report.")]


def extract(
    inputs: Inputs,
    feature: FeatureName,
    output: Output,
    parameter: Parameters = None,
    release: ReleaseName = None,
    at: At = "pixels",
    unit: UnitName = "image",
    epsilon: Epsilon = None,
    delta: Delta = None,
    clip: Clip = None,
    block: Block = 1,
    key: Key = None,
    workers: Workers = 0,
    as_json: AsJson = False,
    report: ReportPath = None,
) -> None:
    """Extract a feature from pictures into a table that carries its guarantee.

    privis extract photos/ -f hog -o hog.parquet

    privis extract photos/ -f lbp -p patterns=uniform --release laplace --unit pixels:16 --epsilon 4 -o lbp.npz
    """
    from privis.io.sources import find

    with explained():
        words = ReleaseWords(release, at, unit, epsilon, delta, clip, block)
        chosen, noise = feature_named(feature, parameter or []), release_of(words)
        _mention_size(feature, chosen, parameter or [])
        sources = find(inputs, sys.stdin)
        processes = workers or os.cpu_count() or 1
        with progress(feature) as show:
            result = extract_folder(
                chosen, sources, output, release=noise, key_path=key, workers=processes, on_progress=show
            )
        if report is not None:
            from privis.report import folder_report, write

            write(folder_report(result), report)
        _tell(result, as_json)


def _mention_size(name: str, feature: Feature, parameters: list[str]) -> None:
    """Nobody should find out from the table that images were resized."""
    default = FEATURES[name].size
    if default is not None and not any(word.startswith("size=") for word in parameters):
        size = f"{default[0]}x{default[1]}"
        err.print(f"{name}: images are resized to {size}; -p size=HxW or size=none changes that")


def _tell(result: FolderResult, as_json: bool) -> None:
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
        out.print(f"{outcome.rows:,} rows of {outcome.length:,} components in {outcome.output}", markup=False)
        out.print(result.guarantee.sentence, markup=False)
    for failure in outcome.failures[:SHOWN_FAILURES]:
        err.print(f"failed: {failure.path}: {failure.reason}", markup=False, soft_wrap=True)
    if len(outcome.failures) > SHOWN_FAILURES:
        more = len(outcome.failures) - SHOWN_FAILURES
        err.print(f"… and {more:,} more in {outcome.output}.failures.csv", markup=False)
    if outcome.failures:
        raise SystemExit(SOME_FAILED)
