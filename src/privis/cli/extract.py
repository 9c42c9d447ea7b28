"""``privis extract``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from privis.cli.console import SOME_FAILED, err, explained, out, progress
from privis.cli.extraction import picture_parts
from privis.cli.extraction.dicom_options import (
    DicomWords,
    FramesToRead,
    Overlays,
    SiteKeyFile,
    SubjectFromDicom,
    Window,
)
from privis.cli.extraction.engine_options import Address, EngineName, On, scheduler_named
from privis.cli.extraction.plan import Plan, Planned
from privis.cli.extraction.planned_extraction import extracted
from privis.cli.extraction.several import Chosen, JpegDecoding, chosen_features, output_of
from privis.cli.parsing import FEATURES, UNDER, executor_named, feature_named
from privis.cli.post import WORDS, steps_of
from privis.cli.release_files import LedgerOption
from privis.cli.releases import (
    ReleaseWords,
    mention_place,
    placed_release,
    refuse_what_leaves_nothing,
    shapes_of,
)
from privis.cli.scores.run_record import note_extraction
from privis.cli.shell import completion
from privis.errors import ParameterError, Problem
from privis.extraction.folder import FolderResult
from privis.features.feature import Feature
from privis.features.postprocessing.steps import Posted
from privis.io.atomic import check_writable
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.dicom.reading import FILE
from privis.io.images.manifest import read_subjects
from privis.io.images.sources import find
from privis.privacy import Release
from privis.run.clear import Clear
from privis.run.he.security import SecurityStandard

SHOWN_FAILURES = 20
EXACT = (
    "The results themselves are exact, without differential privacy: whoever gets them from you may recover much of an "
    "image."
)

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT…",
        help="Files, folders, globs; s3://, gs://, az://, http(s)://; .tar, .parquet; or - for a list on stdin.",
    ),
]
FeatureName = Annotated[
    str,
    typer.Option(
        "-f",
        "--feature",
        help="Which feature; `privis features` lists them.",
        autocompletion=completion.features,
    ),
]
FeatureNames = Annotated[
    list[str],
    typer.Option(
        "-f",
        "--feature",
        help="Which feature; `privis features` lists them. Repeatable: a table for each.",
        autocompletion=completion.features,
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Table to write: .parquet, .npz or .csv.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        help="Parameter, NAME=VALUE, of several features FEATURE.NAME=VALUE; repeatable.",
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
        help="Where laplace and gaussian noise goes: pixels, feature or counts. Without it, where it leaves the most.",
        autocompletion=completion.places,
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
Clip = Annotated[
    float | None,
    typer.Option(help="Public bound of the feature's norm, for noise on the feature; without it the feature's own."),
]
Block = Annotated[int | None, typer.Option(help="Pixelise to blocks of this side first, for noise on pixels.")]
Moves = Annotated[
    int | None, typer.Option(help="Counts one pixel can move, for noise on counts; without it the feature's own.")
]
Total = Annotated[int | None, typer.Option(help="Sum of all counts, for noise on counts that is to hide the image.")]
SubjectColumn = Annotated[
    str | None,
    typer.Option(help="INPUT is a CSV file with the columns path and this one, which says whose image it is."),
]
MaxPixels = Annotated[int, typer.Option(help="Refuse images of more pixels before decoding them.")]
Bits = Annotated[
    int | None, typer.Option(help="Depth of samples in more than 8 bits, as 8, 12 or 16 for images in 16-bit files.")
]
Decode = Annotated[
    JpegDecoding,
    typer.Option(help="exact, or scaled: JPEGs at 1/2, 1/4 or 1/8 of their sides where -p size= needs no more."),
]
Post = Annotated[
    str | None, typer.Option(help=f"Public steps after the feature, as in pca:64@public.npz,l2. Any of {WORDS}.")
]
Key = Annotated[Path | None, typer.Option(help="Release key; made there if there is none. Equal key, equal noise.")]
Under = Annotated[
    str,
    typer.Option(
        help=f"Who computes: one of {', '.join(UNDER)}. Parties of a protocol run on this machine.",
        autocompletion=completion.executors,
    ),
]
MostError = Annotated[
    float | None,
    typer.Option(help="Refuse to run where the predicted error is a larger share of the largest value: 0.01."),
]
Standard = Annotated[
    SecurityStandard | None, typer.Option(help="Of ckks: table of 128-bit security that ring and modulus meet.")
]
Workers = Annotated[int, typer.Option(help="Processes; 0 is one per core.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", help="Go on although the noise leaves nothing of one image.")]
ReportPath = Annotated[Path | None, typer.Option("--report", help="Also write an HTML report.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Only say what would be read, made, guaranteed and charged, at what cost."),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say on stderr what is done, and how long it took.")]


def extract(
    context: typer.Context,
    inputs: Inputs,
    feature: FeatureNames,
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
    ledger: LedgerOption = None,
    key: Key = None,
    subject_column: SubjectColumn = None,
    under: Under = "clear",
    most_error: MostError = None,
    standard: Standard = None,
    workers: Workers = 0,
    on: On = EngineName.PROCESSES,
    address: Address = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    bits: Bits = None,
    decode: Decode = JpegDecoding.EXACT,
    window: Window = FILE,
    frames: FramesToRead = "1",
    overlays: Overlays = False,
    subject_from: SubjectFromDicom = None,
    site_key: SiteKeyFile = None,
    tiles: picture_parts.Tiles = None,
    overlap: picture_parts.Overlap = 0,
    tissue: picture_parts.Tissue = 0.0,
    mpp: picture_parts.MicronsPerPixel = None,
    downsample: picture_parts.Downsample = None,
    pages: picture_parts.PageWords = None,
    every: picture_parts.Every = None,
    start: picture_parts.Start = None,
    end: picture_parts.End = None,
    stack: picture_parts.Stack = 1,
    as_json: AsJson = False,
    report: ReportPath = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    verbose: Verbose = False,
) -> None:
    """Extract features from images into tables that carry their guarantees, one table for each feature.

    privis extract photos/ -f hog -o hog.parquet

    privis extract photos/ -f lbp -p patterns=uniform --release laplace --unit pixels:16 --epsilon 4 -o lbp.npz

    privis extract photos/ -f colour -f lbp -p lbp.patterns=uniform -o photos.parquet

    privis extract slide.svs --tiles 256 --tissue 0.5 -f lbp -o tiles.parquet

    privis extract camera.mp4 --every 1s -f hog -p size=96x128 -o frames.parquet

    The third makes photos.colour.parquet and photos.lbp.parquet, and decodes every image once.
    """
    with explained():
        if ledger is not None:
            ledger.check()
        parts = picture_parts.PartWords(tiles, overlap, tissue, mpp, downsample, pages, every, start, end, stack)
        parts.check(release is not None, subject_from is not None)
        words = ReleaseWords(release, at, unit, epsilon, delta, clip, block, moves, total)
        chosen = chosen_features(feature, parameter or [], post, decode)
        several = len(chosen) > 1
        for each in chosen:
            _mention_size(each)
        dicom = DicomWords(window, frames, overlays, subject_from, site_key, subject_column)
        decoding = Decoding(max_pixels, bits, dicom.reading())
        sources, subjects = parts.of(*dicom.sources(*_sources(inputs, subject_column, parts.of_videos)), max_pixels)
        noises = [_noise(words, each.feature, sources, yes) for each in chosen]
        planned = [
            Planned(each.feature, noise, output_of(output, each.name, several))
            for each, noise in zip(chosen, noises, strict=True)
        ]
        reports = [] if report is None else [output_of(report, each.name, several) for each in chosen]
        for path in reports:
            check_writable(path)
        executor = executor_named(under, most_error, standard)
        book = None if ledger is None else ledger.opened()
        people = None if subjects is None else len(set(subjects))
        if dry_run or verbose:
            plan = Plan(planned, sources, people, executor, book, key)
            for line in list(plan.lines()):
                (out if dry_run else err).print(line, markup=False, soft_wrap=True)
        if dry_run:
            out.print("Nothing was read beyond headers, charged or written.", markup=False)
            return
        engine = scheduler_named(on, address, workers)
        processes = workers or (os.cpu_count() or 1 if under == "clear" else 1)  # parties are processes already
        with progress(", ".join(feature)) as show:
            results = extracted(planned, sources, subjects, executor, book, key, processes, decoding, engine, show)
        tables = [(table.feature, table.release) for table in planned]
        note_extraction(context, executor, processes, release, tables, results, sources)
        for result, path in zip(results, reports, strict=bool(reports)):
            from privis.report import folder_report, write

            write(folder_report(result), path)
        if verbose:
            for result in results:
                _say_time(result)
        tell(results, as_json)


def _noise(words: ReleaseWords, feature: Feature, sources: Sequence[str], yes: bool) -> Release | None:
    """The release of one feature, placed where it leaves the most; ParameterError where it leaves nothing."""
    shapes = [] if words.noise is None else shapes_of(feature, sources)
    release = placed_release(words, feature, shapes)
    if not yes:
        refuse_what_leaves_nothing(feature, release, shapes, sys.argv[1:])
    mention_place(words, release)
    return release


def chosen_feature(name: str, parameters: list[str], post: str | None) -> Feature:
    """The feature the words describe, ended with the steps of ``--post``."""
    chosen = feature_named(name, parameters)
    return chosen if post is None else Posted(chosen, steps_of(post))


def _sources(inputs: list[str], subject_column: str | None, videos: bool) -> tuple[Sequence[str], Sequence[str] | None]:
    """The images to read, and whose they are if a column says so."""
    if subject_column is None:
        return find(inputs, sys.stdin, videos=videos), None
    if len(inputs) != 1:
        expected = "one CSV file with --subject-column"
        raise ParameterError(Problem("INPUT", f"{len(inputs)} arguments", expected))
    manifest = read_subjects(Path(inputs[0]), subject_column)
    return manifest.paths, manifest.subjects


def _mention_size(chosen: Chosen) -> None:
    """Nobody should find out from the table that images were resized."""
    default = FEATURES[chosen.name].size
    if default is not None and not any(word.startswith("size=") for word in chosen.words):
        size = f"{default[0]}x{default[1]}"
        err.print(f"{chosen.name}: images are resized to {size}; -p size=HxW or size=none changes that")


def _say_time(result: FolderResult) -> None:
    outcome = result.outcome
    fresh = outcome.rows + len(outcome.failures) - outcome.resumed
    resumed = f", {outcome.resumed:,} files were done before" if outcome.resumed else ""
    told = f"{outcome.output}: {outcome.seconds:.1f} s for {max(0, fresh):,} files{resumed}"
    err.print(told, markup=False, soft_wrap=True)


def tell(results: Sequence[FolderResult], as_json: bool, whose: str = "") -> None:
    """What was written on stdout, what failed on stderr, and the exit code.

    Who saw the images and what the features may say are two lines, where whoever runs this did not compute; ``whose``
    ends the first.
    """
    if as_json:
        documents = [_document(result) for result in results]
        print(json.dumps(documents[0] if len(documents) == 1 else {"tables": documents}, allow_nan=False))
    for result in results:
        outcome = result.outcome
        if not as_json:
            rows = "1 row" if outcome.rows == 1 else f"{outcome.rows:,} rows"
            out.print(f"{rows} of {outcome.length:,} components in {outcome.output}", markup=False, soft_wrap=True)
            hidden = result.card.under["class"] != Clear.__name__
            if hidden:
                out.print(f"{result.card.seen} {whose}".rstrip(), markup=False)
            exact = hidden and result.card.release is None
            out.print(EXACT if exact else result.guarantee.sentence, markup=False)
            if result.card.error is not None:
                out.print(f"Predicted error of the features: {result.card.error.words}.", markup=False)
        for failure in outcome.failures[:SHOWN_FAILURES]:
            err.print(f"failed: {failure.path}: {failure.reason}", markup=False, soft_wrap=True)
        if len(outcome.failures) > SHOWN_FAILURES:
            more = len(outcome.failures) - SHOWN_FAILURES
            err.print(f"… and {more:,} more in {outcome.output}.failures.csv", markup=False)
    if any(result.outcome.failures for result in results):
        raise SystemExit(SOME_FAILED)


def _document(result: FolderResult) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "output": str(outcome.output),
        "rows": outcome.rows,
        "components": outcome.length,
        "failures": [{"path": failure.path, "reason": failure.reason} for failure in outcome.failures],
        "seconds": round(outcome.seconds, 3),
        "card": result.card.to_dict(),
    }
